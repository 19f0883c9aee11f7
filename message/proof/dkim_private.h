/* dkim_private.h - what DKIM and ARC share: a field that signs, the fields that it signs, its key.
 *
 *     field --signed_parse()--> struct signed_field --signed_hash()--> hash --signed_check()-->
 *     result                                                                     DNS
 *
 * What comes from the wire is bounded before it costs anything: fields and names are numbered, a
 * field is looked up by binary search and hashed at most once for each signature. So a signature
 * costs one pass over the header, and all signatures of a message two passes over its body.
 */
#pragma once

#include "message/proof/canon.h"
#include "message/proof/dkim.h"
#include "message/proof/tags.h"

#define DKIM_FIELDS_MAX  4096 /* of a header; signatures in a larger one are not verified */
#define DKIM_NAMES_MAX   256  /* in h= */
#define DKIM_RECORDS_MAX 4    /* of one selector; the rest is not looked at */
#define DKIM_SKEW_S      3600 /* by how much clocks may differ, for t= and x= */
#define DKIM_HASH_SIZE   32

/* --- the fields of a header --- */

struct indexed_field {
    struct header_field field;
    unsigned taken_by; /* number of the signature that has it */
};

struct field_index {
    struct indexed_field *fields; /* as they stand */
    struct indexed_field **order; /* by name, then as they stand */
    size_t count;
    bool is_cut;      /* there are more than DKIM_FIELDS_MAX */
    bool is_broken;   /* a line is no field: others may see fields behind it that we do not */
    unsigned current; /* number of the signature that takes */
};

void index_make(struct arena *arena, struct slice header, struct field_index *index_out);
void index_begin(struct field_index *index); /* nothing is taken */

/* The lowest field of a name that was not taken, which now is; `but` is never taken. */
const struct header_field *index_take(struct field_index *index, struct slice name,
                                      const struct header_field *but);
size_t index_count(const struct field_index *index, struct slice name); /* all of a name */
bool index_all_taken(const struct field_index *index, struct slice name);

/* --- fields that sign --- */

enum signed_kind {
    SIGNED_DKIM,    /* DKIM-Signature */
    SIGNED_MESSAGE, /* ARC-Message-Signature */
    SIGNED_SEAL,    /* ARC-Seal */
};

struct signed_field {
    enum signed_kind kind;
    struct header_field field;
    struct slice hole; /* the value of b= in it */

    enum signature_algorithm algorithm;
    struct slice algorithm_name;
    struct slice domain, selector; /* as A-labels */
    struct slice identity;         /* i= of DKIM, "" when it is not there */
    struct slice identity_host;    /* of it, as A-labels */
    unsigned instance;             /* i= of ARC */
    struct slice chain;            /* cv= */
    struct slice names;            /* h= */
    struct slice signature, body_hash;
    struct slice start; /* of b= */
    bool relaxed_header, relaxed_body;
    bool has_length;
    uint64_t length;           /* l= */
    int64_t made_s, expires_s; /* 0: not said */

    unsigned char hash[DKIM_HASH_SIZE]; /* what is signed */
    bool is_settled;                    /* result is known */
    enum dkim_result result;
    const char *reason; /* unless PASS */
    bool is_test;
};

/* Settles a field; returns false, for `return settle(...)`. */
bool settle(struct signed_field *s, enum dkim_result result, const char *reason);

/* False: it is settled, being wrong. */
bool signed_parse(struct arena *arena, const struct header_field *field, enum signed_kind kind,
                  int64_t now_s, struct signed_field *out) MUST_CHECK;

/* The bodies' hashes, made when they are asked for. */
struct body_hashes {
    struct slice body;
    struct {
        bool is_made;
        unsigned char hash[DKIM_HASH_SIZE];
        uint64_t length;
    } made[2]; /* simple, relaxed */
};

/* Compares bh=, then makes s->hash. False: it is settled, not being right. */
bool signed_hash(struct signed_field *s, struct field_index *index,
                 struct body_hashes *bodies) MUST_CHECK;

/* Gets the key, checks the signature and settles; false: the answer is missing. */
bool signed_check(struct signed_field *s, struct dns_table *table) MUST_CHECK;

/* --- key records --- */

struct dkim_key {
    struct buf bytes; /* p=, decoded; dkim_key_free() */
    bool is_ed25519;
    bool is_test, is_strict; /* t=y, t=s */
};

void dkim_key_free(struct dkim_key *key);

/* NULL: it is good; or else why it is not. */
const char *dkim_key_parse(struct slice text, struct dkim_key *key_out);

/* --- signing --- */

/* Which fields are signed of a header, as h= has it, folded; DKIM-Signatures too where RFC 8617
 * section 4.1.2 asks for it. Errors: ERROR_LIMIT, ERROR_INVALID for a header with a broken line. */
bool sign_names(const struct field_index *index, bool with_signatures, struct buf *names_out,
                struct error *err) MUST_CHECK;

/* Signs a hash and appends b='s value, folded. */
bool sign_hash(const struct dkim_signer *signer, const unsigned char hash[DKIM_HASH_SIZE],
               struct buf *out, struct error *err) MUST_CHECK;

/* Completes a field that ends in "b=": hashes the fields named and it, appends value and CRLF. */
bool sign_field(const struct dkim_signer *signer, struct field_index *index, struct slice names,
                struct buf *field, struct error *err) MUST_CHECK;

/* "a=rsa-sha256; d=example.org; s=mail; t=1;", with what is optional. */
void sign_tags(const struct dkim_signer *signer, struct buf *out);

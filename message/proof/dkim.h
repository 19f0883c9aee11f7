/* dkim.h - DKIM signatures, both ways (RFC 6376, 8301, 8463).
 *
 * Pure; the DNS is a table. The header is given with its empty line, as stored (CRLF); the body is
 * what follows. A header with a line that is no field is neither signed nor verified: other
 * programs may see a From behind that line. Verifying is in two steps, so that a message is hashed
 * once, however often the second one has to wait for the DNS.
 *
 * `l=` is not trusted: a signature with a body length that covers less than the whole body fails
 * (RFC 8301 says nothing of it; whoever appends text must not be taken for the signer).
 */
#pragma once

#include "common/buf.h"
#include "common/dns.h"
#include "common/signature.h"

#define DKIM_SIGNATURES_MAX 10 /* of one message; more are not looked at */

enum dkim_result { /* RFC 8601 section 2.7.1 */
                   DKIM_NONE,
                   DKIM_PASS,
                   DKIM_FAIL,
                   DKIM_POLICY,  /* valid, but not by our rules: l=, weak or SHA-1 */
                   DKIM_NEUTRAL, /* not to be understood */
                   DKIM_TEMPERROR,
                   DKIM_PERMERROR,
};

struct dkim_verdict {
    enum dkim_result result;
    struct slice domain, selector; /* d=, s=, as A-labels */
    struct slice identity;         /* i= as it stands, or "@" d= */
    struct slice algorithm;        /* a= */
    struct slice start;            /* the first characters of b=, for RFC 8601's header.b */
    bool is_test;                  /* t=y in the key record */
    const char *reason;            /* unless PASS: "body hash did not verify" */
};

struct dkim_verifier;

/* Hashes. Slices of header and body must stay until dkim_verifier_free(). */
struct dkim_verifier *dkim_verifier_new(struct slice header, struct slice body, int64_t now_s);
void dkim_verifier_free(struct dkim_verifier **verifier);

/* False: answers are missing in the table, call again. Otherwise one verdict a signature in the
 * order of the header; they live in the verifier. No signature: *count_out is 0. */
bool dkim_verify(struct dkim_verifier *verifier, struct dns_table *table,
                 const struct dkim_verdict **verdicts_out, size_t *count_out);

const char *dkim_result_name(enum dkim_result result);

/* --- signing --- */

struct dkim_signer {
    const struct private_key *key;
    enum signature_algorithm algorithm;
    struct slice domain, selector;
    int64_t now_s;
    int64_t expires_s; /* 0: never */
};

/* Appends "DKIM-Signature: ...\r\n" for the message, relaxed/relaxed; the fields of RFC 6376
 * section 5.4.1 that are there are signed, and From, Sender, Reply-To, Subject, Date, Message-ID,
 * To, Cc, Content-Type, ... once more than they occur (oversigned), so that none can be added.
 * Errors: ERROR_LIMIT for too many fields, ERROR_INVALID for a broken header or a wrong key. */
bool dkim_sign(const struct dkim_signer *signer, struct slice header, struct slice body,
               struct buf *field_out, struct error *err) MUST_CHECK;

/* The same with the body's hash known already: several signatures of one message hash it once. */
void dkim_body_hash(struct slice body, unsigned char hash_out[32]); /* relaxed, SHA-256 */
bool dkim_sign_hashed(const struct dkim_signer *signer, struct slice header,
                      const unsigned char body_hash[32], struct buf *field_out,
                      struct error *err) MUST_CHECK;

/* The key record to publish: "v=DKIM1; k=rsa; p=..." */
bool dkim_key_record(const struct private_key *key, enum signature_algorithm algorithm,
                     struct buf *out, struct error *err) MUST_CHECK;

/* spf_private.h - what the files of SPF share: terms of a record, macros, the check under way.
 *
 *     spf.c  check_host(): records, terms from left to right, include and redirect, limits
 *       |--- spf_record.c  text to terms
 *       |--- spf_match.c   does a mechanism match the client?
 *       '--- spf_macro.c   "%{ir}.%{v}._spf.%{d2}", for all of them
 */
#pragma once

#include "common/mem.h"
#include "message/proof/iprev.h"
#include "message/proof/spf.h"

#define SPF_LOOKUPS_MAX     10    /* section 4.6.4: terms that ask the DNS */
#define SPF_VOIDS_MAX       2     /* ... that the DNS has nothing for */
#define SPF_NAMES_MAX       10    /* ... hosts of one MX */
#define SPF_RECORD_MAX      16384 /* bytes of a record; far past what section 3.4 advises */
#define SPF_SPEC_MAX        512   /* ... of a domain-spec: what it costs to expand is bounded too */
#define SPF_EXPLANATION_MAX 1024  /* a longer one is none */

/* --- a record --- */

enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT,
    SPF_EXP,
    SPF_OTHER, /* a modifier that nobody knows */
};

struct spf_term {
    enum spf_kind kind;
    enum spf_result result; /* of a mechanism that matches: its qualifier */
    struct slice text;      /* all of it */
    struct slice domain;    /* its domain-spec; empty: the current domain */
    unsigned prefix4, prefix6;
    unsigned char network[16];
};

/* Is the text of a TXT record one of SPF? (section 4.5) */
bool spf_record_is(struct slice text);

/* Takes a term off the front of *rest, which starts behind the version. PARSE_MORE: that was all.
 * PARSE_BAD: a syntax error (section 4.6). */
enum parse spf_term_next(struct slice *rest, struct spf_term *term_out);

/* --- macros (section 7) --- */

enum spf_macro_use {
    SPF_DOMAIN_SPEC, /* must end in a top-level label or a macro; no c, r, t */
    SPF_MACRO_STRING,
    SPF_EXPLAIN, /* an explanation: blanks too */
};

bool spf_macro_valid(struct slice text, enum spf_macro_use use);

struct spf_client {
    unsigned char bytes[16];
    size_t len;          /* 4 or 16; 0: not an address */
    char text[46];       /* %{c} */
    struct slice digits; /* %{i}: nibbles with dots, when it is IPv6 */
};

/* One check under way. The arena is of this round only. */
struct spf_check {
    struct arena *arena;
    struct dns_table *table;
    const struct spf_query *query;
    struct spf_client client;
    struct slice sender, local, domain; /* of the sender; never empty but for the domain */
    struct slice now;                   /* %{t} */
    unsigned lookups, voids;
    const struct iprev_outcome *pointers; /* once they have been asked for */
    bool counted_pointers;                /* %{p} counts once */
    bool again;         /* an answer is missing: whatever comes back now means nothing */
    const char *reason; /* of an error */
};

/* The validated names of the client (section 5.5); NULL with check->again set. */
const struct iprev_outcome *spf_pointers(struct spf_check *check);

/* Is the name the domain, or below it? */
bool spf_name_is_below(struct slice name, struct slice domain);

/* Appends what a valid text expands to; `current` is %{d}. False: answers are missing. */
bool spf_macro_expand(struct spf_check *check, struct slice text, struct slice current,
                      enum spf_macro_use use, struct buf *out);

/* The target-name of a domain-spec, without a last dot, cut from the left to 253 bytes. */
bool spf_target(struct spf_check *check, struct slice spec, struct slice current,
                struct slice *name_out);

/* --- mechanisms (section 5) --- */

enum spf_match { SPF_NO_MATCH, SPF_MATCH, SPF_ERROR_TEMPORARY, SPF_ERROR_PERMANENT };

/* Any mechanism but include. When check->again is set, the result means nothing. */
enum spf_match spf_term_match(struct spf_check *check, const struct spf_term *term,
                              struct slice current);

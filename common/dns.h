/* dns.h - answers of the DNS, in a table that plain top-to-bottom code can ask.
 *
 * Code that needs the DNS takes a table and calls dns_get(). What is not in it yet is noted as
 * missing, and NULL comes back: then the code returns "again". Its caller has the missing answers
 * fetched (common/resolver.h), and runs the code once more from its beginning; what was answered
 * before is in the table now. So no callback runs inside an evaluation, a test fills the table by
 * hand, and the number of lookups has one limit.
 *
 *     evaluate --NULL--> again --resolver_fetch()--> evaluate --NULL--> ... --> result
 *
 * Names are compared without case and without a last dot. Threads: one at a time; the resolver has
 * the table between resolver_fetch() and its end.
 */
#pragma once

#include "common/mem.h"
#include "common/slice.h"

enum dns_type { /* RFC 1035, 2782, 3596, 6698 */
                DNS_A = 1,
                DNS_CNAME = 5,
                DNS_PTR = 12,
                DNS_MX = 15,
                DNS_TXT = 16,
                DNS_AAAA = 28,
                DNS_SRV = 33,
                DNS_TLSA = 52,
};

enum dns_state {
    DNS_MISSING, /* not asked yet; dns_get() never returns such */
    DNS_FOUND,
    DNS_NOTHING, /* the name exists, without such records */
    DNS_NO_NAME, /* NXDOMAIN */
    DNS_FAILED,  /* no answer, or a bogus one: nobody knows */
};

struct dns_answer {
    struct dns_answer *next;
    struct slice name;
    enum dns_type type;
    enum dns_state state;
    bool secure;           /* DNSSEC says so, of an absence too */
    bool bogus;            /* FAILED: its signature is wrong */
    struct slice *records; /* rdata as on the wire; TXT: see dns_text() */
    size_t count;
    struct slice canonical; /* where CNAMEs led; the name itself without any */
    uint32_t ttl_s;
    struct slice reason; /* FAILED: in words */
};

#define DNS_TABLE_MAX   200 /* answers in one table, unless told otherwise */
#define DNS_RECORDS_MAX 128 /* of one answer; the rest is not looked at */
#define DNS_NAME_SIZE   256 /* in text, with its NUL */

struct dns_table {
    struct arena arena;
    struct dns_answer *first;
    size_t count, n_missing;
    size_t max; /* answers; 0: DNS_TABLE_MAX. What is asked past it has FAILED */
};

/* NULL: missing, have it fetched. A name is the labels' bytes with dots between them, without
 * escapes; one that cannot be (empty labels, over 253 bytes, a label over 63, a control character,
 * a backslash) is DNS_NO_NAME at once. */
const struct dns_answer *dns_get(struct dns_table *table, struct slice name, enum dns_type type);

/* Enters an answer by hand, copying it, in the place of one that is there: for tests, and for the
 * resolver. Goes past `max`. An answer stays where it is, so pointers to it stay good. */
struct dns_answer *dns_put(struct dns_table *table, const struct dns_answer *answer);

void dns_table_free(struct dns_table *table); /* empty and usable afterwards */

/* Rdata to what it means; false when it is damaged (names that are compressed, that have a dot in a
 * label, or could not be asked for, are). Results live in the arena. */
bool dns_text(struct arena *arena, struct slice rdata, struct slice *text_out); /* TXT, joined */
bool dns_mx(struct arena *arena, struct slice rdata, unsigned *preference_out,
            struct slice *host_out);                                            /* "" is "." */
bool dns_name(struct arena *arena, struct slice rdata, struct slice *name_out); /* PTR, CNAME */
bool dns_address(struct slice rdata, char text_out[46]);                        /* A, AAAA */

/* The name under in-addr.arpa or ip6.arpa, or under another zone: "1.2.0.192" + "." + zone. False:
 * not an address. */
bool dns_reverse_name(struct arena *arena, const char *address, const char *zone /* NULL: arpa */,
                      struct slice *name_out);

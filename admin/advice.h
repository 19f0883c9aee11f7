/* advice.h - compares what a domain should publish with what the DNS says, in plain words.
 *
 *     records (publish.h) + table of answers --advice_all()--> findings
 *
 * Evaluate again: while answers are missing advice_all() is false; have them fetched and call it
 * once more (common/dns.h). All checks ask before any of them is waited for, so that a few rounds
 * are enough. Pure. Findings live in their own arena.
 */
#pragma once

#include "admin/publish.h"
#include "common/dns.h"

enum advice_level {
    ADVICE_GOOD,
    ADVICE_HINT,  /* could be better, or is worth knowing */
    ADVICE_WRONG, /* mail suffers */
};

struct finding {
    enum advice_level level;
    struct slice name;           /* the domain or host it is about */
    const char *type;            /* "MX", "SPF", "PTR", ... */
    struct slice text;           /* in plain words */
    const struct record *record; /* what to publish instead; or NULL */
};

#define FINDINGS_MAX 200

struct advice {
    const struct publication *publication;
    struct dns_table *table;
    int64_t now_s;
    struct arena arena;
    struct finding findings[FINDINGS_MAX];
    size_t count;
};

bool advice_all(struct advice *advice);
size_t advice_count(const struct advice *advice, enum advice_level level);
const char *advice_level_name(enum advice_level level);

/* --- between the files of the advice: each check is false while answers are missing --- */

bool advise_mx(struct advice *advice);
bool advise_addresses(struct advice *advice); /* of the host, and their reverse names */
bool advise_spf(struct advice *advice);
bool advise_dkim(struct advice *advice);
bool advise_dmarc(struct advice *advice);
bool advise_sts(struct advice *advice); /* MTA-STS, TLSRPT */
bool advise_tlsa(struct advice *advice);
bool advise_services(struct advice *advice);

PRINTF_LIKE(6, 7)
void advise(struct advice *advice, enum advice_level level, struct slice name, const char *type,
            const struct record *record, const char *format, ...);

/* The first record to publish of a kind, NULL without. */
const struct record *advice_record(const struct advice *advice, enum record_kind kind);

/* NULL: missing. An answer that FAILED has been advised about. */
const struct dns_answer *advice_ask(struct advice *advice, struct slice name, enum dns_type type,
                                    const char *shown_type);

/* The TXT records of a name that begin with `start`, "v=spf1" or "v=DMARC1", up to `max`; the
 * number of all of them in *count_out. False: missing. *failed_out: nobody knows. */
bool advice_texts(struct advice *advice, struct slice name, const char *type, const char *start,
                  struct slice *texts_out, size_t max, size_t *count_out, bool *failed_out);

/* The value of a tag in "v=X; a=b; c=d" without blanks in it; empty when it is not there. */
struct slice advice_tag(struct arena *arena, struct slice text, const char *tag);

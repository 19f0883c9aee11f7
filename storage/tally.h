/* tally.h - what is counted by day for the reports to other domains (RFC 7489, RFC 8460), in
 * postane.db.
 *
 * A count has a day, a kind, the domain that will be told, and a key: the tuple that is counted, in
 * a form of its kind's own. Statistics, not mail: whoever counts keeps sums in memory and adds them
 * here every minute or so; a crash loses no more than that.
 *
 * Threads: one desk, one thread. Results live in the arena.
 */
#pragma once

#include "storage/store.h"

enum tally_kind { TALLY_DMARC = 1, TALLY_TLS = 2 };

#define TALLY_KEYS_MAX 10000 /* of one domain and day; more are not counted */

struct tally {
    enum tally_kind kind;
    int64_t day; /* since 1970-01-01, UTC */
    struct slice domain;
    struct slice key;
    uint64_t count;
};

struct tally_list {
    struct tally *items;
    size_t count;
};

/* All in one transaction. */
bool tally_add(struct desk *desk, const struct tally *items, size_t count,
               struct error *err) MUST_CHECK;

/* The days and domains before `day` that wait for a report: key empty, count the sum of theirs. At
 * most `max` of them, in an order of their own, from `after` on (NULL: from the first). */
bool tally_due(struct desk *desk, struct arena *arena, int64_t day, const struct tally *after,
               size_t max, struct tally_list *list_out, struct error *err) MUST_CHECK;

/* The counts of one kind, day and domain. */
bool tally_read(struct desk *desk, struct arena *arena, const struct tally *which,
                struct tally_list *list_out, struct error *err) MUST_CHECK;

/* Forgets them: they were reported, or nobody wants to know. */
bool tally_drop(struct desk *desk, const struct tally *which, struct error *err) MUST_CHECK;

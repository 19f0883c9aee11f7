/* sts.h - policies of MTA-STS (RFC 8461) that other domains have published, in postane.db.
 *
 * A policy once seen binds until it expires, whatever becomes of its publication: that is what
 * protects from an attacker who can forge the DNS. So it has to survive a restart.
 *
 * Threads: one desk, one thread. Results live in the arena.
 */
#pragma once

#include "storage/store.h"

#define STS_ENTRIES_MAX 20000 /* domains; further ones are not kept */

struct sts_entry {
    struct slice domain; /* A-labels, lower case */
    struct slice id;     /* of the TXT record that the policy was fetched for */
    struct slice text;   /* the policy */
    int64_t fetched_ms, expires_ms;
};

struct sts_list {
    struct sts_entry *items;
    size_t count;
};

/* Those that are valid at a time, by domain. */
bool sts_all(struct desk *desk, struct arena *arena, int64_t now_ms, struct sts_list *list_out,
             struct error *err) MUST_CHECK;

/* In place of what is known of the domain; what had expired when this was fetched is forgotten.
 * Errors: ERROR_LIMIT. */
bool sts_put(struct desk *desk, const struct sts_entry *entry, struct error *err) MUST_CHECK;

/* logbook.h - logins.db: who is banned, and who has logged in and from where.
 *
 * Bans are an operator's or made by the guard (guard.h). Logins are folded: those of one account
 * that are alike (protocol, address, method, outcome) are one row with a count, the first and the
 * last time. An account keeps its latest LOGBOOK_RIGHT rows of logins that went well and
 * LOGBOOK_WRONG of others, for as long as the settings say.
 *
 * A commit does not wait for the disk, but for those of an operator. A file that is damaged is put
 * aside, NAME.damaged, and made anew.
 *
 * Threads: any; one handle for a process.
 */
#pragma once

#include "common/networks.h"
#include "storage/store.h"

#define LOGBOOK_RIGHT         100
#define LOGBOOK_WRONG         50
#define LOGBOOK_AUTOMATIC_MAX 10000 /* bans, and a few more; those that end first go first */
#define LOGBOOK_REASON_MAX    200

struct logbook;

/* `durable`: what is written is on the disk when a call returns. */
bool logbook_open(struct store *store, bool durable, struct logbook **logbook_out,
                  struct error *err) MUST_CHECK;
void logbook_close(struct logbook **logbook);

struct ban {
    struct network network;
    int64_t since_ms, until_ms; /* Unix time; 0: for ever */
    bool automatic;
    struct slice reason;
};

struct ban_list {
    struct ban *items;
    size_t count;
};

/* Replaces the one of the same network; but no automatic one an operator's. Tells the daemons. */
bool logbook_ban(struct logbook *logbook, const struct ban *ban, struct error *err) MUST_CHECK;
/* Errors: ERROR_NOT_FOUND. Tells the daemons. */
bool logbook_unban(struct logbook *logbook, const struct network *network,
                   struct error *err) MUST_CHECK;
/* Those that have not ended, by network. */
bool logbook_bans(struct logbook *logbook, struct arena *arena, struct ban_list *list_out,
                  struct error *err) MUST_CHECK;

struct login_record {
    uint64_t account;
    struct slice protocol, address, method;
    struct slice reason; /* why it failed; "" when it went well */
    int64_t first_ms, last_ms;
    uint64_t count;
};

struct login_records {
    struct login_record *items;
    size_t count;
};

/* Adds to what there is, in one transaction; drops what is older than `keep_ms`. */
bool logbook_add(struct logbook *logbook, const struct login_record *records, size_t count,
                 uint64_t keep_ms, struct error *err) MUST_CHECK;
/* The latest first. */
bool logbook_logins(struct logbook *logbook, uint64_t account, struct arena *arena,
                    struct login_records *records_out, struct error *err) MUST_CHECK;
/* The account is gone. */
bool logbook_forget(struct logbook *logbook, uint64_t account, struct error *err) MUST_CHECK;

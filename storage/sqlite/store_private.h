/* store_private.h - what the files of storage/ share of a store and a desk.
 *
 * Knows SQLite only by the name of struct sql_db, so that the engine-neutral files may include it.
 */
#pragma once

#include "common/clock.h"
#include "storage/files.h"
#include "storage/store.h"

struct account;       /* account.c's */
struct notice_sender; /* notice.c's */
struct sql_db;

struct store {
    struct store_options options; /* `path` is our own copy */
    struct notice_sender *notices;
};

struct desk {
    struct store *store;
    struct sql_db *directory, *queue; /* NULL until first asked for */
    struct desk_slot {
        uint64_t id;
        struct account *account;
        uint64_t used_ms; /* clock_ms() of the last desk_account() */
        uint64_t turn;    /* the greater, the later it was lent */
        bool released;    /* its memory has been given back since */
        bool removed;     /* the operator removed the account, or replaced its mail.db */
        uint64_t file;    /* inode of its mail.db */
    } * slots;
    size_t n_slots, room; /* `room` is what is kept; a turn may need more */
    size_t slots_room;
    uint64_t turns;      /* desk_account() calls so far */
    bool counts_turns;   /* desk_begin_turn() is used */
    uint64_t turn_began; /* `turns` at that time */
    uint64_t used_ms;    /* of directory and queue */
    bool released;
    struct desk_guest *guest; /* may be NULL */
    uint64_t reader;          /* desk_read_as() */
};

/* Appends "<data>/accounts/<hh>/<id>", and "/<name>" if name is not NULL. */
void store_account_path(const struct store *store, uint64_t id, const char *name, struct buf *out);

/* A new path in <data>/tmp that no other process uses. */
void store_temporary_path(const struct store *store, struct buf *out);

/* The desk's handles of postane.db and queue.db, opened when first used. The latter for reading
 * and for the operator's changes; the daemon's go through queue_write(). */
bool desk_directory(struct desk *desk, struct sql_db **db_out, struct error *err) MUST_CHECK;
bool desk_queue(struct desk *desk, struct sql_db **db_out, struct error *err) MUST_CHECK;

/* Opens postane.db or queue.db and migrates it; close with sql_close(). */
bool directory_database_open(const struct store *store, bool create, struct sql_db *db,
                             struct error *err) MUST_CHECK;
bool queue_database_open(const struct store *store, bool create, struct sql_db *db,
                         struct error *err) MUST_CHECK;

/* queue_sweep.c: files of large bodies that belong to no message and were linked before a time;
 * counted, and removed if asked to. */
bool queue_sweep(struct desk *desk, int64_t before_ms, bool remove, uint64_t *count_out,
                 struct error *err) MUST_CHECK;

/* account.c: one account's open mail.db, as desk_account() keeps it.
 *
 * account_store_create() makes the folder and a mail.db with the mailboxes every new account has,
 * durably; called before the account's row in postane.db commits.
 * account_handle_idle() is called about once a second while the desk has nothing to do: collect
 * garbage, a bounded amount. account_handle_release() is called once, when the account has not
 * been asked for in 10 s: give memory back (sql_release_memory). Both may be followed by further
 * use. account_handle_close() leaves a small WAL behind (TRUNCATE checkpoint). */
bool account_store_create(struct store *store, uint64_t id, struct error *err) MUST_CHECK;
bool account_handle_open(struct desk *desk, uint64_t id, struct account **account_out,
                         struct error *err) MUST_CHECK;
void account_handle_idle(struct account *account, int64_t now_ms);
void account_handle_release(struct account *account);
void account_handle_take_up(struct account *account); /* when it is used again after that */
void account_handle_close(struct account **account);

/* notice.c: the sending side, one for each store. */
struct notice_sender *notice_sender_new(const char *store_path);
void notice_sender_free(struct notice_sender **sender);

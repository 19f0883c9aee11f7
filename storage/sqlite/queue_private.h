/* queue_private.h - what the files of the queue share: statements of queue.db, and how one change
 * is applied inside the writer's transaction.
 */
#pragma once

#include "storage/queue.h"
#include "storage/sqlite/sql.h"
#include "storage/sqlite/store_private.h"

enum queue_statement {
    QUEUE_SAVEPOINT,
    QUEUE_RELEASE,
    QUEUE_ROLLBACK_TO,
    QUEUE_DATA_VERSION,
    QUEUE_COUNT,
    QUEUE_INSERT_MESSAGE,
    QUEUE_INSERT_BODY,
    QUEUE_INSERT_RECIPIENT,
    QUEUE_DELETE_RECIPIENT,
    QUEUE_HAS_RECIPIENTS,
    QUEUE_DELETE_MESSAGE,
    QUEUE_DELETE_BODY,
    QUEUE_RETRY,
    QUEUE_END,
    QUEUE_WARNED,
    QUEUE_INSERT_ATTEMPT,
    QUEUE_TRIM_ATTEMPTS,
    QUEUE_DELETE_ATTEMPTS,
    QUEUE_READ_ATTEMPTS,
    QUEUE_SCAN,
    QUEUE_TOTALS,
    QUEUE_SET_STATE,
    QUEUE_SET_DUE,
    QUEUE_MEND_TIMES,
    QUEUE_LIST_REPORTS,
    QUEUE_ADD_SENT,
    QUEUE_FORGET_SENT,
    QUEUE_READ_SENT,
    QUEUE_LIST_ALL,
    QUEUE_LIST_LOCAL,
    QUEUE_LANES,
    QUEUE_LANE_DUE,
    QUEUE_LANE_NEXT,
    QUEUE_READ_MESSAGE,
    QUEUE_READ_RECIPIENTS,
    QUEUE_READ_BODY,
    QUEUE_FIND_FILE,
    QUEUE_FIND_BY_FILE,
    QUEUE_STATEMENTS,
};

/* Of the table `sent`. */
#define STEPS_PER_HOUR (60 * 60 * 1000 / QUEUE_SENT_STEP_MS)
#define STEPS_PER_DAY  (24 * STEPS_PER_HOUR)

/* Bits of message.features. */
enum {
    FEATURE_UTF8 = 1,
    FEATURE_EIGHT_BIT = 2,
    FEATURE_BINARY = 4,
    FEATURE_JUNK = 8,
    FEATURE_REQUIRE_TLS = 16,
    FEATURE_TLS_OPTIONAL = 32,
};

/* Files to unlink after the commit. Names are those of message.file. */
struct file_names {
    struct file_name {
        char text[QUEUE_FILE_NAME_SIZE];
    } * items;
    size_t count, room;
};
void file_names_add(struct file_names *names, struct slice name);
void file_names_unlink(const struct file_names *names, const struct store *store);

/* Appends "<data>/queue/<hh>/<name>". */
void queue_file_path(const struct store *store, const char *name, struct buf *out);

/* Links a large body into the queue under a new name, durably. */
bool queue_file_link(const struct store *store, const struct body *body,
                     char name_out[QUEUE_FILE_NAME_SIZE], struct error *err) MUST_CHECK;

/* Applies a change in the open transaction. *delta is raised and lowered by the recipients that
 * came and went; `obsolete` gets the files of messages that are done. When false, the caller rolls
 * back to its savepoint and forgets what was added to both. */
bool queue_apply(struct sql_db *db, struct queue_change *change, int64_t *delta,
                 struct file_names *obsolete, struct error *err) MUST_CHECK;

/* Removes a recipient, and its message where it was the last; one that is gone already is fine.
 * *delta goes down by one where it was there. */
bool queue_delete_recipient(struct sql_db *db, uint64_t recipient, int64_t *delta,
                            struct file_names *obsolete, struct error *err) MUST_CHECK;

/* Reading inside an open transaction. `keeps` chooses among the recipients. */
struct queue_choice {
    bool (*keeps)(const struct queue_choice *choice, const struct queue_message *message,
                  const struct queue_recipient *recipient);
    const void *context;
    int64_t now_ms;
};
bool queue_read(struct sql_db *db, struct arena *arena, uint64_t id,
                const struct queue_choice *choice, struct queue_message *out,
                struct error *err) MUST_CHECK;
bool queue_end_read(struct sql_db *db, bool ok, struct error *err) MUST_CHECK;

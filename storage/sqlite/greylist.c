/* greylist.c - greylist.db; see storage/greylist.h.
 *
 * A triplet is kept as its hash. A commit does not wait for the disk: what a power cut takes are
 * the last tries.
 */
#include "storage/greylist.h"

#include "common/crypto.h"
#include "storage/sqlite/sql.h"
#include "storage/sqlite/store_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define SWEEP_EVERY 1000 /* checks */

enum { FIND, INSERT, UPDATE, COUNT, DROP_OLD, DROP_SOME, STATEMENTS };

static const char *const statements[STATEMENTS] = {
    [FIND] = "SELECT first FROM triplet WHERE hash = ? AND used > ?",
    [INSERT] = "INSERT OR REPLACE INTO triplet(hash, first, used) VALUES(?, ?, ?)",
    [UPDATE] = "UPDATE triplet SET used = ? WHERE hash = ?",
    [COUNT] = "SELECT count(*) FROM triplet",
    [DROP_OLD] = "DELETE FROM triplet WHERE used <= ?",
    [DROP_SOME] = ("DELETE FROM triplet WHERE hash IN"
                   "  (SELECT hash FROM triplet ORDER BY used LIMIT ?)"),
};

static const char *const migrations[] = {
    "CREATE TABLE triplet("
    "  hash BLOB PRIMARY KEY, first INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX triplet_used ON triplet(used);",
};

struct greylist {
    pthread_mutex_t lock;
    struct sql_db db;
    uint64_t rows_max, n_rows, n_checks;
};

static bool open_file(struct greylist *greylist, const char *path, struct error *err)
{
    if (!sql_open(&greylist->db, path, true, SQL_NORMAL, statements, COUNT_OF(statements), err))
        return false;
    if (sql_migrate(&greylist->db, migrations, COUNT_OF(migrations), err))
        return true;
    sql_close(&greylist->db);
    return false;
}

static bool count_rows(struct greylist *greylist, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&greylist->db, COUNT, &row, err, ""))
        return false;
    if (sql_next(&row, err))
        greylist->n_rows = sql_u64(&row, 0);
    sql_end(&row);
    return !row.failed;
}

static void remove_files(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm" };

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        AUTO(buf_free) struct buf name = { 0 };

        buf_fmt(&name, "%s%s", path, ends[i]);
        (void)!unlink(buf_text(&name));
    }
}

bool greylist_open(struct store *store, uint64_t rows_max, struct greylist **greylist_out,
                   struct error *err)
{
    AUTO(greylist_close) struct greylist *greylist = NEW(struct greylist);
    AUTO(buf_free) struct buf path = { 0 };

    pthread_mutex_init(&greylist->lock, NULL);
    greylist->rows_max = rows_max;
    buf_fmt(&path, "%s/greylist.db", store->options.path);
    if (!open_file(greylist, buf_text(&path), err)) {
        if (err->kind != ERROR_INTERNAL)
            return false;
        remove_files(buf_text(&path));
        if (!open_file(greylist, buf_text(&path), err))
            return false;
    }
    if (!count_rows(greylist, err))
        return false;
    *greylist_out = TAKE(greylist);
    return true;
}

void greylist_close(struct greylist **greylist_pointer)
{
    struct greylist *greylist = TAKE(*greylist_pointer);

    if (greylist == NULL)
        return;
    sql_close(&greylist->db);
    pthread_mutex_destroy(&greylist->lock);
    free(greylist);
}

/* Case does not matter here. */
static void add_folded(struct buf *text, struct slice part)
{
    buf_add_lower(text, part);
    buf_add_byte(text, '\0');
}

static void hash_triplet(const struct greylist_triplet *triplet, unsigned char out[HASH_SIZE])
{
    AUTO(buf_free) struct buf text = { 0 };
    struct hash hash;

    add_folded(&text, triplet->network);
    add_folded(&text, triplet->sender);
    add_folded(&text, triplet->recipient);
    hash_init(&hash);
    hash_add(&hash, text.data, text.len);
    hash_end(&hash, out);
}

static bool find(struct greylist *greylist, struct slice hash,
                 const struct greylist_triplet *triplet, int64_t *first_out, bool *found_out,
                 struct error *err)
{
    struct sql_row row;

    *found_out = false;
    if (!sql_query(&greylist->db, FIND, &row, err, "bi", hash, triplet->now_ms - triplet->keep_ms))
        return false;
    if (sql_next(&row, err)) {
        *first_out = sql_i64(&row, 0);
        *found_out = true;
    }
    sql_end(&row);
    return !row.failed;
}

/* Those nobody has used for long; and, when there is no room, a tenth of all. */
static bool make_room(struct greylist *greylist, const struct greylist_triplet *triplet,
                      struct error *err)
{
    bool is_full = greylist->n_rows >= greylist->rows_max;

    if (!is_full && ++greylist->n_checks % SWEEP_EVERY != 0)
        return true;
    if (!sql_run(&greylist->db, DROP_OLD, NULL, err, "i", triplet->now_ms - triplet->keep_ms) ||
        !count_rows(greylist, err))
        return false;
    if (greylist->n_rows < greylist->rows_max)
        return true;
    return sql_run(&greylist->db, DROP_SOME, NULL, err, "u", greylist->rows_max / 10 + 1) &&
           count_rows(greylist, err);
}

static bool add(struct greylist *greylist, struct slice hash,
                const struct greylist_triplet *triplet, struct error *err)
{
    if (!make_room(greylist, triplet, err) ||
        !sql_run(&greylist->db, INSERT, NULL, err, "bii", hash, triplet->now_ms, triplet->now_ms))
        return false;
    greylist->n_rows++;
    return true;
}

/* A clock that was set back makes nobody wait longer than the delay. */
static bool check(struct greylist *greylist, const struct greylist_triplet *triplet,
                  uint64_t *wait_ms, struct error *err)
{
    unsigned char hash[HASH_SIZE];
    struct slice key = slice_make(hash, sizeof(hash));
    int64_t first, waited;
    bool found;

    hash_triplet(triplet, hash);
    if (!find(greylist, key, triplet, &first, &found, err))
        return false;
    if (!found) {
        *wait_ms = (uint64_t)triplet->delay_ms;
        return add(greylist, key, triplet, err);
    }
    waited = MAX(triplet->now_ms - first, (int64_t)0);
    *wait_ms = waited < triplet->delay_ms ? (uint64_t)(triplet->delay_ms - waited) : 0;
    return *wait_ms > 0 || sql_run(&greylist->db, UPDATE, NULL, err, "ib", triplet->now_ms, key);
}

bool greylist_check(struct greylist *greylist, const struct greylist_triplet *triplet,
                    uint64_t *wait_ms_out, struct error *err)
{
    bool ok;

    *wait_ms_out = 0;
    pthread_mutex_lock(&greylist->lock);
    ok = check(greylist, triplet, wait_ms_out, err);
    pthread_mutex_unlock(&greylist->lock);
    return ok;
}

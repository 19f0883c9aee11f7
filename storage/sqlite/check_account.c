/* check_account.c - looks for damage in one account; see check.h.
 *
 * Every question is one statement, so it sees one snapshot and daemons may go on writing. Repairs
 * are computed anew from the rows, under the account's lock.
 */
#include "storage/sqlite/check_private.h"

#include "storage/sqlite/cache_private.h"
#include "storage/sqlite/search_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BODY_BATCH 200
#define READ_BYTES (1024 * 1024)
#define STRAY_AGE  (3600 * 1000ll)

/* Something to mend once the statement that found it has ended. */
struct defect {
    uint64_t key[3];
    char what[200];
};

struct defects {
    struct defect *items;
    size_t count, room;
};

static struct defect *add_defect(struct defects *defects)
{
    defects->items =
        mem_grow(defects->items, &defects->room, defects->count + 1, sizeof(defects->items[0]));
    defects->items[defects->count] = (struct defect){ 0 };
    return &defects->items[defects->count++];
}

static void free_defects(struct defects *defects)
{
    free(defects->items);
}

/* One kind of damage: the statement that finds it, its text, and how it is mended. */
struct test {
    enum account_slot slot;
    void (*describe)(const struct sql_row *row, struct defect *defect);
    bool (*mend)(struct account *account, const struct defect *defect, struct error *err);
};

static bool look(struct account *account, const struct test *test, struct defects *defects,
                 struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, test->slot, &row, err, ""))
        return false;
    while (sql_next(&row, err)) {
        struct defect found = { 0 };

        test->describe(&row, &found);
        if (found.what[0] != '\0')
            *add_defect(defects) = found;
    }
    return !row.failed;
}

static bool mend_all(struct account *account, const struct test *test,
                     const struct defects *defects, struct error *err)
{
    if (!account_begin(account, SQL_FULL, err))
        return false;
    for (size_t i = 0; i < defects->count; i++)
        if (!test->mend(account, &defects->items[i], err))
            return account_rollback(account);
    return account_commit(account, 0, err);
}

static bool run_test(struct check *check, struct account *account, const struct test *test,
                     struct error *err)
{
    AUTO(free_defects) struct defects defects = { 0 };
    bool mend = check->options->repair && test->mend != NULL;

    if (!look(account, test, &defects, err))
        return false;
    if (defects.count > 0 && mend && !mend_all(account, test, &defects, err))
        return false;
    for (size_t i = 0; i < defects.count; i++)
        check_found(check, mend, "%s", defects.items[i].what);
    return true;
}

#define SAY(defect, ...) snprintf((defect)->what, sizeof((defect)->what), __VA_ARGS__)

static void describe_integrity(const struct sql_row *row, struct defect *defect)
{
    struct slice text = sql_slice(row, 0);

    if (!slice_is(text, "ok"))
        SAY(defect, "sqlite: " SLICE_FMT, SLICE_ARG(text));
}

static bool is_about_index(const char *what)
{
    return strstr(what, "missing from index") != NULL || strstr(what, "entries in index") != NULL ||
           strstr(what, "non-unique entry in index") != NULL;
}

/* Indexes are made of the rows; for anything else there is no source to make it of. */
static bool rebuild_indexes(struct account *account, bool *sound_out, struct error *err)
{
    AUTO(free_defects) struct defects left = { 0 };
    static const struct test test = { SQL_CHECK_INTEGRITY, describe_integrity, NULL };

    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!sql_run(&account->db, SQL_CHECK_REINDEX, NULL, err, "") ||
        !look(account, &test, &left, err))
        return account_rollback(account);
    *sound_out = left.count == 0;
    return *sound_out ? account_commit(account, 0, err) : !account_rollback(account);
}

/* Counters and references that are counted in damaged tables would be wrong, and messages might be
 * collected that are only out of sight: *sound_out says whether the rest of the check makes sense.
 */
static bool check_integrity(struct check *check, struct account *account, bool *sound_out,
                            struct error *err)
{
    AUTO(free_defects) struct defects defects = { 0 };
    static const struct test test = { SQL_CHECK_INTEGRITY, describe_integrity, NULL };
    bool only_indexes = true, repaired = false;

    if (!look(account, &test, &defects, err))
        return false;
    for (size_t i = 0; i < defects.count; i++)
        only_indexes &= is_about_index(defects.items[i].what);
    if (defects.count > 0 && only_indexes && check->options->repair &&
        !rebuild_indexes(account, &repaired, err))
        return false;
    for (size_t i = 0; i < defects.count; i++)
        check_found(check, repaired, "%s", defects.items[i].what);
    *sound_out = defects.count == 0 || repaired;
    return true;
}

static void describe_counters(const struct sql_row *row, struct defect *defect)
{
    struct slice name = sql_slice(row, 1);

    defect->key[0] = sql_u64(row, 0);
    if (sql_u64(row, 12) >= sql_u64(row, 6))
        SAY(defect, "mailbox " SLICE_FMT ": UID %llu is not below uidnext %llu", SLICE_ARG(name),
            (unsigned long long)sql_u64(row, 12), (unsigned long long)sql_u64(row, 6));
    else if (sql_u64(row, 13) > sql_u64(row, 7) + 1)
        SAY(defect, "mailbox " SLICE_FMT ": a message has a modseq above the mailbox's",
            SLICE_ARG(name));
    else
        SAY(defect,
            "mailbox " SLICE_FMT ": counters say %lld messages, %lld unseen, %lld deleted, "
            "%lld bytes; rows %lld, %lld, %lld, %lld",
            SLICE_ARG(name), (long long)sql_i64(row, 2), (long long)sql_i64(row, 3),
            (long long)sql_i64(row, 4), (long long)sql_i64(row, 5), (long long)sql_i64(row, 8),
            (long long)sql_i64(row, 9), (long long)sql_i64(row, 10), (long long)sql_i64(row, 11));
}

static bool mend_counters(struct account *account, const struct defect *defect, struct error *err)
{
    return sql_run(&account->db, SQL_CHECK_COUNTERS_MEND, NULL, err, "u", defect->key[0]);
}

static void describe_refs(const struct sql_row *row, struct defect *defect)
{
    defect->key[0] = sql_u64(row, 0);
    SAY(defect, "message %llu: refs %lld, but %lld rows", (unsigned long long)sql_u64(row, 0),
        (long long)sql_i64(row, 1), (long long)sql_i64(row, 2));
}

static bool mend_refs(struct account *account, const struct defect *defect, struct error *err)
{
    return sql_run(&account->db, SQL_CHECK_REFS_MEND, NULL, err, "iu", time_ms(), defect->key[0]);
}

static void describe_totals(const struct sql_row *row, struct defect *defect)
{
    if (sql_i64(row, 0) != sql_i64(row, 2) || sql_i64(row, 1) != sql_i64(row, 3))
        SAY(defect, "quota counts %lld bytes, %lld messages; mailboxes %lld, %lld",
            (long long)sql_i64(row, 0), (long long)sql_i64(row, 1), (long long)sql_i64(row, 2),
            (long long)sql_i64(row, 3));
}

static bool mend_totals(struct account *account, const struct defect *defect, struct error *err)
{
    (void)defect; /* there is one row of totals */
    return sql_run(&account->db, SQL_CHECK_TOTALS_MEND, NULL, err, "");
}

static void describe_stray(const struct sql_row *row, struct defect *defect)
{
    defect->key[0] = sql_u64(row, 0);
    SAY(defect, "%llu messages of mailbox %llu, which does not exist",
        (unsigned long long)sql_u64(row, 1), (unsigned long long)sql_u64(row, 0));
}

static bool mend_stray(struct account *account, const struct defect *defect, struct error *err)
{
    return sql_run(&account->db, SQL_MAILBOX_DOOM, NULL, err, "u", defect->key[0]);
}

static void describe_no_msg(const struct sql_row *row, struct defect *defect)
{
    SAY(defect, "mailbox %llu, UID %llu: message %llu does not exist",
        (unsigned long long)sql_u64(row, 0), (unsigned long long)sql_u64(row, 1),
        (unsigned long long)sql_u64(row, 2));
}

static void describe_tombstone(const struct sql_row *row, struct defect *defect)
{
    for (int i = 0; i < 3; i++)
        defect->key[i] = sql_u64(row, i);
    SAY(defect, "mailbox %llu: tombstone %llu:%llu at modseq %llu cannot be",
        (unsigned long long)sql_u64(row, 0), (unsigned long long)sql_u64(row, 2),
        (unsigned long long)sql_u64(row, 3), (unsigned long long)sql_u64(row, 1));
}

/* Clients that know less than its modseq are then told everything. */
static bool mend_tombstone(struct account *account, const struct defect *defect, struct error *err)
{
    struct mailbox_row row;

    return mailbox_row(account, defect->key[0], &row, err) &&
           sql_run(&account->db, SQL_CHECK_TOMBSTONES_MEND, NULL, err, "uuu", defect->key[0],
                   defect->key[1], defect->key[2]) &&
           sql_run(&account->db, SQL_FLOOR_RAISE, NULL, err, "uu", MIN(defect->key[1], row.modseq),
                   defect->key[0]);
}

static void keep_key(const struct sql_row *row, struct defect *defect)
{
    for (int i = 0; i < 3; i++)
        defect->key[i] = sql_u64(row, i);
}

static bool mend_with(struct account *account, enum account_slot slot, const struct defect *defect,
                      struct error *err)
{
    return sql_run(&account->db, slot, NULL, err, "uuu", defect->key[0], defect->key[1],
                   defect->key[2]);
}

static void describe_seen(const struct sql_row *row, struct defect *defect)
{
    keep_key(row, defect);
    SAY(defect, "mailbox %llu: what reader %llu has seen of %llu:%llu cannot be",
        (unsigned long long)sql_u64(row, 0), (unsigned long long)sql_u64(row, 1),
        (unsigned long long)sql_u64(row, 2), (unsigned long long)sql_u64(row, 3));
}

/* These messages are then unseen to the reader. */
static bool mend_seen(struct account *account, const struct defect *defect, struct error *err)
{
    return mend_with(account, SQL_CHECK_SEEN_MEND, defect, err);
}

static void describe_reader(const struct sql_row *row, struct defect *defect)
{
    keep_key(row, defect);
    SAY(defect, "mailbox %llu: to reader %llu messages are recent from %llu on, which cannot be",
        (unsigned long long)sql_u64(row, 0), (unsigned long long)sql_u64(row, 1),
        (unsigned long long)sql_u64(row, 2));
}

static bool mend_reader(struct account *account, const struct defect *defect, struct error *err)
{
    struct sql_db *db = &account->db;

    return sql_run(db, SQL_CHECK_READERS_MEND, NULL, err, "uu", defect->key[0], defect->key[1]) &&
           sql_run(db, SQL_CHECK_READERS_DROP, NULL, err, "uu", defect->key[0], defect->key[1]);
}

static void describe_under_way(const struct sql_row *row, struct defect *defect)
{
    keep_key(row, defect);
    SAY(defect, "mailbox %llu: a move or copy of %llu:%llu cannot be under way",
        (unsigned long long)sql_u64(row, 0), (unsigned long long)sql_u64(row, 1),
        (unsigned long long)sql_u64(row, 2));
}

/* To end what it says might take away messages that it is not about. */
static bool mend_under_way(struct account *account, const struct defect *defect, struct error *err)
{
    return mend_with(account, SQL_CHECK_LEAVING_MEND, defect, err) &&
           mend_with(account, SQL_CHECK_COPYING_MEND, defect, err);
}

/* Counters come before totals, which are their sum. */
static const struct test tests[] = {
    { SQL_CHECK_STRAY, describe_stray, mend_stray },
    { SQL_CHECK_COUNTERS, describe_counters, mend_counters },
    { SQL_CHECK_TOTALS, describe_totals, mend_totals },
    { SQL_CHECK_REFS, describe_refs, mend_refs },
    { SQL_CHECK_NO_MSG, describe_no_msg, NULL },
    { SQL_CHECK_TOMBSTONES, describe_tombstone, mend_tombstone },
    { SQL_CHECK_SEEN, describe_seen, mend_seen },
    { SQL_CHECK_READERS, describe_reader, mend_reader },
    { SQL_CHECK_UNDER_WAY, describe_under_way, mend_under_way },
};

/* Bodies. */

struct body_row {
    uint64_t id, size, inline_bytes;
    int64_t stored;
    unsigned char hash[HASH_SIZE];
};

static bool load_bodies(struct account *account, uint64_t after, struct body_row *rows,
                        size_t *count_out, struct error *err)
{
    struct sql_row row;

    *count_out = 0;
    if (!sql_query(&account->db, SQL_CHECK_BODIES, &row, err, "uu", after, (uint64_t)BODY_BATCH))
        return false;
    while (sql_next(&row, err)) {
        struct slice hash = sql_slice(&row, 4);

        rows[*count_out] = (struct body_row){ .id = sql_u64(&row, 0),
                                              .size = sql_u64(&row, 1),
                                              .inline_bytes = sql_u64(&row, 2),
                                              .stored = sql_i64(&row, 3) };
        memcpy(rows[(*count_out)++].hash, hash.data, MIN(hash.len, HASH_SIZE));
    }
    return !row.failed;
}

/* What is wrong with where the bytes are, or NULL. */
static const char *wrong_place(struct account *account, const struct body_row *body)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct stat st;

    if (MAX(body->stored, 0) != (int64_t)body->inline_bytes)
        return body->stored < 0 ? "its bytes are missing" : "its bytes are of another length";
    if (body->inline_bytes == body->size)
        return NULL;
    account_big_path(account, body->id, &path);
    if (stat(buf_text(&path), &st) != 0)
        return "its file is missing";
    if ((uint64_t)st.st_size != body->size - body->inline_bytes)
        return "its file is of another length";
    return NULL;
}

static bool hash_fits(struct account *account, const struct body_row *body, bool *fits_out,
                      struct error *err)
{
    AUTO(buf_free) struct buf bytes = { 0 };
    unsigned char digest[HASH_SIZE];
    struct hash hash;

    hash_init(&hash);
    for (uint64_t at = 0; at < body->size; at += bytes.len) {
        buf_clear(&bytes);
        if (!account_read(account, body->id, at, READ_BYTES, &bytes, err))
            return false;
        hash_add(&hash, bytes.data, bytes.len);
    }
    hash_end(&hash, digest);
    *fits_out = memcmp(digest, body->hash, HASH_SIZE) == 0;
    return true;
}

/* A missing body is reported and left: the message may still be in a backup. */
static bool check_body(struct check *check, struct account *account, const struct body_row *body,
                       struct error *err)
{
    const char *wrong = wrong_place(account, body);
    bool fits = true;

    if (wrong == NULL && check->options->hashes && !hash_fits(account, body, &fits, err))
        return err->kind == ERROR_NOT_FOUND; /* expunged and collected meanwhile */
    if (!fits)
        wrong = "its hash does not fit its bytes";
    if (wrong != NULL)
        check_found(check, false, "message %llu: %s", (unsigned long long)body->id, wrong);
    return true;
}

static bool check_bodies(struct check *check, struct account *account, struct error *err)
{
    struct body_row *rows = mem_zero(BODY_BATCH * sizeof(*rows));
    size_t count = BODY_BATCH;
    uint64_t after = 0;
    bool ok = true;

    while (ok && count == BODY_BATCH) {
        ok = load_bodies(account, after, rows, &count, err);
        for (size_t i = 0; i < count && ok; i++)
            ok = check_body(check, account, &rows[i], err);
        after = count > 0 ? rows[count - 1].id : after;
    }
    free(rows);
    return ok;
}

static bool check_files(struct check *check, struct account *account, struct error *err)
{
    uint64_t count;

    if (!account_sweep(account, time_ms() - STRAY_AGE, check->options->repair, &count, err))
        return false;
    if (count > 0)
        check_found(check, check->options->repair, "%llu large files without a message",
                    (unsigned long long)count);
    return true;
}

static bool check_cache(struct check *check, struct account *account, struct error *err)
{
    bool repair = check->options->repair, damaged;
    uint64_t orphans;

    if (!cache_check(account, repair, &orphans, &damaged, err))
        return false;
    if (damaged)
        check_found(check, repair, "the summaries are damaged; they are made again");
    if (orphans > 0)
        check_found(check, repair, "%llu summaries of messages that do not exist",
                    (unsigned long long)orphans);
    return true;
}

/* Whatever is wrong with it: it can be made anew. */
static bool check_search(struct check *check, struct account *account, struct error *err)
{
    struct error why;

    if (search_check(account, &why))
        return true;
    if (check->options->repair && !account_index_reset(account, err))
        return false;
    check_found(check, check->options->repair, "the search index: %s", why.text);
    return true;
}

bool check_account(struct check *check, struct account *account, struct error *err)
{
    bool sound;

    if (!check_integrity(check, account, &sound, err))
        return false;
    if (!sound)
        return error_set(err, ERROR_INTERNAL, "its tables are damaged");
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        if (!run_test(check, account, &tests[i], err))
            return false;
    return check_bodies(check, account, err) && check_files(check, account, err) &&
           check_cache(check, account, err) && check_search(check, account, err);
}

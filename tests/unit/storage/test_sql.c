/* test_sql.c - the cover over SQLite: values, transactions, migrations, kinds of errors. */
#include "storage/files.h"
#include "storage/sqlite/sql.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { INSERT, READ, COUNT };

static const char *const texts[] = {
    [INSERT] = "INSERT INTO thing(id, text, bytes) VALUES(?, ?, ?)",
    [READ] = "SELECT text, bytes, id FROM thing WHERE id >= ? ORDER BY id",
    [COUNT] = "SELECT count(*) FROM thing",
};

static const char *const steps[] = {
    "CREATE TABLE thing(id INTEGER PRIMARY KEY, text TEXT, bytes BLOB)",
    "ALTER TABLE thing ADD COLUMN more INTEGER NOT NULL DEFAULT 7",
};

struct files {
    char folder[64], path[96];
};

static int make_folder(void **state)
{
    struct files *files = NEW(struct files);

    strcpy(files->folder, "/tmp/postane-sql-XXXXXX");
    assert_non_null(mkdtemp(files->folder));
    snprintf(files->path, sizeof(files->path), "%s/x.db", files->folder);
    *state = files;
    return 0;
}

static int remove_folder(void **state)
{
    struct files *files = *state;
    struct error err;

    check_ok(tree_remove(files->folder, &err), &err);
    free(files);
    return 0;
}

static void open_db(const struct files *files, size_t n_steps, struct sql_db *db)
{
    struct error err = { 0 };

    check_ok(sql_open(db, files->path, true, SQL_FULL, texts, COUNT_OF(texts), &err), &err);
    check_ok(sql_migrate(db, steps, n_steps, &err), &err);
    sqlite3_busy_timeout(db->handle, 0);
}

static bool insert(struct sql_db *db, uint64_t id, const char *text, struct error *err)
{
    return sql_run(db, INSERT, NULL, err, "utb", id, slice_of(text), SLICE("b\0b"));
}

static int64_t count(struct sql_db *db)
{
    struct error err = { 0 };
    struct sql_row row;
    int64_t number = -1;

    check_ok(sql_query(db, COUNT, &row, &err, ""), &err);
    if (sql_next(&row, &err))
        number = sql_i64(&row, 0);
    sql_end(&row);
    check_ok(!row.failed, &err);
    return number;
}

static void values_come_back(void **state)
{
    struct error err = { 0 };
    struct sql_row row;
    struct sql_db db;
    uint64_t changes = 0;

    open_db(*state, 1, &db);
    check_ok(insert(&db, 1, "one", &err), &err);
    assert_int_equal(sql_last_id(&db), 1);
    check_ok(sql_run(&db, INSERT, &changes, &err, "utn", (uint64_t)2, (struct slice){ NULL, 0 }),
             &err);
    assert_int_equal(changes, 1);
    sql_release_memory(&db);

    check_ok(sql_query(&db, READ, &row, &err, "i", (int64_t)1), &err);
    assert_true(sql_next(&row, &err));
    assert_true(slice_equal(sql_slice(&row, 0), SLICE("one")));
    assert_true(slice_equal(sql_slice(&row, 1), SLICE("b\0b")));
    assert_true(sql_next(&row, &err));
    assert_false(sql_is_null(&row, 0)); /* an empty text is no NULL */
    assert_true(sql_is_null(&row, 1));
    assert_false(sql_next(&row, &err));
    assert_false(row.failed);
    sql_close(&db);
}

static void transactions_hold_together(void **state)
{
    struct error err = { 0 };
    struct sql_db db;

    open_db(*state, 1, &db);
    check_ok(sql_begin(&db, &err), &err);
    check_ok(insert(&db, 1, "gone", &err), &err);
    sql_rollback(&db);
    assert_int_equal(count(&db), 0);
    check_ok(sql_begin(&db, &err), &err);
    check_ok(insert(&db, 1, "stays", &err), &err);
    assert_true(sql_in_transaction(&db));
    check_ok(sql_commit(&db, &err), &err);
    assert_false(sql_in_transaction(&db));
    sql_close(&db);

    open_db(*state, 1, &db);
    assert_int_equal(count(&db), 1);
    sql_close(&db);
}

static void errors_have_kinds(void **state)
{
    struct error err = { 0 };
    struct sql_db db, other;

    open_db(*state, 1, &db);
    open_db(*state, 1, &other);
    check_ok(insert(&db, 1, "one", &err), &err);
    assert_false(insert(&db, 1, "again", &err));
    assert_int_equal(err.kind, ERROR_EXISTS);

    check_ok(sql_begin(&db, &err), &err);
    assert_false(insert(&other, 2, "locked out", &err));
    assert_int_equal(err.kind, ERROR_TEMPORARY);
    sql_rollback(&db);

    assert_false(sql_script(&db, "nonsense", &err));
    assert_int_equal(err.kind, ERROR_INTERNAL);
    sql_close(&other);
    sql_close(&db);
}

static void full_disk_changes_nothing(void **state)
{
    AUTO(buf_free) struct buf big = { 0 };
    struct error err = { 0 };
    struct sql_db db;

    memset(buf_reserve(&big, 100000), 'x', 100000);
    buf_wrote(&big, 100000);
    open_db(*state, 1, &db);
    check_ok(sql_script(&db, "PRAGMA max_page_count = 10", &err), &err);
    check_ok(sql_begin(&db, &err), &err);
    check_ok(insert(&db, 1, "small", &err), &err);
    assert_false(sql_run(&db, INSERT, NULL, &err, "utn", (uint64_t)2, buf_slice(&big)));
    assert_int_equal(err.kind, ERROR_TEMPORARY);
    sql_rollback(&db);
    assert_int_equal(count(&db), 0);
    check_ok(insert(&db, 3, "goes on", &err), &err);
    sql_close(&db);
}

/* Rows of 10,000 bytes. */
static bool insert_large(struct sql_db *db, uint64_t first, uint64_t n_rows, struct error *err)
{
    static const char bytes[10000];

    if (!sql_begin(db, err))
        return false;
    for (uint64_t id = first; id < first + n_rows; id++)
        if (!sql_run(db, INSERT, NULL, err, "utb", id, SLICE("large"),
                     slice_make(bytes, sizeof(bytes)))) {
            sql_rollback(db);
            return false;
        }
    return sql_commit(db, err);
}

static void check_whole(struct sql_db *db)
{
    sqlite3_stmt *statement;

    assert_int_equal(sqlite3_prepare_v2(db->handle, "PRAGMA integrity_check", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(statement, 0), "ok");
    sqlite3_finalize(statement);
}

static void others_see_all_of_large_commits(void **state)
{
    static const char *const cache_sizes[] = { "PRAGMA cache_size = -2000",
                                               "PRAGMA cache_size = 5" }; /* which spills */
    struct error err = { 0 };
    struct sql_db db, other;
    uint64_t first = 1;

    open_db(*state, 1, &db);
    open_db(*state, 1, &other);
    for (size_t i = 0; i < COUNT_OF(cache_sizes); i++) {
        check_ok(sql_script(&db, cache_sizes[i], &err), &err);
        for (uint64_t n_rows = 1; n_rows < 400; first += n_rows, n_rows = 3 * n_rows) {
            check_ok(insert_large(&db, first, n_rows, &err), &err);
            assert_int_equal(count(&other), first + n_rows - 1);
        }
        check_whole(&other);
    }
    sql_close(&other);
    sql_close(&db);
    open_db(*state, 1, &db);
    assert_int_equal(count(&db), first - 1);
    sql_close(&db);
}

static void commit_that_cannot_be_written_changes_nothing(void **state)
{
    struct rlimit before, small = { .rlim_cur = 200000, .rlim_max = RLIM_INFINITY };
    struct error err = { 0 };
    struct sql_db db;

    open_db(*state, 1, &db);
    check_ok(insert(&db, 1, "one", &err), &err);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (uint64_t n_rows = 20; n_rows < 30; n_rows++) {
        assert_false(insert_large(&db, 2, n_rows, &err));
        assert_int_equal(err.kind, ERROR_TEMPORARY);
        assert_false(sql_in_transaction(&db));
        assert_int_equal(count(&db), 1);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    check_ok(insert_large(&db, 2, 30, &err), &err);
    check_whole(&db);
    sql_close(&db);
    open_db(*state, 1, &db);
    assert_int_equal(count(&db), 31);
    sql_close(&db);
}

static void migrations_run_once(void **state)
{
    struct error err = { 0 };
    struct sql_db db;

    open_db(*state, 1, &db);
    check_ok(insert(&db, 1, "old", &err), &err);
    sql_close(&db);
    open_db(*state, 2, &db);
    check_ok(sql_script(&db, "UPDATE thing SET more = 8 WHERE more = 7", &err), &err);
    check_ok(sql_migrate(&db, steps, 2, &err), &err);
    assert_int_equal(count(&db), 1);

    assert_false(sql_migrate(&db, steps, 1, &err));
    assert_int_equal(err.kind, ERROR_NEWER);
    assert_non_null(strstr(err.text, "x.db"));
    assert_non_null(strstr(err.text, "format 2"));
    sql_close(&db);
}

static void failed_migration_leaves_all_as_it_was(void **state)
{
    static const char *const bad[] = { "CREATE TABLE a(b); CREATE TABLE nonsense", "" };
    struct error err = { 0 };
    struct sql_db db;

    check_ok(
        sql_open(&db, ((struct files *)*state)->path, true, SQL_FULL, texts, COUNT_OF(texts), &err),
        &err);
    assert_false(sql_migrate(&db, bad, 2, &err));
    assert_int_equal(err.kind, ERROR_INTERNAL);
    check_ok(sql_migrate(&db, steps, 2, &err), &err);
    check_ok(sql_script(&db, "CREATE TABLE a(b)", &err), &err);
    sql_close(&db);
}

static void what_is_no_database_is_refused(void **state)
{
    struct files *files = *state;
    struct error err = { 0 };
    struct sql_db db;
    FILE *file;

    assert_false(sql_open(&db, files->path, false, SQL_FULL, texts, COUNT_OF(texts), &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);

    file = fopen(files->path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", file);
    fclose(file);
    assert_false(sql_open(&db, files->path, false, SQL_FULL, texts, COUNT_OF(texts), &err));
    assert_int_equal(err.kind, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, "x.db"));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(values_come_back),
        IN_FOLDER(transactions_hold_together),
        IN_FOLDER(errors_have_kinds),
        IN_FOLDER(full_disk_changes_nothing),
        IN_FOLDER(others_see_all_of_large_commits),
        IN_FOLDER(commit_that_cannot_be_written_changes_nothing),
        IN_FOLDER(migrations_run_once),
        IN_FOLDER(failed_migration_leaves_all_as_it_was),
        IN_FOLDER(what_is_no_database_is_refused),
    };

    return cmocka_run_group_tests_name("sql", tests, NULL, NULL);
}

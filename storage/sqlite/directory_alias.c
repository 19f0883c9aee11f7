/* directory_alias.c - aliases in postane.db: one row for each target. */
#include "storage/sqlite/directory_private.h"

#include "storage/names.h"

#include <stdlib.h>

bool alias_exists(struct sql_db *db, const struct stored_address *address, bool *exists_out,
                  struct error *err)
{
    struct sql_row row;

    if (!sql_query(db, ALIAS_TARGETS, &row, err, "tt", address->domain, address->local))
        return false;
    *exists_out = sql_next(&row, err);
    sql_end(&row);
    return !row.failed;
}

/* The local part stays as given; the domain may be a literal of another host. */
static bool parse_target(struct arena *arena, struct slice text, struct stored_address *target_out,
                         struct error *err)
{
    AUTO(buf_free) struct buf domain = { 0 };
    struct path path;

    if (!path_parse_bare(arena, text, &path))
        return error_set(err, ERROR_INVALID, "\"" SLICE_FMT "\" is no mail address",
                         SLICE_ARG(slice_part(text, 0, 100)));
    if (!name_domain(path.domain, &domain))
        buf_add_slice(&domain, path.domain);
    target_out->local = slice_copy(arena, path.local);
    target_out->domain = slice_copy(arena, buf_slice(&domain));
    return true;
}

static bool check_address(struct sql_db *db, const struct stored_address *address,
                          struct error *err)
{
    bool domain, account;

    if (!domain_exists(db, address->domain, &domain, err) ||
        !account_exists(db, address, &account, err))
        return false;
    if (!domain)
        return error_set(err, ERROR_NOT_FOUND, "no domain " SLICE_FMT, SLICE_ARG(address->domain));
    return !account || error_set(err, ERROR_EXISTS, "there is an account with this address");
}

static bool insert_targets(struct sql_db *db, const struct stored_address *address,
                           const struct stored_address *targets, size_t n_targets,
                           struct error *err)
{
    if (!check_address(db, address, err))
        return false;
    for (size_t i = 0; i < n_targets; i++) {
        if (!sql_run(db, ALIAS_INSERT, NULL, err, "tttt", address->domain, address->local,
                     targets[i].local, targets[i].domain))
            return false;
    }
    return true;
}

bool alias_add(struct desk *desk, struct slice address, const struct slice *targets,
               size_t n_targets, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct stored_address stored, *parsed;
    struct sql_db *db;

    if (n_targets == 0 || n_targets > RESOLVE_TARGETS_MAX)
        return error_set(err, ERROR_INVALID, "an alias has 1 to %d targets", RESOLVE_TARGETS_MAX);
    if (!stored_address_parse(&arena, address, &stored, err))
        return false;
    parsed = ARENA_ARRAY(&arena, struct stored_address, n_targets);
    for (size_t i = 0; i < n_targets; i++) {
        if (!parse_target(&arena, targets[i], &parsed[i], err))
            return false;
    }
    if (!directory_begin(desk, &db, err))
        return false;
    return directory_finish(desk, insert_targets(db, &stored, parsed, n_targets, err), err);
}

bool alias_remove(struct desk *desk, struct slice address, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct stored_address stored;
    struct sql_db *db;
    uint64_t removed = 0;
    bool ok;

    if (!stored_address_parse(&arena, address, &stored, err) || !directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, ALIAS_DELETE, &removed, err, "tt", stored.domain, stored.local);
    if (ok && removed == 0)
        ok = error_set(err, ERROR_NOT_FOUND, "no such alias");
    return directory_finish(desk, ok, err);
}

struct alias_row {
    struct slice address, target;
};

static bool read_rows(struct sql_db *db, struct arena *arena, struct alias_row **rows,
                      size_t *count, struct error *err)
{
    struct sql_row row;
    size_t room = 0;

    if (!sql_query(db, ALIAS_LIST, &row, err, ""))
        return false;
    while (sql_next(&row, err)) {
        *rows = mem_grow(*rows, &room, *count + 1, sizeof(**rows));
        (*rows)[(*count)++] = (struct alias_row){
            stored_address_print(arena, sql_slice(&row, 1), sql_slice(&row, 0)),
            stored_address_print(arena, sql_slice(&row, 2), sql_slice(&row, 3)),
        };
    }
    return !row.failed;
}

/* Rows of one alias stand together: each run becomes one item. */
static void group_rows(struct arena *arena, const struct alias_row *rows, size_t count,
                       struct alias_list *list_out)
{
    struct slice *targets = ARENA_ARRAY(arena, struct slice, count);
    struct alias_info *alias = NULL;

    list_out->items = ARENA_ARRAY(arena, struct alias_info, count);
    list_out->count = 0;
    for (size_t i = 0; i < count; i++) {
        targets[i] = rows[i].target;
        if (alias == NULL || !slice_equal(alias->address, rows[i].address)) {
            alias = &list_out->items[list_out->count++];
            *alias = (struct alias_info){ .address = rows[i].address, .targets = &targets[i] };
        }
        alias->n_targets++;
    }
}

bool alias_all(struct desk *desk, struct arena *arena, struct alias_list *list_out,
               struct error *err)
{
    struct alias_row *rows = NULL;
    struct sql_db *db;
    size_t count = 0;
    bool ok;

    ok = desk_directory(desk, &db, err) && read_rows(db, arena, &rows, &count, err);
    if (ok)
        group_rows(arena, rows, count, list_out);
    free(rows);
    return ok;
}

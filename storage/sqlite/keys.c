/* keys.c - see storage/keys.h. */
#include "storage/keys.h"

#include "common/clock.h"
#include "storage/names.h"
#include "storage/sqlite/directory_private.h"

#include <stdlib.h>

const char *key_state_name(enum key_state state)
{
    switch (state) {
    case KEY_WAITING:
        return "waiting";
    case KEY_ACTIVE:
        return "active";
    case KEY_RETIRED:
        return "retired";
    }
    return "unknown"; /* a row of a newer version */
}

/* One label of the DNS: letters, digits, hyphens inside. */
static bool is_selector(struct slice text)
{
    if (text.len == 0 || text.len > 63 || text.data[0] == '-' || text.data[text.len - 1] == '-')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!(text.data[i] >= 'a' && text.data[i] <= 'z') &&
            !(text.data[i] >= '0' && text.data[i] <= '9') && text.data[i] != '-')
            return false;
    return true;
}

static bool add_key(struct sql_db *db, struct slice domain, const struct signing_key *key,
                    struct error *err)
{
    int64_t now = time_ms();
    bool exists;

    if (!domain_exists(db, domain, &exists, err))
        return false;
    if (!exists)
        return error_set(err, ERROR_NOT_FOUND, "no domain " SLICE_FMT, SLICE_ARG(domain));
    if (sql_run(db, KEY_INSERT, NULL, err, "ttttiii", domain, key->selector, key->algorithm,
                key->pem, (int64_t)KEY_WAITING, now, now))
        return true;
    if (err->kind == ERROR_EXISTS)
        error_set(err, ERROR_EXISTS, "domain " SLICE_FMT " has a key with selector " SLICE_FMT,
                  SLICE_ARG(domain), SLICE_ARG(key->selector));
    return false;
}

bool keys_add(struct desk *desk, const struct signing_key *key, struct error *err)
{
    AUTO(buf_free) struct buf domain = { 0 };
    struct sql_db *db;

    if (!is_selector(key->selector))
        return error_set(err, ERROR_INVALID, "\"" SLICE_FMT "\" is no selector",
                         SLICE_ARG(slice_part(key->selector, 0, 100)));
    if (!name_domain(key->domain, &domain))
        return error_set(err, ERROR_NOT_FOUND, "no such domain");
    return directory_begin(desk, &db, err) &&
           directory_finish(desk, add_key(db, buf_slice(&domain), key, err), err);
}

static void take_row(struct arena *arena, const struct sql_row *row, struct signing_key *key)
{
    *key = (struct signing_key){
        .domain = slice_copy(arena, sql_slice(row, 0)),
        .selector = slice_copy(arena, sql_slice(row, 1)),
        .algorithm = slice_copy(arena, sql_slice(row, 2)),
        .pem = slice_copy(arena, sql_slice(row, 3)),
        .state = (enum key_state)sql_i64(row, 4),
        .created_ms = sql_i64(row, 5),
        .changed_ms = sql_i64(row, 6),
    };
}

static bool read_keys(struct sql_db *db, struct arena *arena, struct slice domain,
                      struct key_list *list_out, struct error *err)
{
    struct signing_key *keys = NULL;
    size_t count = 0, room = 0;
    struct sql_row row;

    if (!sql_query(db, KEY_LIST, &row, err, "t", domain))
        return false;
    while (sql_next(&row, err)) {
        keys = mem_grow(keys, &room, count + 1, sizeof(keys[0]));
        take_row(arena, &row, &keys[count++]);
    }
    list_out->count = count;
    list_out->items = ARENA_ARRAY(arena, struct signing_key, count);
    if (count > 0)
        memcpy(list_out->items, keys, count * sizeof(keys[0]));
    free(keys);
    return !row.failed;
}

bool keys_all(struct desk *desk, struct arena *arena, struct slice domain,
              struct key_list *list_out, struct error *err)
{
    AUTO(buf_free) struct buf name = { 0 };
    struct sql_db *db;

    *list_out = (struct key_list){ 0 };
    if (domain.len > 0 && !name_domain(domain, &name))
        return true;
    return desk_directory(desk, &db, err) && read_keys(db, arena, buf_slice(&name), list_out, err);
}

/* Ends a change of one row. */
static bool finish_row(struct desk *desk, bool ok, uint64_t changed, struct slice domain,
                       struct slice selector, struct error *err)
{
    if (ok && changed == 0)
        ok = error_set(err, ERROR_NOT_FOUND, "no key " SLICE_FMT " of " SLICE_FMT,
                       SLICE_ARG(slice_part(selector, 0, 63)), SLICE_ARG(domain));
    return directory_finish(desk, ok, err);
}

bool keys_set_state(struct desk *desk, struct slice domain, struct slice selector,
                    enum key_state state, struct error *err)
{
    AUTO(buf_free) struct buf name = { 0 };
    uint64_t changed = 0;
    struct sql_db *db;
    bool ok;

    if (!name_domain(domain, &name))
        return error_set(err, ERROR_NOT_FOUND, "no such domain");
    if (!directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, KEY_SET_STATE, &changed, err, "ttii", buf_slice(&name), selector,
                 (int64_t)state, time_ms());
    return finish_row(desk, ok, changed, buf_slice(&name), selector, err);
}

bool keys_remove(struct desk *desk, struct slice domain, struct slice selector, struct error *err)
{
    AUTO(buf_free) struct buf name = { 0 };
    uint64_t changed = 0;
    struct sql_db *db;
    bool ok;

    if (!name_domain(domain, &name))
        return error_set(err, ERROR_NOT_FOUND, "no such domain");
    if (!directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, KEY_DELETE, &changed, err, "tt", buf_slice(&name), selector);
    return finish_row(desk, ok, changed, buf_slice(&name), selector, err);
}

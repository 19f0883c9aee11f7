/* app_password.c - see storage/app_password.h: the table `app_password` of postane.db. */
#include "storage/app_password.h"

#include "common/codec.h"
#include "storage/notice.h"
#include "storage/sqlite/directory_private.h"

#define RANDOM_SIZE 18
#define CHARACTERS  28 /* of 5 bits: 140 */
#define GROUP       4

void app_password_make(struct buf *out)
{
    AUTO(buf_free) struct buf text = { .secret = true };
    unsigned char bytes[RANDOM_SIZE];

    random_bytes(bytes, sizeof(bytes));
    base32_encode(slice_make(bytes, sizeof(bytes)), &text);
    for (size_t at = 0; at < CHARACTERS; at += GROUP) {
        if (at > 0)
            buf_add_byte(out, '-');
        buf_add_slice(out, slice_part(buf_slice(&text), at, GROUP));
    }
    mem_wipe(bytes, sizeof(bytes));
}

bool app_password_has_form(struct slice password)
{
    if (password.len != CHARACTERS + CHARACTERS / GROUP - 1)
        return false;
    for (size_t at = GROUP; at < password.len; at += GROUP + 1)
        if (password.data[at] != '-')
            return false;
    return true;
}

void app_password_verify(struct slice password, unsigned char verifier[HASH_SIZE])
{
    static const char label[] = "postane app password";
    struct hash hash;

    hash_init(&hash);
    hash_add(&hash, label, sizeof(label));
    hash_add(&hash, password.data, password.len);
    hash_end(&hash, verifier);
    mem_wipe(&hash, sizeof(hash));
}

bool app_password_expired(const struct app_password *password)
{
    return password->expires_ms != 0 && password->expires_ms <= time_ms();
}

static bool is_name(struct slice name)
{
    struct slice rest = name;

    if (name.len == 0 || name.len > APP_PASSWORD_NAME_MAX || !utf8_valid(name))
        return false;
    while (rest.len > 0) {
        uint32_t code;
        size_t width = utf8_next(rest, &code);

        if (code < 0x20 || (code >= 0x7F && code < 0xA0))
            return false;
        rest = slice_from(rest, width);
    }
    return true;
}

static bool has_room(struct sql_db *db, uint64_t account, struct error *err)
{
    uint64_t count = 0;

    if (!sql_number(db, APP_PASSWORD_COUNT, &count, err, "u", account))
        return false;
    return count < APP_PASSWORDS_MAX ||
           error_set(err, ERROR_DENIED, "an account has at most %d app passwords",
                     APP_PASSWORDS_MAX);
}

static bool insert(struct sql_db *db, uint64_t account, const struct app_password *password,
                   struct error *err)
{
    if (!has_room(db, account, err))
        return false;
    if (sql_run(db, APP_PASSWORD_INSERT, NULL, err, "utuiibt", account, password->name,
                (uint64_t)password->scope, time_ms(), password->expires_ms, password->verifier,
                password->scram))
        return true;
    return err->kind != ERROR_EXISTS
               ? false
               : error_set(err, ERROR_EXISTS, "the account has an app password \"" SLICE_FMT "\"",
                           SLICE_ARG(password->name));
}

bool app_password_add(struct desk *desk, uint64_t account, const struct app_password *password,
                      struct error *err)
{
    struct sql_db *db;

    if (!is_name(password->name))
        return error_set(err, ERROR_INVALID,
                         "the name of an app password has 1 to %d bytes of UTF-8, no control "
                         "characters",
                         APP_PASSWORD_NAME_MAX);
    if (password->scope == 0 || (password->scope & ~(unsigned)LOGIN_ANY) != 0)
        return error_set(err, ERROR_INVALID, "an app password is for imap, pop3 or smtp");
    return directory_begin(desk, &db, err) &&
           directory_finish(desk, insert(db, account, password, err), err);
}

static void from_row(struct arena *arena, const struct sql_row *row, struct app_password *out)
{
    *out = (struct app_password){
        .id = sql_u64(row, 0),
        .name = slice_copy(arena, sql_slice(row, 1)),
        .scope = (unsigned)sql_u64(row, 2),
        .created_ms = sql_i64(row, 3),
        .expires_ms = sql_i64(row, 4),
        .used_ms = sql_i64(row, 5),
        .used_scope = (unsigned)sql_u64(row, 6),
        .used_address = slice_copy(arena, sql_slice(row, 7)),
        .verifier = slice_copy(arena, sql_slice(row, 8)),
        .scram = slice_copy(arena, sql_slice(row, 9)),
    };
}

bool app_password_all(struct desk *desk, uint64_t account, struct arena *arena,
                      struct app_password_list *list_out, struct error *err)
{
    struct sql_db *db;
    struct sql_row row;

    *list_out = (struct app_password_list){ .items = ARENA_ARRAY(arena, struct app_password,
                                                                 APP_PASSWORDS_MAX) };
    if (!desk_directory(desk, &db, err) ||
        !sql_query(db, APP_PASSWORD_LIST, &row, err, "uu", account, (uint64_t)APP_PASSWORDS_MAX))
        return false;
    while (list_out->count < APP_PASSWORDS_MAX && sql_next(&row, err))
        from_row(arena, &row, &list_out->items[list_out->count++]);
    sql_end(&row);
    return !row.failed;
}

static bool take(struct sql_row *row, struct arena *arena, struct app_password *password_out,
                 struct error *err)
{
    bool found = sql_next(row, err);

    if (found)
        from_row(arena, row, password_out);
    sql_end(row);
    return found ||
           (!row->failed && error_set(err, ERROR_NOT_FOUND, "there is no such app password"));
}

bool app_password_by_id(struct desk *desk, uint64_t account, uint64_t id, struct arena *arena,
                        struct app_password *password_out, struct error *err)
{
    struct sql_db *db;
    struct sql_row row;

    return desk_directory(desk, &db, err) &&
           sql_query(db, APP_PASSWORD_BY_ID, &row, err, "uu", account, id) &&
           take(&row, arena, password_out, err);
}

bool app_password_find(struct desk *desk, uint64_t account, const unsigned char verifier[HASH_SIZE],
                       struct arena *arena, struct app_password *password_out, struct error *err)
{
    struct sql_db *db;
    struct sql_row row;

    return desk_directory(desk, &db, err) &&
           sql_query(db, APP_PASSWORD_FIND, &row, err, "ub", account,
                     slice_make(verifier, HASH_SIZE)) &&
           take(&row, arena, password_out, err);
}

static bool find_id(struct sql_db *db, uint64_t account, struct slice name, uint64_t *id_out,
                    struct error *err)
{
    *id_out = 0;
    if (!sql_number(db, APP_PASSWORD_ID, id_out, err, "ut", account, name))
        return false;
    return *id_out != 0 || error_set(err, ERROR_NOT_FOUND, "no app password \"" SLICE_FMT "\"",
                                     SLICE_ARG(slice_part(name, 0, APP_PASSWORD_NAME_MAX)));
}

bool app_password_revoke(struct desk *desk, uint64_t account, struct slice name, struct error *err)
{
    struct notice notice = { .kind = NOTICE_REVOKED };
    struct sql_db *db;

    if (!directory_begin(desk, &db, err))
        return false;
    if (!directory_finish(desk,
                          find_id(db, account, name, &notice.id, err) &&
                              sql_run(db, APP_PASSWORD_DELETE, NULL, err, "u", notice.id),
                          err))
        return false;
    notice_send(desk->store, &notice);
    return true;
}

static bool note_uses(struct sql_db *db, const struct app_password_use *uses, size_t count,
                      struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!sql_run(db, APP_PASSWORD_USED, NULL, err, "uiut", uses[i].id, uses[i].at_ms,
                     (uint64_t)uses[i].scope, slice_of(uses[i].address)))
            return false;
    return true;
}

/* Nobody needs to hear of it: no notice. */
bool app_password_used(struct desk *desk, const struct app_password_use *uses, size_t count,
                       struct error *err)
{
    struct sql_db *db;

    if (!directory_begin(desk, &db, err))
        return false;
    if (note_uses(db, uses, count, err))
        return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

/* urlauth.c - see storage/urlauth.h. */
#include "storage/urlauth.h"

#include "common/codec.h"
#include "common/crypto.h"
#include "storage/directory.h"
#include "storage/sqlite/account_private.h"

#define KEY_SIZE 32

static bool find_key(struct account *account, uint64_t mailbox, unsigned char key_out[KEY_SIZE],
                     struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_URL_KEY, &row, err, "u", mailbox))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_NOT_FOUND, "the mailbox has no key");
    bool ok = sql_slice(&row, 0).len == KEY_SIZE;
    if (ok)
        memcpy(key_out, sql_slice(&row, 0).data, KEY_SIZE);
    sql_end(&row);
    return ok || error_set(err, ERROR_INTERNAL, "a key of a wrong size");
}

/* Two sessions may come for the first URL at once: the first key stays. */
static bool make_key(struct account *account, uint64_t mailbox, struct error *err)
{
    unsigned char key[KEY_SIZE];

    random_bytes(key, sizeof(key));
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!sql_run(&account->db, SQL_URL_KEY_ADD, NULL, err, "ub", mailbox,
                 slice_make(key, sizeof(key))))
        return account_rollback(account);
    return account_commit_quietly(account, err);
}

bool urlauth_sign(struct account *account, uint64_t mailbox, struct slice rump, struct buf *out,
                  struct error *err)
{
    unsigned char key[KEY_SIZE], token[SHA256_SIZE];

    if (!find_key(account, mailbox, key, err) &&
        (err->kind != ERROR_NOT_FOUND || !make_key(account, mailbox, err) ||
         !find_key(account, mailbox, key, err)))
        return false;
    hmac_sha256(slice_make(key, sizeof(key)), rump, token);
    hex_encode(slice_make(token, sizeof(token)), out);
    return true;
}

bool urlauth_reset(struct account *account, uint64_t mailbox, struct error *err)
{
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!sql_run(&account->db, SQL_URL_KEY_DROP, NULL, err, "u", mailbox))
        return account_rollback(account);
    return account_commit_quietly(account, err);
}

static bool is_named(struct desk *desk, struct arena *arena, struct slice address, uint64_t account)
{
    struct account_info info;
    struct error ignored;

    return account_by_address(desk, arena, address, &info, &ignored) && info.id == account;
}

static bool may_use(struct desk *desk, struct arena *arena, const struct imap_url *url,
                    const struct url_visitor *visitor)
{
    switch (url->access) {
    case URL_ACCESS_NONE:
        return false;
    case URL_ACCESS_SUBMIT:
        return visitor->submits && is_named(desk, arena, url->access_user, visitor->account);
    case URL_ACCESS_USER:
        return is_named(desk, arena, url->access_user, visitor->account);
    case URL_ACCESS_AUTHUSER:
    case URL_ACCESS_ANONYMOUS:
        break;
    }
    return true;
}

static bool is_ours(struct account *account, uint64_t mailbox, const struct imap_url *url,
                    struct error *err)
{
    unsigned char key[KEY_SIZE], want[SHA256_SIZE];
    AUTO(buf_free) struct buf token = { 0 };

    if (!slice_is(url->mechanism, URLAUTH_MECHANISM) || !hex_decode(url->token, &token) ||
        token.len != sizeof(want) || !find_key(account, mailbox, key, err))
        return false;
    hmac_sha256(slice_make(key, sizeof(key)), url->rump, want);
    return bytes_equal_constant_time(want, token.data, sizeof(want));
}

bool urlauth_open(struct desk *desk, const struct imap_url *url, const struct url_visitor *visitor,
                  uint64_t *owner_out, uint64_t *mailbox_out, uint32_t *uidvalidity_out,
                  struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_info owner;
    struct account *account;
    struct mailbox_info info;

    if (!url->absolute || url->access == URL_ACCESS_NONE || url->mechanism.len == 0)
        return error_set(err, ERROR_INVALID, "not a URL with an authorization");
    if (!account_by_address(desk, &arena, url->user, &owner, err) ||
        !desk_account(desk, owner.id, &account, err) ||
        !mailbox_by_name(account, &arena, url->mailbox, &info, err))
        return false;
    /* The token first: what else is wrong is told to nobody who has none. */
    if (!is_ours(account, info.id, url, err) || !may_use(desk, &arena, url, visitor) ||
        (url->expires && url->expire_ms < time_ms()))
        return error_set(err, ERROR_DENIED, "the URL gives no right to this");
    *owner_out = owner.id;
    *mailbox_out = info.id;
    *uidvalidity_out = info.uidvalidity;
    return true;
}

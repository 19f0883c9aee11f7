/* mailbox.c - the mailboxes of an account: their tree, their counters, subscriptions.
 *
 * Deleting a mailbox takes its row away and marks its id as doomed: the collector removes the
 * messages later, in small transactions. Ids are never given again, so nobody sees them meanwhile.
 */
#include "storage/sqlite/account_private.h"

static void info_from_row(const struct sql_row *row, struct arena *arena,
                          struct mailbox_info *info_out)
{
    *info_out = (struct mailbox_info){
        .id = sql_u64(row, 0),
        .name = slice_copy(arena, sql_slice(row, 1)),
        .uidvalidity = (uint32_t)sql_u64(row, 2),
        .uidnext = (uint32_t)sql_u64(row, 3),
        .modseq = sql_u64(row, 4),
        .n_total = sql_u64(row, 5),
        .n_unseen = sql_u64(row, 6),
        .n_deleted = sql_u64(row, 7),
        .bytes = sql_u64(row, 8),
        .recent_from = (uint32_t)sql_u64(row, 9),
        .special_use = (enum special_use)sql_u64(row, 10),
        .subscribed = sql_u64(row, 11) != 0,
    };
}

static bool one_info(struct sql_row *row, struct arena *arena, struct mailbox_info *info_out,
                     struct error *err)
{
    if (!sql_next(row, err))
        return row->failed ? false : error_set(err, ERROR_NOT_FOUND, "no such mailbox");
    info_from_row(row, arena, info_out);
    sql_end(row);
    return true;
}

bool mailbox_all(struct account *account, struct arena *arena, struct mailbox_list *list_out,
                 struct error *err)
{
    size_t room = 0;
    struct sql_row row;

    *list_out = (struct mailbox_list){ 0 };
    if (!sql_query(&account->db, SQL_MAILBOX_ALL, &row, err, ""))
        return false;
    while (sql_next(&row, err)) {
        if (list_out->count == room) {
            room = MAX(16, room * 2);
            struct mailbox_info *larger = ARENA_ARRAY(arena, struct mailbox_info, room);
            if (list_out->count > 0)
                memcpy(larger, list_out->items, list_out->count * sizeof(*larger));
            list_out->items = larger;
        }
        info_from_row(&row, arena, &list_out->items[list_out->count++]);
    }
    return !row.failed;
}

static bool mailbox_spelt(struct account *account, struct arena *arena, struct slice name,
                          struct mailbox_info *info_out, struct error *err)
{
    struct sql_row row;

    return sql_query(&account->db, SQL_MAILBOX_BY_NAME, &row, err, "t", name) &&
           one_info(&row, arena, info_out, err);
}

bool mailbox_by_name(struct account *account, struct arena *arena, struct slice name,
                     struct mailbox_info *info_out, struct error *err)
{
    AUTO(buf_free) struct buf spelt = { 0 };

    if (!mailbox_name(name, &spelt, err))
        return error_set(err, ERROR_NOT_FOUND, "no such mailbox");
    if (!slice_equal(buf_slice(&spelt), name) &&
        mailbox_spelt(account, arena, name, info_out, err)) /* made in another form */
        return true;
    return mailbox_spelt(account, arena, buf_slice(&spelt), info_out, err);
}

bool mailbox_by_id(struct account *account, struct arena *arena, uint64_t id,
                   struct mailbox_info *info_out, struct error *err)
{
    struct sql_row row;

    return sql_query(&account->db, SQL_MAILBOX_BY_ID, &row, err, "u", id) &&
           one_info(&row, arena, info_out, err);
}

bool mailbox_row(struct account *account, uint64_t mailbox, struct mailbox_row *row_out,
                 struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_MAILBOX_ROW, &row, err, "u", mailbox))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_NOT_FOUND, "no such mailbox");
    *row_out = (struct mailbox_row){
        .uidvalidity = (uint32_t)sql_u64(&row, 0),
        .uidnext = (uint32_t)sql_u64(&row, 1),
        .recent_from = (uint32_t)sql_u64(&row, 2),
        .modseq = sql_u64(&row, 3),
        .vanished_floor = sql_u64(&row, 4),
        .n_total = sql_u64(&row, 5),
        .n_deleted = sql_u64(&row, 6),
    };
    sql_end(&row);
    return true;
}

void mailbox_delta_mail(struct mailbox_delta *delta, uint64_t flags, uint32_t size, int sign)
{
    delta->total += sign;
    delta->bytes += sign * (int64_t)size;
    delta->unseen += (flags & MAIL_SEEN) != 0 ? 0 : sign;
    delta->deleted += (flags & MAIL_DELETED) != 0 ? sign : 0;
}

bool mailbox_apply(struct account *account, uint64_t mailbox, const struct mailbox_delta *delta,
                   struct error *err)
{
    return sql_run(&account->db, SQL_MAILBOX_APPLY, NULL, err, "iiiiuuu", delta->total,
                   delta->unseen, delta->deleted, delta->bytes, delta->uidnext, delta->modseq,
                   mailbox);
}

/* Is there a row for it? */
static bool exists(struct account *account, enum account_slot slot, struct slice name,
                   bool *exists_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, slot, &row, err, "t", name))
        return false;
    *exists_out = sql_next(&row, err);
    if (*exists_out)
        sql_end(&row);
    return !row.failed;
}

static bool count_rows(struct account *account, enum account_slot slot, uint64_t *count_out,
                       struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, slot, &row, err, ""))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no count");
    *count_out = sql_u64(&row, 0);
    sql_end(&row);
    return true;
}

static bool next_uidvalidity(struct account *account, uint32_t *uidvalidity_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_ACCOUNT_UIDVALIDITY, &row, err, "i", time_ms() / 1000))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no account row");
    *uidvalidity_out = (uint32_t)sql_u64(&row, 0);
    sql_end(&row);
    return true;
}

/* RFC 4314 section 4, of CREATE. */
static bool inherit_rights(struct account *account, struct slice name, uint64_t id,
                           struct error *err)
{
    ptrdiff_t end = slice_find_last(name, '/');

    return end < 0 || sql_run(&account->db, SQL_ACL_COPY, NULL, err, "tu",
                              slice_part(name, 0, (size_t)end), id);
}

bool mailbox_insert(struct account *account, struct slice name, enum special_use special_use,
                    uint64_t *id_out, struct error *err)
{
    uint32_t uidvalidity;
    struct quota_rest rest;

    if (!account_quota_rest(account, &rest, err))
        return false;
    if (rest.mailboxes >= MAILBOX_COUNT_MAX)
        return error_set(err, ERROR_LIMIT, "too many mailboxes");
    if (rest.mailboxes >= rest.mailboxes_max)
        return error_set(err, ERROR_OVER_QUOTA, "the quota allows no more mailboxes");
    if (!next_uidvalidity(account, &uidvalidity, err) ||
        !sql_run(&account->db, SQL_MAILBOX_INSERT, NULL, err, "tuu", name, (uint64_t)uidvalidity,
                 (uint64_t)special_use))
        return false;
    *id_out = sql_last_id(&account->db);
    return inherit_rights(account, name, *id_out, err);
}

/* Makes those levels above `name` that are missing. */
static bool make_superiors(struct account *account, struct slice name, struct error *err)
{
    for (size_t i = 1; i < name.len; i++) {
        struct slice superior = slice_part(name, 0, i);
        bool there;
        uint64_t id;

        if (name.data[i] != '/')
            continue;
        if (!exists(account, SQL_MAILBOX_BY_NAME, superior, &there, err) ||
            (!there && !mailbox_insert(account, superior, SPECIAL_NONE, &id, err)))
            return false;
    }
    return true;
}

static bool special_use_is_free(struct account *account, enum special_use special_use,
                                struct error *err)
{
    struct sql_row row;

    if (special_use == SPECIAL_NONE)
        return true;
    if (!sql_query(&account->db, SQL_MAILBOX_SPECIAL, &row, err, "u", (uint64_t)special_use))
        return false;
    if (!sql_next(&row, err))
        return !row.failed;
    sql_end(&row);
    return error_set(err, ERROR_DENIED, "another mailbox has this special use");
}

static bool create(struct account *account, struct slice name, enum special_use special_use,
                   uint64_t *id_out, struct error *err)
{
    bool there;

    if (!exists(account, SQL_MAILBOX_BY_NAME, name, &there, err))
        return false;
    if (there)
        return error_set(err, ERROR_EXISTS, "mailbox exists");
    return special_use_is_free(account, special_use, err) && make_superiors(account, name, err) &&
           mailbox_insert(account, name, special_use, id_out, err);
}

bool mailbox_create(struct account *account, struct slice name, enum special_use special_use,
                    uint64_t *id_out, struct error *err)
{
    AUTO(buf_free) struct buf spelt = { 0 };

    if (!mailbox_name(name, &spelt, err) || !account_begin(account, SQL_FULL, err))
        return false;
    if (!create(account, buf_slice(&spelt), special_use, id_out, err))
        return account_rollback(account);
    return account_commit(account, 0, err);
}

static bool set_special_use(struct account *account, uint64_t id, enum special_use special_use,
                            struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct mailbox_info info;

    if (!mailbox_by_id(account, &arena, id, &info, err))
        return false;
    return info.special_use == special_use ||
           (special_use_is_free(account, special_use, err) &&
            sql_run(&account->db, SQL_MAILBOX_USE, NULL, err, "uu", (uint64_t)special_use, id));
}

bool mailbox_set_special_use(struct account *account, uint64_t id, enum special_use special_use,
                             struct error *err)
{
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!set_special_use(account, id, special_use, err))
        return account_rollback(account);
    return account_commit(account, id, err);
}

static bool delete (struct account *account, struct slice name, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct mailbox_info info;

    return mailbox_by_name(account, &arena, name, &info, err) &&
           sql_run(&account->db, SQL_MAILBOX_DELETE, NULL, err, "u", info.id) &&
           sql_run(&account->db, SQL_MAILBOX_DOOM, NULL, err, "u", info.id) &&
           sql_run(&account->db, SQL_METADATA_DROP, NULL, err, "u", info.id) &&
           sql_run(&account->db, SQL_ACL_DROP, NULL, err, "u", info.id) &&
           sql_run(&account->db, SQL_URL_KEY_DROP, NULL, err, "u", info.id) &&
           account_charge(account, -(int64_t)info.bytes, -(int64_t)info.n_total, true, err);
}

bool mailbox_delete(struct account *account, struct slice name, struct error *err)
{
    if (slice_is(name, "INBOX"))
        return error_set(err, ERROR_DENIED, "INBOX cannot be deleted");
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!delete (account, name, err))
        return account_rollback(account);
    return account_commit(account, 0, err);
}

/* Renaming. */

/* Does the tree exist, and will its longest and deepest names still be allowed? */
static bool check_tree(struct account *account, struct slice from, struct slice to,
                       struct error *err)
{
    uint64_t to_levels = 0;
    struct sql_row row;

    for (size_t i = 0; i < to.len; i++)
        to_levels += to.data[i] == '/';
    if (!sql_query(&account->db, SQL_TREE_SIZE, &row, err, "t", from))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no count");
    bool none = sql_u64(&row, 0) == 0;
    uint64_t longest = sql_u64(&row, 1) - sql_u64(&row, 3) + to.len;
    uint64_t deepest = sql_u64(&row, 2) - sql_u64(&row, 4) + to_levels + 1;
    sql_end(&row);
    if (none)
        return error_set(err, ERROR_NOT_FOUND, "no such mailbox");
    if (longest > MAILBOX_NAME_MAX || deepest > MAILBOX_DEPTH_MAX)
        return error_set(err, ERROR_INVALID, "an inferior's name would be too long");
    return true;
}

static bool check_clash(struct account *account, struct slice from, struct slice to,
                        struct error *err)
{
    bool there;
    struct sql_row row;

    if (!exists(account, SQL_MAILBOX_BY_NAME, to, &there, err))
        return false;
    if (!there) {
        if (!sql_query(&account->db, SQL_TREE_CLASH, &row, err, "tt", from, to))
            return false;
        there = sql_next(&row, err);
        if (row.failed)
            return false;
        if (there)
            sql_end(&row);
    }
    return !there || error_set(err, ERROR_EXISTS, "the new name, or one below it, exists");
}

/* Superiors come last: the tree may leave one of them behind, or be one itself. */
static bool rename_tree(struct account *account, struct slice from, struct slice to,
                        struct error *err)
{
    if (mailbox_is_below(to, from))
        return error_set(err, ERROR_INVALID, "a mailbox cannot go into itself");
    return check_tree(account, from, to, err) && check_clash(account, from, to, err) &&
           sql_run(&account->db, SQL_TREE_RENAME, NULL, err, "tt", from, to) &&
           make_superiors(account, to, err);
}

/* RFC 3501 section 6.3.5: INBOX is left empty, and its inferiors stay where they are. Annotations
 * are copied, RFC 5464 section 4.1. */
static bool rename_inbox(struct account *account, struct slice to, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(copy_result_free) struct copy_result moved = { 0 };
    struct mailbox_info inbox;
    struct copy_target target = { account, 0, ~0ull };

    return mailbox_by_name(account, &arena, SLICE("INBOX"), &inbox, err) &&
           create(account, to, SPECIAL_NONE, &target.mailbox, err) &&
           sql_run(&account->db, SQL_METADATA_COPY, NULL, err, "uu", inbox.id, target.mailbox) &&
           mail_transfer(account, inbox.id, NULL, &target, true, &moved, err);
}

/* As it is spelt in the store. What exists only by its inferiors is found later. */
static bool existing_name(struct account *account, struct slice name, struct buf *out,
                          struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct mailbox_info info;

    if (!mailbox_by_name(account, &arena, name, &info, err))
        return err->kind == ERROR_NOT_FOUND &&
               (mailbox_name(name, out, err) || error_set(err, ERROR_NOT_FOUND, "no such mailbox"));
    buf_add_slice(out, info.name);
    return true;
}

bool mailbox_rename(struct account *account, struct slice from, struct slice to, struct error *err)
{
    AUTO(buf_free) struct buf old = { 0 };
    AUTO(buf_free) struct buf new = { 0 };

    if (!existing_name(account, from, &old, err))
        return false;
    if (!mailbox_name(to, &new, err) || !account_begin(account, SQL_FULL, err))
        return false;
    if (buf_is(&old, "INBOX") ? !rename_inbox(account, buf_slice(&new), err)
                              : !rename_tree(account, buf_slice(&old), buf_slice(&new), err))
        return account_rollback(account);
    return account_commit(account, 0, err);
}

/* Subscriptions. */

static bool subscribe(struct account *account, struct slice written, struct slice name,
                      bool subscribed, struct error *err)
{
    uint64_t count;

    if (!subscribed)
        return sql_run(&account->db, SQL_UNSUBSCRIBE, NULL, err, "t", written) &&
               sql_run(&account->db, SQL_UNSUBSCRIBE, NULL, err, "t", name);
    if (!count_rows(account, SQL_SUBSCRIPTION_COUNT, &count, err))
        return false;
    if (count >= MAILBOX_COUNT_MAX)
        return error_set(err, ERROR_LIMIT, "too many subscriptions");
    return sql_run(&account->db, SQL_SUBSCRIBE, NULL, err, "t", name);
}

bool mailbox_subscribe(struct account *account, struct slice name, bool subscribed,
                       struct error *err)
{
    AUTO(buf_free) struct buf spelt = { 0 };

    if (!mailbox_name(name, &spelt, err) || !account_begin(account, SQL_FULL, err))
        return false;
    if (!subscribe(account, name, buf_slice(&spelt), subscribed, err))
        return account_rollback(account);
    return account_commit(account, 0, err);
}

bool mailbox_subscriptions(struct account *account, struct arena *arena,
                           struct name_list *names_out, struct error *err)
{
    uint64_t count;
    struct sql_row row;

    *names_out = (struct name_list){ 0 };
    if (!count_rows(account, SQL_SUBSCRIPTION_COUNT, &count, err) ||
        !sql_query(&account->db, SQL_SUBSCRIPTIONS, &row, err, "u", count))
        return false;
    names_out->items = ARENA_ARRAY(arena, struct slice, count + 1);
    while (sql_next(&row, err))
        names_out->items[names_out->count++] = slice_copy(arena, sql_slice(&row, 0));
    return !row.failed;
}

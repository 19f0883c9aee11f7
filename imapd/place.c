/* place.c - see place.h. */
#include "imapd/place.h"

/* The address a level stands for. */
static struct slice decode_level(struct arena *arena, struct slice level)
{
    AUTO(buf_free) struct buf out = { 0 };

    for (size_t i = 0; i < level.len; i++) {
        struct slice code = slice_part(level, i, MIN(level.len - i, (size_t)3));

        if (slice_is(code, "=2F") || slice_is(code, "=3D")) {
            buf_add_byte(&out, slice_is(code, "=2F") ? '/' : '=');
            i += 2;
        } else {
            buf_add_byte(&out, level.data[i]);
        }
    }
    return slice_copy(arena, buf_slice(&out));
}

struct slice place_prefix(struct arena *arena, const struct account_info *owner)
{
    AUTO(buf_free) struct buf out = { 0 };

    buf_add_text(&out, owner->shared ? SHARED : OTHER_USERS);
    for (size_t i = 0; i < owner->address.len; i++) {
        char byte = owner->address.data[i];

        if (byte == '/' || byte == '=')
            buf_add_text(&out, byte == '/' ? "=2F" : "=3D");
        else
            buf_add_byte(&out, byte);
    }
    buf_add_byte(&out, '/');
    return slice_copy(arena, buf_slice(&out));
}

/* Is it in another's account? A level without "@" is none: a mailbox of one's own may be called
 * "Shared", too. */
static bool split_name(struct slice name, struct slice *level_out, struct slice *local_out)
{
    const char *const tops[] = { OTHER_USERS, SHARED };

    for (size_t i = 0; i < COUNT_OF(tops); i++) {
        if (!slice_starts(name, tops[i]) || memcmp(name.data, tops[i], strlen(tops[i])) != 0)
            continue;
        *local_out = slice_from(name, strlen(tops[i]));
        slice_split(local_out, '/', level_out);
        return slice_find(*level_out, '@') >= 0;
    }
    return false;
}

bool place_account(struct call *call, uint64_t owner, struct account **account_out,
                   struct error *err)
{
    return desk_account(call->desk, owner, account_out, err);
}

static bool find_owner(struct call *call, struct slice name, struct slice level,
                       struct account_info *owner_out, struct error *err)
{
    uint64_t user = client_of(call)->account_id;
    bool shares = false;

    if (!account_by_address(call->desk, &call->arena, decode_level(&call->arena, level), owner_out,
                            err) ||
        !share_is(call->desk, owner_out->id, user, &shares, err))
        return false;
    return (shares && slice_starts(name, owner_out->shared ? SHARED : OTHER_USERS)) ||
           error_set(err, ERROR_NOT_FOUND, "nothing is shared there");
}

bool place_of(struct call *call, struct slice name, struct place_name *name_out, struct error *err)
{
    struct account_info owner;
    struct slice level;

    *name_out = (struct place_name){ .account = client_of(call)->account, .local = name };
    if (!split_name(name, &level, &name_out->local)) {
        name_out->local = name;
        return true;
    }
    if (!find_owner(call, name, level, &owner, err) ||
        !place_account(call, owner.id, &name_out->account, err))
        return false;
    name_out->before = place_prefix(&call->arena, &owner);
    return true;
}

static struct slice join(struct arena *arena, struct slice before, struct slice name)
{
    AUTO(buf_free) struct buf out = { 0 };

    buf_add_slice(&out, before);
    buf_add_slice(&out, name);
    return slice_copy(arena, buf_slice(&out));
}

static bool check_rights(unsigned rights, unsigned needs, struct error *err)
{
    if ((rights & needs) == needs && rights != 0)
        return true;
    if ((rights & RIGHT_LOOKUP) != 0)
        return error_set(err, ERROR_DENIED, "the ACL does not allow it");
    return error_set(err, ERROR_NOT_FOUND, "no such mailbox to this user");
}

bool place_find(struct call *call, struct slice name, unsigned needs, struct place *place_out,
                struct error *err)
{
    struct place_name where;

    if (!place_of(call, name, &where, err) ||
        !mailbox_by_name(where.account, &call->arena, where.local, &place_out->info, err) ||
        !acl_rights(where.account, place_out->info.id, client_of(call)->account_id,
                    &place_out->rights, err))
        return false;
    place_out->account = where.account;
    if (where.before.len > 0) {
        place_out->info.name = join(&call->arena, where.before, place_out->info.name);
        place_out->info.special_use = SPECIAL_NONE; /* that is its owner's use of it */
    }
    return check_rights(place_out->rights, needs, err);
}

bool place_again(struct call *call, uint64_t owner, uint64_t mailbox, unsigned needs,
                 struct account **account_out, unsigned *rights_out, struct error *err)
{
    return place_account(call, owner, account_out, err) &&
           acl_rights(*account_out, mailbox, client_of(call)->account_id, rights_out, err) &&
           check_rights(*rights_out, needs, err);
}

bool place_rights_above(struct call *call, const struct place_name *name, unsigned *rights_out,
                        struct error *err)
{
    uint64_t user = client_of(call)->account_id;
    struct mailbox_info info;

    *rights_out = name->before.len > 0 ? 0 : RIGHTS_ALL;
    if (name->before.len == 0)
        return true;
    for (size_t end = name->local.len; end-- > 0;) {
        if (name->local.data[end] != '/')
            continue;
        if (mailbox_by_name(name->account, &call->arena, slice_part(name->local, 0, end), &info,
                            err))
            return acl_rights(name->account, info.id, user, rights_out, err);
        if (err->kind != ERROR_NOT_FOUND)
            return false;
    }
    return true;
}

uint64_t rights_flags(unsigned rights)
{
    uint64_t flags = 0;

    if ((rights & RIGHT_SEEN) != 0)
        flags |= MAIL_SEEN;
    if ((rights & RIGHT_DELETE_MESSAGES) != 0)
        flags |= MAIL_DELETED;
    if ((rights & RIGHT_WRITE) != 0)
        flags |= ~(MAIL_SEEN | MAIL_DELETED);
    return flags;
}

bool place_flags(const struct place *place, const struct flag_list *list, uint64_t *flags_out,
                 struct error *err)
{
    AUTO(keywords_free) struct keywords other = { 0 };
    struct flag_list allowed = *list;

    allowed.system &= rights_flags(place->rights);
    if ((place->rights & RIGHT_WRITE) == 0)
        allowed.n_keywords = 0;
    return keywords_bits(&other, place->account, &allowed, flags_out, err);
}

/* others.c - which mailboxes there are for NOTIFY: the user's own, and those that others share as
 * far as the client asks for them by name, by a level above, or by subscription.
 *
 * At most NOTIFY_OWNERS_MAX other accounts are looked into; their notices wake the session, too.
 */
#include "imapd/notify/notify.h"
#include "imapd/place.h"

static bool add(struct notify_list *list, struct arena *arena, const struct notify_seen *seen,
                struct error *err)
{
    if (list->count == NOTIFY_MAILBOXES_MAX)
        return error_set(err, ERROR_LIMIT, "too many mailboxes to watch");
    if (list->count == list->room) {
        size_t room = MAX(list->room * 2, 64);
        struct notify_seen *items = ARENA_ARRAY(arena, struct notify_seen, room);

        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *seen;
    return true;
}

static bool add_own(struct call *call, struct notify_list *list, struct error *err)
{
    struct mailbox_list own;

    if (!mailbox_all(client_of(call)->account, &call->arena, &own, err))
        return false;
    for (size_t i = 0; i < own.count; i++)
        if (!add(list, &call->arena, &(struct notify_seen){ 0, RIGHTS_ALL, own.items[i] }, err))
            return false;
    return true;
}

static bool begins(struct slice name, struct slice prefix)
{
    return name.len >= prefix.len && memcmp(name.data, prefix.data, prefix.len) == 0;
}

static bool is_any_in(const struct slice *names, size_t count, struct slice prefix)
{
    for (size_t i = 0; i < count; i++)
        if (begins(names[i], prefix))
            return true;
    return false;
}

/* Is one of these the level of an account, or one above it? `prefix` ends with "/". */
static bool is_any_above(const struct slice *names, size_t count, struct slice prefix)
{
    for (size_t i = 0; i < count; i++)
        if (mailbox_is_below(prefix, names[i]))
            return true;
    return false;
}

/* May a group be about mailboxes whose names begin so? */
static bool reaches_into(const struct notify *notify, const struct name_list *subscribed,
                         struct slice prefix)
{
    for (size_t i = 0; i < notify->n_groups; i++) {
        const struct notify_group *group = &notify->groups[i];
        bool reaches = false;

        switch (group->filter) {
        case NOTIFY_SELECTED:
        case NOTIFY_SELECTED_DELAYED:
        case NOTIFY_PERSONAL:
            break;
        case NOTIFY_SUBSCRIBED:
            reaches = is_any_in(subscribed->items, subscribed->count, prefix);
            break;
        case NOTIFY_SUBTREE:
            reaches = is_any_above(group->names, group->n_names, prefix) ||
                      is_any_in(group->names, group->n_names, prefix);
            break;
        case NOTIFY_MAILBOXES:
            reaches = is_any_in(group->names, group->n_names, prefix);
            break;
        }
        if (reaches && group->events != 0)
            return true;
    }
    return false;
}

static bool has_name(const struct name_list *names, struct slice name)
{
    for (size_t i = 0; i < names->count; i++)
        if (slice_equal(names->items[i], name))
            return true;
    return false;
}

/* Those that the user may know of. */
static bool add_others(struct call *call, struct notify_list *list,
                       const struct account_info *owner, const struct name_list *subscribed,
                       struct error *err)
{
    struct slice prefix = place_prefix(&call->arena, owner);
    struct account *account;
    struct rights_list rights;

    if (!place_account(call, owner->id, &account, err) ||
        !acl_rights_all(account, client_of(call)->account_id, &call->arena, &rights, err))
        return false;
    for (size_t i = 0; i < rights.count; i++) {
        struct notify_seen seen = { owner->id, rights.items[i].rights, { 0 } };
        AUTO(buf_free) struct buf name = { 0 };

        if ((seen.rights & RIGHT_LOOKUP) == 0)
            continue;
        if (!mailbox_by_id(account, &call->arena, rights.items[i].mailbox, &seen.info, err)) {
            if (err->kind == ERROR_NOT_FOUND) /* deleted just now */
                continue;
            return false;
        }
        buf_add_slice(&name, prefix);
        buf_add_slice(&name, seen.info.name);
        seen.info.name = slice_copy(&call->arena, buf_slice(&name));
        seen.info.special_use = SPECIAL_NONE; /* that is its owner's use of it */
        seen.info.subscribed = has_name(subscribed, seen.info.name);
        if (!add(list, &call->arena, &seen, err))
            return false;
    }
    return true;
}

/* Whoever shares something may be asked for later: nobody else wakes the session. */
static void watch(struct client *client, struct notify *notify, const uint64_t *owners,
                  size_t count)
{
    if (notify->n_owners == count && memcmp(notify->owners, owners, count * sizeof(*owners)) == 0)
        return;
    memcpy(notify->owners, owners, count * sizeof(*owners));
    notify->n_owners = count;
    client->watch_anew = true;
}

bool notify_list_all(struct call *call, struct notify *notify, struct notify_list *list_out,
                     struct error *err)
{
    struct client *client = client_of(call);
    uint64_t owners[NOTIFY_OWNERS_MAX];
    struct account_list sharers;
    struct name_list subscribed;
    size_t n_owners = 0;

    *list_out = (struct notify_list){ 0 };
    if (!add_own(call, list_out, err) ||
        !mailbox_subscriptions(client->account, &call->arena, &subscribed, err) ||
        !share_owners(call->desk, client->account_id, &call->arena, &sharers, err))
        return false;
    for (size_t i = 0; i < sharers.count; i++) {
        struct slice prefix = place_prefix(&call->arena, &sharers.items[i]);

        if (!reaches_into(notify, &subscribed, prefix))
            continue;
        if (n_owners == NOTIFY_OWNERS_MAX)
            return error_set(err, ERROR_LIMIT, "too many accounts to watch");
        owners[n_owners++] = sharers.items[i].id;
        if (!add_others(call, list_out, &sharers.items[i], &subscribed, err)) {
            if (err->kind == ERROR_TEMPORARY || err->kind == ERROR_LIMIT)
                return false;
            log_failure(&call->log, err); /* somebody else's damage does not stop this user */
        }
    }
    watch(client, notify, owners, n_owners);
    return true;
}

bool notify_watches(const struct notify *notify, uint64_t owner)
{
    for (size_t i = 0; i < notify->n_owners; i++)
        if (notify->owners[i] == owner)
            return true;
    return false;
}

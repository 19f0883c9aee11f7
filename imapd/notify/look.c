/* look.c - the mailboxes that NOTIFY watches: what is there against what was told (RFC 5465
 * section 5).
 *
 * The selected mailbox is told by its view; here only its row is kept up to date.
 */
#include "imapd/args.h"
#include "imapd/notify/notify.h"
#include "imapd/place.h"
#include "imapd/reply.h"
#include "imapd/special_use.h"
#include "imapd/status.h"

#include <stdlib.h>

/* One look at all mailboxes. */
struct look {
    struct call *call;
    struct notify *notify;
    bool quiet, first;
    struct notify_list all;
    struct notify_seen **sorted; /* by owner and id */
};

static bool names_match(const struct notify_group *group, struct slice name)
{
    for (size_t i = 0; i < group->n_names; i++)
        if (slice_equal(name, group->names[i]) ||
            (group->filter == NOTIFY_SUBTREE && mailbox_is_below(name, group->names[i])))
            return true;
    return false;
}

/* What the client asked to hear of it, whether it may or not. */
static unsigned wanted_of(const struct notify *notify, const struct notify_seen *seen)
{
    const struct mailbox_info *info = &seen->info;
    unsigned events = 0;

    for (size_t i = 0; i < notify->n_groups; i++) {
        const struct notify_group *group = &notify->groups[i];

        switch (group->filter) {
        case NOTIFY_SELECTED:
        case NOTIFY_SELECTED_DELAYED:
            break;
        case NOTIFY_PERSONAL:
            events |= seen->owner == 0 ? group->events : 0;
            break;
        case NOTIFY_SUBSCRIBED:
            events |= info->subscribed ? group->events : 0;
            break;
        case NOTIFY_SUBTREE:
        case NOTIFY_MAILBOXES:
            events |= names_match(group, info->name) ? group->events : 0;
            break;
        }
    }
    return events;
}

static bool may_read(unsigned rights)
{
    return (rights & RIGHT_READ) != 0;
}

static unsigned events_of(const struct notify *notify, const struct notify_seen *seen)
{
    return may_read(seen->rights) ? wanted_of(notify, seen) : 0;
}

static bool is_selected(const struct client *client, const struct notify_seen *seen)
{
    uint64_t owner = seen->owner != 0 ? seen->owner : client->account_id;

    return client->state == CLIENT_SELECTED && client->selected_id == owner &&
           client->view.mailbox == seen->info.id;
}

/* MESSAGES, UIDNEXT and UIDVALIDITY always: a client that missed a part is right again. */
static bool tell_status(struct call *call, const struct notify_seen *seen, unsigned events,
                        bool first, struct error *err)
{
    const struct client *client = client_of(call);
    bool flags = (events & NOTIFY_FLAG_CHANGE) != 0;
    struct place place = { .account = client->account, .info = seen->info, .rights = seen->rights };
    struct args args = { .arena = &call->arena };
    AUTO(buf_free) struct buf names = { 0 };
    unsigned items;

    buf_add_text(&names, "(MESSAGES UIDNEXT UIDVALIDITY");
    if (flags)
        buf_add_text(&names, " UNSEEN");
    if (client->condstore || (first && flags))
        buf_add_text(&names, " HIGHESTMODSEQ");
    buf_add_text(&names, ")");
    args.rest = buf_slice(&names);
    return status_take_items(&args, &items) &&
           (seen->owner == 0 || place_account(call, seen->owner, &place.account, err)) &&
           status_print(call, &place, items, err);
}

/* Is there something in the counters that the client asked to hear of? */
static bool is_news(const struct client *client, const struct notify_told *told,
                    const struct mailbox_info *info, unsigned events)
{
    if ((events & NOTIFY_MESSAGE_NEW) == 0)
        return false;
    if (told->uidnext != info->uidnext || told->n_total != info->n_total ||
        told->uidvalidity != info->uidvalidity)
        return true;
    if ((events & NOTIFY_FLAG_CHANGE) == 0)
        return false;
    return told->n_unseen != info->n_unseen || (client->condstore && told->modseq != info->modseq);
}

static void keep_counts(struct notify_told *told, const struct mailbox_info *info)
{
    told->modseq = info->modseq;
    told->n_total = info->n_total;
    told->n_unseen = info->n_unseen;
    told->uidvalidity = info->uidvalidity;
    told->uidnext = info->uidnext;
}

/* In another's mailbox it may be the user's own \Seen that counts. Counting is work: `told` is what
 * was counted last, and holds as long as the mailbox has not changed. */
static bool count_unseen(struct call *call, const struct notify_told *told,
                         const struct notify_seen *seen, struct mailbox_info *info_out,
                         struct error *err)
{
    struct account *account;

    *info_out = seen->info;
    if (seen->owner == 0 || (told->events & NOTIFY_FLAG_CHANGE) == 0)
        return true;
    if (told->modseq == seen->info.modseq && told->uidvalidity == seen->info.uidvalidity) {
        info_out->n_unseen = told->n_unseen;
        return true;
    }
    return place_account(call, seen->owner, &account, err) &&
           mailbox_unseen(account, &seen->info, &info_out->n_unseen, err);
}

static bool look_at_counts(struct call *call, struct notify_told *told,
                           const struct notify_seen *seen, struct error *err)
{
    const struct client *client = client_of(call);
    struct mailbox_info info;

    if (!count_unseen(call, told, seen, &info, err))
        return false;
    bool news = !is_selected(client, seen) && is_news(client, told, &info, told->events);
    keep_counts(told, &info);
    return !news || tell_status(call, seen, told->events, false, err);
}

/* Names. */

static bool has_children(const struct look *look, struct slice name)
{
    for (size_t i = 0; i < look->all.count; i++)
        if (mailbox_is_below(look->all.items[i].info.name, name))
            return true;
    return false;
}

/* `seen` NULL: there is no such mailbox any more. */
static void tell_name(const struct look *look, struct slice name, const struct notify_seen *seen,
                      const char *oldname)
{
    const struct mailbox_info *info = seen != NULL ? &seen->info : NULL;
    const struct client *client = client_of(look->call);
    struct buf *out = &look->call->out;

    buf_add_text(out, "* LIST (");
    if (info == NULL)
        buf_add_text(out, "\\NonExistent ");
    else if (!may_read(seen->rights))
        buf_add_text(out, "\\NoAccess ");
    buf_add_text(out, has_children(look, name) ? "\\HasChildren" : "\\HasNoChildren");
    if (info != NULL && info->subscribed)
        buf_add_text(out, " \\Subscribed");
    if (info != NULL && info->special_use != SPECIAL_NONE)
        buf_fmt(out, " %s", special_use_name(info->special_use));
    buf_add_text(out, ") \"/\" ");
    reply_mailbox(client, out, name);
    if (oldname != NULL) {
        buf_add_text(out, " (\"OLDNAME\" (");
        reply_mailbox(client, out, slice_of(oldname));
        buf_add_text(out, "))");
    }
    buf_add_text(out, "\r\n");
}

static struct slice above(struct slice name)
{
    while (name.len > 0 && name.data[name.len - 1] != '/')
        name.len--;
    return slice_part(name, 0, name.len > 0 ? name.len - 1 : 0);
}

/* A mailbox that comes or goes changes the one above it, too (section 5.4). */
static void tell_superior(const struct look *look, struct slice name)
{
    struct slice superior = above(name);

    for (size_t i = 0; superior.len > 0 && i < look->all.count; i++) {
        const struct notify_seen *seen = &look->all.items[i];

        if (slice_equal(seen->info.name, superior) &&
            (events_of(look->notify, seen) & NOTIFY_MAILBOX_NAME) != 0)
            tell_name(look, superior, seen, NULL);
    }
}

static const struct notify_told *told_by_name(const struct notify *notify, struct slice name)
{
    for (size_t i = 0; i < notify->n_told; i++)
        if (slice_equal(slice_of(notify->told[i].name), name))
            return &notify->told[i];
    return NULL;
}

/* It has its new name because the mailbox above it has one: that one is told. */
static bool moved_along(const struct look *look, const struct notify_told *old,
                        const struct mailbox_info *info)
{
    const struct notify_told *superior = told_by_name(look->notify, above(slice_of(old->name)));

    for (size_t i = 0; superior != NULL && i < look->all.count; i++) {
        const struct notify_seen *seen = &look->all.items[i];

        if (seen->owner == superior->owner && seen->info.id == superior->id)
            return slice_equal(seen->info.name, above(info->name)) &&
                   !slice_equal(seen->info.name, slice_of(superior->name));
    }
    return false;
}

static void look_at_name(const struct look *look, const struct notify_told *old,
                         const struct notify_seen *seen, unsigned events)
{
    const struct mailbox_info *info = &seen->info;

    if (look->quiet || look->first)
        return;
    if (old == NULL) {
        if ((events & NOTIFY_MAILBOX_NAME) == 0)
            return;
        tell_name(look, info->name, seen, NULL);
        tell_superior(look, info->name);
        return;
    }
    bool renamed = !slice_equal(slice_of(old->name), info->name);
    unsigned both = events | old->events;
    if (renamed && (both & NOTIFY_MAILBOX_NAME) != 0 && !moved_along(look, old, info))
        tell_name(look, info->name, seen, old->name);
    else if (old->subscribed != info->subscribed && (both & NOTIFY_SUBSCRIPTION_CHANGE) != 0)
        tell_name(look, info->name, seen, NULL);
}

/* A mailbox that the client asks about and may see, but not read, is told as such (section 3.1),
 * and so is what becomes of that (section 5.9). */
static void look_at_access(const struct look *look, const struct notify_told *old,
                           const struct notify_seen *seen)
{
    bool could = old == NULL || may_read(old->rights);

    if (could != may_read(seen->rights) && wanted_of(look->notify, seen) != 0)
        tell_name(look, seen->info.name, seen, NULL);
}

static void look_at_deleted(const struct look *look, const struct notify_told *old)
{
    if (look->quiet || (old->events & NOTIFY_MAILBOX_NAME) == 0)
        return;
    tell_name(look, slice_of(old->name), NULL, NULL);
    tell_superior(look, slice_of(old->name));
}

static bool look_at(const struct look *look, const struct notify_told *old,
                    const struct notify_seen *seen, struct notify_told *now, struct error *err)
{
    const struct mailbox_info *info = &seen->info;
    unsigned events = events_of(look->notify, seen);

    *now = (struct notify_told){
        .owner = seen->owner, .id = info->id, .rights = seen->rights, .events = events
    };
    look_at_name(look, old, seen, events);
    look_at_access(look, old, seen);
    now->subscribed = info->subscribed;
    now->name = slice_strdup(info->name);
    if (look->first) {
        struct mailbox_info counted;

        if (!count_unseen(look->call, now, seen, &counted, err))
            return false;
        keep_counts(now, &counted);
        return !look->notify->initial_status || (events & NOTIFY_MESSAGE_EVENTS) == 0 ||
               is_selected(client_of(look->call), seen) ||
               tell_status(look->call, seen, events, true, err);
    }
    if (old != NULL)
        now->modseq = old->modseq, now->n_total = old->n_total, now->n_unseen = old->n_unseen,
        now->uidvalidity = old->uidvalidity, now->uidnext = old->uidnext;
    else
        now->uidvalidity = info->uidvalidity, now->uidnext = 1; /* new, and maybe not empty */
    return look_at_counts(look->call, now, seen, err);
}

static int compare_ids(uint64_t owner, uint64_t id, uint64_t other_owner, uint64_t other_id)
{
    if (owner != other_owner)
        return owner < other_owner ? -1 : 1;
    return (id > other_id) - (id < other_id);
}

static int by_id(const void *a, const void *b)
{
    const struct notify_seen *x = *(struct notify_seen *const *)a;
    const struct notify_seen *y = *(struct notify_seen *const *)b;

    return compare_ids(x->owner, x->info.id, y->owner, y->info.id);
}

static bool prepare(struct look *look, struct error *err)
{
    if (!notify_list_all(look->call, look->notify, &look->all, err))
        return false;
    look->sorted = ARENA_ARRAY(&look->call->arena, struct notify_seen *, look->all.count + 1);
    for (size_t i = 0; i < look->all.count; i++)
        look->sorted[i] = &look->all.items[i];
    qsort(look->sorted, look->all.count, sizeof(*look->sorted), by_id);
    return true;
}

/* Both lists are in order of ids. What was told stays in place until all is compared. */
static bool compare(const struct look *look, struct notify_told *now, struct error *err)
{
    const struct notify *notify = look->notify;
    bool ok = true;

    for (size_t i = 0, k = 0; i < notify->n_told; i++) {
        const struct notify_told *told = &notify->told[i];
        int order = 1;

        while (k < look->all.count &&
               (order = compare_ids(look->sorted[k]->owner, look->sorted[k]->info.id, told->owner,
                                    told->id)) < 0)
            k++;
        if (k == look->all.count || order != 0)
            look_at_deleted(look, told);
    }
    for (size_t i = 0; i < look->all.count; i++) {
        const struct notify_seen *seen = look->sorted[i];

        ok = look_at(look, notify_find(notify, seen->owner, seen->info.id), seen, &now[i],
                     ok ? err : &(struct error){ 0 }) &&
             ok;
    }
    return ok;
}

static bool look_at_all(struct look *look, struct error *err)
{
    struct notify *notify = look->notify;
    struct notify_told *now;
    size_t room = 0;
    bool ok;

    if (!prepare(look, err))
        return false;
    now = mem_grow(NULL, &room, look->all.count + 1, sizeof(*now));
    ok = compare(look, now, err);
    for (size_t i = 0; i < notify->n_told; i++)
        free(notify->told[i].name);
    free(notify->told);
    notify->told = now;
    notify->n_told = look->all.count;
    return ok;
}

struct notify_told *notify_find(const struct notify *notify, uint64_t owner, uint64_t mailbox)
{
    size_t lo = 0, hi = notify->n_told;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        int order =
            compare_ids(notify->told[middle].owner, notify->told[middle].id, owner, mailbox);

        if (order == 0)
            return &notify->told[middle];
        if (order < 0)
            lo = middle + 1;
        else
            hi = middle;
    }
    return NULL;
}

/* One mailbox, as it is now; *same_out: its rights are what they were, too. */
static bool see_again(struct call *call, const struct notify_told *told,
                      struct notify_seen *seen_out, bool *same_out, struct error *err)
{
    struct client *client = client_of(call);
    struct account *account = client->account;

    *seen_out = (struct notify_seen){ .owner = told->owner, .rights = told->rights };
    *same_out = false;
    if (told->owner != 0 &&
        (!place_account(call, told->owner, &account, err) ||
         !acl_rights(account, told->id, client->account_id, &seen_out->rights, err)))
        return false;
    if (!mailbox_by_id(account, &call->arena, told->id, &seen_out->info, err))
        return err->kind == ERROR_NOT_FOUND;
    *same_out = seen_out->rights == told->rights;
    if (told->owner != 0)
        seen_out->info.name = slice_of(told->name);
    return true;
}

bool notify_look(struct call *call, const struct notice_topic *topic, bool quiet, struct error *err)
{
    struct client *client = client_of(call);
    struct look look = { .call = call, .notify = client->notify, .quiet = quiet };
    uint64_t owner = topic->key == client->account_id ? 0 : topic->key;
    struct notify_told *told = notify_find(look.notify, owner, topic->detail);
    struct notify_seen seen;
    bool same = false;

    if (look.notify->events == 0)
        return true;
    if (topic->detail != 0 && told != NULL && !see_again(call, told, &seen, &same, err))
        return false;
    return same ? look_at_counts(call, told, &seen, err) : look_at_all(&look, err);
}

bool notify_begin(struct call *call, struct notify *notify, struct error *err)
{
    struct look look = { .call = call, .notify = notify, .first = true };

    return notify->events == 0 || look_at_all(&look, err);
}

bool notify_hears_metadata(const struct client *client)
{
    const unsigned events = NOTIFY_MAILBOX_METADATA_CHANGE | NOTIFY_SERVER_METADATA_CHANGE;

    return client->metadata || (client->notify != NULL && (client->notify->events & events) != 0);
}

bool notify_tells_metadata(const struct client *client, uint64_t mailbox)
{
    const struct notify *notify = client->notify;
    const struct notify_told *told;

    if (client->metadata)
        return true;
    if (notify == NULL)
        return false;
    if (mailbox == 0)
        return (notify->events & NOTIFY_SERVER_METADATA_CHANGE) != 0;
    told = notify_find(notify, 0, mailbox);
    return told != NULL && (told->events & NOTIFY_MAILBOX_METADATA_CHANGE) != 0;
}

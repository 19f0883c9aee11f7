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
    struct mailbox_list all;      /* by name */
    struct mailbox_info **sorted; /* by id */
};

static bool is_below(struct slice name, struct slice superior)
{
    return name.len > superior.len && name.data[superior.len] == '/' &&
           memcmp(name.data, superior.data, superior.len) == 0;
}

static bool names_match(const struct notify_group *group, struct slice name)
{
    for (size_t i = 0; i < group->n_names; i++)
        if (slice_equal(name, group->names[i]) ||
            (group->filter == NOTIFY_SUBTREE && is_below(name, group->names[i])))
            return true;
    return false;
}

static unsigned events_of(const struct notify *notify, const struct mailbox_info *info)
{
    unsigned events = 0;

    for (size_t i = 0; i < notify->n_groups; i++) {
        const struct notify_group *group = &notify->groups[i];

        switch (group->filter) {
        case NOTIFY_SELECTED:
        case NOTIFY_SELECTED_DELAYED:
            break;
        case NOTIFY_PERSONAL:
            events |= group->events;
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

static bool is_selected(const struct client *client, uint64_t mailbox)
{
    return client->state == CLIENT_SELECTED && client->selected == client->account &&
           client->view.mailbox == mailbox;
}

/* MESSAGES, UIDNEXT and UIDVALIDITY always: a client that missed a part is right again. */
static bool tell_status(struct call *call, const struct mailbox_info *info, unsigned events,
                        bool first, struct error *err)
{
    const struct client *client = client_of(call);
    bool flags = (events & NOTIFY_FLAG_CHANGE) != 0;
    struct place place = { .account = client->account, .info = *info, .rights = RIGHTS_ALL };
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
    return status_take_items(&args, &items) && status_print(call, &place, items, err);
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

static bool look_at_counts(struct call *call, struct notify_told *told,
                           const struct mailbox_info *info, struct error *err)
{
    const struct client *client = client_of(call);
    bool news = !is_selected(client, info->id) && is_news(client, told, info, told->events);

    keep_counts(told, info);
    return !news || tell_status(call, info, told->events, false, err);
}

/* Names. */

static bool has_children(const struct look *look, struct slice name)
{
    for (size_t i = 0; i < look->all.count; i++)
        if (is_below(look->all.items[i].name, name))
            return true;
    return false;
}

/* `info` NULL: there is no such mailbox any more. */
static void tell_name(const struct look *look, struct slice name, const struct mailbox_info *info,
                      const char *oldname)
{
    const struct client *client = client_of(look->call);
    struct buf *out = &look->call->out;

    buf_add_text(out, "* LIST (");
    if (info == NULL)
        buf_add_text(out, "\\NonExistent ");
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
        const struct mailbox_info *info = &look->all.items[i];

        if (slice_equal(info->name, superior) &&
            (events_of(look->notify, info) & NOTIFY_MAILBOX_NAME) != 0)
            tell_name(look, superior, info, NULL);
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

    for (size_t i = 0; superior != NULL && i < look->all.count; i++)
        if (look->all.items[i].id == superior->id)
            return slice_equal(look->all.items[i].name, above(info->name)) &&
                   !slice_equal(look->all.items[i].name, slice_of(superior->name));
    return false;
}

static void look_at_name(const struct look *look, const struct notify_told *old,
                         const struct mailbox_info *info, unsigned events)
{
    if (look->quiet || look->first)
        return;
    if (old == NULL) {
        if ((events & NOTIFY_MAILBOX_NAME) == 0)
            return;
        tell_name(look, info->name, info, NULL);
        tell_superior(look, info->name);
        return;
    }
    bool renamed = !slice_equal(slice_of(old->name), info->name);
    unsigned both = events | old->events;
    if (renamed && (both & NOTIFY_MAILBOX_NAME) != 0 && !moved_along(look, old, info))
        tell_name(look, info->name, info, old->name);
    else if (old->subscribed != info->subscribed && (both & NOTIFY_SUBSCRIPTION_CHANGE) != 0)
        tell_name(look, info->name, info, NULL);
}

static void look_at_deleted(const struct look *look, const struct notify_told *old)
{
    if (look->quiet || (old->events & NOTIFY_MAILBOX_NAME) == 0)
        return;
    tell_name(look, slice_of(old->name), NULL, NULL);
    tell_superior(look, slice_of(old->name));
}

static bool look_at(const struct look *look, const struct notify_told *old,
                    const struct mailbox_info *info, struct notify_told *now, struct error *err)
{
    unsigned events = events_of(look->notify, info);

    *now = (struct notify_told){ .id = info->id, .events = events };
    look_at_name(look, old, info, events);
    now->subscribed = info->subscribed;
    now->name = slice_strdup(info->name);
    if (look->first) {
        keep_counts(now, info);
        return !look->notify->initial_status || (events & NOTIFY_MESSAGE_EVENTS) == 0 ||
               is_selected(client_of(look->call), info->id) ||
               tell_status(look->call, info, events, true, err);
    }
    if (old != NULL)
        now->modseq = old->modseq, now->n_total = old->n_total, now->n_unseen = old->n_unseen,
        now->uidvalidity = old->uidvalidity, now->uidnext = old->uidnext;
    else
        now->uidvalidity = info->uidvalidity, now->uidnext = 1; /* new, and maybe not empty */
    return look_at_counts(look->call, now, info, err);
}

static int by_id(const void *a, const void *b)
{
    const struct mailbox_info *x = *(struct mailbox_info *const *)a;
    const struct mailbox_info *y = *(struct mailbox_info *const *)b;

    return (x->id > y->id) - (x->id < y->id);
}

static bool prepare(struct look *look, struct error *err)
{
    struct arena *arena = &look->call->arena;

    if (!mailbox_all(client_of(look->call)->account, arena, &look->all, err))
        return false;
    if (look->all.count > NOTIFY_MAILBOXES_MAX && look->notify->events != 0)
        return error_set(err, ERROR_LIMIT, "too many mailboxes to watch");
    look->sorted = ARENA_ARRAY(arena, struct mailbox_info *, look->all.count + 1);
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
        while (k < look->all.count && look->sorted[k]->id < notify->told[i].id)
            k++;
        if (k == look->all.count || look->sorted[k]->id != notify->told[i].id)
            look_at_deleted(look, &notify->told[i]);
    }
    for (size_t i = 0; i < look->all.count; i++)
        ok = look_at(look, notify_find(notify, look->sorted[i]->id), look->sorted[i], &now[i],
                     ok ? err : &(struct error){ 0 }) &&
             ok;
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

struct notify_told *notify_find(const struct notify *notify, uint64_t mailbox)
{
    size_t lo = 0, hi = notify->n_told;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;

        if (notify->told[middle].id < mailbox)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < notify->n_told && notify->told[lo].id == mailbox ? &notify->told[lo] : NULL;
}

bool notify_look(struct call *call, const struct notice_topic *topic, bool quiet, struct error *err)
{
    struct client *client = client_of(call);
    struct look look = { .call = call, .notify = client->notify, .quiet = quiet };
    struct notify_told *told = notify_find(look.notify, topic->detail);
    struct mailbox_info info;

    if (look.notify->events == 0)
        return true;
    if (topic->detail == 0 || told == NULL)
        return look_at_all(&look, err);
    if (mailbox_by_id(client->account, &call->arena, topic->detail, &info, err))
        return look_at_counts(call, told, &info, err);
    return err->kind == ERROR_NOT_FOUND && look_at_all(&look, err);
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
    told = notify_find(notify, mailbox);
    return told != NULL && (told->events & NOTIFY_MAILBOX_METADATA_CHANGE) != 0;
}

/* events.c - the arguments of NOTIFY (RFC 5465 section 8).
 *
 * The RFC's own examples leave the parentheses around events out, so that is taken too.
 */
#include "imapd/args.h"
#include "imapd/fetch_item.h"
#include "imapd/notify/notify.h"

#include <stdlib.h>

static const char *const event_names[] = {
    "MessageNew",         "MessageExpunge",        "FlagChange",           "MailboxName",
    "SubscriptionChange", "MailboxMetadataChange", "ServerMetadataChange",
};

void notify_print_events(struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(event_names); i++) {
        if (i > 0)
            buf_add_byte(out, ' ');
        buf_add_text(out, event_names[i]);
    }
}

static bool is_selected(enum notify_filter filter)
{
    return filter == NOTIFY_SELECTED || filter == NOTIFY_SELECTED_DELAYED;
}

/* SP "(" fetch-att *(SP fetch-att) ")", for the selected mailbox only. */
static bool take_fetch_items(struct call *call, struct args *args, struct notify *notify,
                             enum notify_filter filter)
{
    struct slice items;

    if (args->rest.len < 2 || args->rest.data[0] != ' ' || args->rest.data[1] != '(')
        return true;
    if (!is_selected(filter))
        return args_fail(args, "items are for the selected mailbox only");
    if (!args_space(args) || !fetch_items_text(call, args, &items))
        return false;
    notify->items = slice_copy(&notify->arena, items);
    return true;
}

static bool take_event(struct call *call, struct args *args, struct notify *notify,
                       struct notify_group *group)
{
    struct slice name;
    unsigned event = 0;

    if (!args_atom(args, &name))
        return false;
    for (size_t i = 0; i < COUNT_OF(event_names); i++)
        if (slice_is(name, event_names[i]))
            event = 1u << i;
    if (event == 0)
        notify->unknown_event = true;
    group->events |= event;
    return event != NOTIFY_MESSAGE_NEW || take_fetch_items(call, args, notify, group->filter);
}

/* Section 5: the first two come together, and FlagChange with them. */
static bool check_events(struct args *args, const struct notify_group *group)
{
    const unsigned both = NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE;

    if ((group->events & NOTIFY_MESSAGE_EVENTS) != 0 && (group->events & both) != both)
        return args_fail(args, "MessageNew and MessageExpunge go together, FlagChange needs both");
    if (is_selected(group->filter) && (group->events & ~NOTIFY_MESSAGE_EVENTS) != 0)
        return args_fail(args, "the selected mailbox has events of messages only");
    return true;
}

/* events = "(" event *(SP event) ")" / "NONE" */
static bool take_events(struct call *call, struct args *args, struct notify *notify,
                        struct notify_group *group)
{
    bool bare;

    if (args_try_word(args, "NONE"))
        return true;
    bare = !args_try_byte(args, '(');
    do {
        if (!take_event(call, args, notify, group))
            return false;
    } while (args_try_byte(args, ' '));
    return check_events(args, group) && (bare || args_close(args));
}

static bool take_name(struct args *args, struct notify *notify, struct notify_group *group)
{
    struct slice name;

    if (notify->n_names++ == NOTIFY_NAMES_MAX)
        return args_fail(args, "too many names");
    if (!args_mailbox(args, &name))
        return false;
    if (group->n_names == group->room) {
        struct slice *names;

        group->room = MAX(group->room * 2, 8);
        names = ARENA_ARRAY(&notify->arena, struct slice, group->room);
        for (size_t i = 0; i < group->n_names; i++)
            names[i] = group->names[i];
        group->names = names;
    }
    group->names[group->n_names++] = slice_copy(&notify->arena, name);
    return true;
}

/* one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")" */
static bool take_names(struct args *args, struct notify *notify, struct notify_group *group)
{
    if (!args_space(args))
        return false;
    if (!args_try_byte(args, '('))
        return take_name(args, notify, group);
    do {
        if (!take_name(args, notify, group))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

static const struct {
    const char *word;
    enum notify_filter filter;
} filters[] = {
    { "SELECTED", NOTIFY_SELECTED },     { "SELECTED-DELAYED", NOTIFY_SELECTED_DELAYED },
    { "INBOXES", NOTIFY_PERSONAL },      { "PERSONAL", NOTIFY_PERSONAL },
    { "SUBSCRIBED", NOTIFY_SUBSCRIBED }, { "SUBTREE", NOTIFY_SUBTREE },
    { "MAILBOXES", NOTIFY_MAILBOXES },
};

static bool take_filter(struct args *args, struct notify *notify, struct notify_group *group)
{
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        if (!args_try_word(args, filters[i].word))
            continue;
        group->filter = filters[i].filter;
        return (group->filter != NOTIFY_SUBTREE && group->filter != NOTIFY_MAILBOXES) ||
               take_names(args, notify, group);
    }
    return args_fail(args, "there is no such filter of mailboxes");
}

/* event-group = "(" filter-mailboxes SP events ")" */
static bool take_group(struct call *call, struct args *args, struct notify *notify,
                       struct notify_group *group)
{
    if (!args_open(args) || !take_filter(args, notify, group) || !args_space(args) ||
        !take_events(call, args, notify, group) || !args_close(args))
        return false;
    if (!is_selected(group->filter)) {
        notify->events |= group->events;
        return true;
    }
    notify->selected = group->events;
    notify->delayed = group->filter == NOTIFY_SELECTED_DELAYED;
    return true;
}

static bool has_selected(const struct notify *notify)
{
    for (size_t i = 0; i < notify->n_groups; i++)
        if (is_selected(notify->groups[i].filter))
            return true;
    return false;
}

bool notify_take(struct call *call, struct args *args, struct notify *notify)
{
    notify->groups = ARENA_ARRAY(&notify->arena, struct notify_group, NOTIFY_GROUPS_MAX);
    if (!args_space(args))
        return false;
    notify->initial_status = args_try_word(args, "STATUS");
    if (notify->initial_status && !args_space(args))
        return false;
    do {
        struct notify_group *group = &notify->groups[notify->n_groups];
        bool known = has_selected(notify);

        if (notify->n_groups == NOTIFY_GROUPS_MAX)
            return args_fail(args, "too many groups");
        *group = (struct notify_group){ 0 };
        if (!take_group(call, args, notify, group))
            return false;
        if (known && is_selected(group->filter))
            return args_fail(args, "the selected mailbox was named before"); /* section 6.1 */
        notify->n_groups++;
    } while (args_try_byte(args, ' '));
    return args_end(args);
}

void notify_free(struct notify **notify_pointer)
{
    struct notify *notify = TAKE(*notify_pointer);

    if (notify == NULL)
        return;
    for (size_t i = 0; i < notify->n_told; i++)
        free(notify->told[i].name);
    free(notify->told);
    uidset_free(&notify->pending);
    arena_free(&notify->arena);
    free(notify);
}

/* mailbox_filter.c - see mailbox_filter.h. */
#include "imapd/mailbox_filter.h"

#include "imapd/place.h"

#include <stdlib.h>

#define ACCOUNTS_MAX 64 /* whose mailboxes are looked through in one command */

static const struct {
    const char *name;
    enum mailbox_source source;
    bool has_names;
} sources[] = {
    { "selected", SOURCE_SELECTED, false },      { "inboxes", SOURCE_INBOXES, false },
    { "personal", SOURCE_PERSONAL, false },      { "subscribed", SOURCE_SUBSCRIBED, false },
    { "mailboxes", SOURCE_MAILBOXES, true },     { "subtree", SOURCE_SUBTREE, true },
    { "subtree-one", SOURCE_SUBTREE_ONE, true },
};

static bool add_item(struct args *args, struct mailbox_filter *filter, enum mailbox_source source,
                     struct slice name)
{
    if (filter->count == MAILBOX_FILTER_MAX)
        return args_fail(args, "too many mailboxes");
    filter->items[filter->count++] = (struct mailbox_filter_item){ source, name };
    return true;
}

static bool take_name(struct args *args, struct mailbox_filter *filter, enum mailbox_source source)
{
    struct slice name;

    return args_mailbox(args, &name) && add_item(args, filter, source, name);
}

/* one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")" */
static bool take_names(struct args *args, struct mailbox_filter *filter, enum mailbox_source source)
{
    if (!args_space(args))
        return false;
    if (!args_try_byte(args, '('))
        return take_name(args, filter, source);
    do {
        if (!take_name(args, filter, source))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

static bool take_source(struct args *args, struct mailbox_filter *filter)
{
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        if (!args_try_word(args, sources[i].name))
            continue;
        return sources[i].has_names ? take_names(args, filter, sources[i].source)
                                    : add_item(args, filter, sources[i].source, SLICE(""));
    }
    return args_fail(args, "expected: selected, inboxes, personal, subscribed, mailboxes, subtree");
}

bool mailbox_filter_take(struct args *args, struct mailbox_filter *filter_out)
{
    *filter_out =
        (struct mailbox_filter){ .items = ARENA_ARRAY(args->arena, struct mailbox_filter_item,
                                                      MAILBOX_FILTER_MAX) };
    do {
        if (!take_source(args, filter_out))
            return false;
    } while (args_try_byte(args, ' '));
    return true;
}

static bool add_name(struct mailbox_names *names, struct slice name, unsigned needs,
                     struct error *err)
{
    if (names->count == names->room)
        return error_set(err, ERROR_LIMIT, "too many mailboxes");
    names->items[names->count++] = (struct mailbox_name){ name, needs };
    return true;
}

/* Everything is below "". */
static bool is_below(struct slice name, struct slice top)
{
    return top.len == 0 || mailbox_is_below(name, top);
}

static bool is_child(struct slice name, struct slice top)
{
    return is_below(name, top) &&
           slice_find(slice_from(name, top.len > 0 ? top.len + 1 : 0), '/') < 0;
}

static struct slice join(struct arena *arena, struct slice before, struct slice name)
{
    AUTO(buf_free) struct buf out = { 0 };

    if (before.len == 0)
        return name;
    buf_add_slice(&out, before);
    buf_add_slice(&out, name);
    return slice_copy(arena, buf_slice(&out));
}

/* The mailboxes of an account; in the call's arena. */
struct known {
    struct known *next;
    const struct account *account;
    struct mailbox_list all;
};

/* They are read once, however many names lead to the account. */
static bool find_all(struct call *call, struct account *account, struct known **known,
                     const struct mailbox_list **all_out, struct error *err)
{
    struct known *of = *known;
    size_t n = 0;

    for (; of != NULL && of->account != account; of = of->next)
        n++;
    if (n == ACCOUNTS_MAX)
        return error_set(err, ERROR_LIMIT, "mailboxes of too many accounts");
    if (of == NULL) {
        of = ARENA_NEW(&call->arena, struct known);
        of->account = account;
        of->next = *known;
        if (!mailbox_all(account, &call->arena, &of->all, err))
            return false;
        *known = of;
    }
    *all_out = &of->all;
    return true;
}

/* A name that is written in another form than NFC, as it is spelt. */
static struct slice real_name(struct call *call, struct slice name)
{
    struct place place;
    struct error err;

    if (slice_equal(mailbox_name_nfc(&call->arena, name), name) ||
        !place_find(call, name, 0, &place, &err))
        return name;
    return place.info.name;
}

/* All mailboxes of the user, or those below a name, which may be another's. */
static bool add_below(struct call *call, const struct mailbox_filter_item *item,
                      struct known **known, struct mailbox_names *names, struct error *err)
{
    const struct mailbox_list *all;
    struct place_name top;

    if (!place_of(call, real_name(call, item->name), &top, err))
        return err->kind == ERROR_NOT_FOUND;
    if (!find_all(call, top.account, known, &all, err))
        return false;
    for (size_t i = 0; i < all->count; i++) {
        struct slice name = all->items[i].name;
        bool belongs = item->source == SOURCE_PERSONAL ||
                       (item->source == SOURCE_SUBTREE_ONE ? is_child(name, top.local)
                                                           : is_below(name, top.local));

        if (belongs &&
            !add_name(names, join(&call->arena, top.before, name), RIGHT_LOOKUP | RIGHT_READ, err))
            return false;
    }
    return true;
}

static bool add_subscribed(struct call *call, struct mailbox_names *names, struct error *err)
{
    struct name_list list;

    if (!mailbox_subscriptions(client_of(call)->account, &call->arena, &list, err))
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (!add_name(names, list.items[i], RIGHT_LOOKUP | RIGHT_READ, err))
            return false;
    return true;
}

static bool expand(struct call *call, const struct mailbox_filter_item *item, struct known **known,
                   struct mailbox_names *names, struct error *err)
{
    switch (item->source) {
    case SOURCE_SELECTED:
        return true;
    case SOURCE_INBOXES: /* where mail is delivered to */
        return add_name(names, SLICE("INBOX"), RIGHT_LOOKUP | RIGHT_READ, err);
    case SOURCE_PERSONAL:
        return add_below(call, item, known, names, err);
    case SOURCE_SUBSCRIBED:
        return add_subscribed(call, names, err);
    case SOURCE_MAILBOXES:
        return add_name(names, real_name(call, item->name), RIGHT_READ, err);
    case SOURCE_SUBTREE:
    case SOURCE_SUBTREE_ONE:
        return add_name(names, real_name(call, item->name), RIGHT_READ, err) &&
               add_below(call, item, known, names, err);
    }
    return true;
}

/* A name that was given stands before the same name that was found. */
static int compare(const void *a, const void *b)
{
    const struct mailbox_name *x = a, *y = b;
    int order = slice_compare(x->name, y->name);

    return order != 0 ? order : (int)x->needs - (int)y->needs;
}

bool mailbox_filter_expand(struct call *call, const struct mailbox_filter *filter,
                           struct mailbox_names *names_out, struct error *err)
{
    struct mailbox_names names = { .room = MAILBOX_NAMES_MAX };
    struct known *known = NULL;
    size_t to = 0;

    names.items = ARENA_ARRAY(&call->arena, struct mailbox_name, names.room);
    for (size_t i = 0; i < filter->count; i++)
        if (!expand(call, &filter->items[i], &known, &names, err))
            return false;
    qsort(names.items, names.count, sizeof(*names.items), compare);
    for (size_t i = 0; i < names.count; i++)
        if (to == 0 || !slice_equal(names.items[to - 1].name, names.items[i].name))
            names.items[to++] = names.items[i];
    names.count = to;
    *names_out = names;
    return true;
}

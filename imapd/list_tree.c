/* list_tree.c - see list_tree.h. */
#include "imapd/list_tree.h"

#include "imapd/list_match.h"
#include "imapd/place.h"

#include <stdlib.h>

/* "/" is less than any byte a name may have. */
static int order_of(char byte)
{
    return byte == '/' ? 0 : (unsigned char)byte + 1;
}

static int compare(const void *a, const void *b)
{
    struct slice x = ((const struct list_entry *)a)->name;
    struct slice y = ((const struct list_entry *)b)->name;

    for (size_t i = 0; i < MIN(x.len, y.len); i++)
        if (x.data[i] != y.data[i])
            return order_of(x.data[i]) - order_of(y.data[i]);
    return x.len == y.len ? 0 : x.len < y.len ? -1 : 1;
}

static void add(struct arena *arena, struct list_tree *tree, struct list_entry entry)
{
    if (tree->count == tree->room) {
        size_t room = MAX(64, tree->room * 2);
        struct list_entry *larger = ARENA_ARRAY(arena, struct list_entry, room);

        if (tree->count > 0)
            memcpy(larger, tree->entries, tree->count * sizeof(*larger));
        tree->entries = larger;
        tree->room = room;
    }
    tree->entries[tree->count++] = entry;
}

/* The same name several times becomes one entry with all that is known. */
static void merge_doubles(struct list_tree *tree)
{
    size_t to = 0;

    for (size_t from = 0; from < tree->count; from++) {
        struct list_entry *entry = &tree->entries[from];

        if (to > 0 && slice_equal(tree->entries[to - 1].name, entry->name)) {
            struct list_entry *kept = &tree->entries[to - 1];

            kept->subscribed |= entry->subscribed;
            kept->has_children |= entry->has_children;
            if (kept->info == NULL && entry->info != NULL) {
                kept->info = entry->info;
                kept->owner = entry->owner;
                kept->rights = entry->rights;
            }
            continue;
        }
        tree->entries[to++] = *entry;
    }
    tree->count = to;
}

/* How many of a name's levels are in the list when all before it are: those that it shares with the
 * name before it. */
static size_t shared_levels(struct slice name, struct slice before)
{
    size_t shared = 0, i = 0;

    for (; i < name.len && i < before.len && name.data[i] == before.data[i]; i++)
        shared = name.data[i] == '/' ? i : shared;
    return i == before.len && i < name.len && name.data[i] == '/' ? i : shared;
}

/* The superiors of an entry that are not in the list yet: their number, and they themselves if
 * there is a place for them. */
static size_t missing_superiors(struct slice name, struct slice before, struct list_entry *place)
{
    size_t count = 0;

    for (size_t i = shared_levels(name, before) + 1; i < name.len; i++) {
        if (name.data[i] != '/')
            continue;
        if (place != NULL)
            place[count] = (struct list_entry){ .name = slice_part(name, 0, i) };
        count++;
    }
    return count;
}

/* A superior stands before what lies below it. */
static void add_superiors(struct arena *arena, struct list_tree *tree)
{
    struct slice before = { 0 };
    struct list_entry *all;
    size_t count = 0;

    for (size_t i = 0; i < tree->count; before = tree->entries[i++].name)
        count += 1 + missing_superiors(tree->entries[i].name, before, NULL);
    if (count == tree->count)
        return;
    all = ARENA_ARRAY(arena, struct list_entry, count);
    count = 0;
    before = (struct slice){ 0 };
    for (size_t i = 0; i < tree->count; before = tree->entries[i++].name) {
        count += missing_superiors(tree->entries[i].name, before, all + count);
        all[count++] = tree->entries[i];
    }
    tree->entries = all;
    tree->count = tree->room = count;
}

/* The level above an entry is the entry before it, or one of that one's superiors. */
static void find_superiors(struct list_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        size_t above = i == 0 ? LIST_TOP : i - 1;

        while (above != LIST_TOP &&
               !mailbox_is_below(tree->entries[i].name, tree->entries[above].name))
            above = tree->entries[above].superior;
        tree->entries[i].superior = above;
    }
}

/* From the last entry to the first, so that news travel all the way up. */
static void tell_superiors(struct list_tree *tree)
{
    for (size_t i = tree->count; i-- > 0;) {
        const struct list_entry *entry = &tree->entries[i];
        struct list_entry *superior;

        if (entry->superior == LIST_TOP)
            continue;
        superior = &tree->entries[entry->superior];
        superior->has_children |= entry->info != NULL || entry->has_children;
        superior->child_subscribed |= entry->subscribed || entry->child_subscribed;
    }
}

bool list_tree_start(struct call *call, struct list_tree *tree_out, struct error *err)
{
    struct account *account = client_of(call)->account;
    struct account_list others;
    struct mailbox_list mailboxes;
    struct name_list names;

    *tree_out = (struct list_tree){ 0 };
    if (!mailbox_all(account, &call->arena, &mailboxes, err) ||
        !mailbox_subscriptions(account, &call->arena, &names, err) ||
        !share_owners(call->desk, client_of(call)->account_id, &call->arena, &others, err))
        return false;
    tree_out->others = others.items;
    tree_out->n_others = others.count;
    for (size_t i = 0; i < mailboxes.count; i++)
        add(&call->arena, tree_out,
            (struct list_entry){ .name = mailboxes.items[i].name,
                                 .info = &mailboxes.items[i],
                                 .rights = RIGHTS_ALL });
    for (size_t i = 0; i < names.count; i++)
        add(&call->arena, tree_out,
            (struct list_entry){ .name = names.items[i], .subscribed = true });
    return true;
}

/* What others share. */

static bool add_shared(struct call *call, struct list_tree *tree, struct account *account,
                       struct slice prefix, const struct mailbox_rights *rights, struct error *err)
{
    struct mailbox_info *info = ARENA_NEW(&call->arena, struct mailbox_info);
    AUTO(buf_free) struct buf name = { 0 };

    if ((rights->rights & RIGHT_LOOKUP) == 0)
        return true;
    if (!mailbox_by_id(account, &call->arena, rights->mailbox, info, err))
        return err->kind == ERROR_NOT_FOUND; /* deleted just now */
    buf_add_slice(&name, prefix);
    buf_add_slice(&name, info->name);
    info->name = slice_copy(&call->arena, buf_slice(&name));
    info->special_use = SPECIAL_NONE; /* that is its owner's use of it */
    add(&call->arena, tree,
        (struct list_entry){ .name = info->name,
                             .info = info,
                             .owner = account_id(account),
                             .rights = rights->rights });
    return true;
}

static bool add_other(struct call *call, struct list_tree *tree, uint64_t owner,
                      struct slice prefix, struct error *err)
{
    struct account *account;
    struct rights_list rights;

    if (!place_account(call, owner, &account, err) ||
        !acl_rights_all(account, client_of(call)->account_id, &call->arena, &rights, err))
        return false;
    for (size_t i = 0; i < rights.count; i++)
        if (!add_shared(call, tree, account, prefix, &rights.items[i], err))
            return false;
    return true;
}

/* May a pattern match the level of the account or a name below? Rights decide then: that an account
 * shares something may be nothing that this user can list. */
static bool reaches(const struct slice *patterns, size_t n_patterns, struct slice prefix)
{
    struct slice level = slice_part(prefix, 0, prefix.len - 1);

    for (size_t i = 0; i < n_patterns; i++)
        if (list_match_below(patterns[i], prefix) || list_match(patterns[i], level))
            return true;
    return false;
}

bool list_tree_others(struct call *call, struct list_tree *tree, const struct slice *patterns,
                      size_t n_patterns, bool *more_out, struct error *err)
{
    for (size_t opened = 0; opened < LIST_OTHERS_A_TURN && tree->next_other < tree->n_others;) {
        const struct account_info *owner = &tree->others[tree->next_other++];
        struct slice prefix = place_prefix(&call->arena, owner);

        if (!reaches(patterns, n_patterns, prefix)) {
            ptrdiff_t top = slice_find(prefix, '/');

            add(&call->arena, tree,
                (struct list_entry){ .name = slice_part(prefix, 0, (size_t)top),
                                     .has_children = true });
            continue;
        }
        opened++;
        if (add_other(call, tree, owner->id, prefix, err))
            continue;
        if (err->kind == ERROR_TEMPORARY)
            return false;
        log_failure(&call->log, err); /* somebody else's damage does not stop this user */
    }
    *more_out = tree->next_other < tree->n_others;
    return true;
}

void list_tree_tell(struct list_tree *tree)
{
    for (size_t i = tree->count; i-- > 0;) {
        const struct list_entry *entry = &tree->entries[i];
        struct list_entry *superior;

        if (entry->superior == LIST_TOP)
            continue;
        superior = &tree->entries[entry->superior];
        superior->child_selected |= entry->selected || entry->child_selected;
        superior->child_hidden |= (entry->selected && !entry->matches) || entry->child_hidden;
    }
}

void list_tree_finish(struct call *call, struct list_tree *tree)
{
    if (tree->count > 0)
        qsort(tree->entries, tree->count, sizeof(*tree->entries), compare);
    merge_doubles(tree);
    add_superiors(&call->arena, tree);
    find_superiors(tree);
    tell_superiors(tree);
}

/* list_tree.c - see list_tree.h. */
#include "imapd/list_tree.h"

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

static void add(struct list_tree *tree, size_t *room, struct list_entry entry)
{
    tree->entries = mem_grow(tree->entries, room, tree->count + 1, sizeof(*tree->entries));
    tree->entries[tree->count++] = entry;
}

/* The name and all its superiors, without looking whether they are there already. */
static void add_with_superiors(struct list_tree *tree, size_t *room, struct list_entry entry)
{
    add(tree, room, entry);
    for (size_t i = 1; i < entry.name.len; i++)
        if (entry.name.data[i] == '/')
            add(tree, room, (struct list_entry){ .name = slice_part(entry.name, 0, i) });
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
            kept->info = kept->info != NULL ? kept->info : entry->info;
            continue;
        }
        tree->entries[to++] = *entry;
    }
    tree->count = to;
}

static bool is_below(struct slice name, struct slice superior)
{
    return name.len > superior.len && name.data[superior.len] == '/' &&
           memcmp(name.data, superior.data, superior.len) == 0;
}

/* All levels are in the list, and a superior stands before what lies below it: so it is the entry
 * before this one, or one of its superiors. */
static void find_superiors(struct list_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        size_t above = i == 0 ? LIST_TOP : i - 1;

        while (above != LIST_TOP && !is_below(tree->entries[i].name, tree->entries[above].name))
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
        superior->child_special |= entry->child_special;
        superior->child_special |= entry->info != NULL && entry->info->special_use != SPECIAL_NONE;
    }
}

bool list_tree_build(struct call *call, struct list_tree *tree_out, struct error *err)
{
    struct account *account = client_of(call)->account;
    struct mailbox_list mailboxes;
    struct name_list names;
    struct list_tree tree = { 0 };
    size_t room = 0;

    if (!mailbox_all(account, &call->arena, &mailboxes, err) ||
        !mailbox_subscriptions(account, &call->arena, &names, err))
        return false;
    for (size_t i = 0; i < mailboxes.count; i++)
        add_with_superiors(
            &tree, &room,
            (struct list_entry){ .name = mailboxes.items[i].name, .info = &mailboxes.items[i] });
    for (size_t i = 0; i < names.count; i++)
        add_with_superiors(&tree, &room,
                           (struct list_entry){ .name = names.items[i], .subscribed = true });
    if (tree.count > 0)
        qsort(tree.entries, tree.count, sizeof(*tree.entries), compare);
    merge_doubles(&tree);
    find_superiors(&tree);
    tell_superiors(&tree);
    tree_out->count = tree.count;
    tree_out->entries = ARENA_ARRAY(&call->arena, struct list_entry, tree.count + 1);
    for (size_t i = 0; i < tree.count; i++)
        tree_out->entries[i] = tree.entries[i];
    free(tree.entries);
    return true;
}

/* list_tree.h - all names of an account that LIST and LSUB may have to tell, in order: mailboxes,
 * subscribed names, and superiors that exist only by what lies below them.
 *
 * Order is by name with "/" before all other bytes, so what lies below a name follows it at once.
 * Lifetime: all in the arena of the call.
 */
#pragma once

#include "imapd/client.h"

#define LIST_TOP SIZE_MAX

struct list_entry {
    struct slice name;
    const struct mailbox_info *info; /* NULL: no such mailbox */
    bool subscribed;
    bool has_children;     /* mailboxes below it */
    bool child_subscribed; /* subscribed names below it, at any depth */
    bool child_special;    /* mailboxes with a special use below it */
    size_t superior;       /* index of the next level up, LIST_TOP for none */
};

struct list_tree {
    struct list_entry *entries;
    size_t count;
};

bool list_tree_build(struct call *call, struct list_tree *tree_out, struct error *err) MUST_CHECK;

/* list_tree.h - all names that LIST and LSUB may have to tell, in order: mailboxes, subscribed
 * names, superiors that exist only by what lies below them, and what others share.
 *
 *     list_tree_start()    one's own mailboxes and subscriptions
 *     list_tree_others()   again until it says that there are no more, a turn of the session each:
 *                          looks into the accounts that share something, if a pattern asks for it
 *     list_tree_finish()   sorts, and puts in the superiors
 *
 * Of accounts that no pattern reaches, the namespace is told, because postane.db knows that they
 * share something. Order is by name with "/" before all other bytes, so what lies below a name
 * follows it at once.
 *
 * Lifetime: all in the arena of the call.
 */
#pragma once

#include "imapd/client.h"

#define LIST_TOP SIZE_MAX

#define LIST_OTHERS_A_TURN 32 /* accounts that are opened before others have their turn */

struct list_entry {
    struct slice name;
    const struct mailbox_info *info; /* NULL: no such mailbox */
    uint64_t owner;                  /* whose it is; 0: the user's own */
    unsigned rights;                 /* enum acl_right bits, where there is a mailbox */
    bool subscribed;
    bool has_children;     /* mailboxes below it */
    bool child_subscribed; /* subscribed names below it, at any depth */
    size_t superior;       /* index of the next level up, LIST_TOP for none */

    /* What one LIST finds out, list_tree_tell(): */
    bool matches;        /* a pattern */
    bool selected;       /* meets the selection options itself */
    bool child_selected; /* something below it does */
    bool child_hidden;   /* ... and matches no pattern */
};

struct list_tree {
    struct list_entry *entries;
    size_t count, room;
    struct account_info *others; /* who shares something, and how many are done */
    size_t n_others, next_other;
};

bool list_tree_start(struct call *call, struct list_tree *tree_out, struct error *err) MUST_CHECK;
bool list_tree_others(struct call *call, struct list_tree *tree, const struct slice *patterns,
                      size_t n_patterns, bool *more_out, struct error *err) MUST_CHECK;
void list_tree_finish(struct call *call, struct list_tree *tree);

/* Fills the last two for all entries, once the two before them are known. */
void list_tree_tell(struct list_tree *tree);

/* mailbox_filter.h - which mailboxes a command is about: filter-mailboxes of RFC 5465 section 6,
 * with the differences of RFC 7377 section 2.2.
 *
 *     selected   inboxes   personal   subscribed
 *     mailboxes X   mailboxes (X Y)   subtree X   subtree-one X
 */
#pragma once

#include "imapd/args.h"
#include "imapd/client.h"

#define MAILBOX_FILTER_MAX 1000  /* names that one command may give */
#define MAILBOX_NAMES_MAX  10000 /* mailboxes that they may come to */

enum mailbox_source {
    SOURCE_SELECTED,
    SOURCE_INBOXES,
    SOURCE_PERSONAL,
    SOURCE_SUBSCRIBED,
    SOURCE_MAILBOXES,
    SOURCE_SUBTREE,
    SOURCE_SUBTREE_ONE,
};

struct mailbox_filter {
    struct mailbox_filter_item {
        enum mailbox_source source;
        struct slice name; /* of the last three, which have one item for each */
    } * items;             /* in the arena */
    size_t count;
};

/* filter-mailboxes *(SP filter-mailboxes) */
bool mailbox_filter_take(struct args *args, struct mailbox_filter *filter_out);

/* A mailbox that somebody asked for by its name is searched by who may read it; one that was found
 * must be visible, too. */
struct mailbox_name {
    struct slice name;
    unsigned needs; /* enum acl_right bits */
};

struct mailbox_names {
    struct mailbox_name *items; /* each once, in the arena; SOURCE_SELECTED is none of them */
    size_t count, room;
};

/* Names that may or may not be there: place_find() knows. Errors: ERROR_LIMIT. */
bool mailbox_filter_expand(struct call *call, const struct mailbox_filter *filter,
                           struct mailbox_names *names_out, struct error *err) MUST_CHECK;

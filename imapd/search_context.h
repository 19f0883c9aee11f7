/* search_context.h - searches whose results are kept up to date for the client: RETURN (UPDATE),
 * RFC 5267 section 4.3.
 *
 *     search_context_want()   while parsing: may there be one more? The program then goes into its
 *                             memory
 *     search_context_keep()   the search is done: what it found is what the client knows
 *     ...told when news are:
 *     search_contexts_expunged()  REMOVEFROM, before EXPUNGE takes the numbers away
 *     search_contexts_changed()   ADDTO and REMOVEFROM, behind EXISTS and FETCH
 *
 * Messages whose flags change, and new ones, are collected by the view (view->touched) and looked
 * at again, a bounded amount each time; what is left waits for the next time.
 *
 * Lifetime: a context lives until CANCELUPDATE, or until the mailbox is left.
 */
#pragma once

#include "imapd/search_return.h"
#include "imapd/search_run.h"

#define SEARCH_CONTEXTS_MAX      16                 /* of one session */
#define SEARCH_CONTEXT_KEYS_MAX  100                /* of one program, which runs again and again */
#define SEARCH_CONTEXT_READS_MAX 4                  /* of them, keys that look into the message */
#define SEARCH_ORDERS_MAX        (16 * 1024 * 1024) /* bytes of all orders of one session */

/* The order of a context that is not the mailbox's (CONTEXT=SORT). Positions count from 1. */
struct search_order {
    /* Puts a message in its place. False: it cannot be read now, so it is left out. */
    bool (*insert)(struct search_order *order, struct account *account, const struct view *view,
                   size_t index, size_t *position_out);
    /* Takes messages out, and tells of each its UID and where it was when those before it in the
     * answer had gone. There is room for all; returns how many there were. */
    size_t (*take_out)(struct search_order *order, const struct uidset *uids, uint32_t *gone_out,
                       size_t *positions_out);
    size_t (*size)(const struct search_order *order); /* bytes */
    void (*free)(struct search_order *order);
};

struct search_context {
    struct arena arena; /* all that the program points to */
    struct slice tag;
    char *place; /* for the correlator, as in struct search_result; NULL */
    bool uid;
    struct search_program program;
    struct uidset matches; /* as the client knows them */
    struct uidset pending; /* to be looked at */
    struct search_order *order;
    struct slice items;   /* that the client wants of new messages (RFC 5465 section 7); empty */
    struct uidset fresh;  /* new ones, not yet looked at */
    struct uidset unsaid; /* new ones that match: their items are to be told */
    struct search_context *next;
};

/* With UPDATE among the options: *context_out is a new context, and `args` go on in its memory.
 * NULL without UPDATE, and when there are too many, which the client is told (NOUPDATE). False: the
 * tag is in use (BAD). */
bool search_context_want(struct call *call, struct args *args, struct search_return *ret,
                         struct search_context **context_out);

/* Says that there will be no updates (NOUPDATE). */
void search_context_refuse(struct call *call, const char *why);

/* Takes the run's program and results over and begins to watch; `order` may be NULL. Refuses, and
 * says so, when the program is too costly, or the order too big. *context becomes NULL. */
void search_context_keep(struct call *call, struct search_context **context, struct search_run *run,
                         struct search_order *order, const char *place);
void search_context_free(struct search_context **context);

void search_contexts_expunged(struct call *call, const struct view_news *news);
void search_contexts_changed(struct call *call);
/* Messages that are new to the client, and not its own. */
void search_contexts_new(struct client *client, uint32_t first, uint32_t last);
/* Items that are to be told of some of them; false when there are none. */
bool search_contexts_fetch(struct client *client, struct slice *items_out, struct uidset *uids_out);
bool search_contexts_wait(const struct client *client); /* is there more to look at? */
bool search_context_is(const struct client *client, struct slice tag);
bool search_context_cancel(struct client *client, struct slice tag); /* false: no such */
void search_contexts_free(struct client *client);

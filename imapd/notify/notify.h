/* notify.h - NOTIFY (RFC 5465): what a client wants to hear of while it gives no command.
 *
 *     NOTIFY SET --> struct notify --> notices wake the session between commands (call->hears)
 *                        |                 |-- selected mailbox: reply_sync(), as far as asked for
 *                        '-- told[] <------'-- all others: what the store has against what was told
 *
 * `told` is what this client has heard of each mailbox it watches, also of those that others share,
 * by owner and id, at most NOTIFY_MAILBOXES_MAX; a notice that names the mailbox costs one look at
 * one row. All events need the rights l and r (section 5). New messages
 * whose data items the client wants (MessageNew with a list) are kept in `pending` and fetched
 * once no command is in hand.
 *
 * Threads: whichever worker runs the call. Lifetime: client->notify, from NOTIFY SET to the next
 * NOTIFY, a session without one has NULL.
 */
#pragma once

#include "imapd/client.h"

struct args;

#define NOTIFY_GROUPS_MAX    100
#define NOTIFY_NAMES_MAX     1000 /* of all groups: each look compares them with all mailboxes */
#define NOTIFY_MAILBOXES_MAX 2000
#define NOTIFY_OWNERS_MAX    32 /* other accounts whose mailboxes are watched */

/* Bits; in the order of their names in events.c. */
enum notify_event {
    NOTIFY_MESSAGE_NEW = 1,
    NOTIFY_MESSAGE_EXPUNGE = 2,
    NOTIFY_FLAG_CHANGE = 4,
    NOTIFY_MAILBOX_NAME = 8,
    NOTIFY_SUBSCRIPTION_CHANGE = 16,
    NOTIFY_MAILBOX_METADATA_CHANGE = 32,
    NOTIFY_SERVER_METADATA_CHANGE = 64,
};
#define NOTIFY_MESSAGE_EVENTS (NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE | NOTIFY_FLAG_CHANGE)

/* Section 6. INBOXES is as PERSONAL: mail may be delivered to all of them. */
enum notify_filter {
    NOTIFY_SELECTED,
    NOTIFY_SELECTED_DELAYED,
    NOTIFY_PERSONAL,
    NOTIFY_SUBSCRIBED,
    NOTIFY_SUBTREE,
    NOTIFY_MAILBOXES,
};

struct notify_group {
    enum notify_filter filter;
    unsigned events;
    struct slice *names;
    size_t n_names, room;
};

/* What the client knows of a mailbox. */
struct notify_told {
    uint64_t owner, id; /* owner 0: the user's own */
    unsigned rights;    /* enum acl_right bits */
    uint64_t modseq;
    uint64_t n_total, n_unseen;
    uint32_t uidvalidity, uidnext;
    unsigned events;
    bool subscribed;
    char *name;
};

/* A mailbox as it is, by the name that the user knows. */
struct notify_seen {
    uint64_t owner;
    unsigned rights;
    struct mailbox_info info;
};

struct notify_list {
    struct notify_seen *items;
    size_t count, room;
};

struct notify {
    struct arena arena; /* of the groups */
    struct notify_group *groups;
    size_t n_groups, n_names; /* names of all groups together */
    unsigned events;          /* of all groups but the selected one together */
    unsigned selected;        /* of the selected mailbox */
    bool delayed;             /* SELECTED-DELAYED: EXPUNGE with a command only */
    bool initial_status;      /* NOTIFY SET STATUS */
    bool unknown_event;       /* one that there is not: BADEVENT */
    struct slice items;       /* fetch-att list of MessageNew, as it came; may be empty */

    struct notify_told *told; /* ascending owner and id */
    size_t n_told;
    uint64_t owners[NOTIFY_OWNERS_MAX]; /* others that are watched */
    size_t n_owners;
    struct uidset pending; /* new messages of the selected mailbox whose items are still to tell */
};

/* What stands behind "NOTIFY SET": [STATUS] and groups. False: args->error says why. */
bool notify_take(struct call *call, struct args *args, struct notify *notify);
/* "MessageNew MessageExpunge ..." for BADEVENT. */
void notify_print_events(struct buf *out);
void notify_free(struct notify **notify);

/* Compares what is there with what was told and tells the difference. `quiet`: names and
 * subscriptions are not told, since this client changed them. `topic` may leave most of it out.
 * Errors: ERROR_LIMIT: too many mailboxes. */
bool notify_look(struct call *call, const struct notice_topic *topic, bool quiet,
                 struct error *err) MUST_CHECK;
/* The first look, for NOTIFY SET: tells STATUS if that was asked for. */
bool notify_begin(struct call *call, struct notify *notify, struct error *err) MUST_CHECK;

/* The mailboxes' row of the told list; NULL: not watched. */
struct notify_told *notify_find(const struct notify *notify, uint64_t owner, uint64_t mailbox);

/* others.c: all that may be watched, the user's own first. Errors: ERROR_LIMIT. */
bool notify_list_all(struct call *call, struct notify *notify, struct notify_list *list_out,
                     struct error *err) MUST_CHECK;
bool notify_watches(const struct notify *notify, uint64_t owner);

/* May changes of the selected mailbox be told, and those of flags? All are without NOTIFY. */
static inline bool notify_tells_selected(const struct client *client)
{
    return client->notify == NULL || (client->notify->selected & NOTIFY_MESSAGE_NEW) != 0;
}

static inline bool notify_tells_flags(const struct client *client)
{
    return client->notify == NULL || (client->notify->selected & NOTIFY_FLAG_CHANGE) != 0;
}

/* Are any changes of annotations to be told? */
bool notify_hears_metadata(const struct client *client);
/* Is a change of an entry of this mailbox (0: of the server) to be told? */
bool notify_tells_metadata(const struct client *client, uint64_t mailbox);

/* The selected mailbox has new messages, UIDs from `first` on: their items are told later, those of
 * searches that they turn out to belong to, too. */
void notify_note_new(struct client *client, uint32_t first);

/* A notice came between commands, or in IDLE (then the selected mailbox has been looked at). */
enum next notify_hear(struct call *call);
void notify_hear_others(struct call *call);
/* Tells the items of new messages, if there are pending ones, then does `then`. */
enum next notify_tell_pending(struct call *call, enum next (*then)(struct call *call));
/* Around commands that change names, subscriptions: tells what others did, not what we do. */
void notify_before_change(struct call *call);
void notify_after_change(struct call *call);

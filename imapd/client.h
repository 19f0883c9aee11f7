/* client.h - the state of one IMAP session, and what all sessions of the process share.
 *
 *     NOT AUTHENTICATED --LOGIN--> AUTHENTICATED --SELECT--> SELECTED      RFC 3501 section 3
 *             |                        |  ^-----CLOSE-----------'
 *             '------LOGOUT------------'--------> LOGOUT
 *
 * What the session waits for is not here but in the value run() returns (common/session.h). A
 * command that is not finished when run() returns leaves its continuation in client->resume.
 *
 * Threads: whichever worker runs the call. Lifetime: from protocol->open() to protocol->close().
 */
#pragma once

#include "common/session.h"
#include "imapd/flags.h"
#include "imapd/input.h"
#include "imapd/view.h"
#include "message/transfer.h"
#include "storage/account.h"
#include "storage/login.h"
#include "storage/settings.h"

struct args;
struct command;
struct literal_sink;
struct search_context;
struct notify;

/* The daemon: read-only once sessions run. */
struct imap {
    const struct settings *settings;
    struct store *store;
    struct login_options login;
};

/* Bits, so that a row of the command table can allow several. */
enum client_state {
    CLIENT_NOT_AUTHENTICATED = 1,
    CLIENT_AUTHENTICATED = 2,
    CLIENT_SELECTED = 4,
    CLIENT_LOGOUT = 8,
};

/* Where the section lies that was fetched last; msg 0: none. */
struct section_memo {
    uint64_t msg;
    unsigned what; /* enum section_what */
    size_t depth, at, len;
    uint32_t path[8]; /* sections nested deeper are not remembered */
};

/* The part that BINARY was asked of last, and how far it has been decoded: a client that downloads
 * it in pieces gets each without decoding all before it. msg 0: none. */
struct binary_memo {
    uint64_t msg;
    size_t depth;
    uint32_t path[8];
    size_t at, len; /* of the part, encoded, in the message */
    bool measured;  /* size and has_nul are right */
    bool has_nul;
    uint64_t size; /* decoded */
    struct transfer_decoder decoder, start;
    uint64_t encoded, decoded; /* where `decoder` stands */
};

/* Of the command in hand; progress.h. */
struct progress {
    uint64_t told_ms; /* when the client last heard of it, or it began */
    bool known;       /* the two below are of this turn */
    uint64_t done, goal;
};

struct client {
    struct imap *imap;
    uint64_t own_key; /* the session's call->key before login */
    enum client_state state;
    bool condstore, qresync, utf8; /* enabled: RFC 7162 section 3.1, 3.2, RFC 6855 section 3 */
    bool rev2, uidonly;            /* enabled: RFC 9051 section 6.3.1, RFC 9586 section 3 */
    bool metadata;                 /* enabled: RFC 5464 section 4.1 */
    uint64_t metadata_told;        /* what changed up to here is known, metadata_changed() */

    uint64_t account_id;
    struct account *account;  /* lent; set before every handler and resume() once logged in */
    struct account *selected; /* whose mailbox is selected, lent like `account`; NULL for none */
    uint64_t selected_id;     /* the account's id */
    uint64_t watched;         /* another account whose notices we get; 0: none */
    bool watch_anew;          /* which accounts NOTIFY watches has changed */
    unsigned rights;          /* on the selected mailbox, asked anew at each run (storage/acl.h) */
    bool rights_changed;      /* since PERMANENTFLAGS was told */
    struct keywords keywords; /* of the account whose mailbox was selected last */
    struct view view;         /* in state SELECTED */
    struct search_context *contexts; /* searches of it that are kept up to date */

    struct input input;
    const struct command *command; /* the command in hand; NULL between commands */
    struct slice tag;              /* points into input.command */
    bool uid;                      /* it came as "UID FETCH" and so on */
    uint32_t limited_to;           /* it stopped at this UID (limit.h); 0: it did not */
    bool keeps_seq;                /* it names sequence numbers, though it is a UID command */

    /* The rest of a command in hand: run() calls it instead of taking the next one. Its memory is
     * in call->arena, or freed by abandon(), which runs only when the session ends in mid-command
     * (call->state and call->desk are valid there, no account is lent). */
    enum next (*resume)(struct call *call);
    void (*abandon)(struct call *call);
    void *work;

    struct notify *notify; /* what NOTIFY asked for (notify/notify.h); NULL: never used */
    struct progress progress;
    const struct literal_sink *sink; /* has bytes of the command in hand; NULL in most */
    struct login login;              /* AUTHENTICATE or LOGIN in hand */
    struct section_memo memo;        /* fetch_item.c */
    struct binary_memo binary;       /* fetch_binary.c */
    struct appending *append;        /* APPEND or REPLACE in hand: belongs to append/ */
    unsigned errors, failures;       /* bad commands in a row; wrong passwords */
    bool lost_mailbox;               /* somebody deleted the selected mailbox: the session ends */
};

/* May mailbox names and quoted strings be UTF-8? RFC 6855 section 3, RFC 9051 section 5.1. */
static inline bool client_utf8(const struct client *client)
{
    return client->utf8 || client->rev2;
}

static inline struct client *client_of(const struct call *call)
{
    return call->state;
}

/* How many bytes of snapshots a worker may keep now. */
static inline size_t snapshots_max(const struct client *client)
{
    return ceiling_state() == CEILING_PLENTY ? (size_t)client->imap->settings->snapshots : 0;
}

/* Puts the handles of this worker into client->account and client->selected. */
bool client_lend_account(struct call *call, struct error *err) MUST_CHECK;

/* Back to the state before login: nothing of the user stays (RFC 8437 section 3). */
void client_forget_user(struct call *call);

/* Leaves the selected mailbox, if there is one. */
void client_unselect(struct client *client);

/* The protocol, for the daemon and for tests; its context is a struct imap. */
extern const struct protocol imap_protocol;

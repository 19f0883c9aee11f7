/* append.h - messages on their way into a mailbox: what APPEND and its extensions share.
 *
 *     command text ---- parse.c: where a message, a part, its literal begins
 *          |
 *          | each literal is announced     sink.c: refused before it is sent, or
 *          v                                       streamed into message->text
 *     whole command --- build.c: message->body, from literals and URLs, in bounded turns
 *          |
 *          '----------- commands.c: all of them in one transaction, and the answer
 *
 * RFC 3501 section 6.3.11, RFC 3502 (several messages, all or none), RFC 4469 (CATENATE), RFC 6855
 * section 4 (UTF8), RFC 8508 (REPLACE).
 *
 * Lifetime: client->append is there from the first literal or the whole command until the command
 * is answered or was dropped. What its members point to is in call->arena.
 */
#pragma once

#include "imapd/args.h"
#include "imapd/client.h"
#include "imapd/command.h"
#include "imapd/limit.h"
#include "imapd/place.h"
#include "storage/body.h"
#include "storage/mail_part.h"

#define APPEND_PARTS_MAX 1000 /* of all CATENATEs of one command */

/* A piece of a message that is put together: a URL, or bytes of message->text. */
struct append_part {
    struct append_part *next;
    struct slice url_text; /* empty: text */
    struct imap_url url;
    uint64_t at, len; /* of the text; of a URL: what is added already, and how much it is */
    bool found;       /* `source` of the URL is */
    struct mail_part source;
};

struct append_message {
    struct append_message *next;
    struct flag_list flags;
    int64_t received_ms; /* 0: now */
    bool catenate;
    bool utf8;          /* some of it came as UTF8 data */
    bool nul;           /* a literal holds one, which may not */
    bool nul8;          /* a literal8 holds one, which may (RFC 3516 section 4.4) */
    struct body *text;  /* its literals, one behind the other */
    uint64_t text_len;  /* of those that the text of the command has passed */
    struct body *built; /* NULL: `text` is the message */
    struct append_part *parts, *last_part;
};

/* Where in the grammar parsing goes on. */
enum append_where {
    APPEND_AT_TARGET,   /* behind the command's name */
    APPEND_AT_MESSAGE,  /* behind the mailbox, or behind a message */
    APPEND_AT_PART,     /* in CATENATE's list, where a part must begin */
    APPEND_BEHIND_PART, /* in CATENATE's list, where SP or ")" must come */
};

struct appending {
    enum append_where where;
    bool in_literal; /* the literal's announcement is next in the text */
    bool in_utf8;    /* then ")" */
    size_t parsed;   /* of input.command; what follows is looked at again */

    bool replace;          /* REPLACE: one message, for another */
    uint32_t number;       /* of that other: a sequence number, or a UID */
    uint32_t replaced_uid; /* when that was looked up; 0 */
    struct slice mailbox;
    struct place target; /* where it leads, when found_ms is not 0; `account` is lent anew */
    uint64_t owner;      /* the account's id */
    uint64_t found_ms;   /* on clock_ms() */
    struct append_message *messages, *last;
    struct append_message *unfinished; /* the first whose body may be; NULL: none was */
    size_t n_messages, n_parts;
    struct held held; /* by the messages, beside their bodies */
    uint64_t bytes;   /* announced so far */

    bool failed; /* a body could not be written */
    struct error error;

    struct slice bad_url;                  /* the first that is none */
    enum next (*store)(struct call *call); /* what is done when they are built */
    struct append_message *building;       /* the next one to be built */
    uint64_t built_bytes;                  /* of all messages that are catenated */
};

/* Why parsing stopped. */
enum append_stop {
    APPEND_STOP_STRING,  /* the text ends where an argument is due that may come as literal */
    APPEND_STOP_LITERAL, /* the text ends where a literal of a message is due */
    APPEND_STOP_END,     /* the text ends behind a message */
    APPEND_STOP_WRONG,   /* args->error says why */
};

/* parse.c. Takes what is whole of `args`, which stands behind what was parsed before. */
enum append_stop append_parse(struct appending *appending, struct args *args);
/* Does a literal that comes now belong to CATENATE? */
bool append_in_list(const struct appending *appending);

/* sink.c */
void append_free(struct client *client);
/* Goes on parsing where it stopped, in a command that may have grown; makes client->append if it
 * is the first time. `args` is moved. */
enum append_stop append_go_on(struct call *call, struct args *args);
/* Answers that it could not be stored; TRYCREATE if there is no such mailbox. */
enum next append_refuse(struct call *call, const struct error *err);
/* The mailbox. False after the reply. */
bool append_find_target(struct call *call, struct place *target_out);
enum next append_refuse_url(struct call *call, struct slice url); /* NO [BADURL] */
/* Is there room for so much in it, by the settings and the quota? False after the reply. */
bool append_has_room(struct call *call, const struct place *target, uint64_t bytes,
                     size_t messages);

enum append_build {
    APPEND_BUILT,
    APPEND_MORE,    /* return NEXT_AGAIN and call again */
    APPEND_REFUSED, /* after the reply */
};
/* build.c. Makes the bodies of all messages, as far as one turn goes. */
enum append_build append_build(struct call *call);
/* commands.c. The command is whole: builds its messages and calls `done`, which answers. */
enum next append_finish(struct call *call, struct args *args, enum next (*done)(struct call *call));
/* replace.c. For REPLACE: what is replaced? False after the reply. True for APPEND. */
bool append_find_replaced(struct call *call);
/* What is to be stored of a message, after that. */
struct body *append_body(const struct append_message *message);

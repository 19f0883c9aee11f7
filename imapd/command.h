/* command.h - the table of commands: what there is, when it is allowed, who does it.
 *
 * A new command is a row in command.c and a handler in some cmd_*.c. A handler gets its arguments
 * as a cursor that stands behind the command's name (at the SP, or at the end), and finishes with
 * one of the reply_*() functions of reply.h, which all return NEXT_COMMAND:
 *
 *     enum next imap_copy(struct call *call, struct args *args)
 *     {
 *         if (!args_space(args) || !args_seqset(args, &set) || !args_space(args) ||
 *             !args_mailbox(args, &name) || !args_end(args))
 *             return reply_syntax(call, args);
 *         ...
 *         return reply_ok(call, "COPY completed");
 *     }
 *
 * A handler with long work sets client->resume and returns NEXT_AGAIN after a bounded amount; the
 * arguments (input.command) and call->arena stay until the command is finished.
 */
#pragma once

#include "imapd/client.h"

struct literal;

enum command_flags {
    COMMAND_HAS_UID = 1,   /* "UID name" exists too */
    COMMAND_KEEPS_SEQ = 2, /* without UID: no EXPUNGE with its answer, RFC 3501 section 7.4.1 */
    COMMAND_NAMES_SEQ = 8, /* without UID it speaks of sequence numbers: not with UIDONLY */
    COMMAND_NO_SYNC = 4,   /* its end is no moment to tell news of the selected mailbox */
    COMMAND_NAMES = 16,    /* changes names or subscriptions: no news to who does it */
    COMMAND_HEAVY = 32,    /* may take much memory: refused while that is scarce */
};

/* What becomes of a literal that the client announces within a command. */
enum literal_plan {
    LITERAL_COLLECT, /* it becomes part of the command's text, as every literal */
    LITERAL_STREAM,  /* its bytes go to sink->add(); the text keeps the announcement only */
    LITERAL_REFUSE,  /* the plan has answered the command (tagged); its rest is skipped */
};

/* APPEND's message is not held in memory: it goes to a sink. */
struct literal_sink {
    /* Called at "{n}" or "{n+}", before the "+" is sent; client->tag and client->command are set
     * and `args` stands behind the command's name and ends before the announcement. */
    enum literal_plan (*plan)(struct call *call, struct args *args, const struct literal *literal);
    /* The next bytes. What goes wrong is kept by the sink until the command runs. */
    void (*add)(struct call *call, struct slice bytes);
    /* The command is over, or the session ends: frees what is left. May be called twice. */
    void (*drop)(struct call *call);
};

struct command {
    const char *name;
    enum next (*run)(struct call *call, struct args *args);
    unsigned states; /* enum client_state bits */
    unsigned flags;
    const struct literal_sink *sink; /* NULL for all but APPEND and REPLACE */
};

/* Never NULL: unknown and not allowed now are commands that say so. `uid`: "UID" stood before. */
const struct command *command_find(const struct client *client, struct slice name, bool uid);

/* Is it one of those that only say why not? Their arguments need not be read. */
bool command_refuses(const struct command *command);

/* Takes "tag SP [UID SP] name" off the front. False when there is not even a tag; then *args says
 * why and `tag_out` is empty. */
bool command_head(struct args *args, struct slice *tag_out, struct slice *name_out, bool *uid_out);

/* The handlers. cmd_auth.c */
enum next imap_capability(struct call *call, struct args *args);
enum next imap_noop(struct call *call, struct args *args);
enum next imap_logout(struct call *call, struct args *args);
enum next imap_starttls(struct call *call, struct args *args);
enum next imap_authenticate(struct call *call, struct args *args);
enum next imap_login(struct call *call, struct args *args);
enum next imap_id(struct call *call, struct args *args);
enum next imap_enable(struct call *call, struct args *args);
/* cmd_compress.c, cmd_unauthenticate.c */
enum next imap_compress(struct call *call, struct args *args);
enum next imap_unauthenticate(struct call *call, struct args *args);
/* cmd_mailbox.c, cmd_list.c, cmd_status.c, cmd_quota.c */
enum next imap_create(struct call *call, struct args *args);
enum next imap_delete(struct call *call, struct args *args);
enum next imap_rename(struct call *call, struct args *args);
enum next imap_subscribe(struct call *call, struct args *args);
enum next imap_unsubscribe(struct call *call, struct args *args);
enum next imap_list(struct call *call, struct args *args);
enum next imap_lsub(struct call *call, struct args *args);
enum next imap_namespace(struct call *call, struct args *args);
enum next imap_status(struct call *call, struct args *args);
enum next imap_getquota(struct call *call, struct args *args);
enum next imap_getquotaroot(struct call *call, struct args *args);
enum next imap_setquota(struct call *call, struct args *args);
/* cmd_metadata.c, cmd_language.c */
enum next imap_getmetadata(struct call *call, struct args *args);
enum next imap_setmetadata(struct call *call, struct args *args);
enum next imap_language(struct call *call, struct args *args);
/* cmd_acl.c */
enum next imap_setacl(struct call *call, struct args *args);
enum next imap_deleteacl(struct call *call, struct args *args);
enum next imap_getacl(struct call *call, struct args *args);
enum next imap_listrights(struct call *call, struct args *args);
enum next imap_myrights(struct call *call, struct args *args);
/* cmd_uidbatches.c */
enum next imap_uidbatches(struct call *call, struct args *args);
/* cmd_select.c */
enum next imap_select(struct call *call, struct args *args);
enum next imap_examine(struct call *call, struct args *args);
enum next imap_unselect(struct call *call, struct args *args);
enum next imap_close(struct call *call, struct args *args);
enum next imap_check(struct call *call, struct args *args);
/* cmd_idle.c, notify/command.c */
enum next imap_notify(struct call *call, struct args *args);
enum next imap_idle(struct call *call, struct args *args);
/* cmd_urlauth.c */
enum next imap_genurlauth(struct call *call, struct args *args);
enum next imap_urlfetch(struct call *call, struct args *args);
enum next imap_resetkey(struct call *call, struct args *args);
/* append/commands.c */
enum next imap_append(struct call *call, struct args *args);
enum next imap_replace(struct call *call, struct args *args); /* append/replace.c */
extern const struct literal_sink append_sink;                 /* append/sink.c */
/* fetch.c, cmd_search.c, cmd_store.c, cmd_copy.c, cmd_expunge.c: client->uid tells the UID form. */
enum next imap_fetch(struct call *call, struct args *args);
enum next imap_search(struct call *call, struct args *args);
enum next imap_cancelupdate(struct call *call, struct args *args);
enum next imap_esearch(struct call *call, struct args *args);
enum next imap_comparator(struct call *call, struct args *args);
/* sort/ */
enum next imap_sort(struct call *call, struct args *args);
enum next imap_thread(struct call *call, struct args *args);
enum next imap_store(struct call *call, struct args *args);
enum next imap_copy(struct call *call, struct args *args);
enum next imap_move(struct call *call, struct args *args);
enum next imap_expunge(struct call *call, struct args *args);

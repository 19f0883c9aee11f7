/* command.c - see command.h. */
#include "imapd/command.h"
#include "imapd/args.h"
#include "imapd/reply.h"

static enum next imap_unknown(struct call *call, struct args *args)
{
    return reply_bad(call, "There is no such command");
}

static enum next imap_wrong_state(struct call *call, struct args *args)
{
    switch (client_of(call)->state) {
    case CLIENT_NOT_AUTHENTICATED:
        return reply_bad(call, "Log in first");
    case CLIENT_AUTHENTICATED:
        return reply_bad(call, "Not now: is a mailbox selected?");
    case CLIENT_SELECTED:
    case CLIENT_LOGOUT:
        break;
    }
    return reply_bad(call, "Not in this state");
}

/* RFC 9586 section 3.2 */
static enum next imap_uid_required(struct call *call, struct args *args)
{
    return reply_bad_code(call, "UIDREQUIRED", "UIDONLY is enabled: say UID before the command");
}

#define TAG_MAX 256 /* we send it back */

#define STRANGER CLIENT_NOT_AUTHENTICATED
#define KNOWN    (CLIENT_AUTHENTICATED | CLIENT_SELECTED)
#define ANY      (STRANGER | KNOWN)
#define SELECTED CLIENT_SELECTED

#define HAS_UID   COMMAND_HAS_UID
#define KEEPS_SEQ COMMAND_KEEPS_SEQ
#define NAMES_SEQ COMMAND_NAMES_SEQ
#define NO_SYNC   COMMAND_NO_SYNC
#define NAMES     COMMAND_NAMES
#define HEAVY     COMMAND_HEAVY

static const struct command commands[] = {
    { "CAPABILITY", imap_capability, ANY, 0, NULL },
    { "NOOP", imap_noop, ANY, 0, NULL },
    { "LOGOUT", imap_logout, ANY, NO_SYNC, NULL },
    { "ID", imap_id, ANY, 0, NULL },
    { "STARTTLS", imap_starttls, STRANGER, 0, NULL },
    { "AUTHENTICATE", imap_authenticate, STRANGER, 0, NULL },
    { "LOGIN", imap_login, STRANGER, 0, NULL },
    { "ENABLE", imap_enable, KNOWN, 0, NULL },
    { "COMPRESS", imap_compress, KNOWN, 0, NULL },
    { "UIDBATCHES", imap_uidbatches, SELECTED, 0, NULL },
    { "UNAUTHENTICATE", imap_unauthenticate, KNOWN, NO_SYNC, NULL },
    { "SELECT", imap_select, KNOWN, NO_SYNC | HEAVY, NULL },
    { "EXAMINE", imap_examine, KNOWN, NO_SYNC | HEAVY, NULL },
    { "CREATE", imap_create, KNOWN, NAMES, NULL },
    { "DELETE", imap_delete, KNOWN, NAMES, NULL },
    { "RENAME", imap_rename, KNOWN, NAMES, NULL },
    { "SUBSCRIBE", imap_subscribe, KNOWN, NAMES, NULL },
    { "UNSUBSCRIBE", imap_unsubscribe, KNOWN, NAMES, NULL },
    { "LIST", imap_list, KNOWN, 0, NULL },
    { "LSUB", imap_lsub, KNOWN, 0, NULL },
    { "NOTIFY", imap_notify, KNOWN, 0, NULL },
    { "NAMESPACE", imap_namespace, KNOWN, 0, NULL },
    { "STATUS", imap_status, KNOWN, 0, NULL },
    { "GETQUOTA", imap_getquota, KNOWN, 0, NULL },
    { "GETQUOTAROOT", imap_getquotaroot, KNOWN, 0, NULL },
    { "SETQUOTA", imap_setquota, KNOWN, 0, NULL },
    { "GETMETADATA", imap_getmetadata, KNOWN, 0, NULL },
    { "SETMETADATA", imap_setmetadata, KNOWN, 0, NULL },
    { "SETACL", imap_setacl, KNOWN, 0, NULL },
    { "DELETEACL", imap_deleteacl, KNOWN, 0, NULL },
    { "GETACL", imap_getacl, KNOWN, 0, NULL },
    { "LISTRIGHTS", imap_listrights, KNOWN, 0, NULL },
    { "MYRIGHTS", imap_myrights, KNOWN, 0, NULL },
    { "LANGUAGE", imap_language, ANY, 0, NULL },
    { "CANCELUPDATE", imap_cancelupdate, SELECTED, 0, NULL },
    { "ESEARCH", imap_esearch, KNOWN, HAS_UID | HEAVY, NULL },
    { "COMPARATOR", imap_comparator, KNOWN, 0, NULL },
    { "APPEND", imap_append, KNOWN, 0, &append_sink },
    { "GENURLAUTH", imap_genurlauth, KNOWN, 0, NULL },
    { "URLFETCH", imap_urlfetch, KNOWN, 0, NULL },
    { "RESETKEY", imap_resetkey, KNOWN, 0, NULL },
    { "IDLE", imap_idle, KNOWN, 0, NULL },
    { "CHECK", imap_check, SELECTED, 0, NULL },
    { "CLOSE", imap_close, SELECTED, NO_SYNC, NULL },
    { "UNSELECT", imap_unselect, SELECTED, NO_SYNC, NULL },
    { "EXPUNGE", imap_expunge, SELECTED, HAS_UID, NULL },
    { "SEARCH", imap_search, SELECTED, HAS_UID | KEEPS_SEQ | NAMES_SEQ | HEAVY, NULL },
    { "SORT", imap_sort, SELECTED, HAS_UID | KEEPS_SEQ | NAMES_SEQ | HEAVY, NULL },
    { "THREAD", imap_thread, SELECTED, HAS_UID | KEEPS_SEQ | NAMES_SEQ | HEAVY, NULL },
    { "FETCH", imap_fetch, SELECTED, HAS_UID | KEEPS_SEQ | NAMES_SEQ, NULL },
    { "STORE", imap_store, SELECTED, HAS_UID | KEEPS_SEQ | NAMES_SEQ, NULL },
    { "COPY", imap_copy, SELECTED, HAS_UID | NAMES_SEQ, NULL },
    { "REPLACE", imap_replace, SELECTED, HAS_UID | NAMES_SEQ, &append_sink },
    { "MOVE", imap_move, SELECTED, HAS_UID | NAMES_SEQ, NULL },
};

static const struct command unknown = { "", imap_unknown, ANY, 0, NULL };
static const struct command wrong_state = { "", imap_wrong_state, ANY, 0, NULL };
static const struct command uid_required = { "", imap_uid_required, ANY, 0, NULL };

static const struct command *allowed(const struct client *client, const struct command *command,
                                     bool uid)
{
    if (uid && (command->flags & COMMAND_HAS_UID) == 0)
        return &unknown;
    if ((command->states & client->state) == 0)
        return &wrong_state;
    if (client->uidonly && !uid && (command->flags & COMMAND_NAMES_SEQ) != 0)
        return &uid_required;
    return command;
}

const struct command *command_find(const struct client *client, struct slice name, bool uid)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (slice_is(name, commands[i].name))
            return allowed(client, &commands[i], uid);
    return &unknown;
}

bool command_refuses(const struct command *command)
{
    return command == &unknown || command == &wrong_state || command == &uid_required;
}

bool command_head(struct args *args, struct slice *tag_out, struct slice *name_out, bool *uid_out)
{
    *name_out = (struct slice){ 0 };
    *uid_out = false;
    if (!args_tag(args, tag_out) || tag_out->len > TAG_MAX) {
        *tag_out = (struct slice){ 0 };
        return args_fail(args, "the tag is too long");
    }
    if (!args_space(args) || !args_atom(args, name_out))
        return true;
    *uid_out = slice_is(*name_out, "UID") && args_space(args);
    if (*uid_out && !args_atom(args, name_out))
        *name_out = (struct slice){ 0 };
    return true;
}

/* cmd_auth.c - CAPABILITY, NOOP, LOGOUT, STARTTLS (RFC 3501 sections 6.1, 6.2.1), ID (RFC 2971),
 * ENABLE (RFC 5161). LOGIN and AUTHENTICATE are in cmd_login.c. */
#include "imapd/args.h"
#include "imapd/capability.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/reply.h"
#include "storage/metadata.h"

#define ID_FIELDS_MAX 30 /* RFC 2971 section 3.3 */

enum next imap_capability(struct call *call, struct args *args)
{
    if (!args_end(args))
        return reply_syntax(call, args);
    buf_add_text(&call->out, "* CAPABILITY ");
    capability_print(call, &call->out);
    buf_add_text(&call->out, "\r\n");
    return reply_ok(call, "CAPABILITY completed");
}

enum next imap_noop(struct call *call, struct args *args)
{
    return args_end(args) ? reply_ok(call, "NOOP completed") : reply_syntax(call, args);
}

enum next imap_logout(struct call *call, struct args *args)
{
    if (!args_end(args))
        return reply_syntax(call, args);
    reply_bye(call, NULL, "Logging out");
    return reply_ok(call, "LOGOUT completed");
}

enum next imap_starttls(struct call *call, struct args *args)
{
    if (!args_end(args))
        return reply_syntax(call, args);
    if (call->secure)
        return reply_bad(call, "TLS is up already");
    if (!call->tls_offered)
        return reply_bad(call, "TLS is not offered here");
    reply_ok(call, "Begin TLS negotiation now");
    return NEXT_TLS;
}

/* Logs what the client is; the fields are its own claim. */
static bool take_id_fields(struct call *call, struct args *args)
{
    struct slice name, value;
    bool nil;

    if (!args_open(args) || args_try_byte(args, ')'))
        return args->error == NULL;
    for (int i = 0; i < ID_FIELDS_MAX; i++) {
        if (!args_string(args, &name) || !args_space(args) || !args_nstring(args, &nil, &value))
            return false;
        log_debug(&call->log, "id", F_TEXT("name", name), F_TEXT("value", value));
        if (args_try_byte(args, ')'))
            return true;
        if (!args_space(args))
            return false;
    }
    return args_fail(args, "too many fields");
}

enum next imap_id(struct call *call, struct args *args)
{
    if (!args_space(args) || !(args_try_word(args, "NIL") || take_id_fields(call, args)) ||
        !args_end(args))
        return reply_syntax(call, args);
    reply_untagged(call, "ID (\"name\" \"Postane\" \"version\" \"%s\")", POSTANE_VERSION);
    return reply_ok(call, "ID completed");
}

static void enable_qresync(struct call *call)
{
    condstore_enable(call);
    client_of(call)->qresync = true;
}

static void enable_utf8(struct call *call)
{
    client_of(call)->utf8 = true;
}

/* From here on changes are told. */
static void enable_metadata(struct call *call)
{
    struct client *client = client_of(call);
    struct metadata_list list;
    struct error err;

    if (!client->metadata && !metadata_changed(client->account, client->account_id, UINT64_MAX,
                                               &call->arena, &list, &client->metadata_told, &err))
        log_failure(&call->log, &err);
    client->metadata = true;
}

/* What RFC 3501 has and RFC 9051 has not is not told any more (RFC 9051 appendix E). */
static void enable_rev2(struct call *call)
{
    client_of(call)->rev2 = true;
    uidset_clear(&client_of(call)->view.recent);
}

static void enable_uidonly(struct call *call)
{
    client_of(call)->uidonly = true;
}

static const struct {
    const char *name;
    void (*enable)(struct call *call);
} features[] = {
    { "CONDSTORE", condstore_enable }, /* RFC 7162 section 3.1 */
    { "QRESYNC", enable_qresync },     /* RFC 7162 section 3.2.3 */
    { "UTF8=ACCEPT", enable_utf8 },    /* RFC 6855 section 3 */
    { "METADATA", enable_metadata },   /* RFC 5464 section 4.1 */
    { "METADATA-SERVER", enable_metadata },
    { "IMAP4rev2", enable_rev2 },  /* RFC 9051 section 6.3.1 */
    { "UIDONLY", enable_uidonly }, /* RFC 9586 section 3.1 */
};

static enum next enable(struct call *call, unsigned asked)
{
    buf_add_text(&call->out, "* ENABLED");
    for (size_t i = 0; i < COUNT_OF(features); i++)
        if ((asked & 1u << i) != 0)
            buf_fmt(&call->out, " %s", features[i].name);
    buf_add_text(&call->out, "\r\n");
    for (size_t i = 0; i < COUNT_OF(features); i++)
        if ((asked & 1u << i) != 0)
            features[i].enable(call);
    return reply_ok(call, "ENABLE completed");
}

/* enable = "ENABLE" 1*(SP capability); those we do not know are passed over. */
enum next imap_enable(struct call *call, struct args *args)
{
    struct slice name;
    unsigned asked = 0;

    do {
        if (!args_space(args) || !args_atom(args, &name))
            return reply_syntax(call, args);
        for (size_t i = 0; i < COUNT_OF(features); i++)
            if (slice_is(name, features[i].name))
                asked |= 1u << i;
    } while (!args_at_end(args));

    return enable(call, asked);
}

/* capability.c - see capability.h. A new extension has its row here. */
#include "imapd/capability.h"
#include "imapd/limit.h"

static const struct {
    const char *name;
    bool before_login; /* worth telling a stranger */
} capabilities[] = {
    { "IMAP4rev1", true },
    { "IMAP4rev2", true },
    { "LITERAL+", true },
    { "SASL-IR", true },
    { "ID", true },
    { "ENABLE", true },
    { "IDLE", true },
    { "NOTIFY", false },
    { "NAMESPACE", false },
    { "BINARY", false },
    { "CATENATE", false },
    { "CHILDREN", false },
    { "UNSELECT", false },
    { "UIDPLUS", false },
    { "ACL", false },
    { "RIGHTS=kxte", false },
    { "LIST-MYRIGHTS", false },
    { "MOVE", false },
    { "MULTIAPPEND", false },
    { "REPLACE", false },
    { "SPECIAL-USE", false },
    { "CREATE-SPECIAL-USE", false },
    { "LIST-EXTENDED", false },
    { "LIST-STATUS", false },
    { "STATUS=SIZE", false },
    { "CONDSTORE", false },
    { "QRESYNC", false },
    { "ESEARCH", false },
    { "OBJECTID", false },
    { "PREVIEW", false },
    { "SAVEDATE", false },
    { "CONTEXT=SORT", false },
    { "SORT", false },
    { "SORT=DISPLAY", false },
    { "ESORT", false },
    { "THREAD=ORDEREDSUBJECT", false },
    { "THREAD=REFERENCES", false },
    { "SEARCHRES", false },
    { "WITHIN", false },
    { "PARTIAL", false },
    { "FILTERS", false },
    { "CONTEXT=SEARCH", false },
    { "MULTISEARCH", false },
    { "SEARCH=FUZZY", false },
    { "I18NLEVEL=1", false },
    { "I18NLEVEL=2", false },
    { "UTF8=ACCEPT", false },
    { "UIDONLY", false },
    { "COMPRESS=DEFLATE", false },
    { "UIDBATCHES", false },
    { "UNAUTHENTICATE", false },
    { "INPROGRESS", false },
    { "QUOTA", false },
    { "QUOTA=RES-STORAGE", false },
    { "QUOTA=RES-MESSAGE", false },
    { "QUOTA=RES-MAILBOX", false },
    { "QUOTA=RES-ANNOTATION-STORAGE", false },
    { "QUOTASET", false },
    { "METADATA", false },
    { "METADATA-SERVER", false },
    { "LIST-METADATA", false },
    { "LANGUAGE", true },
    { "URLAUTH", false },
};

static const enum sasl_mechanism mechanisms[] = { SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256,
                                                  SASL_PLAIN, SASL_LOGIN };

bool passwords_are_on(const struct call *call)
{
    return call->secure || client_of(call)->imap->settings->plaintext;
}

bool mechanism_is_on(const struct call *call, enum sasl_mechanism mechanism)
{
    if (mechanism == SASL_SCRAM_SHA_256_PLUS)
        return call->binding_exporter.len > 0 || call->binding_end_point.len > 0;
    return !sasl_sends_password(mechanism) || passwords_are_on(call);
}

static void print_login_ways(const struct call *call, struct buf *out)
{
    if (call->tls_offered && !call->secure)
        buf_add_text(out, " STARTTLS");
    if (!passwords_are_on(call))
        buf_add_text(out, " LOGINDISABLED");
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++)
        if (mechanism_is_on(call, mechanisms[i]))
            buf_fmt(out, " AUTH=%s", sasl_name(mechanisms[i]));
}

/* Not both at once (RFC 7888 section 5). */
static const char *name_of(const struct client *client, const char *name)
{
    return client->imap->settings->literal_minus && strcmp(name, "LITERAL+") == 0 ? "LITERAL-"
                                                                                  : name;
}

void capability_print(const struct call *call, struct buf *out)
{
    const struct client *client = client_of(call);
    bool stranger = client->state == CLIENT_NOT_AUTHENTICATED;

    for (size_t i = 0; i < COUNT_OF(capabilities); i++) {
        if (stranger && !capabilities[i].before_login)
            continue;
        if (i > 0)
            buf_add_byte(out, ' ');
        buf_add_text(out, name_of(client, capabilities[i].name));
    }
    if (stranger) {
        print_login_ways(call, out);
        return;
    }
    buf_fmt(out, " APPENDLIMIT=%llu",
            (unsigned long long)client->imap->settings->literal); /* RFC 7889 */
    limit_announce(client->imap->settings, out);
}

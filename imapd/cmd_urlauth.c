/* cmd_urlauth.c - GENURLAUTH, URLFETCH, RESETKEY (RFC 4467 section 7).
 *
 * A URL that is no good is answered with NIL, whatever the reason: who guesses learns nothing.
 * Bytes are sent piece by piece; between two turns only their place is kept (struct url_fetch).
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/place.h"
#include "imapd/reply.h"
#include "storage/directory.h"
#include "storage/mail_part.h"
#include "storage/urlauth.h"

#define URLS_MAX     100 /* of one command */
#define STREAM_BYTES (128 * 1024)

struct url_fetch {
    struct slice urls[URLS_MAX];
    size_t n_urls, at;
    bool streaming; /* the literal of urls[at] is begun */
    uint64_t owner, offset;
    struct mail_part part;
};

/* Of a mailbox of the user's own, with somebody who may use the URL (section 7). */
static bool check_rump(struct call *call, const struct imap_url *url, struct mailbox_info *info_out)
{
    const struct client *client = client_of(call);
    struct account_info owner;
    struct error err;

    return url->absolute && url->access != URL_ACCESS_NONE && url->mechanism.len == 0 &&
           account_by_address(call->desk, &call->arena, url->user, &owner, &err) &&
           owner.id == client->account_id &&
           mailbox_by_name(client->account, &call->arena, url->mailbox, info_out, &err);
}

enum next imap_genurlauth(struct call *call, struct args *args)
{
    AUTO(buf_free) struct buf answer = { 0 };
    struct error err;
    size_t n = 0;

    buf_add_text(&answer, "* GENURLAUTH");
    do {
        AUTO(buf_free) struct buf full = { 0 };
        struct slice text, mechanism;
        struct mailbox_info info;
        struct imap_url url;

        if (n++ == URLS_MAX || !args_space(args) || !args_astring(args, &text) ||
            !args_space(args) || !args_atom(args, &mechanism))
            return reply_syntax(call, args);
        if (!slice_is(mechanism, URLAUTH_MECHANISM))
            return reply_bad(call, "The only mechanism is " URLAUTH_MECHANISM);
        if (!imap_url_parse(text, &call->arena, &url) || !check_rump(call, &url, &info))
            return reply_bad(call, "No URL of a message of yours, with ;URLAUTH= and an access");
        buf_add_slice(&full, text);
        buf_add_text(&full, ":internal:");
        if (!urlauth_sign(client_of(call)->account, info.id, url.rump, &full, &err))
            return reply_error(call, &err);
        buf_add_byte(&answer, ' ');
        reply_string(&answer, buf_slice(&full));
    } while (!args_at_end(args));
    buf_add_text(&answer, "\r\n");
    buf_add_slice(&call->out, buf_slice(&answer));
    return reply_ok(call, "GENURLAUTH completed");
}

/* RESETKEY [SP mailbox *(SP mechanism)] */
enum next imap_resetkey(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct place place = { .account = client->account };
    struct slice name, mechanism;
    struct error err;

    if (!args_at_end(args)) {
        if (!args_space(args) || !args_mailbox(args, &name))
            return reply_syntax(call, args);
        while (args_try_byte(args, ' '))
            if (!args_atom(args, &mechanism) || !slice_is(mechanism, URLAUTH_MECHANISM))
                return reply_bad(call, "The only mechanism is " URLAUTH_MECHANISM);
        if (!args_end(args))
            return reply_syntax(call, args);
        if (!place_find(call, name, RIGHT_LOOKUP, &place, &err))
            return reply_error(call, &err);
        if (place.account != client->account)
            return reply_no(call, "NOPERM", "The keys are its owner's");
    }
    if (!urlauth_reset(client->account, place.info.id, &err))
        return reply_error(call, &err);
    return reply_ok_code(call, "URLMECH " URLAUTH_MECHANISM, "RESETKEY completed");
}

/* Finds what urls[at] names. */
static bool open_url(struct call *call, struct url_fetch *fetch, struct error *err)
{
    const struct url_visitor visitor = { .account = client_of(call)->account_id };
    struct account *account;
    struct imap_url url;
    uint64_t mailbox;
    uint32_t uidvalidity;

    return (imap_url_parse(fetch->urls[fetch->at], &call->arena, &url) ||
            error_set(err, ERROR_INVALID, "not a URL")) &&
           urlauth_open(call->desk, &url, &visitor, &fetch->owner, &mailbox, &uidvalidity, err) &&
           desk_account(call->desk, fetch->owner, &account, err) &&
           mail_part_find(account, mailbox, uidvalidity, &url, &fetch->part, err);
}

/* "* URLFETCH url nstring", without the string's bytes. False: it has none. */
static bool begin_url(struct call *call, struct url_fetch *fetch)
{
    struct error err;

    buf_add_text(&call->out, "* URLFETCH ");
    reply_string(&call->out, fetch->urls[fetch->at]);
    if (!open_url(call, fetch, &err)) {
        buf_add_text(&call->out, " NIL\r\n");
        return false;
    }
    buf_fmt(&call->out, " {%llu}\r\n", (unsigned long long)fetch->part.len);
    fetch->offset = 0;
    fetch->streaming = true;
    return true;
}

static bool stream(struct call *call, struct url_fetch *fetch, struct error *err)
{
    size_t before = call->out.len;
    struct account *account;

    if (!desk_account(call->desk, fetch->owner, &account, err) ||
        !mail_part_read(account, &fetch->part, fetch->offset, STREAM_BYTES, &call->out, err))
        return false;
    fetch->offset += call->out.len - before;
    if (fetch->offset < fetch->part.len)
        return true;
    buf_add_text(&call->out, "\r\n");
    mail_part_free(&fetch->part);
    fetch->streaming = false;
    fetch->at++;
    return true;
}

static void abandon(struct call *call)
{
    struct url_fetch *fetch = client_of(call)->work;

    mail_part_free(&fetch->part);
}

static enum next go_on(struct call *call)
{
    struct client *client = client_of(call);
    struct url_fetch *fetch = client->work;
    struct error err;

    if (fetch->at == fetch->n_urls)
        return reply_ok(call, "URLFETCH completed");
    if (!fetch->streaming && !begin_url(call, fetch))
        fetch->at++;
    else if (!stream(call, fetch, &err)) {
        /* Within a literal there is no way to say NO. */
        log_failure(&call->log, &err);
        abandon(call);
        client->abandon = NULL;
        return NEXT_CLOSE;
    }
    client->resume = go_on;
    return NEXT_AGAIN;
}

enum next imap_urlfetch(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct url_fetch *fetch = ARENA_NEW(&call->arena, struct url_fetch);

    do {
        if (fetch->n_urls == URLS_MAX || !args_space(args) ||
            !args_astring(args, &fetch->urls[fetch->n_urls++]))
            return reply_syntax(call, args);
    } while (!args_at_end(args));
    client->work = fetch;
    client->abandon = abandon;
    return go_on(call);
}

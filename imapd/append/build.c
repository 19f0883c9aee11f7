/* build.c - what the messages of APPEND are made of, when the command is whole.
 *
 * A plain message is there already. A catenated one (RFC 4469) is written anew, part by part, from
 * what was sent and from what URLs name: BUILD_BYTES per turn, and never more of it in memory than
 * READ_BYTES. URLs are relative to the selected mailbox or to the user's account; what they name
 * is read with the user's own rights.
 */
#include "imapd/append/append.h"
#include "imapd/reply.h"
#include "message/storable.h"

#define BUILD_BYTES (4 * 1024 * 1024)
#define READ_BYTES  (256 * 1024)

struct body *append_body(const struct append_message *message)
{
    return message->built != NULL ? message->built : message->text;
}

static enum append_build refuse(struct call *call, const char *code, const char *text)
{
    reply_no(call, code, text);
    return APPEND_REFUSED;
}

static enum append_build refuse_error(struct call *call, const struct error *err)
{
    reply_error(call, err);
    return APPEND_REFUSED;
}

/* Whose mailbox a URL names. False: none. */
static bool find_mailbox(struct call *call, const struct imap_url *url, struct place *place_out,
                         struct error *err)
{
    struct client *client = client_of(call);

    if (url->mailbox.len > 0)
        return place_find(call, url->mailbox, RIGHT_READ, place_out, err);
    if (client->state != CLIENT_SELECTED)
        return error_set(err, ERROR_NOT_FOUND, "no mailbox is selected");
    place_out->account = client->selected;
    place_out->info = (struct mailbox_info){ .id = client->view.mailbox,
                                             .uidvalidity = client->view.uidvalidity };
    return true;
}

/* Finds a URL's bytes in the first turn; the handle is asked for again in each. */
static bool open_url(struct call *call, struct append_part *part, struct account **account_out,
                     struct error *err)
{
    struct place place;

    if (!find_mailbox(call, &part->url, &place, err))
        return false;
    *account_out = place.account;
    if (part->found)
        return true;
    part->found = true;
    return mail_part_find(place.account, place.info.id, place.info.uidvalidity, &part->url,
                          &part->source, err);
}

static enum append_build refuse_part(struct call *call, const struct append_part *part,
                                     const struct error *err)
{
    if (err->kind == ERROR_NOT_FOUND || err->kind == ERROR_DENIED || err->kind == ERROR_INVALID)
        append_refuse_url(call, part->url_text);
    else
        reply_error(call, err);
    return APPEND_REFUSED;
}

/* Do the messages become too big with so much more? */
static bool fits(struct call *call, uint64_t len)
{
    const struct client *client = client_of(call);

    return len <= client->imap->settings->literal - client->append->built_bytes;
}

static bool add_bytes(struct call *call, struct append_message *message, struct slice bytes,
                      size_t *turn, struct error *err)
{
    client_of(call)->append->built_bytes += bytes.len;
    *turn -= MIN(*turn, bytes.len);
    return body_add(message->built, bytes, err);
}

/* The next bytes of a URL, as many as this turn may still take. */
static enum append_build add_url(struct call *call, struct append_message *message,
                                 struct append_part *part, size_t *turn)
{
    struct account *account;
    struct error err;

    if (!open_url(call, part, &account, &err))
        return refuse_part(call, part, &err);
    if (!fits(call, part->source.len - part->at))
        return refuse(call, "TOOBIG", "The message would become too big");
    while (part->at<part->source.len && * turn> 0) {
        AUTO(buf_free) struct buf bytes = { 0 };

        if (!mail_part_read(account, &part->source, part->at, MIN(READ_BYTES, *turn), &bytes, &err))
            return refuse_part(call, part, &err);
        if (!add_bytes(call, message, buf_slice(&bytes), turn, &err))
            return refuse_error(call, &err);
        part->at += bytes.len;
    }
    if (part->at < part->source.len)
        return APPEND_MORE;
    mail_part_free(&part->source);
    return APPEND_BUILT;
}

static enum append_build add_text(struct call *call, struct append_message *message,
                                  const struct append_part *part, size_t *turn)
{
    struct slice text;
    struct error err;

    if (!fits(call, part->len))
        return refuse(call, "TOOBIG", "The message would become too big");
    if (!body_bytes(message->text, &text, &err) ||
        !add_bytes(call, message, slice_part(text, (size_t)part->at, (size_t)part->len), turn,
                   &err))
        return refuse_error(call, &err);
    return APPEND_BUILT;
}

/* Parts that are done are taken out of the list. */
static enum append_build catenate(struct call *call, struct append_message *message, size_t *turn)
{
    enum append_build built = APPEND_BUILT;
    struct error err;

    if (message->built == NULL)
        message->built = body_new(client_of(call)->imap->store);
    while (message->parts != NULL && built == APPEND_BUILT) {
        if (*turn == 0)
            return APPEND_MORE;
        built = message->parts->url_text.len > 0 ? add_url(call, message, message->parts, turn)
                                                 : add_text(call, message, message->parts, turn);
        if (built == APPEND_BUILT)
            message->parts = message->parts->next;
    }
    if (built != APPEND_BUILT)
        return built;
    if (body_size(message->built) == 0)
        return refuse(call, NULL, "An empty message cannot be stored");
    return body_finish(message->built, &err) ? APPEND_BUILT : refuse_error(call, &err);
}

/* Once for each message, before its parts. */
static enum append_build check_text(struct call *call, const struct append_message *message)
{
    struct error err;

    if (message->nul)
        return refuse(call, NULL, "A message cannot hold NUL");
    if (message->text != NULL && !body_is_finished(message->text) &&
        !body_finish(message->text, &err))
        return refuse_error(call, &err);
    return APPEND_BUILT;
}

static bool add_storable(void *context, struct slice bytes, struct error *err)
{
    return body_add(context, bytes, err);
}

/* NUL may not be stored as it is: the parts that hold one are encoded. One turn's work for each
 * message, as its summary is. */
static enum append_build make_storable(struct call *call, struct append_message *message)
{
    AUTO(body_free) struct body *body = body_new(client_of(call)->imap->store);
    struct slice bytes;
    struct error err;

    if (body_bytes(append_body(message), &bytes, &err) &&
        message_make_storable(bytes, add_storable, body, &err) && body_finish(body, &err)) {
        body_free(&message->built);
        message->built = TAKE(body);
        return APPEND_BUILT;
    }
    if (err.kind == ERROR_INVALID)
        return refuse(call, "UNKNOWN-CTE", "There is NUL outside of a part that can be encoded");
    return refuse_error(call, &err);
}

static enum append_build build_message(struct call *call, struct append_message *message,
                                       size_t *turn)
{
    enum append_build built = message->built != NULL ? APPEND_BUILT : check_text(call, message);

    if (built == APPEND_BUILT && message->catenate)
        built = catenate(call, message, turn);
    if (built == APPEND_BUILT && message->nul8)
        built = make_storable(call, message);
    return built;
}

enum append_build append_build(struct call *call)
{
    struct appending *appending = client_of(call)->append;
    enum append_build built = APPEND_BUILT;
    size_t turn = BUILD_BYTES;

    if (appending->failed)
        return refuse_error(call, &appending->error);
    if (appending->bad_url.len > 0) {
        append_refuse_url(call, appending->bad_url);
        return APPEND_REFUSED;
    }
    if (appending->building == NULL)
        appending->building = appending->messages;
    while (built == APPEND_BUILT && appending->building != NULL) {
        built = build_message(call, appending->building, &turn);
        if (built == APPEND_BUILT)
            appending->building = appending->building->next;
    }
    return built;
}

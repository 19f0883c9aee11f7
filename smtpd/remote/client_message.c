/* client_message.c - what the server can do, and what a client says that depends on the message:
 * MAIL and RCPT with their parameters, and the message itself.
 */
#include "message/header.h"
#include "message/xtext.h"
#include "smtpd/remote/client.h"

#include <stdio.h>

#define PIECE (48 * 1024) /* bytes of the message made at once */

/* From this size on a message goes as one chunk (RFC 3030), which nobody has to search for dots. */
#define CHUNK_MIN (256 * 1024)

/* "RCPTMAX=50 MAILMAX=10" (RFC 9422); zero and nonsense are no limits. */
static void learn_limits(struct client *client, struct slice line)
{
    struct slice word, name;

    while (slice_split(&line, ' ', &word)) {
        uint64_t number;

        if (!slice_split(&word, '=', &name) || !slice_number(word, UINT32_MAX, &number))
            continue;
        if (slice_is(name, "RCPTMAX"))
            client->rcpt_max = number;
        else if (slice_is(name, "MAILMAX"))
            client->task->transactions_max = number;
    }
}

void client_learn(struct client *client, struct slice line)
{
    static const struct {
        const char *name;
        enum extension bit;
    } known[] = {
        { "PIPELINING", EXTENSION_PIPELINING }, { "8BITMIME", EXTENSION_8BITMIME },
        { "SMTPUTF8", EXTENSION_SMTPUTF8 },     { "DSN", EXTENSION_DSN },
        { "STARTTLS", EXTENSION_STARTTLS },     { "SIZE", EXTENSION_SIZE },
        { "CHUNKING", EXTENSION_CHUNKING },     { "BINARYMIME", EXTENSION_BINARYMIME },
        { "REQUIRETLS", EXTENSION_REQUIRETLS }, { "LIMITS", EXTENSION_LIMITS },
    };
    struct slice name;

    if (!slice_split(&line, ' ', &name))
        return;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_is(name, known[i].name))
            client->extensions |= known[i].bit;
    if (slice_is(name, "AUTH"))
        client_learn_auth(client, line);
    if (slice_is(name, "LIMITS"))
        learn_limits(client, line);
    if (slice_is(name, "SIZE") && !slice_number(slice_trim(line), UINT64_MAX, &client->size_max))
        client->size_max = 0;
}

bool client_read_body(struct client *client, struct error *err)
{
    struct shipment *shipment = client->shipment;
    const struct queue_message *message = &shipment->letter->message;

    if (shipment_body(shipment) == NULL &&
        !queue_body(client->call->desk, message->id, &shipment->body, err))
        return false;
    client->parts[0] = message->prefix;
    return body_bytes(shipment_body(shipment), &client->parts[1], err);
}

void client_choose_recipients(struct client *client)
{
    struct shipment *shipment = client->shipment;
    uint64_t room = client->rcpt_max > 0 ? client->rcpt_max : UINT64_MAX;

    client->next_rcpt = client->rcpt_end = client->n_accepted = 0;
    while (client->rcpt_end < shipment->n_errands) {
        struct errand *errand = &shipment->errands[client->rcpt_end];
        bool is_open = errand->outcome == OUTCOME_OPEN;

        if (is_open && room-- == 0)
            return;
        errand->accepted = errand->accepted && !is_open;
        client->rcpt_end++;
    }
}

static bool has(const struct client *client, unsigned extensions)
{
    return (client->extensions & extensions) == extensions;
}

/* RFC 6531 section 3.2: an address or the header is not ASCII. */
static bool needs_utf8(const struct client *client)
{
    const struct shipment *shipment = client->shipment;
    const struct queue_message *message = &shipment->letter->message;
    struct slice body = client->parts[1];

    if (!message->utf8)
        return false;
    for (size_t i = 0; i < shipment->n_errands; i++)
        if (!slice_is_ascii(shipment->errands[i].to->address))
            return true;
    return !slice_is_ascii(shipment_sender(shipment)) ||
           !slice_is_ascii(slice_part(body, 0, header_length(body)));
}

static bool refuse(struct client *client, const char *status, const char *text)
{
    shipment_end(client->shipment, OUTCOME_FAILED, status, text);
    return false;
}

bool client_may_send(struct client *client)
{
    const struct queue_message *message = &client->shipment->letter->message;

    client->has_8bit = !slice_is_ascii(client->parts[0]) || !slice_is_ascii(client->parts[1]);
    if (client->size_max > 0 && message->size > client->size_max)
        return refuse(client, "5.3.4", "The message is larger than the other server takes");
    if (message->binary && !has(client, EXTENSION_CHUNKING | EXTENSION_BINARYMIME))
        return refuse(client, "5.6.3", "The other server takes no binary messages");
    if (client->has_8bit && !message->binary && !has(client, EXTENSION_8BITMIME))
        return refuse(client, "5.6.3", "The other server takes no 8-bit messages");
    if (needs_utf8(client) && !has(client, EXTENSION_SMTPUTF8))
        return refuse(client, "5.6.7", "The other server takes no addresses or headers in UTF-8");
    client->in_chunks =
        message->binary || (message->size >= CHUNK_MIN && has(client, EXTENSION_CHUNKING));
    return true;
}

void client_describe_tls(struct client *client)
{
    static const char *const proofs[] = {
        [TLS_ANY] = "", [TLS_TRUSTED] = ", verified", [TLS_DANE] = ", DANE"
    };
    const struct tls_check *check = &client->task->policy.check;
    struct shipment *shipment = client->shipment;

    shipment->tls[0] = '\0';
    if (client->call->secure)
        snprintf(shipment->tls, sizeof(shipment->tls), "%.50s%s", client->call->tls_name,
                 check->fault == TLS_GOOD ? proofs[check->level] : "");
}

void client_say_mail(struct client *client)
{
    const struct queue_message *message = &client->shipment->letter->message;
    struct buf *out = &client->call->out;

    buf_fmt(out, "MAIL FROM:<" SLICE_FMT ">", SLICE_ARG(shipment_sender(client->shipment)));
    if (has(client, EXTENSION_SIZE))
        buf_fmt(out, " SIZE=%llu", (unsigned long long)message->size);
    if (message->binary)
        buf_add_text(out, " BODY=BINARYMIME");
    else if (client->has_8bit)
        buf_add_text(out, " BODY=8BITMIME");
    if (needs_utf8(client))
        buf_add_text(out, " SMTPUTF8");
    if (has(client, EXTENSION_DSN) && message->ret != RETURN_DEFAULT)
        buf_add_text(out, message->ret == RETURN_FULL ? " RET=FULL" : " RET=HDRS");
    if (has(client, EXTENSION_DSN) && message->envid.len > 0)
        buf_fmt(out, " ENVID=" SLICE_FMT, SLICE_ARG(message->envid));
    if (has(client, EXTENSION_REQUIRETLS) && client->call->secure &&
        client->task->policy.offer_require)
        buf_add_text(out, " REQUIRETLS");
    buf_add_text(out, "\r\n");
    client->n_unanswered++;
}

/* RFC 3461 section 4.1. */
static void add_notify(unsigned notify, struct buf *out)
{
    static const struct {
        unsigned bit;
        const char *name;
    } words[] = { { NOTIFY_NEVER, "NEVER" },
                  { NOTIFY_SUCCESS, "SUCCESS" },
                  { NOTIFY_FAILURE, "FAILURE" },
                  { NOTIFY_DELAY, "DELAY" } };
    const char *separator = " NOTIFY=";

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if ((notify & words[i].bit) == 0)
            continue;
        buf_fmt(out, "%s%s", separator, words[i].name);
        separator = ",";
    }
}

/* Where UTF-8 may not stand, an address of that type goes as utf-8-addr-xtext (RFC 6533 section 3);
 * what has no such form is left out. */
static void add_orcpt(struct slice orcpt, bool may_be_utf8, struct buf *out)
{
    AUTO(buf_free) struct buf plain = { 0 };
    struct slice address = orcpt;
    struct slice type;

    if (orcpt.len == 0)
        return;
    if (may_be_utf8 || slice_is_ascii(orcpt)) {
        buf_fmt(out, " ORCPT=" SLICE_FMT, SLICE_ARG(orcpt));
        return;
    }
    if (!slice_split(&address, ';', &type) || !utf8_address_decode(address, &plain))
        return;
    buf_fmt(out, " ORCPT=" SLICE_FMT ";", SLICE_ARG(type));
    utf8_address_encode(buf_slice(&plain), out);
}

void client_say_rcpt(struct client *client, const struct queue_recipient *to)
{
    struct buf *out = &client->call->out;

    buf_fmt(out, "RCPT TO:<" SLICE_FMT ">", SLICE_ARG(to->address));
    if (has(client, EXTENSION_DSN)) {
        add_notify(to->notify, out);
        add_orcpt(to->orcpt, needs_utf8(client), out);
    }
    buf_add_text(out, "\r\n");
    client->n_unanswered++;
}

void client_begin_body(struct client *client)
{
    client->in_line = false;
    if (client->in_chunks)
        buf_fmt(&client->call->out, "BDAT %zu LAST\r\n",
                client->parts[0].len + client->parts[1].len);
    client->n_unanswered += client->task->lmtp ? (unsigned)client->n_accepted : 1;
}

void client_stuff_dots(struct slice bytes, bool *in_line, struct buf *out)
{
    while (bytes.len > 0) {
        ptrdiff_t end = slice_find(bytes, '\n');
        size_t len = end < 0 ? bytes.len : (size_t)end + 1;

        if (!*in_line && bytes.data[0] == '.')
            buf_add_byte(out, '.');
        buf_add(out, bytes.data, len);
        *in_line = end < 0;
        bytes = slice_from(bytes, len);
    }
}

bool client_send_body(struct client *client)
{
    struct slice *part = &client->parts[client->parts[0].len > 0 ? 0 : 1];
    struct slice piece = slice_part(*part, 0, PIECE);
    struct buf *out = &client->call->out;

    *part = slice_from(*part, piece.len);
    if (client->in_chunks)
        buf_add_slice(out, piece);
    else
        client_stuff_dots(piece, &client->in_line, out);
    if (client->parts[0].len + client->parts[1].len > 0)
        return true;
    if (!client->in_chunks)
        buf_add_text(out, client->in_line ? "\r\n.\r\n" : ".\r\n");
    return false;
}

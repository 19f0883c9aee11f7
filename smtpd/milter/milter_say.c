/* milter_say.c - what the milter is told, stage by stage; see milter.h.
 *
 * Macros are those Postfix sends by default: filters that work there find what they need.
 */
#include "smtpd/milter/milter.h"

#include "message/header.h"

#include <stdlib.h>

struct stage_row {
    enum frame_command command;
    uint32_t unwanted, unanswered; /* enum frame_option */
};

static const struct stage_row rows[] = {
    [MILTER_NEGOTIATE] = { SMFIC_OPTNEG, 0, 0 },
    [MILTER_CONNECT] = { SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN },
    [MILTER_HELO] = { SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO },
    [MILTER_MAIL] = { SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL },
    [MILTER_RCPT] = { SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT },
    [MILTER_DATA] = { SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA },
    [MILTER_HEADER] = { SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR },
    [MILTER_EOH] = { SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH },
    [MILTER_BODY] = { SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY },
    [MILTER_END] = { SMFIC_BODYEOB, 0, 0 },
};

bool milter_awaits(const struct milter *milter)
{
    return (milter->options & rows[milter->stage].unanswered) == 0;
}

static void add_macro(struct buf *out, const char *name, struct slice value)
{
    if (value.len == 0)
        return;
    frame_add_text(out, slice_of(name));
    frame_add_text(out, value);
}

static struct slice address_of(const struct milter *milter)
{
    return slice_of(milter->task->facts.peer->address);
}

/* "TLS1.3 AES-256-GCM" is "TLSv1.3" elsewhere. */
static void add_tls_macros(struct buf *out, const char *tls_name)
{
    AUTO(buf_free) struct buf version = { 0 };
    struct slice rest = slice_of(tls_name), word;

    if (!slice_split(&rest, ' ', &word) || !slice_starts(word, "TLS"))
        return;
    buf_fmt(&version, "TLSv" SLICE_FMT, SLICE_ARG(slice_from(word, 3)));
    add_macro(out, "{tls_version}", buf_slice(&version));
    add_macro(out, "{cipher}", rest);
}

static struct slice client_name(const struct milter *milter)
{
    const char *name = milter->task->facts.client_name;

    return name[0] != '\0' ? slice_of(name) : SLICE("unknown");
}

static void add_client_macros(const struct milter *milter, struct buf *out)
{
    AUTO(buf_free) struct buf client = { 0 }, port = { 0 };
    struct slice name = client_name(milter);

    buf_fmt(&client, SLICE_FMT " [" SLICE_FMT "]", SLICE_ARG(name), SLICE_ARG(address_of(milter)));
    buf_add_number(&port, milter->task->facts.peer->port);
    add_macro(out, "_", buf_slice(&client));
    add_macro(out, "{client_addr}", address_of(milter));
    add_macro(out, "{client_name}", name);
    add_macro(out, "{client_port}", buf_slice(&port));
}

static void add_connect_macros(const struct milter *milter, struct buf *out)
{
    add_macro(out, "j", slice_of(milter->task->facts.hostname));
    add_macro(out, "v", SLICE("Postane " POSTANE_VERSION));
    add_macro(out, "{daemon_name}", slice_of(milter->task->facts.hostname));
    add_client_macros(milter, out);
}

static void add_id_macro(const struct milter *milter, struct buf *out)
{
    AUTO(buf_free) struct buf id = { 0 };

    buf_fmt(&id, "%016llx", (unsigned long long)milter->task->facts.trace_id);
    add_macro(out, "i", buf_slice(&id));
}

static struct slice domain_of(struct slice address)
{
    return slice_from(address, (size_t)(slice_find_last(address, '@') + 1));
}

static void add_mail_macros(const struct milter *milter, struct buf *out)
{
    const struct milter_facts *facts = &milter->task->facts;

    add_id_macro(milter, out);
    if (facts->login.len > 0)
        add_macro(out, "{auth_type}", slice_of(facts->login_method));
    add_macro(out, "{auth_authen}", facts->login);
    add_macro(out, "{mail_addr}", facts->sender);
    add_macro(out, "{mail_host}", domain_of(facts->sender));
    add_macro(out, "{mail_mailer}", SLICE("smtp"));
}

static void add_rcpt_macros(const struct milter *milter, struct buf *out)
{
    struct slice address = milter->task->facts.recipients[milter->next_recipient];

    add_id_macro(milter, out);
    add_macro(out, "{rcpt_addr}", address);
    add_macro(out, "{rcpt_host}", domain_of(address));
    add_macro(out, "{rcpt_mailer}", SLICE("smtp"));
}

static void say_macros(const struct milter *milter)
{
    struct buf *out = &milter->call->out;
    size_t at = frame_begin(out, SMFIC_MACRO);

    buf_add_byte(out, (char)rows[milter->stage].command);
    switch (milter->stage) {
    case MILTER_CONNECT:
        add_connect_macros(milter, out);
        break;
    case MILTER_HELO:
        add_tls_macros(out, milter->task->facts.tls_name);
        break;
    case MILTER_MAIL:
        add_mail_macros(milter, out);
        break;
    case MILTER_RCPT:
        add_rcpt_macros(milter, out);
        break;
    case MILTER_DATA:
    case MILTER_EOH:
    case MILTER_END:
        add_id_macro(milter, out);
        break;
    case MILTER_NEGOTIATE:
    case MILTER_HEADER:
    case MILTER_BODY:
        buf_truncate(out, at);
        return;
    }
    frame_end(out, at);
}

/* A client without a name is called by its address, in brackets. */
static void add_host(const struct milter *milter, struct buf *out)
{
    AUTO(buf_free) struct buf literal = { 0 };

    buf_fmt(&literal, "[%s]", milter->task->facts.peer->address);
    frame_add_text(out, milter->task->facts.client_name[0] != '\0' ? client_name(milter)
                                                                   : buf_slice(&literal));
}

static void add_connect(const struct milter *milter, struct buf *out)
{
    const struct conn_peer *peer = milter->task->facts.peer;
    char family = strchr(peer->address, ':') != NULL ? '6' : '4';

    if (strchr(peer->address, '.') == NULL && family == '4') {
        frame_add_text(out, SLICE("localhost"));
        buf_add_byte(out, 'L'); /* a unix socket, without a name of its own */
        frame_add_u16(out, 0);
        frame_add_text(out, SLICE("unix"));
        return;
    }
    add_host(milter, out);
    buf_add_byte(out, family);
    frame_add_u16(out, peer->port);
    frame_add_text(out, slice_of(peer->address));
}

static void add_path(struct buf *out, struct slice address)
{
    buf_add_byte(out, '<');
    buf_add_slice(out, address);
    buf_add_text(out, ">");
    buf_add_byte(out, '\0');
}

static void add_mail(const struct milter *milter, struct buf *out)
{
    const struct milter_facts *facts = &milter->task->facts;

    add_path(out, facts->sender);
    if (facts->eight_bit)
        frame_add_text(out, SLICE("BODY=8BITMIME"));
    if (facts->utf8)
        frame_add_text(out, SLICE("SMTPUTF8"));
}

/* Folded lines end in LF here, by custom. */
static bool add_field(struct milter *milter, struct buf *out)
{
    AUTO(buf_free) struct buf value = { 0 };
    struct header_field field;
    struct slice line;

    if (!header_next(&milter->header, &field))
        return false;
    if ((milter->options & SMFIP_HDR_LEADSPC) == 0 && field.value.len > 0 &&
        (field.value.data[0] == ' ' || field.value.data[0] == '\t'))
        field.value = slice_from(field.value, 1);
    while (slice_split(&field.value, '\r', &line))
        buf_add_slice(&value, line);
    frame_add_text(out, field.name);
    frame_add_text(out, buf_slice(&value));
    return true;
}

static bool add_chunk(struct milter *milter, struct buf *out)
{
    struct slice chunk = slice_part(milter->body, 0, FRAME_BODY_MAX);

    buf_add_slice(out, chunk);
    milter->body = slice_from(milter->body, chunk.len);
    return chunk.len > 0;
}

static void add_negotiation(struct buf *out)
{
    frame_add_u32(out, FRAME_VERSION);
    frame_add_u32(out, FRAME_ACTIONS);
    frame_add_u32(out, FRAME_OPTIONS);
}

/* The command's data; false when there is no more of it. */
static bool add_data(struct milter *milter, struct buf *out)
{
    switch (milter->stage) {
    case MILTER_NEGOTIATE:
        add_negotiation(out);
        return !milter->entered;
    case MILTER_CONNECT:
        add_connect(milter, out);
        return !milter->entered;
    case MILTER_HELO:
        frame_add_text(out, milter->task->facts.helo);
        return !milter->entered;
    case MILTER_MAIL:
        add_mail(milter, out);
        return !milter->entered;
    case MILTER_RCPT:
        add_path(out, milter->task->facts.recipients[milter->next_recipient++]);
        return true;
    case MILTER_HEADER:
        return add_field(milter, out);
    case MILTER_BODY:
        return add_chunk(milter, out);
    case MILTER_DATA:
    case MILTER_EOH:
    case MILTER_END:
        return !milter->entered;
    }
    abort();
}

bool milter_say(struct milter *milter)
{
    struct buf *out = &milter->call->out;
    const struct stage_row *row = &rows[milter->stage];
    size_t before = out->len, at;

    if ((milter->options & row->unwanted) != 0)
        return false;
    if (milter->stage == MILTER_RCPT && milter->next_recipient >= milter->task->facts.n_recipients)
        return false;
    say_macros(milter);
    at = frame_begin(out, row->command);
    if (!add_data(milter, out)) {
        buf_truncate(out, before);
        return false;
    }
    frame_end(out, at);
    milter->entered = true;
    return true;
}

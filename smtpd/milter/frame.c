/* frame.c - see frame.h. */
#include "smtpd/milter/frame.h"

static uint32_t u32(struct slice in)
{
    const unsigned char *bytes = (const unsigned char *)in.data;

    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

enum parse frame_parse(struct slice in, struct frame *frame_out)
{
    uint32_t len;

    if (in.len < 4)
        return PARSE_MORE;
    len = u32(in);
    if (len == 0 || len > FRAME_MAX)
        return PARSE_BAD;
    if (in.len - 4 < len)
        return PARSE_MORE;
    frame_out->command = in.data[4];
    frame_out->data = slice_part(in, FRAME_HEAD, len - 1);
    return PARSE_OK;
}

static bool take_u32(struct slice *rest, uint32_t *number_out)
{
    if (rest->len < 4)
        return false;
    *number_out = u32(*rest);
    *rest = slice_from(*rest, 4);
    return true;
}

/* Up to its NUL, which has to be there. */
static bool take_text(struct slice *rest, struct slice *text_out)
{
    ptrdiff_t end = slice_find(*rest, '\0');

    if (end < 0)
        return false;
    *text_out = slice_part(*rest, 0, (size_t)end);
    *rest = slice_from(*rest, (size_t)end + 1);
    return true;
}

static bool take_pair(struct slice *rest, struct frame_reply *reply)
{
    return take_text(rest, &reply->name) && take_text(rest, &reply->value);
}

static bool take_optneg(struct slice *rest, struct frame_reply *reply)
{
    return take_u32(rest, &reply->version) && take_u32(rest, &reply->actions) &&
           take_u32(rest, &reply->options);
}

bool frame_read(const struct frame *frame, struct frame_reply *reply)
{
    struct slice rest = frame->data;

    *reply = (struct frame_reply){ .kind = (enum frame_answer)frame->command };
    switch (frame->command) {
    case SMFIR_SHUTDOWN:
    case SMFIR_ACCEPT:
    case SMFIR_CONTINUE:
    case SMFIR_DISCARD:
    case SMFIR_CONN_FAIL:
    case SMFIR_PROGRESS:
    case SMFIR_REJECT:
    case SMFIR_SKIP:
    case SMFIR_TEMPFAIL:
        return true;
    case SMFIR_OPTNEG:
        return take_optneg(&rest, reply);
    case SMFIR_REPLBODY:
        reply->value = rest;
        return true;
    case SMFIR_ADDRCPT:
    case SMFIR_DELRCPT:
        return take_text(&rest, &reply->name);
    case SMFIR_ADDRCPT_PAR:
    case SMFIR_CHGFROM: /* parameters may be left out */
        return take_text(&rest, &reply->name) && (rest.len == 0 || take_text(&rest, &reply->value));
    case SMFIR_QUARANTINE:
    case SMFIR_REPLYCODE:
        return take_text(&rest, &reply->value);
    case SMFIR_ADDHEADER:
        return take_pair(&rest, reply);
    case SMFIR_INSHEADER:
    case SMFIR_CHGHEADER:
        return take_u32(&rest, &reply->index) && take_pair(&rest, reply);
    }
    return false;
}

size_t frame_begin(struct buf *out, enum frame_command command)
{
    size_t at = out->len;

    frame_add_u32(out, 0);
    buf_add_byte(out, (char)command);
    return at;
}

void frame_end(struct buf *out, size_t at)
{
    size_t len = out->len - at - 4;

    for (size_t i = 0; i < 4; i++)
        out->data[at + i] = (char)(len >> (24 - 8 * i));
}

void frame_add_text(struct buf *out, struct slice text)
{
    struct slice part;

    while (slice_split(&text, '\0', &part))
        buf_add_slice(out, part);
    buf_add_byte(out, '\0');
}

void frame_add_u32(struct buf *out, uint32_t number)
{
    frame_add_u16(out, (uint16_t)(number >> 16));
    frame_add_u16(out, (uint16_t)number);
}

void frame_add_u16(struct buf *out, uint16_t number)
{
    buf_add_byte(out, (char)(number >> 8));
    buf_add_byte(out, (char)number);
}

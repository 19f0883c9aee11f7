/* transfer.c - see transfer.h; also the decoders of whole bodies, which decode.h declares.
 *
 * Quoted-printable is read line by line: what ends a line decides whether the blanks in front of it
 * are there (RFC 2045 section 6.7, rule 3). A line longer than a piece is cut where that cannot
 * matter.
 */
#include "message/transfer.h"

#include "message/decode.h"

enum transfer transfer_of(struct slice encoding)
{
    static const struct {
        const char *name;
        enum transfer how;
    } names[] = {
        { "", TRANSFER_IDENTITY },     { "7bit", TRANSFER_IDENTITY },
        { "8bit", TRANSFER_IDENTITY }, { "binary", TRANSFER_IDENTITY },
        { "base64", TRANSFER_BASE64 }, { "quoted-printable", TRANSFER_QUOTED_PRINTABLE },
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_is(encoding, names[i].name))
            return names[i].how;
    return TRANSFER_UNKNOWN;
}

/* Without the blanks that transport has added (RFC 2045 section 6.7, rule 3). */
static struct slice without_blanks(struct slice line)
{
    while (line.len > 0 && (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\t'))
        line.len--;
    return line;
}

static void decode_line(struct slice line, struct buf *out)
{
    while (line.len > 0) {
        ptrdiff_t equals = slice_find(line, '=');
        size_t plain = equals < 0 ? line.len : (size_t)equals;
        int byte = equals < 0 ? -1 : hex_byte_after(line, plain);

        buf_add(out, line.data, plain);
        if (byte >= 0)
            buf_add_byte(out, (char)byte);
        else if (equals >= 0)
            buf_add_byte(out, '=');
        line = slice_from(line, plain + (byte >= 0 ? 3 : 1));
    }
}

/* A line, without its LF: `ended` says whether there was one. */
static void decode_whole_line(struct slice line, bool ended, struct buf *out)
{
    bool carriage_return = line.len > 0 && ended && line.data[line.len - 1] == '\r';

    line.len -= carriage_return;
    line = without_blanks(line);
    if (line.len > 0 && line.data[line.len - 1] == '=') {
        line.len--; /* a soft line break */
        decode_line(line, out);
        return;
    }
    decode_line(line, out);
    if (ended)
        buf_add_text(out, carriage_return ? "\r\n" : "\n");
}

/* How much of a line whose end is not there yet can be decoded: up to blanks that may be the last,
 * and not into "=C3". */
static size_t safe_length(struct slice line)
{
    struct slice safe = line;

    if (safe.len > 0 && safe.data[safe.len - 1] == '\r')
        safe.len--;
    safe = without_blanks(safe);
    for (size_t back = 1; back <= 3 && back <= safe.len; back++)
        if (safe.data[safe.len - back] == '=')
            return safe.len - back;
    return safe.len;
}

static size_t quoted_printable_piece(struct slice piece, bool last, struct buf *out)
{
    struct slice rest = piece;
    size_t safe;

    buf_reserve(out, piece.len);
    for (ptrdiff_t end; (end = slice_find(rest, '\n')) >= 0;
         rest = slice_from(rest, (size_t)end + 1))
        decode_whole_line(slice_part(rest, 0, (size_t)end), true, out);
    if (last) {
        if (rest.len > 0)
            decode_whole_line(rest, false, out);
        return piece.len;
    }
    if (rest.len < TRANSFER_PIECE_MIN)
        return piece.len - rest.len;
    /* Thousands of blanks in a row are taken as text. */
    safe = safe_length(rest);
    safe = safe > 0 ? safe : rest.len - 3;
    decode_line(slice_part(rest, 0, safe), out);
    return piece.len - rest.len + safe;
}

/* Six bits of a base64 character, or -1. */
static int base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void base64_piece(struct transfer_decoder *decoder, struct slice text, struct buf *out)
{
    char *to = buf_reserve(out, text.len / 4 * 3 + 4);
    size_t len = 0;

    for (size_t i = 0; i < text.len && !decoder->ended; i++) {
        int value = base64_value((unsigned char)text.data[i]);

        if (value < 0) {
            decoder->ended = text.data[i] == '=' && decoder->n_bits > 0 && decoder->n_bits <= 4;
            continue;
        }
        decoder->bits = decoder->bits << 6 | (uint32_t)value;
        decoder->n_bits += 6;
        if (decoder->n_bits >= 8) {
            decoder->n_bits -= 8;
            to[len++] = (char)(decoder->bits >> decoder->n_bits);
        }
    }
    buf_wrote(out, len);
}

size_t transfer_decode_piece(struct transfer_decoder *decoder, struct slice piece, bool last,
                             struct buf *out)
{
    switch (decoder->how) {
    case TRANSFER_BASE64:
        base64_piece(decoder, piece, out);
        return piece.len;
    case TRANSFER_QUOTED_PRINTABLE:
        return quoted_printable_piece(piece, last, out);
    case TRANSFER_IDENTITY:
    case TRANSFER_UNKNOWN:
        buf_add_slice(out, piece);
        break;
    }
    return piece.len;
}

void base64_body_decode(struct slice text, struct buf *out)
{
    base64_piece(&(struct transfer_decoder){ 0 }, text, out);
}

void quoted_printable_decode(struct slice text, struct buf *out)
{
    quoted_printable_piece(text, true, out);
}

void transfer_decode(struct slice encoding, struct slice body, struct buf *out)
{
    transfer_decode_piece(&(struct transfer_decoder){ .how = transfer_of(encoding) }, body, true,
                          out);
}

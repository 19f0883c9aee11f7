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
    char *to = buf_reserve(out, line.len);
    size_t len = 0;

    for (size_t i = 0; i < line.len; i++) {
        int byte = line.data[i] == '=' ? hex_byte_after(line, i) : -1;

        to[len++] = byte >= 0 ? (char)byte : line.data[i];
        i += byte >= 0 ? 2 : 0;
    }
    buf_wrote(out, len);
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

/* One more than the six bits of a base64 character; 0 for others. */
static const unsigned char base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* Whole groups of four characters, up to the first that has something else. Returns how many
 * characters it took, and writes three bytes for each four. */
static size_t base64_groups(struct slice text, char *to)
{
    const unsigned char *from = (const unsigned char *)text.data;
    size_t i = 0;

    for (; i + 4 <= text.len; i += 4) {
        uint32_t a = base64_values[from[i]], b = base64_values[from[i + 1]];
        uint32_t c = base64_values[from[i + 2]], d = base64_values[from[i + 3]];

        if (a == 0 || b == 0 || c == 0 || d == 0)
            break;
        a = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        *to++ = (char)(a >> 16);
        *to++ = (char)(a >> 8);
        *to++ = (char)a;
    }
    return i;
}

static void base64_piece(struct transfer_decoder *decoder, struct slice text, struct buf *out)
{
    char *to = buf_reserve(out, text.len / 4 * 3 + 4);
    size_t len = 0;

    for (size_t i = 0; i < text.len && !decoder->ended; i++) {
        size_t groups = decoder->n_bits == 0 ? base64_groups(slice_from(text, i), to + len) : 0;
        unsigned value;

        len += groups / 4 * 3;
        i += groups;
        if (i == text.len)
            break;
        value = base64_values[(unsigned char)text.data[i]];
        if (value == 0) {
            decoder->ended = text.data[i] == '=' && decoder->n_bits > 0 && decoder->n_bits <= 4;
            continue;
        }
        decoder->bits = decoder->bits << 6 | (value - 1);
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

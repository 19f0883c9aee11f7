/* decode.c - encoded words.
 *
 * Encoded words (RFC 2047) are looked for anywhere in a value, also inside words and quoted
 * strings, since mail programs put them there. Neighbours of one charset are converted together:
 * some programs cut them in the middle of a character.
 */
#include "message/decode.h"

#include "common/codec.h"

#define ENCODED_WORD_MAX 75 /* RFC 2047 section 2 */
#define CHARSET_MAX      64

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_byte_after(struct slice text, size_t at)
{
    int high, low;

    if (at + 2 >= text.len)
        return -1;
    high = hex_digit(text.data[at + 1]);
    low = hex_digit(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

struct encoded_word {
    struct slice charset; /* without the language of RFC 2231 section 5 */
    char encoding;        /* 'q' or 'b' */
    struct slice text;
    size_t len; /* of all, with "=?" and "?=" */
};

/* Reads the encoded word at the front. *ends_out is false once no "?=" follows any more: then
 * nobody needs to look again, and hostile input costs no quadratic time. */
static bool parse_encoded_word(struct slice text, struct encoded_word *word, bool *ends_out)
{
    ptrdiff_t mark = slice_find(slice_part(text, 2, CHARSET_MAX), '?');
    size_t at = (size_t)mark + 2;
    ptrdiff_t star, end;

    if (mark <= 0 || at + 3 > text.len || text.data[at + 2] != '?')
        return false;
    word->charset = slice_part(text, 2, (size_t)mark);
    star = slice_find(word->charset, '*');
    if (star > 0)
        word->charset.len = (size_t)star;
    word->encoding = (char)(text.data[at + 1] | 0x20);
    if (word->encoding != 'q' && word->encoding != 'b')
        return false;
    end = slice_search(slice_from(text, at + 3), SLICE("?="));
    *ends_out = end >= 0;
    if (end < 0)
        return false;
    word->text = slice_part(text, at + 3, (size_t)end);
    word->len = at + 3 + (size_t)end + 2;
    return true;
}

/* RFC 2047 section 4.2: as quoted-printable, and "_" is a space. */
static void decode_q(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        int byte = text.data[i] == '=' ? hex_byte_after(text, i) : -1;

        if (byte >= 0)
            i += 2;
        else
            byte = text.data[i] == '_' ? ' ' : text.data[i];
        buf_add_byte(out, (char)byte);
    }
}

/* Words being decoded: bytes that wait for their neighbours of the same charset. */
struct decoder {
    struct buf bytes;
    struct slice charset;
    struct buf *out;
};

static void decoder_flush(struct decoder *decoder)
{
    text_to_utf8(decoder->charset, buf_slice(&decoder->bytes), decoder->out);
    buf_clear(&decoder->bytes);
    decoder->charset = (struct slice){ NULL, 0 };
}

static void decoder_word(struct decoder *decoder, const struct encoded_word *word)
{
    if (!slice_equal_case(decoder->charset, word->charset))
        decoder_flush(decoder);
    decoder->charset = word->charset;
    if (word->encoding == 'q')
        decode_q(word->text, &decoder->bytes);
    else
        base64_body_decode(word->text, &decoder->bytes);
}

/* All but the line ends. */
static void add_lines(struct slice text, struct buf *out)
{
    ptrdiff_t end;

    while ((end = slice_find(text, '\n')) >= 0) {
        size_t len = (size_t)end;

        buf_add(out, text.data, len - (len > 0 && text.data[len - 1] == '\r'));
        text = slice_from(text, len + 1);
    }
    buf_add_slice(out, text);
}

static void add_unfolded(struct slice text, struct buf *out)
{
    AUTO(buf_free) struct buf plain = { 0 };

    if (slice_find(text, '\n') < 0) {
        text_to_utf8(slice_of(NULL), text, out);
        return;
    }
    add_lines(text, &plain);
    text_to_utf8(slice_of(NULL), buf_slice(&plain), out);
}

/* Text between encoded words; blanks alone are dropped between two of them (RFC 2047 section 6.2).
 * `more`: an encoded word follows. */
static void decoder_plain(struct decoder *decoder, struct slice text, bool more)
{
    bool between = decoder->charset.len > 0 && more && slice_trim(text).len == 0;

    if (text.len == 0 || between)
        return;
    decoder_flush(decoder);
    add_unfolded(text, decoder->out);
}

/* Most values are: nothing to decode or to guess. */
static bool is_plain_ascii(struct slice text)
{
    if (!slice_is_ascii(text))
        return false;
    for (ptrdiff_t at; (at = slice_find(text, '=')) >= 0; text = slice_from(text, (size_t)at + 1))
        if ((size_t)at + 1 < text.len && text.data[at + 1] == '?')
            return false;
    return true;
}

void header_decode(struct slice value, struct buf *out)
{
    struct decoder decoder = { .out = out };
    struct slice rest = slice_trim(value);
    size_t plain = 0;
    bool ends = true;

    if (is_plain_ascii(rest)) {
        add_lines(rest, out);
        return;
    }
    while (ends && plain < rest.len) {
        ptrdiff_t found = slice_search(slice_from(rest, plain), SLICE("=?"));
        struct encoded_word word;

        if (found < 0)
            break;
        plain += (size_t)found;
        if (!parse_encoded_word(slice_from(rest, plain), &word, &ends)) {
            plain += 2;
            continue;
        }
        decoder_plain(&decoder, slice_part(rest, 0, plain), true);
        decoder_word(&decoder, &word);
        rest = slice_from(rest, plain + word.len);
        plain = 0;
    }
    decoder_plain(&decoder, rest, false);
    decoder_flush(&decoder);
    buf_free(&decoder.bytes);
}

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < ' ' || text.data[i] == 127)
            return false;
    return slice_search(text, SLICE("=?")) < 0;
}

static size_t character_length(struct slice text)
{
    size_t len = 1;

    while (len < text.len && len < 4 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len++;
    return len;
}

void header_encode(struct slice text, struct buf *out)
{
    const size_t bytes_max = (ENCODED_WORD_MAX - strlen("=?utf-8?b?") - strlen("?=")) / 4 * 3;

    if (is_plain(text)) {
        buf_add_slice(out, text);
        return;
    }
    for (bool first = true; text.len > 0; first = false) {
        size_t len = 0;

        while (len < text.len && len + character_length(slice_from(text, len)) <= bytes_max)
            len += character_length(slice_from(text, len));
        buf_add_text(out, first ? "=?utf-8?b?" : "\r\n =?utf-8?b?");
        base64_encode(slice_part(text, 0, len), out);
        buf_add_text(out, "?=");
        text = slice_from(text, len);
    }
}

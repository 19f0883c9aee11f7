/* codec.c - base64, hex, UTF-8, modified UTF-7, and quoted forms. */
#include "common/codec.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value of a base64 digit, or -1. */
static int base64_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == '+')
        return 62;
    return digit == '/' ? 63 : -1;
}

void base64_encode(struct slice bytes, struct buf *out)
{
    const unsigned char *in = (const unsigned char *)bytes.data;
    size_t left = bytes.len;
    char *to = buf_reserve(out, (bytes.len + 2) / 3 * 4);

    for (; left > 0; in += 3, to += 4) {
        size_t here = MIN(left, 3);
        uint32_t group = (uint32_t)in[0] << 16;

        if (here > 1)
            group |= (uint32_t)in[1] << 8;
        if (here > 2)
            group |= in[2];
        to[0] = base64_digits[group >> 18];
        to[1] = base64_digits[group >> 12 & 63];
        to[2] = '=';
        to[3] = '=';
        if (here > 1)
            to[2] = base64_digits[group >> 6 & 63];
        if (here > 2)
            to[3] = base64_digits[group & 63];
        left -= here;
    }
    buf_wrote(out, (bytes.len + 2) / 3 * 4);
}

/* Four digits to three bytes; the last group may end in "=" or "==", behind zero bits only. */
static bool decode_group(const char *digits, bool last, struct buf *out)
{
    uint32_t group = 0;
    size_t pads = 0;
    unsigned char bytes[3];

    if (last && digits[3] == '=')
        pads = digits[2] == '=' ? 2 : 1;
    for (size_t i = 0; i < 4 - pads; i++) {
        int value = base64_value(digits[i]);

        if (value < 0)
            return false;
        group |= (uint32_t)value << (18 - 6 * i);
    }
    if ((group & ((1U << 8 * pads) - 1)) != 0)
        return false;
    bytes[0] = (unsigned char)(group >> 16);
    bytes[1] = (unsigned char)(group >> 8);
    bytes[2] = (unsigned char)group;
    buf_add(out, bytes, 3 - pads);
    return true;
}

bool base64_decode(struct slice text, struct buf *out)
{
    buf_reserve(out, text.len / 4 * 3);
    for (size_t at = 0; at + 4 <= text.len; at += 4)
        if (!decode_group(text.data + at, at + 4 == text.len, out))
            return false;
    return text.len % 4 == 0;
}

void base32_encode(struct slice bytes, struct buf *out)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned held = 0, n_held = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        held = held << 8 | (unsigned char)bytes.data[i];
        for (n_held += 8; n_held >= 5; n_held -= 5)
            buf_add_byte(out, digits[held >> (n_held - 5) & 31]);
    }
    if (n_held > 0)
        buf_add_byte(out, digits[held << (5 - n_held) & 31]);
}

void hex_encode(struct slice bytes, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];

        buf_add_byte(out, digits[byte >> 4]);
        buf_add_byte(out, digits[byte & 15]);
    }
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool hex_decode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i + 2 <= text.len; i += 2) {
        int high = hex_value(text.data[i]);
        int low = hex_value(text.data[i + 1]);

        if (high < 0 || low < 0)
            return false;
        buf_add_byte(out, (char)(high << 4 | low));
    }
    return text.len % 2 == 0;
}

static bool is_surrogate(uint32_t code)
{
    return code >= 0xD800 && code <= 0xDFFF;
}

/* How many bytes a character has that starts with `byte`; 0: none starts so. */
static size_t utf8_width(unsigned char byte)
{
    if (byte < 0x80)
        return 1;
    if (byte >= 0xC2 && byte <= 0xDF)
        return 2;
    if (byte >= 0xE0 && byte <= 0xEF)
        return 3;
    return byte >= 0xF0 && byte <= 0xF4 ? 4 : 0;
}

size_t utf8_next(struct slice text, uint32_t *code_out)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 }; /* shorter forms exist below */
    const unsigned char *in = (const unsigned char *)text.data;
    size_t width = text.len == 0 ? 0 : utf8_width(in[0]);
    uint32_t code;

    if (width == 0 || width > text.len)
        return 0;
    code = width == 1 ? in[0] : in[0] & (0x7FU >> width);
    for (size_t i = 1; i < width; i++) {
        if ((in[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (in[i] & 0x3F);
    }
    if (code < least[width] || code > 0x10FFFF || is_surrogate(code))
        return 0;
    *code_out = code;
    return width;
}

void utf8_add(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_add_byte(out, (char)code);
        return;
    }
    if (code < 0x800) {
        buf_add_byte(out, (char)(0xC0 | code >> 6));
    } else if (code < 0x10000) {
        buf_add_byte(out, (char)(0xE0 | code >> 12));
        buf_add_byte(out, (char)(0x80 | (code >> 6 & 0x3F)));
    } else {
        buf_add_byte(out, (char)(0xF0 | code >> 18));
        buf_add_byte(out, (char)(0x80 | (code >> 12 & 0x3F)));
        buf_add_byte(out, (char)(0x80 | (code >> 6 & 0x3F)));
    }
    buf_add_byte(out, (char)(0x80 | (code & 0x3F)));
}

bool utf8_valid(struct slice text)
{
    uint32_t code;

    while (text.len > 0) {
        size_t width = utf8_next(text, &code);

        if (width == 0)
            return false;
        text = slice_from(text, width);
    }
    return true;
}

/* Takes one character off the front; a malformed byte counts as U+FFFD. */
static uint32_t take_character(struct slice *text)
{
    uint32_t code;
    size_t width = utf8_next(*text, &code);

    *text = slice_from(*text, MAX(width, 1));
    return width == 0 ? 0xFFFD : code;
}

/* Bits on their way between 16-bit units and base64 digits. */
struct bits {
    uint32_t value;
    unsigned count;
};

/* Modified base64 has "," for "/". */
static void add_utf7_digit(struct buf *out, unsigned value)
{
    buf_add_byte(out, value == 63 ? ',' : base64_digits[value]);
}

static void add_unit(struct buf *out, struct bits *bits, uint32_t unit)
{
    bits->value = bits->value << 16 | unit; /* at most 4 bits are left over from before */
    bits->count += 16;
    while (bits->count >= 6) {
        bits->count -= 6;
        add_utf7_digit(out, bits->value >> bits->count & 63);
    }
    bits->value &= (1U << bits->count) - 1;
}

static void add_utf16(struct buf *out, struct bits *bits, uint32_t code)
{
    if (code < 0x10000) {
        add_unit(out, bits, code);
        return;
    }
    add_unit(out, bits, 0xD800 | (code - 0x10000) >> 10);
    add_unit(out, bits, 0xDC00 | ((code - 0x10000) & 0x3FF));
}

/* RFC 3501 section 5.1.3: printable US-ASCII stands for itself, "&" as "&-". */
static bool is_direct(uint32_t code)
{
    return code >= 0x20 && code <= 0x7E;
}

static void encode_shifted(struct slice *utf8, struct buf *out)
{
    struct bits bits = { 0 };

    buf_add_byte(out, '&');
    while (utf8->len > 0 && !is_direct((unsigned char)utf8->data[0]))
        add_utf16(out, &bits, take_character(utf8));
    if (bits.count > 0)
        add_utf7_digit(out, bits.value << (6 - bits.count) & 63);
    buf_add_byte(out, '-');
}

void utf7_encode(struct slice utf8, struct buf *out)
{
    while (utf8.len > 0) {
        if (!is_direct((unsigned char)utf8.data[0])) {
            encode_shifted(&utf8, out);
            continue;
        }
        buf_add_byte(out, utf8.data[0]);
        if (utf8.data[0] == '&')
            buf_add_byte(out, '-');
        utf8 = slice_from(utf8, 1);
    }
}

/* One UTF-16 unit of a shifted run; `high` holds the first half of a pair until the second. */
static bool take_unit(uint32_t unit, uint32_t *high, struct buf *out)
{
    if (*high != 0) {
        if (unit < 0xDC00 || unit > 0xDFFF)
            return false;
        utf8_add(out, 0x10000 + ((*high & 0x3FF) << 10 | (unit & 0x3FF)));
        *high = 0;
        return true;
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        *high = unit;
        return true;
    }
    if (is_surrogate(unit) || is_direct(unit))
        return false;
    utf8_add(out, unit);
    return true;
}

/* What is between "&" and "-"; not empty. */
static bool decode_shifted(struct slice digits, struct buf *out)
{
    struct bits bits = { 0 };
    uint32_t high = 0;

    for (size_t i = 0; i < digits.len; i++) {
        char digit = digits.data[i];
        int value = digit == ',' ? 63 : digit == '/' ? -1 : base64_value(digit);

        if (value < 0)
            return false;
        bits.value = bits.value << 6 | (uint32_t)value;
        bits.count += 6;
        if (bits.count < 16)
            continue;
        bits.count -= 16;
        if (!take_unit(bits.value >> bits.count & 0xFFFF, &high, out))
            return false;
        bits.value &= (1U << bits.count) - 1;
    }
    /* What is left is padding: less than a digit, and zero. */
    return high == 0 && bits.count < 6 && bits.value == 0;
}

bool utf7_decode(struct slice text, struct buf *out)
{
    bool shifted = false; /* was the last thing a shifted run? Two in a row should be one. */

    while (text.len > 0) {
        struct slice run = slice_from(text, 1);
        ptrdiff_t end = slice_find(run, '-');

        if (!is_direct((unsigned char)text.data[0]))
            return false;
        if (text.data[0] != '&') {
            buf_add_byte(out, text.data[0]);
            text = run;
            shifted = false;
            continue;
        }
        if (end < 0 || (end > 0 && shifted))
            return false;
        if (end == 0)
            buf_add_byte(out, '&');
        else if (!decode_shifted(slice_part(run, 0, (size_t)end), out))
            return false;
        shifted = end > 0;
        text = slice_from(run, (size_t)end + 1);
    }
    return true;
}

/* RFC 8259 section 7. */
void json_quote(struct slice text, struct buf *out)
{
    buf_add_byte(out, '"');
    while (text.len > 0) {
        uint32_t code = take_character(&text);

        if (code == '"' || code == '\\')
            buf_fmt(out, "\\%c", (char)code);
        else if (code == '\n')
            buf_add_text(out, "\\n");
        else if (code < 0x20 || code == 0x7F)
            buf_fmt(out, "\\u%04x", (unsigned)code);
        else
            utf8_add(out, code);
    }
    buf_add_byte(out, '"');
}

/* C0, DEL, C1, and what would end or open an escape. */
static bool needs_escape(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == '"' || code == '\\';
}

void quoted_string(struct slice text, struct buf *out)
{
    buf_add_byte(out, '"');
    while (text.len > 0) {
        uint32_t code;
        size_t width = utf8_next(text, &code);
        struct slice character = slice_part(text, 0, MAX(width, 1));

        if (width != 0 && !needs_escape(code)) {
            buf_add_slice(out, character);
        } else {
            for (size_t i = 0; i < character.len; i++)
                buf_fmt(out, "\\x%02x", (unsigned char)character.data[i]);
        }
        text = slice_from(text, character.len);
    }
    buf_add_byte(out, '"');
}

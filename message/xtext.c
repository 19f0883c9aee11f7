/* xtext.c - see xtext.h. */
#include "message/xtext.h"

#include "common/codec.h"

#include <stdlib.h>

#define HEXPOINT_MAX 6 /* digits */

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

static bool is_hexchar(struct slice text, size_t at)
{
    return at + 2 < text.len && text.data[at] == '+' && hex_value(text.data[at + 1]) >= 0 &&
           hex_value(text.data[at + 2]) >= 0 && strchr("abcdef", text.data[at + 1]) == NULL &&
           strchr("abcdef", text.data[at + 2]) == NULL;
}

bool xtext_is_valid(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte == '+' && !is_hexchar(text, i))
            return false;
        if (byte <= ' ' || byte == '=' || byte == 0x7f)
            return false;
    }
    return text.len > 0;
}

void xtext_decode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_hexchar(text, i)) {
            buf_add_byte(out, text.data[i]);
            continue;
        }
        buf_add_byte(out, (char)(hex_value(text.data[i + 1]) * 16 + hex_value(text.data[i + 2])));
        i += 2;
    }
}

/* Which characters "\x{...}" may stand for: specials of ASCII, and all outside of it. */
static bool is_point(uint32_t point)
{
    if (point == 0)
        return false;
    if (point < 0x80)
        return point <= ' ' || point == 0x7f || strchr("+=\\", (int)point) != NULL;
    return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

/* "\x{HEXPOINT}" at the front of the text; its length, 0 if it is none. */
static size_t take_point(struct slice text, uint32_t *point_out)
{
    size_t digits = 0;

    *point_out = 0;
    if (text.len < 3 || memcmp(text.data, "\\x{", 3) != 0)
        return 0;
    while (3 + digits < text.len && digits <= HEXPOINT_MAX &&
           hex_value(text.data[3 + digits]) >= 0) {
        *point_out = *point_out * 16 + (uint32_t)hex_value(text.data[3 + digits]);
        digits++;
    }
    if (digits < 2 || digits > HEXPOINT_MAX || 3 + digits >= text.len ||
        text.data[3 + digits] != '}' || !is_point(*point_out))
        return 0;
    return digits + 4;
}

static void add_point(uint32_t point, struct buf *out)
{
    if (point < 0x80) {
        buf_add_byte(out, (char)point);
    } else if (point < 0x800) {
        buf_add_byte(out, (char)(0xc0 | point >> 6));
        buf_add_byte(out, (char)(0x80 | (point & 0x3f)));
    } else if (point < 0x10000) {
        buf_add_byte(out, (char)(0xe0 | point >> 12));
        buf_add_byte(out, (char)(0x80 | (point >> 6 & 0x3f)));
        buf_add_byte(out, (char)(0x80 | (point & 0x3f)));
    } else {
        buf_add_byte(out, (char)(0xf0 | point >> 18));
        buf_add_byte(out, (char)(0x80 | (point >> 12 & 0x3f)));
        buf_add_byte(out, (char)(0x80 | (point >> 6 & 0x3f)));
        buf_add_byte(out, (char)(0x80 | (point & 0x3f)));
    }
}

/* One character that may stand for itself; "+" and "=" may not, but real addresses with tags have
 * them in the utf-8-address form. */
static bool is_plain(unsigned char byte)
{
    return byte > ' ' && byte != 0x7f && byte != '\\';
}

bool utf8_address_is_valid(struct slice text)
{
    uint32_t point;

    if (text.len == 0 || !utf8_valid(text))
        return false;
    for (size_t i = 0; i < text.len;) {
        size_t length = take_point(slice_from(text, i), &point);

        if (length == 0 && !is_plain((unsigned char)text.data[i]))
            return false;
        i += length > 0 ? length : 1;
    }
    return true;
}

bool utf8_address_decode(struct slice text, struct buf *out)
{
    size_t before = out->len;
    uint32_t point;

    if (!utf8_address_is_valid(text))
        return false;
    for (size_t i = 0; i < text.len;) {
        size_t length = take_point(slice_from(text, i), &point);

        if (length > 0 && (point < ' ' || point == 0x7f)) {
            out->len = before;
            return false;
        }
        if (length > 0)
            add_point(point, out);
        else
            buf_add_byte(out, text.data[i]);
        i += length > 0 ? length : 1;
    }
    return true;
}

/* One sequence of valid UTF-8 at the front; its length, 0 if it is none. */
static size_t take_utf8(struct slice text, uint32_t *point_out)
{
    unsigned char first = (unsigned char)text.data[0];
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (text.len < length || !utf8_valid(slice_part(text, 0, length)))
        return 0;
    *point_out = length == 1 ? first : first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++)
        *point_out = *point_out << 6 | ((unsigned char)text.data[i] & 0x3f);
    return length;
}

void utf8_address_encode(struct slice address, struct buf *out)
{
    uint32_t point;

    while (address.len > 0) {
        size_t length = take_utf8(address, &point);

        if (length == 0)
            buf_add_byte(out, '?');
        else if (is_point(point))
            buf_fmt(out, "\\x{%02X}", point);
        else
            buf_add_byte(out, address.data[0]);
        address = slice_from(address, MAX(length, 1));
    }
}

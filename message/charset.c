/* charset.c - charsets to UTF-8.
 *
 * UTF-8, ASCII and ISO-8859-1 are most of the mail there is and are done here; all else by iconv,
 * opened for each call: glibc keeps its tables loaded, so that this costs a microsecond or two.
 */
#include "message/decode.h"

#include <iconv.h>
#include <unistr.h>

#define REPLACEMENT "\xef\xbf\xbd"

enum charset_kind {
    CHARSET_UTF8,
    CHARSET_ASCII, /* 8-bit bytes are none of it: guess */
    CHARSET_LATIN1,
    CHARSET_ICONV,
};

/* Names that iconv does not know, or that in practice mean the larger set that it names. */
static const struct {
    const char *name;
    enum charset_kind kind;
    const char *iconv_name;
} charsets[] = {
    { "utf-8", CHARSET_UTF8, NULL },           { "utf8", CHARSET_UTF8, NULL },
    { "us-ascii", CHARSET_ASCII, NULL },       { "ascii", CHARSET_ASCII, NULL },
    { "ansi_x3.4-1968", CHARSET_ASCII, NULL }, { "iso-8859-1", CHARSET_LATIN1, NULL },
    { "latin1", CHARSET_LATIN1, NULL },        { "gb2312", CHARSET_ICONV, "GB18030" },
    { "gbk", CHARSET_ICONV, "GB18030" },       { "ks_c_5601-1987", CHARSET_ICONV, "CP949" },
    { "euc-kr", CHARSET_ICONV, "CP949" },      { "shift_jis", CHARSET_ICONV, "CP932" },
    { "x-sjis", CHARSET_ICONV, "CP932" },      { "unicode-1-1-utf-7", CHARSET_ICONV, "UTF-7" },
};

/* A name for iconv_open(), which must not see what it takes for options ("//IGNORE") or for the
 * locale's charset (""). */
static bool iconv_name(struct slice charset, char name[static 48])
{
    if (charset.len == 0 || charset.len >= 48)
        return false;
    for (size_t i = 0; i < charset.len; i++) {
        char c = charset.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && (c == '\0' || strchr("-_.:+()", c) == NULL))
            return false;
    }
    memcpy(name, charset.data, charset.len);
    name[charset.len] = '\0';
    return true;
}

static bool charset_open(struct slice charset, enum charset_kind *kind_out, iconv_t *iconv_out)
{
    char name[48];

    *kind_out = CHARSET_ICONV;
    for (size_t i = 0; i < COUNT_OF(charsets); i++)
        if (slice_is(charset, charsets[i].name)) {
            *kind_out = charsets[i].kind;
            if (charsets[i].kind == CHARSET_ICONV)
                *iconv_out = iconv_open("UTF-8", charsets[i].iconv_name);
            return charsets[i].kind != CHARSET_ICONV || *iconv_out != (iconv_t)-1;
        }
    if (!iconv_name(charset, name))
        return false;
    *iconv_out = iconv_open("UTF-8", name);
    return *iconv_out != (iconv_t)-1;
}

/* Copies what is valid; each byte that is not becomes U+FFFD. */
static void add_utf8(struct slice bytes, struct buf *out)
{
    while (bytes.len > 0) {
        const uint8_t *bad = u8_check((const uint8_t *)bytes.data, bytes.len);
        size_t good = bad == NULL ? bytes.len : (size_t)((const char *)bad - bytes.data);

        buf_add(out, bytes.data, good);
        if (bad != NULL)
            buf_add_text(out, REPLACEMENT);
        bytes = slice_from(bytes, good + 1);
    }
}

static void add_latin1(struct slice bytes, struct buf *out)
{
    char *to = buf_reserve(out, bytes.len * 2);
    size_t len = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];

        if (c >= 0x80) {
            to[len++] = (char)(0xc0 | c >> 6);
            c = 0x80 | (c & 0x3f);
        }
        to[len++] = (char)c;
    }
    buf_wrote(out, len);
}

static void add_guessed(struct slice bytes, struct buf *out)
{
    if (u8_check((const uint8_t *)bytes.data, bytes.len) == NULL)
        buf_add_slice(out, bytes);
    else
        add_latin1(bytes, out);
}

/* Some conversions let through what UTF-8 must not have. */
static void clean_from(struct buf *out, size_t start)
{
    AUTO(buf_free) struct buf raw = { 0 };

    if (u8_check((const uint8_t *)out->data + start, out->len - start) == NULL)
        return;
    buf_add(&raw, out->data + start, out->len - start);
    buf_truncate(out, start);
    add_utf8(buf_slice(&raw), out);
}

/* What a stateful charset holds back. */
static void add_held_back(iconv_t iconv_handle, struct buf *out)
{
    size_t room = 64;
    char *start = buf_reserve(out, room);
    char *to = start;

    iconv(iconv_handle, NULL, NULL, &to, &room);
    buf_wrote(out, (size_t)(to - start));
}

/* Every round takes a byte at least or fails for want of room, of which there is more next time. */
static void add_iconv(iconv_t iconv_handle, struct slice bytes, struct buf *out)
{
    char *in = (char *)bytes.data;
    size_t left = bytes.len;
    size_t first = out->len;

    while (left > 0) {
        size_t room = left * 4 + 64;
        char *start = buf_reserve(out, room);
        char *to = start;
        size_t before = left;
        size_t result = iconv(iconv_handle, &in, &left, &to, &room);

        buf_wrote(out, (size_t)(to - start));
        if (result != (size_t)-1 || left == 0)
            break;
        if (left == before && to == start) {
            buf_add_text(out, REPLACEMENT);
            in++;
            left--;
        }
    }
    add_held_back(iconv_handle, out);
    clean_from(out, first);
}

bool charset_known(struct slice charset)
{
    enum charset_kind kind;
    iconv_t handle;

    if (!charset_open(charset, &kind, &handle))
        return false;
    if (kind == CHARSET_ICONV)
        iconv_close(handle);
    return true;
}

bool charset_to_utf8(struct slice charset, struct slice bytes, struct buf *out)
{
    enum charset_kind kind;
    iconv_t handle;

    if (!charset_open(charset, &kind, &handle))
        return false;
    switch (kind) {
    case CHARSET_UTF8:
        add_utf8(bytes, out);
        break;
    case CHARSET_ASCII:
        add_guessed(bytes, out);
        break;
    case CHARSET_LATIN1:
        add_latin1(bytes, out);
        break;
    case CHARSET_ICONV:
        add_iconv(handle, bytes, out);
        iconv_close(handle);
        break;
    }
    return true;
}

void text_to_utf8(struct slice charset, struct slice bytes, struct buf *out)
{
    if (!charset_to_utf8(charset, bytes, out))
        add_guessed(bytes, out);
}

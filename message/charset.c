/* charset.c - charsets to UTF-8.
 *
 * UTF-8, ASCII and ISO-8859-1 are most of the mail there is and are done here, the others by iconv.
 * The table is the whole choice: a sender has no say in which of glibc's modules are loaded.
 */
#include "message/decode.h"

#include <iconv.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistr.h>

#define REPLACEMENT "\xef\xbf\xbd"

enum charset_kind {
    CHARSET_UTF8,
    CHARSET_ASCII, /* 8-bit bytes are none of it: guess */
    CHARSET_LATIN1,
    CHARSET_ICONV,
};

/* What mail uses, by the names of IANA and of common programs. Where programs say one charset and
 * mean a larger one, iconv is told that. */
static const struct charset {
    const char *name;
    enum charset_kind kind;
    const char *iconv_name; /* NULL: the same */
} charsets[] = {
    { "utf-8", CHARSET_UTF8, NULL },
    { "utf8", CHARSET_UTF8, NULL },
    { "us-ascii", CHARSET_ASCII, NULL },
    { "ascii", CHARSET_ASCII, NULL },
    { "ansi_x3.4-1968", CHARSET_ASCII, NULL },
    { "iso-8859-1", CHARSET_LATIN1, NULL },
    { "latin1", CHARSET_LATIN1, NULL },
    { "iso-8859-2", CHARSET_ICONV, NULL },
    { "iso-8859-3", CHARSET_ICONV, NULL },
    { "iso-8859-4", CHARSET_ICONV, NULL },
    { "iso-8859-5", CHARSET_ICONV, NULL },
    { "iso-8859-6", CHARSET_ICONV, NULL },
    { "iso-8859-7", CHARSET_ICONV, NULL },
    { "iso-8859-8", CHARSET_ICONV, NULL },
    { "iso-8859-9", CHARSET_ICONV, NULL },
    { "iso-8859-10", CHARSET_ICONV, NULL },
    { "iso-8859-11", CHARSET_ICONV, NULL },
    { "iso-8859-13", CHARSET_ICONV, NULL },
    { "iso-8859-14", CHARSET_ICONV, NULL },
    { "iso-8859-15", CHARSET_ICONV, NULL },
    { "iso-8859-16", CHARSET_ICONV, NULL },
    { "windows-1250", CHARSET_ICONV, NULL },
    { "windows-1251", CHARSET_ICONV, NULL },
    { "windows-1252", CHARSET_ICONV, NULL },
    { "windows-1253", CHARSET_ICONV, NULL },
    { "windows-1254", CHARSET_ICONV, NULL },
    { "windows-1255", CHARSET_ICONV, NULL },
    { "windows-1256", CHARSET_ICONV, NULL },
    { "windows-1257", CHARSET_ICONV, NULL },
    { "windows-1258", CHARSET_ICONV, NULL },
    { "koi8-r", CHARSET_ICONV, NULL },
    { "koi8-u", CHARSET_ICONV, NULL },
    { "big5", CHARSET_ICONV, NULL },
    { "big5-hkscs", CHARSET_ICONV, NULL },
    { "gb18030", CHARSET_ICONV, NULL },
    { "euc-jp", CHARSET_ICONV, NULL },
    { "euc-tw", CHARSET_ICONV, NULL },
    { "iso-2022-jp", CHARSET_ICONV, NULL },
    { "iso-2022-kr", CHARSET_ICONV, NULL },
    { "iso-2022-cn", CHARSET_ICONV, NULL },
    { "tis-620", CHARSET_ICONV, NULL },
    { "viscii", CHARSET_ICONV, NULL },
    { "utf-7", CHARSET_ICONV, NULL },
    { "utf-16", CHARSET_ICONV, NULL },
    { "utf-16be", CHARSET_ICONV, NULL },
    { "utf-16le", CHARSET_ICONV, NULL },
    { "utf-32", CHARSET_ICONV, NULL },
    { "macintosh", CHARSET_ICONV, NULL },
    { "ibm437", CHARSET_ICONV, NULL },
    { "ibm850", CHARSET_ICONV, NULL },
    { "ibm852", CHARSET_ICONV, NULL },
    { "ibm866", CHARSET_ICONV, NULL },
    { "iso-8859-6-i", CHARSET_ICONV, "iso-8859-6" },
    { "iso-8859-8-i", CHARSET_ICONV, "iso-8859-8" },
    { "latin2", CHARSET_ICONV, "iso-8859-2" },
    { "latin5", CHARSET_ICONV, "iso-8859-9" },
    { "latin9", CHARSET_ICONV, "iso-8859-15" },
    { "cp1250", CHARSET_ICONV, "windows-1250" },
    { "cp1251", CHARSET_ICONV, "windows-1251" },
    { "cp1252", CHARSET_ICONV, "windows-1252" },
    { "cp1254", CHARSET_ICONV, "windows-1254" },
    { "cp850", CHARSET_ICONV, "ibm850" },
    { "cp866", CHARSET_ICONV, "ibm866" },
    { "windows-874", CHARSET_ICONV, "cp874" },
    { "gb2312", CHARSET_ICONV, "GB18030" },
    { "gbk", CHARSET_ICONV, "GB18030" },
    { "cp936", CHARSET_ICONV, "GB18030" },
    { "ks_c_5601-1987", CHARSET_ICONV, "CP949" },
    { "euc-kr", CHARSET_ICONV, "CP949" },
    { "cp949", CHARSET_ICONV, "CP949" },
    { "shift_jis", CHARSET_ICONV, "CP932" },
    { "x-sjis", CHARSET_ICONV, "CP932" },
    { "shift-jis", CHARSET_ICONV, "CP932" },
    { "windows-31j", CHARSET_ICONV, "CP932" },
    { "cp932", CHARSET_ICONV, "CP932" },
    { "iso-2022-jp-1", CHARSET_ICONV, "ISO-2022-JP-2" },
    { "iso-2022-jp-2", CHARSET_ICONV, "ISO-2022-JP-2" },
    { "unicode-1-1-utf-7", CHARSET_ICONV, "UTF-7" },
};

/* One handle of each charset that was ever used stays open, so that glibc keeps the module loaded:
 * loading it takes two milliseconds, and a hostile header names ten thousand charsets by turns.
 * Global, because the modules are; never read, only kept. */
static _Atomic(iconv_t) kept_open[COUNT_OF(charsets)];

static const struct charset *charset_find(struct slice name)
{
    for (size_t i = 0; name.len > 0 && i < COUNT_OF(charsets); i++)
        if (slice_is(name, charsets[i].name))
            return &charsets[i];
    return NULL;
}

static bool charset_open(const struct charset *charset, iconv_t *iconv_out)
{
    *iconv_out =
        iconv_open("UTF-8", charset->iconv_name != NULL ? charset->iconv_name : charset->name);
    return *iconv_out != (iconv_t)-1;
}

static void charset_close(const struct charset *charset, iconv_t handle)
{
    iconv_t none = NULL;

    if (!atomic_compare_exchange_strong(&kept_open[charset - charsets], &none, handle))
        iconv_close(handle);
}

/* How many bytes at the front are none of ASCII. */
static size_t other_length(struct slice bytes)
{
    size_t len = 0;

    while (len < bytes.len && (bytes.data[len] & 0x80) != 0)
        len++;
    return len;
}

/* Copies what is valid; each byte that is not becomes U+FFFD. ASCII is gone over quickly, and no
 * character reaches into it. */
static void add_utf8(struct slice bytes, struct buf *out)
{
    buf_reserve(out, bytes.len);
    while (bytes.len > 0) {
        size_t ascii = slice_ascii_length(bytes);
        size_t other = other_length(slice_from(bytes, ascii));
        const uint8_t *start = (const uint8_t *)bytes.data + ascii, *bad = NULL;

        if (other > 0)
            bad = u8_check(start, other);
        if (bad != NULL)
            other = (size_t)(bad - start);
        buf_add(out, bytes.data, ascii + other);
        if (bad != NULL)
            buf_add_text(out, REPLACEMENT);
        bytes = slice_from(bytes, ascii + other + (bad != NULL));
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
    if (slice_is_ascii(bytes) || u8_check((const uint8_t *)bytes.data, bytes.len) == NULL)
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

static bool convert(const struct charset *charset, struct slice bytes, struct buf *out)
{
    iconv_t handle;

    if (!charset_open(charset, &handle))
        return false;
    add_iconv(handle, bytes, out);
    charset_close(charset, handle);
    return true;
}

bool charset_known(struct slice name)
{
    AUTO(buf_free) struct buf nothing = { 0 };

    return charset_to_utf8(name, SLICE(""), &nothing);
}

bool charset_to_utf8(struct slice name, struct slice bytes, struct buf *out)
{
    const struct charset *charset = charset_find(name);

    if (charset == NULL)
        return false;
    switch (charset->kind) {
    case CHARSET_UTF8:
        add_utf8(bytes, out);
        return true;
    case CHARSET_ASCII:
        add_guessed(bytes, out);
        return true;
    case CHARSET_LATIN1:
        add_latin1(bytes, out);
        return true;
    case CHARSET_ICONV:
        return convert(charset, bytes, out);
    }
    abort();
}

void text_to_utf8(struct slice charset, struct slice bytes, struct buf *out)
{
    if (!charset_to_utf8(charset, bytes, out))
        add_guessed(bytes, out);
}

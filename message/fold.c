/* fold.c - text_fold(): Unicode case folding for comparing.
 *
 * A character as in RFC 5051: title case, then its decomposition, canonical or not, and so on with
 * each part of that. It depends on nothing around it, so a text may be folded in pieces. ASCII,
 * which is most of what there is, only gets upper case.
 *
 * Asking libunistring takes about 50 ns a character, so answers are kept: pages of 256 characters,
 * made when one of them first comes, for the planes in which living scripts are. Global, as they
 * are constants; threads that make the same page at once keep the first.
 */
#include "message/text.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#define DECOMPOSE_DEPTH 8 /* Unicode has chains of 3 */
#define PAGE_SIZE       256
#define PAGES           512 /* up to U+1FFFF; together less than 1 MB */

struct page {
    uint16_t at[PAGE_SIZE + 1]; /* where each character's bytes begin, and where the last's end */
    char bytes[];
};

static _Atomic(struct page *) pages[PAGES];

/* Room for one character at *to is 4 bytes; a decomposition has at most UC_DECOMPOSITION_MAX_LENGTH
 * of them. */
static void add_character(ucs4_t character, struct buf *out)
{
    uint8_t *to = (uint8_t *)buf_reserve(out, 4);
    int len = u8_uctomb(to, character, 4);

    buf_wrote(out, len > 0 ? (size_t)len : 0);
}

static void fold_character(ucs4_t character, size_t depth, struct buf *out)
{
    ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
    ucs4_t title = uc_totitle(character);
    int tag;
    int count = depth < DECOMPOSE_DEPTH ? uc_decomposition(title, &tag, parts) : -1;

    if (count <= 0) {
        add_character(title, out);
        return;
    }
    for (int i = 0; i < count; i++)
        fold_character(parts[i], depth + 1, out);
}

static struct page *make_page(size_t number)
{
    AUTO(buf_free) struct buf bytes = { 0 };
    uint16_t at[PAGE_SIZE + 1] = { 0 };
    struct page *page;

    for (size_t i = 0; i < PAGE_SIZE; i++) {
        fold_character((ucs4_t)(number * PAGE_SIZE + i), 0, &bytes);
        at[i + 1] = (uint16_t)bytes.len;
    }
    page = mem_zero(sizeof(*page) + bytes.len);
    memcpy(page->at, at, sizeof(at));
    if (bytes.len > 0)
        memcpy(page->bytes, bytes.data, bytes.len);
    return page;
}

static const struct page *page_of(size_t number)
{
    struct page *page = atomic_load_explicit(&pages[number], memory_order_acquire);
    struct page *first = NULL;

    if (page != NULL)
        return page;
    page = make_page(number);
    if (atomic_compare_exchange_strong(&pages[number], &first, page))
        return page;
    free(page);
    return first;
}

static void add_folded(ucs4_t character, struct buf *out)
{
    const struct page *page;
    size_t i = character % PAGE_SIZE;

    if (character >= PAGES * PAGE_SIZE) {
        fold_character(character, 0, out);
        return;
    }
    page = page_of(character / PAGE_SIZE);
    buf_add(out, page->bytes + page->at[i], (size_t)(page->at[i + 1] - page->at[i]));
}

/* Takes one character that is not ASCII. Returns how many bytes it had. */
static size_t fold_next(struct slice text, struct buf *out)
{
    ucs4_t character;
    int len = u8_mbtoucr(&character, (const uint8_t *)text.data, text.len);

    if (len <= 0) {
        buf_add_byte(out, text.data[0]);
        return 1;
    }
    add_folded(character, out);
    return (size_t)len;
}

static void fold_ascii(struct slice text, struct buf *out)
{
    char *to = buf_reserve(out, text.len);

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        to[i] = (char)(c - ((unsigned char)(c - 'a') < 26 ? 'a' - 'A' : 0));
    }
    buf_wrote(out, text.len);
}

void text_fold(struct slice text, struct buf *out)
{
    while (text.len > 0) {
        size_t ascii = slice_ascii_length(text);

        if (ascii > 0)
            fold_ascii(slice_part(text, 0, ascii), out);
        text = slice_from(text, ascii);
        while (text.len > 0 && (text.data[0] & 0x80) != 0)
            text = slice_from(text, fold_next(text, out));
    }
}

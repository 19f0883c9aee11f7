/* page.c - cells and records; see page.h. */
#include "storage/sqlite/page.h"

#define FILE_HEADER       100 /* before the header of page 1 */
#define TABLE_LOCAL_MAX   (PAGE_BYTES - 35)
#define INDEX_LOCAL_MAX   ((PAGE_BYTES - 12) * 64 / 255 - 23)
#define LOCAL_MIN         ((PAGE_BYTES - 12) * 32 / 255 - 23)
#define OVERFLOW_BYTES    (PAGE_BYTES - 4)
#define PAYLOAD_BYTES_MAX (1ull << 31)

static uint32_t big_endian(const unsigned char *bytes, size_t len)
{
    uint32_t number = 0;

    for (size_t i = 0; i < len; i++)
        number = number << 8 | bytes[i];
    return number;
}

struct page page_look(const unsigned char bytes[PAGE_BYTES], uint32_t number)
{
    const unsigned char *header = bytes + (number == 1 ? FILE_HEADER : 0);
    struct page page = { .number = number, .bytes = bytes };

    switch (header[0]) {
    case PAGE_INDEX_INTERIOR:
    case PAGE_TABLE_INTERIOR:
        page.last_child = big_endian(header + 8, 4);
        break;
    case PAGE_INDEX_LEAF:
    case PAGE_TABLE_LEAF:
        break;
    default: /* a byte of the file, not an enum of ours */
        return page;
    }
    page.kind = (enum page_kind)header[0];
    page.n_cells = big_endian(header + 3, 2);
    if (page.n_cells > PAGE_BYTES / 4) {
        page.n_cells = 0;
        page.kind = PAGE_OTHER;
    }
    return page;
}

/* Takes a number of 1 to 9 bytes off the front. */
static bool take_varint(struct slice *rest, uint64_t *number_out)
{
    uint64_t number = 0;

    for (size_t i = 0; i < 9 && i < rest->len; i++) {
        unsigned char byte = (unsigned char)rest->data[i];

        if (i == 8 || (byte & 0x80) == 0) {
            *number_out = i == 8 ? number << 8 | byte : number << 7 | byte;
            *rest = slice_from(*rest, i + 1);
            return true;
        }
        number = number << 7 | (byte & 0x7f);
    }
    return false;
}

/* How much of a payload lies in its cell. */
static size_t local_len(uint64_t len, size_t local_max)
{
    if (len <= local_max)
        return (size_t)len;
    size_t local = LOCAL_MIN + (size_t)((len - LOCAL_MIN) % OVERFLOW_BYTES);
    return local <= local_max ? local : LOCAL_MIN;
}

static bool take_payload(struct slice rest, bool table, struct cell *cell)
{
    size_t local = local_len(cell->len, table ? TABLE_LOCAL_MAX : INDEX_LOCAL_MAX);

    if (cell->len > PAYLOAD_BYTES_MAX || local > rest.len)
        return false;
    cell->local = slice_part(rest, 0, local);
    if (local == cell->len)
        return true;
    rest = slice_from(rest, local);
    if (rest.len < 4)
        return false;
    cell->overflow = big_endian((const unsigned char *)rest.data, 4);
    return true;
}

bool page_cell(const struct page *page, size_t index, struct cell *cell_out)
{
    bool interior = page->kind == PAGE_INDEX_INTERIOR || page->kind == PAGE_TABLE_INTERIOR;
    bool table = page->kind == PAGE_TABLE_LEAF || page->kind == PAGE_TABLE_INTERIOR;
    size_t header = page->number == 1 ? FILE_HEADER : 0;
    size_t pointer = header + (interior ? 12 : 8) + 2 * index;
    uint64_t rowid = 0;

    *cell_out = (struct cell){ 0 };
    if (pointer + 2 > PAGE_BYTES)
        return false;
    struct slice rest =
        slice_from(slice_make(page->bytes, PAGE_BYTES), big_endian(page->bytes + pointer, 2));
    if (interior) {
        if (rest.len < 4)
            return false;
        cell_out->child = big_endian((const unsigned char *)rest.data, 4);
        rest = slice_from(rest, 4);
    }
    if (page->kind != PAGE_TABLE_INTERIOR && !take_varint(&rest, &cell_out->len))
        return false;
    if (table && !take_varint(&rest, &rowid))
        return false;
    cell_out->rowid = (int64_t)rowid;
    return page->kind == PAGE_TABLE_INTERIOR || take_payload(rest, table, cell_out);
}

void cell_read(const struct page_file *file, const struct cell *cell, uint64_t offset, uint64_t len,
               struct buf *out)
{
    uint64_t end = MIN(offset + len, cell->len), at = cell->local.len;
    unsigned char page[PAGE_BYTES];
    uint32_t next = cell->overflow;

    if (offset < at)
        buf_add_slice(out,
                      slice_part(cell->local, (size_t)offset, (size_t)(MIN(end, at) - offset)));
    /* `at` grows with each page, so a chain that is a circle ends, too */
    while (at < end && next != 0 && page_read(file, next, page)) {
        uint64_t here = MIN((uint64_t)OVERFLOW_BYTES, end - at);
        uint64_t skip = offset > at ? MIN(offset - at, here) : 0;

        buf_add(out, page + 4 + skip, (size_t)(here - skip));
        at += here;
        next = big_endian(page, 4);
    }
}

/* A number of `len` bytes with its sign, or as much of it as lies in the cell. */
static int64_t signed_number(struct slice bytes)
{
    uint64_t number = bytes.len > 0 && (bytes.data[0] & 0x80) != 0 ? UINT64_MAX : 0;

    for (size_t i = 0; i < bytes.len; i++)
        number = number << 8 | (unsigned char)bytes.data[i];
    return (int64_t)number;
}

/* One value, by its type; gives its length, or false where there is no such type. */
static bool read_column(struct slice local, uint64_t type, uint64_t offset, struct column *column)
{
    static const unsigned char number_len[] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0 };

    *column = (struct column){ .offset = offset };
    if (type == 10 || type == 11)
        return false;
    column->len = type >= 12 ? (type - 12) / 2 : number_len[type];
    column->local = slice_part(slice_from(local, (size_t)MIN(offset, local.len)), 0,
                               (size_t)MIN(column->len, local.len));
    if (type >= 12) {
        column->type = type % 2 == 0 ? COLUMN_BLOB : COLUMN_TEXT;
        return true;
    }
    column->type = type == 0 ? COLUMN_NULL : type == 7 ? COLUMN_REAL : COLUMN_NUMBER;
    column->number = type == 9 ? 1 : type == 7 ? 0 : signed_number(column->local);
    return column->local.len == column->len;
}

bool cell_record(const struct cell *cell, struct record *record_out)
{
    struct slice rest = cell->local;
    uint64_t header_len, type, at;

    record_out->n_columns = 0;
    if (!take_varint(&rest, &header_len) || header_len > cell->local.len)
        return false;
    at = header_len;
    rest = slice_part(cell->local, cell->local.len - rest.len,
                      (size_t)header_len - MIN((size_t)header_len, cell->local.len - rest.len));
    while (rest.len > 0) {
        struct column column;

        if (!take_varint(&rest, &type) || !read_column(cell->local, type, at, &column) ||
            column.len > cell->len - at)
            return false;
        at += column.len;
        if (record_out->n_columns < COLUMNS_MAX)
            record_out->columns[record_out->n_columns++] = column;
    }
    return at == cell->len;
}

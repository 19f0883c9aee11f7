/* page.h - SQLite's pages and records, read without SQLite: for files that it refuses.
 *
 * Whatever the bytes are, nothing beyond them is read; what makes no sense is left out. Page size
 * is 4096 without reserved bytes, as in all our databases
 * (https://www.sqlite.org/fileformat2.html).
 *
 *     file:   page, page, ...   and in the WAL newer ones, up to the last commit
 *     page:   table or index, leaf or interior: cells
 *     cell:   (page below,) (rowid,) payload, which may go on in a chain of overflow pages
 *     payload: a record: types, then values
 *
 * Threads: one for each page_file.
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"

#define PAGE_BYTES  4096
#define COLUMNS_MAX 16 /* of a record; further ones are left out */

struct page_file {
    int fd, wal; /* wal: -1 when there is none */
    uint32_t count;
    uint64_t *newer; /* by page: where in the WAL it is, or 0 */
};

/* Errors: ERROR_NOT_FOUND. */
bool page_file_open(const char *path, struct page_file *file_out, struct error *err) MUST_CHECK;
void page_file_close(struct page_file *file);

/* Pages are counted from 1. False when it cannot be read: the disk has an error, or it is past the
 * end. */
bool page_read(const struct page_file *file, uint32_t number,
               unsigned char page_out[PAGE_BYTES]) MUST_CHECK;

enum page_kind {
    PAGE_INDEX_INTERIOR = 2,
    PAGE_TABLE_INTERIOR = 5,
    PAGE_INDEX_LEAF = 10,
    PAGE_TABLE_LEAF = 13,
    PAGE_OTHER = 0, /* overflow, free, or noise */
};

struct page {
    uint32_t number;
    enum page_kind kind;
    size_t n_cells;
    uint32_t last_child; /* of an interior page */
    const unsigned char *bytes;
};

/* Looks at a page's header. */
struct page page_look(const unsigned char bytes[PAGE_BYTES], uint32_t number);

struct cell {
    uint32_t child; /* interior pages */
    int64_t rowid;  /* tables */
    uint64_t len;   /* of the payload; 0 in a table's interior */
    struct slice local;
    uint32_t overflow; /* the page where it goes on, or 0 */
};

bool page_cell(const struct page *page, size_t index, struct cell *cell_out) MUST_CHECK;

/* Appends `len` bytes of the payload from `offset` on; what cannot be read is missing at the end.
 */
void cell_read(const struct page_file *file, const struct cell *cell, uint64_t offset, uint64_t len,
               struct buf *out);

struct column {
    enum { COLUMN_NULL, COLUMN_NUMBER, COLUMN_REAL, COLUMN_TEXT, COLUMN_BLOB } type;
    int64_t number;
    uint64_t offset, len; /* of text and blob, within the payload */
    struct slice local;   /* what of it lies in the cell */
};

struct record {
    size_t n_columns;
    struct column columns[COLUMNS_MAX];
};

/* False when the cell's beginning is no record that fits its length. */
bool cell_record(const struct cell *cell, struct record *record_out) MUST_CHECK;

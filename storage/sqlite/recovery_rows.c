/* recovery_rows.c - rows out of the pages of a damaged mail.db; see recover.h.
 *
 *     page 1 --> the tables' roots --> roles of the pages that can be reached
 *     all pages --> rows, of the table by role, or where there is none, that they look like
 *
 * Pages of other tables, of indexes and of the list of free pages have a role, too, so that what is
 * in them is not taken for mail.
 */
#include "storage/sqlite/recovery_private.h"

#include <stdlib.h>

#define NAME_BYTES_MAX 2000
#define HASH_COLUMN    5  /* of `msg` */
#define URL_KEY_BYTES  32 /* a row of `url_key` looks like one of `body` */

enum role { UNKNOWN, SCHEMA, MAILBOX, KEYWORD, MESSAGE, MSG, BODY, OTHER };

static const char *const role_tables[] = {
    [MAILBOX] = "mailbox", [KEYWORD] = "keyword", [MESSAGE] = "message",
    [MSG] = "msg",         [BODY] = "body",
};

/* Roles of pages. */

static enum role role_of_table(struct slice name)
{
    for (enum role role = MAILBOX; role <= BODY; role++)
        if (slice_equal(name, slice_of(role_tables[role])))
            return role;
    return OTHER;
}

struct stack {
    uint32_t *items;
    size_t count, room;
};

static void push(struct stack *stack, uint32_t page)
{
    stack->items = mem_grow(stack->items, &stack->room, stack->count + 1, sizeof(uint32_t));
    stack->items[stack->count++] = page;
}

static void push_children(struct stack *stack, const struct page *page)
{
    struct cell cell;

    if (page->last_child == 0)
        return;
    push(stack, page->last_child);
    for (size_t i = 0; i < page->n_cells; i++)
        if (page_cell(page, i, &cell))
            push(stack, cell.child);
}

/* Gives a role to all pages of a tree that can be reached; each page gets one only once. */
static void walk_tree(struct recovery *recovery, uint32_t root, enum role role)
{
    unsigned char bytes[PAGE_BYTES];
    struct stack stack = { 0 };

    push(&stack, root);
    while (stack.count > 0) {
        uint32_t number = stack.items[--stack.count];

        if (number > recovery->file.count || recovery->roles[number] != UNKNOWN ||
            !page_read(&recovery->file, number, bytes))
            continue;
        struct page page = page_look(bytes, number);
        if (page.kind == PAGE_OTHER)
            continue;
        recovery->roles[number] = (unsigned char)role;
        push_children(&stack, &page);
    }
    free(stack.items);
}

static uint32_t number_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The list of free pages: what is in them was deleted. */
static void walk_free(struct recovery *recovery)
{
    unsigned char bytes[PAGE_BYTES];
    uint32_t left = recovery->file.count;

    if (!page_read(&recovery->file, 1, bytes) || memcmp(bytes, "SQLite format 3", 16) != 0)
        return;
    uint32_t trunk = number_at(bytes + 32);
    while (left-- > 0 && trunk != 0 && trunk <= recovery->file.count &&
           page_read(&recovery->file, trunk, bytes)) {
        uint32_t count = MIN(number_at(bytes + 4), PAGE_BYTES / 4u - 2);

        for (uint32_t i = 0; i < count; i++) {
            uint32_t leaf = number_at(bytes + 8 + 4 * i);

            if (leaf > 0 && leaf <= recovery->file.count && recovery->roles[leaf] == UNKNOWN)
                recovery->roles[leaf] = OTHER;
        }
        recovery->roles[trunk] = OTHER;
        trunk = number_at(bytes);
    }
}

/* Rows. */

static uint64_t number(const struct record *record, size_t column)
{
    return (uint64_t)record->columns[column].number;
}

/* Are columns [from, to) all numbers? */
static bool are_numbers(const struct record *record, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (i >= record->n_columns || record->columns[i].type != COLUMN_NUMBER)
            return false;
    return true;
}

static bool is(const struct record *record, size_t column, int type)
{
    return column < record->n_columns && (int)record->columns[column].type == type;
}

/* Of which table a row is by its looks. The first column of a table with INTEGER PRIMARY KEY is
 * NULL; its value is the rowid. */
static enum role role_by_looks(const struct record *record, bool table)
{
    if (!table)
        return record->n_columns == 8 && are_numbers(record, 0, 8) && number(record, 1) > 0 &&
                       number(record, 1) <= UINT32_MAX
                   ? MESSAGE
                   : OTHER;
    if (!is(record, 0, COLUMN_NULL))
        return OTHER;
    if (record->n_columns == 2 && is(record, 1, COLUMN_TEXT))
        return KEYWORD;
    if (record->n_columns == 2 && is(record, 1, COLUMN_BLOB))
        return BODY;
    if (record->n_columns >= 12 && is(record, 1, COLUMN_TEXT) && are_numbers(record, 2, 12))
        return MAILBOX;
    if (record->n_columns >= 7 && are_numbers(record, 1, 5) && is(record, 5, COLUMN_BLOB) &&
        record->columns[5].len == HASH_SIZE)
        return MSG;
    return OTHER;
}

static struct slice text_of(struct recovery *recovery, const struct cell *cell,
                            const struct column *column)
{
    AUTO(buf_free) struct buf text = { 0 };

    cell_read(&recovery->file, cell, column->offset, MIN(column->len, NAME_BYTES_MAX), &text);
    return slice_copy(&recovery->arena, buf_slice(&text));
}

static void add_msg(struct recovery *recovery, const struct cell *cell, const struct record *record)
{
    struct msg_found *msg = ADD_ROW(&recovery->msgs);

    *msg = (struct msg_found){ .id = (uint64_t)cell->rowid,
                               .refs = number(record, 1),
                               .size = number(record, 3),
                               .inline_bytes = number(record, 4) };
    memcpy(msg->hash, record->columns[HASH_COLUMN].local.data,
           MIN(record->columns[HASH_COLUMN].local.len, HASH_SIZE));
}

static void add_message(struct recovery *recovery, const struct record *record)
{
    *ADD_ROW(&recovery->messages) = (struct message_found){
        .mailbox = number(record, 0),
        .uid = number(record, 1),
        .modseq = number(record, 2),
        .flags = number(record, 3),
        .received_ms = (int64_t)number(record, 4),
        .msg = number(record, 6),
    };
}

static void add_row(struct recovery *recovery, const struct page *page, size_t index,
                    const struct cell *cell, const struct record *record)
{
    enum role role = role_by_looks(record, page->kind == PAGE_TABLE_LEAF);

    if (recovery->roles[page->number] != UNKNOWN && recovery->roles[page->number] != role)
        return;
    if (role == BODY && recovery->roles[page->number] == UNKNOWN &&
        record->columns[1].len == URL_KEY_BYTES)
        return;
    if (role == MAILBOX)
        *ADD_ROW(&recovery->mailboxes) =
            (struct mailbox_found){ (uint64_t)cell->rowid,
                                    text_of(recovery, cell, &record->columns[1]) };
    else if (role == KEYWORD && cell->rowid >= 0 && cell->rowid < 64)
        recovery->keywords[cell->rowid] = text_of(recovery, cell, &record->columns[1]);
    else if (role == MESSAGE)
        add_message(recovery, record);
    else if (role == MSG)
        add_msg(recovery, cell, record);
    else if (role == BODY)
        *ADD_ROW(&recovery->bodies) =
            (struct body_found){ (uint64_t)cell->rowid, record->columns[1].len, page->number, index,
                                 false };
}

static void add_schema_row(struct recovery *recovery, const struct cell *cell,
                           const struct record *record)
{
    struct slice name;

    if (!is(record, 0, COLUMN_TEXT) || !is(record, 1, COLUMN_TEXT) || !are_numbers(record, 3, 4))
        return;
    name = text_of(recovery, cell, &record->columns[1]);
    walk_tree(recovery, (uint32_t)number(record, 3),
              slice_is(record->columns[0].local, "table") ? role_of_table(name) : OTHER);
}

typedef void (*each_row)(struct recovery *recovery, const struct page *page, size_t index,
                         const struct cell *cell, const struct record *record);

/* Rows of WITHOUT ROWID tables lie in interior pages, too. */
static void for_rows(struct recovery *recovery, uint32_t number, each_row each)
{
    unsigned char bytes[PAGE_BYTES];
    struct record record;
    struct cell cell;

    if (!page_read(&recovery->file, number, bytes))
        return;
    struct page page = page_look(bytes, number);
    if (page.kind == PAGE_OTHER || page.kind == PAGE_TABLE_INTERIOR)
        return;
    for (size_t i = 0; i < page.n_cells; i++)
        if (page_cell(&page, i, &cell) && cell_record(&cell, &record))
            each(recovery, &page, i, &cell, &record);
}

static void on_schema_row(struct recovery *recovery, const struct page *page, size_t index,
                          const struct cell *cell, const struct record *record)
{
    (void)page;
    (void)index;
    add_schema_row(recovery, cell, record);
}

void recovery_read_rows(struct recovery *recovery)
{
    walk_tree(recovery, 1, SCHEMA);
    for (uint32_t i = 1; i <= recovery->file.count; i++)
        if (recovery->roles[i] == SCHEMA)
            for_rows(recovery, i, on_schema_row);
    walk_free(recovery);
    for (uint32_t i = 1; i <= recovery->file.count; i++)
        if (recovery->roles[i] != SCHEMA && recovery->roles[i] != OTHER)
            for_rows(recovery, i, add_row);
}

/* chunk.c - see chunk.h.
 *
 *     struct chunk | palette: 8 bytes each | UIDs | flags | modseqs | sizes | ... | 8 bytes
 */
#include "imapd/view/chunk.h"

#include "common/mem.h"

#include <assert.h>
#include <stdlib.h>

#define PALETTE_SPARE 6

/* The palette while a chunk is packed: number of each row, and the flags by number. */
struct palette {
    uint64_t flags[CHUNK_PALETTE];
    uint16_t count;
    bool full; /* there are more */
    unsigned char numbers[CHUNK_ROWS];
};

static bool palette_number(struct palette *palette, uint64_t flags, unsigned char *number_out)
{
    unsigned i = 0;

    while (i < palette->count && palette->flags[i] != flags)
        i++;
    if (i == CHUNK_PALETTE)
        return false;
    if (i == palette->count)
        palette->flags[palette->count++] = flags;
    *number_out = (unsigned char)i;
    return true;
}

static void palette_make(struct palette *palette, const struct mail *rows, size_t count)
{
    palette->count = 0;
    palette->full = false;
    for (size_t i = 0; i < count && !palette->full; i++) {
        if (i > 0 && rows[i].flags == rows[i - 1].flags)
            palette->numbers[i] = palette->numbers[i - 1];
        else
            palette->full = !palette_number(palette, rows[i].flags, &palette->numbers[i]);
    }
}

/* Sums and differences wrap: whatever the store holds comes out as it went in. */
static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* What is stored of a row but its flags. */
static int64_t row_value(const struct mail *mail, enum chunk_column column, size_t row,
                         bool saved_is_delay)
{
    switch (column) {
    case CHUNK_UID:
        return (int64_t)mail->uid - (int64_t)row;
    case CHUNK_MODSEQ:
        return (int64_t)mail->modseq;
    case CHUNK_SIZE:
        return mail->size;
    case CHUNK_MSG:
        return minus((int64_t)mail->msg, (int64_t)row);
    case CHUNK_RECEIVED:
        return mail->received_ms;
    case CHUNK_SAVED:
        return saved_is_delay ? minus(mail->saved_ms, mail->received_ms) : mail->saved_ms;
    case CHUNK_FLAGS:
    case CHUNK_COLUMNS:
        break;
    }
    abort();
}

static uint32_t width_of(uint64_t rest)
{
    return rest == 0 ? 0 : (64 - (uint32_t)__builtin_clzll(rest) + 7) / 8;
}

static uint64_t mask_of(uint32_t width)
{
    return width == 0 ? 0 : ~0ull >> (64 - 8 * width);
}

static void set_part(struct chunk_part *part, int64_t base, uint32_t width)
{
    *part = (struct chunk_part){ .base = base, .width = width, .mask = mask_of(width) };
}

static void measure(struct chunk_part *part, const struct mail *rows, size_t count,
                    enum chunk_column column, bool saved_is_delay)
{
    int64_t least = INT64_MAX, greatest = INT64_MIN;

    for (size_t i = 0; i < count; i++) {
        int64_t value = row_value(&rows[i], column, i, saved_is_delay);

        least = MIN(least, value);
        greatest = MAX(greatest, value);
    }
    set_part(part, least, width_of((uint64_t)greatest - (uint64_t)least));
}

static uint64_t greatest_modseq(const struct mail *rows, size_t count)
{
    uint64_t greatest = 0;

    for (size_t i = 0; i < count; i++)
        greatest = MAX(greatest, rows[i].modseq);
    return greatest;
}

static void measure_saved(struct chunk *head, const struct mail *rows, size_t count)
{
    struct chunk_part *part = &head->parts[CHUNK_SAVED], delay;

    measure(&delay, rows, count, CHUNK_SAVED, true);
    measure(part, rows, count, CHUNK_SAVED, false);
    head->saved_is_delay = delay.width < part->width;
    if (head->saved_is_delay)
        *part = delay;
}

static void measure_flags(struct chunk *head, const struct palette *palette)
{
    head->n_palette = palette->full ? 0 : palette->count;
    head->palette_room =
        palette->full ? 0 : MIN((uint16_t)(palette->count + PALETTE_SPARE), CHUNK_PALETTE);
    set_part(&head->parts[CHUNK_FLAGS], 0, palette->full ? 8 : palette->count > 1 ? 1 : 0);
}

/* Where each column begins, and how long all are. */
static void lay_out(struct chunk *head)
{
    uint32_t at = head->palette_room * (uint32_t)sizeof(uint64_t);

    for (int i = 0; i < CHUNK_COLUMNS; i++) {
        head->parts[i].at = at;
        at += head->room * head->parts[i].width;
    }
    head->len = at + (uint32_t)sizeof(uint64_t);
}

/* Writes as many bytes as the column has for a value. */
static void put(struct chunk *chunk, enum chunk_column column, size_t row, int64_t value)
{
    const struct chunk_part *part = &chunk->parts[column];
    uint64_t rest = htole64((uint64_t)value - (uint64_t)part->base);

    memcpy(&chunk->bytes[part->at + row * part->width], &rest, part->width);
}

static void fill(struct chunk *chunk, const struct mail *rows, const struct palette *palette)
{
    for (int column = 0; column < CHUNK_COLUMNS; column++) {
        if (chunk->parts[column].width == 0 || column == CHUNK_FLAGS)
            continue;
        for (size_t i = 0; i < chunk->count; i++)
            put(chunk, (enum chunk_column)column, i,
                row_value(&rows[i], (enum chunk_column)column, i, chunk->saved_is_delay));
    }
    memcpy(chunk->bytes, palette->flags, chunk->n_palette * sizeof(palette->flags[0]));
    for (size_t i = 0; i < chunk->count; i++)
        put(chunk, CHUNK_FLAGS, i,
            palette->full ? (int64_t)rows[i].flags : (int64_t)palette->numbers[i]);
}

struct chunk *chunk_new(const struct mail *rows, size_t count, size_t room)
{
    struct chunk head = { .refs = 1, .count = (uint16_t)count, .room = (uint16_t)room };
    struct palette palette;

    assert(count > 0 && count <= room && room <= CHUNK_ROWS);
    palette_make(&palette, rows, count);
    measure_flags(&head, &palette);
    for (int column = 0; column < CHUNK_COLUMNS; column++)
        if (column != CHUNK_FLAGS && column != CHUNK_SAVED)
            measure(&head.parts[column], rows, count, (enum chunk_column)column, false);
    measure_saved(&head, rows, count);
    head.last_modseq = greatest_modseq(rows, count);
    lay_out(&head);

    struct chunk *chunk = mem_zero(sizeof(*chunk) + head.len);
    *chunk = head;
    fill(chunk, rows, &palette);
    return chunk;
}

struct chunk *chunk_share(struct chunk *chunk)
{
    chunk->refs++;
    return chunk;
}

void chunk_drop(struct chunk **chunk)
{
    if (*chunk != NULL && --(*chunk)->refs == 0)
        free(*chunk);
    *chunk = NULL;
}

struct chunk *chunk_own(struct chunk *chunk)
{
    struct chunk *own;

    if (chunk->refs == 1)
        return chunk;
    own = mem_zero(chunk_bytes(chunk));
    memcpy(own, chunk, chunk_bytes(chunk));
    own->refs = 1;
    chunk_drop(&chunk);
    return own;
}

static bool fits(const struct chunk *chunk, enum chunk_column column, int64_t value)
{
    const struct chunk_part *part = &chunk->parts[column];

    return value >= part->base && (uint64_t)value - (uint64_t)part->base <= part->mask;
}

/* The number of these flags, made if there is room for it. */
static bool flags_value(struct chunk *chunk, uint64_t flags, int64_t *value_out)
{
    uint64_t known;

    *value_out = (int64_t)flags;
    if (chunk->palette_room == 0)
        return true;
    for (*value_out = 0; *value_out < chunk->n_palette; ++*value_out) {
        memcpy(&known, &chunk->bytes[(size_t)*value_out * sizeof(known)], sizeof(known));
        if (known == flags)
            return fits(chunk, CHUNK_FLAGS, *value_out);
    }
    if (chunk->n_palette == chunk->palette_room || !fits(chunk, CHUNK_FLAGS, *value_out))
        return false;
    memcpy(&chunk->bytes[chunk->n_palette++ * sizeof(flags)], &flags, sizeof(flags));
    return true;
}

bool chunk_set(struct chunk *chunk, size_t row, uint64_t flags, uint64_t modseq)
{
    int64_t number;

    assert(chunk->refs == 1);
    if (!fits(chunk, CHUNK_MODSEQ, (int64_t)modseq) || !flags_value(chunk, flags, &number))
        return false;
    put(chunk, CHUNK_FLAGS, row, number);
    put(chunk, CHUNK_MODSEQ, row, (int64_t)modseq);
    chunk->last_modseq = MAX(chunk->last_modseq, modseq);
    return true;
}

bool chunk_append(struct chunk *chunk, const struct mail *mail)
{
    int64_t values[CHUNK_COLUMNS];
    size_t row = chunk->count;

    assert(chunk->refs == 1);
    if (row == chunk->room)
        return false;
    for (int column = 0; column < CHUNK_COLUMNS; column++) {
        if (column == CHUNK_FLAGS)
            continue;
        values[column] = row_value(mail, (enum chunk_column)column, row, chunk->saved_is_delay);
        if (!fits(chunk, (enum chunk_column)column, values[column]))
            return false;
    }
    if (!flags_value(chunk, mail->flags, &values[CHUNK_FLAGS]))
        return false;
    for (int column = 0; column < CHUNK_COLUMNS; column++)
        put(chunk, (enum chunk_column)column, row, values[column]);
    chunk->count++;
    chunk->last_modseq = MAX(chunk->last_modseq, mail->modseq);
    return true;
}

void chunk_row(const struct chunk *chunk, size_t row, struct mail *mail_out)
{
    *mail_out = (struct mail){
        .uid = chunk_uid(chunk, row),
        .size = (uint32_t)chunk_value(chunk, CHUNK_SIZE, row),
        .modseq = (uint64_t)chunk_value(chunk, CHUNK_MODSEQ, row),
        .flags = chunk_flags(chunk, row),
        .received_ms = chunk_value(chunk, CHUNK_RECEIVED, row),
        .saved_ms = chunk_saved_ms(chunk, row),
        .msg = chunk_msg(chunk, row),
    };
}

static bool rows_equal(const struct mail *a, const struct mail *b)
{
    return a->uid == b->uid && a->size == b->size && a->modseq == b->modseq &&
           a->flags == b->flags && a->received_ms == b->received_ms && a->saved_ms == b->saved_ms &&
           a->msg == b->msg;
}

bool chunk_equal(const struct chunk *a, const struct chunk *b)
{
    struct mail one, other;

    if (a == b || a->count != b->count)
        return a == b;
    for (size_t i = 0; i < a->count; i++) {
        chunk_row(a, i, &one);
        chunk_row(b, i, &other);
        if (!rows_equal(&one, &other))
            return false;
    }
    return true;
}

size_t chunk_bytes(const struct chunk *chunk)
{
    return sizeof(*chunk) + chunk->len;
}

bool chunk_may_lack(const struct chunk *chunk, uint64_t flags)
{
    uint64_t known;

    for (unsigned i = 0; i < chunk->n_palette; i++) {
        memcpy(&known, &chunk->bytes[i * sizeof(known)], sizeof(known));
        if ((known & flags) != flags)
            return true;
    }
    return chunk->palette_room == 0;
}

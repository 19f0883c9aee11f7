/* counts.c - see counts.h: a hash table with open addressing, swapped away whole when it is
 * written. */
#include "smtpd/report/counts.h"

#include "common/clock.h"
#include "common/crypto.h"
#include "storage/names.h"

#include <pthread.h>
#include <stdlib.h>

#define SLOTS     32768 /* a power of two over COUNTS_MAX */
#define SEPARATOR '\t'
#define DAY_MS    (24ll * 60 * 60 * 1000)

struct table {
    struct arena arena;
    struct tally *items;
    size_t count, room;
    uint64_t seed;         /* nobody can choose names that all hash alike */
    uint32_t slots[SLOTS]; /* place in items + 1; 0: free */
};

struct counts {
    bool mail, sessions; /* wanted */
    pthread_mutex_t lock;
    struct table *table; /* NULL: nothing was counted since the last write */
};

/* --- tuples --- */

/* The texts of a key, in this order. */
static const size_t row_parts[] = {
    offsetof(struct dmarc_row, source),        offsetof(struct dmarc_row, disposition),
    offsetof(struct dmarc_row, dkim),          offsetof(struct dmarc_row, spf),
    offsetof(struct dmarc_row, reason),        offsetof(struct dmarc_row, header_from),
    offsetof(struct dmarc_row, envelope_from), offsetof(struct dmarc_row, dkim_domain),
    offsetof(struct dmarc_row, dkim_selector), offsetof(struct dmarc_row, dkim_result),
    offsetof(struct dmarc_row, spf_domain),    offsetof(struct dmarc_row, spf_scope),
    offsetof(struct dmarc_row, spf_result),
};
static const size_t session_parts[] = {
    offsetof(struct tls_session, policy),  offsetof(struct tls_session, policy_text),
    offsetof(struct tls_session, result),  offsetof(struct tls_session, host),
    offsetof(struct tls_session, address), offsetof(struct tls_session, reason),
};

static void add_part(struct slice part, struct buf *key)
{
    part = slice_part(part, 0, COUNTS_PART_MAX);
    for (size_t i = 0; i < part.len; i++) {
        char byte = part.data[i];

        buf_add_byte(key, (unsigned char)byte < ' ' && byte != '\n' ? ' ' : byte);
    }
}

static void print_tuple(const void *object, const size_t *parts, size_t n_parts, struct buf *key)
{
    for (size_t i = 0; i < n_parts; i++) {
        if (i > 0)
            buf_add_byte(key, SEPARATOR);
        add_part(*(const struct slice *)((const char *)object + parts[i]), key);
    }
}

/* A key with fewer parts, of an older version, leaves the rest empty. */
static void read_tuple(struct slice key, const size_t *parts, size_t n_parts, void *object)
{
    for (size_t i = 0; i < n_parts; i++) {
        struct slice *part = (struct slice *)((char *)object + parts[i]);

        if (!slice_split(&key, SEPARATOR, part))
            *part = (struct slice){ 0 };
    }
}

void counts_row(const struct tally *tally, struct dmarc_row *row_out)
{
    *row_out = (struct dmarc_row){ .count = tally->count };
    read_tuple(tally->key, row_parts, COUNT_OF(row_parts), row_out);
}

void counts_tls(const struct tally *tally, struct tls_session *session_out)
{
    *session_out = (struct tls_session){ .domain = tally->domain };
    read_tuple(tally->key, session_parts, COUNT_OF(session_parts), session_out);
}

/* --- the table --- */

struct counts *counts_new(bool mail, bool sessions)
{
    struct counts *counts = NEW(struct counts);

    counts->mail = mail;
    counts->sessions = sessions;
    pthread_mutex_init(&counts->lock, NULL);
    return counts;
}

static struct table *table_new(void)
{
    struct table *table = NEW(struct table);

    table->seed = random_u64();
    return table;
}

static void table_free(struct table **table)
{
    struct table *old = TAKE(*table);

    if (old == NULL)
        return;
    arena_free(&old->arena);
    free(old->items);
    free(old);
}

void counts_free(struct counts **counts)
{
    struct counts *old = TAKE(*counts);

    if (old == NULL)
        return;
    table_free(&old->table);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

int64_t counts_day(int64_t ms)
{
    return ms / DAY_MS;
}

/* FNV-1a, the upper half of it: the lower bits mix less well. */
static uint64_t hash_bytes(uint64_t hash, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.data[i]) * 1099511628211u;
    return (hash ^ bytes.len) * 1099511628211u;
}

static uint32_t slot_of(const struct table *table, const struct tally *tally)
{
    uint64_t hash = table->seed ^ (uint64_t)tally->kind ^ ((uint64_t)tally->day << 8);

    hash = hash_bytes(hash_bytes(hash, tally->domain), tally->key);
    return (uint32_t)(hash >> 32) % SLOTS;
}

static bool same(const struct tally *a, const struct tally *b)
{
    return a->kind == b->kind && a->day == b->day && slice_equal(a->domain, b->domain) &&
           slice_equal(a->key, b->key);
}

static void table_add(struct table *table, const struct tally *tally)
{
    uint32_t slot = slot_of(table, tally);

    while (table->slots[slot] != 0) {
        struct tally *item = &table->items[table->slots[slot] - 1];

        if (same(item, tally)) {
            item->count += tally->count;
            return;
        }
        slot = (slot + 1) % SLOTS;
    }
    if (table->count == COUNTS_MAX)
        return;
    table->items = mem_grow(table->items, &table->room, table->count + 1, sizeof(table->items[0]));
    table->items[table->count] = *tally;
    table->items[table->count].domain = slice_copy(&table->arena, tally->domain);
    table->items[table->count].key = slice_copy(&table->arena, tally->key);
    table->slots[slot] = (uint32_t)++table->count;
}

/* --- counting --- */

static void count_one(struct counts *counts, enum tally_kind kind, struct slice name,
                      const struct buf *key)
{
    AUTO(buf_free) struct buf domain = { 0 };
    struct tally tally = { kind, counts_day(time_ms()), { 0 }, buf_slice(key), 1 };

    for (size_t i = 0; i < MIN(name.len, DOMAIN_MAX); i++)
        buf_add_byte(&domain, name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20
                                                                         : name.data[i]);
    tally.domain = buf_slice(&domain);
    pthread_mutex_lock(&counts->lock);
    if (counts->table == NULL)
        counts->table = table_new();
    table_add(counts->table, &tally);
    pthread_mutex_unlock(&counts->lock);
}

void counts_mail(struct counts *counts, struct slice domain, const struct dmarc_row *row)
{
    AUTO(buf_free) struct buf key = { 0 };

    if (counts == NULL || !counts->mail || domain.len == 0)
        return;
    print_tuple(row, row_parts, COUNT_OF(row_parts), &key);
    count_one(counts, TALLY_DMARC, domain, &key);
}

/* Of a success nothing but the policy is reported. */
void counts_session(struct counts *counts, const struct tls_session *session)
{
    AUTO(buf_free) struct buf key = { 0 };
    struct tls_session told = *session;

    if (counts == NULL || !counts->sessions || session->domain.len == 0)
        return;
    if (told.result.len == 0)
        told.host = told.address = told.reason = (struct slice){ 0 };
    print_tuple(&told, session_parts, COUNT_OF(session_parts), &key);
    count_one(counts, TALLY_TLS, session->domain, &key);
}

bool counts_is_empty(struct counts *counts)
{
    bool empty;

    pthread_mutex_lock(&counts->lock);
    empty = counts->table == NULL;
    pthread_mutex_unlock(&counts->lock);
    return empty;
}

/* --- writing --- */

static struct table *take_table(struct counts *counts)
{
    struct table *table;

    pthread_mutex_lock(&counts->lock);
    table = TAKE(counts->table);
    pthread_mutex_unlock(&counts->lock);
    return table;
}

static void put_back(struct counts *counts, struct table *table)
{
    pthread_mutex_lock(&counts->lock);
    if (counts->table == NULL)
        counts->table = table_new();
    for (size_t i = 0; i < table->count; i++)
        table_add(counts->table, &table->items[i]);
    pthread_mutex_unlock(&counts->lock);
}

bool counts_write(struct counts *counts, struct desk *desk, struct error *err)
{
    AUTO(table_free) struct table *table = take_table(counts);

    if (table == NULL || tally_add(desk, table->items, table->count, err))
        return true;
    put_back(counts, table);
    return false;
}

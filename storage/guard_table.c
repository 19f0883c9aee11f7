/* guard_table.c - see guard_table.h.
 *
 * Rows are read and written with pread() and pwrite(): they come from the page cache, and a full
 * disk is an error and no signal, as it would be with a file that is mapped.
 */
#include "storage/guard_table.h"

#include "common/crypto.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define MAGIC       "postane guard 1\n"
#define HEADER_SIZE 512
#define KEEP_S      (30 * 24 * 60 * 60) /* rows that nobody has touched for so long are worth least */

_Static_assert(sizeof(struct guard_row) == 64, "the file's form");

struct header {
    char magic[16];
    unsigned char secret[32];
};

struct guard_table {
    int fd;
    unsigned char secret[32];
    pthread_mutex_t lock; /* for changes, and for the fault */
    bool has_fault;
    struct error fault;
};

/* Two daemons may come to a new file at once: the first one writes its header. */
static bool take_header(int fd, struct header *header, struct error *err)
{
    if (flock(fd, LOCK_EX) != 0)
        return error_errno(err, "locking");
    if (pread(fd, header, sizeof(*header), 0) != (ssize_t)sizeof(*header) ||
        memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0) {
        memcpy(header->magic, MAGIC, sizeof(header->magic));
        random_bytes(header->secret, sizeof(header->secret));
        if (ftruncate(fd, 0) != 0 ||
            pwrite(fd, header, sizeof(*header), 0) != (ssize_t)sizeof(*header))
            return error_errno(err, "writing");
    }
    flock(fd, LOCK_UN);
    return true;
}

bool guard_table_open(const char *path, struct guard_table **table_out, struct error *err)
{
    AUTO(guard_table_close) struct guard_table *table = NEW(struct guard_table);
    struct header header;

    pthread_mutex_init(&table->lock, NULL);
    table->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (table->fd < 0)
        return error_errno(err, "%s", path);
    if (!take_header(table->fd, &header, err))
        return error_wrap(err, "%s", path);
    memcpy(table->secret, header.secret, sizeof(table->secret));
    *table_out = TAKE(table);
    return true;
}

void guard_table_close(struct guard_table **table_pointer)
{
    struct guard_table *table = TAKE(*table_pointer);

    if (table == NULL)
        return;
    if (table->fd >= 0)
        close(table->fd); /* which gives up the lock, too */
    pthread_mutex_destroy(&table->lock);
    mem_wipe(table->secret, sizeof(table->secret));
    free(table);
}

uint64_t guard_table_key(const struct guard_table *table, const char *kind, const void *subject,
                         size_t size)
{
    AUTO(buf_free) struct buf text = { .secret = true };
    unsigned char hash[HASH_SIZE];
    uint64_t key;

    buf_add(&text, kind, strlen(kind) + 1);
    buf_add(&text, subject, size);
    hash_keyed(table->secret, buf_slice(&text), hash);
    memcpy(&key, hash, sizeof(key));
    return key != 0 ? key : 1;
}

/* Finds rows that were written half, or by nobody. */
static uint32_t check_of(const struct guard_row *row)
{
    const unsigned char *bytes = (const unsigned char *)row;
    uint32_t sum = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < offsetof(struct guard_row, check); i++)
        sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

static off_t place_of(uint64_t key, size_t way)
{
    size_t row = key % GUARD_SETS * GUARD_WAYS + way;

    return (off_t)(HEADER_SIZE + row * sizeof(struct guard_row));
}

/* Under the lock. */
static void note_fault(struct guard_table *table, const char *what)
{
    if (!table->has_fault)
        error_fill_errno(&table->fault, "the guard's table: %s", what);
    table->has_fault = true;
}

/* Past the end of the file, and in its holes, all is zero. False: it could not be read. */
static bool read_set(const struct guard_table *table, uint64_t key,
                     struct guard_row rows[GUARD_WAYS])
{
    size_t size = GUARD_WAYS * sizeof(rows[0]);
    ssize_t got = pread(table->fd, rows, size, place_of(key, 0));

    memset((char *)rows + (got > 0 ? got : 0), 0, size - (size_t)(got > 0 ? got : 0));
    for (size_t i = 0; i < GUARD_WAYS; i++)
        if (rows[i].check != check_of(&rows[i]) || rows[i].n_marks > GUARD_MARKS)
            rows[i] = (struct guard_row){ 0 };
    return got >= 0;
}

static struct guard_row *find(struct guard_row rows[GUARD_WAYS], uint64_t key)
{
    for (size_t i = 0; i < GUARD_WAYS; i++)
        if (rows[i].key == key)
            return &rows[i];
    return NULL;
}

void guard_table_read(struct guard_table *table, uint64_t key, struct guard_row *row_out)
{
    struct guard_row rows[GUARD_WAYS];
    const struct guard_row *found;

    if (!read_set(table, key, rows)) {
        pthread_mutex_lock(&table->lock);
        note_fault(table, "reading");
        pthread_mutex_unlock(&table->lock);
    }
    found = find(rows, key);
    *row_out = found != NULL ? *found : (struct guard_row){ .key = key };
}

/* What is lost with a row: who has logged in here matters more than a few wrong passwords, which
 * anybody can bring about in any number of rows. */
static uint64_t worth_of(const struct guard_row *row, uint32_t now_s)
{
    uint32_t last_s = MAX(MAX(row->counted_s, row->good_s), row->banned_s);

    if (row->key == 0 || (last_s < now_s && now_s - last_s > KEEP_S))
        return 0;
    return 1 + (uint64_t)row->wrong + (uint64_t)row->bans * 8 + (row->good_s != 0 ? 16 : 0);
}

/* An equal one goes if it is older. */
static struct guard_row *least(struct guard_row rows[GUARD_WAYS], uint32_t now_s)
{
    struct guard_row *least = &rows[0];

    for (size_t i = 1; i < GUARD_WAYS; i++) {
        uint64_t a = worth_of(&rows[i], now_s), b = worth_of(least, now_s);

        if (a < b || (a == b && rows[i].counted_s < least->counted_s))
            least = &rows[i];
    }
    return least;
}

void guard_table_change(struct guard_table *table, uint64_t key, uint32_t now_s,
                        void (*change)(struct guard_row *row, void *context), void *context)
{
    struct guard_row rows[GUARD_WAYS], *row;

    pthread_mutex_lock(&table->lock);
    if (!read_set(table, key, rows))
        note_fault(table, "reading");
    row = find(rows, key);
    if (row == NULL) {
        row = least(rows, now_s);
        *row = (struct guard_row){ .key = key };
    }
    change(row, context);
    row->check = check_of(row);
    if (pwrite(table->fd, row, sizeof(*row), place_of(key, (size_t)(row - rows))) !=
        (ssize_t)sizeof(*row))
        note_fault(table, "writing");
    pthread_mutex_unlock(&table->lock);
}

bool guard_table_fault(struct guard_table *table, struct error *fault_out)
{
    pthread_mutex_lock(&table->lock);
    bool has_fault = table->has_fault;
    if (has_fault)
        *fault_out = table->fault;
    table->has_fault = false;
    pthread_mutex_unlock(&table->lock);
    return has_fault;
}

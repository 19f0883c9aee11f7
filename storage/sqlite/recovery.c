/* recovery.c - messages out of the rows of a damaged mail.db; see recover.h.
 *
 * Items are made in two steps: one for each message in a mailbox, then those that are in none. A
 * row may be there twice, where a page that was left has an older one: by_place() and
 * recovery_read() choose.
 */
#include "storage/sqlite/recovery_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* Items. */

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* Of a message with old and new rows the newest comes first. */
static int by_place(const void *a, const void *b)
{
    const struct message_found *x = a, *y = b;
    int mailbox = COMPARE(x->mailbox, y->mailbox), uid = COMPARE(x->uid, y->uid);

    return mailbox != 0 ? mailbox : uid != 0 ? uid : COMPARE(y->modseq, x->modseq);
}

static int msg_by_id(const void *a, const void *b)
{
    return COMPARE(((const struct msg_found *)a)->id, ((const struct msg_found *)b)->id);
}

static int body_by_id(const void *a, const void *b)
{
    return COMPARE(((const struct body_found *)a)->id, ((const struct body_found *)b)->id);
}

static struct msg_found *find_msg(const struct recovery *recovery, uint64_t id)
{
    struct msg_found key = { .id = id };

    return recovery->msgs.count == 0
               ? NULL
               : bsearch(&key, recovery->msgs.items, recovery->msgs.count, sizeof(key), msg_by_id);
}

/* The first of those with the id: after a crash there may be copies in pages that were left. */
static struct body_found *find_body(const struct recovery *recovery, uint64_t id)
{
    struct body_found key = { .id = id }, *found = NULL;

    if (recovery->bodies.count > 0)
        found =
            bsearch(&key, recovery->bodies.items, recovery->bodies.count, sizeof(key), body_by_id);
    while (found != NULL && found > recovery->bodies.items && found[-1].id == id)
        found--;
    return found;
}

static struct slice mailbox_name_of(struct recovery *recovery, uint64_t id)
{
    char name[40];

    for (size_t i = 0; i < recovery->mailboxes.count; i++)
        if (recovery->mailboxes.items[i].id == id)
            return recovery->mailboxes.items[i].name;
    snprintf(name, sizeof(name), "Mailbox %llu", (unsigned long long)id);
    struct slice made = slice_copy(&recovery->arena, slice_of(name));
    *ADD_ROW(&recovery->mailboxes) = (struct mailbox_found){ id, made };
    return made;
}

static void use(struct recovery *recovery, uint64_t id)
{
    struct msg_found *msg = find_msg(recovery, id);
    struct body_found *body = find_body(recovery, id);
    const struct body_found *end = recovery->bodies.items + recovery->bodies.count;

    if (msg != NULL)
        msg->used = true;
    for (; body != NULL && body < end && body->id == id; body++)
        body->used = true;
}

static void add_placed(struct recovery *recovery)
{
    struct slice name = { NULL, 0 };

    for (size_t i = 0; i < recovery->messages.count; i++) {
        const struct message_found *message = &recovery->messages.items[i];
        const struct message_found *last = i > 0 ? message - 1 : NULL;

        if (last == NULL || last->mailbox != message->mailbox)
            name = mailbox_name_of(recovery, message->mailbox);
        else if (last->uid == message->uid)
            continue;
        use(recovery, message->msg);
        *ADD_ROW(&recovery->items) =
            (struct recovered){ name, (uint32_t)message->uid, message->flags, message->received_ms,
                                message->msg };
    }
}

/* A message without references was expunged; it is not lost. */
static void add_lost(struct recovery *recovery)
{
    const struct slice lost = SLICE(RECOVERY_LOST);
    uint64_t last = 0;

    for (size_t i = 0; i < recovery->msgs.count; i++) {
        const struct msg_found *msg = &recovery->msgs.items[i];

        if (!msg->used && msg->refs > 0 && msg->id != last)
            *ADD_ROW(&recovery->items) = (struct recovered){ .mailbox = lost, .msg = msg->id };
        last = msg->id;
    }
    for (size_t i = 0; i < recovery->bodies.count; i++) {
        const struct body_found *body = &recovery->bodies.items[i];

        if (!body->used && body->id != last && find_msg(recovery, body->id) == NULL)
            *ADD_ROW(&recovery->items) = (struct recovered){ .mailbox = lost, .msg = body->id };
        last = body->id;
    }
}

#define SORT(rows, compare)                                                                        \
    do {                                                                                           \
        if ((rows).count > 0)                                                                      \
            qsort((rows).items, (rows).count, sizeof(*(rows).items), compare);                     \
    } while (0)

static void make_items(struct recovery *recovery)
{
    SORT(recovery->messages, by_place);
    SORT(recovery->msgs, msg_by_id);
    SORT(recovery->bodies, body_by_id);
    add_placed(recovery);
    add_lost(recovery);
}

bool recovery_open(struct store *store, uint64_t account, struct recovery **recovery_out,
                   struct error *err)
{
    AUTO(recovery_free) struct recovery *recovery = NEW(struct recovery);
    AUTO(buf_free) struct buf path = { 0 };
    AUTO(buf_free) struct buf big = { 0 };

    store_account_path(store, account, "mail.db", &path);
    store_account_path(store, account, "big", &big);
    recovery->big = -1;
    if (!page_file_open(buf_text(&path), &recovery->file, err))
        return false;
    recovery->big = open(buf_text(&big), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    recovery->roles = mem_zero((size_t)recovery->file.count + 1);
    recovery_read_rows(recovery);
    make_items(recovery);
    *recovery_out = TAKE(recovery);
    return true;
}

void recovery_free(struct recovery **recovery)
{
    struct recovery *old = TAKE(*recovery);

    if (old == NULL)
        return;
    page_file_close(&old->file);
    if (old->big >= 0)
        close(old->big);
    arena_free(&old->arena);
    free(old->roles);
    free(old->mailboxes.items);
    free(old->messages.items);
    free(old->msgs.items);
    free(old->bodies.items);
    free(old->items.items);
    free(old);
}

size_t recovery_count(const struct recovery *recovery)
{
    return recovery->items.count;
}

const struct recovered *recovery_item(const struct recovery *recovery, size_t index)
{
    return &recovery->items.items[index];
}

struct slice recovery_keyword(const struct recovery *recovery, unsigned bit)
{
    return bit < COUNT_OF(recovery->keywords) ? recovery->keywords[bit] : SLICE("");
}

/* Bytes. */

static void read_body(const struct recovery *recovery, const struct body_found *body,
                      struct buf *out)
{
    unsigned char bytes[PAGE_BYTES];
    struct record record;
    struct cell cell;

    if (!page_read(&recovery->file, body->page, bytes))
        return;
    struct page page = page_look(bytes, body->page);
    if (page_cell(&page, body->cell, &cell) && cell_record(&cell, &record))
        cell_read(&recovery->file, &cell, record.columns[1].offset, record.columns[1].len, out);
}

static void read_file(const struct recovery *recovery, uint64_t msg, struct buf *out)
{
    char name[24];
    ssize_t len = 1;

    snprintf(name, sizeof(name), "%llu", (unsigned long long)msg);
    int fd = recovery->big < 0 ? -1 : openat(recovery->big, name, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && len > 0) {
        len = read(fd, buf_reserve(out, 65536), 65536);
        buf_wrote(out, len > 0 ? (size_t)len : 0);
    }
    if (fd >= 0)
        close(fd);
}

static bool hash_fits(const struct msg_found *msg, struct slice bytes)
{
    unsigned char digest[HASH_SIZE];
    struct hash hash;

    hash_init(&hash);
    hash_add(&hash, bytes.data, bytes.len);
    hash_end(&hash, digest);
    return memcmp(digest, msg->hash, HASH_SIZE) == 0;
}

/* With this row of its bytes, or none. */
static void join(const struct recovery *recovery, const struct body_found *body,
                 const struct msg_found *msg, uint64_t id, struct buf *out)
{
    buf_clear(out);
    if (body != NULL)
        read_body(recovery, body, out);
    if (msg == NULL || msg->inline_bytes < msg->size)
        read_file(recovery, id, out);
}

enum recovery_state recovery_read(struct recovery *recovery, size_t index, struct buf *bytes)
{
    uint64_t id = recovery->items.items[index].msg;
    const struct msg_found *msg = find_msg(recovery, id);
    const struct body_found *body = find_body(recovery, id);
    const struct body_found *end = recovery->bodies.items + recovery->bodies.count;
    AUTO(buf_free) struct buf whole = { 0 };

    join(recovery, body, msg, id, &whole);
    while (msg != NULL && body != NULL && !hash_fits(msg, buf_slice(&whole)) && body + 1 < end &&
           body[1].id == id)
        join(recovery, ++body, msg, id, &whole);
    buf_add_slice(bytes, buf_slice(&whole));
    if (whole.len == 0)
        return RECOVERY_GONE;
    /* without its row there is no hash to compare */
    return msg == NULL || hash_fits(msg, buf_slice(&whole)) ? RECOVERY_WHOLE : RECOVERY_DAMAGED;
}

/* Anew. */

static bool set_aside(struct store *store, uint64_t account, const char *name, int64_t now_ms,
                      struct error *err)
{
    AUTO(buf_free) struct buf from = { 0 };
    AUTO(buf_free) struct buf to = { 0 };

    store_account_path(store, account, name, &from);
    buf_fmt(&to, "%s.damaged-%lld", buf_text(&from), (long long)now_ms);
    return rename(buf_text(&from), buf_text(&to)) == 0 || errno == ENOENT ||
           error_errno(err, "renaming %s", from.data);
}

/* mail.db goes first: without its WAL it would look like the mail of another day, and missing it is
 * found. */
static bool set_all_aside(struct store *store, uint64_t account, struct error *err)
{
    static const char *const names[] = {
        "mail.db",       "cache.db",      "cache.db-wal", "cache.db-shm", "search.db",
        "search.db-wal", "search.db-shm", "mail.db-shm",  "mail.db-wal",  "big"
    };
    AUTO(buf_free) struct buf folder = { 0 };
    int64_t now_ms = time_ms();

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (!set_aside(store, account, names[i], now_ms, err))
            return false;
    store_account_path(store, account, NULL, &folder);
    return dir_sync(buf_text(&folder), err);
}

bool recovery_start_anew(struct store *store, uint64_t account, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_account_path(store, account, "lock", &path);
    int lock = open(buf_text(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        return error_errno(err, "locking %s", path.data);
    bool ok = set_all_aside(store, account, err);
    close(lock);
    return ok && account_store_create(store, account, err);
}

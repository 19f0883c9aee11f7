/* body.c - see body.h. */
#include "storage/body.h"

#include "common/ceiling.h"
#include "storage/sqlite/store_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_BYTES (256 * 1024) /* how much of a large body is gathered for one write() */
#define FREE_BYTES  (4 * 1024)   /* a small one: not worth an account */

struct body {
    struct store *store;
    struct hash hash;
    unsigned char digest[HASH_SIZE];
    size_t size;
    struct buf bytes; /* all of a small one; of a large one what is not yet written */
    struct held held; /* what `bytes` has room for, while it comes in */
    struct buf file;  /* path, NUL-terminated; empty while it is small */
    int fd;           /* of the file, or -1 */
    bool temporary;   /* the file is ours: remove it */
    bool finished;
    void *map;
};

struct body *body_new(struct store *store)
{
    struct body *body = NEW(struct body);

    body->store = store;
    body->fd = -1;
    hash_init(&body->hash);
    return body;
}

static bool write_gathered(struct body *body, struct error *err)
{
    while (body->bytes.len > 0) {
        ssize_t len = write(body->fd, body->bytes.data, body->bytes.len);

        if (len < 0 && errno != EINTR)
            return error_errno(err, "writing %s", body_file(body));
        if (len > 0)
            buf_drop(&body->bytes, (size_t)len);
    }
    return true;
}

static bool open_temporary(struct body *body, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_temporary_path(body->store, &path);
    body->fd = open(buf_text(&path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (body->fd < 0)
        return error_errno(err, "making %s", buf_text(&path));
    buf_move(&body->file, &path);
    body->temporary = true;
    return true;
}

/* Is there memory for what was gathered? */
static bool may_keep(struct body *body)
{
    size_t room = body->bytes.front + body->bytes.room;

    return room <= FREE_BYTES || ceiling_hold(&body->held, room);
}

bool body_add(struct body *body, struct slice bytes, struct error *err)
{
    assert(!body->finished);
    hash_add(&body->hash, bytes.data, bytes.len);
    body->size += bytes.len;
    buf_add_slice(&body->bytes, bytes);
    bool short_of = !may_keep(body);

    if (body->fd < 0 && body->size <= body->store->options.inline_max_bytes && !short_of)
        return true;
    if (body->fd < 0 && !open_temporary(body, err))
        return false;
    if (body->bytes.len < WRITE_BYTES && !short_of)
        return true;
    if (!write_gathered(body, err))
        return false;
    if (short_of) {
        buf_free(&body->bytes);
        ceiling_hold(&body->held, 0);
    }
    return true;
}

bool body_finish(struct body *body, struct error *err)
{
    assert(!body->finished);
    if (body->fd >= 0) {
        if (!write_gathered(body, err))
            return false;
        if (fsync(body->fd) != 0)
            return error_errno(err, "syncing %s", body_file(body));
        buf_free(&body->bytes);
        ceiling_hold(&body->held, 0);
        close(body->fd); /* there may be very many finished ones at a time */
        body->fd = -1;
    }
    hash_end(&body->hash, body->digest);
    body->finished = true;
    return true;
}

void body_free(struct body **body)
{
    struct body *old = TAKE(*body);

    if (old == NULL)
        return;
    if (old->map != NULL)
        munmap(old->map, old->size);
    if (old->fd >= 0)
        close(old->fd);
    if (old->temporary)
        unlink(body_file(old));
    ceiling_hold(&old->held, 0);
    buf_free(&old->bytes);
    buf_free(&old->file);
    free(old);
}

size_t body_size(const struct body *body)
{
    return body->size;
}

bool body_is_finished(const struct body *body)
{
    return body->finished;
}

bool body_is_large(const struct body *body)
{
    return body->file.len > 0;
}

const unsigned char *body_hash(const struct body *body)
{
    assert(body->finished);
    return body->digest;
}

const char *body_file(const struct body *body)
{
    return body->file.len > 0 ? body->file.data : NULL;
}

static bool map_file(struct body *body, struct error *err)
{
    int fd = body->fd >= 0 ? body->fd : open(body_file(body), O_RDONLY | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, body->size, PROT_READ, MAP_PRIVATE, fd, 0);

    if (map == MAP_FAILED)
        error_errno(err, "mapping %s", body_file(body));
    if (fd >= 0 && fd != body->fd)
        close(fd);
    if (map == MAP_FAILED)
        return false;
    body->map = map;
    return true;
}

bool body_bytes(struct body *body, struct slice *bytes_out, struct error *err)
{
    assert(body->finished);
    if (!body_is_large(body) || body->size == 0) {
        *bytes_out = buf_slice(&body->bytes);
        return true;
    }
    if (body->map == NULL && !map_file(body, err))
        return false;
    *bytes_out = slice_make(body->map, body->size);
    return true;
}

static struct body *new_finished(struct store *store, size_t size,
                                 const unsigned char hash[HASH_SIZE])
{
    struct body *body = NEW(struct body);

    body->store = store;
    body->fd = -1;
    body->size = size;
    body->finished = true;
    memcpy(body->digest, hash, HASH_SIZE);
    return body;
}

struct body *body_from_bytes(struct store *store, struct slice bytes,
                             const unsigned char hash[HASH_SIZE])
{
    struct body *body = new_finished(store, bytes.len, hash);

    buf_add_slice(&body->bytes, bytes);
    return body;
}

bool body_open_file(struct store *store, const char *path, size_t size,
                    const unsigned char hash[HASH_SIZE], struct body **body_out, struct error *err)
{
    AUTO(body_free) struct body *body = new_finished(store, size, hash);
    struct stat info;

    buf_add_text(&body->file, path);
    buf_text(&body->file);
    body->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (body->fd < 0 || fstat(body->fd, &info) != 0)
        return error_errno(err, "opening %s", path);
    if ((size_t)info.st_size != size)
        return error_set(err, ERROR_INTERNAL, "%s has %lld bytes instead of %zu", path,
                         (long long)info.st_size, size);
    *body_out = TAKE(body);
    return true;
}

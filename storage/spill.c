/* spill.c - see spill.h. */
#include "storage/spill.h"

#include "storage/sqlite/store_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define WRITE_BYTES ((size_t)64 * 1024) /* gathered for one write() */

void spill_start(struct spill *spill, const struct store *store, size_t room)
{
    *spill = (struct spill){ .store = store, .room = room };
}

static bool open_file(struct spill *spill, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_temporary_path(spill->store, &path);
    spill->fd = open(buf_text(&path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (spill->fd < 0)
        return error_errno(err, "making %s", buf_text(&path));
    spill->has_file = true;
    if (unlink(buf_text(&path)) != 0)
        return error_errno(err, "removing %s", buf_text(&path));
    return true;
}

static bool write_at(int fd, uint64_t at, const char *data, size_t len, struct error *err)
{
    while (len > 0) {
        ssize_t done = pwrite(fd, data, len, (off_t)at);

        if (done < 0 && errno != EINTR)
            return error_errno(err, "writing a temporary file");
        if (done > 0) {
            data += done;
            at += (uint64_t)done;
            len -= (size_t)done;
        }
    }
    return true;
}

static bool write_gathered(struct spill *spill, struct error *err)
{
    size_t len = spill->bytes.len;

    if (!write_at(spill->fd, spill->size - len, spill->bytes.data, len, err))
        return false;
    if (spill->bytes.room > 2 * WRITE_BYTES)
        buf_free(&spill->bytes);
    buf_clear(&spill->bytes);
    return true;
}

bool spill_add(struct spill *spill, const void *data, size_t len, struct error *err)
{
    buf_add(&spill->bytes, data, len);
    spill->size += len;
    if (!spill->has_file && spill->size <= spill->room)
        return true;
    if (!spill->has_file && !open_file(spill, err))
        return false;
    return spill->bytes.len < WRITE_BYTES || write_gathered(spill, err);
}

bool spill_end(struct spill *spill, struct error *err)
{
    if (!spill->has_file || spill->bytes.len == 0)
        return true;
    if (!write_gathered(spill, err))
        return false;
    buf_free(&spill->bytes);
    return true;
}

bool spill_read(const struct spill *spill, uint64_t at, void *data, size_t len, struct error *err)
{
    char *to = data;

    assert(at + len <= spill->size);
    if (!spill->has_file)
        memcpy(to, spill->bytes.data + at, len);
    while (spill->has_file && len > 0) {
        ssize_t done = pread(spill->fd, to, len, (off_t)at);

        if (done < 0 && errno != EINTR)
            return error_errno(err, "reading a temporary file");
        if (done == 0)
            return error_set(err, ERROR_INTERNAL, "a temporary file has become shorter");
        if (done > 0) {
            to += done;
            at += (uint64_t)done;
            len -= (size_t)done;
        }
    }
    return true;
}

bool spill_change(struct spill *spill, uint64_t at, const void *data, size_t len, struct error *err)
{
    assert(at + len <= spill->size);
    if (spill->has_file)
        return write_at(spill->fd, at, data, len, err);
    memcpy(spill->bytes.data + at, data, len);
    return true;
}

bool spill_take(const struct spill *spill, struct spill_reader *reader, void *data, size_t len,
                struct error *err)
{
    if (reader->next == reader->len) {
        reader->next = 0;
        reader->len = (size_t)MIN(sizeof(reader->bytes), spill->size - reader->at);
        if (!spill_read(spill, reader->at, reader->bytes, reader->len, err))
            return false;
        reader->at += reader->len;
    }
    assert(reader->next + len <= reader->len);
    memcpy(data, reader->bytes + reader->next, len);
    reader->next += len;
    return true;
}

void spill_free(struct spill *spill)
{
    if (spill->has_file)
        close(spill->fd);
    buf_free(&spill->bytes);
    *spill = (struct spill){ 0 };
}

/* page_file.c - pages of a database file, the newest of each: from the WAL or from the file itself.
 *
 * Of the WAL those frames count that SQLite would take, by salts and checksums, up to the last one
 * that ends a transaction.
 */
#include "storage/sqlite/page.h"

#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAL_HEADER   32
#define FRAME_HEADER 24
#define WAL_MAGIC    0x377f0682u /* the last bit: checksums of big-endian numbers */

static uint32_t number_at(const unsigned char *bytes, bool big)
{
    return big ? (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
                     bytes[3]
               : (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 |
                     bytes[0];
}

struct wal_sum {
    uint32_t a, b;
    bool big;
};

static void add_to_sum(struct wal_sum *sum, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i + 8 <= len; i += 8) {
        sum->a += number_at(bytes + i, sum->big) + sum->b;
        sum->b += number_at(bytes + i + 4, sum->big) + sum->a;
    }
}

static bool sum_is(const struct wal_sum *sum, const unsigned char *bytes)
{
    return sum->a == number_at(bytes, true) && sum->b == number_at(bytes + 4, true);
}

static void note_newer(struct page_file *file, size_t *room, uint32_t number, uint64_t offset)
{
    if (number > file->count) {
        size_t old = file->count + 1;

        file->newer = mem_grow(file->newer, room, (size_t)number + 1, sizeof(*file->newer));
        memset(file->newer + old, 0, (number + 1 - old) * sizeof(*file->newer));
        file->count = number;
    }
    file->newer[number] = offset;
}

struct frame {
    uint32_t page;
    uint64_t offset;
};

/* The frames up to the last commit. */
static size_t read_frames(int wal, struct frame **frames_out, size_t *room)
{
    unsigned char header[WAL_HEADER], frame[FRAME_HEADER + PAGE_BYTES];
    struct wal_sum sum = { 0 };
    size_t count = 0, committed = 0;

    if (pread(wal, header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        (number_at(header, true) & ~1u) != WAL_MAGIC || number_at(header + 8, true) != PAGE_BYTES)
        return 0;
    sum.big = (header[3] & 1) != 0;
    add_to_sum(&sum, header, 24);
    if (!sum_is(&sum, header + 24))
        return 0;
    for (off_t at = WAL_HEADER; pread(wal, frame, sizeof(frame), at) == (ssize_t)sizeof(frame);
         at += (off_t)sizeof(frame)) {
        add_to_sum(&sum, frame, 8);
        add_to_sum(&sum, frame + FRAME_HEADER, PAGE_BYTES);
        if (memcmp(frame + 8, header + 16, 8) != 0 || !sum_is(&sum, frame + 16))
            break;
        *frames_out = mem_grow(*frames_out, room, count + 1, sizeof(**frames_out));
        (*frames_out)[count++] =
            (struct frame){ number_at(frame, true), (uint64_t)at + FRAME_HEADER };
        if (number_at(frame + 4, true) != 0)
            committed = count;
    }
    return committed;
}

static void read_wal(struct page_file *file, size_t *newer_room)
{
    struct frame *frames = NULL;
    size_t room = 0, count = read_frames(file->wal, &frames, &room);

    for (size_t i = 0; i < count; i++)
        /* more pages than frames and file can have: noise with a right checksum is no commit */
        if (frames[i].page > 0 && frames[i].page <= file->count + count)
            note_newer(file, newer_room, frames[i].page, frames[i].offset);
    free(frames);
}

bool page_file_open(const char *path, struct page_file *file_out, struct error *err)
{
    AUTO(buf_free) struct buf wal = { 0 };
    size_t room = 0;
    struct stat st;

    *file_out = (struct page_file){ .wal = -1 };
    file_out->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file_out->fd < 0 || fstat(file_out->fd, &st) != 0)
        return error_errno(err, "opening %s", path);
    file_out->count =
        (uint32_t)MIN(((uint64_t)st.st_size + PAGE_BYTES - 1) / PAGE_BYTES, (uint64_t)INT32_MAX);
    file_out->newer = mem_grow(NULL, &room, (size_t)file_out->count + 1, sizeof(*file_out->newer));
    memset(file_out->newer, 0, ((size_t)file_out->count + 1) * sizeof(*file_out->newer));
    buf_fmt(&wal, "%s-wal", path);
    file_out->wal = open(buf_text(&wal), O_RDONLY | O_CLOEXEC);
    if (file_out->wal >= 0)
        read_wal(file_out, &room);
    return true;
}

void page_file_close(struct page_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->wal >= 0)
        close(file->wal);
    free(file->newer);
    *file = (struct page_file){ .fd = -1, .wal = -1 };
}

/* The last page of a file that was cut off is as if zeros followed. */
bool page_read(const struct page_file *file, uint32_t number, unsigned char page_out[PAGE_BYTES])
{
    if (number == 0 || number > file->count)
        return false;
    if (file->newer[number] != 0 &&
        pread(file->wal, page_out, PAGE_BYTES, (off_t)file->newer[number]) == PAGE_BYTES)
        return true;
    ssize_t len = pread(file->fd, page_out, PAGE_BYTES, (off_t)(number - 1) * PAGE_BYTES);
    if (len <= 0)
        return false;
    memset(page_out + len, 0, PAGE_BYTES - (size_t)len);
    return true;
}

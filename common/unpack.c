/* unpack.c - see unpack.h: libarchive, with only the two formats that reports come in. */
#include "common/unpack.h"

#include <archive.h>
#include <archive_entry.h>

#define PIECE_SIZE 16384

static void close_archive(struct archive **archive)
{
    archive_read_free(*archive);
}

static bool damaged(struct archive *archive, struct error *err)
{
    const char *why = archive_error_string(archive);

    return error_set(err, ERROR_INVALID, "unpacking: %s", why != NULL ? why : "damaged");
}

static bool read_all(struct archive *archive, size_t max, struct buf *out, struct error *err)
{
    char piece[PIECE_SIZE];
    size_t start = out->len;
    la_ssize_t len;

    while ((len = archive_read_data(archive, piece, sizeof(piece))) > 0) {
        if (out->len - start + (size_t)len > max)
            return error_set(err, ERROR_LIMIT, "unpacks to more than %zu bytes", max);
        buf_add(out, piece, (size_t)len);
    }
    return len == 0 || damaged(archive, err);
}

bool unpack(struct slice packed, size_t max, struct buf *out, struct error *err)
{
    AUTO(close_archive) struct archive *archive = archive_read_new();
    struct archive_entry *entry;

    if (archive == NULL)
        return error_set(err, ERROR_TEMPORARY, "unpacking: no memory");
    archive_read_support_filter_gzip(archive);
    archive_read_support_format_zip(archive);
    archive_read_support_format_raw(archive);
    if (archive_read_open_memory(archive, packed.data, packed.len) != ARCHIVE_OK ||
        archive_read_next_header(archive, &entry) < ARCHIVE_WARN)
        return damaged(archive, err);
    return read_all(archive, max, out, err);
}

/* pack.c - see pack.h: libarchive, with only the two formats that reports come in. */
#include "common/pack.h"

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

    return error_set(err, ERROR_INVALID, "gzip or zip: %s", why != NULL ? why : "damaged");
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

/* --- packing --- */

static void close_writer(struct archive **archive)
{
    archive_write_free(*archive);
}

static void free_entry(struct archive_entry **entry)
{
    archive_entry_free(*entry);
}

static la_ssize_t on_write(struct archive *archive, void *out, const void *bytes, size_t len)
{
    buf_add(out, bytes, len);
    return (la_ssize_t)len;
}

static bool write_all(struct archive *archive, struct archive_entry *entry, struct slice bytes)
{
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, (la_int64_t)bytes.len);
    archive_entry_set_pathname(entry, "report");
    return archive_write_header(archive, entry) == ARCHIVE_OK &&
           archive_write_data(archive, bytes.data, bytes.len) == (la_ssize_t)bytes.len &&
           archive_write_close(archive) == ARCHIVE_OK;
}

bool pack_gzip(struct slice bytes, struct buf *out, struct error *err)
{
    AUTO(close_writer) struct archive *archive = archive_write_new();
    AUTO(free_entry) struct archive_entry *entry = archive_entry_new();

    if (archive == NULL || entry == NULL)
        return error_set(err, ERROR_TEMPORARY, "packing: no memory");
    if (archive_write_set_format_raw(archive) != ARCHIVE_OK ||
        archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
        archive_write_open(archive, out, NULL, on_write, NULL) != ARCHIVE_OK ||
        !write_all(archive, entry, bytes))
        return damaged(archive, err);
    return true;
}

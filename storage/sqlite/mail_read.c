/* mail_read.c - the bytes of messages. */
#include "storage/sqlite/account_private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Bytes of a large message that lie in its file, from `offset` of the file on. */
static bool read_file(struct account *account, uint64_t msg, uint64_t offset, size_t len,
                      struct buf *out, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    account_big_path(account, msg, &path);
    int fd = open(buf_text(&path), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, ERROR_NOT_FOUND, "%s is missing", buf_text(&path));
    if (fd < 0)
        return error_errno(err, "opening %s", buf_text(&path));
    ssize_t got = 1;
    for (size_t done = 0; done < len && got > 0; done += (size_t)got) {
        got = pread(fd, buf_reserve(out, len - done), len - done, (off_t)(offset + done));
        if (got > 0)
            buf_wrote(out, (size_t)got);
    }
    close(fd);
    if (got < 0)
        return error_errno(err, "reading %s", buf_text(&path));
    return got > 0 || error_set(err, ERROR_INTERNAL, "%s is too short", buf_text(&path));
}

bool account_read(struct account *account, uint64_t msg, uint64_t offset, size_t len,
                  struct buf *out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_MSG_READ, &row, err, "u", msg))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_NOT_FOUND, "the message is gone");
    uint64_t size = sql_u64(&row, 0), inline_bytes = sql_u64(&row, 1);
    struct slice stored = sql_slice(&row, 2);

    len = (size_t)MIN(len, size > offset ? size - offset : 0);
    struct slice part = slice_part(stored, (size_t)offset, len);
    if (stored.len != inline_bytes) {
        sql_end(&row);
        return error_set(err, ERROR_INTERNAL, "message %llu has lost its bytes",
                         (unsigned long long)msg);
    }
    buf_add_slice(out, part);
    sql_end(&row);
    if (part.len == len)
        return true;
    return read_file(account, msg, offset + part.len - inline_bytes, len - part.len, out, err);
}

bool account_hold_reads(struct account *account, struct error *err)
{
    return sql_begin_read(&account->db, err);
}

void account_release_reads(struct account *account)
{
    sql_rollback(&account->db);
}

void account_uidl(struct account *account, uint64_t msg, struct buf *out)
{
    buf_fmt(out, "%016llx%016llx", (unsigned long long)account->id, (unsigned long long)msg);
}

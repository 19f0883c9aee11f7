/* mail_part.h - the bytes that the URL of a message or part names (RFC 5092 section 6), for
 * CATENATE, URLFETCH and BURL: found first, then read in pieces.
 *
 * Threads: as in account.h; the handle may be asked for again between two calls.
 */
#pragma once

#include "message/imap_url.h"
#include "storage/mail.h"

struct mail_part {
    uint64_t msg;
    uint64_t at, len; /* a range of the message, or of `picked` */
    bool is_picked;   /* lines of a header */
    struct buf picked;
};

/* `mailbox` is what the URL's mailbox name leads to, and has this UIDVALIDITY.
 * Errors: ERROR_NOT_FOUND when there is no such message or part, or UIDVALIDITY is another one. */
bool mail_part_find(struct account *account, uint64_t mailbox, uint32_t uidvalidity,
                    const struct imap_url *url, struct mail_part *part_out,
                    struct error *err) MUST_CHECK;
/* Appends up to `len` bytes from `offset` of the part on; NUL as FETCH BODY gives it, 0x80. */
bool mail_part_read(struct account *account, const struct mail_part *part, uint64_t offset,
                    size_t len, struct buf *out, struct error *err) MUST_CHECK;
void mail_part_free(struct mail_part *part);

/* Bytes of a message as IMAP may send them outside of literal8: CHAR8 has no NUL (RFC 3501 section
 * 9). From `at` on. */
void mail_hide_nuls(struct buf *bytes, size_t at);

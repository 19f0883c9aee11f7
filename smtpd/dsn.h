/* dsn.h - the text of a delivery status notification (RFC 3464 in the multipart/report of RFC
 * 6522).
 *
 * Pure.
 */
#pragma once

#include "smtpd/bounce.h"

struct dsn {
    struct slice hostname;
    const struct queue_message *message;
    const struct bounce *bounce;
    struct slice returned; /* the message or its header, CRLF */
    bool returned_is_full;
    uint64_t id; /* for Message-ID and boundary */
    int64_t now_ms;
};

void dsn_print(const struct dsn *dsn, struct buf *out);

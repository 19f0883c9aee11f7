/* objectid.h - names of mailboxes, messages and threads that do not change (RFC 8474). */
#pragma once

#include "storage/mail.h"

/* "F..." of a mailbox, "M..." of a message's bytes and INTERNALDATE, "T..." of a thread. */
void objectid_mailbox(struct buf *out, const struct account *account, uint64_t mailbox);
void objectid_email(struct buf *out, const struct object_ids *ids, int64_t received_ms);
void objectid_thread(struct buf *out, const struct object_ids *ids);

/* objectid = 1*255(ALPHA / DIGIT / "_" / "-") */
bool objectid_is_valid(struct slice text);

/* submit.h - what a submission server mends in a header (RFC 6409 section 8).
 *
 * Date, Message-ID and From are added where they are missing; Bcc and Resent-Bcc, which no
 * recipient may see, and Return-Path, which only the final delivery writes, are taken out. Pure.
 */
#pragma once

#include "common/buf.h"

struct submit_facts {
    struct slice hostname; /* right side of a new Message-ID */
    struct slice sender;   /* for a missing From */
    uint64_t id;           /* left side of a new Message-ID; unique */
    int64_t now_ms;
};

/* `header`: with its empty line, if it has one. The result always ends with one. */
void submit_fix(struct slice header, const struct submit_facts *facts, struct buf *out);

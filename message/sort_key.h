/* sort_key.h - what a message is sorted and threaded by (RFC 5256, RFC 5957), computed once.
 *
 * Texts are folded as i;unicode-casemap wants them (message/text.h): compare them byte by byte. Of
 * each at most SORT_TEXT_MAX bytes are kept. Of References the last SORT_REFERENCES_MAX count.
 *
 * Pure. The written form is part of the summary (summary.h), with its version.
 */
#pragma once

#include "common/buf.h"
#include "common/mem.h"

#define SORT_TEXT_MAX       255
#define SORT_REFERENCES_MAX 100

enum sort_text {
    SORT_SUBJECT, /* the base subject */
    SORT_FROM,    /* mailbox, without the host, of the first address */
    SORT_TO,
    SORT_CC,
    SORT_DISPLAY_FROM, /* name, or else mailbox@host, of the first address */
    SORT_DISPLAY_TO,
    SORT_TEXTS,
};

struct sort_keys {
    bool has_date;   /* else INTERNALDATE is the sent date */
    bool is_reply;   /* or forwarded, by its subject */
    int64_t sent_ms; /* the Date field, by its time zone */
    uint64_t id;     /* message_id_hash() of the Message-ID; 0: it has none */
    struct slice texts[SORT_TEXTS];
    struct slice references; /* see sort_reference() */
    size_t n_references;
};

/* Appends the keys of a message with this header. */
void sort_keys_write(struct arena *arena, struct slice header, struct buf *out);

/* Reads what sort_keys_write() wrote; slices point into it. False: it is something else. */
bool sort_keys_read(struct slice written, struct sort_keys *keys_out) MUST_CHECK;

/* message_id_hash() of the ancestors, the oldest first. */
uint64_t sort_reference(const struct sort_keys *keys, size_t i);

/* content.h - a message while it comes in: from clean bytes to a finished body.
 *
 * The header is held back until it is complete: hops are counted, and what a user's program left
 * out is added (submit.h). All else streams into the body. A fault is remembered, the rest of the
 * message thrown away, so that the dialogue stays in step.
 */
#pragma once

#include "common/ceiling.h"
#include "smtpd/submit.h"
#include "storage/body.h"

enum content_fault {
    CONTENT_GOOD,
    CONTENT_TOO_BIG,
    CONTENT_HEADER_TOO_BIG,
    CONTENT_BARE_NEWLINE,
    CONTENT_LOOP,
    CONTENT_STORE, /* content->error says why */
};

/* A header this long is an attack, or not a header. */
#define CONTENT_HEADER_MAX (256 * 1024)

struct content {
    uint64_t size_max;
    unsigned hops_max;
    struct slice authserv_id; /* Authentication-Results of this name are forged, and taken out
                                 (RFC 8601 section 5); empty: all stay */
    const struct submit_facts *submit; /* NULL: the header stays as it is */
    struct body *body;
    struct buf head;     /* the header, until it is complete */
    struct held held;    /* by `head` and `original` */
    struct buf original; /* the header as it came, where something was taken out */
    bool head_is_done;
    uint64_t size; /* so far, as sent */
    unsigned n_received, n_delivered_to;
    bool tls_optional; /* "TLS-Required: No" (RFC 8689 section 3) */
    enum content_fault fault;
    struct error error;
};

/* size_max, hops_max and submit are the caller's to set first. */
void content_start(struct content *content, struct store *store);
void content_add(struct content *content, struct slice bytes);
void content_fail(struct content *content, enum content_fault fault);
bool content_finish(struct content *content); /* false: see fault */
void content_free(struct content *content);

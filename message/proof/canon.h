/* canon.h - canonical forms of fields and bodies (RFC 6376 section 3.4), into a digest or a buffer.
 *
 * Pure. Nothing is copied but short runs: a body is hashed where it lies, in one pass.
 */
#pragma once

#include "common/buf.h"
#include "common/signature.h"
#include "message/header.h"

#define CANON_CHUNK 1024

struct canon {
    struct digest *digest;
    uint64_t total; /* bytes that went in */
    size_t used;
    char chunk[CANON_CHUNK];
};

void canon_init(struct canon *canon); /* SHA-256 */
void canon_add(struct canon *canon, struct slice bytes);
void canon_end(struct canon *canon, unsigned char hash_out[32]);
void canon_free(struct canon *canon); /* for one that was not ended; harmless otherwise */

/* A field with its CRLF. */
void canon_field(struct canon *canon, const struct header_field *field, bool relaxed);

/* The same without `hole`, a part of its value, and without CRLF: the field that holds the
 * signature (section 3.7). */
void canon_signature(struct canon *canon, const struct header_field *field, struct slice hole,
                     bool relaxed);

/* All of a body. Returns how many bytes its canonical form has, which is what l= counts. */
uint64_t canon_body(struct slice body, bool relaxed, unsigned char hash_out[32]);

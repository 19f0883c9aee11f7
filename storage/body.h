/* body.h - the bytes of one message while it comes in.
 *
 * Written in pieces: in memory up to the store's inline_max, then in a temporary file of the data
 * directory; sooner, when memory is short (common/ceiling.h). Hashed on the way (BLAKE2b-256).
 * Handed to the queue or to an account, which keep it as a database value or, when large, as a
 * file: written, fsynced, renamed or linked, its directory fsynced, and only then the row.
 *
 * Crash states of a large body: temporary file without row (the sweeper removes it after an hour);
 * final file without row (the same); row and file. Never a row without its file.
 *
 * Threads: one at a time. Ownership: body_free() removes the temporary file if nobody took it.
 */
#pragma once

#include "common/crypto.h"
#include "storage/store.h"

struct body;

struct body *body_new(struct store *store);
bool body_add(struct body *body, struct slice bytes, struct error *err) MUST_CHECK;
bool body_finish(struct body *body, struct error *err) MUST_CHECK; /* large ones are fsynced here */
void body_free(struct body **body);

size_t body_size(const struct body *body);
bool body_is_finished(const struct body *body);
bool body_is_large(const struct body *body);
const unsigned char *body_hash(const struct body *body); /* after body_finish() */
const char *body_file(const struct body *body);          /* path of a large one, or NULL */

/* All bytes in one piece, mapped for large ones; valid until body_free(). */
bool body_bytes(struct body *body, struct slice *bytes_out, struct error *err) MUST_CHECK;

/* Finished bodies that are stored already, with the hash they were stored with: bytes, which are
 * copied, and a file, which stays where it is. Errors: ERROR_INTERNAL when the file's size is not
 * what it should be. */
struct body *body_from_bytes(struct store *store, struct slice bytes,
                             const unsigned char hash[HASH_SIZE]);
bool body_open_file(struct store *store, const char *path, size_t size,
                    const unsigned char hash[HASH_SIZE], struct body **body_out,
                    struct error *err) MUST_CHECK;

/* deflate.h - a stream of raw DEFLATE (RFC 1951) in each direction, made for sessions that are
 * silent for hours: COMPRESS of IMAP (RFC 4978).
 *
 * A deflater begins a new state with every piece and ends the piece with a flush, so between pieces
 * it keeps nothing but the last DEFLATER_TAIL bytes, which the next piece may refer to. An inflater
 * has to remember the last 32 KB that came, as far as there ever were so many; its state of 40 KB
 * exists only while it is inside of a block.
 *
 * Threads: one at a time for each. No errors but bad input.
 */
#pragma once

#include "common/buf.h"

#define DEFLATER_TAIL 2048

struct deflater;
struct inflater;

struct deflater *deflater_new(void);
void deflater_free(struct deflater **deflater);
/* Puts the compressed form in place of the bytes; the peer can read all of them at once. */
void deflater_run(struct deflater *deflater, struct buf *bytes);

struct inflater *inflater_new(void);
void inflater_free(struct inflater **inflater);

/* Takes bytes off the front of `packed` and adds at most `room` bytes to `out`. Goes on until
 * something has come out and a block has ended: so what the peer flushed stays apart from what
 * stands behind it, which may be clear text. PARSE_OK: something came out, and there may be more;
 * PARSE_MORE: more of `packed` is needed, or the peer has ended the stream; PARSE_BAD: no DEFLATE.
 */
enum parse inflater_run(struct inflater *inflater, struct buf *packed, struct buf *out,
                        size_t room);

/* Takes off what the peer's compressor still writes behind its last byte: the end of the block and
 * of the stream, or an empty block if it flushed only. Not while there is output that nobody has
 * looked at. PARSE_OK: what is left, and what comes, is not compressed; PARSE_MORE: more is needed;
 * PARSE_BAD: there was more to be said. */
enum parse inflater_finish(struct inflater *inflater, struct buf *packed);

/* Bytes of memory it keeps now, for tests. */
size_t inflater_memory(const struct inflater *inflater);

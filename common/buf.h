/* buf.h - bytes that grow, with an efficient front.
 *
 * { 0 } is an empty buffer. Bytes are added at the end and dropped from the front; dropping is
 * cheap, so a buffer is also a queue of input or output. The content is data[0..len).
 * buf_slice() and pointers into data are valid until the next call that changes the buffer.
 */
#pragma once

#include "common/slice.h"

#include <stdarg.h>

struct buf {
    char *data; /* first byte of the content */
    size_t len;
    size_t room;  /* from data on; 0 when nothing is allocated */
    size_t front; /* dropped bytes before data */
    bool secret;  /* may hold a password: all of it is overwritten before its memory is given back.
                     Goes with the content in buf_move(); ends with buf_free() */
};

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_slice(struct buf *buf, struct slice slice);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_byte(struct buf *buf, char byte);
void buf_add_lower(struct buf *buf, struct slice text); /* with ASCII letters in lower case */
void buf_add_number(struct buf *buf, uint64_t number);
void buf_fmt(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vfmt(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Room for `len` more bytes at the end; write them there, then buf_wrote(). */
char *buf_reserve(struct buf *buf, size_t len);
void buf_wrote(struct buf *buf, size_t len);

void buf_drop(struct buf *buf, size_t len);      /* from the front */
void buf_truncate(struct buf *buf, size_t len);  /* keeps the first len bytes */
void buf_clear(struct buf *buf);                 /* empties it, keeps the memory */
void buf_free(struct buf *buf);                  /* empties it, frees the memory */
void buf_move(struct buf *to, struct buf *from); /* appends all; O(1) when `to` is empty */

bool buf_is(const struct buf *buf, const char *text); /* exactly, case matters */
const char *buf_text(struct buf *buf);                /* with a NUL behind that is not counted */

static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){ buf->data, buf->len };
}

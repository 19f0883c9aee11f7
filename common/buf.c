/* buf.c - bytes that grow, with an efficient front.
 *
 *     |  front  |       len       |  free  |      the allocation starts at data - front
 *               ^data                           room counts from data on
 *
 * Dropped bytes are reclaimed when room is needed and the content is no longer than what was
 * dropped: so each byte is moved at most once for each byte dropped, and a queue of input never
 * costs more than linear time.
 */
#include "common/buf.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 64

/* What realloc() leaves behind when it moves is not in our hands. */
static char *resize_secret(struct buf *buf, char *start, size_t size)
{
    char *copy = mem_resize(NULL, size);

    if (start != NULL) {
        memcpy(copy, start, buf->front + buf->len);
        mem_wipe(start, buf->front + buf->room);
    }
    free(start);
    return copy;
}

static void grow(struct buf *buf, size_t room)
{
    char *start = buf->data == NULL ? NULL : buf->data - buf->front;

    if (buf->secret)
        start = resize_secret(buf, start, buf->front + room);
    else
        start = mem_resize(start, buf->front + room);
    buf->data = start + buf->front;
    buf->room = room;
}

/* Moves the content to the start of the allocation. */
static void close_front(struct buf *buf)
{
    char *start = buf->data - buf->front;

    memmove(start, buf->data, buf->len);
    buf->data = start;
    buf->room += buf->front;
    buf->front = 0;
}

char *buf_reserve(struct buf *buf, size_t len)
{
    size_t need;

    if (__builtin_add_overflow(buf->len, len, &need) || need > SIZE_MAX / 4)
        abort();
    if (need > buf->room && buf->front >= buf->len && buf->front != 0)
        close_front(buf);
    if (need > buf->room || buf->data == NULL)
        grow(buf, MAX(need, MAX(buf->room * 2, FIRST_ROOM)));
    return buf->data + buf->len;
}

void buf_wrote(struct buf *buf, size_t len)
{
    if (len > buf->room - buf->len)
        abort();
    buf->len += len;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(buf, len), data, len);
    buf->len += len;
}

void buf_add_slice(struct buf *buf, struct slice slice)
{
    buf_add(buf, slice.data, slice.len);
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_byte(struct buf *buf, char byte)
{
    if (buf->len == buf->room)
        buf_reserve(buf, 1);
    buf->data[buf->len++] = byte;
}

void buf_add_lower(struct buf *buf, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.data[i];

        buf_add_byte(buf, byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte);
    }
}

void buf_add_number(struct buf *buf, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    buf_add(buf, digits + at, sizeof(digits) - at);
}

void buf_fmt(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vfmt(buf, format, args);
    va_end(args);
}

void buf_vfmt(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    buf_reserve(buf, FIRST_ROOM);
    len = vsnprintf(buf->data + buf->len, buf->room - buf->len, format, args);
    if (len < 0)
        abort();
    if ((size_t)len >= buf->room - buf->len) {
        buf_reserve(buf, (size_t)len + 1);
        vsnprintf(buf->data + buf->len, buf->room - buf->len, format, again);
    }
    va_end(again);
    buf->len += (size_t)len;
}

void buf_drop(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf_clear(buf);
        return;
    }
    buf->data += len;
    buf->front += len;
    buf->len -= len;
    buf->room -= len;
}

void buf_truncate(struct buf *buf, size_t len)
{
    buf->len = MIN(buf->len, len);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    if (buf->front != 0)
        close_front(buf);
}

void buf_free(struct buf *buf)
{
    if (buf->data != NULL) {
        char *start = buf->data - buf->front;

        if (buf->secret)
            mem_wipe(start, buf->front + buf->room);
        free(start);
    }
    *buf = (struct buf){ 0 };
}

void buf_move(struct buf *to, struct buf *from)
{
    bool secret = from->secret;

    if (to->len == 0) {
        struct buf empty = *to;

        *to = *from;
        *from = empty;
    } else {
        to->secret = to->secret || secret;
        buf_add_slice(to, buf_slice(from));
    }
    if (secret || from->secret)
        buf_free(from);
    else
        buf_clear(from);
}

bool buf_is(const struct buf *buf, const char *text)
{
    return slice_equal(buf_slice(buf), slice_of(text));
}

const char *buf_text(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return buf->data;
}

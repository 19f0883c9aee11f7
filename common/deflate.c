/* deflate.c - see deflate.h. Everything that knows zlib. */
#include "common/deflate.h"

#include "common/mem.h"

#include <stdlib.h>
#include <zlib.h>

/* Level 1 costs a third of what level 6 does, and text of IMAP still becomes a third. The smaller
 * window keeps the state at 100 KB, which is made and freed for every reply. */
#define LEVEL        1
#define WINDOW_BITS  13
#define MEMORY_LEVEL 7
#define PIECE        (16 * 1024)

struct deflater {
    char tail[DEFLATER_TAIL];
    size_t tail_len;
};

struct inflater {
    z_stream *stream; /* NULL between blocks */
    struct buf window;
    unsigned char last; /* byte of input, of which a block's end may leave some bits: */
    int n_bits;
    bool ended;
    bool finishing;       /* what comes yet says nothing: */
    unsigned blocks_left; /* the end of the block in hand, and the empty one of a flush */
};

struct deflater *deflater_new(void)
{
    return NEW(struct deflater);
}

void deflater_free(struct deflater **deflater)
{
    free(TAKE(*deflater));
}

static void keep_tail(struct deflater *deflater, struct slice bytes)
{
    size_t keep;

    if (bytes.len >= DEFLATER_TAIL) {
        deflater->tail_len = DEFLATER_TAIL;
        memcpy(deflater->tail, bytes.data + bytes.len - DEFLATER_TAIL, DEFLATER_TAIL);
        return;
    }
    keep = MIN(deflater->tail_len, DEFLATER_TAIL - bytes.len);
    memmove(deflater->tail, deflater->tail + deflater->tail_len - keep, keep);
    memcpy(deflater->tail + keep, bytes.data, bytes.len);
    deflater->tail_len = keep + bytes.len;
}

static void run_stream(z_stream *stream, struct buf *out)
{
    int code;

    do {
        stream->next_out = (Bytef *)buf_reserve(out, PIECE);
        stream->avail_out = PIECE;
        code = deflate(stream, Z_SYNC_FLUSH);
        if (code != Z_OK && code != Z_BUF_ERROR)
            abort();
        buf_wrote(out, PIECE - stream->avail_out);
    } while (stream->avail_out == 0);
}

void deflater_run(struct deflater *deflater, struct buf *bytes)
{
    struct buf out = { 0 };
    z_stream stream = { .next_in = (Bytef *)bytes->data, .avail_in = (uInt)bytes->len };

    if (bytes->len == 0)
        return;
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, -WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        abort(); /* out of memory, as everywhere */
    if (deflater->tail_len > 0)
        deflateSetDictionary(&stream, (const Bytef *)deflater->tail, (uInt)deflater->tail_len);
    run_stream(&stream, &out);
    deflateEnd(&stream);
    keep_tail(deflater, buf_slice(bytes));
    buf_free(bytes);
    *bytes = out;
}

struct inflater *inflater_new(void)
{
    return NEW(struct inflater);
}

static void end_stream(struct inflater *inflater)
{
    if (inflater->stream == NULL)
        return;
    inflateEnd(inflater->stream);
    free(inflater->stream);
    inflater->stream = NULL;
}

void inflater_free(struct inflater **inflater_pointer)
{
    struct inflater *inflater = TAKE(*inflater_pointer);

    if (inflater == NULL)
        return;
    end_stream(inflater);
    buf_free(&inflater->window);
    free(inflater);
}

static void begin_stream(struct inflater *inflater)
{
    z_stream *stream = NEW(z_stream);

    if (inflateInit2(stream, -MAX_WBITS) != Z_OK)
        abort();
    if (inflater->window.len > 0)
        inflateSetDictionary(stream, (const Bytef *)inflater->window.data,
                             (uInt)inflater->window.len);
    if (inflater->n_bits > 0)
        inflatePrime(stream, inflater->n_bits, inflater->last >> (8 - inflater->n_bits));
    buf_free(&inflater->window);
    inflater->stream = stream;
}

/* Between two blocks: all there is to know is the window, and bits of a byte begun. */
static void park(struct inflater *inflater, int n_bits)
{
    uInt len = 0;

    inflateGetDictionary(inflater->stream, NULL, &len);
    inflateGetDictionary(inflater->stream, (Bytef *)buf_reserve(&inflater->window, len), &len);
    buf_wrote(&inflater->window, len);
    inflater->n_bits = n_bits;
    end_stream(inflater);
}

/* What zlib tells in data_type behind Z_BLOCK: 128 between blocks, and the bits that are left. */
static bool is_between_blocks(const z_stream *stream, int *n_bits_out)
{
    *n_bits_out = stream->data_type & 7;
    return (stream->data_type & 128) != 0 && (stream->data_type & 64) == 0;
}

/* One step, up to the end of a block at most. */
static int step(z_stream *stream, struct buf *packed, struct buf *out, size_t room)
{
    size_t piece = MIN(room, PIECE);
    int code;

    stream->next_in = (Bytef *)packed->data;
    stream->avail_in = (uInt)MIN(packed->len, (size_t)PIECE);
    stream->next_out = (Bytef *)buf_reserve(out, piece);
    stream->avail_out = (uInt)piece;
    code = inflate(stream, Z_BLOCK);
    buf_wrote(out, piece - stream->avail_out);
    return code;
}

/* Goes on to the end of a block at most; *between_out: it is there. False: this is no DEFLATE. */
static bool advance(struct inflater *inflater, struct buf *packed, struct buf *out, size_t room,
                    int *n_bits_out, bool *between_out)
{
    size_t taken;
    int code;

    if (inflater->stream == NULL)
        begin_stream(inflater);
    code = step(inflater->stream, packed, out, room);
    taken = (size_t)((char *)inflater->stream->next_in - packed->data);
    if (taken > 0)
        inflater->last = (unsigned char)packed->data[taken - 1];
    buf_drop(packed, taken);
    inflater->ended = code == Z_STREAM_END;
    *between_out = is_between_blocks(inflater->stream, n_bits_out);
    return inflater->ended || code == Z_OK || code == Z_BUF_ERROR;
}

enum parse inflater_run(struct inflater *inflater, struct buf *packed, struct buf *out, size_t room)
{
    size_t start = out->len;

    while (!inflater->ended && packed->len > 0 && out->len - start < room) {
        bool between;
        int n_bits;

        if (!advance(inflater, packed, out, room - (out->len - start), &n_bits, &between))
            return PARSE_BAD;
        if (!between)
            continue;
        if (out->len > start || packed->len == 0)
            park(inflater, n_bits);
        if (out->len > start)
            return PARSE_OK;
    }
    return out->len > start ? PARSE_OK : PARSE_MORE;
}

/* A last block that is empty, as Z_FINISH writes it: no command begins with such a byte. */
static bool is_last_block(const struct inflater *inflater, const struct buf *packed)
{
    return inflater->n_bits == 0 && (packed->data[0] == 3 || packed->data[0] == 1);
}

enum parse inflater_finish(struct inflater *inflater, struct buf *packed)
{
    AUTO(buf_free) struct buf out = { 0 };

    if (!inflater->finishing)
        inflater->blocks_left = inflater->stream != NULL ? 2 : 1;
    inflater->finishing = true;
    while (!inflater->ended) {
        bool between;
        int n_bits;

        if (packed->len == 0)
            return PARSE_MORE;
        if (inflater->blocks_left == 0 && inflater->stream == NULL &&
            !is_last_block(inflater, packed))
            return PARSE_OK;
        if (!advance(inflater, packed, &out, PIECE, &n_bits, &between) || out.len > 0)
            return PARSE_BAD;
        if (!between)
            continue;
        park(inflater, n_bits);
        inflater->blocks_left -= inflater->blocks_left > 0;
    }
    return PARSE_OK;
}

size_t inflater_memory(const struct inflater *inflater)
{
    return sizeof(*inflater) + inflater->window.room + (inflater->stream != NULL ? 40 * 1024 : 0);
}

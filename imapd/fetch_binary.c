/* fetch_binary.c - BINARY[...], BINARY.PEEK[...] and BINARY.SIZE[...] (RFC 3516, RFC 9051 section
 * 6.4.5): a part without its transfer encoding.
 *
 *     find the part --> measure: decode it and count --> "{n}" or "~{n}" --> decode it again, send
 *                          ^--- NEXT_AGAIN, a bounded piece each ---^            ^--- the same ---'
 *
 * Decoded bytes are never in memory as a whole. What was measured is kept for the next FETCH, with
 * the place where its decoding stopped (struct binary_memo).
 *
 * RFC 9051 allows leaves only; of a multipart, a message or "[]" the bytes are sent as they are,
 * since nothing but 7bit, 8bit or binary may be their encoding.
 */
#include "imapd/fetch_item.h"

#define PIECE_BYTES  (64 * 1024)       /* encoded bytes at a time */
#define STREAM_BYTES (128 * 1024)      /* decoded bytes per call */
#define TURN_BYTES   (2 * 1024 * 1024) /* encoded bytes per call */

static bool is_remembered(const struct binary_memo *memo, uint64_t msg,
                          const struct section *section)
{
    return memo->msg == msg && memo->depth == section->depth &&
           memcmp(memo->path, section->path, section->depth * sizeof(section->path[0])) == 0;
}

static void rewind_decoder(struct binary_memo *memo)
{
    memo->decoder = memo->start;
    memo->encoded = memo->decoded = 0;
}

/* The memo becomes that of this part, unless it is. */
static bool find_part(struct fetch *fetch, const struct section *section, size_t index,
                      struct error *err)
{
    struct binary_memo *memo = &fetch->client->binary;
    uint64_t msg = view_msg(&fetch->client->view, index);
    const struct mime_part *part;
    bool whole = section_is_whole(section), leaf;

    if (is_remembered(memo, msg, section))
        return true;
    if (!fetch_load_all(fetch, index, err))
        return false;
    part = mime_find(fetch->tree, section->path, section->depth);
    if (part == NULL)
        return error_set(err, ERROR_NOT_FOUND, "no such part");
    leaf = !whole && part->children == NULL;
    *memo = (struct binary_memo){ .msg = msg,
                                  .depth = section->depth,
                                  .at = whole ? 0 : part->body_at,
                                  .len = whole ? fetch->bytes.len : part->body_len };
    memo->start.how = leaf ? transfer_of(part->encoding) : TRANSFER_IDENTITY;
    if (section->depth > COUNT_OF(memo->path))
        memo->depth = SIZE_MAX; /* too deep to be remembered */
    else
        memcpy(memo->path, section->path, section->depth * sizeof(section->path[0]));
    rewind_decoder(memo);
    return true;
}

/* Encoded bytes from where the decoder stands. */
static bool read_piece(struct fetch *fetch, size_t index, struct buf *out, struct error *err)
{
    const struct binary_memo *memo = &fetch->client->binary;
    size_t len = (size_t)MIN(PIECE_BYTES, memo->len - memo->encoded);
    uint64_t at = memo->at + memo->encoded;

    fetch->n_read += len;
    if (fetch->loaded == memo->msg && fetch->bytes.len >= at + len) {
        buf_add_slice(out, slice_part(buf_slice(&fetch->bytes), (size_t)at, len));
        return true;
    }
    if (!account_read(fetch->client->selected, view_msg(&fetch->client->view, index), at, len, out,
                      err))
        return false;
    return out->len == len ||
           error_set(err, ERROR_INTERNAL, "message is shorter than its row says");
}

/* Decodes the next piece and moves on behind it. */
static bool next_piece(struct fetch *fetch, size_t index, struct buf *out, struct error *err)
{
    struct binary_memo *memo = &fetch->client->binary;
    AUTO(buf_free) struct buf piece = { 0 };
    size_t before = out->len, taken;

    if (!read_piece(fetch, index, &piece, err))
        return false;
    taken = transfer_decode_piece(&memo->decoder, buf_slice(&piece),
                                  memo->encoded + piece.len == memo->len, out);
    memo->encoded += taken;
    memo->decoded += out->len - before;
    return true;
}

/* Counts what the part is without its encoding. */
static enum fetch_result measure(struct fetch *fetch, size_t index, struct error *err)
{
    struct binary_memo *memo = &fetch->client->binary;
    AUTO(buf_free) struct buf bytes = { 0 };

    for (size_t turn = 0; memo->encoded < memo->len; turn += PIECE_BYTES) {
        if (turn >= TURN_BYTES)
            return FETCH_MORE;
        buf_clear(&bytes);
        if (!next_piece(fetch, index, &bytes, err))
            return FETCH_FAILED;
        memo->has_nul =
            memo->has_nul || (bytes.len > 0 && memchr(bytes.data, '\0', bytes.len) != NULL);
    }
    memo->size = memo->decoded;
    memo->measured = true;
    rewind_decoder(memo);
    return FETCH_DONE;
}

/* Finds and measures. FETCH_FAILED with ERROR_NOT_FOUND: there is nothing to be decoded. */
static enum fetch_result prepare(struct fetch *fetch, const struct section *section, size_t index,
                                 struct error *err)
{
    const struct binary_memo *memo = &fetch->client->binary;

    if (!fetch->streaming && !find_part(fetch, section, index, err))
        return FETCH_FAILED;
    if (memo->start.how == TRANSFER_UNKNOWN) {
        fetch->unknown_cte = true;
        error_set(err, ERROR_NOT_FOUND, "unknown encoding");
        return FETCH_FAILED;
    }
    if (memo->measured)
        return FETCH_DONE;
    enum fetch_result result = measure(fetch, index, err);
    fetch->streaming = result == FETCH_MORE;
    return result;
}

/* Adds what lies between fetch->from and fetch->to of a decoded piece that begins at `at`. */
static void add_wanted(struct fetch *fetch, struct slice bytes, uint64_t at)
{
    uint64_t skip = fetch->from > at ? MIN(fetch->from - at, bytes.len) : 0;

    bytes = slice_part(bytes, (size_t)skip,
                       (size_t)MIN(bytes.len, fetch->to - MIN(fetch->to, at + skip)));
    buf_add_slice(&fetch->call->out, bytes);
    fetch->from += bytes.len;
}

static enum fetch_result stream(struct fetch *fetch, size_t index, struct error *err)
{
    struct binary_memo *memo = &fetch->client->binary;
    size_t out_mark = fetch->call->out.len;
    AUTO(buf_free) struct buf bytes = { 0 };

    for (size_t turn = 0; fetch->from < fetch->to; turn += PIECE_BYTES) {
        struct binary_memo before = *memo;

        if (turn >= TURN_BYTES || fetch->call->out.len - out_mark >= STREAM_BYTES)
            return FETCH_MORE;
        buf_clear(&bytes);
        if (!next_piece(fetch, index, &bytes, err))
            return FETCH_FAILED;
        if (bytes.len == 0 && memo->encoded >= memo->len) {
            error_set(err, ERROR_INTERNAL, "a part is shorter than it was");
            return FETCH_FAILED;
        }
        add_wanted(fetch, buf_slice(&bytes), before.decoded);
        if (memo->decoded > fetch->to)
            *memo = before; /* the next partial begins in this piece */
    }
    fetch->streaming = false;
    return FETCH_DONE;
}

static void announce(struct fetch *fetch, const struct section *section)
{
    struct binary_memo *memo = &fetch->client->binary;
    uint64_t skip = section->partial ? MIN(section->from, memo->size) : 0;
    uint64_t take = section->partial ? MIN(section->length, memo->size - skip) : memo->size;

    fetch->from = skip;
    fetch->to = skip + take;
    if (memo->decoded > skip)
        rewind_decoder(memo);
    /* RFC 3516 section 4.3: literal8 tells that there is a NUL. */
    buf_fmt(&fetch->call->out, "%s{%llu}\r\n", memo->has_nul ? "~" : "", (unsigned long long)take);
}

enum fetch_result fetch_write_binary(struct fetch *fetch, const struct fetch_item *item,
                                     size_t index, struct error *err)
{
    if (!fetch->streaming || !fetch->client->binary.measured) {
        enum fetch_result result = prepare(fetch, &item->section, index, err);

        if (result == FETCH_FAILED && err->kind == ERROR_NOT_FOUND) {
            buf_add_text(&fetch->call->out, "NIL"); /* no such part, or the message is gone */
            return FETCH_DONE;
        }
        if (result != FETCH_DONE)
            return result;
        announce(fetch, &item->section);
        fetch->streaming = true;
    }
    return stream(fetch, index, err);
}

enum fetch_result fetch_write_binary_size(struct fetch *fetch, const struct fetch_item *item,
                                          size_t index, struct error *err)
{
    enum fetch_result result = prepare(fetch, &item->section, index, err);

    if (result == FETCH_FAILED && err->kind == ERROR_NOT_FOUND) {
        buf_add_byte(&fetch->call->out, '0'); /* NIL has no bytes */
        return FETCH_DONE;
    }
    if (result == FETCH_DONE)
        buf_add_number(&fetch->call->out, fetch->client->binary.size);
    return result;
}

/* storable.c - see storable.h. */
#include "message/storable.h"

#include "common/codec.h"
#include "message/header.h"
#include "message/mime.h"
#include "message/transfer.h"

#define LINE_BYTES  57 /* 76 characters: RFC 2045 section 6.8 */
#define CHUNK_LINES 1000

struct writer {
    struct slice message;
    size_t done; /* of the message */
    bool (*add)(void *context, struct slice bytes, struct error *err);
    void *context;
};

static bool has_nul(struct slice bytes)
{
    return bytes.len > 0 && memchr(bytes.data, '\0', bytes.len) != NULL;
}

/* Everything up to `at`, as it is. */
static bool copy_to(struct writer *writer, size_t at, struct error *err)
{
    struct slice bytes = slice_part(writer->message, writer->done, at - writer->done);

    writer->done = at;
    if (has_nul(bytes))
        return error_set(err, ERROR_INVALID, "NUL outside of a part that can be encoded");
    return bytes.len == 0 || writer->add(writer->context, bytes, err);
}

static bool add_text(struct writer *writer, const char *text, struct error *err)
{
    return writer->add(writer->context, slice_of(text), err);
}

/* The header with its Content-Transfer-Encoding replaced, or with a new one at its end. */
static bool write_header(struct writer *writer, const struct mime_part *part, struct error *err)
{
    static const char field_text[] = "Content-Transfer-Encoding: base64\r\n";
    struct slice header = slice_part(writer->message, part->header_at, part->header_len);
    struct slice rest = header;
    struct header_field field;
    bool replaced = false;

    while (header_next(&rest, &field)) {
        size_t at = part->header_at + (size_t)(field.raw.data - header.data);

        if (!slice_is(field.name, "Content-Transfer-Encoding"))
            continue;
        if (!copy_to(writer, at, err) || (!replaced && !add_text(writer, field_text, err)))
            return false;
        writer->done = at + field.raw.len;
        replaced = true;
    }
    if (!copy_to(writer, part->header_at + header.len - rest.len, err) ||
        (!replaced && !add_text(writer, field_text, err)))
        return false;
    /* A header that ends with a line which is no field. */
    if (header_end_length(rest) == 0 && !add_text(writer, "\r\n", err))
        return false;
    return copy_to(writer, part->header_at + header.len, err);
}

static bool write_base64(struct writer *writer, const struct mime_part *part, struct error *err)
{
    struct slice body = slice_part(writer->message, part->body_at, part->body_len);
    bool at_end = part->body_at + part->body_len == writer->message.len;

    while (body.len > 0) {
        AUTO(buf_free) struct buf text = { 0 };

        for (int i = 0; i < CHUNK_LINES && body.len > 0; i++) {
            base64_encode(slice_part(body, 0, LINE_BYTES), &text);
            body = slice_from(body, LINE_BYTES);
            /* The line end in front of a delimiter is there already. */
            if (body.len > 0 || at_end)
                buf_add_text(&text, "\r\n");
        }
        if (!writer->add(writer->context, buf_slice(&text), err))
            return false;
    }
    writer->done = part->body_at + part->body_len;
    return true;
}

static bool must_encode(const struct writer *writer, const struct mime_part *part)
{
    return part->children == NULL && transfer_of(part->encoding) == TRANSFER_IDENTITY &&
           has_nul(slice_part(writer->message, part->body_at, part->body_len));
}

/* The next part in the order of the message: its first child, else what follows it. */
static const struct mime_part *next_part(const struct mime_part *part)
{
    if (part->children != NULL)
        return part->children;
    while (part != NULL && part->next == NULL)
        part = part->parent;
    return part != NULL ? part->next : NULL;
}

bool message_make_storable(struct slice message,
                           bool (*add)(void *context, struct slice bytes, struct error *err),
                           void *context, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct writer writer = { .message = message, .add = add, .context = context };

    for (const struct mime_part *part = mime_parse(&arena, message); part != NULL;
         part = next_part(part)) {
        if (must_encode(&writer, part) &&
            (!write_header(&writer, part, err) || !write_base64(&writer, part, err)))
            return false;
    }
    return copy_to(&writer, message.len, err);
}

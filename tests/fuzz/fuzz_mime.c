/* fuzz_mime.c - trees of any bytes: within bounds, parts inside their parents, lines counted. */
#include "message/mime.h"
#include "message/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t check_part(struct slice message, const struct mime_part *part, size_t depth)
{
    struct slice body = slice_part(message, part->body_at, part->body_len);
    uint64_t lines = 0;
    size_t count = 1;

    for (size_t i = 0; i < body.len; i++)
        lines += body.data[i] == '\n';
    if (depth > MIME_DEPTH_MAX || body.len != part->body_len || lines != part->body_lines ||
        part->header_at + part->header_len != part->body_at)
        abort();
    for (const struct mime_part *child = part->children; child != NULL; child = child->next) {
        if (child->header_at < part->body_at)
            abort();
        count += check_part(message, child, depth + 1);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    struct slice message = slice_make(data, size);
    const struct mime_part *root = mime_parse(&arena, message);
    struct text_walk walk;

    if (check_part(message, root, 0) > MIME_PARTS_MAX)
        abort();
    text_walk_start(&walk, message, root);
    while (text_walk_next(&walk, &text))
        continue;
    return 0;
}

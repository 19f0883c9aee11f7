/* mimedump.c - prints what message/ makes of the messages named, for comparing with others.
 *
 * One JSON object a line: the file, its decoded header fields and its tree, the content of leaves
 * decoded (transfer encoding only) as base64. With --summary: the IMAP texts instead, and what
 * each section number names.
 * With --time N: makes each summary N times and prints the mean time.
 */
#include "common/codec.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/mime.h"
#include "message/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    size_t len;

    if (file == NULL)
        return false;
    do {
        len = fread(buf_reserve(out, 65536), 1, 65536, file);
        buf_wrote(out, len);
    } while (len > 0);
    fclose(file);
    return true;
}

static void add_key(const char *key, struct buf *out)
{
    buf_fmt(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", key);
}

static void add_text(const char *key, struct slice text, struct buf *out)
{
    AUTO(buf_free) struct buf clean = { 0 };

    text_to_utf8(SLICE("utf-8"), text, &clean);
    add_key(key, out);
    json_quote(buf_slice(&clean), out);
}

static void add_bytes(const char *key, struct slice bytes, struct buf *out)
{
    add_key(key, out);
    buf_add_byte(out, '"');
    base64_encode(bytes, out);
    buf_add_byte(out, '"');
}

static void add_params(const char *key, const struct mime_param *params, size_t count,
                       struct buf *out)
{
    add_key(key, out);
    buf_add_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i > 0 ? ",[" : "[");
        json_quote(params[i].name, out);
        buf_add_byte(out, ',');
        json_quote(params[i].value, out);
        buf_add_byte(out, ']');
    }
    buf_add_byte(out, ']');
}

static void add_headers(struct slice header, struct buf *out)
{
    struct header_field field;
    bool any = false;

    add_key("headers", out);
    buf_add_byte(out, '[');
    while (header_next(&header, &field)) {
        AUTO(buf_free) struct buf value = { 0 };

        header_decode(field.value, &value);
        buf_add_text(out, any ? ",[" : "[");
        json_quote(field.name, out);
        buf_add_byte(out, ',');
        json_quote(buf_slice(&value), out);
        buf_add_byte(out, ']');
        any = true;
    }
    buf_add_byte(out, ']');
}

static void add_part(struct slice message, const struct mime_part *part, struct buf *out)
{
    AUTO(buf_free) struct buf content = { 0 };

    buf_add_byte(out, '{');
    add_text("type", part->type, out);
    add_text("subtype", part->subtype, out);
    add_params("params", part->params, part->n_params, out);
    add_text("disposition", part->disposition, out);
    add_params("disposition_params", part->disposition_params, part->n_disposition_params, out);
    add_text("encoding", part->encoding, out);
    add_headers(slice_part(message, part->header_at, part->header_len), out);
    add_key("lines", out);
    buf_add_number(out, part->body_lines);
    if (part->children == NULL) {
        transfer_decode(part->encoding, slice_part(message, part->body_at, part->body_len),
                        &content);
        add_bytes("content", buf_slice(&content), out);
    }
    add_key("parts", out);
    buf_add_byte(out, '[');
    for (const struct mime_part *child = part->children; child != NULL; child = child->next) {
        add_part(message, child, out);
        if (child->next != NULL)
            buf_add_byte(out, ',');
    }
    buf_add_text(out, "]}");
}

static void print_tree(const char *path, struct slice message)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf line = { 0 };

    buf_add_byte(&line, '{');
    add_text("file", slice_of(path), &line);
    add_key("root", &line);
    add_part(message, mime_parse(&arena, message), &line);
    buf_add_byte(&line, '}');
    puts(buf_text(&line));
}

/* Tries all section numbers below a path, and prints where each body is. */
static void add_sections(const struct mime_part *root, uint32_t *path, size_t depth,
                         struct buf *out)
{
    const struct mime_part *part;

    for (path[depth] = 1;
         depth < 2 * MIME_DEPTH_MAX && (part = mime_find(root, path, depth + 1)) != NULL;
         path[depth]++) {
        buf_add_text(out, out->data[out->len - 1] == '[' ? "[\"" : ",[\"");
        for (size_t i = 0; i <= depth; i++)
            buf_fmt(out, i > 0 ? ".%u" : "%u", path[i]);
        buf_fmt(out, "\",%zu,%zu]", part->body_at, part->body_len);
        add_sections(root, path, depth + 1, out);
    }
}

static void print_summary(const char *path, struct slice message)
{
    AUTO(summary_free) struct summary summary;
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf line = { 0 };
    uint32_t sections[2 * MIME_DEPTH_MAX + 1];

    summary_make(message, &summary);
    buf_add_byte(&line, '{');
    add_text("file", slice_of(path), &line);
    add_bytes("envelope", buf_slice(&summary.envelope), &line);
    add_bytes("body_structure", buf_slice(&summary.body_structure), &line);
    add_bytes("body", buf_slice(&summary.body), &line);
    add_key("header_len", &line);
    buf_add_number(&line, summary.header_len);
    add_key("sections", &line);
    buf_add_byte(&line, '[');
    add_sections(mime_parse(&arena, message), sections, 0, &line);
    buf_add_text(&line, "]}");
    puts(buf_text(&line));
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_time(const char *path, struct slice message, unsigned long rounds)
{
    double start = seconds();

    for (unsigned long i = 0; i < rounds; i++) {
        AUTO(summary_free) struct summary summary;

        summary_make(message, &summary);
    }
    printf("%9zu bytes %9.2f us  %s\n", message.len, (seconds() - start) / (double)rounds * 1e6,
           path);
}

int main(int argc, char **argv)
{
    bool summary = argc > 1 && slice_is(slice_of(argv[1]), "--summary");
    bool timing = argc > 2 && slice_is(slice_of(argv[1]), "--time");

    for (int i = 1 + summary + 2 * timing; i < argc; i++) {
        AUTO(buf_free) struct buf message = { 0 };

        if (!read_file(argv[i], &message)) {
            perror(argv[i]);
            return 1;
        }
        if (summary)
            print_summary(argv[i], buf_slice(&message));
        else if (timing)
            print_time(argv[i], buf_slice(&message), strtoul(argv[2], NULL, 10));
        else
            print_tree(argv[i], buf_slice(&message));
    }
    return 0;
}

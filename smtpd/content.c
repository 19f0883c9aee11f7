/* content.c - see content.h. */
#include "smtpd/content.h"

#include "message/header.h"
#include "message/proof/results.h"

#define HEAD_FREE (16 * 1024) /* a header that is not worth an account */

void content_start(struct content *content, struct store *store)
{
    content->body = body_new(store);
}

void content_fail(struct content *content, enum content_fault fault)
{
    if (content->fault == CONTENT_GOOD)
        content->fault = fault;
    body_free(&content->body); /* no need to keep what nobody will take */
    buf_free(&content->head);
}

/* Is there memory for what is held of the header? */
static bool may_hold(struct content *content)
{
    size_t bytes = content->head.room + content->original.room;

    if (ceiling_hold(&content->held, bytes > HEAD_FREE ? bytes : 0))
        return true;
    error_set(&content->error, ERROR_TEMPORARY, "no memory for a header of %zu bytes", bytes);
    content_fail(content, CONTENT_STORE);
    return false;
}

static void keep(struct content *content, struct slice bytes)
{
    if (bytes.len > 0 && !body_add(content->body, bytes, &content->error))
        content_fail(content, CONTENT_STORE);
}

static void look_at_header(struct content *content, struct slice header)
{
    struct header_field field;

    while (header_next(&header, &field)) {
        content->n_received += slice_is(field.name, "Received");
        content->n_delivered_to += slice_is(field.name, "Delivered-To");
        content->tls_optional = content->tls_optional || (slice_is(field.name, "TLS-Required") &&
                                                          slice_is(slice_trim(field.value), "No"));
    }
}

static void take_header(struct content *content, struct slice header)
{
    AUTO(buf_free) struct buf fixed = { 0 };
    AUTO(buf_free) struct buf clean = { 0 };

    content->head_is_done = true;
    look_at_header(content, header);
    if (content->n_received > content->hops_max) {
        content_fail(content, CONTENT_LOOP);
        return;
    }
    if (content->authserv_id.len > 0 && results_remove(header, content->authserv_id, &clean) > 0) {
        buf_add_slice(&content->original, header);
        if (!may_hold(content))
            return;
        header = buf_slice(&clean);
    }
    if (content->submit == NULL) {
        keep(content, header);
        return;
    }
    submit_fix(header, content->submit, &fixed);
    keep(content, buf_slice(&fixed));
}

/* What follows the header. Behind a line that is no field there are programs that see header still,
 * so nobody may have put our name there. */
static void keep_rest(struct content *content, struct slice message, size_t header)
{
    AUTO(buf_free) struct buf clean = { 0 };
    size_t whole = header_whole_length(message);
    struct slice fields = slice_part(message, header, whole - header);

    if (content->submit == NULL && fields.len > 0 &&
        results_remove(fields, content->authserv_id, &clean) > 0)
        fields = buf_slice(&clean);
    keep(content, fields);
    if (content->fault == CONTENT_GOOD)
        keep(content, slice_from(message, whole));
}

/* Where the first empty line ends; 0 while it has not come. */
static size_t empty_line_end(struct slice head, size_t from)
{
    const char *end;

    if (head.len >= 2 && memcmp(head.data, "\r\n", 2) == 0)
        return 2;
    if (from >= head.len)
        return 0;
    end = memmem(head.data + from, head.len - from, "\r\n\r\n", 4);
    return end == NULL ? 0 : (size_t)(end - head.data) + 4;
}

/* Finds the length of the header, with its empty line; false while that cannot be known. A header
 * can end earlier, at a line that is no field: what follows is the body. */
static bool find_header_end(struct slice head, size_t from, size_t *length_out)
{
    size_t end = empty_line_end(head, from);
    struct slice lines =
        slice_part(head, 0, end > 0 ? end : (size_t)(slice_find_last(head, '\n') + 1));

    if (end == 0 && head.len <= CONTENT_HEADER_MAX)
        return false;
    *length_out = header_length(lines);
    if (end == 0 && *length_out == lines.len)
        *length_out = head.len; /* and it goes on */
    return true;
}

/* In the usual case the first bytes hold the whole header, and nothing is copied. */
static void add_to_head(struct content *content, struct slice bytes)
{
    struct buf *head = &content->head;
    size_t before = head->len, length;

    if (before > 0 || !find_header_end(bytes, 0, &length)) {
        buf_add_slice(head, bytes);
        bytes = buf_slice(head);
        if (!find_header_end(bytes, before > 3 ? before - 3 : 0, &length))
            return (void)may_hold(content);
    }
    if (length > CONTENT_HEADER_MAX) {
        content_fail(content, CONTENT_HEADER_TOO_BIG);
        return;
    }
    take_header(content, slice_part(bytes, 0, length));
    if (content->fault == CONTENT_GOOD)
        keep_rest(content, bytes, length);
    buf_free(head);
    (void)ceiling_hold(&content->held, content->original.room);
}

void content_add(struct content *content, struct slice bytes)
{
    content->size += bytes.len;
    if (content->fault != CONTENT_GOOD)
        return;
    if (content->size > content->size_max)
        content_fail(content, CONTENT_TOO_BIG);
    else if (content->head_is_done)
        keep(content, bytes);
    else
        add_to_head(content, bytes);
}

bool content_finish(struct content *content)
{
    if (content->fault == CONTENT_GOOD && !content->head_is_done) {
        struct slice head = buf_slice(&content->head);
        size_t length = header_length(head);
        take_header(content, slice_part(head, 0, length));
        if (content->fault == CONTENT_GOOD)
            keep_rest(content, head, length);
    }
    if (content->fault == CONTENT_GOOD && !body_finish(content->body, &content->error))
        content_fail(content, CONTENT_STORE);
    return content->fault == CONTENT_GOOD;
}

void content_free(struct content *content)
{
    body_free(&content->body);
    buf_free(&content->head);
    buf_free(&content->original);
    ceiling_hold(&content->held, 0);
}

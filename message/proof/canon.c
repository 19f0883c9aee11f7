/* canon.c - see canon.h.
 *
 * The relaxed forms are made by one small machine: blanks and line ends are only counted, and come
 * out when something follows that makes them count.
 */
#include "message/proof/canon.h"

void canon_init(struct canon *canon)
{
    canon->digest = digest_new(DIGEST_SHA256);
    canon->total = 0;
    canon->used = 0;
}

static void flush(struct canon *canon)
{
    digest_add(canon->digest, slice_make(canon->chunk, canon->used));
    canon->used = 0;
}

void canon_add(struct canon *canon, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    canon->total += bytes.len;
    if (bytes.len > CANON_CHUNK - canon->used)
        flush(canon);
    if (bytes.len > CANON_CHUNK) {
        digest_add(canon->digest, bytes);
        return;
    }
    memcpy(canon->chunk + canon->used, bytes.data, bytes.len);
    canon->used += bytes.len;
}

void canon_end(struct canon *canon, unsigned char hash_out[32])
{
    unsigned char hash[DIGEST_SIZE_MAX];

    flush(canon);
    digest_end(&canon->digest, hash);
    memcpy(hash_out, hash, 32);
}

void canon_free(struct canon *canon)
{
    unsigned char hash[DIGEST_SIZE_MAX];

    digest_end(&canon->digest, hash);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* --- fields --- */

static void add_lower(struct canon *canon, struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (c >= 'A' && c <= 'Z')
            c += 'a' - 'A';
        canon_add(canon, slice_make(&c, 1));
    }
}

/* Bytes of a line end here, 0 if there is none. */
static size_t line_end_at(struct slice text, size_t at)
{
    if (text.data[at] == '\n')
        return 1;
    return text.data[at] == '\r' && at + 1 < text.len && text.data[at + 1] == '\n' ? 2 : 0;
}

/* Length of the run of bytes that stay as they are; at least 1. */
static size_t plain_length(struct slice text, size_t at)
{
    size_t end = at + 1;

    while (end < text.len && !is_blank(text.data[end]) && text.data[end] != '\r' &&
           text.data[end] != '\n')
        end++;
    return end - at;
}

/* Section 3.4.2: unfolded, blanks reduced to one space, none at both ends. The two flags go from
 * one part of a value to the next. */
struct relaxing {
    bool started, blank;
};

static void add_relaxed(struct canon *canon, struct slice value, struct relaxing *state)
{
    for (size_t at = 0; at < value.len;) {
        size_t line_end = line_end_at(value, at);
        size_t run = 1;

        if (line_end > 0) {
            run = line_end;
        } else if (is_blank(value.data[at])) {
            state->blank = state->started;
        } else {
            run = plain_length(value, at);
            if (state->blank)
                canon_add(canon, SLICE(" "));
            canon_add(canon, slice_part(value, at, run));
            state->blank = false;
            state->started = true;
        }
        at += run;
    }
}

static void add_name(struct canon *canon, const struct header_field *field, bool relaxed)
{
    if (relaxed) {
        add_lower(canon, field->name);
        canon_add(canon, SLICE(":"));
    } else { /* with the blanks that may stand before the colon */
        canon_add(canon,
                  slice_make(field->raw.data, (size_t)(field->value.data - field->raw.data)));
    }
}

static void add_value(struct canon *canon, struct slice value, bool relaxed, struct relaxing *state)
{
    if (relaxed)
        add_relaxed(canon, value, state);
    else
        canon_add(canon, value);
}

void canon_field(struct canon *canon, const struct header_field *field, bool relaxed)
{
    struct relaxing state = { 0 };

    add_name(canon, field, relaxed);
    add_value(canon, field->value, relaxed, &state);
    canon_add(canon, SLICE("\r\n"));
}

void canon_signature(struct canon *canon, const struct header_field *field, struct slice hole,
                     bool relaxed)
{
    size_t at = (size_t)(hole.data - field->value.data);
    struct relaxing state = { 0 };

    add_name(canon, field, relaxed);
    add_value(canon, slice_part(field->value, 0, at), relaxed, &state);
    add_value(canon, slice_from(field->value, at + hole.len), relaxed, &state);
}

/* --- bodies --- */

static void add_line_ends(struct canon *canon, size_t count)
{
    for (; count > 0; count--)
        canon_add(canon, SLICE("\r\n"));
}

/* Section 3.4.3: empty lines at the end become one CRLF, and so does nothing. */
static void add_simple(struct canon *canon, struct slice body)
{
    while (body.len >= 2 && body.data[body.len - 2] == '\r' && body.data[body.len - 1] == '\n')
        body.len -= 2;
    canon_add(canon, body);
    canon_add(canon, SLICE("\r\n"));
}

static bool is_crlf(struct slice text, size_t at)
{
    return text.data[at] == '\r' && at + 1 < text.len && text.data[at + 1] == '\n';
}

/* Section 3.4.4. A bare CR or LF is a byte like others. */
static void add_relaxed_body(struct canon *canon, struct slice body)
{
    size_t line_ends = 0;
    bool blank = false;

    for (size_t at = 0, run; at < body.len; at += run) {
        run = 1;
        if (is_crlf(body, at)) {
            run = 2;
            line_ends++;
            blank = false;
        } else if (is_blank(body.data[at])) {
            blank = true;
        } else {
            run = plain_length(body, at);
            add_line_ends(canon, line_ends);
            if (blank)
                canon_add(canon, SLICE(" "));
            canon_add(canon, slice_part(body, at, run));
            line_ends = 0;
            blank = false;
        }
    }
    if (canon->total > 0)
        canon_add(canon, SLICE("\r\n"));
}

uint64_t canon_body(struct slice body, bool relaxed, unsigned char hash_out[32])
{
    struct canon canon;

    canon_init(&canon);
    if (relaxed)
        add_relaxed_body(&canon, body);
    else
        add_simple(&canon, body);
    canon_end(&canon, hash_out);
    return canon.total;
}

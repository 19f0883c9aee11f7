/* base_subject.c - the steps of RFC 5256 section 2.1, by their numbers. The time is at most the
 * square of BASE_SUBJECT_MAX, for nothing but blobs. */
#include "message/base_subject.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* (1) Blanks become one space each. */
static void squeeze(struct slice subject, struct buf *out)
{
    bool blank = false;

    for (size_t i = 0; i < subject.len; i++) {
        char c = subject.data[i];
        bool space = is_blank(c) || c == '\r' || c == '\n';

        if (!space)
            buf_add_byte(out, c);
        else if (!blank)
            buf_add_byte(out, ' ');
        blank = space;
    }
}

static struct slice skip_blanks(struct slice text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = slice_from(text, 1);
    return text;
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP */
static bool take_blob(struct slice *text)
{
    size_t i = 1;

    if (text->len == 0 || text->data[0] != '[')
        return false;
    while (i < text->len && text->data[i] != '[' && text->data[i] != ']')
        i++;
    if (i == text->len || text->data[i] != ']')
        return false;
    *text = skip_blanks(slice_from(*text, i + 1));
    return true;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static bool take_refwd(struct slice *text)
{
    struct slice rest = *text;

    if (slice_starts(rest, "fwd"))
        rest = slice_from(rest, 3);
    else if (slice_starts(rest, "re") || slice_starts(rest, "fw"))
        rest = slice_from(rest, 2);
    else
        return false;
    rest = skip_blanks(rest);
    take_blob(&rest);
    if (rest.len == 0 || rest.data[0] != ':')
        return false;
    *text = slice_from(rest, 1);
    return true;
}

/* (2) subj-trailer = "(fwd)" / WSP */
static void drop_trailers(struct slice *text, bool *reply)
{
    for (;;) {
        if (text->len > 0 && is_blank(text->data[text->len - 1])) {
            text->len--;
        } else if (text->len >= 5 && slice_is(slice_from(*text, text->len - 5), "(fwd)")) {
            text->len -= 5;
            *reply = true;
        } else {
            return;
        }
    }
}

/* (3) subj-leader = (*subj-blob subj-refwd) / WSP */
static bool drop_leader(struct slice *text, bool *reply)
{
    struct slice rest = *text;

    if (rest.len > 0 && is_blank(rest.data[0])) {
        *text = skip_blanks(rest);
        return true;
    }
    while (take_blob(&rest))
        continue;
    if (!take_refwd(&rest))
        return false;
    *text = rest;
    *reply = true;
    return true;
}

/* (4) A blob goes unless nothing is left then. */
static bool drop_blob(struct slice *text)
{
    struct slice rest = *text;

    if (!take_blob(&rest) || rest.len == 0)
        return false;
    *text = rest;
    return true;
}

/* (6) "[fwd:" ... "]" */
static bool unwrap_forward(struct slice *text, bool *reply)
{
    if (text->len < 6 || !slice_starts(*text, "[fwd:") || text->data[text->len - 1] != ']')
        return false;
    *text = slice_part(*text, 5, text->len - 6);
    *reply = true;
    return true;
}

bool base_subject(struct slice subject, struct buf *out)
{
    AUTO(buf_free) struct buf squeezed = { 0 };
    struct slice text;
    bool reply = false;

    squeeze(slice_part(subject, 0, BASE_SUBJECT_MAX), &squeezed);
    text = buf_slice(&squeezed);
    do {
        drop_trailers(&text, &reply);
        while (drop_leader(&text, &reply) || drop_blob(&text)) /* (5) */
            continue;
    } while (unwrap_forward(&text, &reply));
    buf_add_slice(out, text);
    return reply;
}

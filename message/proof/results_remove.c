/* results_remove.c - takes out Authentication-Results that bear our name (RFC 8601 section 5).
 *
 * Who reads the message later may be more lenient than we are: lines that are no field do not end
 * the header here, and where no authserv-id can be read, our name anywhere in the field will do.
 */
#include "message/proof/results.h"

#include "message/decode.h"

#define FIELD_NAME "Authentication-Results"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What stands before the first ";": without comments (which nest), blanks and quotes. */
struct head {
    struct buf text;
    size_t word_at; /* where in it the last word starts */
    bool after_gap; /* a blank or a comment has been the last thing */
};

static void head_free(struct head *head)
{
    buf_free(&head->text);
}

static void add_byte(struct head *head, char c)
{
    if (head->after_gap)
        head->word_at = head->text.len;
    head->after_gap = false;
    buf_add_byte(&head->text, c);
}

/* Takes a comment off the front; false: it does not end. */
static bool skip_comment(struct slice *rest)
{
    size_t depth = 0;

    for (size_t i = 0; i < rest->len; i++) {
        depth += rest->data[i] == '(';
        depth -= rest->data[i] == ')';
        i += rest->data[i] == '\\';
        if (depth == 0) {
            *rest = slice_from(*rest, i + 1);
            return true;
        }
    }
    return false;
}

/* Takes a quoted string off the front; false: it does not end. */
static bool take_quoted(struct slice *rest, struct head *head)
{
    for (size_t i = 1; i < rest->len; i++) {
        if (rest->data[i] == '"') {
            *rest = slice_from(*rest, i + 1);
            return true;
        }
        if (rest->data[i] == '\\' && i + 1 < rest->len)
            i++;
        if (!is_blank(rest->data[i]))
            add_byte(head, rest->data[i]);
    }
    return false;
}

/* False: a comment or a quoted string does not end. */
static bool read_head(struct slice rest, struct head *head)
{
    while (rest.len > 0 && rest.data[0] != ';') {
        char c = rest.data[0];

        if (c == '"') {
            if (!take_quoted(&rest, head))
                return false;
            continue;
        }
        if (c == '(') {
            if (!skip_comment(&rest))
                return false;
            head->after_gap = true;
            continue;
        }
        if (is_blank(c))
            head->after_gap = true;
        else
            add_byte(head, c);
        rest = slice_from(rest, 1);
    }
    return true;
}

static bool has_word(struct slice text, struct slice word)
{
    for (size_t i = 0; i + word.len <= text.len; i++)
        if (slice_equal_case(slice_part(text, i, word.len), word))
            return true;
    return false;
}

static bool is_number(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* [CFWS] authserv-id [ CFWS authres-version ] */
static bool bears(struct slice value, struct slice authserv_id)
{
    AUTO(head_free) struct head head = { 0 };
    struct slice name;

    if (!read_head(value, &head))
        return has_word(value, authserv_id);
    name = buf_slice(&head.text);
    if (head.word_at > 0 && is_number(slice_from(name, head.word_at)))
        name.len = head.word_at;
    while (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    return slice_equal_case(name, authserv_id);
}

/* A line with its continuations. */
static size_t field_length(struct slice text)
{
    size_t len = 0;

    do {
        ptrdiff_t end = slice_find(slice_from(text, len), '\n');

        len = end < 0 ? text.len : len + (size_t)end + 1;
    } while (len < text.len && (text.data[len] == ' ' || text.data[len] == '\t'));
    return len;
}

static bool is_ours(struct slice field, struct slice authserv_id)
{
    AUTO(buf_free) struct buf decoded = { 0 };
    struct slice value = slice_from(field, sizeof(FIELD_NAME) - 1);

    if (!slice_starts(field, FIELD_NAME))
        return false;
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        value = slice_from(value, 1);
    if (value.len == 0 || value.data[0] != ':')
        return false;
    value = slice_from(value, 1);
    if (bears(value, authserv_id))
        return true;
    header_decode(value,
                  &decoded); /* encoded words have no place there; some reader knows better */
    return bears(buf_slice(&decoded), authserv_id);
}

size_t results_remove(struct slice header, struct slice authserv_id, struct buf *out)
{
    size_t removed = 0, kept = 0; /* up to where header is in out, or left out */

    if (authserv_id.len > 0 && authserv_id.data[authserv_id.len - 1] == '.')
        authserv_id.len--;
    if (authserv_id.len == 0)
        return 0;
    for (size_t at = 0, len; at < header.len; at += len) {
        len = field_length(slice_from(header, at));
        if (!is_ours(slice_part(header, at, len), authserv_id))
            continue;
        buf_add_slice(out, slice_part(header, kept, at - kept));
        kept = at + len;
        removed++;
    }
    if (removed > 0)
        buf_add_slice(out, slice_from(header, kept));
    return removed;
}

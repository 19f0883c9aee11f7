/* mime.c - finds the parts of a message in one pass.
 *
 * The scanner walks line by line (one memchr() each) and counts line ends. Around it, recursion
 * follows the nesting, at most MIME_DEPTH_MAX deep. Each multipart being read has its boundary on
 * a stack; a line that starts with "--" is compared with all of them, innermost first. Where one
 * matches, scanning stops, and every level that is deeper than the boundary's ends there:
 *
 *     multipart A --A        stack: A       a part of A starts
 *       multipart B --B      stack: A B     a part of B starts
 *         text    --A        stop at level 0: ends the text and B, and A goes on
 */
#include "message/mime.h"

#include "message/header.h"
#include "message/param.h"

#define NO_LEVEL SIZE_MAX

/* Where scanning stopped: a delimiter line, or the end of the message (level NO_LEVEL). */
struct stop {
    size_t level;   /* of the boundary on the stack */
    bool close;     /* "--boundary--" */
    size_t at;      /* start of the line */
    uint64_t lines; /* line ends before it */
};

struct scanner {
    struct arena *arena;
    struct slice message;
    size_t at;      /* the next line */
    uint64_t lines; /* line ends before `at` */
    size_t n_parts;
    struct slice boundaries[MIME_DEPTH_MAX];
    size_t n_boundaries;
    struct stop stop;
};

static void parse_part(struct scanner *scanner, struct mime_part *part, size_t depth);

static uint64_t count_line_ends(struct slice text)
{
    uint64_t count = 0;

    for (const char *at = text.data, *end = at + text.len;
         at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        count++;
    return count;
}

/* Is this line the delimiter of the boundary? Blanks may follow it, and nothing else, as the
 * grammar of RFC 2046 section 5.1.1 has it: taking any line that starts like it, as the notes there
 * allow, would confuse boundaries of which one is the start of another. */
static bool is_delimiter(struct slice line, struct slice boundary, bool *close_out)
{
    struct slice rest;

    if (line.len < boundary.len + 2 || memcmp(line.data + 2, boundary.data, boundary.len) != 0)
        return false;
    rest = slice_from(line, boundary.len + 2);
    *close_out = rest.len >= 2 && rest.data[0] == '-' && rest.data[1] == '-';
    return slice_trim(slice_from(rest, *close_out ? 2 : 0)).len == 0;
}

static bool find_delimiter(struct scanner *scanner, struct slice line)
{
    if (line.len < 3 || line.data[0] != '-' || line.data[1] != '-')
        return false;
    for (size_t level = scanner->n_boundaries; level-- > 0;)
        if (is_delimiter(line, scanner->boundaries[level], &scanner->stop.close)) {
            scanner->stop.level = level;
            return true;
        }
    return false;
}

/* Scans to the next delimiter and past it. */
static void scan(struct scanner *scanner)
{
    const char *data = scanner->message.data;

    while (scanner->at < scanner->message.len) {
        size_t start = scanner->at;
        const char *end = memchr(data + start, '\n', scanner->message.len - start);
        size_t next = end == NULL ? scanner->message.len : (size_t)(end - data) + 1;

        scanner->stop.at = start;
        scanner->stop.lines = scanner->lines;
        scanner->at = next;
        scanner->lines += end != NULL;
        if (data[start] == '-' &&
            find_delimiter(scanner, slice_part(scanner->message, start, next - start)))
            return;
    }
    scanner->stop = (struct stop){ NO_LEVEL, false, scanner->message.len, scanner->lines };
}

static void set_unfolded(struct scanner *scanner, struct slice *field, struct slice value)
{
    if (field->len == 0)
        *field = header_unfold(scanner->arena, value);
}

static void set_type(struct mime_part *part, struct slice type, struct slice subtype)
{
    part->type = type;
    part->subtype = subtype;
}

/* type "/" subtype, then parameters. Without a subtype it counts as no type (RFC 2045 section 5.2),
 * but the parameters are worth having: "text; charset=utf-8" is not rare. */
static void parse_type(struct scanner *scanner, struct mime_part *part, struct slice value)
{
    struct slice rest = header_unfold(scanner->arena, value);
    struct slice type = param_token(&rest);
    struct slice subtype = { NULL, 0 };

    if (part->type.len > 0 || part->n_params > 0)
        return;
    if (param_byte(&rest, '/'))
        subtype = param_token(&rest);
    if (type.len > 0 && subtype.len > 0)
        set_type(part, type, subtype);
    params_parse(scanner->arena, rest, &part->params, &part->n_params);
}

static void parse_disposition(struct scanner *scanner, struct mime_part *part, struct slice value)
{
    struct slice rest = header_unfold(scanner->arena, value);

    if (part->disposition.len > 0)
        return;
    part->disposition = param_token(&rest);
    if (part->disposition.len > 0)
        params_parse(scanner->arena, rest, &part->disposition_params, &part->n_disposition_params);
}

static void parse_encoding(struct scanner *scanner, struct mime_part *part, struct slice value)
{
    struct slice rest = header_unfold(scanner->arena, value);

    if (part->encoding.len == 0)
        part->encoding = param_token(&rest);
}

static void parse_field(struct scanner *scanner, struct mime_part *part,
                        const struct header_field *field)
{
    struct slice word = slice_from(field->name, strlen("Content-"));

    if (slice_is(word, "Type"))
        parse_type(scanner, part, field->value);
    else if (slice_is(word, "Transfer-Encoding"))
        parse_encoding(scanner, part, field->value);
    else if (slice_is(word, "Disposition"))
        parse_disposition(scanner, part, field->value);
    else if (slice_is(word, "ID"))
        set_unfolded(scanner, &part->id, field->value);
    else if (slice_is(word, "Description"))
        set_unfolded(scanner, &part->description, field->value);
    else if (slice_is(word, "MD5"))
        set_unfolded(scanner, &part->md5, field->value);
    else if (slice_is(word, "Language"))
        set_unfolded(scanner, &part->language, field->value);
    else if (slice_is(word, "Location"))
        set_unfolded(scanner, &part->location, field->value);
}

static bool is_type(const struct mime_part *part, const char *type, const char *subtype)
{
    return slice_is(part->type, type) && (subtype == NULL || slice_is(part->subtype, subtype));
}

/* RFC 2045 section 5.2; in a digest, RFC 2046 section 5.1.5. */
static void set_defaults(struct mime_part *part)
{
    bool digest = part->parent != NULL && is_type(part->parent, "multipart", "digest");

    if (part->type.len == 0 && digest)
        set_type(part, SLICE("message"), SLICE("rfc822"));
    else if (part->type.len == 0)
        set_type(part, SLICE("text"), SLICE("plain"));
    if (part->encoding.len == 0)
        part->encoding = SLICE("7BIT");
}

/* A delimiter can look like a field ("--a:b"), and ends the header without an empty line too. */
static bool is_field_delimiter(struct scanner *scanner, const struct header_field *field)
{
    ptrdiff_t end = slice_find(field->raw, '\n');

    return field->name.data[0] == '-' &&
           find_delimiter(scanner, end < 0 ? field->raw : slice_part(field->raw, 0, (size_t)end));
}

static void parse_header(struct scanner *scanner, struct mime_part *part)
{
    struct slice all = slice_from(scanner->message, scanner->at);
    struct slice rest = all;
    struct header_field field;

    while (header_next(&rest, &field)) {
        if (is_field_delimiter(scanner, &field)) {
            rest = slice_from(all, (size_t)(field.raw.data - all.data));
            break;
        }
        if (slice_starts(field.name, "Content-"))
            parse_field(scanner, part, &field);
    }
    set_defaults(part);
    part->header_at = scanner->at;
    part->header_len = all.len - rest.len + header_end_length(rest);
    scanner->at += part->header_len;
    scanner->lines += count_line_ends(slice_part(all, 0, part->header_len));
}

static struct mime_part *new_part(struct scanner *scanner, struct mime_part *parent)
{
    struct mime_part *part = ARENA_NEW(scanner->arena, struct mime_part);

    scanner->n_parts++;
    part->parent = parent;
    return part;
}

/* Reads the parts of a multipart, the text before the first and behind the last passed over. */
static void parse_multipart(struct scanner *scanner, struct mime_part *part, struct slice boundary,
                            size_t depth)
{
    size_t level = scanner->n_boundaries++;
    struct mime_part **link = &part->children;

    scanner->boundaries[level] = boundary;
    scan(scanner);
    while (scanner->stop.level == level && !scanner->stop.close &&
           scanner->n_parts < MIME_PARTS_MAX) {
        *link = new_part(scanner, part);
        parse_part(scanner, *link, depth + 1);
        link = &(*link)->next;
    }
    scanner->n_boundaries = level;
    if (scanner->stop.level == level)
        scan(scanner);
    part->is_multipart = part->children != NULL;
}

/* RFC 2046 section 5.1.1: a boundary does not end with a blank. */
static struct slice multipart_boundary(const struct mime_part *part)
{
    struct slice boundary = mime_param(part, "boundary");

    while (boundary.len > 0 &&
           (boundary.data[boundary.len - 1] == ' ' || boundary.data[boundary.len - 1] == '\t'))
        boundary.len--;
    return boundary;
}

/* Encoding a message inside a message is forbidden (RFC 2046 section 5.2.1), and done. */
static bool is_open_message(const struct mime_part *part)
{
    return (is_type(part, "message", "rfc822") || is_type(part, "message", "global")) &&
           !slice_is(part->encoding, "base64") && !slice_is(part->encoding, "quoted-printable");
}

static void become_leaf(struct mime_part *part, struct slice type, struct slice subtype)
{
    set_type(part, type, subtype);
    part->params = NULL;
    part->n_params = 0;
}

/* Reads to the delimiter that ends the part, by what the part is. */
static void parse_inside(struct scanner *scanner, struct mime_part *part, size_t depth)
{
    struct slice boundary = multipart_boundary(part);
    bool multipart = is_type(part, "multipart", NULL);
    bool message = is_open_message(part);

    if ((multipart || message) && (depth >= MIME_DEPTH_MAX || scanner->n_parts >= MIME_PARTS_MAX)) {
        become_leaf(part, SLICE("application"), SLICE("octet-stream"));
        scan(scanner);
    } else if (message) {
        part->is_message = true;
        part->children = new_part(scanner, part);
        parse_part(scanner, part->children, depth + 1);
    } else if (multipart && boundary.len > 0) {
        parse_multipart(scanner, part, boundary, depth);
    } else {
        scan(scanner);
    }
    if (is_type(part, "multipart", NULL) && !part->is_multipart)
        become_leaf(part, SLICE("text"), SLICE("plain"));
}

/* The line end before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1). */
static void end_body(const struct scanner *scanner, struct mime_part *part, uint64_t first_line)
{
    const struct stop *stop = &scanner->stop;
    const char *data = scanner->message.data;
    size_t end = stop->at;

    part->body_lines = stop->lines - first_line;
    if (stop->level != NO_LEVEL && end > part->body_at && data[end - 1] == '\n') {
        end--;
        part->body_lines--;
        if (end > part->body_at && data[end - 1] == '\r')
            end--;
    }
    part->body_len = end - part->body_at;
}

static void parse_part(struct scanner *scanner, struct mime_part *part, size_t depth)
{
    uint64_t first_line;

    parse_header(scanner, part);
    part->body_at = scanner->at;
    first_line = scanner->lines;
    parse_inside(scanner, part, depth);
    end_body(scanner, part, first_line);
}

struct mime_part *mime_parse(struct arena *arena, struct slice message)
{
    struct scanner scanner = { .arena = arena, .message = message };
    struct mime_part *root = new_part(&scanner, NULL);

    parse_part(&scanner, root, 0);
    return root;
}

static const struct mime_part *child_number(const struct mime_part *part, uint32_t number)
{
    const struct mime_part *child = part->children;

    if (number == 0)
        return NULL;
    while (child != NULL && --number > 0)
        child = child->next;
    return child;
}

/* Numbers count the parts of a multipart. A message that is none has one part, its body, which is
 * found as the message itself. */
const struct mime_part *mime_find(const struct mime_part *root, const uint32_t *path, size_t count)
{
    const struct mime_part *inside = root;
    const struct mime_part *found = root;

    for (size_t i = 0; i < count; i++) {
        if (inside == NULL)
            return NULL;
        if (inside->is_multipart)
            found = child_number(inside, path[i]);
        else
            found = path[i] == 1 ? inside : NULL;
        if (found == NULL)
            return NULL;
        inside = found->is_multipart ? found : found->is_message ? found->children : NULL;
    }
    return found;
}

struct slice mime_param(const struct mime_part *part, const char *name)
{
    for (size_t i = 0; i < part->n_params; i++)
        if (slice_is(part->params[i].name, name))
            return part->params[i].value;
    return (struct slice){ NULL, 0 };
}

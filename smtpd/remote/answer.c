/* answer.c - see answer.h. */
#include "smtpd/remote/answer.h"

#include <stdio.h>

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* The code at the front of a line; 0: there is none. */
static unsigned code_of(struct slice line)
{
    if (line.len < 3 || line.data[0] < '1' || line.data[0] > '5' || !is_digit(line.data[1]) ||
        !is_digit(line.data[2]))
        return 0;
    return (unsigned)(line.data[0] - '0') * 100 + (unsigned)(line.data[1] - '0') * 10 +
           (unsigned)(line.data[2] - '0');
}

/* One line at the front of `rest`, its length with the line end, and whether it is the last. */
static enum parse parse_line(struct slice rest, unsigned *code_out, bool *last_out, size_t *len_out)
{
    ptrdiff_t end = slice_find(slice_part(rest, 0, ANSWER_LINE_MAX), '\n');

    if (end < 0)
        return rest.len < ANSWER_LINE_MAX ? PARSE_MORE : PARSE_BAD;
    *len_out = (size_t)end + 1;
    struct slice line = slice_part(rest, 0, (size_t)end);
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    *code_out = code_of(line);
    *last_out = line.len <= 3 || line.data[3] != '-';
    bool is_line = line.len <= 3 || line.data[3] == ' ' || line.data[3] == '-';
    return *code_out != 0 && is_line ? PARSE_OK : PARSE_BAD;
}

enum parse answer_parse(struct slice input, struct answer *answer_out)
{
    size_t taken = 0, len;
    unsigned code, first = 0;
    bool last = false;

    while (!last) {
        enum parse parse = parse_line(slice_from(input, taken), &code, &last, &len);
        if (parse == PARSE_BAD || taken > ANSWER_MAX)
            return PARSE_BAD;
        if (parse == PARSE_MORE)
            return PARSE_MORE;
        if (first != 0 && code != first)
            return PARSE_BAD;
        first = code;
        taken += len;
    }
    *answer_out = (struct answer){ .code = first, .lines = slice_part(input, 0, taken) };
    return PARSE_OK;
}

bool answer_line(struct slice *lines, struct slice *text_out)
{
    struct slice line;

    if (!slice_split(lines, '\n', &line))
        return false;
    *text_out = slice_trim(slice_from(line, 4));
    return true;
}

/* How many digits, at most three, stand at the front. */
static size_t digits(struct slice text)
{
    size_t n = 0;

    while (n < text.len && n < 3 && is_digit(text.data[n]))
        n++;
    return n;
}

/* Length of "class.subject.detail" (RFC 3463 section 2); 0: it is none. */
static size_t status_length(struct slice text)
{
    size_t subject = digits(slice_from(text, 2));
    size_t detail = digits(slice_from(text, 3 + subject));
    size_t len = 3 + subject + detail;

    if (subject == 0 || detail == 0 || text.data[1] != '.' || text.data[2 + subject] != '.')
        return 0;
    return text.len == len || text.data[len] == ' ' ? len : 0;
}

void answer_status(const struct answer *answer, char status_out[ANSWER_STATUS])
{
    struct slice lines = answer->lines, text = { 0 };
    char class = (char)('0' + answer->code / 100);
    size_t len = answer_line(&lines, &text) ? status_length(text) : 0;

    if (len > 0 && len < ANSWER_STATUS && text.data[0] == class)
        snprintf(status_out, ANSWER_STATUS, SLICE_FMT, (int)len, text.data);
    else
        snprintf(status_out, ANSWER_STATUS, "%c.0.0", class);
}

void answer_refusal_status(const struct answer *answer, char status_out[ANSWER_STATUS])
{
    if (answer->code < 400)
        snprintf(status_out, ANSWER_STATUS, "4.5.0");
    else
        answer_status(answer, status_out);
}

static char printable(char byte)
{
    return (unsigned char)byte < ' ' || byte == 0x7f ? ' ' : byte;
}

void answer_print(const struct answer *answer, char *text_out, size_t size)
{
    struct slice lines = answer->lines, text;
    size_t len = (size_t)snprintf(text_out, size, "%u", answer->code);

    while (answer_line(&lines, &text) && len + 1 < size) {
        text_out[len++] = ' ';
        for (size_t i = 0; i < text.len && len + 1 < size; i++)
            text_out[len++] = printable(text.data[i]);
    }
    text_out[MIN(len, size - 1)] = '\0';
}

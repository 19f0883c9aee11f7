/* data.c - see data.h. */
#include "smtpd/data.h"

static const struct slice crlf = { "\r\n", 2 };

static struct slice take(struct slice *in, size_t len)
{
    struct slice front = slice_part(*in, 0, len);

    *in = slice_from(*in, len);
    return front;
}

/* What a bare CR or LF, which is off the input already, becomes. */
static struct slice bare_newline(struct data *data, const char *byte)
{
    data->state = DATA_LINE;
    if (data->fix_newlines)
        return crlf;
    data->bare_newline = true;
    return slice_make(byte, 1);
}

/* The first CR or LF from `at` on, or the end. */
static const char *line_stop(const char *at, const char *end)
{
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    const char *stop = lf != NULL ? lf : end;
    const char *cr = memchr(at, '\r', (size_t)(stop - at));

    return cr != NULL ? cr : stop;
}

/* Goes over whole lines as long as nothing is to be changed in them; returns the length of what
 * can be given out as it is. */
static size_t plain_lines(struct data *data, struct slice in)
{
    const char *at = in.data;
    const char *end = in.data + in.len;

    while (at < end) {
        if (data->state == DATA_LINE_START && *at == '.' && !data->no_dots)
            break;
        const char *stop = line_stop(at, end);
        data->state = stop == at && data->state == DATA_LINE_START ? DATA_LINE_START : DATA_LINE;
        at = stop;
        if (stop == end || end - stop < 2 || stop[0] != '\r' || stop[1] != '\n')
            break;
        at += 2;
        data->state = DATA_LINE_START;
    }
    return (size_t)(at - in.data);
}

/* In LINE_START or LINE, with input. False: no bytes to give out, look at the state again. */
static bool next_in_line(struct data *data, struct slice *in, struct slice *bytes_out)
{
    size_t len = plain_lines(data, *in);

    *bytes_out = take(in, len);
    if (len > 0)
        return true;
    if (in->data[0] == '.' && data->state == DATA_LINE_START && !data->no_dots) {
        take(in, 1);
        data->state = DATA_DOT;
        return false;
    }
    if (in->data[0] == '\r') {
        take(in, 1);
        data->state = DATA_CR;
        return false;
    }
    take(in, 1);
    *bytes_out = bare_newline(data, "\n");
    return true;
}

/* A CR was held back: is it half a line end? */
static struct slice next_after_cr(struct data *data, struct slice *in)
{
    if (in->data[0] != '\n')
        return bare_newline(data, "\r");
    take(in, 1);
    data->state = DATA_LINE_START;
    return crlf;
}

enum data_event data_next(struct data *data, struct slice *in, struct slice *bytes_out)
{
    while (in->len > 0) {
        switch (data->state) {
        case DATA_LINE_START:
        case DATA_LINE:
            if (next_in_line(data, in, bytes_out))
                return DATA_BYTES;
            break;
        case DATA_CR:
            *bytes_out = next_after_cr(data, in);
            return DATA_BYTES;
        case DATA_DOT: /* one dot is dropped, whatever follows (RFC 5321 section 4.5.2) */
            data->state = in->data[0] == '\r' ? DATA_DOT_CR : DATA_LINE;
            if (data->state == DATA_DOT_CR)
                take(in, 1);
            break;
        case DATA_DOT_CR:
            data->state = DATA_CR;
            if (in->data[0] != '\n')
                break;
            take(in, 1);
            data->state = DATA_LINE_START;
            return DATA_END;
        }
    }
    return DATA_MORE;
}

struct slice data_finish(struct data *data)
{
    if (data->state != DATA_CR)
        return (struct slice){ 0 };
    return bare_newline(data, "\r");
}

/* input.h - collects one command, which may span many lines and literals (RFC 3501 section 4.3).
 *
 *     LINE --CRLF--> complete
 *      ^ |--{n}CRLF--> "+ OK" --> LITERAL, or STREAM for APPEND's message (see command.h)
 *      | '--{n+}CRLF-----------> the same without "+" (RFC 7888)
 *      '----after n bytes---'
 *     SKIP: the command is answered already; the rest of its lines is read and forgotten
 *
 * The text of a command is kept as it came, literals with their announcement, so that args.h can
 * read it again; only the CRLF at its end is gone.
 */
#pragma once

#include "common/ceiling.h"
#include "common/session.h"

struct literal {
    uint64_t size;
    bool sync;   /* "{n}": the client waits for "+" */
    bool binary; /* "~{n}", RFC 3516: may hold NUL */
};

struct input {
    enum { INPUT_LINE, INPUT_LITERAL, INPUT_STREAM, INPUT_SKIP_LINE, INPUT_SKIP_LITERAL } where;
    struct buf command;
    struct held held;  /* what the command takes, or will with the literal at hand */
    size_t line_start; /* of the line in hand within `command`: behind the last literal */
    uint64_t left;     /* bytes of the literal that have not come yet */
    struct literal literal;
    struct buf tail; /* SKIP: end of the line so far, in case it announces a literal */
    bool nul;        /* the command holds a NUL where none may be */
};

enum input_result {
    INPUT_MORE,     /* return NEXT_INPUT (call->need is set) */
    INPUT_COMPLETE, /* input.command is a whole command */
    INPUT_ANSWERED, /* a refused command is over */
};

/* Takes what it can from call->in; may write "+ OK" to call->out. */
enum input_result input_collect(struct call *call);
void input_finish(struct input *input); /* the command is done; frees what was big */
void input_free(struct input *input);

/* One line outside of a command: DONE, an answer to an AUTHENTICATE challenge. Slice into call->in,
 * without line end; drop line_len bytes when done with it. PARSE_BAD: longer than `max`. */
enum parse input_line(const struct call *call, size_t max, struct slice *line_out,
                      size_t *line_len_out);

/* Does the line end in a literal's announcement? `line` without its CRLF. PARSE_BAD: it looks like
 * one, but its number is none. */
enum parse literal_at_end(struct slice line, struct literal *literal_out, size_t *start_out);

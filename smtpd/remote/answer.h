/* answer.h - another server's reply (RFC 5321 section 4.2), as its client reads it.
 *
 *     250-first line CRLF
 *     250 last line CRLF
 *
 * Pure. All lines must have the same code. A line may end with LF alone: there is nothing to
 * smuggle in a reply. Limits: section 4.5.3.1.5 asks for 512 bytes a line; some servers send more.
 */
#pragma once

#include "common/buf.h"

#define ANSWER_LINE_MAX 4096
#define ANSWER_MAX      (32 * 1024) /* all lines of one reply */
#define ANSWER_STATUS   12          /* "5.123.456" and a NUL */

struct answer {
    unsigned code;      /* 100..599 */
    struct slice lines; /* all of it, as it came; points into the input */
};

/* Looks at the front of the input; with PARSE_OK the caller drops answer_out->lines.len bytes. */
enum parse answer_parse(struct slice input, struct answer *answer_out);

/* Takes one line off *lines; its text without code and line end. False at the end. */
bool answer_line(struct slice *lines, struct slice *text_out);

/* The enhanced status code at the front of the text (RFC 2034), or "X.0.0" made of the code. */
void answer_status(const struct answer *answer, char status_out[ANSWER_STATUS]);

/* The same where the answer means no: "4.5.0" (RFC 3463 section 3.6) if it is one of success that
 * does not fit its command. */
void answer_refusal_status(const struct answer *answer, char status_out[ANSWER_STATUS]);

/* On one line of printable text, for logs and reports; cut where `size` ends, with a NUL. */
void answer_print(const struct answer *answer, char *text_out, size_t size);

/* password.c - asking the operator for a new password. */
#include "admin/password.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum { PASSWORD_LENGTH_MAX = 1000 };

/* One line without its end. Byte by byte from the descriptor: stdio would keep a copy. */
static bool read_line(int fd, struct buf *line, struct error *err)
{
    char byte;
    ssize_t got;

    buf_clear(line);
    buf_reserve(line, PASSWORD_LENGTH_MAX + 1); /* never moves, so no copy is left behind */
    while ((got = read(fd, &byte, 1)) == 1 && byte != '\n') {
        if (line->len == PASSWORD_LENGTH_MAX)
            return error_set(err, ERROR_INVALID, "a password has at most %d bytes",
                             PASSWORD_LENGTH_MAX);
        buf_add_byte(line, byte);
    }
    if (got < 0)
        return error_errno(err, "reading the password");
    if (line->len > 0 && line->data[line->len - 1] == '\r')
        buf_truncate(line, line->len - 1);
    return true;
}

static bool prompt(const char *text, struct buf *answer, struct error *err)
{
    struct termios shown, hidden;
    bool ok;

    fputs(text, stderr);
    tcgetattr(STDIN_FILENO, &shown);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    ok = read_line(STDIN_FILENO, answer, err);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return ok;
}

static bool prompt_twice(struct buf *password, struct error *err)
{
    AUTO(buf_free) struct buf again = { .secret = true };

    if (!isatty(STDIN_FILENO))
        return error_set(err, ERROR_INVALID,
                         "no terminal to ask for the password: say --stdin and pipe it in");
    if (!prompt("New password: ", password, err) || !prompt("Again: ", &again, err))
        return false;
    return slice_equal(buf_slice(password), buf_slice(&again)) ||
           error_set(err, ERROR_INVALID, "the two differ; nothing was changed");
}

bool password_ask(struct tool *tool, bool from_stdin, struct buf *password_out)
{
    bool ok = from_stdin ? read_line(STDIN_FILENO, password_out, &tool->err)
                         : prompt_twice(password_out, &tool->err);

    if (!ok)
        return false;
    if (password_out->len == 0)
        return error_set(&tool->err, ERROR_INVALID, "an empty password is none");
    return true;
}

/* parse.c - the grammar of APPEND, taken piece by piece, since it is read again at each literal.
 *
 *     append         = "APPEND" SP mailbox 1*append-message                        RFC 3502
 *     append-message = [SP flag-list] [SP date-time] SP append-data                RFC 4466
 *     append-data    = literal / literal8 / utf8-literal
 *                      / "CATENATE" SP "(" cat-part *(SP cat-part) ")"             RFC 4469
 *     cat-part       = "URL" SP astring / "TEXT" SP literal / utf8-literal
 *     utf8-literal   = "UTF8" SP "(" literal8 ")"                                  RFC 6855
 *     replace        = "REPLACE" SP number SP mailbox append-message               RFC 8508
 *
 * UTF8 is a word that changes nothing: 8-bit characters in a header are taken with it and without.
 * RFC 6855 section 4 wants NO from a server whose client did not ENABLE UTF8=ACCEPT, but RFC 9051
 * section 6.3.12 permits them, mail from before RFC 6532 is full of them, and whoever moves old
 * mail here, without knowing of UTF8, could not store it; by SMTP it came in the same form.
 *
 * A step takes something whole or nothing: appending->where and args->rest move together. Pure.
 */
#include "imapd/append/append.h"

bool append_in_list(const struct appending *appending)
{
    return appending->where == APPEND_AT_PART || appending->where == APPEND_BEHIND_PART;
}

static enum append_stop wrong(struct args *args, const char *error)
{
    args_fail(args, error);
    return APPEND_STOP_WRONG;
}

static struct append_part *add_part(struct appending *appending, struct args *args)
{
    struct append_message *message = appending->last;
    struct append_part *part = ARENA_NEW(args->arena, struct append_part);

    if (message->last_part == NULL)
        message->parts = part;
    else
        message->last_part->next = part;
    message->last_part = part;
    appending->n_parts++;
    return part;
}

static void add_message(struct appending *appending, const struct append_message *read,
                        struct arena *arena)
{
    struct append_message *message = ARENA_NEW(arena, struct append_message);

    *message = *read;
    if (appending->last == NULL)
        appending->messages = message;
    else
        appending->last->next = message;
    appending->last = message;
    appending->n_messages++;
}

/* The command's text moves when it grows. */
static void keep_keywords(struct flag_list *flags, struct arena *arena)
{
    for (size_t i = 0; i < flags->n_keywords; i++)
        flags->keywords[i] = slice_copy(arena, flags->keywords[i]);
}

/* A step that is over before the text is. */
#define GO_ON APPEND_STOP_END

static enum append_stop take_target(struct appending *appending, struct args *args)
{
    struct slice name;

    if (!args_space(args) ||
        (appending->replace && (!args_nz_number(args, &appending->number) || !args_space(args))))
        return APPEND_STOP_WRONG;
    if (args_at_end(args))
        return APPEND_STOP_STRING;
    if (!args_mailbox(args, &name))
        return APPEND_STOP_WRONG;
    appending->mailbox = slice_copy(args->arena, name);
    appending->where = APPEND_AT_MESSAGE;
    return GO_ON;
}

/* flag-list and date-time, and the SP behind them. */
static bool take_options(struct append_message *message, struct args *args)
{
    if (args_peek(args) == '(' && (!args_flag_list(args, &message->flags) || !args_space(args)))
        return false;
    if (args_peek(args) == '"' &&
        (!args_date_time(args, &message->received_ms) || !args_space(args)))
        return false;
    keep_keywords(&message->flags, args->arena);
    return !message->flags.recent || args_fail(args, "\\Recent cannot be stored");
}

/* "UTF8" SP "(" is taken: its literal is due. */
static enum append_stop begin_utf8(struct appending *appending, struct args *args)
{
    if (!args_space(args) || !args_open(args) || !args_at_end(args))
        return wrong(args, "a literal was expected");
    appending->in_utf8 = true;
    appending->last->utf8 = true;
    return APPEND_STOP_LITERAL;
}

static enum append_stop take_message(struct appending *appending, struct args *args)
{
    struct append_message message = { 0 };

    if (args_at_end(args))
        return APPEND_STOP_END;
    if (!args_space(args) || !take_options(&message, args))
        return APPEND_STOP_WRONG;
    /* One more than there may be: limit_refuses_append() says NO to that. */
    if (appending->n_messages == (appending->replace ? 1 : APPEND_MESSAGES_MAX + 1))
        return wrong(args, "there are too many messages");
    message.catenate = args_try_word(args, "CATENATE");
    add_message(appending, &message, args->arena);
    if (message.catenate) {
        appending->where = APPEND_AT_PART;
        return args_space(args) && args_open(args) ? GO_ON : APPEND_STOP_WRONG;
    }
    if (args_try_word(args, "UTF8"))
        return begin_utf8(appending, args);
    return args_at_end(args) ? APPEND_STOP_LITERAL : wrong(args, "a message was expected");
}

static enum append_stop take_url(struct appending *appending, struct args *args)
{
    struct slice url;

    if (!args_space(args))
        return APPEND_STOP_WRONG;
    if (args_at_end(args))
        return APPEND_STOP_STRING;
    if (!args_astring(args, &url))
        return APPEND_STOP_WRONG;
    if (url.len == 0)
        return wrong(args, "a URL was expected");
    struct append_part *part = add_part(appending, args);
    part->url_text = slice_copy(args->arena, url);
    /* Absolute URLs are outside of RFC 4469 (section 3), URLAUTH is for others than the user. */
    if ((!imap_url_parse(part->url_text, args->arena, &part->url) || part->url.absolute ||
         part->url.access != URL_ACCESS_NONE) &&
        appending->bad_url.len == 0)
        appending->bad_url = part->url_text;
    appending->where = APPEND_BEHIND_PART;
    return GO_ON;
}

static enum append_stop take_part(struct appending *appending, struct args *args)
{
    if (appending->n_parts == APPEND_PARTS_MAX)
        return wrong(args, "there are too many parts");
    if (args_try_word(args, "URL"))
        return take_url(appending, args);
    if (args_try_word(args, "TEXT"))
        return args_space(args) && args_at_end(args) ? APPEND_STOP_LITERAL
                                                     : wrong(args, "a literal was expected");
    if (args_try_word(args, "UTF8"))
        return begin_utf8(appending, args);
    return wrong(args, "expected: TEXT, URL, UTF8");
}

static enum append_stop take_separator(struct appending *appending, struct args *args)
{
    if (args_try_byte(args, ' '))
        appending->where = APPEND_AT_PART;
    else if (args_close(args))
        appending->where = APPEND_AT_MESSAGE;
    else
        return APPEND_STOP_WRONG;
    return GO_ON;
}

/* What stands where a literal was streamed. */
static bool take_literal(struct appending *appending, struct args *args)
{
    struct literal literal;

    if (!args_literal_head(args, &literal) || (appending->in_utf8 && !args_close(args)))
        return false;
    if (append_in_list(appending)) {
        struct append_part *part = add_part(appending, args);

        part->len = literal.size;
        part->at = appending->last->text_len;
        appending->last->text_len += literal.size;
        appending->where = APPEND_BEHIND_PART;
    }
    appending->in_literal = appending->in_utf8 = false;
    return true;
}

static enum append_stop step(struct appending *appending, struct args *args)
{
    if (appending->in_literal && !take_literal(appending, args))
        return APPEND_STOP_WRONG;
    switch (appending->where) {
    case APPEND_AT_TARGET:
        return take_target(appending, args);
    case APPEND_AT_MESSAGE:
        return take_message(appending, args);
    case APPEND_AT_PART:
        return take_part(appending, args);
    case APPEND_BEHIND_PART:
        return take_separator(appending, args);
    }
    return APPEND_STOP_WRONG;
}

enum append_stop append_parse(struct appending *appending, struct args *args)
{
    struct args ahead = *args;
    enum append_stop stop;

    do {
        stop = step(appending, &ahead);
        if (stop != APPEND_STOP_STRING)
            *args = ahead;
    } while (stop == GO_ON && !(args_at_end(args) && appending->where == APPEND_AT_MESSAGE));
    if (stop == APPEND_STOP_END && appending->n_messages == 0)
        return wrong(args, "a message was expected");
    return stop;
}

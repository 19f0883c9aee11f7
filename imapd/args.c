/* args.c - see args.h. */
#include "imapd/args.h"
#include "common/codec.h"
#include "message/date.h"

bool args_fail(struct args *args, const char *error)
{
    if (args->error == NULL)
        args->error = error;
    return false;
}

bool args_may_name_seqs(struct args *args)
{
    if (!args->uidonly)
        return true;
    if (args->error == NULL)
        args->code = "UIDREQUIRED";
    return args_fail(args, "UIDONLY is enabled: sequence numbers mean nothing");
}

bool args_at_end(const struct args *args)
{
    return args->rest.len == 0;
}

char args_peek(const struct args *args)
{
    return args_at_end(args) ? '\0' : args->rest.data[0];
}

static struct slice take(struct args *args, size_t len)
{
    struct slice taken = slice_part(args->rest, 0, len);

    args->rest = slice_from(args->rest, len);
    return taken;
}

bool args_try_byte(struct args *args, char byte)
{
    if (args_at_end(args) || args->rest.data[0] != byte)
        return false;
    take(args, 1);
    return true;
}

bool args_space(struct args *args)
{
    return args_try_byte(args, ' ') || args_fail(args, "a space was expected");
}

bool args_end(struct args *args)
{
    return args_at_end(args) || args_fail(args, "there is more than expected");
}

bool args_open(struct args *args)
{
    return args_try_byte(args, '(') || args_fail(args, "( was expected");
}

bool args_close(struct args *args)
{
    return args_try_byte(args, ')') || args_fail(args, ") was expected");
}

/* ATOM-CHAR: any CHAR but atom-specials. */
static bool is_atom_char(char byte)
{
    return byte > ' ' && byte < 0x7f && strchr("(){%*\"\\]", byte) == NULL;
}

static bool is_astring_char(char byte)
{
    return is_atom_char(byte) || byte == ']';
}

static bool is_list_char(char byte)
{
    return is_astring_char(byte) || byte == '%' || byte == '*';
}

static bool is_tag_char(char byte)
{
    return is_astring_char(byte) && byte != '+';
}

static bool is_word_char(char byte)
{
    return is_atom_char(byte) && byte != '[' && byte != '<';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static struct slice take_while(struct args *args, bool (*belongs)(char byte))
{
    size_t len = 0;

    while (len < args->rest.len && belongs(args->rest.data[len]))
        len++;
    return take(args, len);
}

bool args_atom(struct args *args, struct slice *atom_out)
{
    *atom_out = take_while(args, is_atom_char);
    return atom_out->len > 0 || args_fail(args, "an atom was expected");
}

bool args_tag(struct args *args, struct slice *tag_out)
{
    *tag_out = take_while(args, is_tag_char);
    return tag_out->len > 0 || args_fail(args, "a tag was expected");
}

bool args_word(struct args *args, struct slice *word_out)
{
    *word_out = take_while(args, is_word_char);
    return word_out->len > 0 || args_fail(args, "a word was expected");
}

bool args_try_word(struct args *args, const char *word)
{
    struct args ahead = *args;

    if (!slice_is(take_while(&ahead, is_atom_char), word))
        return false;
    args->rest = ahead.rest;
    return true;
}

/* "\" and the quote may be escaped, nothing else (RFC 3501 section 9, quoted-specials). */
static struct slice unescape(struct arena *arena, struct slice text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\\')
            i++;
        copy[len++] = text.data[i];
    }
    return slice_make(copy, len);
}

static bool take_quoted(struct args *args, struct slice *string_out)
{
    struct slice rest = args->rest;
    bool escaped = false;
    size_t i = 1;

    for (; i < rest.len && rest.data[i] != '"'; i++) {
        if (rest.data[i] == '\r' || rest.data[i] == '\n' || rest.data[i] == '\0')
            return args_fail(args, "a line ends within a quoted string");
        if (rest.data[i] != '\\')
            continue;
        escaped = true;
        i++;
        if (i == rest.len || (rest.data[i] != '"' && rest.data[i] != '\\'))
            return args_fail(args, "\\ in a quoted string stands before \" or \\ only");
    }
    if (i >= rest.len)
        return args_fail(args, "a quoted string has no end");
    *string_out = slice_part(rest, 1, i - 1);
    if (escaped)
        *string_out = unescape(args->arena, *string_out);
    take(args, i + 1);
    return true;
}

bool args_literal_head(struct args *args, struct literal *literal_out)
{
    ptrdiff_t end = slice_find(args->rest, '\n');
    struct slice line = slice_part(args->rest, 0, end < 0 ? 0 : (size_t)end);
    size_t start;

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (literal_at_end(line, literal_out, &start) != PARSE_OK || start != 0)
        return args_fail(args, "a literal was expected");
    take(args, (size_t)end + 1);
    return true;
}

static bool take_literal(struct args *args, struct slice *string_out)
{
    struct literal literal;

    if (!args_literal_head(args, &literal))
        return false;
    if (literal.size > args->rest.len)
        return args_fail(args, "a literal ends too early");
    *string_out = take(args, (size_t)literal.size);
    return true;
}

bool args_string(struct args *args, struct slice *string_out)
{
    char first = args_peek(args);

    if (first == '"')
        return take_quoted(args, string_out);
    if (first == '{' || first == '~')
        return take_literal(args, string_out);
    return args_fail(args, "a string was expected");
}

bool args_astring(struct args *args, struct slice *string_out)
{
    if (args_peek(args) == '"' || args_peek(args) == '{')
        return args_string(args, string_out);
    *string_out = take_while(args, is_astring_char);
    return string_out->len > 0 || args_fail(args, "a string was expected");
}

bool args_nstring(struct args *args, bool *nil_out, struct slice *string_out)
{
    *nil_out = args_try_word(args, "NIL");
    *string_out = (struct slice){ 0 };
    return *nil_out || args_string(args, string_out);
}

static bool take_number(struct args *args, uint64_t max, uint64_t *number_out)
{
    struct slice digits = take_while(args, is_digit);

    return slice_number(digits, max, number_out) || args_fail(args, "a number was expected");
}

bool args_number(struct args *args, uint32_t *number_out)
{
    uint64_t number;

    if (!take_number(args, UINT32_MAX, &number))
        return false;
    *number_out = (uint32_t)number;
    return true;
}

bool args_nz_number(struct args *args, uint32_t *number_out)
{
    return args_number(args, number_out) &&
           (*number_out > 0 || args_fail(args, "a number over zero was expected"));
}

bool args_number64(struct args *args, uint64_t *number_out)
{
    return take_number(args, INT64_MAX, number_out);
}

bool args_nz_number64(struct args *args, uint64_t *number_out)
{
    return args_number64(args, number_out) &&
           (*number_out > 0 || args_fail(args, "a number over zero was expected"));
}

bool args_seqset(struct args *args, struct seqset *set_out)
{
    return seqset_parse(args->arena, &args->rest, set_out) == PARSE_OK ||
           args_fail(args, "a sequence set was expected");
}

static bool fail_name(struct args *args, const char *error)
{
    if (args->error == NULL)
        args->bad_name = true;
    return args_fail(args, error);
}

/* As the client wrote it to UTF-8: from modified UTF-7 (RFC 3501 section 5.1.3), until UTF8=ACCEPT
 * is enabled and names are UTF-8 themselves (RFC 6855 section 3). */
static bool decode_name(struct args *args, struct slice written, struct slice *name_out)
{
    AUTO(buf_free) struct buf decoded = { 0 };

    if (args->utf8 && !utf8_valid(written))
        return fail_name(args, "Mailbox name is not UTF-8");
    if (args->utf8)
        buf_add_slice(&decoded, written);
    else if (!utf7_decode(written, &decoded))
        return fail_name(args, "Mailbox name is not modified UTF-7");
    if (decoded.len > MAILBOX_NAME_MAX)
        return fail_name(args, "Mailbox name is too long");
    for (size_t i = 0; i < decoded.len; i++)
        if ((unsigned char)decoded.data[i] < ' ' || decoded.data[i] == 0x7f)
            return fail_name(args, "Mailbox name has a control character");
    *name_out = slice_copy(args->arena, buf_slice(&decoded));
    return true;
}

/* INBOX is one mailbox in whatever case, and what lies below it below the same. */
static void fold_inbox(struct args *args, struct slice *name)
{
    char *copy;

    if (!slice_starts(*name, "INBOX") || (name->len > 5 && name->data[5] != '/'))
        return;
    copy = slice_text(args->arena, *name);
    memcpy(copy, "INBOX", 5);
    name->data = copy;
}

bool args_mailbox(struct args *args, struct slice *name_out)
{
    struct slice written;

    args->written_name = (struct slice){ 0 };
    if (!args_astring(args, &written) || !decode_name(args, written, name_out))
        return false;
    args->written_name = *name_out;
    fold_inbox(args, name_out);
    return true;
}

bool args_list_mailbox(struct args *args, struct slice *pattern_out)
{
    struct slice written;

    if (args_peek(args) == '"' || args_peek(args) == '{') {
        if (!args_string(args, &written))
            return false;
    } else {
        written = take_while(args, is_list_char);
        if (written.len == 0)
            return args_fail(args, "a mailbox pattern was expected");
    }
    return decode_name(args, written, pattern_out);
}

bool args_flag(struct args *args, struct flag_list *list)
{
    const char *start = args->rest.data;
    bool system = args_try_byte(args, '\\');
    struct slice name = take_while(args, is_atom_char);

    if (name.len == 0)
        return args_fail(args, "a flag was expected");
    if (system)
        name = slice_make(start, name.len + 1);
    return flag_list_add(list, args->arena, name) ||
           args_fail(args, "there is no such flag, or there are too many");
}

/* flag *(SP flag), up to what cannot follow a flag. */
static bool take_flags(struct args *args, struct flag_list *list)
{
    do {
        if (!args_flag(args, list))
            return false;
    } while (args_try_byte(args, ' '));
    return true;
}

bool args_flag_list(struct args *args, struct flag_list *list_out)
{
    *list_out = (struct flag_list){ 0 };
    if (!args_open(args))
        return false;
    if (args_try_byte(args, ')'))
        return true;
    return take_flags(args, list_out) && args_close(args);
}

bool args_store_flags(struct args *args, struct flag_list *list_out)
{
    *list_out = (struct flag_list){ 0 };
    if (args_peek(args) == '(')
        return args_flag_list(args, list_out);
    return take_flags(args, list_out);
}

static bool is_date_char(char byte)
{
    return is_digit(byte) || byte == '-' || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z');
}

bool args_date(struct args *args, int64_t *day_out)
{
    bool quoted = args_try_byte(args, '"');
    struct slice text = take_while(args, is_date_char);

    if (!imap_date_parse(text, day_out) || (quoted && !args_try_byte(args, '"')))
        return args_fail(args, "a date was expected");
    return true;
}

bool args_date_time(struct args *args, int64_t *unix_ms_out)
{
    struct slice text;

    if (args_peek(args) != '"' || !take_quoted(args, &text) ||
        !imap_date_time_parse(text, unix_ms_out))
        return args_fail(args, "a date and time was expected");
    return true;
}

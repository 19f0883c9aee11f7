/* parameters.c - see parameters.h. */
#include "smtpd/parameters.h"

#include "common/codec.h"
#include "message/xtext.h"

#define ENVID_MAX 100 /* RFC 3461 section 4.4 */
#define ORCPT_MAX 500 /* section 4.2 */
/* RFC 5321 section 4.5.3.1.1 asks for 64; mailing lists send longer ones, and nothing here cares.
 */
#define LOCAL_MAX  255
#define DOMAIN_MAX 255

static bool fail(const char **reply_out, const char *reply)
{
    *reply_out = reply;
    return false;
}

/* One "KEYWORD=value" or "KEYWORD"; seen marks rows of the tables below. */
struct parameter {
    struct slice keyword, value;
    bool has_value;
};

struct parameter_row {
    const char *keyword;
    bool (*take)(void *target, const struct parameter *parameter, const char **reply_out);
};

static bool bad_value(const char **reply_out)
{
    return fail(reply_out, "501 5.5.4 Bad parameter value");
}

static bool is_xtext(struct slice text, size_t max)
{
    return text.len <= max && xtext_is_valid(text);
}

static bool take_size(void *target, const struct parameter *parameter, const char **reply_out)
{
    struct mail_parameters *mail = target;

    return slice_number(parameter->value, INT64_MAX, &mail->size) || bad_value(reply_out);
}

static bool take_body(void *target, const struct parameter *parameter, const char **reply_out)
{
    static const char *const types[] = { "7BIT", "8BITMIME", "BINARYMIME" };
    struct mail_parameters *mail = target;

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (slice_is(parameter->value, types[i])) {
            mail->body = (enum body_type)i;
            return true;
        }
    }
    return bad_value(reply_out);
}

static bool take_utf8(void *target, const struct parameter *parameter, const char **reply_out)
{
    struct mail_parameters *mail = target;

    mail->utf8 = true;
    return !parameter->has_value || bad_value(reply_out);
}

static bool take_require_tls(void *target, const struct parameter *parameter,
                             const char **reply_out)
{
    struct mail_parameters *mail = target;

    mail->require_tls = true;
    return !parameter->has_value || bad_value(reply_out);
}

static bool take_ret(void *target, const struct parameter *parameter, const char **reply_out)
{
    struct mail_parameters *mail = target;

    mail->ret = slice_is(parameter->value, "FULL") ? RETURN_FULL : RETURN_HEADERS;
    return mail->ret == RETURN_FULL || slice_is(parameter->value, "HDRS") || bad_value(reply_out);
}

static bool take_envid(void *target, const struct parameter *parameter, const char **reply_out)
{
    struct mail_parameters *mail = target;

    mail->envid = parameter->value;
    return is_xtext(parameter->value, ENVID_MAX) || bad_value(reply_out);
}

/* Whom the sender's server believes the author to be: we trust nobody's word, but it is allowed. */
static bool take_auth(void *target, const struct parameter *parameter, const char **reply_out)
{
    return is_xtext(parameter->value, ORCPT_MAX) || bad_value(reply_out);
}

static bool take_notify(void *target, const struct parameter *parameter, const char **reply_out)
{
    static const struct {
        const char *word;
        unsigned bit;
    } words[] = { { "SUCCESS", NOTIFY_SUCCESS },
                  { "FAILURE", NOTIFY_FAILURE },
                  { "DELAY", NOTIFY_DELAY } };
    struct rcpt_parameters *rcpt = target;
    struct slice rest = parameter->value;
    struct slice word;

    if (slice_is(rest, "NEVER")) {
        rcpt->notify = NOTIFY_NEVER;
        return true;
    }
    while (slice_split(&rest, ',', &word)) {
        unsigned before = rcpt->notify;
        for (size_t i = 0; i < COUNT_OF(words); i++)
            if (slice_is(word, words[i].word))
                rcpt->notify |= words[i].bit;
        if (rcpt->notify == before)
            return bad_value(reply_out);
    }
    return rcpt->notify != 0 || bad_value(reply_out);
}

/* RFC 6533 section 3: other escapes than xtext's; what is none of its forms is kept as it is. */
static bool is_utf8_address(struct slice text)
{
    if (text.len == 0 || text.len > ORCPT_MAX || !utf8_valid(text))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return false;
    return true;
}

/* "rfc822;bob@example.org" */
static bool take_orcpt(void *target, const struct parameter *parameter, const char **reply_out)
{
    struct rcpt_parameters *rcpt = target;
    struct slice rest = parameter->value;
    struct slice type;

    rcpt->orcpt = parameter->value;
    if (!slice_split(&rest, ';', &type) || !is_xtext(type, ORCPT_MAX))
        return bad_value(reply_out);
    return is_xtext(rest, ORCPT_MAX) || (slice_is(type, "utf-8") && is_utf8_address(rest)) ||
           bad_value(reply_out);
}

static const struct parameter_row mail_rows[] = {
    { "SIZE", take_size },
    { "BODY", take_body },
    { "SMTPUTF8", take_utf8 },
    { "RET", take_ret },
    { "ENVID", take_envid },
    { "AUTH", take_auth },
    { "REQUIRETLS", take_require_tls },
};

static const struct parameter_row rcpt_rows[] = {
    { "NOTIFY", take_notify },
    { "ORCPT", take_orcpt },
};

static struct parameter parameter_of(struct slice word)
{
    struct parameter parameter = { .value = word, .has_value = slice_find(word, '=') >= 0 };

    slice_split(&parameter.value, '=', &parameter.keyword);
    return parameter;
}

static bool take_one(const struct parameter_row *rows, size_t count, struct slice word,
                     void *target, unsigned *seen, const char **reply_out)
{
    struct parameter parameter = parameter_of(word);

    for (size_t i = 0; i < count; i++) {
        if (!slice_is(parameter.keyword, rows[i].keyword))
            continue;
        if ((*seen & 1u << i) != 0)
            return fail(reply_out, "501 5.5.4 Parameter given twice");
        *seen |= 1u << i;
        return rows[i].take(target, &parameter, reply_out);
    }
    return fail(reply_out, "555 5.5.4 Unknown parameter");
}

static bool take_all(const struct parameter_row *rows, size_t count, struct slice rest,
                     void *target, const char **reply_out)
{
    unsigned seen = 0;
    struct slice word;

    if (rest.len > 0 && rest.data[0] != ' ')
        return fail(reply_out, "501 5.5.4 Syntax error behind the address");
    while (slice_split(&rest, ' ', &word))
        if (word.len > 0 && !take_one(rows, count, word, target, &seen, reply_out))
            return false;
    return true;
}

/* "FROM:" or "TO:", and the blanks that many clients put behind it. */
static bool take_keyword(struct slice *rest, const char *keyword)
{
    if (!slice_starts(*rest, keyword))
        return false;
    *rest = slice_from(*rest, strlen(keyword));
    while (rest->len > 0 && rest->data[0] == ' ')
        *rest = slice_from(*rest, 1);
    return true;
}

static bool is_too_long(const struct path *path)
{
    return path->local.len > LOCAL_MAX || path->domain.len > DOMAIN_MAX;
}

/* A path that fits; bytes over 127 are UTF-8. */
static bool take_path(struct arena *arena, struct slice *rest, struct path *path)
{
    if (path_parse(arena, rest, path) != PARSE_OK || is_too_long(path))
        return false;
    return utf8_valid(path->local) && utf8_valid(path->domain);
}

bool mail_parse(struct arena *arena, struct slice arguments, struct mail_parameters *mail_out,
                const char **reply_out)
{
    *mail_out = (struct mail_parameters){ 0 };
    if (!take_keyword(&arguments, "FROM:"))
        return fail(reply_out, "501 5.5.4 Syntax: MAIL FROM:<address>");
    if (!take_path(arena, &arguments, &mail_out->path))
        return fail(reply_out, "501 5.1.7 Bad sender address");
    if (!mail_out->path.null && mail_out->path.domain.len == 0)
        return fail(reply_out, "501 5.1.7 Sender address needs a domain");
    if (!take_all(mail_rows, COUNT_OF(mail_rows), arguments, mail_out, reply_out))
        return false;
    if (mail_out->path.utf8 && !mail_out->utf8)
        return fail(reply_out, "550 5.6.7 Address needs SMTPUTF8");
    return true;
}

bool rcpt_parse(struct arena *arena, struct slice arguments, struct rcpt_parameters *rcpt_out,
                const char **reply_out)
{
    *rcpt_out = (struct rcpt_parameters){ 0 };
    if (!take_keyword(&arguments, "TO:"))
        return fail(reply_out, "501 5.5.4 Syntax: RCPT TO:<address>");
    if (!take_path(arena, &arguments, &rcpt_out->path) || rcpt_out->path.null)
        return fail(reply_out, "501 5.1.3 Bad recipient address");
    return take_all(rcpt_rows, COUNT_OF(rcpt_rows), arguments, rcpt_out, reply_out);
}

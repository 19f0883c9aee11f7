/* auth.c - see auth.h. */
#include "smtpd/auth.h"

#include "common/codec.h"
#include "smtpd/reply.h"

#include <stdlib.h>

/* Passwords only through TLS, unless the operator runs a test. */
static bool is_offered(const struct smtp *smtp)
{
    return smtp->service == SERVICE_SUBMISSION && smtp->account == 0 &&
           (smtp->call->secure || smtp->smtpd->settings->plaintext);
}

/* What ties a login to its TLS session. Nothing where the operator has not asked for it: then the
 * -PLUS mechanism is not offered, and a client that could do it is not taken for one that was
 * cheated of it (RFC 5802 section 6). */
static struct sasl_binding binding_of(const struct smtp *smtp)
{
    if (!smtp->smtpd->settings->channel_binding)
        return (struct sasl_binding){ 0 };
    return (struct sasl_binding){
        .exporter = smtp->call->binding_exporter,
        .end_point = smtp->call->binding_end_point,
    };
}

static bool has_binding(const struct smtp *smtp)
{
    const struct sasl_binding binding = binding_of(smtp);

    return binding.exporter.len > 0 || binding.end_point.len > 0;
}

void auth_offer(struct smtp *smtp)
{
    AUTO(buf_free) struct buf names = { 0 };
    const char *name;

    if (!is_offered(smtp))
        return;
    for (int i = 0; (name = sasl_name((enum sasl_mechanism)i)) != NULL; i++)
        if (i != SASL_SCRAM_SHA_256_PLUS || has_binding(smtp))
            buf_fmt(&names, " %s", name);
    reply(smtp, "250-AUTH%s", buf_text(&names));
}

static enum next challenge(struct smtp *smtp, const struct buf *bytes)
{
    AUTO(buf_free) struct buf text = { 0 };

    base64_encode(buf_slice(bytes), &text);
    smtp->step = STEP_AUTH;
    return reply(smtp, "334 %s", buf_text(&text));
}

static enum next finish(struct smtp *smtp)
{
    smtp->step = STEP_COMMAND;
    smtp->account = smtp->auth.account;
    smtp->login_method = smtp->auth.method;
    buf_add_slice(&smtp->login, buf_slice(&smtp->auth.address));
    login_admit(&smtp->auth, smtp->call);
    login_free(&smtp->auth);
    return reply(smtp, "235 2.7.0 Welcome");
}

static enum next fail(struct smtp *smtp)
{
    const struct settings *settings = smtp->smtpd->settings;

    login_log(&smtp->auth, smtp->call);
    login_free(&smtp->auth);
    smtp->step = STEP_COMMAND;
    smtp->call->delay_ms = settings->failure_delay;
    refuse(smtp, "535 5.7.8 Wrong user or password");
    if (++smtp->n_auth_failures >= settings->failures)
        return goodbye(smtp, "4.7.0 Too many failed logins at");
    return NEXT_COMMAND;
}

static enum next give_up(struct smtp *smtp, const char *text)
{
    login_free(&smtp->auth);
    smtp->step = STEP_COMMAND;
    return refuse(smtp, "%s", text);
}

/* Success with final data of the server (SCRAM): it goes as a challenge, whose answer is empty
 * (RFC 4954 section 4). */
static enum next succeed(struct smtp *smtp, const struct buf *out)
{
    if (out->len == 0)
        return finish(smtp);
    smtp->auth_is_over = true;
    return challenge(smtp, out);
}

static enum next act(struct smtp *smtp, enum login_result result, const struct buf *out,
                     const struct error *err)
{
    smtp->call->delay_ms = login_wait(&smtp->auth, smtp->call);
    switch (result) {
    case LOGIN_CHALLENGE:
        return challenge(smtp, out);
    case LOGIN_SLOW:
        smtp->step = STEP_HASH;
        return NEXT_SLOW;
    case LOGIN_OK:
        return succeed(smtp, out);
    case LOGIN_REFUSED:
        return fail(smtp);
    case LOGIN_BAD:
        return give_up(smtp, "501 5.5.2 That is not what the mechanism expects");
    case LOGIN_LATER:
        log_failure(&smtp->call->log, err);
        return give_up(smtp, "454 4.7.0 Cannot check logins now, try again later");
    }
    abort();
}

static enum next start(struct smtp *smtp, enum sasl_mechanism mechanism, struct slice initial)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct error err = { 0 };
    const struct sasl_binding binding = binding_of(smtp);
    enum login_result result = login_start(&smtp->auth, &smtp->smtpd->login, smtp->call->desk,
                                           mechanism, &binding, initial, &out, &err);

    smtp->auth_is_over = false;
    return act(smtp, result, &out, &err);
}

static const char *not_now(const struct smtp *smtp)
{
    if (smtp->account != 0)
        return "503 5.5.1 You are logged in already";
    if (!is_offered(smtp))
        return "538 5.7.11 Encryption is needed to log in: STARTTLS first";
    return NULL;
}

enum next cmd_auth(struct smtp *smtp, struct slice arguments)
{
    AUTO(buf_free) struct buf initial = { .secret = true };
    enum sasl_mechanism mechanism;
    struct slice name;

    if (not_now(smtp) != NULL)
        return refuse(smtp, "%s", not_now(smtp));
    if (!slice_split(&arguments, ' ', &name))
        return refuse(smtp, "501 5.5.4 Syntax: AUTH mechanism [initial-response]");
    if (!sasl_by_name(name, &mechanism) ||
        (mechanism == SASL_SCRAM_SHA_256_PLUS && !has_binding(smtp)))
        return refuse(smtp, "504 5.5.4 Unknown mechanism");
    if (arguments.len == 0)
        return start(smtp, mechanism, (struct slice){ 0 });
    if (!sasl_initial(arguments, &initial))
        return refuse(smtp, "501 5.5.2 That is not base64");
    return start(smtp, mechanism, buf_slice(&initial));
}

static enum next take_answer(struct smtp *smtp, struct slice line)
{
    AUTO(buf_free) struct buf answer = { .secret = true };
    AUTO(buf_free) struct buf out = { 0 };
    struct error err = { 0 };

    if (slice_is(line, "*"))
        return give_up(smtp, "501 5.7.0 Login cancelled");
    if (line.len > 0 && !base64_decode(line, &answer))
        return give_up(smtp, "501 5.5.2 That is not base64");
    if (smtp->auth_is_over)
        return finish(smtp);
    return act(smtp, login_step(&smtp->auth, smtp->call->desk, buf_slice(&answer), &out, &err),
               &out, &err);
}

enum next auth_answer(struct smtp *smtp)
{
    struct slice line;

    switch (smtp_line(smtp, &line)) {
    case PARSE_MORE:
        return NEXT_INPUT;
    case PARSE_BAD:
        login_free(&smtp->auth);
        smtp->step = STEP_COMMAND;
        return NEXT_COMMAND;
    case PARSE_OK:
        return take_answer(smtp, line);
    }
    abort();
}

enum next auth_hash(struct smtp *smtp)
{
    login_slow(&smtp->auth);
    smtp->step = STEP_HASHED;
    return NEXT_AGAIN;
}

enum next auth_hashed(struct smtp *smtp)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct error err = { 0 };
    enum login_result result = login_finish(&smtp->auth, smtp->call->desk, &out, &err);

    return act(smtp, result, &out, &err);
}

/* cmd_login.c - LOGIN and AUTHENTICATE (RFC 3501 section 6.2, SASL-IR: RFC 4959), around the state
 * machine of storage/login.h.
 *
 *     start --challenge--> read_answer --answer--> ...
 *       |---slow---> hash (slow lane) --> judge
 *       '---ok-----> enter (on the account's worker) --> tagged OK
 */
#include "common/codec.h"
#include "imapd/args.h"
#include "imapd/capability.h"
#include "imapd/command.h"
#include "imapd/reply.h"

#include <stdlib.h>

#define ANSWER_MAX 12288 /* characters of base64 */

static enum next go_on(struct call *call, enum login_result result, struct slice data,
                       const struct error *err);

/* Runs on the account's worker. */
static enum next enter(struct call *call)
{
    struct client *client = client_of(call);

    client->state = CLIENT_AUTHENTICATED;
    reply_begin_ok(call);
    buf_add_text(&call->out, "[CAPABILITY ");
    capability_print(call, &call->out);
    buf_add_text(&call->out, "] Logged in\r\n");
    return reply_end(call);
}

static enum next accept(struct call *call)
{
    struct client *client = client_of(call);

    login_admit(&client->login, call);
    client->account_id = client->login.account;
    call->key = client->account_id;
    login_free(&client->login);
    client->resume = enter;
    return NEXT_AGAIN;
}

static enum next refuse(struct call *call)
{
    struct client *client = client_of(call);
    const struct settings *settings = client->imap->settings;

    login_log(&client->login, call);
    login_free(&client->login);
    call->delay_ms = settings->failure_delay;
    reply_no(call, "AUTHENTICATIONFAILED", "Wrong user or password");
    if (++client->failures < settings->failures)
        return NEXT_COMMAND;
    return reply_bye(call, NULL, "Too many wrong passwords");
}

static enum next give_up(struct call *call, const char *text)
{
    login_free(&client_of(call)->login);
    return reply_bad(call, text);
}

static enum next take_answer(struct call *call, struct slice line)
{
    AUTO(buf_free) struct buf answer = { .secret = true };
    AUTO(buf_free) struct buf out = { 0 };
    struct client *client = client_of(call);
    struct error err;
    enum login_result result;

    if (slice_is(line, "*"))
        return give_up(call, "Authentication was given up");
    if (!base64_decode(line, &answer))
        return give_up(call, "Answer is not base64");
    if (client->login.account != 0) /* SCRAM's final data has been read */
        return accept(call);
    result = login_step(&client->login, call->desk, buf_slice(&answer), &out, &err);
    return go_on(call, result, buf_slice(&out), &err);
}

static enum next read_answer(struct call *call)
{
    AUTO(buf_free) struct buf line = { .secret = true };
    struct slice found;
    size_t len;

    switch (input_line(call, ANSWER_MAX, &found, &len)) {
    case PARSE_MORE:
        return NEXT_INPUT;
    case PARSE_BAD:
        login_free(&client_of(call)->login);
        return reply_bye(call, NULL, "Answer is too long");
    case PARSE_OK:
        break;
    }
    buf_add_slice(&line, found);
    buf_drop(&call->in, len);
    return take_answer(call, buf_slice(&line));
}

static enum next challenge(struct call *call, struct slice data)
{
    buf_add_text(&call->out, "+ ");
    base64_encode(data, &call->out);
    buf_add_text(&call->out, "\r\n");
    client_of(call)->resume = read_answer;
    return read_answer(call);
}

static enum next judge(struct call *call)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct error err;
    enum login_result result = login_finish(&client_of(call)->login, call->desk, &out, &err);

    return go_on(call, result, buf_slice(&out), &err);
}

static enum next hash(struct call *call) /* in the slow lane: no desk */
{
    login_slow(&client_of(call)->login);
    client_of(call)->resume = judge;
    return NEXT_AGAIN;
}

static enum next go_on(struct call *call, enum login_result result, struct slice data,
                       const struct error *err)
{
    struct client *client = client_of(call);

    call->delay_ms = login_wait(&client->login, call);
    switch (result) {
    case LOGIN_CHALLENGE:
        return challenge(call, data);
    case LOGIN_SLOW:
        client->resume = hash;
        return NEXT_SLOW;
    case LOGIN_OK: /* final data goes as a challenge that is answered by an empty line */
        return data.len > 0 ? challenge(call, data) : accept(call);
    case LOGIN_REFUSED:
        return refuse(call);
    case LOGIN_BAD:
        return give_up(call, "This is not how the mechanism goes");
    case LOGIN_LATER:
        login_free(&client->login);
        return reply_error(call, err);
    }
    abort();
}

static enum next refuse_clear_text(struct call *call)
{
    return reply_no(call, "PRIVACYREQUIRED", "Use TLS first: no passwords in clear text");
}

/* login = "LOGIN" SP userid SP password */
enum next imap_login(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct slice user, password;
    struct error err;

    if (!args_space(args) || !args_astring(args, &user) || !args_space(args) ||
        !args_astring(args, &password) || !args_end(args))
        return reply_syntax(call, args);
    if (!passwords_are_on(call))
        return refuse_clear_text(call);
    return go_on(
        call,
        login_password(&client->login, &client->imap->login, call->desk, user, password, &err),
        (struct slice){ 0 }, &err);
}

static bool take_initial(struct args *args, struct buf *initial)
{
    struct slice text;

    if (!args_space(args))
        return false;
    text = args->rest;
    args->rest = slice_from(text, text.len);
    return sasl_initial(text, initial) || args_fail(args, "Initial response is not base64");
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] */
enum next imap_authenticate(struct call *call, struct args *args)
{
    AUTO(buf_free) struct buf initial = { .secret = true };
    AUTO(buf_free) struct buf out = { 0 };
    struct client *client = client_of(call);
    struct sasl_binding binding = { call->binding_exporter, call->binding_end_point };
    enum sasl_mechanism mechanism;
    enum login_result result;
    struct slice name;
    struct error err;

    if (!args_space(args) || !args_atom(args, &name) ||
        (!args_at_end(args) && !take_initial(args, &initial)) || !args_end(args))
        return reply_syntax(call, args);
    if (!sasl_by_name(name, &mechanism))
        return reply_no(call, "CANNOT", "There is no such mechanism");
    if (!mechanism_is_on(call, mechanism))
        return refuse_clear_text(call);
    result = login_start(&client->login, &client->imap->login, call->desk, mechanism, &binding,
                         buf_slice(&initial), &out, &err);
    return go_on(call, result, buf_slice(&out), &err);
}

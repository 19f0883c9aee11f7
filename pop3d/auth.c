/* auth.c - USER, PASS (RFC 1939 section 7) and AUTH (RFC 5034), with the codes of RFC 3206. */
#include "common/codec.h"
#include "pop3d/pop3.h"

#include <stdlib.h>

/* Runs on the account's worker: only there its store may be opened. */
static enum next open_drop(struct call *call)
{
    struct pop3 *pop = call->state;
    struct account *account;
    struct error err;
    uint64_t count, bytes;

    if (!desk_account(call->desk, call->key, &account, &err) ||
        !maildrop_open(&pop->drop, account, &err)) {
        pop3_failure(call, &err);
        return NEXT_CLOSE;
    }
    pop->phase = TRANSACTION;
    maildrop_sum(&pop->drop, &count, &bytes);
    buf_fmt(&call->out, "+OK %llu messages\r\n", (unsigned long long)count);
    return NEXT_COMMAND;
}

static enum next refuse(struct call *call)
{
    struct pop3 *pop = call->state;

    login_log(&pop->login, call);
    login_free(&pop->login);
    buf_clear(&pop->user);
    call->delay_ms = pop->service->failure_delay_ms;
    pop3_err(call, "[AUTH] Wrong user or password");
    return ++pop->failures >= pop->service->failures_max ? NEXT_CLOSE : NEXT_COMMAND;
}

static enum next accept(struct call *call)
{
    struct pop3 *pop = call->state;

    login_admit(&pop->login, call);
    call->key = pop->login.account;
    login_free(&pop->login);
    buf_free(&pop->user);
    pop->then = open_drop;
    return NEXT_AGAIN;
}

static enum next go_slow(struct call *call);

static enum next go_on(struct call *call, enum login_result result, struct slice challenge,
                       const struct error *err)
{
    struct pop3 *pop = call->state;

    call->delay_ms = login_wait(&pop->login, call);
    switch (result) {
    case LOGIN_CHALLENGE:
        buf_add_text(&call->out, "+ ");
        base64_encode(challenge, &call->out);
        buf_add_text(&call->out, "\r\n");
        pop->wants_line = true;
        return NEXT_COMMAND;
    case LOGIN_SLOW:
        pop->then = go_slow;
        return NEXT_SLOW;
    case LOGIN_OK:
        if (challenge.len == 0)
            return accept(call);
        /* The final data goes as a challenge that the client answers with an empty line. */
        return go_on(call, LOGIN_CHALLENGE, challenge, err);
    case LOGIN_REFUSED:
        return refuse(call);
    case LOGIN_BAD:
        login_free(&pop->login);
        return pop3_err(call, "This is not how the mechanism goes");
    case LOGIN_LATER:
        login_free(&pop->login);
        return pop3_failure(call, err);
    }
    abort();
}

static enum next finish(struct call *call)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct pop3 *pop = call->state;
    struct error err;
    enum login_result result = login_finish(&pop->login, call->desk, &out, &err);

    return go_on(call, result, buf_slice(&out), &err);
}

static enum next go_slow(struct call *call)
{
    struct pop3 *pop = call->state;

    login_slow(&pop->login);
    pop->then = finish;
    return NEXT_AGAIN;
}

enum next pop3_user(struct call *call, struct slice args)
{
    struct pop3 *pop = call->state;

    if (!call->secure && !pop->service->plaintext)
        return pop3_err(call, "[AUTH] Use STLS first: no passwords in clear text");
    if (args.len == 0)
        return pop3_err(call, "USER needs a name");
    buf_clear(&pop->user);
    buf_add_slice(&pop->user, args);
    return pop3_ok(call, "And the password?");
}

enum next pop3_pass(struct call *call, struct slice args)
{
    struct pop3 *pop = call->state;
    struct error err;
    enum login_result result;

    if (pop->user.len == 0)
        return pop3_err(call, "USER comes first");
    result = login_password(&pop->login, &pop->service->login, call->desk, buf_slice(&pop->user),
                            args, &err);
    buf_clear(&pop->user);
    return go_on(call, result, (struct slice){ 0 }, &err);
}

static bool mechanism_is_on(const struct call *call, enum sasl_mechanism mechanism)
{
    const struct pop3 *pop = call->state;

    if (mechanism == SASL_SCRAM_SHA_256_PLUS)
        return call->binding_exporter.len > 0 || call->binding_end_point.len > 0;
    return !sasl_sends_password(mechanism) || call->secure || pop->service->plaintext;
}

/* AUTH mechanism [initial-response]; "=" is an empty response. */
enum next pop3_auth(struct call *call, struct slice args)
{
    AUTO(buf_free) struct buf initial = { .secret = true };
    AUTO(buf_free) struct buf out = { 0 };
    struct pop3 *pop = call->state;
    struct slice name = { 0 };
    enum sasl_mechanism mechanism;
    struct sasl_binding binding = { call->binding_exporter, call->binding_end_point };
    struct error err;
    enum login_result result;

    slice_split(&args, ' ', &name);
    if (!sasl_by_name(name, &mechanism))
        return pop3_err(call, "I don't know this mechanism");
    if (!mechanism_is_on(call, mechanism))
        return pop3_err(call, "[AUTH] Use STLS first: no passwords in clear text");
    if (args.len > 0 && !sasl_initial(args, &initial))
        return pop3_err(call, "The response is not base64");
    result = login_start(&pop->login, &pop->service->login, call->desk, mechanism, &binding,
                         buf_slice(&initial), &out, &err);
    return go_on(call, result, buf_slice(&out), &err);
}

enum next pop3_sasl_answer(struct call *call, struct slice line)
{
    AUTO(buf_free) struct buf answer = { .secret = true };
    AUTO(buf_free) struct buf out = { 0 };
    struct pop3 *pop = call->state;
    struct error err;
    enum login_result result;

    if (slice_is(line, "*") || !base64_decode(line, &answer)) {
        login_free(&pop->login);
        return pop3_err(call, slice_is(line, "*") ? "Given up" : "The response is not base64");
    }
    if (pop->login.account != 0) /* SCRAM's final data was acknowledged */
        return accept(call);
    result = login_step(&pop->login, call->desk, buf_slice(&answer), &out, &err);
    return go_on(call, result, buf_slice(&out), &err);
}

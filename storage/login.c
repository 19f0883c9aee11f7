/* login.c - see login.h.
 *
 *     sasl_step --SASL_PASSWORD--> known and remembered? --yes--> LOGIN_OK
 *         |                             '--no--> LOGIN_SLOW, login_slow(), login_finish()
 *         '------SASL_KEYS-------> sasl_keys --> LOGIN_CHALLENGE --> ... SASL_DONE --> LOGIN_OK
 *
 * Unknown and disabled users take the same steps and the same time as wrong passwords do.
 */
#include "storage/login.h"

#include "common/clock.h"
#include "common/session.h"
#include "common/totp.h"
#include "storage/gate.h"
#include "storage/login_cache.h"
#include "storage/login_use.h"

#include <stdio.h>

static enum login_result refuse(struct login *login, const char *reason)
{
    login->reason = reason;
    return LOGIN_REFUSED;
}

/* Whatever the password is: this was no guess of it. */
static enum login_result refuse_use(struct login *login, const char *reason)
{
    login->no_guess = true;
    return refuse(login, reason);
}

static enum login_result accept(struct login *login, const struct account_info *info)
{
    login->account = info->id;
    buf_clear(&login->address);
    buf_add_slice(&login->address, info->address);
    return LOGIN_OK;
}

/* The user as claimed, completed by the default domain. */
static void claim(struct login *login)
{
    struct slice user = buf_slice(&login->sasl.user);
    const char *domain = login->options->default_domain;

    buf_clear(&login->address);
    buf_add_slice(&login->address, user);
    if (slice_find(user, '@') < 0 && domain != NULL && *domain != '\0')
        buf_fmt(&login->address, "@%s", domain);
}

/* Whom the user claims to be; login->known says whether that is somebody who may log in. False
 * when the store cannot be asked. */
static bool look_up(struct login *login, struct desk *desk, struct arena *arena,
                    struct account_info *info_out, struct error *err)
{
    claim(login);
    login->known = account_by_address(desk, arena, buf_slice(&login->address), info_out, err);
    if (!login->known) {
        login->reason = "unknown user";
        return err->kind == ERROR_NOT_FOUND;
    }
    if (info_out->disabled || info_out->argon.len == 0) {
        login->known = false;
        login->reason = info_out->disabled ? "disabled" : "no password"; /* a shared account */
        return true;
    }
    login->candidate = info_out->id;
    buf_clear(&login->totp_key);
    buf_add_slice(&login->totp_key, info_out->totp_key);
    buf_clear(&login->argon);
    buf_add_slice(&login->argon, info_out->argon);
    return true;
}

/* Acting for somebody else is not offered: an authorisation identity must be the user's own. */
static bool acts_for_other(const struct login *login)
{
    struct slice authzid = buf_slice(&login->sasl.authzid);

    return authzid.len > 0 && !slice_equal_case(authzid, buf_slice(&login->sasl.user)) &&
           !slice_equal_case(authzid, buf_slice(&login->address));
}

/* It is the account's. Its scope and its end are looked at when it is known that the client has it,
 * so that the log can tell; the client hears the same in all cases. */
static enum login_result accept_app(struct login *login, const struct app_password *app,
                                    const struct account_info *info)
{
    if ((app->scope & login->options->scope) == 0)
        return refuse_use(login, "app password is not for this protocol");
    if (app_password_expired(app))
        return refuse_use(login, "app password has expired");
    login->app = (struct app_password){ .id = app->id, .used_ms = app->used_ms };
    buf_clear(&login->app_name);
    buf_add_slice(&login->app_name, app->name);
    return accept(login, info);
}

/* LOGIN_SLOW: it is none, but may still be the main password. */
static enum login_result try_app(struct login *login, struct desk *desk, struct arena *arena,
                                 const struct account_info *info, struct error *err)
{
    struct slice password = buf_slice(&login->sasl.password);
    unsigned char verifier[HASH_SIZE];
    struct app_password app;

    if (!login->known || !app_password_has_form(password))
        return LOGIN_SLOW;
    app_password_verify(password, verifier);
    if (app_password_find(desk, info->id, verifier, arena, &app, err))
        return accept_app(login, &app, info);
    return err->kind == ERROR_NOT_FOUND ? LOGIN_SLOW : LOGIN_LATER;
}

/* What was typed as the main password, without the code. */
static struct slice main_password(struct login *login)
{
    struct slice typed = buf_slice(&login->sasl.password), password;

    login->has_code = login->totp_key.len > 0 && totp_split(typed, &password, &login->code);
    return login->has_code ? password : typed;
}

/* The main password was right: is the code, if there has to be one? */
static enum login_result check_code(struct login *login, struct desk *desk,
                                    const struct account_info *info, struct error *err)
{
    struct slice key = buf_slice(&login->totp_key);
    uint64_t step;
    bool fresh;

    if (!slice_equal(info->totp_key, key))
        return refuse(login, "codes were turned on or off meanwhile");
    if (key.len == 0)
        return LOGIN_OK;
    if (!login->has_code)
        return refuse(login, "main password without a code");
    if (!totp_matches(key, login->code, time_ms() / 1000, &step))
        return refuse(login, "wrong code");
    if (!account_use_totp(desk, info->id, key, step, &fresh, err))
        return LOGIN_LATER;
    return fresh ? LOGIN_OK : refuse(login, "the code was used before");
}

/* Whoever may see that the password was right must have the code as well: without one it takes the
 * way of a wrong password. */
static bool is_remembered(struct login *login, const struct account_info *info)
{
    struct slice password = main_password(login);
    uint64_t step;

    if (!login->known || !login_cache_has(login->options->cache, info->id, info->argon, password))
        return false;
    return login->totp_key.len == 0 ||
           (login->has_code &&
            totp_matches(buf_slice(&login->totp_key), login->code, time_ms() / 1000, &step) &&
            step > info->totp_step);
}

static enum login_result check_password(struct login *login, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_info info;

    if (!look_up(login, desk, &arena, &info, err))
        return LOGIN_LATER;
    if (acts_for_other(login))
        return refuse_use(login, "authorisation identity of another user");
    if (is_remembered(login, &info)) {
        enum login_result result = check_code(login, desk, &info, err);

        return result == LOGIN_OK ? accept(login, &info) : result;
    }
    return try_app(login, desk, &arena, &info, err);
}

static enum login_result go_on(struct login *login, struct desk *desk, enum sasl_result result,
                               struct buf *out, struct error *err);

/* The main password's keys, then those of the app passwords: all have one salt. */
static bool gather_keys(struct login *login, struct desk *desk, struct arena *arena,
                        const struct account_info *info, struct slice **keys_out, size_t *count_out,
                        struct error *err)
{
    struct app_password_list apps;

    *count_out = 0;
    if (!login->known)
        return true;
    if (!app_password_all(desk, info->id, arena, &apps, err))
        return false;
    *keys_out = ARENA_ARRAY(arena, struct slice, apps.count + 1);
    (*keys_out)[(*count_out)++] = info->scram;
    for (size_t i = 0; i < apps.count; i++) {
        (*keys_out)[(*count_out)++] = apps.items[i].scram;
        buf_add(&login->app_ids, &apps.items[i].id, sizeof(apps.items[i].id));
    }
    return true;
}

static enum login_result give_keys(struct login *login, struct desk *desk, struct buf *out,
                                   struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    unsigned char fake_key[32];
    struct account_info info;
    struct slice *keys = NULL;
    size_t n_keys;

    if (!look_up(login, desk, &arena, &info, err) || !directory_secret(desk, fake_key, err) ||
        !gather_keys(login, desk, &arena, &info, &keys, &n_keys, err))
        return LOGIN_LATER;
    if (acts_for_other(login))
        return refuse_use(login, "authorisation identity of another user");
    return go_on(login, desk, sasl_keys(&login->sasl, keys, n_keys, fake_key, out), out, err);
}

static enum login_result accept_scram_app(struct login *login, struct desk *desk,
                                          struct arena *arena, const struct account_info *info,
                                          struct error *err)
{
    const uint64_t *ids = (const uint64_t *)(const void *)login->app_ids.data;
    struct app_password app;

    if (app_password_by_id(desk, info->id, ids[login->sasl.matched - 1], arena, &app, err))
        return accept_app(login, &app, info);
    return err->kind == ERROR_NOT_FOUND ? refuse(login, "app password was revoked") : LOGIN_LATER;
}

/* The account once more, as it is now: it may have changed while the password was being hashed or
 * the client was thinking. */
static enum login_result accept_current(struct login *login, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_info info;
    enum login_result result;

    if (!account_by_id(desk, &arena, login->candidate, &info, err))
        return err->kind == ERROR_NOT_FOUND ? refuse(login, "unknown user") : LOGIN_LATER;
    if (info.disabled)
        return refuse(login, "disabled");
    if (login->sasl.matched > 0)
        return accept_scram_app(login, desk, &arena, &info, err);
    if (!slice_equal(info.argon, buf_slice(&login->argon)))
        return refuse(login, "wrong password");
    result = check_code(login, desk, &info, err);
    return result == LOGIN_OK ? accept(login, &info) : result;
}

static enum login_result accept_proof(struct login *login, struct desk *desk, struct buf *out,
                                      struct error *err)
{
    enum login_result result =
        login->known ? accept_current(login, desk, err) : refuse(login, login->reason);

    if (result != LOGIN_OK)
        buf_clear(out); /* the server's proof is for those who get in */
    return result;
}

static enum login_result go_on(struct login *login, struct desk *desk, enum sasl_result result,
                               struct buf *out, struct error *err)
{
    switch (result) {
    case SASL_CHALLENGE:
        return LOGIN_CHALLENGE;
    case SASL_PASSWORD:
        return check_password(login, desk, err);
    case SASL_KEYS:
        return give_keys(login, desk, out, err);
    case SASL_DONE:
        return accept_proof(login, desk, out, err);
    case SASL_FAILED:
        break;
    }
    if (login->sasl.malformed) {
        login->reason = "malformed exchange";
        return LOGIN_BAD;
    }
    return refuse(login, login->reason != NULL ? login->reason : "wrong password");
}

static void begin(struct login *login, const struct login_options *options,
                  enum sasl_mechanism mechanism, const struct sasl_binding *binding)
{
    *login = (struct login){ .options = options,
                             .method = sasl_name(mechanism),
                             .argon.secret = true,
                             .totp_key.secret = true };
    sasl_start(&login->sasl, mechanism, binding);
    login->sasl.fake_iterations = options->cost.scram_iterations;
}

enum login_result login_start(struct login *login, const struct login_options *options,
                              struct desk *desk, enum sasl_mechanism mechanism,
                              const struct sasl_binding *binding, struct slice initial,
                              struct buf *out, struct error *err)
{
    begin(login, options, mechanism, binding);
    /* All but LOGIN begin with the client: an empty challenge asks it to (RFC 4422 section 5). */
    if (initial.data == NULL && mechanism != SASL_LOGIN)
        return LOGIN_CHALLENGE;
    return login_step(login, desk, initial, out, err);
}

enum login_result login_step(struct login *login, struct desk *desk, struct slice answer,
                             struct buf *out, struct error *err)
{
    return go_on(login, desk, sasl_step(&login->sasl, answer, out), out, err);
}

enum login_result login_password(struct login *login, const struct login_options *options,
                                 struct desk *desk, struct slice user, struct slice password,
                                 struct error *err)
{
    static const struct sasl_binding none = { 0 };

    begin(login, options, SASL_PLAIN, &none);
    login->method = "password";
    buf_add_slice(&login->sasl.user, user);
    buf_add_slice(&login->sasl.password, password);
    return check_password(login, desk, err);
}

void login_slow(struct login *login)
{
    struct slice password = main_password(login);

    login->hashed = true;
    if (login->known)
        login->matched = password_matches(password, buf_text(&login->argon));
    else
        password_pretend(password, &login->options->cost);
}

enum login_result login_finish(struct login *login, struct desk *desk, struct buf *out,
                               struct error *err)
{
    enum login_result result;

    if (!login->matched)
        return refuse(login, login->known ? "wrong password" : login->reason);
    result = accept_current(login, desk, err);
    if (result == LOGIN_OK)
        login_cache_add(login->options->cache, login->account, buf_slice(&login->argon),
                        main_password(login));
    return result;
}

static void note_use(const struct login *login, const struct call *call)
{
    struct app_password_use use = { .id = login->app.id,
                                    .scope = login->options->scope,
                                    .at_ms = time_ms() };

    if (login->options->uses == NULL || use.at_ms - login->app.used_ms < APP_PASSWORD_USE_EVERY_MS)
        return;
    snprintf(use.address, sizeof(use.address), "%s", call->peer->address);
    login_uses_note(login->options->uses, &use);
}

void login_admit(struct login *login, struct call *call)
{
    login_log(login, call);
    call->credential = login->app.id;
    call->careful = false;
    if (login->app.id != 0)
        note_use(login, call);
}

static struct guard_visit visit_of(const struct login *login)
{
    return (struct guard_visit){
        .address = login->peer,
        .account = login->account != 0 ? login->account : login->candidate,
        .user = buf_slice(&login->address),
    };
}

static const char *protocol_of(unsigned scope)
{
    if (scope == LOGIN_IMAP)
        return "imap";
    return scope == LOGIN_POP3 ? "pop3" : "smtp";
}

uint64_t login_wait(struct login *login, const struct call *call)
{
    struct guard_visit visit;

    if (login->peer[0] != '\0' || login->address.len == 0)
        return 0;
    snprintf(login->peer, sizeof(login->peer), "%s", call->peer->address);
    visit = visit_of(login);
    if (sasl_sends_password(login->sasl.mechanism))
        login->mark = gate_mark(login->options->gate, &visit, buf_slice(&login->sasl.password));
    return gate_wait(login->options->gate, &visit);
}

static void count(struct login *login, const char *reason)
{
    const struct gate_login ended = {
        .visit = visit_of(login),
        .protocol = protocol_of(login->options->scope),
        .method = login->method,
        .reason = reason,
        .guessed = reason != NULL && !login->no_guess,
        .mark = login->mark,
    };

    if (login->peer[0] != '\0' && !login->ended)
        gate_ended(login->options->gate, &ended);
    login->ended = true;
}

void login_log(struct login *login, const struct call *call)
{
    const struct log_field user = F_TEXT("user", buf_slice(&login->address));
    const struct log_field method = F_STR("method", login->method);
    const struct log_field peer = F_STR("peer", call->peer->address);
    const struct log_field tls = F_STR("tls", call->tls_name);

    if (login->app.id != 0)
        log_info(&call->log, "login", user, method, peer, tls,
                 F_TEXT("app_password", buf_slice(&login->app_name)));
    else if (login->account != 0)
        log_info(&call->log, "login", user, method, peer, tls);
    else
        log_info(&call->log, "login failed", user, method, F_STR("reason", login->reason), peer,
                 tls);
    count(login, login->account != 0 ? NULL : login->reason);
}

/* Who hangs up while the password is being hashed has cost us as much as any other. */
static void count_runaway(struct login *login)
{
    if (login->hashed && !login->matched)
        count(login, "hung up");
}

void login_free(struct login *login)
{
    count_runaway(login);
    sasl_free(&login->sasl);
    buf_free(&login->argon);
    buf_free(&login->address);
    buf_free(&login->totp_key);
    buf_free(&login->app_name);
    buf_free(&login->app_ids);
    *login = (struct login){ 0 };
}

/* login.c - see login.h.
 *
 *     sasl_step --SASL_PASSWORD--> known and remembered? --yes--> LOGIN_OK
 *         |                             '--no--> LOGIN_SLOW, login_slow(), login_finish()
 *         '------SASL_KEYS-------> sasl_keys --> LOGIN_CHALLENGE --> ... SASL_DONE --> LOGIN_OK
 *
 * Unknown and disabled users take the same steps and the same time as wrong passwords do.
 */
#include "storage/login.h"

#include "common/session.h"
#include "storage/login_cache.h"

static enum login_result refuse(struct login *login, const char *reason)
{
    login->reason = reason;
    return LOGIN_REFUSED;
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

static enum login_result check_password(struct login *login, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_info info;

    if (!look_up(login, desk, &arena, &info, err))
        return LOGIN_LATER;
    if (acts_for_other(login))
        return refuse(login, "authorisation identity of another user");
    if (login->known && login_cache_has(login->options->cache, info.id, info.argon,
                                        buf_slice(&login->sasl.password)))
        return accept(login, &info);
    return LOGIN_SLOW;
}

static enum login_result go_on(struct login *login, struct desk *desk, enum sasl_result result,
                               struct buf *out, struct error *err);

static enum login_result give_keys(struct login *login, struct desk *desk, struct buf *out,
                                   struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    unsigned char fake_key[32];
    struct account_info info;
    struct slice keys;

    if (!look_up(login, desk, &arena, &info, err) || !directory_secret(desk, fake_key, err))
        return LOGIN_LATER;
    if (acts_for_other(login))
        return refuse(login, "authorisation identity of another user");
    keys = login->known ? info.scram : (struct slice){ 0 };
    return go_on(login, desk, sasl_keys(&login->sasl, keys, fake_key, out), out, err);
}

/* The account once more, as it is now: it may have changed while the password was being hashed or
 * the client was thinking. */
static enum login_result accept_current(struct login *login, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_info info;

    if (!account_by_id(desk, &arena, login->candidate, &info, err))
        return err->kind == ERROR_NOT_FOUND ? refuse(login, "unknown user") : LOGIN_LATER;
    if (info.disabled)
        return refuse(login, "disabled");
    if (!slice_equal(info.argon, buf_slice(&login->argon)))
        return refuse(login, "wrong password");
    return accept(login, &info);
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
        return login->known ? accept_current(login, desk, err) : refuse(login, login->reason);
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
    *login = (struct login){ .options = options, .method = sasl_name(mechanism) };
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
    struct slice password = buf_slice(&login->sasl.password);

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
                        buf_slice(&login->sasl.password));
    return result;
}

void login_log(const struct login *login, const struct call *call)
{
    const struct log_field user = F_TEXT("user", buf_slice(&login->address));
    const struct log_field method = F_STR("method", login->method);
    const struct log_field peer = F_STR("peer", call->peer->address);
    const struct log_field tls = F_STR("tls", call->tls_name);

    if (login->account != 0)
        log_info(&call->log, "login", user, method, peer, tls);
    else
        log_info(&call->log, "login failed", user, method, F_STR("reason", login->reason), peer,
                 tls);
}

void login_free(struct login *login)
{
    sasl_free(&login->sasl);
    if (login->argon.len > 0)
        mem_wipe(login->argon.data, login->argon.len);
    buf_free(&login->argon);
    buf_free(&login->address);
    *login = (struct login){ 0 };
}

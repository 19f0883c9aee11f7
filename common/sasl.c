/* sasl.c - PLAIN, LOGIN and what all mechanisms share; SCRAM has a file of its own. */
#include "common/sasl_private.h"

#include "common/codec.h"
#include "common/mem.h"

#define ANSWER_MAX 8192

enum { PHASE_FIRST, PHASE_SECOND, PHASE_PASSWORD, PHASE_OVER };

static const struct {
    enum sasl_mechanism mechanism;
    const char *name;
} names[] = {
    { SASL_SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS" },
    { SASL_SCRAM_SHA_256, "SCRAM-SHA-256" },
    { SASL_PLAIN, "PLAIN" },
    { SASL_LOGIN, "LOGIN" },
};

const char *sasl_name(enum sasl_mechanism mechanism)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i].mechanism == mechanism)
            return names[i].name;
    return NULL;
}

bool sasl_by_name(struct slice name, enum sasl_mechanism *mechanism_out)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (slice_is(name, names[i].name)) {
            *mechanism_out = names[i].mechanism;
            return true;
        }
    }
    return false;
}

bool sasl_sends_password(enum sasl_mechanism mechanism)
{
    return mechanism == SASL_PLAIN || mechanism == SASL_LOGIN;
}

void sasl_start(struct sasl *sasl, enum sasl_mechanism mechanism,
                const struct sasl_binding *binding)
{
    *sasl = (struct sasl){ .mechanism = mechanism, .password.secret = true };
    if (binding != NULL) {
        buf_add_slice(&sasl->exporter, binding->exporter);
        buf_add_slice(&sasl->end_point, binding->end_point);
    }
    sasl->tls_offered_plus = sasl->exporter.len > 0 || sasl->end_point.len > 0;
    if (!sasl_sends_password(mechanism))
        scram_start(sasl);
}

enum sasl_result sasl_malformed(struct sasl *sasl)
{
    sasl->malformed = true;
    return SASL_FAILED;
}

static bool take_text(struct buf *to, struct slice text)
{
    buf_free(to);
    to->secret = true;
    if (text.len > SASL_TEXT_MAX || slice_find(text, '\0') >= 0)
        return false;
    buf_add_slice(to, text);
    return true;
}

bool sasl_take_user(struct sasl *sasl, struct slice user)
{
    return user.len > 0 && utf8_valid(user) && take_text(&sasl->user, user);
}

bool sasl_take_authzid(struct sasl *sasl, struct slice authzid)
{
    return utf8_valid(authzid) && take_text(&sasl->authzid, authzid);
}

bool sasl_authzid_allowed(const struct sasl *sasl)
{
    return sasl->authzid.len == 0 ||
           slice_equal_case(buf_slice(&sasl->authzid), buf_slice(&sasl->user));
}

/* message = [authzid] NUL authcid NUL passwd    RFC 4616 section 2 */
static enum sasl_result plain_step(struct sasl *sasl, struct slice answer)
{
    ptrdiff_t first = slice_find(answer, '\0');
    struct slice behind = { 0 }, password;
    ptrdiff_t second;

    if (answer.len == 0 && sasl->phase == PHASE_FIRST) {
        sasl->phase = PHASE_SECOND;
        return SASL_CHALLENGE;
    }
    sasl->phase = PHASE_OVER;
    if (first >= 0)
        behind = slice_from(answer, (size_t)first + 1);
    second = slice_find(behind, '\0');
    if (second < 0)
        return sasl_malformed(sasl);
    password = slice_from(behind, (size_t)second + 1);
    if (!sasl_take_authzid(sasl, slice_part(answer, 0, (size_t)first)) ||
        !sasl_take_user(sasl, slice_part(behind, 0, (size_t)second)) || password.len == 0 ||
        !take_text(&sasl->password, password))
        return sasl_malformed(sasl);
    return sasl_authzid_allowed(sasl) ? SASL_PASSWORD : SASL_FAILED;
}

/* draft-murchison-sasl-login-00; some clients send the user name at once. */
static enum sasl_result login_step(struct sasl *sasl, struct slice answer, struct buf *out)
{
    if (sasl->phase == PHASE_FIRST && answer.len == 0) {
        sasl->phase = PHASE_SECOND;
        buf_add_text(out, "Username:");
        return SASL_CHALLENGE;
    }
    if (sasl->phase != PHASE_PASSWORD) {
        if (!sasl_take_user(sasl, answer))
            return sasl_malformed(sasl);
        sasl->phase = PHASE_PASSWORD;
        buf_add_text(out, "Password:");
        return SASL_CHALLENGE;
    }
    sasl->phase = PHASE_OVER;
    if (answer.len == 0 || !take_text(&sasl->password, answer))
        return sasl_malformed(sasl);
    return SASL_PASSWORD;
}

enum sasl_result sasl_step(struct sasl *sasl, struct slice answer, struct buf *out)
{
    enum sasl_result result = SASL_FAILED;

    if (sasl->malformed || answer.len > ANSWER_MAX)
        return sasl_malformed(sasl);
    switch (sasl->mechanism) {
    case SASL_PLAIN:
        if (sasl->phase != PHASE_OVER)
            result = plain_step(sasl, answer);
        break;
    case SASL_LOGIN:
        if (sasl->phase != PHASE_OVER)
            result = login_step(sasl, answer, out);
        break;
    case SASL_SCRAM_SHA_256:
    case SASL_SCRAM_SHA_256_PLUS:
        result = scram_step(sasl, answer, out);
        break;
    }
    return result;
}

bool sasl_initial(struct slice text, struct buf *out)
{
    buf_reserve(out, 1);
    return slice_is(text, "=") || base64_decode(text, out);
}

void sasl_free(struct sasl *sasl)
{
    scram_free(sasl);
    buf_free(&sasl->user);
    buf_free(&sasl->authzid);
    buf_free(&sasl->password);
    buf_free(&sasl->exporter);
    buf_free(&sasl->end_point);
    buf_free(&sasl->first_bare);
    buf_free(&sasl->server_first);
    buf_free(&sasl->nonce);
    buf_free(&sasl->gs2);
    mem_wipe(sasl, sizeof(*sasl));
}

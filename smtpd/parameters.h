/* parameters.h - the arguments of MAIL and RCPT: a path and its ESMTP parameters.
 *
 * SIZE (RFC 1870), BODY (RFC 6152, 3030), SMTPUTF8 (RFC 6531), RET ENVID NOTIFY ORCPT (RFC 3461),
 * AUTH (RFC 4954 section 5), REQUIRETLS (RFC 8689). Pure: slices point into the input or the arena.
 * A failure is the whole reply, without CRLF.
 */
#pragma once

#include "message/address.h"
#include "storage/queue.h"

enum body_type { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

struct mail_parameters {
    struct path path;
    uint64_t size; /* 0: not announced */
    enum body_type body;
    bool utf8, require_tls;
    enum dsn_return ret;
    struct slice envid; /* xtext, as sent */
};

struct rcpt_parameters {
    struct path path;
    unsigned notify;    /* enum dsn_notify */
    struct slice orcpt; /* as sent */
};

/* `arguments`: what follows MAIL or RCPT. */
bool mail_parse(struct arena *arena, struct slice arguments, struct mail_parameters *mail_out,
                const char **reply_out) MUST_CHECK;
bool rcpt_parse(struct arena *arena, struct slice arguments, struct rcpt_parameters *rcpt_out,
                const char **reply_out) MUST_CHECK;

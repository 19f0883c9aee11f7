/* sts.h - the policies of MTA-STS that we know, and those that have to be fetched (RFC 8461).
 *
 *     sts_find --known, id as in the DNS--> answer
 *          '--else--> addresses of mta-sts.DOMAIN --> HTTPS --> kept, postane.db --> done
 *
 * A known policy counts until it expires, also where its record is gone or it cannot be fetched
 * again (section 5.1); it is fetched anew when the record's id changes, and once a day while mail
 * goes to its domain. After a failure nothing is fetched for five minutes.
 *
 * Threads: loop thread. Lifetime: sts_close() forgets who waits; the loop has to run once more, and
 * then sts_free().
 */
#pragma once

#include "common/pool.h"
#include "smtpd/remote/sts_policy.h"
#include "smtpd/smtpd.h"
#include "storage/sts.h"

struct sts;

struct sts_options {
    struct smtpd *smtpd;
    struct uv_loop_s *loop;
    struct pool *pool;
    struct log log;
};

struct sts_answer {
    const struct sts_policy *policy; /* until the loop goes on; NULL: none */
    struct slice text;               /* of the policy */
    const char *fault;               /* why it could not be fetched, as in RFC 8460 section 4.3;
                                        NULL: it was, or there is none */
    const char *reason;              /* ... in words */
};

/* With what is in the store. */
bool sts_new(const struct sts_options *options, struct sts **sts_out, struct error *err) MUST_CHECK;

/* `id`: of the record in the DNS; empty where there is none. False: it is being fetched; `done` is
 * called once, never from within this call, and then it is time to ask again. */
bool sts_find(struct sts *sts, struct slice domain, struct slice id, struct sts_answer *answer_out,
              void (*done)(void *context), void *context);

void sts_close(struct sts *sts); /* NULL is fine */
void sts_free(struct sts **sts);

/* keywatch.h - lets new signing keys sign when they can be found.
 *
 * A key that was made is WAITING until its record is seen in the DNS by our own resolver; then it
 * is ACTIVE, and the one of its kind before it RETIRED. Nothing is asked while no key waits.
 *
 * Threads: loop thread; the work is a job on the pool. Lifetime: freed after the pool and the
 * resolver have ended.
 */
#pragma once

#include "common/pool.h"
#include "smtpd/smtpd.h"

struct keywatch;

struct keywatch_options {
    struct smtpd *smtpd;
    struct pool *pool;
    struct log log;
};

struct keywatch *keywatch_new(const struct keywatch_options *options);
void keywatch_free(struct keywatch **keywatch);

void keywatch_tick(struct keywatch *keywatch);   /* about every minute */
void keywatch_change(struct keywatch *keywatch); /* there may be new keys; any thread */
void keywatch_stop(struct keywatch *keywatch);   /* begins nothing new */

/* Whether a TXT record publishes the key: both have the same p=, whatever else they say. */
bool keywatch_is_same(struct slice published, struct slice record);

/* allowance.h - how many recipients an account may send to in an hour and in a day: what a stolen
 * password is good for ends there.
 *
 * What was accepted is counted in queue.db, in the transaction that accepts it, so it survives a
 * restart and costs no sync; here is only what sessions have said RCPT for and not finished.
 *
 * Threads: all functions from any; one lock inside.
 */
#pragma once

#include "smtpd/session.h"

struct allowance;

struct allowance *allowance_new(void);
void allowance_free(struct allowance **allowance);

/* May the session's account send to so many more? If so they count from now on, until
 * allowance_return(). *verdict_out is the whole refusal in the call's arena, or NULL. */
bool allowance_take(struct smtp *smtp, size_t count, const char **verdict_out,
                    struct error *err) MUST_CHECK;

/* The transaction ends: what was accepted is counted in the queue by now. */
void allowance_return(struct smtp *smtp);

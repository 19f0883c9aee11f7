/* login_use.h - remembers which app passwords were used, and writes it behind the login.
 *
 *     login_uses_note() --list--> a job on a worker --> app_password_used(), one transaction
 *
 * A phone that logs in every minute makes one write an hour: those noted within the last hour are
 * known here, and their rows say when, which other processes and earlier lives of this one noted.
 *
 * Threads: login_uses_note() from any; the others where the daemon starts and ends.
 */
#pragma once

#include "storage/app_password.h"

struct pool;
struct login_uses;

struct login_uses *login_uses_new(void);
void login_uses_start(struct login_uses *uses,
                      struct pool *pool);       /* before that nothing is noted */
void login_uses_free(struct login_uses **uses); /* after the pool's end */

void login_uses_note(struct login_uses *uses, const struct app_password_use *use);

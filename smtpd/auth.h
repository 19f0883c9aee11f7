/* auth.h - AUTH (RFC 4954) over storage/login.h. */
#pragma once

#include "smtpd/session.h"

/* The AUTH line of EHLO, where logging in is possible now. */
void auth_offer(struct smtp *smtp);

enum next cmd_auth(struct smtp *smtp, struct slice arguments);

enum next auth_answer(struct smtp *smtp); /* STEP_AUTH: input has come */
enum next auth_hash(struct smtp *smtp);   /* STEP_HASH: in the slow lane */
enum next auth_hashed(struct smtp *smtp); /* STEP_HASHED: back on a worker */

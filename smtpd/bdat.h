/* bdat.h - BDAT: the message in chunks of known length (RFC 3030). */
#pragma once

#include "smtpd/session.h"

enum next cmd_bdat(struct smtp *smtp, struct slice arguments);
enum next bdat_octets(struct smtp *smtp); /* STEP_CHUNK: input has come */

/* bdat.h - BDAT: the message in chunks of known length (RFC 3030). */
#pragma once

#include "smtpd/session.h"

enum next cmd_bdat(struct smtp *smtp, struct slice arguments);
enum next bdat_octets(struct smtp *smtp); /* STEP_CHUNK: input has come */

/* Shared with BURL: bytes of the message, and what follows a whole piece of it. */
void bdat_add(struct smtp *smtp, struct slice chunk);
enum next bdat_end_of_piece(struct smtp *smtp, bool is_last);

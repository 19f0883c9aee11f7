/* burl.h - BURL: a message, or a piece of it, that lies in a mailbox of ours (RFC 4468). */
#pragma once

#include "smtpd/session.h"

struct burl; /* one in hand */

void burl_offer(struct smtp *smtp); /* its line in the answer to EHLO */
enum next cmd_burl(struct smtp *smtp, struct slice arguments);
enum next burl_go_on(struct smtp *smtp); /* STEP_BURL: the next turn */
void burl_free(struct burl **burl);

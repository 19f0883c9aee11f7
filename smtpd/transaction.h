/* transaction.h - MAIL and RCPT (RFC 5321 section 3.3). */
#pragma once

#include "smtpd/session.h"

enum next cmd_mail(struct smtp *smtp, struct slice arguments);
enum next cmd_rcpt(struct smtp *smtp, struct slice arguments);

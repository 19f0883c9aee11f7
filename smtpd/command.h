/* command.h - the command table (RFC 5321 section 4.1, RFC 2033 for LMTP). */
#pragma once

#include "smtpd/session.h"

struct command {
    const char *name;
    enum next (*run)(struct smtp *smtp, struct slice arguments);
    unsigned services; /* enum smtp_service */
    unsigned phases;   /* enum phase */
};

/* Never NULL: a command that is unknown or not allowed now is a command that says so.
 * *arguments_out is what follows the name, without blanks around it. */
const struct command *command_find(enum smtp_service service, enum phase phase, struct slice line,
                                   struct slice *arguments_out);

enum next command_run(struct smtp *smtp, struct slice line);

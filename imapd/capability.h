/* capability.h - what this server can do, for CAPABILITY, the greeting and the answer to a login.
 */
#pragma once

#include "common/sasl.h"
#include "common/session.h"

/* "IMAP4rev1 LITERAL+ ...": what is true now, before login and TLS or after. */
void capability_print(const struct call *call, struct buf *out);

/* Is the mechanism offered now? Passwords need TLS, unless the operator said otherwise. */
bool mechanism_is_on(const struct call *call, enum sasl_mechanism mechanism);
bool passwords_are_on(const struct call *call);

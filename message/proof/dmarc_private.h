/* dmarc_private.h - between the files of DMARC. */
#pragma once

#include "message/proof/dmarc.h"

/* Does a TXT record begin with the version (RFC 7489 section 6.6.3 step 2)? */
bool dmarc_record_is(struct slice text);

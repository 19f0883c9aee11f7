/* names.h - the one form in which domains and local parts are stored and looked up.
 *
 * Pure. Domains: A-labels (RFC 5890) in lower case, whichever form comes in. Local parts: Unicode
 * normalisation form C, ASCII letters in lower case; RFC 5321 lets the receiving host decide about
 * case, and we are that host.
 */
#pragma once

#include "common/buf.h"

#define DOMAIN_MAX 253 /* RFC 1035 section 2.3.4, without the root's length byte and dot */
#define LOCAL_MAX  64  /* RFC 5321 section 4.5.3.1.1 */

/* Both append to `out`; false, with `out` as it was, for what can be no host name or no local part
 * of ours (an address literal, bad UTF-8, a control character). */
bool name_domain(struct slice domain, struct buf *out) MUST_CHECK;
bool name_local(struct slice local, struct buf *out) MUST_CHECK;

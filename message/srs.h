/* srs.h - the sender rewriting scheme: the reverse path of mail that is forwarded to another
 * server.
 *
 * Whoever forwards a message sends it from an address that is not its own, which SPF (RFC 7208)
 * forbids. So the sender becomes an address of ours that leads back to it:
 *
 *     user@one.example             SRS0=hash=day=one.example=user@ours
 *     SRS0=...@two.example         SRS1=hash=two.example==...@ours
 *
 * There is no RFC; the form is the usual one (Meng Weng Wong, "Sender Rewriting Scheme", 2003). The
 * hash keeps others from using us to reach any address; the day lets an address end.
 *
 * Pure. Local parts are as in struct path, unquoted.
 */
#pragma once

#include "common/slice.h"

#include <stdint.h>

#define SRS_DAYS      21 /* how long a report may take to come back */
#define SRS_LOCAL_MAX 64 /* RFC 5321 section 4.5.3.1.1 */

enum srs_result {
    SRS_GOOD,
    SRS_NONE,    /* not such an address */
    SRS_BAD,     /* not one that we made */
    SRS_EXPIRED, /* ours, too old */
};

/* The local part to use with a domain of ours. SRS_NONE: it would be too long for other servers. */
enum srs_result srs_forward(const unsigned char secret[32], int64_t now_ms, struct arena *arena,
                            struct slice local, struct slice domain, struct slice *local_out);

/* Whom mail for such a local part is for. */
enum srs_result srs_reverse(const unsigned char secret[32], int64_t now_ms, struct arena *arena,
                            struct slice local, struct slice *local_out, struct slice *domain_out);

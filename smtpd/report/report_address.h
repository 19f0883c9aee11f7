/* report_address.h - where a domain wants its reports: the URIs of rua= in DMARC and TLSRPT records
 * (RFC 7489 section 6.2, RFC 8460 section 3).
 *
 * Pure; results live in the arena.
 */
#pragma once

#include "common/mem.h"
#include "common/slice.h"

#define REPORT_ADDRESSES 5 /* of one record; more are not written to */

struct report_address {
    struct slice address;
    struct slice domain; /* of it, in lower case */
    uint64_t size_max;   /* bytes of a report, as in "mailto:a@b.test!10m"; 0: no limit */
};

/* The "mailto:" places of a list. Others, https: among them, are left out and counted in
 * *n_others_out. */
size_t report_addresses(struct arena *arena, struct slice uris,
                        struct report_address addresses_out[REPORT_ADDRESSES],
                        size_t *n_others_out);

/* The value of rua= in a TLSRPT record, a TXT record of "_smtp._tls." + domain. False: it is none
 * (RFC 8460 section 3). */
bool tls_report_record(struct slice text, struct slice *rua_out) MUST_CHECK;

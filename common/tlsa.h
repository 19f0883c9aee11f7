/* tlsa.h - TLSA records (RFC 6698 section 2.1), and which of them count between mail servers.
 *
 * Pure. Threads: any.
 */
#pragma once

#include "common/slice.h"

enum tlsa_usage { TLSA_PKIX_TA, TLSA_PKIX_EE, TLSA_DANE_TA, TLSA_DANE_EE }; /* RFC 7218 */
enum tlsa_selector { TLSA_CERTIFICATE, TLSA_PUBLIC_KEY };
enum tlsa_matching { TLSA_FULL, TLSA_SHA256, TLSA_SHA512 };

#define TLSA_MAX 32 /* records of one host that are looked at */

struct tlsa {
    uint8_t usage, selector, matching;
    struct slice data; /* the certificate, the key, or the hash of it */
};

/* False: too short to be one. `data` points into the record. */
bool tlsa_parse(struct slice rdata, struct tlsa *tlsa_out);

/* Usages 2 and 3 only (RFC 7672 section 3.1.3), parameters we know, and a hash of its length. */
bool tlsa_is_usable(const struct tlsa *tlsa);

/* Those of a host that count: usable, and not a weaker hash where a stronger one is published for
 * the same usage and selector (RFC 7671 section 9). Returns how many. */
size_t tlsa_choose(const struct slice *records, size_t count, struct tlsa chosen_out[TLSA_MAX]);

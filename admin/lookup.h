/* lookup.h - evaluates again and again, fetching answers of the DNS in between (common/dns.h).
 *
 * Threads: one; runs a loop of its own until the evaluation is done.
 */
#pragma once

#include "admin/tool.h"
#include "common/dns.h"

/* `evaluate` is false while answers are missing in the table. Errors: ERROR_INVALID for [dns]
 * settings that cannot be used, ERROR_LIMIT when it never comes to an end. */
bool lookup_run(const struct settings *settings, struct dns_table *table,
                bool (*evaluate)(void *context), void *context, struct error *err) MUST_CHECK;

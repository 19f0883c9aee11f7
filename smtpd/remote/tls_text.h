/* tls_text.h - policies as text, for the reports of RFC 8460 (section 4.4, "policy-string").
 *
 * Results live in the arena: lines with '\n' between, at most TLS_TEXT_MAX bytes.
 */
#pragma once

#include "common/dns.h"

#define TLS_TEXT_MAX 1000

struct slice tls_text_of_records(struct arena *arena, const struct dns_answer *tlsa);
struct slice tls_text_of_lines(struct arena *arena, struct slice policy);

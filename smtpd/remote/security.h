/* security.h - the step between a route and a connection: which TLS a host has to have
 * (tls_policy.h), with the DNS and the policies of MTA-STS asked as needed; and what is counted of
 * sessions for the reports to their domains (RFC 8460).
 *
 * Threads: loop thread.
 */
#pragma once

#include "smtpd/remote/client.h"
#include "smtpd/remote/route.h"
#include "smtpd/remote/way.h"
#include "smtpd/smtpd.h"

enum security_state {
    SECURITY_WAITS,   /* something is asked for: `done` is called once, then find again */
    SECURITY_FOUND,   /* connect, with this policy */
    SECURITY_REFUSED, /* the host cannot be used: see its status and text */
};

struct security_question {
    struct smtpd *smtpd;
    struct dns_table *table; /* the route's; the policy points into it */
    const struct shipment *shipment;
    const struct route_host *host;
    const struct way *way;
    bool is_address; /* the host is named by its address */
    bool mx_secure;  /* of the route */
};

enum security_state security_find(const struct security_question *question,
                                  struct tls_policy *policy_out, void (*done)(void *context),
                                  void *context);

/* A session is over, or was not begun for its policy's sake (`task` NULL). */
void security_count(const struct security_question *question, const struct tls_policy *policy,
                    const struct client_task *task, const char *address);

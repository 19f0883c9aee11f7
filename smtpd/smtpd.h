/* smtpd.h - what all parts of smtpd share: the process, and its services.
 *
 * Threads: read-only once the daemon runs, except for the counters.
 */
#pragma once

#include "smtpd/milter/servers.h"
#include "storage/queue.h"
#include "storage/settings.h"

#include <stdatomic.h>

struct allowance;
struct call;
struct counts;
struct courier;
struct reporter;
struct dns_table;
struct door;
struct outgoing;
struct keyring;
struct resolver;
struct room;
struct server;
struct sts;

/* What a listener is for; bits, so that tables can name several. */
enum smtp_service {
    SERVICE_MX = 1,         /* mail from other servers: no AUTH, local recipients only */
    SERVICE_SUBMISSION = 2, /* mail from our users, after login */
    SERVICE_LMTP = 4,       /* mail from a program we trust, local recipients only */
};
#define SERVICE_SMTP (SERVICE_MX | SERVICE_SUBMISSION)
#define SERVICE_ANY  (SERVICE_SMTP | SERVICE_LMTP)

struct smtpd_counters {
    atomic_ullong accepted, refused, delivered, bounced, retried;
};

struct smtpd {
    const struct settings *settings;
    struct store *store;
    struct queue *queue;
    struct courier *courier;
    struct reporter *reporter;
    struct allowance *allowance;
    struct room *room;
    struct counts *counts; /* for reports to other domains; may be NULL */
    struct keyring *keyring;
    struct login_options login;
    struct smtpd_counters counters;
    struct door *door;     /* NULL: nobody is looked at (in tests) */
    struct server *server; /* outgoing sessions are its, too */
    struct resolver *resolver;
    struct milter_servers milters;
    unsigned milter_services; /* enum smtp_service: whose messages pass them */
    struct sts *sts;          /* policies of MTA-STS; NULL: none are followed */

    /* call_resume(), server_connect_soon(), resolver_fetch(): a test has no session machine and no
     * DNS. */
    void (*resume)(struct call *call);
    void (*connect)(struct server *server, struct outgoing *outgoing);
    void (*fetch)(struct resolver *resolver, struct dns_table *table, void (*done)(void *context),
                  void *context);
};

/* A listener's protocol context. */
struct smtp_door {
    struct smtpd *smtpd;
    enum smtp_service service;
};

/* servers.h - the setting [milter] servers: "inet:127.0.0.1:11332 unix:/run/clamav/milter.sock".
 *
 * Hosts are numeric, or "localhost": a filter on another machine is named by its address, so that
 * no lookup stands between a message and its filter.
 */
#pragma once

#include "common/error.h"
#include "common/slice.h"

struct milter_server {
    char *name;    /* as in the setting, for logs */
    char *address; /* numeric, or the path of a unix socket */
    uint16_t port; /* 0: unix */
};

struct milter_servers {
    struct milter_server *items;
    size_t count;
};

/* Errors: ERROR_INVALID, naming the part that is wrong. */
bool milter_servers_parse(struct slice text, struct milter_servers *servers_out,
                          struct error *err) MUST_CHECK;
/* The setting [milter] services, "smtp submission lmtp", as bits of enum smtp_service.
 * Errors: ERROR_INVALID. */
bool milter_services_parse(struct slice text, unsigned *services_out, struct error *err) MUST_CHECK;

void milter_servers_free(struct milter_servers *servers);

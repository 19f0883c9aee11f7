/* proxy.h - the header that a proxy puts before a connection, to say whose it is: the PROXY
 * protocol, versions 1 (a line) and 2 (binary), as HAProxy defines it.
 *
 *     1:  "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
 *     2:  signature (12) | version, command (1) | family (1) | length (2) | addresses, extensions
 *
 * Whoever may send one may say anything of the client: it is read from named hosts only. Headers
 * without addresses (LOCAL, UNKNOWN, families other than IP) leave the connection the proxy's own.
 *
 * Pure.
 */
#pragma once

#include "common/conn.h"

#define PROXY_LINE_MAX 107  /* of version 1, with CRLF */
#define PROXY_MAX      4096 /* of version 2, with its extensions, which are passed over */

struct proxy_header {
    size_t len; /* of the header; what follows is the client's */
    bool has_addresses;
    struct conn_peer peer, local;
};

enum parse proxy_parse(struct slice in, struct proxy_header *header_out);

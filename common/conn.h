/* conn.h - one connection: socket, TLS, buffers, timeouts, back-pressure.
 *
 * The owner gets wake-ups without data and looks at the state: what was read lies in conn_input(),
 * what is not yet sent counts in conn_unsent(). No callback runs inside a conn_* call.
 * Reading stops by itself while the input holds `input_max` bytes or the owner paused it; so a
 * client that pipelines waits in its own socket buffer. Whoever does not read or write within the
 * timeout is closed by force: idle_ms for a peer that sends nothing while we wait for it,
 * stall_ms for a peer that takes nothing while we have something to send, and for a handshake.
 *
 * TLS reads the close_notify and half-closed sockets as end of input. Empty buffers are freed, so
 * an idle connection costs little.
 *
 * Threads: loop thread. Lifetime: conn_close() may be called at any time, twice too; it flushes,
 * bounded by stall_ms, and leads to exactly one CONN_CLOSED, after which conn frees itself.
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"
#include "common/tls.h"

struct uv_loop_s;
struct uv_stream_s;
struct conn;

enum conn_event {
    CONN_WAKE,   /* something changed: input, unsent, secure, ended, timed out */
    CONN_CLOSED, /* the last event */
};

typedef void (*conn_owner)(struct conn *conn, enum conn_event event, void *owner);

struct conn_options {
    struct tls *tls;     /* for accepted connections: certificates; NULL: no TLS */
    bool tls_at_once;    /* implicit TLS */
    const char *alpn;    /* protocol name to accept or ask for; may be NULL */
    uint64_t idle_ms;    /* 0: none */
    uint64_t stall_ms;
    size_t input_max;    /* bytes of input that may lie unread */
};

/* The socket's address as text: "192.0.2.1", "2001:db8::1", "unix". */
struct conn_peer {
    char address[64];
    uint16_t port;
};

/* Takes over an accepted file descriptor. */
struct conn *conn_accept(struct uv_loop_s *loop, int fd, const struct conn_options *options,
                         conn_owner event, void *owner);

/* Starts connecting; conn_is_open() tells when it worked, conn_error() why it did not.
 * `address` is numeric. TLS of an outgoing connection accepts any certificate (opportunistic). */
struct conn *conn_connect(struct uv_loop_s *loop, const char *address, uint16_t port,
                          const struct conn_options *options, conn_owner event, void *owner);

bool conn_is_open(const struct conn *conn);   /* connected, and TLS-ready if tls_at_once */
bool conn_is_secure(const struct conn *conn); /* the handshake is complete */
bool conn_ended(const struct conn *conn);     /* the peer will send nothing more */
bool conn_timed_out(const struct conn *conn); /* idle_ms passed; the owner says goodbye, closes */
const char *conn_error(const struct conn *conn);
const struct conn_peer *conn_peer(const struct conn *conn);
const struct conn_peer *conn_local(const struct conn *conn);
const char *conn_tls_name(const struct conn *conn); /* "TLS1.3 ECDHE-...": "" in clear text */

/* Channel bindings for SCRAM-PLUS; false when there is none. */
bool conn_binding_exporter(struct conn *conn, struct buf *out);   /* tls-exporter, RFC 9266 */
bool conn_binding_end_point(struct conn *conn, struct buf *out);  /* tls-server-end-point */

struct buf *conn_input(struct conn *conn);            /* take from its front, or buf_move() it */
void conn_send(struct conn *conn, struct buf *bytes); /* takes the content, leaves it empty */
size_t conn_unsent(const struct conn *conn);
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);
void conn_set_idle(struct conn *conn, uint64_t idle_ms); /* from now on */
void conn_start_tls(struct conn *conn, const char *server_name); /* name: as client, for SNI; drops
                                                                    unread input in clear text */
void conn_close(struct conn *conn, const char *reason);
const char *conn_close_reason(const struct conn *conn);

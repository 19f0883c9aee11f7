/* conn.h - one connection: socket, TLS, buffers, timeouts, back-pressure.
 *
 * The owner gets wake-ups without data and looks at the state: what was read lies in conn_input(),
 * what is not yet sent counts in conn_unsent(). No callback runs inside a conn_* call.
 * Reading stops by itself while the input holds as many bytes as the owner has room for; so a
 * client that pipelines waits in its own socket buffer. Whoever does not read or write within the
 * timeout is closed by force: idle_ms for a peer that sends nothing while we wait for it, stall_ms
 * for a peer that takes nothing while we have something to send, and for a connect or a handshake.
 *
 * TLS reads the close_notify and half-closed sockets as end of input. Empty buffers are freed, so
 * an idle connection costs little.
 *
 * Threads: loop thread. Lifetime: conn_close() may be called at any time, twice too; it flushes,
 * bounded by stall_ms, and leads to exactly one CONN_CLOSED, after which conn frees itself. So
 * does a connection that breaks. conn_abort() does not flush.
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"
#include "common/tls.h"
#include "common/tls_check.h"

struct uv_loop_s;
struct net;
struct conn;

/* What the connections of one loop share; free it after the last CONN_CLOSED. */
struct net *net_new(struct uv_loop_s *loop);
void net_free(struct net **net);

/* The authorities that TLS_TRUSTED counts on: a file in PEM; "" means the system's. Without this
 * call there are none. */
bool net_trust(struct net *net, const char *authorities, struct error *err) MUST_CHECK;

enum conn_event {
    CONN_WAKE,   /* something changed: input, unsent, open, secure, ended, timed out */
    CONN_CLOSED, /* the last event */
};

typedef void (*conn_owner)(struct conn *conn, enum conn_event event, void *owner);

struct conn_options {
    struct tls *tls;  /* for accepted connections: certificates; NULL: no TLS */
    bool tls_at_once; /* implicit TLS */
    const char *alpn; /* protocol name to accept or ask for; may be NULL; not copied */
    uint64_t idle_ms; /* 0: none */
    uint64_t stall_ms;
    uint64_t connect_ms; /* 0: as stall_ms */
    size_t input_max;    /* bytes of input that may lie unread */
};

/* The socket's address as text: "192.0.2.1", "2001:db8::1", "unix". */
struct conn_peer {
    char address[46];
    uint16_t port;
};

/* Both ends of a connected socket. */
void conn_describe(int fd, struct conn_peer *peer_out, struct conn_peer *local_out);

/* Takes over an accepted file descriptor. TCP_NODELAY is inherited from the listening socket. */
struct conn *conn_accept(struct net *net, int fd, const struct conn_options *options,
                         conn_owner event, void *owner);

/* Starts connecting; conn_is_open() tells when it worked, conn_close_reason() why it did not.
 * `address` is numeric, or the path of a unix socket. */
struct conn *conn_connect(struct net *net, const char *address, uint16_t port,
                          const struct conn_options *options, conn_owner event, void *owner);

bool conn_is_open(const struct conn *conn);   /* connected, and no handshake going on */
bool conn_is_secure(const struct conn *conn); /* the handshake is complete */
bool conn_ended(const struct conn *conn);     /* the peer will send nothing more */
bool conn_timed_out(const struct conn *conn); /* idle_ms passed; the owner says goodbye, closes */
const struct conn_peer *conn_peer(const struct conn *conn);
const struct conn_peer *conn_local(const struct conn *conn);
void conn_tls_name(const struct conn *conn, struct buf *out); /* "TLS1.3 ECDHE..."; "" in clear */
/* What comes may be a password: no copy of it is left in memory that is given back. So it begins
 * for an accepted connection. */
void conn_set_careful(struct conn *conn, bool careful);
uint64_t conn_bytes_in(const struct conn *conn); /* on the wire */
uint64_t conn_bytes_out(const struct conn *conn);

/* Channel bindings for SCRAM-PLUS; false when there is none. */
bool conn_binding_exporter(struct conn *conn, struct buf *out);  /* tls-exporter, RFC 9266 */
bool conn_binding_end_point(struct conn *conn, struct buf *out); /* tls-server-end-point */

struct buf *conn_input(struct conn *conn);            /* take from its front, or buf_move() it */
void conn_send(struct conn *conn, struct buf *bytes); /* takes the content, leaves it empty */
size_t conn_unsent(const struct conn *conn);

/* In place of input_max. May add to the input at once, without a wake-up: look at conn_input()
 * afterwards. */
void conn_set_room(struct conn *conn, size_t room);

void conn_set_idle(struct conn *conn, uint64_t idle_ms); /* from now on; 0: none */
/* An end to the waiting, whatever comes until then: it times out; 0: none. Counts from now. */
void conn_set_deadline(struct conn *conn, uint64_t ms);
void conn_set_alarm(struct conn *conn, uint64_t ms); /* CONN_WAKE once, then */
bool conn_alarm_due(const struct conn *conn);        /* the alarm has passed, or none was set */

/* From here on what comes is raw DEFLATE, `early` and unread input too. Adds to the input without a
 * wake-up, as conn_set_room() does. */
void conn_start_inflate(struct conn *conn, struct buf *early);
/* What stands behind the end of compression is input as it came. The room has to be 0 from the time
 * the input was taken that says so: then nothing behind it is inflated yet. */
void conn_stop_inflate(struct conn *conn);

/* Drops unread input in clear text. `check`: as a client; NULL takes any certificate. */
void conn_start_tls(struct conn *conn, struct tls_check *check);

/* As a server, where TLS comes first: what is unread is the beginning of the handshake. */
void conn_start_tls_behind(struct conn *conn);
void conn_close(struct conn *conn, const char *reason); /* reason: not copied */
void conn_abort(struct conn *conn, const char *reason);
const char *conn_close_reason(const struct conn *conn); /* also: why it broke; "" while it lives */

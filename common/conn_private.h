/* conn_private.h - the inside of a connection, shared by the conn*.c files.
 *
 *     CONNECTING --> SHAKING --> OPEN --> FLUSHING --> LINGERING --> GONE
 *          |             |         |          |             |         ^
 *          '-------------'---------'----------'-------------'---------' broken, timed out
 *
 * Bytes on their way:
 *
 *     socket --read--> fresh|sealed --decrypt--> input --> owner          (clear text: straight on)
 *                                           '--> packed --inflate--> input              (COMPRESS)
 *     owner --> output --encrypt--> wire --uv_try_write--> socket
 *                                     '--what the socket does not take--> struct write_request
 */
#pragma once

#include "common/conn.h"
#include "common/deflate.h"
#include "common/tls_private.h"

#include <uv.h>

enum conn_phase {
    CONN_CONNECTING, /* to somebody else's server */
    CONN_SHAKING,    /* TLS handshake */
    CONN_OPEN,
    CONN_FLUSHING,  /* conn_close() was called: the rest is being sent */
    CONN_LINGERING, /* all is sent, so is our FIN: what still comes is dropped until theirs */
    CONN_GONE,      /* libuv is closing the handles */
};

/* One write that libuv finishes later; it owns its bytes, which must not move meanwhile. */
struct write_request {
    uv_write_t request;
    struct conn *conn;
    struct buf bytes;
};

struct net {
    uv_loop_t *loop;
    gnutls_certificate_credentials_t client_credentials;
    gnutls_priority_t client_priority;
    char scratch[64 * 1024]; /* all connections read into it, one at a time */
};

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    uv_timer_t timer;
    struct net *net;
    conn_owner event;
    void *owner;

    enum conn_phase phase;
    bool outgoing;
    bool tls_at_once;
    bool reading; /* libuv is asked to read */
    bool saw_end; /* end of input was read; some may still have to be decrypted */
    bool secure;
    bool careful; /* see conn_set_careful() */
    bool timed_out;
    unsigned char open_handles;

    struct tls *tls;
    struct tls_check *check; /* of an outgoing handshake; may be NULL */
    const char *alpn;
    gnutls_session_t session; /* NULL in clear text */
    struct tls_certificates *certificates;

    struct slice fresh; /* what the socket just gave, not yet decrypted: lies in net->scratch */
    struct buf sealed;  /* the same, kept for later */
    struct inflater *inflater; /* NULL: what comes is not compressed */
    struct buf packed;         /* compressed, for later */
    bool inflate_stops;        /* what is said in it is over: its end is still to come */
    struct buf input;
    size_t room; /* for input */
    struct buf output;
    struct buf wire;
    struct write_request *writing;

    uint64_t stall_ms, idle_ms;
    uint64_t last_input_at, stall_at, alarm_at; /* loop time in ms; the latter two 0: none */
    uint64_t deadline_at;                       /* 0: none */
    uint64_t timer_at;                          /* when the timer fires; 0: it is off */
    size_t stall_queued;                        /* bytes libuv held when stall_at was set */

    uint64_t bytes_in, bytes_out;
    struct conn_peer peer, local;
    const char *reason;
};

/* conn.c */
void conn_flush(struct conn *conn);
void conn_wake(struct conn *conn);
void conn_add_input(struct conn *conn, const char *bytes, size_t len);
void conn_update_reading(struct conn *conn); /* after any change of what it depends on */

/* conn_tls.c. All do nothing harmful on a connection that is GONE. */
bool conn_tls_start(struct conn *conn);
void conn_tls_shake(struct conn *conn);   /* as far as it goes */
void conn_tls_decrypt(struct conn *conn); /* fresh and sealed to input, as far as there is room */
void conn_tls_encrypt(struct conn *conn); /* output to wire, while the wire is short */
void conn_tls_bye(struct conn *conn);
void conn_tls_free(struct conn *conn);

/* conn_deflate.c */
void conn_inflate(struct conn *conn); /* packed to input, if that is empty */
bool conn_takes_input(const struct conn *conn);

/* conn_time.c */
void conn_time_start(struct conn *conn);
void conn_time_arm(struct conn *conn);                /* after any change of a deadline */
void conn_time_stall(struct conn *conn, uint64_t ms); /* the peer has so long from now on */

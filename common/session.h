/* session.h - the life of one client, from greeting to goodbye; the same for every protocol.
 *
 * A protocol is a plain blocking function from input to output: run() is given the bytes that came
 * (call->in), takes one command off their front, appends the reply to call->out and says what it
 * waits for next. It runs on a worker thread, keyed by call->key, so it may use the store. It
 * knows no sockets and no loop: a fuzzer or a test can call it with a buffer.
 *
 *     INPUT --bytes--> RUN --NEXT_INPUT--> INPUT         enough input, or its end
 *                       |  --NEXT_AGAIN--> SENT --> RUN  reply is out: more of the same
 *                       |  --NEXT_NOTICE-> NOTICE -> RUN input, or server_notify(): IDLE
 *                       |  --NEXT_SLOW---> RUN           again, in the slow lane
 *                       |  --NEXT_WAIT---> WAIT --> RUN  somebody calls call_resume()
 *                       |  --NEXT_COMPRESS, _UNCOMPRESS--> INPUT
 *                       |  --NEXT_TLS----> TLS --> RUN   handshake done, input dropped
 *                       '  --NEXT_CLOSE--> END
 *
 * The session waits for exactly one of these at a time; every callback only wakes it, and it looks
 * again. While run() is busy the loop thread does not touch the call; what a call uses, it owns.
 *
 * run() is called again at once, on the same thread, while it returns NEXT_COMMAND, there is input
 * and the reply is small: pipelined commands cost one trip to the worker and one write.
 *
 * When the connection is lost, run() is not called again: close() is, with call->reason. Only a
 * NEXT_WAIT is waited for first, because whoever will resume it holds a pointer to the call.
 */
#pragma once

#include "common/buf.h"
#include "common/conn.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pool.h"

#include <stdatomic.h>

struct server;
struct session;
struct call;

enum next {
    NEXT_COMMAND,    /* done with a command: run again when there is input (at once if there is) */
    NEXT_INPUT,      /* what is in call->in is not enough: run again when call->need bytes are there
                        or, with need 0, when anything came; or at the end of input */
    NEXT_AGAIN,      /* send call->out, then run again, whether there is input or not */
    NEXT_NOTICE,     /* run again at new input (at once, if this run took some and there is more) or
                        at a notice for call->key or one of call_watch() */
    NEXT_SLOW,       /* run again in the slow lane (password hashing) */
    NEXT_WAIT,       /* run again after call_resume() */
    NEXT_COMPRESS,   /* send call->out; from there on DEFLATE in both directions (RFC 4978), for
                        what is in call->in already too; then as NEXT_COMMAND */
    NEXT_UNCOMPRESS, /* send call->out, and no DEFLATE from there on; then as NEXT_COMMAND */
    NEXT_TLS,   /* send call->out, drop the input, shake hands, run again with call->why_secured */
    NEXT_CLOSE, /* send call->out, close */
};

/* Why run() is called. */
enum why {
    WHY_START,   /* first call: write the greeting */
    WHY_INPUT,   /* input, or the rest of it */
    WHY_AGAIN,   /* after NEXT_AGAIN, NEXT_SLOW or NEXT_WAIT */
    WHY_NOTICE,  /* something changed: call->notice says what */
    WHY_SECURED, /* the TLS handshake is done */
    WHY_TIMEOUT, /* idle too long: say goodbye, return NEXT_CLOSE */
    WHY_STOP,    /* the daemon stops: say BYE/421, return NEXT_CLOSE */
    WHY_ENDED,   /* the client will send nothing more and call->in does not grow: finish. After
                    this one and the two above, anything but NEXT_WAIT means NEXT_CLOSE */
};

/* What a notice is about: `detail` is the sender's word, 0 for all there is under this key. Several
 * notices that were waited with become one with key 0: anything may have changed. */
struct notice_topic {
    uint64_t key, detail;
};

struct call {
    struct buf in;      /* input not yet taken; owned by run() while it runs */
    struct buf out;     /* the reply */
    void *state;        /* the protocol's own, from protocol->open() */
    void *desk;         /* the worker's desk; NULL in the slow lane */
    struct arena arena; /* reset when run() returns NEXT_COMMAND */
    enum why why;
    size_t need;         /* see NEXT_INPUT; at most the server's input_max; 0 before every run */
    uint64_t key;        /* which worker; set it to the account's id after login. Before that it is
                            a number of the session's own: an account may have the same by chance,
                            which only means that they share a worker */
    uint64_t credential; /* what it logged in with, for server_revoke(); 0: the session is not
                            ended that way */
    struct notice_topic notice; /* with WHY_NOTICE */
    bool hears;                 /* a notice wakes it after NEXT_COMMAND, too */
    uint64_t delay_ms;          /* hold this reply back so long, once (wrong passwords) */
    uint64_t idle_ms; /* how long the client may be silent from here on; preset by the server */
    bool careful;   /* what comes may be a password: see conn_set_careful(). So it begins; clear it
                       when nobody logs in any more */
    bool must_hear; /* what is waited for decides something: a stop comes after it */
    bool tls_offered;            /* NEXT_TLS will work: there is a certificate, and no TLS yet */
    bool secure;                 /* TLS is up */
    bool compressed;             /* both directions are */
    atomic_bool closing;         /* the connection is gone: what you write is lost, stop early */
    const char *reason;          /* in close(): why the session ended, in words */
    struct tls_check *tls_check; /* for NEXT_TLS as a client; may be NULL. When it fails, close()
                                    is called with tls_check->fault set */
    const struct conn_peer *peer, *local;
    const char *tls_name;                             /* "TLS1.3 AES-256-GCM", or "" */
    struct slice binding_exporter, binding_end_point; /* for SCRAM-PLUS; empty in clear text */
    struct log log;
    struct session *session;
    struct watch_list *watch; /* call_watch()'s; freed by the session */
};

/* Beside call->key, notices for these keys wake the session: replaces those of the call before.
 * Takes effect when run() returns. Zero, doubles and call->key itself are left out. */
#define CALL_WATCH_MAX 64
void call_watch(struct call *call, const uint64_t *keys, size_t count);

struct protocol {
    const char *name; /* "imap": for logs and ALPN */
    /* Both on a worker, `state` freed by close(); run() is never called after it. */
    void *(*open)(struct call *call, void *context);
    enum next (*run)(struct call *call);
    void (*close)(struct call *call);
    /* On the loop thread: is call->in one whole command, with nothing behind it, that takes no time
     * and no store? Or, after NEXT_WAIT, is it empty, and what is left to do as light? Then run()
     * is called right there, with call->desk NULL: two trips between threads cost more. May be
     * NULL. */
    bool (*is_light)(const struct call *call);
    void *context; /* given to open() */
};

/* Ends a NEXT_WAIT, from any thread, exactly once for each. May come before run() returned. */
void call_resume(struct call *call);

struct server_options {
    struct uv_loop_s *loop;
    struct net *net;
    struct pool *pool, *slow;
    struct log log;
    uint64_t idle_ms, stall_ms;
    uint64_t login_ms;   /* how long a client may be there without having logged in; 0: any time */
    uint64_t connect_ms; /* for an outgoing connection to open; 0: as stall_ms */
    size_t input_max;
    size_t max_sessions, max_per_address; /* 0: no limit */
    const char *proxy_hosts; /* networks of proxies: their connections begin with a PROXY header
                                (proxy.h); NULL or "": none */
    const char *busy_reply;  /* sent to a client over the limits, then closed; with CRLF; may be
                               NULL. Not sent where TLS comes first */
    /* Whether an address may not connect; asked on the loop thread, before the limits. */
    bool (*is_banned)(void *context, const struct protocol *protocol, const char *address);
    const char *banned_reply; /* as busy_reply */
    void (*on_empty)(
        void *context); /* after server_stop(): the last session is gone; may be NULL */
    void *context;
};

struct server *server_new(const struct server_options *options);

/* After all sessions are gone. The loop has to run once more, to take the server's handle back. */
void server_free(struct server **server);

/* Starts a session on an accepted socket (takes the descriptor), or refuses it by the limits. */
void server_accept(struct server *server, int fd, const struct protocol *protocol, struct tls *tls,
                   bool tls_at_once);

/* Starts a session as the client of somebody else's server: run() is first called when connected,
 * or with call->closing and the reason in words in call->in when that failed. The peer's greeting
 * need not be there yet: run() may return NEXT_INPUT. */
void server_connect(struct server *server, const char *address, uint16_t port,
                    const struct protocol *protocol, uint64_t key);

/* The same from any thread, soon. `outgoing` must stay until open() is called, which gets its
 * context in place of the protocol's; the protocol must outlive the session. */
struct outgoing {
    const char *address; /* numeric, or the path of a unix socket */
    uint16_t port;
    const struct protocol *protocol;
    void *context;
    struct outgoing *next; /* the server's */
};
void server_connect_soon(struct server *server, struct outgoing *outgoing);

/* Wakes every session that has set its call->key to this, or watches it, and waits for a notice. A
 * notice that comes while the session does something else is kept until it waits. Loop thread. */
void server_notify(struct server *server, uint64_t key, uint64_t detail);

/* Cuts the sessions that have this call->credential, and those that will have it soon: a login may
 * be on its way. Credentials are never used again. Loop thread. */
void server_revoke(struct server *server, uint64_t credential);

size_t server_sessions(const struct server *server);

/* Cuts the connections of clients whose address may not connect any more. */
void server_cut_banned(struct server *server);

/* Lets every session finish the command in hand and say goodbye (WHY_STOP). */
void server_stop(struct server *server);

/* Cuts all connections. Sessions end when the jobs they run do. */
void server_abort(struct server *server, const char *reason);

/* Calls `each` for every session, for status reports. Loop thread; the call is only looked at. */
struct session_info {
    uint64_t id, key;
    const struct conn_peer *peer;
    const char *protocol; /* its name */
    bool secure;
    uint64_t age_ms;
};
void server_each(struct server *server, void (*each)(const struct session_info *, void *), void *);

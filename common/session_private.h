/* session_private.h - the inside of server and session, shared by server.c and session.c. */
#pragma once

#include "common/ceiling.h"
#include "common/deflate.h"
#include "common/origins.h"
#include "common/session.h"

#include <pthread.h>
#include <uv.h>

#define KEY_BUCKETS  1024
#define REVOKED_KEPT 64

/* Account ids do not use the highest bit; so a session's first key is not one of theirs. */
#define OWN_KEY (UINT64_C(1) << 63)

/* What a session waits for. */
enum wait {
    WAIT_PROXY,  /* a proxy: its header */
    WAIT_OPEN,   /* connected, and TLS if it comes first */
    WAIT_INPUT,  /* the client: enough input */
    WAIT_RUN,    /* a worker: run() */
    WAIT_DELAY,  /* the clock: the reply is held back */
    WAIT_SENT,   /* the client: it must read before we make more */
    WAIT_NOTICE, /* server_notify(), or input */
    WAIT_RESUME, /* call_resume() */
    WAIT_TLS,    /* the client: handshake */
    WAIT_END,    /* close() on a worker, and the end of the connection */
    WAIT_FREE,   /* nothing: it is gone */
};

/* A place in the table of keys. */
struct keyed {
    struct session *session;
    uint64_t key;
    struct keyed *next, **previous;
};

/* First what call_watch() was told, then, on the loop thread, the same as places in the table. */
struct watch_list {
    bool filed;
    size_t count;
    struct keyed places[];
};

struct session {
    struct server *server;
    const struct protocol *protocol;
    void *context;     /* for its open() */
    struct conn *conn; /* NULL once it is gone */
    struct call call;
    struct job job;
    enum wait wait;
    enum next next; /* what run() returned last */
    bool job_running;
    bool outgoing;
    bool proxied;    /* the addresses are what a proxy said */
    bool tls_behind; /* TLS comes first, behind the proxy's header */
    bool counted;    /* among the sessions of its address */
    bool slow;       /* the job runs in the slow lane */
    bool took;       /* the last run() took input */
    bool opened;     /* protocol->open() has run */
    bool last_run;   /* it was told to finish */
    bool noticed;    /* a notice came that run() does not know of yet: `topic` */
    bool resumed;    /* call_resume() came */

    uint64_t id, started_ms;
    uint64_t stranger_ms;              /* since when nobody is logged in; 0: somebody is */
    uint64_t command_ms, command_from; /* when a command began to come (0: none), bytes_in then */
    uint64_t credential;               /* call->credential, as of the last run */
    const char *lost_reason;           /* why the connection is gone, once it is */
    size_t held;                       /* bytes left in call.in by the last run */
    struct conn_peer peer, local;
    struct deflater *deflater; /* for what goes out; NULL when it is not compressed */
    char *tls_name;
    struct buf exporter, end_point;

    struct session *next_session, **previous_session; /* all of the server */
    bool keyed;                                       /* `own` is in the table */
    struct keyed own;                                 /* call->key, as it was last filed */
    struct watch_list *watched;                       /* the others in the table; NULL: none */
    struct notice_topic topic;
    struct session *next_resumed;
};

struct server {
    struct server_options options;
    struct origins *origins;
    struct session *sessions;
    size_t n_sessions;
    uint64_t last_id;
    bool stopping;
    uint64_t relieved_ms; /* when the pool was last asked for memory */
    struct keyed *by_key[KEY_BUCKETS];
    uint64_t revoked[REVOKED_KEPT]; /* the last ones */
    size_t n_revoked;

    uv_async_t resume; /* from any thread */
    pthread_mutex_t resume_lock;
    struct session *resumed;
    struct outgoing *wanted; /* connections to be opened */
};

/* session.c */
void session_wake(struct session *session);
void session_on_conn(struct conn *conn, enum conn_event event, void *owner);

/* server.c */
enum ceiling_state server_look(struct server *server); /* at the memory; does what follows */
bool server_is_crowded(const struct server *server);   /* memory or places are short */
void server_file_keys(struct session *session); /* call->key or call->watch may have changed */
/* So may call->credential; cuts the connection when it was revoked meanwhile. */
void server_note_credential(struct session *session);
bool server_count(struct session *session); /* for its address; false: over the limit */
bool server_is_banned(const struct server *server, const struct protocol *protocol,
                      const char *address);
void server_forget(struct session *session); /* the session is about to be freed */

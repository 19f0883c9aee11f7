/* server.c - all sessions of a daemon: limits, keys, notices, resuming, stopping.
 *
 * Sessions are found by key through a table of lists; a session is in it once it has set its key
 * itself. call_resume() from another thread hands the session over in a list under a lock and wakes
 * the loop thread, which alone touches sessions; server_connect_soon() does so with wishes.
 */
#include "common/session_private.h"

#include "common/networks.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RELIEVE_MS 1000 /* how often workers are asked for memory while it is short */

static void connect_to(struct server *server, const char *address, uint16_t port,
                       const struct protocol *protocol, void *context, uint64_t key);

static void on_resume(uv_async_t *async)
{
    struct server *server = CONTAINER_OF(async, struct server, resume);

    pthread_mutex_lock(&server->resume_lock);
    struct session *session = TAKE(server->resumed);
    struct outgoing *wanted = TAKE(server->wanted);
    pthread_mutex_unlock(&server->resume_lock);

    while (wanted != NULL) {
        struct outgoing *next = wanted->next; /* it may be gone once open() is called */

        connect_to(server, wanted->address, wanted->port, wanted->protocol, wanted->context, 0);
        wanted = next;
    }

    while (session != NULL) {
        struct session *next = session->next_resumed; /* waking may free it */

        session->resumed = true;
        session_wake(session);
        session = next;
    }
}

void call_resume(struct call *call)
{
    struct session *session = call->session;
    struct server *server = session->server;

    pthread_mutex_lock(&server->resume_lock);
    session->next_resumed = server->resumed;
    server->resumed = session;
    uv_async_send(&server->resume); /* inside: the session, and then the server, may end any time */
    pthread_mutex_unlock(&server->resume_lock);
}

void server_connect_soon(struct server *server, struct outgoing *outgoing)
{
    pthread_mutex_lock(&server->resume_lock);
    outgoing->next = server->wanted;
    server->wanted = outgoing;
    uv_async_send(&server->resume);
    pthread_mutex_unlock(&server->resume_lock);
}

struct server *server_new(const struct server_options *options)
{
    struct server *server = NEW(struct server);

    server->options = *options;
    server->origins = origins_new();
    pthread_mutex_init(&server->resume_lock, NULL);
    if (uv_async_init(options->loop, &server->resume, on_resume) != 0)
        abort(); /* no descriptors at start */
    return server;
}

static void on_server_closed(uv_handle_t *handle)
{
    struct server *server = CONTAINER_OF((uv_async_t *)handle, struct server, resume);

    pthread_mutex_destroy(&server->resume_lock);
    free(server);
}

void server_free(struct server **server_pointer)
{
    struct server *server = TAKE(*server_pointer);

    if (server == NULL)
        return;
    origins_free(&server->origins);
    uv_close((uv_handle_t *)&server->resume, on_server_closed);
}

static struct keyed **key_bucket(struct server *server, uint64_t key)
{
    return &server->by_key[((key * 0x9E3779B97F4A7C15u) >> 32) % KEY_BUCKETS];
}

static void file(struct keyed *place)
{
    struct keyed **bucket = key_bucket(place->session->server, place->key);

    place->next = *bucket;
    place->previous = bucket;
    if (*bucket != NULL)
        (*bucket)->previous = &place->next;
    *bucket = place;
}

static void unfile(struct keyed *place)
{
    *place->previous = place->next;
    if (place->next != NULL)
        place->next->previous = place->previous;
}

static void unfile_own(struct session *session)
{
    if (session->keyed)
        unfile(&session->own);
    session->keyed = false;
}

static void unfile_watched(struct session *session)
{
    struct watch_list *list = session->watched;

    for (size_t i = 0; list != NULL && i < list->count; i++)
        unfile(&list->places[i]);
    free(TAKE(session->watched));
}

static void file_watched(struct session *session)
{
    struct watch_list *list = session->call.watch;

    if (list == session->watched)
        return;
    unfile_watched(session);
    session->watched = list;
    if (list != NULL)
        list->filed = true;
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        list->places[i].session = session;
        file(&list->places[i]);
    }
}

void server_file_keys(struct session *session)
{
    uint64_t key = session->call.key;

    file_watched(session);
    if (key == session->own.key)
        return;
    unfile_own(session);
    session->own.key = key;
    session->keyed = true;
    file(&session->own);
}

static bool is_revoked(const struct server *server, uint64_t credential)
{
    for (size_t i = 0; i < REVOKED_KEPT; i++)
        if (server->revoked[i] == credential)
            return true;
    return false;
}

static void cut_revoked(struct session *session)
{
    if (session->conn != NULL)
        conn_abort(session->conn, "the app password was revoked");
}

void server_note_credential(struct session *session)
{
    if (session->credential == session->call.credential)
        return;
    session->credential = session->call.credential;
    if (session->credential != 0 && is_revoked(session->server, session->credential))
        cut_revoked(session);
}

void server_revoke(struct server *server, uint64_t credential)
{
    if (credential == 0)
        return;
    server->revoked[server->n_revoked++ % REVOKED_KEPT] = credential;
    for (struct session *s = server->sessions; s != NULL; s = s->next_session)
        if (s->credential == credential)
            cut_revoked(s);
}

static bool is_watched(const struct watch_list *list, uint64_t key)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->places[i].key == key)
            return true;
    return false;
}

/* Runs on a worker. A list that is filed belongs to the loop thread, which frees it. */
void call_watch(struct call *call, const uint64_t *keys, size_t count)
{
    struct watch_list *list = NULL;

    if (count > CALL_WATCH_MAX)
        abort();
    if (count > 0)
        list = mem_zero(sizeof(*list) + count * sizeof(list->places[0]));
    for (size_t i = 0; i < count; i++)
        if (keys[i] != 0 && keys[i] != call->key && !is_watched(list, keys[i]))
            list->places[list->count++] = (struct keyed){ .key = keys[i] };
    if (call->watch != NULL && !call->watch->filed)
        free(call->watch);
    call->watch = list;
}

static struct keyed *next_of_key(struct keyed *place, uint64_t key)
{
    while (place != NULL && place->key != key)
        place = place->next;
    return place;
}

/* Several notices become one. */
static void note(struct session *session, struct notice_topic topic)
{
    struct notice_topic *known = &session->topic;

    if (!session->noticed)
        *known = topic;
    else if (known->key != topic.key)
        *known = (struct notice_topic){ 0 };
    else if (known->detail != topic.detail)
        known->detail = 0;
    session->noticed = true;
}

/* Waking may free a session with all its places; it has one only of each key. */
void server_notify(struct server *server, uint64_t key, uint64_t detail)
{
    struct keyed *place = next_of_key(*key_bucket(server, key), key);

    while (place != NULL) {
        struct keyed *next = next_of_key(place->next, key);

        note(place->session, (struct notice_topic){ key, detail });
        session_wake(place->session);
        place = next;
    }
}

static struct session *session_new(struct server *server, const struct protocol *protocol,
                                   void *context, uint64_t key)
{
    struct session *session = NEW(struct session);

    session->server = server;
    session->protocol = protocol;
    session->context = context;
    session->id = ++server->last_id;
    session->started_ms = uv_now(server->options.loop);
    session->call.key = key != 0 ? key : session->id | OWN_KEY;
    session->own = (struct keyed){ .session = session, .key = session->call.key };
    session->call.idle_ms = server->options.idle_ms;
    session->call.log = server->options.log;
    session->call.log.session = session->id;
    session->call.session = session;
    session->call.reason = "";
    session->call.tls_name = "";
    session->call.peer = &session->peer;
    session->wait = WAIT_OPEN;
    session->call.local = &session->local;

    session->next_session = server->sessions;
    session->previous_session = &server->sessions;
    if (server->sessions != NULL)
        server->sessions->previous_session = &session->next_session;
    server->sessions = session;
    server->n_sessions++;
    return session;
}

void server_forget(struct session *session)
{
    struct server *server = session->server;

    unfile_own(session);
    if (session->call.watch != session->watched)
        free(session->call.watch);
    unfile_watched(session);
    *session->previous_session = session->next_session;
    if (session->next_session != NULL)
        session->next_session->previous_session = session->previous_session;
    server->n_sessions--;
    if (session->counted)
        origins_leave(server->origins, session->peer.address);
    if (server->stopping && server->n_sessions == 0 && server->options.on_empty != NULL)
        server->options.on_empty(server->options.context);
}

bool server_is_banned(const struct server *server, const struct protocol *protocol,
                      const char *address)
{
    const struct server_options *options = &server->options;

    return options->is_banned != NULL && options->is_banned(options->context, protocol, address);
}

/* A new socket takes a line, or never will. */
static void send_away(int fd, bool tls_at_once, const char *reply)
{
    if (reply != NULL && !tls_at_once)
        (void)!send(fd, reply, strlen(reply), MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

/* A flood of them is not to be one of lines in the log. */
static void refuse_banned(struct server *server, int fd, const struct conn_peer *peer,
                          bool tls_at_once)
{
    send_away(fd, tls_at_once, server->options.banned_reply);
    log_debug(&server->options.log, "refused", F_STR("peer", peer->address),
              F_STR("reason", "banned"));
}

static void refuse(struct server *server, int fd, const struct conn_peer *peer, bool tls_at_once,
                   const char *reason)
{
    send_away(fd, tls_at_once, server->options.busy_reply);
    log_warn(&server->options.log, "refused", F_STR("peer", peer->address),
             F_NUM("sessions", (int64_t)server->n_sessions), F_STR("reason", reason));
}

/* What the allocator keeps in reserve counts as used; each worker gives it back. */
enum ceiling_state server_look(struct server *server)
{
    uint64_t now = uv_now(server->options.loop);
    enum ceiling_state state = ceiling_look(now);

    if (state == CEILING_PLENTY || now - server->relieved_ms < RELIEVE_MS)
        return state;
    server->relieved_ms = now;
    pool_relieve(server->options.pool);
    log_warn(&server->options.log, "memory is short", F_NUM("used", (int64_t)ceiling_used()),
             F_NUM("limit", (int64_t)ceiling_bytes()), F_NUM("held", (int64_t)ceiling_held()),
             F_NUM("sessions", (int64_t)server->n_sessions));
    return state;
}

bool server_is_crowded(const struct server *server)
{
    size_t max = server->options.max_sessions;

    return ceiling_state() != CEILING_PLENTY || (max > 0 && server->n_sessions > max - max / 4);
}

static bool is_proxy(const struct server *server, const struct conn_peer *peer)
{
    return server->options.proxy_hosts != NULL &&
           networks_contain(slice_of(server->options.proxy_hosts), peer->address);
}

/* A proxy's connections count for their clients, once it has said who they are. */
static bool is_welcome(struct server *server, const struct conn_peer *peer)
{
    const struct server_options *options = &server->options;

    if (options->max_sessions > 0 && server->n_sessions >= options->max_sessions)
        return false;
    return is_proxy(server, peer) ||
           origins_enter(server->origins, peer->address, options->max_per_address);
}

bool server_count(struct session *session)
{
    struct server *server = session->server;

    session->counted =
        origins_enter(server->origins, session->peer.address, server->options.max_per_address);
    return session->counted;
}

static struct conn_options conn_options(const struct server *server,
                                        const struct protocol *protocol)
{
    return (struct conn_options){
        .alpn = protocol->name,
        .stall_ms = server->options.stall_ms,
        .connect_ms = server->options.connect_ms,
        .input_max = server->options.input_max,
    };
}

void server_accept(struct server *server, int fd, const struct protocol *protocol, struct tls *tls,
                   bool tls_at_once)
{
    struct conn_options options = conn_options(server, protocol);
    struct conn_peer peer, local;

    conn_describe(fd, &peer, &local);
    if (!is_proxy(server, &peer) && server_is_banned(server, protocol, peer.address)) {
        refuse_banned(server, fd, &peer, tls_at_once);
        return;
    }
    if (server_look(server) == CEILING_SCARCE) {
        refuse(server, fd, &peer, tls_at_once, "memory is scarce");
        return;
    }
    if (server->stopping || !is_welcome(server, &peer)) {
        refuse(server, fd, &peer, tls_at_once, "too many connections");
        return;
    }
    struct session *session = session_new(server, protocol, protocol->context, 0);
    session->peer = peer;
    session->local = local;
    session->counted = !is_proxy(server, &peer);
    session->wait = session->counted ? WAIT_OPEN : WAIT_PROXY;
    session->call.tls_offered = tls != NULL && !tls_at_once;
    session->call.careful = true;
    session->tls_behind = tls_at_once;
    options.tls = tls;
    options.tls_at_once = tls_at_once && session->counted;
    log_debug(&session->call.log, "connect", F_STR("peer", peer.address), F_NUM("port", local.port),
              F_STR("protocol", protocol->name));
    session->conn = conn_accept(server->options.net, fd, &options, session_on_conn, session);
    if (session->wait == WAIT_PROXY) /* for all of the header, however slowly it comes */
        conn_set_alarm(session->conn, server->options.stall_ms);
    session_wake(session);
}

static void connect_to(struct server *server, const char *address, uint16_t port,
                       const struct protocol *protocol, void *context, uint64_t key)
{
    struct conn_options options = conn_options(server, protocol);
    struct session *session = session_new(server, protocol, context, key);

    options.alpn = NULL; /* "smtp" has no registered ALPN id that servers would expect */
    session->outgoing = true;
    session->call.tls_offered = true;
    session->conn =
        conn_connect(server->options.net, address, port, &options, session_on_conn, session);
    session->peer = *conn_peer(session->conn);
}

void server_connect(struct server *server, const char *address, uint16_t port,
                    const struct protocol *protocol, uint64_t key)
{
    connect_to(server, address, port, protocol, protocol->context, key);
}

size_t server_sessions(const struct server *server)
{
    return server->n_sessions;
}

void server_stop(struct server *server)
{
    struct session *session = server->sessions;

    server->stopping = true;
    if (session == NULL && server->options.on_empty != NULL)
        server->options.on_empty(server->options.context);
    while (session != NULL) {
        struct session *next = session->next_session;

        session_wake(session);
        session = next;
    }
}

void server_abort(struct server *server, const char *reason)
{
    for (struct session *s = server->sessions; s != NULL; s = s->next_session)
        if (s->conn != NULL)
            conn_abort(s->conn, reason);
}

void server_cut_banned(struct server *server)
{
    for (struct session *s = server->sessions; s != NULL; s = s->next_session)
        if (s->conn != NULL && !s->outgoing && s->wait != WAIT_PROXY &&
            server_is_banned(server, s->protocol, s->peer.address))
            conn_abort(s->conn, "banned");
}

void server_each(struct server *server, void (*each)(const struct session_info *, void *),
                 void *context)
{
    uint64_t now = uv_now(server->options.loop);

    for (struct session *s = server->sessions; s != NULL; s = s->next_session) {
        struct session_info info = {
            .id = s->id,
            .key = s->own.key,
            .peer = &s->peer,
            .protocol = s->protocol->name,
            .secure = s->conn != NULL && conn_is_secure(s->conn),
            .age_ms = now - s->started_ms,
        };
        each(&info, context);
    }
}

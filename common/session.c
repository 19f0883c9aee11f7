/* session.c - the waiting machine of one client; see session.h for the picture.
 *
 * Every callback, whatever woke us, ends in session_wake(), which asks step() whether the thing we
 * wait for has happened. Callbacks carry no data and decide nothing, so a spurious or late one is
 * harmless.
 *
 * Threads: all on the loop thread but work() and work_close(); work() on it, too, for a light
 * command. From pool_submit() until
 * on_job_done(), the worker owns session->call and the loop thread does not look at it; the one
 * exception is call->closing, which is atomic. No locks are needed.
 *
 * Lifetime: a session is freed in session_wake() and nowhere else, once its connection is gone and
 * no job is running.
 */
#include "common/session_private.h"

#include "common/clock.h"
#include "common/proxy.h"

#include <stdlib.h>

#define OUT_ENOUGH   (64 * 1024) /* bytes of reply: send before making more */
#define OUT_TIGHT    (8 * 1024)  /* ... when memory is */
#define IN_TIGHT     (4 * 1024)  /* bytes that are read ahead then */
#define TURN_MS      10          /* of a worker, for what a client has pipelined */
#define BUSY_TURN_MS 2           /* ... while others wait for it */
#define CROWDED_MS   10000       /* how long a stranger may be silent while places are short */
#define BYTES_PER_MS 1           /* of a command in hand, at least, when it takes long */

static void session_free(struct session *s)
{
    server_forget(s);
    buf_free(&s->call.in);
    buf_free(&s->call.out);
    arena_free(&s->call.arena);
    buf_free(&s->exporter);
    buf_free(&s->end_point);
    deflater_free(&s->deflater);
    free(s->tls_name);
    free(s);
}

static bool wait_for(struct session *s, enum wait wait)
{
    s->wait = wait;
    return true;
}

static size_t out_enough(void)
{
    return ceiling_state() == CEILING_PLENTY ? OUT_ENOUGH : OUT_TIGHT;
}

/* Not logged in, or of a protocol where nobody does; outgoing ones are our own. */
static bool is_stranger(const struct session *s)
{
    return !s->outgoing && (s->call.key & OWN_KEY) != 0;
}

/* Whether run() wants what it has left of its input. */
static bool goes_on(const struct session *s)
{
    return s->next == NEXT_COMMAND || (s->next == NEXT_NOTICE && s->took);
}

/* On a worker: whether run() may go on with the next pipelined command at once. */
static bool runs_on(const struct session *s, uint64_t key, uint64_t began_ms)
{
    unsigned turn_ms = pool_others_wait() ? BUSY_TURN_MS : TURN_MS;
    const struct call *call = &s->call;
    return goes_on(s) && call->in.len > 0 && call->out.len < out_enough() && call->key == key &&
           call->delay_ms == 0 && !s->slow && !s->last_run && !atomic_load(&call->closing) &&
           clock_coarse_ms() - began_ms < turn_ms;
}

static void run_once(struct session *s)
{
    struct call *call = &s->call;
    size_t before = call->in.len;

    call->need = 0;
    s->next = s->protocol->run(call);
    s->took = call->in.len < before;
}

static void work(struct job *job, void *desk) /* on a worker; with a light command, on the loop */
{
    struct session *s = CONTAINER_OF(job, struct session, job);
    struct call *call = &s->call;
    uint64_t key = call->key, began_ms = clock_coarse_ms();

    call->desk = s->slow ? NULL : desk;
    if (s->slow && atomic_load(&call->closing)) { /* nobody waits for what takes so long */
        s->next = NEXT_CLOSE;
        return;
    }
    call->arena.secret = call->arena.secret || call->careful;
    if (!s->opened)
        call->state = s->protocol->open != NULL ? s->protocol->open(call, s->context) : NULL;
    s->opened = true;
    run_once(s);
    while (runs_on(s, key, began_ms)) {
        if (s->next == NEXT_COMMAND)
            arena_reset(&call->arena);
        call->arena.secret = call->arena.secret || call->careful;
        call->why = WHY_INPUT;
        run_once(s);
    }
    if (s->next == NEXT_COMMAND || s->next == NEXT_COMPRESS || s->next == NEXT_UNCOMPRESS)
        arena_free(&call->arena); /* not only reset: the client may be silent for hours */
    if (call->in.len == 0)
        buf_free(&call->in);
    if (s->deflater != NULL)
        deflater_run(s->deflater, &call->out);
}

static void work_close(struct job *job, void *desk) /* on a worker */
{
    struct session *s = CONTAINER_OF(job, struct session, job);

    s->call.desk = desk;
    if (s->protocol->close != NULL)
        s->protocol->close(&s->call);
}

static void on_job_done(struct job *job)
{
    struct session *s = CONTAINER_OF(job, struct session, job);

    s->job_running = false;
    session_wake(s);
}

static void submit(struct session *s, void (*job)(struct job *, void *))
{
    s->job = (struct job){ .work = job, .done = on_job_done };
    s->job_running = true;
    if (s->slow)
        pool_submit(s->server->options.slow, origins_key(s->peer.address), &s->job);
    else
        pool_submit(s->server->options.pool, s->call.key, &s->job);
}

/* For input beside `held` bytes. While some is being looked at, none behind it is inflated: it may
 * say that compression is over. */
static void make_room(struct session *s, size_t held, bool looked_at)
{
    size_t max = s->server->options.input_max;

    if (ceiling_state() != CEILING_PLENTY && held < IN_TIGHT)
        max = MIN(max, (size_t)IN_TIGHT);
    bool wait = s->deflater != NULL && looked_at;

    conn_set_room(s->conn, max > held && !wait ? max - held : 0);
}

static bool is_light(const struct session *s)
{
    bool asked = s->call.why == WHY_INPUT && s->next == NEXT_COMMAND;
    bool resumed = s->call.why == WHY_AGAIN && s->next == NEXT_WAIT;

    return (asked || resumed) && s->opened && !s->last_run && s->protocol->is_light != NULL &&
           s->protocol->is_light(&s->call);
}

static bool run(struct session *s, enum why why)
{
    struct call *call = &s->call;

    server_look(s->server);
    if (s->conn != NULL) {
        buf_move(&call->in, conn_input(s->conn));
        conn_set_idle(s->conn, 0);
        conn_set_deadline(s->conn, 0);
        make_room(s, call->in.len, true);
    }
    call->why = why;
    s->slow = s->next == NEXT_SLOW && why == WHY_AGAIN;
    s->last_run = s->last_run || why == WHY_ENDED || why == WHY_TIMEOUT || why == WHY_STOP;
    if (is_light(s))
        work(&s->job, NULL);
    else
        submit(s, work);
    return wait_for(s, WAIT_RUN);
}

/* The protocol's close() runs while the connection sends its last bytes. */
static bool end(struct session *s, const char *reason)
{
    if (s->conn != NULL)
        conn_close(s->conn, reason);
    s->call.reason = reason;
    s->slow = false;
    if (s->opened)
        submit(s, work_close);
    return wait_for(s, WAIT_END);
}

static const char *goodbye_reason(const struct session *s)
{
    switch (s->call.why) {
    case WHY_TIMEOUT:
        return "timeout: the client is silent";
    case WHY_STOP:
        return "the server stops";
    case WHY_ENDED:
        return "the client hung up";
    case WHY_START:
    case WHY_INPUT:
    case WHY_AGAIN:
    case WHY_NOTICE:
    case WHY_SECURED:
        return "done";
    }
    return "done";
}

/* What is known of the connection once it is open, and again once it is secure. */
static void learn(struct session *s)
{
    struct call *call = &s->call;
    struct buf name = { 0 };

    if (!s->proxied)
        s->local = *conn_local(s->conn);
    call->secure = conn_is_secure(s->conn);
    if (!call->secure)
        return;
    call->tls_offered = false;
    conn_tls_name(s->conn, &name);
    s->tls_name = slice_strdup(buf_slice(&name));
    buf_free(&name);
    call->tls_name = s->tls_name;
    if (conn_binding_exporter(s->conn, &s->exporter))
        call->binding_exporter = buf_slice(&s->exporter);
    if (conn_binding_end_point(s->conn, &s->end_point))
        call->binding_end_point = buf_slice(&s->end_point);
}

static bool start_tls(struct session *s)
{
    if (!s->call.tls_offered)
        return end(s, "TLS is not offered");
    buf_free(&s->call.in); /* whatever came in clear text: RFC 3207 section 4.2, RFC 8314 */
    conn_set_room(s->conn, s->server->options.input_max);
    conn_start_tls(s->conn, s->call.tls_check);
    return wait_for(s, WAIT_TLS);
}

static void start_compression(struct session *s)
{
    s->next = NEXT_COMMAND;
    s->deflater = deflater_new();
    s->call.compressed = true;
    conn_start_inflate(s->conn, &s->call.in);
}

static void stop_compression(struct session *s)
{
    s->next = NEXT_COMMAND;
    deflater_free(&s->deflater);
    s->call.compressed = false;
    conn_stop_inflate(s->conn);
}

/* Who takes long over a command has to send some of it all the time; a byte now and then is no sign
 * of life. */
static uint64_t deadline_ms(struct session *s, uint64_t patience_ms)
{
    uint64_t now = uv_now(s->server->options.loop), bytes = conn_bytes_in(s->conn), until;

    if (s->next != NEXT_INPUT || patience_ms == 0) {
        s->command_ms = 0;
        return 0;
    }
    if (s->command_ms == 0) {
        s->command_ms = now;
        s->command_from = bytes;
    }
    until = s->command_ms + patience_ms + (bytes - s->command_from) / BYTES_PER_MS;
    return until > now ? until - now : 1;
}

/* How long it may take until somebody logs in; 0: nobody needs to. */
static uint64_t login_ms(struct session *s)
{
    uint64_t now = uv_now(s->server->options.loop), most = s->server->options.login_ms;

    if (!is_stranger(s) || most == 0) {
        s->stranger_ms = 0;
        return 0;
    }
    if (s->stranger_ms == 0)
        s->stranger_ms = now;
    return s->stranger_ms + most > now ? s->stranger_ms + most - now : 1;
}

static uint64_t idle_ms(const struct session *s)
{
    bool short_of = is_stranger(s) && server_is_crowded(s->server);

    return short_of ? MIN(s->call.idle_ms, (uint64_t)CROWDED_MS) : s->call.idle_ms;
}

static bool wait_for_input(struct session *s, enum wait wait)
{
    s->held = s->call.in.len;
    if (s->next == NEXT_INPUT && s->held >= s->server->options.input_max)
        return end(s, "the client sends more than fits");
    make_room(s, s->held, s->held > 0 && goes_on(s));
    conn_set_idle(s->conn, idle_ms(s));
    uint64_t command = deadline_ms(s, idle_ms(s)), login = login_ms(s);
    conn_set_deadline(s->conn, command == 0 || (login != 0 && login < command) ? login : command);
    return wait_for(s, wait);
}

/* run() is done and its reply may go out. */
static bool reply(struct session *s)
{
    server_file_keys(s);
    server_note_credential(s);
    conn_set_careful(s->conn, s->call.careful);
    conn_send(s->conn, &s->call.out);
    if (s->last_run && s->next != NEXT_WAIT)
        return end(s, goodbye_reason(s));
    switch (s->next) {
    case NEXT_COMMAND:
    case NEXT_INPUT:
        return wait_for_input(s, WAIT_INPUT);
    case NEXT_COMPRESS:
        start_compression(s);
        return wait_for_input(s, WAIT_INPUT);
    case NEXT_UNCOMPRESS:
        stop_compression(s);
        return wait_for_input(s, WAIT_INPUT);
    case NEXT_NOTICE:
        return wait_for_input(s, WAIT_NOTICE);
    case NEXT_AGAIN:
        return wait_for(s, WAIT_SENT);
    case NEXT_SLOW:
        return run(s, WHY_AGAIN);
    case NEXT_WAIT:
        return wait_for(s, WAIT_RESUME);
    case NEXT_TLS:
        return start_tls(s);
    case NEXT_CLOSE:
        return end(s, goodbye_reason(s));
    }
    abort();
}

static bool after_run(struct session *s)
{
    if (s->conn == NULL && s->next == NEXT_WAIT)
        return wait_for(s, WAIT_RESUME);
    if (s->conn == NULL)
        return end(s, s->lost_reason);
    if (s->call.delay_ms == 0)
        return reply(s);
    conn_set_alarm(s->conn, s->call.delay_ms);
    s->call.delay_ms = 0;
    return wait_for(s, WAIT_DELAY);
}

/* Whether run() has something to do with what came from the client. */
static bool input_is_enough(const struct session *s)
{
    size_t fresh = conn_input(s->conn)->len;

    if (goes_on(s))
        return s->held + fresh > 0;
    if (s->call.need > s->held && s->deflater == NULL) /* which gives some only when all is taken */
        return s->held + fresh >= s->call.need;
    return fresh > 0;
}

/* WAIT_INPUT and WAIT_NOTICE: the client may also be late, gone, or told to go. */
static bool look_for_input(struct session *s)
{
    if (conn_unsent(s->conn) >= out_enough())
        return false; /* it sends commands faster than it reads replies */
    if (s->server->stopping && !s->call.must_hear)
        return run(s, WHY_STOP);
    if (input_is_enough(s))
        return run(s, WHY_INPUT);
    if (s->noticed && (s->wait == WAIT_NOTICE || (s->next == NEXT_COMMAND && s->call.hears))) {
        s->noticed = false;
        s->call.notice = s->topic;
        return run(s, WHY_NOTICE);
    }
    if (conn_ended(s->conn))
        return run(s, WHY_ENDED);
    if (conn_timed_out(s->conn))
        return run(s, WHY_TIMEOUT);
    return false;
}

static bool look_for_open(struct session *s)
{
    if (!conn_is_open(s->conn))
        return false;
    learn(s);
    return run(s, WHY_START);
}

/* `reply` may be NULL; where TLS comes first there is none. */
static bool turn_away(struct session *s, const char *reply, const char *reason)
{
    if (reply != NULL && !s->tls_behind) {
        buf_add_text(&s->call.out, reply);
        conn_send(s->conn, &s->call.out);
    }
    log_warn(&s->call.log, "refused", F_STR("peer", s->peer.address), F_STR("reason", reason));
    return end(s, reason);
}

/* The client is who the proxy says it is; now it is counted as any other. */
static bool meet_client(struct session *s, const struct proxy_header *header)
{
    if (header->has_addresses) {
        s->peer = header->peer;
        s->local = header->local;
        s->proxied = true;
    }
    log_debug(&s->call.log, "proxied", F_STR("peer", s->peer.address),
              F_STR("proxy", conn_peer(s->conn)->address));
    if (server_is_banned(s->server, s->protocol, s->peer.address))
        return turn_away(s, s->server->options.banned_reply, "banned");
    if (!server_count(s))
        return turn_away(s, s->server->options.busy_reply, "too many connections");
    if (s->tls_behind)
        conn_start_tls_behind(s->conn);
    return wait_for(s, WAIT_OPEN);
}

static bool look_for_proxy(struct session *s)
{
    struct proxy_header header;

    if (s->server->stopping)
        return end(s, "the server stops");
    switch (proxy_parse(buf_slice(conn_input(s->conn)), &header)) {
    case PARSE_OK:
        buf_drop(conn_input(s->conn), header.len);
        return meet_client(s, &header);
    case PARSE_BAD:
        return turn_away(s, NULL, "no PROXY header from a proxy");
    case PARSE_MORE:
        break;
    }
    if (conn_ended(s->conn) || conn_alarm_due(s->conn))
        return turn_away(s, NULL, "half a PROXY header from a proxy");
    return false;
}

static bool look_for_tls(struct session *s)
{
    if (!conn_is_secure(s->conn))
        return false;
    learn(s);
    return run(s, WHY_SECURED);
}

static bool resume(struct session *s)
{
    if (!s->resumed)
        return false;
    s->resumed = false;
    return s->conn != NULL ? run(s, WHY_AGAIN) : end(s, s->lost_reason);
}

/* Whoever asked for a connection that failed hears of it through run(), once. */
static bool lost(struct session *s)
{
    if (s->outgoing && !s->opened) {
        buf_add_text(&s->call.in, s->lost_reason);
        return run(s, WHY_START);
    }
    return end(s, s->lost_reason);
}

/* Does the thing we wait for, if it can be done now. Returns false while it cannot. */
static bool step(struct session *s)
{
    switch (s->wait) {
    case WAIT_PROXY:
        return s->conn == NULL ? lost(s) : look_for_proxy(s);
    case WAIT_OPEN:
        return s->conn == NULL ? lost(s) : look_for_open(s);
    case WAIT_RUN:
        return !s->job_running && after_run(s);
    case WAIT_RESUME:
        return resume(s);
    case WAIT_INPUT:
    case WAIT_NOTICE:
        return s->conn == NULL ? lost(s) : look_for_input(s);
    case WAIT_DELAY:
        return s->conn == NULL ? lost(s)
                               : (conn_alarm_due(s->conn) || s->server->stopping) && reply(s);
    case WAIT_SENT:
        return s->conn == NULL ? lost(s) : conn_unsent(s->conn) < out_enough() && run(s, WHY_AGAIN);
    case WAIT_TLS:
        return s->conn == NULL ? lost(s) : look_for_tls(s);
    case WAIT_END:
        return s->conn == NULL && !s->job_running && wait_for(s, WAIT_FREE);
    case WAIT_FREE:
        return false;
    }
    abort();
}

void session_wake(struct session *s)
{
    while (step(s))
        continue;
    if (s->wait == WAIT_FREE)
        session_free(s);
}

/* While a worker owns the call, only the atomic in it may be touched. */
static void connection_closed(struct session *s)
{
    const char *reason = conn_close_reason(s->conn);

    log_info(&s->call.log, "closed", F_STR("peer", s->peer.address), F_STR("reason", reason),
             F_NUM("bytes_in", (int64_t)conn_bytes_in(s->conn)),
             F_NUM("bytes_out", (int64_t)conn_bytes_out(s->conn)),
             F_NUM("ms", (int64_t)(uv_now(s->server->options.loop) - s->started_ms)));
    atomic_store(&s->call.closing, true);
    s->conn = NULL;
    s->lost_reason = reason;
}

void session_on_conn(struct conn *conn, enum conn_event event, void *owner)
{
    struct session *s = owner;

    if (event == CONN_CLOSED)
        connection_closed(s);
    session_wake(s);
}

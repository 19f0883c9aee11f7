/* conn_time.c - the deadlines of a connection.
 *
 * Deadlines move with every byte, timers cost; so the one timer is only ever set earlier. When it
 * fires too early, it is set to what the deadline has become. A connection on which nothing
 * happens causes no wake-ups but that of its timeout.
 */
#include "common/conn_private.h"

static uint64_t now(const struct conn *conn)
{
    return uv_now(conn->net->loop);
}

static uint64_t earlier(uint64_t a, uint64_t b) /* 0: never */
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static uint64_t idle_at(const struct conn *conn)
{
    if (conn->phase != CONN_OPEN || conn->timed_out)
        return 0;
    return earlier(conn->idle_ms > 0 ? conn->last_input_at + conn->idle_ms : 0, conn->deadline_at);
}

/* libuv writes on without telling us: fewer bytes in its queue are a sign of life. */
static bool is_stalled(struct conn *conn)
{
    size_t queued = uv_stream_get_write_queue_size(&conn->socket.stream);

    if (conn->stall_at == 0 || now(conn) < conn->stall_at)
        return false;
    if (conn->phase != CONN_OPEN || queued >= conn->stall_queued)
        return true;
    conn_time_stall(conn, conn->stall_ms);
    return false;
}

static const char *stall_reason(const struct conn *conn)
{
    switch (conn->phase) {
    case CONN_CONNECTING:
        return "timeout while connecting";
    case CONN_SHAKING:
        return "timeout in the TLS handshake";
    case CONN_OPEN:
    case CONN_FLUSHING:
    case CONN_GONE:
        return "timeout: the peer does not read";
    case CONN_LINGERING: /* it had its goodbye */
        return conn->reason;
    }
    return "timeout";
}

static void on_timer(uv_timer_t *timer)
{
    struct conn *conn = CONTAINER_OF(timer, struct conn, timer);
    uint64_t idle = idle_at(conn);
    bool alarm = conn->alarm_at != 0 && now(conn) >= conn->alarm_at;

    conn->timer_at = 0;
    if (is_stalled(conn)) {
        conn_abort(conn, stall_reason(conn));
        return;
    }
    if (alarm)
        conn->alarm_at = 0;
    if (idle != 0 && now(conn) >= idle)
        conn->timed_out = true;
    conn_time_arm(conn);
    if (alarm || conn->timed_out)
        conn_wake(conn);
}

void conn_time_start(struct conn *conn)
{
    uv_timer_init(conn->net->loop, &conn->timer);
    conn->last_input_at = now(conn);
}

void conn_time_arm(struct conn *conn)
{
    uint64_t next = earlier(earlier(idle_at(conn), conn->stall_at), conn->alarm_at);

    if (conn->phase == CONN_GONE || next == 0)
        return;
    if (conn->timer_at != 0 && conn->timer_at <= next)
        return;
    conn->timer_at = next;
    uv_timer_start(&conn->timer, on_timer, next > now(conn) ? next - now(conn) : 0, 0);
}

void conn_time_stall(struct conn *conn, uint64_t ms)
{
    conn->stall_at = ms > 0 ? now(conn) + ms : 0;
    conn->stall_queued = uv_stream_get_write_queue_size(&conn->socket.stream);
    conn_time_arm(conn);
}

void conn_set_idle(struct conn *conn, uint64_t idle_ms)
{
    conn->idle_ms = idle_ms;
    conn->timed_out = false;
    conn->last_input_at = now(conn);
    conn_time_arm(conn);
}

void conn_set_deadline(struct conn *conn, uint64_t ms)
{
    conn->deadline_at = ms > 0 ? now(conn) + ms : 0;
    conn_time_arm(conn);
}

void conn_set_alarm(struct conn *conn, uint64_t ms)
{
    conn->alarm_at = now(conn) + MAX(ms, 1u);
    conn_time_arm(conn);
}

bool conn_alarm_due(const struct conn *conn)
{
    return conn->alarm_at == 0;
}

bool conn_timed_out(const struct conn *conn)
{
    return conn->timed_out;
}

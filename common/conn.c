/* conn.c - sockets and buffers of a connection; see conn_private.h for the picture.
 *
 * Reading: libuv reads into the loop's scratch buffer, from where the bytes are added to the input
 * or decrypted into it; so an idle connection holds no buffer. Reading is not stopped between
 * commands (that would cost two system calls each), only when the room for input is used up.
 *
 * Writing: uv_try_write() first, which usually takes all. What it does not take goes into one
 * write_request; what is sent meanwhile gathers behind it.
 *
 * Closing: when all is sent we send our FIN and read on until the peer's, for a moment. A plain
 * close() with unread input would make the kernel send a reset, and the client could lose our
 * last reply.
 */
#include "common/conn_private.h"

#include "common/mem.h"

#include <stdlib.h>
#include <sys/socket.h>

#define LINGER_MS 2000

void conn_wake(struct conn *conn)
{
    if (conn->phase < CONN_FLUSHING)
        conn->event(conn, CONN_WAKE, conn->owner);
}

static void conn_free(struct conn *conn)
{
    conn_tls_free(conn);
    inflater_free(&conn->inflater);
    buf_free(&conn->sealed);
    buf_free(&conn->packed);
    buf_free(&conn->input);
    buf_free(&conn->output);
    buf_free(&conn->wire);
    free(conn);
}

static void on_handle_closed(struct conn *conn)
{
    if (--conn->open_handles > 0)
        return;
    conn->event(conn, CONN_CLOSED, conn->owner);
    conn_free(conn);
}

static void on_socket_closed(uv_handle_t *handle)
{
    on_handle_closed(CONTAINER_OF(handle, struct conn, socket.handle));
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_handle_closed(CONTAINER_OF((uv_timer_t *)handle, struct conn, timer));
}

/* A reset drops what the kernel still holds for a peer that does not read. */
static bool close_with_reset(struct conn *conn)
{
    return conn_unsent(conn) > 0 && conn->socket.handle.type == UV_TCP &&
           uv_tcp_close_reset(&conn->socket.tcp, on_socket_closed) == 0;
}

void conn_abort(struct conn *conn, const char *reason)
{
    if (conn->phase == CONN_GONE)
        return;
    if (conn->phase < CONN_FLUSHING)
        conn->reason = reason;
    conn->phase = CONN_GONE;
    if (!close_with_reset(conn))
        uv_close(&conn->socket.handle, on_socket_closed);
    uv_close((uv_handle_t *)&conn->timer, on_timer_closed);
}

static void linger(struct conn *conn)
{
    uv_os_fd_t fd;

    conn->phase = CONN_LINGERING;
    conn_tls_free(conn);
    if (conn->saw_end || uv_fileno(&conn->socket.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        conn_abort(conn, conn->reason);
        return;
    }
    conn_time_stall(conn, MIN(conn->stall_ms, (uint64_t)LINGER_MS));
}

void conn_close(struct conn *conn, const char *reason)
{
    if (conn->phase >= CONN_FLUSHING)
        return;
    if (conn->phase != CONN_OPEN) {
        conn_abort(conn, reason);
        return;
    }
    conn->phase = CONN_FLUSHING;
    conn->reason = reason;
    buf_free(&conn->input);
    buf_free(&conn->packed);
    buf_free(&conn->sealed);
    conn_time_stall(conn, conn->stall_ms);
    conn_flush(conn);
    conn_update_reading(conn);
}

static void on_written(uv_write_t *request, int status)
{
    struct write_request *writing = CONTAINER_OF(request, struct write_request, request);
    struct conn *conn = writing->conn;

    if (status == 0)
        conn->bytes_out += writing->bytes.len;
    buf_free(&writing->bytes);
    free(writing);
    conn->writing = NULL;
    if (conn->phase == CONN_GONE)
        return;
    if (status < 0) {
        conn_abort(conn, uv_strerror(status));
        return;
    }
    conn_flush(conn);
    conn_wake(conn);
}

static void write_later(struct conn *conn)
{
    struct write_request *writing = NEW(struct write_request);

    writing->conn = conn;
    writing->bytes = conn->wire;
    conn->wire = (struct buf){ 0 };
    uv_buf_t bytes = uv_buf_init(writing->bytes.data, (unsigned)writing->bytes.len);
    int result = uv_write(&writing->request, &conn->socket.stream, &bytes, 1, on_written);
    if (result < 0) {
        buf_free(&writing->bytes);
        free(writing);
        conn_abort(conn, uv_strerror(result));
        return;
    }
    conn->writing = writing;
    if (conn->phase == CONN_OPEN)
        conn_time_stall(conn, conn->stall_ms);
}

/* Returns true when the socket took all of the wire. */
static bool write_wire(struct conn *conn)
{
    uv_buf_t bytes = uv_buf_init(conn->wire.data, (unsigned)conn->wire.len);
    int taken = uv_try_write(&conn->socket.stream, &bytes, 1);

    if (taken < 0 && taken != UV_EAGAIN) {
        conn_abort(conn, uv_strerror(taken));
        return false;
    }
    if (taken > 0) {
        conn->bytes_out += (uint64_t)taken;
        buf_drop(&conn->wire, (size_t)taken);
    }
    if (conn->wire.len > 0)
        write_later(conn);
    return conn->wire.len == 0 && conn->writing == NULL;
}

static void all_is_written(struct conn *conn)
{
    buf_free(&conn->wire);
    buf_free(&conn->output);
    if (conn->phase == CONN_OPEN)
        conn->stall_at = 0;
    if (conn->phase == CONN_FLUSHING)
        linger(conn);
}

void conn_flush(struct conn *conn)
{
    if (conn->phase == CONN_CONNECTING || conn->phase >= CONN_LINGERING || conn->writing != NULL)
        return;
    for (;;) {
        conn_tls_encrypt(conn);
        if (conn->phase == CONN_FLUSHING && conn->output.len == 0)
            conn_tls_bye(conn);
        if (conn->phase == CONN_GONE)
            return;
        if (conn->wire.len == 0)
            break;
        if (!write_wire(conn))
            return;
    }
    all_is_written(conn);
}

void conn_send(struct conn *conn, struct buf *bytes)
{
    if (conn->phase >= CONN_FLUSHING) {
        buf_free(bytes);
        return;
    }
    if (bytes->len == 0)
        return;
    buf_move(conn->session != NULL || conn->tls_at_once ? &conn->output : &conn->wire, bytes);
    conn_flush(conn);
}

size_t conn_unsent(const struct conn *conn)
{
    size_t queued =
        conn->writing != NULL ? uv_stream_get_write_queue_size(&conn->socket.stream) : 0;

    return conn->output.len + conn->wire.len + queued;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *space)
{
    struct conn *conn = CONTAINER_OF(handle, struct conn, socket.handle);
    size_t size = sizeof(conn->net->scratch);

    if (conn->phase == CONN_OPEN && conn->session == NULL && conn->inflater == NULL)
        size = MIN(size, conn->room - conn->input.len);
    *space = uv_buf_init(conn->net->scratch, (unsigned)size);
}

static void on_input_end(struct conn *conn, int status)
{
    conn->saw_end = true;
    conn->reading = false;
    uv_read_stop(&conn->socket.stream);
    if (status != UV_EOF)
        conn_abort(conn, uv_strerror(status));
    else if (conn->phase == CONN_SHAKING)
        conn_abort(conn, "the peer hung up in the TLS handshake");
    else if (conn->phase == CONN_LINGERING)
        conn_abort(conn, conn->reason);
    else
        conn_wake(conn);
}

static void take_sealed(struct conn *conn, struct slice bytes)
{
    conn->fresh = bytes;
    if (conn->phase == CONN_SHAKING)
        conn_tls_shake(conn);
    if (conn->phase == CONN_OPEN)
        conn_tls_decrypt(conn);
    if (conn->phase < CONN_FLUSHING)
        buf_add_slice(&conn->sealed, conn->fresh);
    conn->fresh = (struct slice){ 0 };
    conn_flush(conn);
}

void conn_set_careful(struct conn *conn, bool careful)
{
    conn->careful = careful;
}

void conn_add_input(struct conn *conn, const char *bytes, size_t len)
{
    conn->input.secret = conn->input.secret || conn->careful;
    buf_add(conn->inflater != NULL ? &conn->packed : &conn->input, bytes, len);
    conn_inflate(conn);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *space)
{
    struct conn *conn = CONTAINER_OF(stream, struct conn, socket.stream);

    if (count < 0) {
        on_input_end(conn, (int)count);
        return;
    }
    if (count == 0)
        return;
    conn->bytes_in += (uint64_t)count;
    if (conn->phase >= CONN_FLUSHING)
        return;
    if (conn->session != NULL) {
        take_sealed(conn, slice_make(space->base, (size_t)count));
    } else {
        conn_add_input(conn, space->base, (size_t)count);
        if (conn->careful)
            mem_wipe(space->base, (size_t)count);
        conn->last_input_at = uv_now(conn->net->loop);
    }
    conn_update_reading(conn);
    conn_wake(conn);
}

static bool wants_input(const struct conn *conn)
{
    if (conn->saw_end)
        return false;
    switch (conn->phase) {
    case CONN_CONNECTING:
    case CONN_GONE:
        return false;
    case CONN_OPEN:
        return conn_takes_input(conn) && conn->sealed.len == 0;
    case CONN_SHAKING:
    case CONN_FLUSHING:
    case CONN_LINGERING:
        return true;
    }
    return false;
}

void conn_update_reading(struct conn *conn)
{
    bool wants = wants_input(conn);

    if (wants == conn->reading || conn->phase == CONN_GONE)
        return;
    conn->reading = wants;
    int result = wants ? uv_read_start(&conn->socket.stream, on_alloc, on_read)
                       : uv_read_stop(&conn->socket.stream);
    if (result < 0)
        conn_abort(conn, uv_strerror(result));
}

/* There may be compressed input, and the TLS layer may still hold records that there was no room
 * for. */
void conn_set_room(struct conn *conn, size_t room)
{
    conn->room = room;
    conn_inflate(conn);
    if (conn->phase == CONN_OPEN && conn->session != NULL && conn->sealed.len > 0) {
        conn_tls_decrypt(conn);
        conn_flush(conn);
    }
    conn_update_reading(conn);
}

struct buf *conn_input(struct conn *conn)
{
    return &conn->input;
}

bool conn_is_open(const struct conn *conn)
{
    return conn->phase == CONN_OPEN;
}

bool conn_is_secure(const struct conn *conn)
{
    return conn->secure;
}

bool conn_ended(const struct conn *conn)
{
    bool all_inflated = conn->packed.len == 0 || conn->input.len == 0; /* or cannot be */

    return conn->saw_end && conn->sealed.len == 0 && all_inflated;
}

const struct conn_peer *conn_peer(const struct conn *conn)
{
    return &conn->peer;
}

const struct conn_peer *conn_local(const struct conn *conn)
{
    return &conn->local;
}

uint64_t conn_bytes_in(const struct conn *conn)
{
    return conn->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *conn)
{
    return conn->bytes_out;
}

const char *conn_close_reason(const struct conn *conn)
{
    return conn->reason;
}

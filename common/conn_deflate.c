/* conn_deflate.c - COMPRESS=DEFLATE of a connection, on its way in (RFC 4978).
 *
 *     socket --> (decrypt) --> packed --inflate--> input --> owner
 *
 * No more than the room for input is inflated, and nothing while input lies unread: so a few bytes
 * that would become very many are a client that pipelines, and what stands behind the end of
 * compression is still as it came. The way out is compressed on a worker, by the session.
 */
#include "common/conn_private.h"

#define PACKED_ENOUGH 4096 /* compressed bytes in reserve, behind which reading stops */

void conn_start_inflate(struct conn *conn, struct buf *early)
{
    if (conn->phase >= CONN_FLUSHING)
        return;
    conn->inflater = inflater_new();
    buf_move(&conn->packed, early);
    buf_move(&conn->packed, &conn->input);
    conn_inflate(conn);
    conn_update_reading(conn);
}

void conn_stop_inflate(struct conn *conn)
{
    conn->inflate_stops = conn->inflater != NULL;
    conn_inflate(conn);
    conn_update_reading(conn);
}

static enum parse stop(struct conn *conn)
{
    enum parse result = inflater_finish(conn->inflater, &conn->packed);

    if (result != PARSE_OK)
        return result;
    inflater_free(&conn->inflater);
    conn->inflate_stops = false;
    buf_move(&conn->input, &conn->packed);
    return PARSE_OK;
}

void conn_inflate(struct conn *conn)
{
    enum parse result;

    if (conn->inflater == NULL || conn->input.len > 0 || conn->phase >= CONN_FLUSHING)
        return;
    if (conn->inflate_stops)
        result = stop(conn);
    else
        result = inflater_run(conn->inflater, &conn->packed, &conn->input, conn->room);
    if (result == PARSE_BAD) {
        conn_abort(conn, "what came is not DEFLATE");
        return;
    }
    if (conn->packed.len == 0)
        buf_free(&conn->packed);
    if (conn->input.len == 0)
        buf_free(&conn->input);
}

bool conn_takes_input(const struct conn *conn)
{
    if (conn->inflater != NULL)
        return conn->packed.len < PACKED_ENOUGH;
    return conn->input.len < conn->room;
}

/* conn_open.c - how a connection begins: accepted, or opened by us; and how TLS begins on it. */
#include "common/conn_private.h"

#include "common/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void describe(const struct sockaddr_storage *address, struct conn_peer *peer)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

    *peer = (struct conn_peer){ .address = "unix" };
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, peer->address, sizeof(peer->address));
        peer->port = ntohs(v4->sin_port);
    } else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], peer->address, sizeof(peer->address));
        peer->port = ntohs(v6->sin6_port);
    } else if (address->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, peer->address, sizeof(peer->address));
        peer->port = ntohs(v6->sin6_port);
    }
}

void conn_describe(int fd, struct conn_peer *peer_out, struct conn_peer *local_out)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof(address);

    getpeername(fd, (struct sockaddr *)&address, &len);
    describe(&address, peer_out);
    address = (struct sockaddr_storage){ 0 };
    len = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &len);
    describe(&address, local_out);
}

static struct conn *conn_new(struct net *net, const struct conn_options *options, conn_owner event,
                             void *owner)
{
    struct conn *conn = NEW(struct conn);

    conn->net = net;
    conn->event = event;
    conn->owner = owner;
    conn->tls = options->tls;
    conn->alpn = options->alpn;
    conn->tls_at_once = options->tls_at_once;
    conn->idle_ms = options->idle_ms;
    conn->stall_ms = options->stall_ms;
    conn->room = options->input_max;
    conn->open_handles = 2;
    conn->reason = "";
    conn_time_start(conn);
    return conn;
}

/* Connected: on to TLS or to the owner. */
static void conn_opened(struct conn *conn)
{
    conn->phase = CONN_OPEN;
    conn->stall_at = 0;
    if (conn->tls_at_once)
        conn_start_tls(conn, NULL);
    conn_time_arm(conn);
    conn_flush(conn);
    conn_update_reading(conn);
}

static int open_accepted(struct conn *conn, int fd, bool is_unix)
{
    int result = is_unix ? uv_pipe_init(conn->net->loop, &conn->socket.pipe, 0)
                         : uv_tcp_init(conn->net->loop, &conn->socket.tcp);

    if (result < 0)
        return result;
    return is_unix ? uv_pipe_open(&conn->socket.pipe, fd) : uv_tcp_open(&conn->socket.tcp, fd);
}

struct conn *conn_accept(struct net *net, int fd, const struct conn_options *options,
                         conn_owner event, void *owner)
{
    struct conn *conn = conn_new(net, options, event, owner);

    conn->careful = true;
    conn_describe(fd, &conn->peer, &conn->local);
    int result = open_accepted(conn, fd, strcmp(conn->local.address, "unix") == 0);
    if (result < 0) {
        close(fd);
        conn_abort(conn, uv_strerror(result));
        return conn;
    }
    conn_opened(conn);
    return conn;
}

static bool is_unix(const struct conn *conn)
{
    return strcmp(conn->peer.address, "unix") == 0;
}

static void learn_local(struct conn *conn)
{
    struct sockaddr_storage local = { 0 };
    int len = sizeof(local);

    if (!is_unix(conn)) {
        uv_tcp_nodelay(&conn->socket.tcp, 1);
        uv_tcp_getsockname(&conn->socket.tcp, (struct sockaddr *)&local, &len);
    }
    describe(&local, &conn->local);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct conn *conn = request->data;

    free(request);
    if (conn->phase == CONN_GONE)
        return;
    if (status < 0) {
        conn_abort(conn, uv_strerror(status));
        return;
    }
    learn_local(conn);
    conn_opened(conn);
    conn_wake(conn);
}

static int parse_address(const char *text, uint16_t port, struct sockaddr_storage *address)
{
    *address = (struct sockaddr_storage){ 0 };
    if (uv_ip4_addr(text, port, (struct sockaddr_in *)address) == 0)
        return 0;
    return uv_ip6_addr(text, port, (struct sockaddr_in6 *)address);
}

static int connect_unix(struct conn *conn, uv_connect_t *request, const char *path)
{
    describe(&(struct sockaddr_storage){ 0 }, &conn->peer);
    int result = uv_pipe_init(conn->net->loop, &conn->socket.pipe, 0);
    if (result == 0)
        uv_pipe_connect(request, &conn->socket.pipe, path, on_connected);
    return result;
}

static int connect_tcp(struct conn *conn, uv_connect_t *request, const char *address, uint16_t port)
{
    struct sockaddr_storage remote;

    uv_tcp_init(conn->net->loop, &conn->socket.tcp);
    int result = parse_address(address, port, &remote);
    describe(&remote, &conn->peer);
    if (result != 0)
        return result;
    return uv_tcp_connect(request, &conn->socket.tcp, (struct sockaddr *)&remote, on_connected);
}

struct conn *conn_connect(struct net *net, const char *address, uint16_t port,
                          const struct conn_options *options, conn_owner event, void *owner)
{
    struct conn *conn = conn_new(net, options, event, owner);
    uv_connect_t *request = NEW(uv_connect_t);

    conn->outgoing = true;
    request->data = conn;
    int result = address[0] == '/' ? connect_unix(conn, request, address)
                                   : connect_tcp(conn, request, address, port);
    if (result < 0) {
        free(request);
        conn_abort(conn, uv_strerror(result));
        return conn;
    }
    conn_time_stall(conn, options->connect_ms > 0 ? options->connect_ms : conn->stall_ms);
    return conn;
}

void conn_start_tls(struct conn *conn, struct tls_check *check)
{
    if (conn->phase != CONN_OPEN || conn->session != NULL)
        return;
    buf_free(&conn->input);
    if (conn->saw_end) {
        conn_abort(conn, "the peer hung up before the TLS handshake");
        return;
    }
    conn->check = check;
    if (!conn_tls_start(conn)) {
        conn_abort(conn, "TLS cannot be started");
        return;
    }
    conn->phase = CONN_SHAKING;
    conn_time_stall(conn, conn->stall_ms);
    if (conn->outgoing)
        conn_tls_shake(conn); /* the client speaks first */
    conn_flush(conn);
    conn_update_reading(conn);
}

void conn_start_tls_behind(struct conn *conn)
{
    struct buf early = { 0 };

    buf_move(&early, &conn->input);
    conn_start_tls(conn, NULL);
    if (conn->phase != CONN_SHAKING) {
        buf_free(&early);
        return;
    }
    buf_move(&conn->sealed, &early);
    conn_tls_shake(conn);
    conn_flush(conn);
    conn_update_reading(conn);
}

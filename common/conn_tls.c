/* conn_tls.c - TLS of a connection: GnuTLS between our own buffers.
 *
 * GnuTLS never sees the socket: it pulls from what was read and pushes into conn->wire, so that a
 * flight of handshake messages or several records go out in one write. Pushing never blocks.
 */
#include "common/conn_private.h"

#include "common/mem.h"
#include "common/tls_verify.h"

#include <errno.h>
#include <stdlib.h>

#define RECORD_MAX   (16 * 1024) /* clear text in one record: RFC 8446 section 5.1 */
#define WIRE_ENOUGH  (64 * 1024)
#define WARNINGS_MAX 16 /* alerts and the like that a peer may send in a row */

struct net *net_new(struct uv_loop_s *loop)
{
    struct net *net = NEW(struct net);

    net->loop = loop;
    gnutls_certificate_allocate_credentials(&net->client_credentials);
    gnutls_priority_init(&net->client_priority, TLS_PRIORITY, NULL);
    return net;
}

void net_free(struct net **net_pointer)
{
    struct net *net = TAKE(*net_pointer);

    if (net == NULL)
        return;
    gnutls_certificate_free_credentials(net->client_credentials);
    gnutls_priority_deinit(net->client_priority);
    free(net);
}

bool net_trust(struct net *net, const char *authorities, struct error *err)
{
    int code = authorities[0] != '\0'
                   ? gnutls_certificate_set_x509_trust_file(net->client_credentials, authorities,
                                                            GNUTLS_X509_FMT_PEM)
                   : gnutls_certificate_set_x509_system_trust(net->client_credentials);

    if (code > 0)
        return true;
    if (authorities[0] != '\0')
        return error_set(err, ERROR_INVALID, "[tls] authorities = %s: %s", authorities,
                         code < 0 ? gnutls_strerror(code) : "there is no certificate in it");
    return error_set(err, ERROR_INVALID,
                     "the system has no authorities that other servers' certificates may come "
                     "from: install the package ca-certificates");
}

static ssize_t push(gnutls_transport_ptr_t transport, const void *data, size_t len)
{
    struct conn *conn = transport;

    buf_add(&conn->wire, data, len);
    return (ssize_t)len;
}

static size_t pull_from(struct slice source, void *data, size_t len)
{
    len = MIN(len, source.len);
    if (len > 0)
        memcpy(data, source.data, len);
    return len;
}

static ssize_t pull(gnutls_transport_ptr_t transport, void *data, size_t len)
{
    struct conn *conn = transport;
    size_t taken;

    if (conn->sealed.len > 0) {
        taken = pull_from(buf_slice(&conn->sealed), data, len);
        buf_drop(&conn->sealed, taken);
    } else {
        taken = pull_from(conn->fresh, data, len);
        conn->fresh = slice_from(conn->fresh, taken);
    }
    if (taken > 0)
        return (ssize_t)taken;
    gnutls_transport_set_errno(conn->session, EAGAIN);
    return -1;
}

static int pull_ready(gnutls_transport_ptr_t transport, unsigned ms)
{
    const struct conn *conn = transport;

    return conn->sealed.len + conn->fresh.len > 0;
}

/* GnuTLS calls this when the server's certificates are there, before our last message. */
static int look_at_server(gnutls_session_t session)
{
    struct conn *conn = gnutls_transport_get_ptr(session);
    struct tls_check *check = conn->check;

    return tls_verify(session, check) || check->report_only ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

static gnutls_session_t client_session(struct conn *conn)
{
    const struct tls_check *check = conn->check;
    gnutls_session_t session;

    if (gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        return NULL;
    if (gnutls_priority_set(session, conn->net->client_priority) < 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, conn->net->client_credentials) <
            0) {
        gnutls_deinit(session);
        return NULL;
    }
    if (check != NULL && check->server_name != NULL)
        gnutls_server_name_set(session, GNUTLS_NAME_DNS, check->server_name,
                               strlen(check->server_name));
    if (check != NULL)
        gnutls_session_set_verify_function(session, look_at_server);
    return session;
}

bool conn_tls_start(struct conn *conn)
{
    if (conn->outgoing)
        conn->session = client_session(conn);
    else if (conn->tls != NULL)
        conn->session = tls_session(conn->tls, &conn->certificates);
    if (conn->session == NULL)
        return false;

    if (conn->alpn != NULL) {
        gnutls_datum_t name = { (unsigned char *)conn->alpn, (unsigned)strlen(conn->alpn) };
        gnutls_alpn_set_protocols(conn->session, &name, 1, 0);
    }
    gnutls_transport_set_ptr(conn->session, conn);
    gnutls_transport_set_push_function(conn->session, push);
    gnutls_transport_set_pull_function(conn->session, pull);
    gnutls_transport_set_pull_timeout_function(conn->session, pull_ready);
    return true;
}

static bool is_waiting(int code)
{
    return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

/* The peer is told why, if the socket takes it at once. */
static void tls_failed(struct conn *conn, int code)
{
    gnutls_alert_send_appropriate(conn->session, code);
    if (conn->wire.len > 0 && conn->writing == NULL) {
        uv_buf_t bytes = uv_buf_init(conn->wire.data, (unsigned)conn->wire.len);
        uv_try_write(&conn->socket.stream, &bytes, 1);
        buf_free(&conn->wire);
    }
    if (code == GNUTLS_E_CERTIFICATE_ERROR && conn->check != NULL)
        conn_abort(conn, tls_fault_text(conn->check->fault));
    else
        conn_abort(conn, gnutls_strerror(code));
}

void conn_tls_shake(struct conn *conn)
{
    int code = GNUTLS_E_AGAIN;

    for (int tries = 0; tries < WARNINGS_MAX; tries++) {
        code = gnutls_handshake(conn->session);
        if (code == 0 || is_waiting(code) || gnutls_error_is_fatal(code))
            break;
    }
    if (is_waiting(code))
        return;
    if (code < 0) {
        tls_failed(conn, code);
        return;
    }
    conn->secure = true;
    conn->check = NULL;
    conn->phase = CONN_OPEN;
    conn->last_input_at = uv_now(conn->net->loop);
    conn->stall_at = 0;
    conn_time_arm(conn);
}

/* The clear text lies in GnuTLS's own memory, which it gives back as it is. */
static ssize_t take_record(struct conn *conn)
{
    gnutls_packet_t packet = NULL;
    gnutls_datum_t bytes = { 0 };
    ssize_t len = gnutls_record_recv_packet(conn->session, &packet);

    if (len > 0) {
        gnutls_packet_get(packet, &bytes, NULL);
        conn_add_input(conn, (const char *)bytes.data, bytes.size);
        if (conn->careful)
            mem_wipe(bytes.data, bytes.size);
    }
    if (packet != NULL)
        gnutls_packet_deinit(packet);
    return len;
}

/* Returns false when there is no more for now. */
static bool decrypt_record(struct conn *conn, unsigned *warnings)
{
    ssize_t len = take_record(conn);

    if (len > 0) {
        *warnings = 0;
        conn->last_input_at = uv_now(conn->net->loop); /* parts of a record are no input */
        return true;
    }
    if (len == 0) { /* close_notify */
        conn->saw_end = true;
        conn->fresh = (struct slice){ 0 };
        buf_free(&conn->sealed);
        return false;
    }
    if (is_waiting((int)len)) /* also after a ticket or a key update, with more to read behind it */
        return conn->sealed.len + conn->fresh.len > 0;
    /* A second handshake (TLS 1.2) is refused: clients do not need it, attackers like it. */
    if (gnutls_error_is_fatal((int)len) || len == GNUTLS_E_REHANDSHAKE ||
        ++*warnings > WARNINGS_MAX) {
        tls_failed(conn, (int)len);
        return false;
    }
    return true;
}

void conn_tls_decrypt(struct conn *conn)
{
    unsigned warnings = 0;

    while (conn->phase == CONN_OPEN && conn_takes_input(conn) && decrypt_record(conn, &warnings))
        continue;
    if (conn->sealed.len == 0)
        buf_free(&conn->sealed);
}

void conn_tls_encrypt(struct conn *conn)
{
    if (!conn->secure || conn->session == NULL)
        return;
    while (conn->output.len > 0 && conn->wire.len < WIRE_ENOUGH) {
        ssize_t len = gnutls_record_send(conn->session, conn->output.data,
                                         MIN(conn->output.len, (size_t)RECORD_MAX));
        if (len < 0) {
            conn_abort(conn, gnutls_strerror((int)len));
            return;
        }
        buf_drop(&conn->output, (size_t)len);
    }
}

/* Once: the session is freed, so there is nothing to say goodbye to a second time. */
void conn_tls_bye(struct conn *conn)
{
    if (conn->session == NULL)
        return;
    gnutls_bye(conn->session, GNUTLS_SHUT_WR);
    conn_tls_free(conn);
}

void conn_tls_free(struct conn *conn)
{
    if (conn->session == NULL)
        return;
    gnutls_deinit(conn->session);
    conn->session = NULL;
    tls_certificates_unref(&conn->certificates);
}

void conn_tls_name(const struct conn *conn, struct buf *out)
{
    if (!conn->secure || conn->session == NULL)
        return;
    buf_fmt(out, "%s %s", gnutls_protocol_get_name(gnutls_protocol_get_version(conn->session)),
            gnutls_cipher_get_name(gnutls_cipher_get(conn->session)));
}

static bool binding(struct conn *conn, gnutls_channel_binding_t kind, struct buf *out)
{
    gnutls_datum_t bytes = { 0 };

    if (!conn->secure || conn->session == NULL ||
        gnutls_session_channel_binding(conn->session, kind, &bytes) < 0)
        return false;
    buf_add(out, bytes.data, bytes.size);
    gnutls_free(bytes.data);
    return true;
}

/* RFC 9266 section 4.2: with TLS 1.2 only if the extended master secret is used. */
bool conn_binding_exporter(struct conn *conn, struct buf *out)
{
    if (!conn->secure || conn->session == NULL)
        return false;
    if (gnutls_protocol_get_version(conn->session) == GNUTLS_TLS1_2 &&
        !gnutls_session_ext_master_secret_status(conn->session))
        return false;
    return binding(conn, GNUTLS_CB_TLS_EXPORTER, out);
}

bool conn_binding_end_point(struct conn *conn, struct buf *out)
{
    return binding(conn, GNUTLS_CB_TLS_SERVER_END_POINT, out);
}

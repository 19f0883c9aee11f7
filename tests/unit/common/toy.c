/* toy.c - see toy.h. The commands are those of the table in run_command(). */
#include "toy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_PATIENCE_SECONDS 10
#define CHUNK                   (64 * 1024)

enum toy_phase { TOY_LINES, TOY_BIG, TOY_BLOCK, TOY_SLOW, TOY_WAIT, TOY_IDLE };

struct toy_state {
    enum toy_phase phase;
    size_t left;
    struct toy *toy;
};

static void *toy_open(struct call *call, void *context)
{
    struct toy_state *state = NEW(struct toy_state);

    state->toy = context;
    atomic_fetch_add(&state->toy->opened, 1);
    return state;
}

static void toy_close(struct call *call)
{
    struct toy_state *state = call->state;

    assert_true(call->reason[0] != '\0');
    atomic_fetch_add(&state->toy->closed, 1);
    free(state);
}

static void *resume_later(void *argument)
{
    usleep(20000);
    call_resume(argument);
    return NULL;
}

static enum next start_waiting(struct call *call, struct toy_state *state, bool at_once)
{
    pthread_t thread;

    state->phase = TOY_WAIT;
    if (at_once) {
        call_resume(call);
        usleep(5000); /* the loop hears of it before run() returns */
    } else {
        pthread_create(&thread, NULL, resume_later, call);
        pthread_detach(thread);
    }
    return NEXT_WAIT;
}

static enum next say(struct call *call, const char *text)
{
    buf_add_text(&call->out, text);
    buf_add_text(&call->out, "\r\n");
    return NEXT_COMMAND;
}

static enum next describe(struct call *call)
{
    buf_fmt(&call->out, "%s [%s] %zu %zu %s %u\r\n", call->secure ? "secure" : "clear",
            call->tls_name, call->binding_exporter.len, call->binding_end_point.len,
            call->peer->address, call->tls_offered);
    return NEXT_COMMAND;
}

static void watch(struct call *call, const char *numbers)
{
    uint64_t keys[8];
    size_t count = 0;
    char *end;

    for (; *numbers != '\0'; numbers = end)
        keys[count++] = strtoull(numbers, &end, 10);
    call_watch(call, keys, count);
}

static enum next run_command(struct call *call, struct toy_state *state, const char *word,
                             const char *argument)
{
    if (strcmp(word, "ECHO") == 0)
        return say(call, argument);
    if (strcmp(word, "DESCRIBE") == 0)
        return describe(call);
    if (strcmp(word, "WHERE") == 0) {
        assert_int_equal(call->desk == NULL, pthread_equal(pthread_self(), state->toy->thread));
        return say(call, call->desk == NULL ? "loop" : "worker");
    }
    if (strcmp(word, "KEY") == 0) {
        call->key = strtoull(argument, NULL, 10);
        return say(call, "keyed");
    }
    if (strcmp(word, "WATCH") == 0) {
        watch(call, argument);
        return say(call, "watching");
    }
    if (strcmp(word, "EAR") == 0) {
        call->hears = true;
        return say(call, "all ears");
    }
    if (strcmp(word, "DELAY") == 0) {
        call->delay_ms = strtoull(argument, NULL, 10);
        return say(call, "late");
    }
    state->left = strcmp(word, "LIGHT") == 0;
    if (strcmp(word, "WAIT") == 0 || strcmp(word, "LIGHT") == 0)
        return start_waiting(call, state, strcmp(argument, "0") == 0);
    if (strcmp(word, "STARTTLS") == 0) {
        say(call, "go");
        return NEXT_TLS;
    }
    if (strcmp(word, "HEAR") == 0) { /* the next command, before a stop */
        call->must_hear = true;
        return say(call, "listening");
    }
    if (strcmp(word, "QUIT") == 0) {
        say(call, "bye");
        return NEXT_CLOSE;
    }
    if (strcmp(word, "SLOW") == 0) {
        state->phase = TOY_SLOW;
        return NEXT_SLOW;
    }
    if (strcmp(word, "IDLE") == 0) {
        state->phase = TOY_IDLE;
        say(call, "idling");
        return NEXT_NOTICE;
    }
    state->left = strtoull(argument, NULL, 10);
    state->phase = strcmp(word, "BIG") == 0 ? TOY_BIG : TOY_BLOCK;
    return state->phase == TOY_BIG ? NEXT_AGAIN : NEXT_COMMAND;
}

static bool take_line(struct call *call, char *line, size_t room)
{
    ptrdiff_t end = slice_find(buf_slice(&call->in), '\n');

    if (end < 0)
        return false;
    assert_true(end >= 1 && (size_t)end < room);
    memcpy(line, call->in.data, (size_t)end - 1);
    line[end - 1] = '\0';
    buf_drop(&call->in, (size_t)end + 1);
    return true;
}

static enum next run_line(struct call *call, struct toy_state *state)
{
    char line[512];

    if (!take_line(call, line, sizeof(line)))
        return NEXT_INPUT;
    char *space = strchr(line, ' ');
    if (space != NULL)
        *space = '\0';
    call->must_hear = false;
    return run_command(call, state, line, space != NULL ? space + 1 : "");
}

static enum next run_big(struct call *call, struct toy_state *state)
{
    size_t len = MIN(state->left, (size_t)CHUNK);

    memset(buf_reserve(&call->out, len), 'x', len);
    buf_wrote(&call->out, len);
    state->left -= len;
    if (state->left > 0)
        return NEXT_AGAIN;
    state->phase = TOY_LINES;
    return say(call, "");
}

static enum next run_block(struct call *call, struct toy_state *state)
{
    size_t len = MIN(state->left, call->in.len);

    buf_drop(&call->in, len);
    state->left -= len;
    call->need = MIN(state->left, (size_t)1000);
    if (state->left > 0)
        return NEXT_INPUT;
    state->phase = TOY_LINES;
    return say(call, "got it");
}

static enum next say_notice(struct call *call)
{
    char line[64] = "notice";

    if (call->notice.detail != 0)
        snprintf(line, sizeof(line), "notice %d %d", (int)call->notice.key,
                 (int)call->notice.detail);
    return say(call, line);
}

static enum next run_idle(struct call *call, struct toy_state *state)
{
    char line[512];

    if (call->why == WHY_NOTICE)
        say_notice(call);
    if (!take_line(call, line, sizeof(line)))
        return NEXT_NOTICE;
    state->phase = TOY_LINES;
    return say(call, strcmp(line, "DONE") == 0 ? "done" : "what?");
}

static bool toy_is_light(const struct call *call)
{
    const struct toy_state *state = call->state;

    if (call->why == WHY_AGAIN)
        return state->phase == TOY_WAIT && state->left == 1 && call->in.len == 0;
    return slice_is(buf_slice(&call->in), "WHERE\r\n");
}

static enum next say_goodbye(struct call *call, const char *text)
{
    say(call, text);
    return NEXT_CLOSE;
}

static enum next run_phase(struct call *call, struct toy_state *state)
{
    switch (state->phase) {
    case TOY_LINES:
        return call->why == WHY_NOTICE ? say_notice(call) : run_line(call, state);
    case TOY_BIG:
        return run_big(call, state);
    case TOY_BLOCK:
        return run_block(call, state);
    case TOY_SLOW:
        state->phase = TOY_LINES;
        return say(call, call->desk == NULL ? "slow" : "not slow");
    case TOY_WAIT:
        state->phase = TOY_LINES;
        if (state->left == 0)
            return say(call, "waited");
        return say(call, call->desk == NULL ? "waited on the loop" : "waited on a worker");
    case TOY_IDLE:
        return run_idle(call, state);
    }
    abort();
}

static enum next toy_run(struct call *call)
{
    switch (call->why) {
    case WHY_START:
        return say(call, "hello");
    case WHY_TIMEOUT:
        return say_goodbye(call, "timeout");
    case WHY_STOP:
        return say_goodbye(call, "stop");
    case WHY_ENDED:
        return say(call, "ended"); /* means the same as NEXT_CLOSE */
    case WHY_SECURED:
        return NEXT_COMMAND;
    case WHY_INPUT:
    case WHY_AGAIN:
    case WHY_NOTICE:
        return run_phase(call, call->state);
    }
    abort();
}

static bool open_desk(void *context, void **desk_out, struct error *err)
{
    struct toy *toy = context;

    atomic_fetch_add(&toy->desks, 1);
    *desk_out = toy;
    return true;
}

static void close_desk(void *desk)
{
    struct toy *toy = desk;

    atomic_fetch_sub(&toy->desks, 1);
}

static void on_accepted(int fd, void *owner)
{
    struct toy *toy = owner;

    server_accept(toy->server, fd, &toy->protocol, toy->tls, toy->options.tls_at_once);
}

static void on_empty(void *context)
{
    struct toy *toy = context;

    uv_stop(&toy->loop);
}

static int listen_loopback(uint16_t *port_out)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1024), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    *port_out = ntohs(address.sin_port);
    return fd;
}

static void on_asked(uv_async_t *async)
{
    struct toy *toy = CONTAINER_OF(async, struct toy, asked);

    pthread_mutex_lock(&toy->lock);
    if (toy->ask != NULL)
        toy->ask(toy);
    toy->ask = NULL;
    pthread_cond_signal(&toy->answered);
    pthread_mutex_unlock(&toy->lock);
}

static void ask(struct toy *toy, void (*question)(struct toy *))
{
    pthread_mutex_lock(&toy->lock);
    toy->ask = question;
    uv_async_send(&toy->asked);
    while (toy->ask != NULL)
        pthread_cond_wait(&toy->answered, &toy->lock);
    pthread_mutex_unlock(&toy->lock);
}

static void *toy_main(void *argument)
{
    struct toy *toy = argument;

    uv_run(&toy->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void load_tls(struct toy *toy)
{
    char certificate[128], key[128], names[128];
    struct error err;

    toy_make_certificate(toy->folder, "main", "main.example");
    snprintf(certificate, sizeof(certificate), "%s/main.crt", toy->folder);
    snprintf(key, sizeof(key), "%s/main.key", toy->folder);
    snprintf(names, sizeof(names), "%s/names", toy->folder);
    assert_int_equal(mkdir(names, 0700), 0);
    toy_make_certificate(names, "other", "*.other.example");
    struct tls_files files = { .certificate = certificate, .key = key, .folder = names };
    if (!tls_load(&files, &toy->tls, &err))
        fail_msg("%s", err.text);
}

void toy_start(struct toy *toy, const struct toy_options *options)
{
    struct pool_desk desk = { .open = open_desk, .close = close_desk, .context = toy };
    struct error err;

    *toy = (struct toy){ .options = *options,
                         .folder = "/tmp/postane-toy-XXXXXX",
                         .protocol = { "toy", toy_open, toy_run, toy_close, toy_is_light, toy } };
    assert_non_null(mkdtemp(toy->folder));
    pthread_mutex_init(&toy->lock, NULL);
    pthread_cond_init(&toy->answered, NULL);
    uv_loop_init(&toy->loop);
    uv_async_init(&toy->loop, &toy->asked, on_asked);
    if (options->tls || options->tls_at_once)
        load_tls(toy);
    assert_true(pool_new(&toy->loop, 2, &desk, &toy->pool, &err));
    assert_true(pool_new(&toy->loop, 1, NULL, &toy->slow, &err));
    toy->net = net_new(&toy->loop);
    struct server_options server = {
        .loop = &toy->loop,
        .net = toy->net,
        .pool = toy->pool,
        .slow = toy->slow,
        .log = { .daemon = "toyd" },
        .idle_ms = options->idle_ms > 0 ? options->idle_ms : 60000,
        .stall_ms = options->stall_ms > 0 ? options->stall_ms : 60000,
        .input_max = options->input_max > 0 ? options->input_max : 16384,
        .max_sessions = options->max_sessions,
        .max_per_address = options->max_per_address,
        .proxy_hosts = options->proxy_hosts,
        .busy_reply = "busy\r\n",
        .on_empty = on_empty,
        .context = toy,
    };
    toy->server = server_new(&server);
    int fd = listen_loopback(&toy->port);
    assert_true(listener_open(&toy->loop, fd, &server.log, on_accepted, toy, &toy->listener, &err));
    assert_int_equal(pthread_create(&toy->thread, NULL, toy_main, toy), 0);
}

static void stop_server(struct toy *toy)
{
    listener_close(&toy->listener);
    server_stop(toy->server);
}

void toy_stop(struct toy *toy)
{
    ask(toy, stop_server);
}

static void remove_folder(const char *folder)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

void toy_end(struct toy *toy)
{
    if (toy->listener != NULL)
        toy_stop(toy);
    pthread_join(toy->thread, NULL);
    assert_int_equal(server_sessions(toy->server), 0);
    assert_int_equal(toy->opened, toy->closed);
    pool_free(&toy->pool);
    pool_free(&toy->slow);
    server_free(&toy->server);
    uv_close((uv_handle_t *)&toy->asked, NULL);
    uv_run(&toy->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&toy->loop), 0);
    net_free(&toy->net);
    tls_free(&toy->tls);
    assert_int_equal(toy->desks, 0);
    pthread_mutex_destroy(&toy->lock);
    pthread_cond_destroy(&toy->answered);
    remove_folder(toy->folder);
}

static void notify_key(struct toy *toy)
{
    server_notify(toy->server, toy->ask_key, toy->ask_detail);
}

void toy_notify(struct toy *toy, uint64_t key, uint64_t detail)
{
    toy->ask_key = key;
    toy->ask_detail = detail;
    ask(toy, notify_key);
}

static void reload_tls(struct toy *toy)
{
    struct error err;

    assert_true(tls_reload(toy->tls, &err));
}

void toy_reload(struct toy *toy)
{
    ask(toy, reload_tls);
}

static void count_sessions(struct toy *toy)
{
    toy->sessions = server_sessions(toy->server);
}

size_t toy_sessions(struct toy *toy)
{
    ask(toy, count_sessions);
    return toy->sessions;
}

static void write_file(const char *folder, const char *file, const char *suffix,
                       const gnutls_datum_t *pem)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s%s", folder, file, suffix);
    FILE *stream = fopen(path, "we");
    assert_non_null(stream);
    assert_int_equal(fwrite(pem->data, 1, pem->size, stream), pem->size);
    fclose(stream);
}

/* Self-signed, ECDSA. */
void toy_make_certificate(const char *folder, const char *file, const char *host_name)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t pem;

    gnutls_x509_privkey_init(&key);
    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&certificate);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, "\x01", 1);
    gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 60);
    gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 3600);
    gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, host_name,
                                         (unsigned)strlen(host_name), GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_dn(certificate, "CN=test", NULL);
    gnutls_x509_crt_set_key(certificate, key);
    assert_int_equal(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);

    gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem);
    write_file(folder, file, ".crt", &pem);
    gnutls_free(pem.data);
    gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
    write_file(folder, file, ".key", &pem);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

void client_open(struct client *client, const struct toy *toy)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(toy->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = CLIENT_PATIENCE_SECONDS };

    *client = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

void client_close(struct client *client)
{
    if (client->session != NULL) {
        gnutls_deinit(client->session);
        gnutls_certificate_free_credentials(client->credentials);
    }
    close(client->fd);
}

void client_prepare_tls(struct client *client, const char *server_name)
{
    gnutls_init(&client->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(client->session);
    gnutls_certificate_allocate_credentials(&client->credentials);
    gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials);
    if (server_name != NULL)
        gnutls_server_name_set(client->session, GNUTLS_NAME_DNS, server_name, strlen(server_name));
    gnutls_transport_set_int(client->session, client->fd);
}

void client_shake(struct client *client, const char *server_name)
{
    int code;

    if (client->session == NULL)
        client_prepare_tls(client, server_name);
    do
        code = gnutls_handshake(client->session);
    while (code < 0 && !gnutls_error_is_fatal(code));
    assert_int_equal(code, 0);
}

void client_send(struct client *client, const void *data, size_t len)
{
    for (const char *rest = data; len > 0;) {
        ssize_t sent = client->session != NULL ? gnutls_record_send(client->session, rest, len)
                                               : send(client->fd, rest, len, MSG_NOSIGNAL);
        assert_true(sent > 0);
        rest += sent;
        len -= (size_t)sent;
    }
}

void client_say(struct client *client, const char *text)
{
    client_send(client, text, strlen(text));
}

size_t client_read(struct client *client, void *data, size_t len)
{
    ssize_t count;

    do
        count = client->session != NULL ? gnutls_record_recv(client->session, data, len)
                                        : recv(client->fd, data, len, 0);
    while (client->session != NULL && count < 0 && !gnutls_error_is_fatal((int)count));
    assert_true(count >= 0);
    return (size_t)count;
}

void client_expect(struct client *client, const char *text)
{
    char read[1024];
    size_t want = strlen(text), have = 0;

    while (have < want) {
        size_t count = client_read(client, read + have, want - have);

        if (count == 0)
            break;
        have += count;
    }
    read[have] = '\0';
    assert_string_equal(read, text);
}

void client_expect_end(struct client *client)
{
    char byte;

    assert_int_equal(client_read(client, &byte, 1), 0);
}

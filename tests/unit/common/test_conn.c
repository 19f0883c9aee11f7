/* test_conn.c - connections that we open ourselves, against the toy server. */
#include "toy.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Says its lines, one per answer; keeps what it hears. */
struct speaker {
    struct conn *conn;
    struct buf heard;
    const char *const *lines; /* until NULL; "TLS" starts TLS, "CLOSE" closes twice */
    struct tls_check *check;  /* for TLS */
    bool shaking, was_secure;
    char reason[128];
    unsigned closed;
};

static void say_next(struct speaker *speaker)
{
    const char *line = *speaker->lines;
    struct buf bytes = { 0 };

    if (line == NULL)
        return;
    speaker->lines++;
    if (strcmp(line, "TLS") == 0) {
        conn_start_tls(speaker->conn, speaker->check);
        speaker->shaking = true;
    } else if (strcmp(line, "CLOSE") == 0) {
        conn_close(speaker->conn, "said all");
        conn_close(speaker->conn, "again");
    } else {
        buf_add_text(&bytes, line);
        conn_send(speaker->conn, &bytes);
        assert_int_equal(bytes.len, 0);
    }
}

static void on_conn(struct conn *conn, enum conn_event event, void *owner)
{
    struct speaker *speaker = owner;
    struct buf *input = conn_input(conn);

    if (event == CONN_CLOSED) {
        speaker->closed++;
        strcpy(speaker->reason, conn_close_reason(conn));
        return;
    }
    if (conn_is_secure(conn))
        speaker->was_secure = true;
    if (speaker->shaking && speaker->was_secure) {
        speaker->shaking = false;
        say_next(speaker);
    }
    if (input->len > 0 && input->data[input->len - 1] == '\n') {
        buf_move(&speaker->heard, input);
        say_next(speaker);
    }
    if (conn_ended(conn) && input->len == 0)
        conn_close(conn, "they hung up");
}

static void speak_with(struct speaker *speaker, const char *address, uint16_t port,
                       const struct conn_options *options)
{
    uv_loop_t loop;

    uv_loop_init(&loop);
    struct net *net = net_new(&loop);
    speaker->conn = conn_connect(net, address, port, options, on_conn, speaker);
    assert_int_equal(speaker->closed, 0); /* never from inside a call */
    uv_run(&loop, UV_RUN_DEFAULT);
    net_free(&net);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(speaker->closed, 1);
}

static void speak(struct speaker *speaker, const char *address, uint16_t port)
{
    struct conn_options options = { .stall_ms = 5000, .input_max = 4096 };

    speak_with(speaker, address, port, &options);
}

static const struct {
    const char *lines[6], *hear, *reason;
    bool secure;
} talks[] = {
    { { "ECHO x\r\n", "QUIT\r\n" }, "hello\r\nx\r\nbye\r\n", "they hung up", false },
    { { "ECHO x\r\n", "CLOSE" }, "hello\r\nx\r\n", "said all", false },
    { { "STARTTLS\r\n", "TLS", "ECHO x\r\n", "QUIT\r\n" },
      "hello\r\ngo\r\nx\r\nbye\r\n",
      "they hung up",
      true },
    { { "STARTTLS\r\n", "TLS", "ECHO x\r\n", "CLOSE" }, "hello\r\ngo\r\nx\r\n", "said all", true },
};

static void test_talks(void **unused)
{
    struct toy toy;
    struct toy_options options = { .tls = true };

    toy_start(&toy, &options);
    for (size_t i = 0; i < COUNT_OF(talks); i++) {
        struct speaker speaker = { .lines = talks[i].lines };

        speak(&speaker, "127.0.0.1", toy.port);
        assert_true(buf_is(&speaker.heard, talks[i].hear));
        assert_string_equal(speaker.reason, talks[i].reason);
        assert_int_equal(speaker.was_secure, talks[i].secure);
        buf_free(&speaker.heard);
    }
    toy_end(&toy);
}

static void test_nobody_there(void **unused)
{
    static const struct {
        const char *address, *reason;
    } cases[] = {
        { "127.0.0.1", "connection refused" },
        { "not an address", "invalid argument" },
        { "/nobody/listens/here", "no such file or directory" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        static const char *const nothing[] = { NULL };
        struct speaker speaker = { .lines = nothing };

        speak(&speaker, cases[i].address, 1); /* tcpmux: nobody serves it */
        assert_string_equal(speaker.reason, cases[i].reason);
    }
}

/* The queue of a listener that accepts nothing is full with one connection. */
static void test_no_answer(void **unused)
{
    static const char *const nothing[] = { NULL };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    struct conn_options options = { .connect_ms = 50, .input_max = 4096 }; /* no other end */
    struct speaker speaker = { .lines = nothing };
    int listener = socket(AF_INET, SOCK_STREAM, 0), first = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(first, (struct sockaddr *)&address, len), 0);
    speak_with(&speaker, "127.0.0.1", ntohs(address.sin_port), &options);
    assert_string_equal(speaker.reason, "timeout while connecting");
    close(first);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talks),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_no_answer),
    };

    signal(SIGPIPE, SIG_IGN); /* as daemon_run() does */
    log_setup(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_proxied.c - sessions whose connections come through a proxy. */
#include "toy.h"

#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define HEADER(last) "PROXY TCP4 203.0.113." #last " 198.51.100.1 5000 25\r\n"

static void expect_clear(struct client *client, const char *address)
{
    char want[128];

    snprintf(want, sizeof(want), "hello\r\nclear [] 0 0 %s 0\r\nbye\r\n", address);
    client_expect(client, want);
    client_expect_end(client);
}

static void test_whole_and_byte_by_byte(void **unused)
{
    static const char say[] = HEADER(7) "DESCRIBE x\r\nQUIT\r\n";
    struct toy toy;

    toy_start(&toy, &(struct toy_options){ .proxy_hosts = "192.0.2.0/24 127.0.0.1" });
    for (size_t step = 1; step < sizeof(say); step += sizeof(say) - 2) {
        struct client client;

        client_open(&client, &toy);
        for (size_t at = 0; at + 1 < sizeof(say); at += step) {
            client_send(&client, say + at, step);
            usleep(200);
        }
        expect_clear(&client, "203.0.113.7");
        client_close(&client);
    }
    toy_end(&toy);
}

static void test_no_addresses(void **unused)
{
    struct toy toy;
    struct client client;

    toy_start(&toy, &(struct toy_options){ .proxy_hosts = "127.0.0.1" });
    client_open(&client, &toy);
    client_say(&client, "PROXY UNKNOWN\r\nDESCRIBE x\r\nQUIT\r\n");
    expect_clear(&client, "127.0.0.1");
    client_close(&client);
    toy_end(&toy);
}

/* The handshake follows the header, in the same packet. */
static void test_tls(void **unused)
{
    struct toy toy;
    struct client client;
    int one = 1;

    toy_start(&toy, &(struct toy_options){ .proxy_hosts = "127.0.0.1", .tls_at_once = true });
    client_open(&client, &toy);
    setsockopt(client.fd, IPPROTO_TCP, TCP_CORK, &one, sizeof(one));
    client_say(&client, HEADER(8));
    client_shake(&client, NULL);
    client_say(&client, "ECHO x\r\nQUIT\r\n");
    client_expect(&client, "hello\r\nx\r\nbye\r\n");
    client_close(&client);
    toy_end(&toy);
}

static void test_bad_headers(void **unused)
{
    static const char *const bad[] = { "QUIT\r\n", "PROXY TCP4 x\r\n", "PROXY TCP4 192.0.2" };
    struct toy toy;

    toy_start(&toy, &(struct toy_options){ .proxy_hosts = "127.0.0.1" });
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct client client;

        client_open(&client, &toy);
        client_say(&client, bad[i]);
        shutdown(client.fd, SHUT_WR);
        client_expect_end(&client);
        client_close(&client);
    }
    assert_int_equal(atomic_load(&toy.opened), 0);
    toy_end(&toy);
}

static void test_silent_proxy(void **unused)
{
    struct toy toy;
    struct client client;

    toy_start(&toy, &(struct toy_options){ .proxy_hosts = "127.0.0.1", .stall_ms = 100 });
    client_open(&client, &toy);
    client_say(&client, "PROXY ");
    client_expect_end(&client);
    client_close(&client);
    toy_end(&toy);
}

static void open_as(struct client *client, const struct toy *toy, const char *header,
                    const char *hear)
{
    client_open(client, toy);
    client_say(client, header);
    client_expect(client, hear);
}

/* The limit is the client's, not the proxy's. */
static void test_limit_per_client(void **unused)
{
    struct toy toy;
    struct client clients[3];

    toy_start(&toy, &(struct toy_options){ .proxy_hosts = "127.0.0.1", .max_per_address = 1 });
    open_as(&clients[0], &toy, HEADER(1), "hello\r\n");
    open_as(&clients[1], &toy, HEADER(2), "hello\r\n");
    open_as(&clients[2], &toy, HEADER(1), "busy\r\n");
    client_expect_end(&clients[2]);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        client_close(&clients[i]);
    toy_end(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_and_byte_by_byte),
        cmocka_unit_test(test_no_addresses),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_silent_proxy),
        cmocka_unit_test(test_limit_per_client),
    };

    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

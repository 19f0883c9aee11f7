/* test_resolver.c - tables filled by the resolver, from a name server played here on loopback. */
#include "common/resolver.h"

#include "tests/unit/support/check.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#define PACKET_MAX 4096

/* A name server: the first letter of a name says what becomes of its questions. */
struct name_server {
    int fd;
    char address[32]; /* for the resolver */
    pthread_t thread;
};

static size_t question_length(const unsigned char *packet, size_t len)
{
    size_t at = 12;

    while (at < len && packet[at] != 0)
        at += packet[at] + 1u;
    return at + 5;
}

static size_t add_record(unsigned char *packet, size_t len, unsigned type, const void *rdata,
                         size_t rdata_len)
{
    const unsigned char head[] = { 0xc0, 0x0c, 0, (unsigned char)type,     0, 1, 0, 0,
                                   0,    77,   0, (unsigned char)rdata_len };

    memcpy(packet + len, head, sizeof(head));
    memcpy(packet + len + sizeof(head), rdata, rdata_len);
    packet[7]++;
    return len + sizeof(head) + rdata_len;
}

/* "f...": two addresses, or any one record; "n...": nothing; "x...": NXDOMAIN; "s...": SERVFAIL;
 * "c...": CNAME of found.test; "l...": CNAME of itself; "q...": no answer at all. */
static size_t make_answer(unsigned char *packet, size_t len)
{
    unsigned type = packet[len - 3];

    packet[2] = 0x84;
    packet[3] = 0x80;
    memset(packet + 6, 0, 6);
    switch (packet[13] | 0x20) { /* in lower case */
    case 'f':
        if (type == DNS_A)
            len = add_record(packet, len, type, "\300\0\2\1", 4);
        return add_record(packet, len, type, "\300\0\2\2", 4);
    case 'c':
        return add_record(packet, len, DNS_CNAME, "\5found\4test", 12);
    case 'l':
        return add_record(packet, len, DNS_CNAME, "\300\14", 2);
    case 'x':
        packet[3] |= 3;
        return len;
    case 's':
        packet[3] |= 2;
        return len;
    case 'q':
        return 0;
    default:
        return len;
    }
}

static void *serve(void *argument)
{
    struct name_server *server = argument;
    unsigned char packet[PACKET_MAX];
    struct sockaddr_in from;

    for (;;) {
        socklen_t size = sizeof(from);
        ssize_t len = recvfrom(server->fd, packet, 512, 0, (struct sockaddr *)&from, &size);

        if (len < 17) /* an empty one is the end */
            return NULL;
        size_t answer = make_answer(packet, question_length(packet, (size_t)len));
        if (answer > 0)
            sendto(server->fd, packet, answer, 0, (struct sockaddr *)&from, size);
    }
}

static void server_start(struct name_server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);

    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    snprintf(server->address, sizeof(server->address), "127.0.0.1@%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct name_server *server)
{
    shutdown(server->fd, SHUT_RD); /* wakes recvfrom() */
    pthread_join(server->thread, NULL);
    close(server->fd);
}

struct world {
    struct name_server server;
    uv_loop_t loop;
    struct resolver *resolver;
    struct dns_table table;
    unsigned n_done;
};

static void open_world(struct world *world, uint64_t timeout_ms)
{
    struct error err = { 0 };

    *world = (struct world){ 0 };
    server_start(&world->server);
    uv_loop_init(&world->loop);
    const struct resolver_options options = { world->server.address, "none", timeout_ms };
    if (!resolver_new(&world->loop, &options, &world->resolver, &err))
        fail_msg("%s", err.text);
}

static void close_world(struct world *world)
{
    resolver_free(&world->resolver);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    dns_table_free(&world->table);
    server_stop(&world->server);
}

static void on_done(void *context)
{
    ((struct world *)context)->n_done++;
}

static void fetch(struct world *world)
{
    unsigned before = world->n_done;

    resolver_fetch(world->resolver, &world->table, on_done, world);
    assert_int_equal(world->n_done, before);
    while (world->n_done == before)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->n_done, before + 1);
    assert_int_equal(world->table.n_missing, 0);
}

static const struct {
    const char *name;
    enum dns_type type;
    enum dns_state state;
    size_t count;
    const char *canonical;
} cases[] = {
    { "found.test", DNS_A, DNS_FOUND, 2, "found.test" },
    { "Found.test.", DNS_TLSA, DNS_FOUND, 1, "found.test" },
    { "nothing.test", DNS_A, DNS_NOTHING, 0, "nothing.test" },
    { "x.test", DNS_MX, DNS_NO_NAME, 0, "x.test" },
    { "servfail.test", DNS_TXT, DNS_FAILED, 0, "servfail.test" },
    { "chain.test", DNS_A, DNS_FOUND, 2, "found.test" },
    { "loop.test", DNS_A, DNS_FAILED, 0, "loop.test" },
    { "quiet.test", DNS_A, DNS_FAILED, 0, "quiet.test" },
    { "empty..label", DNS_A, DNS_NO_NAME, 0, "" },
};

static void test_states(void **state)
{
    struct world world;

    open_world(&world, 3000);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        (void)dns_get(&world.table, slice_of(cases[i].name), cases[i].type);
    fetch(&world);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct dns_answer *answer =
            dns_get(&world.table, slice_of(cases[i].name), cases[i].type);

        assert_non_null(answer);
        if (answer->state != cases[i].state || answer->count != cases[i].count ||
            !slice_is(answer->canonical, cases[i].canonical))
            fail_msg("%s: state %d, %zu records, " SLICE_FMT, cases[i].name, answer->state,
                     answer->count, SLICE_ARG(answer->canonical));
        assert_int_equal(answer->reason.len > 0, answer->state == DNS_FAILED);
        assert_false(answer->secure);
    }
    const struct dns_answer *found = dns_get(&world.table, SLICE("found.test"), DNS_A);
    assert_int_equal(found->records[0].len, 4);
    assert_in_range(found->ttl_s, 1, 77);
    close_world(&world);
}

static void test_nothing_missing(void **state)
{
    struct world world;

    open_world(&world, 1000);
    fetch(&world);
    close_world(&world);
}

/* Who asks while others still wait has a time of his own. */
static void test_two_at_once(void **state)
{
    struct world world;
    struct dns_table other = { 0 };
    unsigned n_done = 0;

    open_world(&world, 1000);
    (void)dns_get(&world.table, SLICE("quiet.test"), DNS_A);
    (void)dns_get(&other, SLICE("found.test"), DNS_A);
    resolver_fetch(world.resolver, &world.table, on_done, &world);
    resolver_fetch(world.resolver, &other, on_done, &world);
    while (world.n_done < 1)
        uv_run(&world.loop, UV_RUN_ONCE);
    assert_int_equal(other.n_missing, 0);
    assert_int_equal(world.table.n_missing, 1);
    n_done = world.n_done;
    while (world.n_done == n_done)
        uv_run(&world.loop, UV_RUN_ONCE);
    assert_int_equal(world.table.n_missing, 0);
    dns_table_free(&other);
    close_world(&world);
}

static void *ask_from_a_thread(void *context)
{
    struct world *world = context;

    resolver_fetch(world->resolver, &world->table, on_done, world);
    return NULL;
}

static void test_from_a_thread(void **state)
{
    struct world world;
    pthread_t thread;

    open_world(&world, 3000);
    (void)dns_get(&world.table, SLICE("found.test"), DNS_A);
    assert_int_equal(pthread_create(&thread, NULL, ask_from_a_thread, &world), 0);
    while (world.n_done == 0)
        uv_run(&world.loop, UV_RUN_ONCE);
    pthread_join(thread, NULL);
    assert_non_null(dns_get(&world.table, SLICE("found.test"), DNS_A));
    close_world(&world);
}

/* What is under way is forgotten: `done` does not come. */
static void test_freed_in_between(void **state)
{
    struct world world;

    open_world(&world, 1000);
    (void)dns_get(&world.table, SLICE("quiet.test"), DNS_A);
    resolver_fetch(world.resolver, &world.table, on_done, &world);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    resolver_fetch(world.resolver, &world.table, on_done, &world);
    close_world(&world);
    assert_int_equal(world.n_done, 0);
}

static const struct {
    const char *servers, *anchor;
    bool good;
} options[] = {
    { "", "", true },
    { "root", "none", true },
    { "192.0.2.1 2001:db8::1@5353", "", true },
    { "dns.example.test", "none", false },
    { "192.0.2.1@port", "none", false },
    { "192.0.2.1", "/nowhere/root.key", false },
    { "192.0.2.1", "/etc/passwd", false },
};

static void test_options(void **state)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const struct resolver_options one = { options[i].servers, options[i].anchor, 0 };
        struct resolver *resolver = NULL;
        struct error err = { 0 };
        uv_loop_t loop;

        uv_loop_init(&loop);
        if (resolver_new(&loop, &one, &resolver, &err) != options[i].good)
            fail_msg("%s %s: %s", one.servers, one.trust_anchor, err.text);
        if (!options[i].good)
            assert_int_equal(err.kind, ERROR_INVALID);
        resolver_free(&resolver);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),           cmocka_unit_test(test_nothing_missing),
        cmocka_unit_test(test_two_at_once),      cmocka_unit_test(test_from_a_thread),
        cmocka_unit_test(test_freed_in_between), cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

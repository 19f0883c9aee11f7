/* test_session.c - the session machine, connections and TLS against real clients on loopback. */
#include "toy.h"

#include <gnutls/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* One dialogue: what the client says, what it must hear until the end. */
static const struct {
    const char *name, *say, *hear;
} dialogues[] = {
    { "echo", "ECHO one\r\nQUIT\r\n", "hello\r\none\r\nbye\r\n" },
    { "pipelined", "ECHO 1\r\nECHO 2\r\nECHO 3\r\nQUIT\r\n", "hello\r\n1\r\n2\r\n3\r\nbye\r\n" },
    { "block", "BLOCK 10\r\n0123456789ECHO x\r\nQUIT\r\n", "hello\r\ngot it\r\nx\r\nbye\r\n" },
    { "slow lane", "SLOW\r\nECHO x\r\nQUIT\r\n", "hello\r\nslow\r\nx\r\nbye\r\n" },
    { "resumed from a thread", "WAIT 1\r\nECHO x\r\nQUIT\r\n", "hello\r\nwaited\r\nx\r\nbye\r\n" },
    { "resumed early", "WAIT 0\r\nECHO x\r\nQUIT\r\n", "hello\r\nwaited\r\nx\r\nbye\r\n" },
    { "new key", "KEY 7\r\nECHO x\r\nKEY 8\r\nQUIT\r\n",
      "hello\r\nkeyed\r\nx\r\nkeyed\r\nbye\r\n" },
    { "idle left at once", "IDLE\r\nDONE\r\nQUIT\r\n", "hello\r\nidling\r\ndone\r\nbye\r\n" },
    { "nothing after quit", "QUIT\r\nECHO x\r\n", "hello\r\nbye\r\n" },
    { "no certificate", "STARTTLS\r\n", "hello\r\ngo\r\n" },
};

static void play(struct toy *toy, const char *say, const char *hear, bool byte_by_byte)
{
    struct client client;
    size_t step = byte_by_byte ? 1 : strlen(say);

    client_open(&client, toy);
    if (toy->options.tls_at_once)
        client_shake(&client, NULL);
    for (size_t at = 0; at < strlen(say); at += step) {
        client_send(&client, say + at, step);
        if (byte_by_byte)
            usleep(200);
    }
    client_expect(&client, hear);
    client_expect_end(&client);
    client_close(&client);
}

static void test_dialogues(void **unused)
{
    struct toy toy;
    struct toy_options options = { 0 };

    toy_start(&toy, &options);
    for (size_t i = 0; i < COUNT_OF(dialogues); i++) {
        play(&toy, dialogues[i].say, dialogues[i].hear, false);
        if (strcmp(dialogues[i].name, "nothing after quit") != 0)
            play(&toy, dialogues[i].say, dialogues[i].hear, true);
    }
    toy_end(&toy);
}

static void test_dialogues_in_tls(void **unused)
{
    struct toy toy;
    struct toy_options options = { .tls_at_once = true };

    toy_start(&toy, &options);
    for (size_t i = 0; i < COUNT_OF(dialogues); i++)
        play(&toy, dialogues[i].say, dialogues[i].hear, false);
    play(&toy, dialogues[1].say, dialogues[1].hear, true);
    toy_end(&toy);
}

static void test_starttls_drops_clear_text(void **unused)
{
    struct toy toy;
    struct toy_options options = { .tls = true };
    struct client client;

    toy_start(&toy, &options);
    client_open(&client, &toy);
    client_expect(&client, "hello\r\n");
    client_say(&client, "DESCRIBE\r\n");
    client_expect(&client, "clear [] 0 0 127.0.0.1 1\r\n");
    client_say(&client, "STARTTLS\r\nECHO injected\r\n");
    client_expect(&client, "go\r\n");
    client_shake(&client, NULL);
    client_say(&client, "DESCRIBE\r\n");
    client_expect(&client, "secure [TLS1.3 AES-256-GCM] 32 32 127.0.0.1 0\r\n");
    client_say(&client, "QUIT\r\n");
    client_expect(&client, "bye\r\n");
    client_expect_end(&client);
    client_close(&client);
    toy_end(&toy);
}

/* One command alone is run by the loop thread, several by a worker; so is what comes after a wait.
 */
static void test_light(void **unused)
{
    struct toy toy;
    struct toy_options options = { 0 };
    struct client client;

    toy_start(&toy, &options);
    client_open(&client, &toy);
    client_expect(&client, "hello\r\n");
    for (int i = 0; i < 3; i++) {
        client_say(&client, "WHERE\r\n");
        client_expect(&client, "loop\r\n");
        client_say(&client, "WHERE\r\nWHERE\r\n");
        client_expect(&client, "worker\r\nworker\r\n");
        client_say(&client, "LIGHT 0\r\n");
        client_expect(&client, "waited on the loop\r\n");
        client_say(&client, "LIGHT 0\r\nWHERE\r\n");
        client_expect(&client, "waited on a worker\r\nworker\r\n");
    }
    client_close(&client);
    toy_end(&toy);
}

static void read_big(struct client *client, size_t total)
{
    static char bytes[65536];

    for (size_t have = 0; have < total;) {
        size_t count = client_read(client, bytes, MIN(sizeof(bytes), total - have));

        assert_true(count > 0);
        have += count;
    }
    client_expect(client, "\r\n");
}

static void test_big_reply(void **unused)
{
    for (int tls = 0; tls <= 1; tls++) {
        struct toy toy;
        struct toy_options options = { .tls_at_once = tls != 0 };
        struct client client;

        toy_start(&toy, &options);
        client_open(&client, &toy);
        if (tls)
            client_shake(&client, NULL);
        client_expect(&client, "hello\r\n");
        client_say(&client, "BIG 30000000\r\nECHO x\r\n");
        usleep(100000); /* the server has to wait for us */
        read_big(&client, 30000000);
        client_expect(&client, "x\r\n");
        client_close(&client);
        toy_end(&toy);
    }
}

/* More than the server wants to hold, in one go and while it works. */
static void test_big_input(void **unused)
{
    for (int tls = 0; tls <= 1; tls++) {
        struct toy toy;
        struct toy_options options = { .tls_at_once = tls != 0, .input_max = 4096 };
        struct client client;
        static char bytes[5000000];

        toy_start(&toy, &options);
        client_open(&client, &toy);
        if (tls)
            client_shake(&client, NULL);
        client_expect(&client, "hello\r\n");
        client_say(&client, "BLOCK 5000000\r\n");
        client_send(&client, bytes, sizeof(bytes));
        client_expect(&client, "got it\r\n");
        client_close(&client);
        toy_end(&toy);
    }
}

static void test_half_close(void **unused)
{
    struct toy toy;
    struct toy_options options = { 0 };
    struct client client;

    toy_start(&toy, &options);
    client_open(&client, &toy);
    client_say(&client, "ECHO one\r\nBIG 100000\r\nECHO tw");
    shutdown(client.fd, SHUT_WR);
    client_expect(&client, "hello\r\none\r\n");
    read_big(&client, 100000);
    client_expect(&client, "ended\r\n");
    client_expect_end(&client);
    client_close(&client);
    toy_end(&toy);
}

static void test_idle_timeout(void **unused)
{
    struct toy toy;
    struct toy_options options = { .idle_ms = 200 };
    struct client client;

    toy_start(&toy, &options);
    client_open(&client, &toy);
    uint64_t start = now_ms();
    for (int i = 0; i < 4; i++) { /* as long as it talks, it may stay */
        usleep(100000);
        client_say(&client, "ECHO x\r\n");
    }
    client_expect(&client, "hello\r\nx\r\nx\r\nx\r\nx\r\ntimeout\r\n");
    assert_in_range(now_ms() - start, 550, 3000);
    client_expect_end(&client);
    client_close(&client);
    toy_end(&toy);
}

static void test_client_that_never_reads(void **unused)
{
    struct toy toy;
    struct toy_options options = { .stall_ms = 300 };
    struct client deaf, other;

    toy_start(&toy, &options);
    client_open(&deaf, &toy);
    client_say(&deaf, "BIG 100000000\r\n");
    client_open(&other, &toy); /* does not suffer */
    client_say(&other, "ECHO x\r\n");
    client_expect(&other, "hello\r\nx\r\n");
    for (int i = 0; i < 100 && toy_sessions(&toy) > 1; i++)
        usleep(50000);
    assert_int_equal(toy_sessions(&toy), 1);
    client_close(&deaf);
    client_close(&other);
    toy_end(&toy);
}

static void test_silent_handshake(void **unused)
{
    struct toy toy;
    struct toy_options options = { .tls_at_once = true, .stall_ms = 200 };
    struct client client;

    toy_start(&toy, &options);
    client_open(&client, &toy);
    client_expect_end(&client);
    client_close(&client);
    assert_int_equal(toy.opened, 0);

    client_open(&client, &toy); /* no TLS at all: an alert, then the end */
    client_say(&client, "HELO plain text is not TLS\r\n");
    char alert[64];
    assert_true(client_read(&client, alert, sizeof(alert)) > 0);
    assert_int_equal(alert[0], 21); /* RFC 8446 section 5.1: alert */
    client_expect_end(&client);
    client_close(&client);
    toy_end(&toy);
}

static void test_notice(void **unused)
{
    struct toy toy;
    struct toy_options options = { 0 };
    struct client one, two;

    toy_start(&toy, &options);
    client_open(&one, &toy);
    client_open(&two, &toy);
    client_say(&one, "KEY 5\r\nIDLE\r\n");
    client_say(&two, "KEY 6\r\nIDLE\r\n");
    client_expect(&one, "hello\r\nkeyed\r\nidling\r\n");
    client_expect(&two, "hello\r\nkeyed\r\nidling\r\n");
    toy_notify(&toy, 5, 0);
    client_expect(&one, "notice\r\n");
    client_say(&two, "DONE\r\n");
    client_expect(&two, "done\r\n"); /* and no notice: the key is another one */
    client_say(&one, "DONE\r\n");
    client_expect(&one, "done\r\n");
    toy_notify(&toy, 5, 0); /* kept until it waits again */
    client_say(&one, "ECHO x\r\nIDLE\r\n");
    client_expect(&one, "x\r\nidling\r\nnotice\r\n");
    client_close(&one);
    client_close(&two);
    toy_end(&toy);
}

static void test_watch(void **unused)
{
    struct toy toy;
    struct toy_options options = { 0 };
    struct client one, two;

    toy_start(&toy, &options);
    client_open(&one, &toy);
    client_open(&two, &toy);
    client_say(&one, "KEY 5\r\nWATCH 6 1030 5 6\r\nIDLE\r\n"); /* doubles are left out */
    client_say(&two, "KEY 6\r\nIDLE\r\n");
    client_expect(&one, "hello\r\nkeyed\r\nwatching\r\nidling\r\n");
    client_expect(&two, "hello\r\nkeyed\r\nidling\r\n");
    toy_notify(&toy, 6, 9);
    client_expect(&one, "notice 6 9\r\n");
    client_expect(&two, "notice 6 9\r\n");
    toy_notify(&toy, 5, 8);
    client_expect(&one, "notice 5 8\r\n");
    toy_notify(&toy, 1030, 7);
    client_expect(&one, "notice 1030 7\r\n");
    client_say(&one, "DONE\r\nWATCH 7\r\nIDLE\r\n"); /* in place of those before */
    client_expect(&one, "done\r\nwatching\r\nidling\r\n");
    toy_notify(&toy, 6, 1);
    toy_notify(&toy, 7, 2);
    client_expect(&one, "notice 7 2\r\n");
    client_say(&one, "DONE\r\nWATCH\r\nIDLE\r\n");
    client_expect(&one, "done\r\nwatching\r\nidling\r\n");
    toy_notify(&toy, 7, 2);
    toy_notify(&toy, 5, 3);
    client_expect(&one, "notice 5 3\r\n");
    client_say(&one, "DONE\r\nWATCH 7 8 9\r\n"); /* and the session ends with a list */
    client_expect(&one, "done\r\nwatching\r\n");
    client_close(&one);
    client_close(&two);
    toy_end(&toy);
}

/* What comes while the session does not wait is kept as one notice that covers all. */
static void test_hears(void **unused)
{
    struct toy toy;
    struct toy_options options = { 0 };
    struct client client;

    toy_start(&toy, &options);
    client_open(&client, &toy);
    client_say(&client, "KEY 5\r\nWATCH 6\r\nECHO x\r\n");
    client_expect(&client, "hello\r\nkeyed\r\nwatching\r\nx\r\n");
    toy_notify(&toy, 5, 3);
    toy_notify(&toy, 5, 3);
    client_say(&client, "EAR\r\n");
    client_expect(&client, "all ears\r\nnotice 5 3\r\n");
    toy_notify(&toy, 5, 4);
    client_expect(&client, "notice 5 4\r\n");
    client_say(&client, "ECHO x\r\nECH"); /* a command in hand: it is heard with its end */
    client_expect(&client, "x\r\n");
    toy_notify(&toy, 6, 4);
    client_say(&client, "O y\r\n");
    client_expect(&client, "y\r\nnotice 6 4\r\n");
    client_close(&client);
    toy_end(&toy);
}

static void test_notices_merge(void **unused)
{
    struct toy toy;
    struct toy_options options = { 0 };
    struct client client;

    toy_start(&toy, &options);
    client_open(&client, &toy);
    client_say(&client, "KEY 5\r\nWATCH 6\r\n");
    client_expect(&client, "hello\r\nkeyed\r\nwatching\r\n");
    toy_notify(&toy, 5, 3);
    toy_notify(&toy, 5, 4);
    client_say(&client, "IDLE\r\n");
    client_expect(&client, "idling\r\nnotice\r\n");
    client_say(&client, "DONE\r\n");
    client_expect(&client, "done\r\n");
    toy_notify(&toy, 5, 3);
    toy_notify(&toy, 6, 3);
    client_say(&client, "IDLE\r\n");
    client_expect(&client, "idling\r\nnotice\r\n");
    client_close(&client);
    toy_end(&toy);
}

static void test_delay(void **unused)
{
    struct linger reset = { .l_onoff = 1 };
    struct toy toy;
    struct toy_options options = { 0 };
    struct client client;

    toy_start(&toy, &options);
    client_open(&client, &toy);
    client_expect(&client, "hello\r\n");
    uint64_t start = now_ms();
    client_say(&client, "DELAY 200\r\nECHO x\r\n");
    client_expect(&client, "late\r\nx\r\n");
    assert_in_range(now_ms() - start, 190, 2000);
    client_say(&client, "DELAY 60000\r\n");
    usleep(50000);
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    client_close(&client); /* nobody waits for a minute */
    toy_end(&toy);
    assert_true(now_ms() - start < 10000);
}

static void test_limits(void **unused)
{
    static const struct toy_options limits[] = { { .max_sessions = 2 }, { .max_per_address = 2 } };

    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct toy toy;
        struct client clients[3];

        toy_start(&toy, &limits[i]);
        for (size_t n = 0; n < 2; n++) {
            client_open(&clients[n], &toy);
            client_expect(&clients[n], "hello\r\n");
        }
        client_open(&clients[2], &toy);
        client_expect(&clients[2], "busy\r\n");
        client_expect_end(&clients[2]);
        client_close(&clients[2]);
        client_close(&clients[0]);
        for (int n = 0; n < 100 && toy_sessions(&toy) > 1; n++)
            usleep(10000);
        play(&toy, "QUIT\r\n", "hello\r\nbye\r\n", false);
        client_close(&clients[1]);
        toy_end(&toy);
    }
}

static void test_stop(void **unused)
{
    struct toy toy;
    struct toy_options options = { .tls = true };
    struct client lines, idle, secure, working, listening;

    toy_start(&toy, &options);
    client_open(&lines, &toy);
    client_open(&idle, &toy);
    client_open(&secure, &toy);
    client_open(&working, &toy);
    client_open(&listening, &toy);
    client_say(&idle, "IDLE\r\n");
    client_say(&secure, "STARTTLS\r\n");
    client_expect(&lines, "hello\r\n");
    client_expect(&idle, "hello\r\nidling\r\n");
    client_expect(&secure, "hello\r\ngo\r\n");
    client_shake(&secure, NULL);
    client_say(&secure, "ECHO x\r\n");
    client_expect(&secure, "x\r\n");
    client_expect(&working, "hello\r\n");
    client_say(&working, "WAIT 1\r\n");
    client_say(&listening, "HEAR\r\n");
    client_expect(&listening, "hello\r\nlistening\r\n");
    usleep(5000);
    toy_stop(&toy);
    client_expect(&lines, "stop\r\n");
    client_expect_end(&lines);
    client_expect(&idle, "stop\r\n");
    client_expect_end(&idle);
    client_expect(&secure, "stop\r\n");
    client_expect_end(&secure);
    client_expect(&working, "waited\r\nstop\r\n"); /* the command in hand is finished */
    client_say(&listening, "ECHO x\r\n");
    client_expect(&listening, "x\r\nstop\r\n");
    client_close(&lines);
    client_close(&idle);
    client_close(&secure);
    client_close(&working);
    client_close(&listening);
    toy_end(&toy);
}

/* The command's job outlives the connection. */
static void test_hang_up_in_mid_command(void **unused)
{
    static const char *const commands[] = { "WAIT 1\r\n", "SLOW\r\n", "BIG 50000000\r\n",
                                            "IDLE\r\n", "BLOCK 9\r\n" };
    struct toy toy;
    struct toy_options options = { 0 };
    struct linger reset = { .l_onoff = 1 };

    toy_start(&toy, &options);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        for (int with_reset = 0; with_reset <= 1; with_reset++) {
            struct client client;

            client_open(&client, &toy);
            client_expect(&client, "hello\r\n");
            client_say(&client, commands[i]);
            if (with_reset)
                setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            client_close(&client);
        }
    toy_end(&toy);
    assert_int_equal(toy.opened, 2 * COUNT_OF(commands));
}

static void test_many(void **unused)
{
    enum { MANY = 500 };
    static struct client clients[MANY];
    struct toy toy;
    struct toy_options options = { 0 };

    toy_start(&toy, &options);
    for (int i = 0; i < MANY; i++)
        client_open(&clients[i], &toy);
    for (int i = 0; i < MANY; i++)
        client_say(&clients[i], "ECHO one\r\nECHO two\r\n");
    for (int i = 0; i < MANY; i++)
        client_expect(&clients[i], "hello\r\none\r\ntwo\r\n");
    assert_int_equal(toy_sessions(&toy), MANY);
    for (int i = 0; i < MANY; i++)
        client_close(&clients[i]);
    toy_end(&toy);
    assert_int_equal(toy.opened, MANY);
}

/* A session that runs keeps its certificate; a new one gets the new one. */
static void test_reload(void **unused)
{
    struct toy toy;
    struct toy_options options = { .tls_at_once = true };
    struct client before, after;

    toy_start(&toy, &options);
    client_open(&before, &toy);
    client_shake(&before, "main.example");
    client_expect(&before, "hello\r\n");
    toy_make_certificate(toy.folder, "main", "main.example");
    toy_reload(&toy);
    client_open(&after, &toy);
    client_shake(&after, "other.example");
    client_expect(&after, "hello\r\n");
    client_say(&before, "ECHO x\r\n");
    client_expect(&before, "x\r\n");
    const gnutls_datum_t *first = gnutls_certificate_get_peers(before.session, &(unsigned){ 0 });
    const gnutls_datum_t *second = gnutls_certificate_get_peers(after.session, &(unsigned){ 0 });
    assert_false(
        slice_equal(slice_make(first->data, first->size), slice_make(second->data, second->size)));
    client_close(&before);
    client_close(&after);
    toy_end(&toy);
}

static void test_certificate_by_name(void **unused)
{
    static const struct {
        const char *asked, *got;
    } names[] = {
        { "main.example", "main.example" },
        { "mail.other.example", "mail.other.example" },
        { "unknown.example", "main.example" },
        { NULL, "main.example" },
    };
    struct toy toy;
    struct toy_options options = { .tls_at_once = true };

    toy_start(&toy, &options);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct client client;
        gnutls_x509_crt_t certificate;

        client_open(&client, &toy);
        client_shake(&client, names[i].asked);
        client_expect(&client, "hello\r\n");
        gnutls_x509_crt_init(&certificate);
        gnutls_x509_crt_import(certificate,
                               gnutls_certificate_get_peers(client.session, &(unsigned){ 0 }),
                               GNUTLS_X509_FMT_DER);
        assert_true(gnutls_x509_crt_check_hostname(certificate, names[i].got));
        gnutls_x509_crt_deinit(certificate);
        client_close(&client);
    }
    toy_end(&toy);
}

static void test_ticket_and_alpn(void **unused)
{
    gnutls_datum_t protocol = { (unsigned char *)"toy", 3 }, chosen, ticket;
    struct toy toy;
    struct toy_options options = { .tls_at_once = true };
    struct client first, second;

    toy_start(&toy, &options);
    client_open(&first, &toy);
    client_shake(&first, NULL);
    client_expect(&first, "hello\r\n"); /* the ticket comes before it */
    assert_int_equal(gnutls_session_get_data2(first.session, &ticket), 0);
    client_close(&first);

    client_open(&second, &toy);
    client_prepare_tls(&second, NULL);
    gnutls_alpn_set_protocols(second.session, &protocol, 1, 0);
    assert_int_equal(gnutls_session_set_data(second.session, ticket.data, ticket.size), 0);
    gnutls_free(ticket.data);
    client_shake(&second, NULL);
    client_expect(&second, "hello\r\n");
    assert_true(gnutls_session_is_resumed(second.session));
    assert_int_equal(gnutls_alpn_get_selected_protocol(second.session, &chosen), 0);
    assert_true(slice_is(slice_make(chosen.data, chosen.size), "toy"));
    client_close(&second);
    toy_end(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_dialogues_in_tls),
        cmocka_unit_test(test_light),
        cmocka_unit_test(test_starttls_drops_clear_text),
        cmocka_unit_test(test_big_reply),
        cmocka_unit_test(test_big_input),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_client_that_never_reads),
        cmocka_unit_test(test_silent_handshake),
        cmocka_unit_test(test_notice),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_hears),
        cmocka_unit_test(test_notices_merge),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_hang_up_in_mid_command),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_certificate_by_name),
        cmocka_unit_test(test_ticket_and_alpn),
    };

    signal(SIGPIPE, SIG_IGN); /* as daemon_run() does */
    log_setup(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

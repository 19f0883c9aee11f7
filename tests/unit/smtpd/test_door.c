/* test_door.c - who may come in: lists, rates, and sessions that meet them. */
#include "tests/unit/message/zone.h"
#include "tests/unit/smtpd/post.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *text;
    bool good;
    size_t count;
    unsigned weight; /* of the last */
} settings[] = {
    { "", true, 0, 0 },
    { "bl.test", true, 1, 1 },
    { " bl.test  other.test*3 ", true, 2, 3 },
    { "bl.test=127.0.0.2", true, 1, 1 },
    { "bl.test=127.0.0.4..11*2", true, 1, 2 },
    { "bl.test=127.0.0.11..4", false, 0, 0 },
    { "bl.test=127.0.0.4..256", false, 0, 0 },
    { "bl.test=192.0.2.1", false, 0, 0 },
    { "bl.test=", false, 0, 0 },
    { "bl.test*0", false, 0, 0 },
    { "bl.test*x", false, 0, 0 },
    { "bl", false, 0, 0 },
    { "=127.0.0.2", false, 0, 0 },
};

static void test_settings(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        struct door_lists lists;
        struct error err;

        if (door_lists_parse("x", slice_of(settings[i].text), &lists, &err) != settings[i].good)
            fail_msg("\"%s\"", settings[i].text);
        if (!settings[i].good)
            continue;
        assert_int_equal(lists.count, settings[i].count);
        if (lists.count > 0)
            assert_int_equal(lists.items[lists.count - 1].weight, settings[i].weight);
        door_lists_free(&lists);
    }
}

static const struct {
    const char *name, *lists, *address, *asked, *answer;
    unsigned score;
} listings[] = {
    { "listed", "bl.test", "192.0.2.1", "1.2.0.192.bl.test", "127.0.0.2", 1 },
    { "not listed", "bl.test", "192.0.2.1", "2.2.0.192.bl.test", "127.0.0.2", 0 },
    { "weight", "bl.test*5", "192.0.2.1", "1.2.0.192.bl.test", "127.0.0.2", 5 },
    { "in the range", "bl.test=127.0.0.4..11", "192.0.2.1", "1.2.0.192.bl.test", "127.0.0.11", 1 },
    { "past it", "bl.test=127.0.0.4..11", "192.0.2.1", "1.2.0.192.bl.test", "127.0.0.12", 0 },
    { "before it", "bl.test=127.0.0.4..11", "192.0.2.1", "1.2.0.192.bl.test", "127.0.0.3", 0 },
    { "outside 127/8", "bl.test", "192.0.2.1", "1.2.0.192.bl.test", "192.0.2.9", 0 },
    { "refuses to tell", "bl.test", "192.0.2.1", "1.2.0.192.bl.test", "127.255.255.254", 0 },
    { "refuses to tell, too", "bl.test", "192.0.2.1", "1.2.0.192.bl.test", "127.0.0.1", 0 },
    { "IPv6", "bl.test", "2001:db8::1",
      "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test", "127.0.0.2", 1 },
    { "no address", "bl.test", "unix", "x.bl.test", "127.0.0.2", 0 },
};

static void test_lists(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(listings); i++) {
        struct dns_table table = { 0 };
        struct arena arena = { 0 };
        struct door_lists lists;
        struct door_listing listing;
        struct error err;

        assert_true(door_lists_parse("x", slice_of(listings[i].lists), &lists, &err));
        zone_add(&table, listings[i].asked, DNS_A, listings[i].answer);
        door_lists_check(&lists, &arena, &table, listings[i].address, &listing);
        zone_close(&table);
        assert_true(door_lists_check(&lists, &arena, &table, listings[i].address, &listing));
        if (listing.score != listings[i].score || (listing.zone != NULL) != (listing.score > 0))
            fail_msg("%s: %u", listings[i].name, listing.score);
        door_lists_free(&lists);
        dns_table_free(&table);
        arena_free(&arena);
    }
}

/* All lists are asked at the same time; one that fails says nothing. */
static void test_several_lists(void **unused)
{
    struct dns_table table = { 0 };
    struct arena arena = { 0 };
    struct door_lists lists;
    struct door_listing listing;
    struct error err;

    assert_true(door_lists_parse("x", SLICE("a.test b.test c.test*4"), &lists, &err));
    assert_false(door_lists_check(&lists, &arena, &table, "192.0.2.1", &listing));
    assert_int_equal(table.n_missing, 3);
    zone_state(&table, "1.2.0.192.a.test", DNS_A, DNS_FAILED);
    zone_add(&table, "1.2.0.192.b.test", DNS_A, "127.0.0.2");
    zone_add(&table, "1.2.0.192.c.test", DNS_A, "127.0.0.2");
    assert_true(door_lists_check(&lists, &arena, &table, "192.0.2.1", &listing));
    assert_int_equal(listing.score, 5);
    assert_string_equal(listing.zone, "b.test");
    door_lists_free(&lists);
    dns_table_free(&table);
    arena_free(&arena);
}

static void test_rates(void **unused)
{
    struct rates *rates = rates_new(1024);
    uint64_t now = 1000000;

    for (int i = 0; i < 10; i++)
        assert_true(rates_take(rates, RATES_ADDRESS, "192.0.2.1", 10, now));
    assert_true(rates_is_over(rates, RATES_ADDRESS, "192.0.2.1", 10, now));
    assert_false(rates_take(rates, RATES_ADDRESS, "192.0.2.1", 10, now));
    assert_true(rates_take(rates, RATES_ADDRESS, "192.0.2.2", 10, now));
    assert_true(rates_take(rates, RATES_NETWORK, "192.0.2.1", 10, now));
    assert_true(rates_take(rates, RATES_ADDRESS, "192.0.2.1", 10, now + 6000)); /* one came back */
    assert_false(rates_take(rates, RATES_ADDRESS, "192.0.2.1", 10, now + 6000));
    assert_true(rates_take(rates, RATES_ADDRESS, "192.0.2.1", 0, now)); /* no limit */
    assert_true(rates_take(rates, RATES_ADDRESS, "unix", 1, now));
    assert_true(rates_take(rates, RATES_ADDRESS, "unix", 1, now));
    rates_free(&rates);
}

static void test_rates_of_networks(void **unused)
{
    struct rates *rates = rates_new(1024);
    char text[NETWORK_TEXT];

    assert_true(rates_take(rates, RATES_NETWORK, "192.0.2.1", 1, 1000));
    assert_false(rates_take(rates, RATES_NETWORK, "192.0.2.200", 1, 1000));
    assert_true(rates_take(rates, RATES_NETWORK, "192.0.3.1", 1, 1000));
    assert_true(rates_take(rates, RATES_NETWORK, "2001:db8::1", 1, 1000));
    assert_false(rates_take(rates, RATES_NETWORK, "2001:db8::ffff:1", 1, 1000));
    assert_true(rates_take(rates, RATES_NETWORK, "2001:db8:0:1::1", 1, 1000));
    rates_network("192.0.2.77", text);
    assert_string_equal(text, "192.0.2.0/24");
    rates_network("2001:db8::77", text);
    assert_string_equal(text, "2001:db8::/64");
    rates_network("unix", text);
    assert_string_equal(text, "unix");
    rates_free(&rates);
}

/* More addresses than there are buckets: some are forgotten, nothing grows. */
static void test_flood(void **unused)
{
    struct rates *rates = rates_new(64);
    char address[32];

    for (unsigned i = 0; i < 10000; i++) {
        snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        assert_true(rates_take(rates, RATES_ADDRESS, address, 5, 1000));
    }
    rates_free(&rates);
}

/* --- sessions --- */

static int open_post(void **state)
{
    struct post *post = NEW(struct post);

    post_open(post);
    zone_add(&post->zone, "1.2.0.192.bl.test", DNS_A, "127.0.0.2");
    zone_add(&post->zone, "1.2.0.192.bl.test", DNS_TXT, "See https://bl.test/?192.0.2.1\r\nx\377");
    zone_add(&post->zone, "1.2.0.192.wl.test", DNS_A, "127.0.10.1");
    zone_add(&post->zone, "1.2.0.192.named.test", DNS_A, "127.0.0.2");
    zone_state(&post->zone, "1.2.0.192.broken.test", DNS_A, DNS_FAILED);
    *state = post;
    return 0;
}

static int close_post(void **state)
{
    struct post *post = *state;

    post_close(post);
    free(post);
    return 0;
}

/* The rig's client is 192.0.2.1, and the DNS has no name for it. */
static const struct {
    const char *name, *dnsbl, *dnswl;
    uint64_t refuse, iprev;
    const char *trusted;
    enum smtp_service service;
    const char *want; /* the reply to RCPT */
} visits[] = {
    { "nothing set", "", "", 1, DOOR_IPREV_OFF, "", SERVICE_MX, "250 2.1.5" },
    { "listed", "bl.test", "", 1, DOOR_IPREV_OFF, "", SERVICE_MX,
      "550 5.7.1 Client [192.0.2.1] is listed by bl.test: See https://bl.test/?192.0.2.1??x?\r\n" },
    { "no text", "named.test", "", 1, DOOR_IPREV_OFF, "", SERVICE_MX,
      "550 5.7.1 Client [192.0.2.1] is listed by named.test\r\n" },
    { "not enough", "bl.test", "", 2, DOOR_IPREV_OFF, "", SERVICE_MX, "250 2.1.5" },
    { "both are", "bl.test named.test", "", 2, DOOR_IPREV_OFF, "", SERVICE_MX, "550 5.7.1" },
    { "never", "bl.test", "", 0, DOOR_IPREV_OFF, "", SERVICE_MX, "250 2.1.5" },
    { "a good one, too", "bl.test", "wl.test", 1, DOOR_IPREV_REFUSE, "", SERVICE_MX, "250 2.1.5" },
    { "a list that fails", "broken.test", "", 1, DOOR_IPREV_OFF, "", SERVICE_MX, "250 2.1.5" },
    { "no name, logged", "", "", 1, DOOR_IPREV_LOG, "", SERVICE_MX, "250 2.1.5" },
    { "no name, later", "", "", 1, DOOR_IPREV_TEMPFAIL, "", SERVICE_MX, "450 4.7.25" },
    { "no name, refused", "", "", 1, DOOR_IPREV_REFUSE, "", SERVICE_MX, "550 5.7.25" },
    { "trusted", "bl.test", "", 1, DOOR_IPREV_REFUSE, "192.0.2.0/24", SERVICE_MX, "250 2.1.5" },
    { "our users", "bl.test", "", 1, DOOR_IPREV_REFUSE, "", SERVICE_SUBMISSION, "250 2.1.5" },
};

static void enter(struct post *post, enum smtp_service service)
{
    struct error err;

    if (!door_open(&post->settings, post->rig.store, &post->smtpd.door, &err))
        fail_msg("%s", err.text);
    post_start(post, service);
}

static void leave(struct post *post)
{
    post_stop(post);
    door_free(&post->smtpd.door);
}

static const char *last_line(const char *answer)
{
    const char *at = answer;

    for (const char *byte = answer; byte[0] != '\0' && byte[1] != '\0'; byte++)
        if (*byte == '\n')
            at = byte + 1;
    return at;
}

static void test_visits(void **state)
{
    struct post *post = *state;

    for (size_t i = 0; i < COUNT_OF(visits); i++) {
        bool is_user = visits[i].service == SERVICE_SUBMISSION;

        post->settings.door_dnsbl = (char *)visits[i].dnsbl;
        post->settings.door_dnswl = (char *)visits[i].dnswl;
        post->settings.door_dnsbl_refuse = visits[i].refuse;
        post->settings.door_iprev = visits[i].iprev;
        post->settings.trusted_networks = (char *)visits[i].trusted;
        enter(post, visits[i].service);
        if (is_user)
            post_log_in(post);
        post_say(post, "EHLO x\r\n");
        post_say(post, is_user ? "MAIL FROM:<bob@example.test>\r\n" : "MAIL FROM:<a@far.test>\r\n");
        const char *answer = post_say(post, "RCPT TO:<bob@example.test>\r\n");
        if (!slice_starts(slice_of(answer), visits[i].want))
            fail_msg("%s: %s", visits[i].name, answer);
        leave(post);
    }
}

/* The command that waited is run once more, and those behind it wait for it. */
static void test_pipelined(void **state)
{
    struct post *post = *state;

    post->settings.door_dnsbl = "bl.test";
    post->settings.door_dnswl = "";
    post->settings.door_dnsbl_refuse = 1;
    post->settings.door_iprev = DOOR_IPREV_OFF;
    post->settings.trusted_networks = "";
    enter(post, SERVICE_MX);
    post->n_fetches = 0;
    post_say(post, "EHLO x\r\n");
    const char *answer = post_say(
        post, "MAIL FROM:<a@far.test>\r\nRCPT TO:<bob@example.test>\r\n"
              "RCPT TO:<postmaster@example.test>\r\nRCPT TO:<eve@example.test>\r\nNOOP\r\n");
    assert_true(slice_search(slice_of(answer), SLICE("550 5.7.1")) > 0);
    assert_true(slice_search(slice_of(answer), SLICE("\r\n250 2.1.5 Ok\r\n550 5.7.1")) > 0);
    assert_true(slice_starts(slice_of(last_line(answer)), "250 2.0.0"));
    assert_int_equal(post->n_fetches, 2); /* addresses, and then the text */
    leave(post);
}

static void test_early_talker(void **state)
{
    struct post *post = *state;

    post->settings.trusted_networks = "";
    post->settings.door_dnsbl = "";
    for (int refuses = 0; refuses <= 1; refuses++) {
        post->settings.door_early_talkers = refuses ? DOOR_TALKERS_REFUSE : DOOR_TALKERS_LOG;
        post->settings.door_greeting_delay = 1000;
        enter(post, SERVICE_MX);
        assert_true(slice_starts(slice_of(rig_text(&post->rig)), "220 "));
        assert_int_equal(post->rig.call.delay_ms, 1000);
        /* HELO offers no pipelining. */
        const char *answer = post_say(post, "HELO x\r\nMAIL FROM:<a@far.test>\r\n");
        answer = post_say(post, "RCPT TO:<bob@example.test>\r\n");
        assert_true(slice_starts(slice_of(answer), refuses ? "550 5.5.0" : "250 2.1.5"));
        leave(post);
    }
    post->settings.door_greeting_delay = 0;
    post->settings.door_early_talkers = DOOR_TALKERS_LOG;
}

static void test_too_many_connections(void **state)
{
    struct post *post = *state;

    post->settings.door_address_rate = 2;
    enter(post, SERVICE_MX);
    for (int i = 0; i < 2; i++) {
        post_stop(post);
        post_start(post, SERVICE_MX);
    }
    assert_string_equal(rig_text(&post->rig),
                        "421 4.7.0 Too many connections from [192.0.2.1], try again later\r\n");
    assert_true(post->rig.closed);
    leave(post);
    post->settings.door_address_rate = 0;
}

static void test_too_many_errors(void **state)
{
    struct post *post = *state;

    post->settings.door_error_rate = 3;
    enter(post, SERVICE_MX);
    post_say(post, "EHLO x\r\nWHAT\r\nWHAT\r\nWHAT\r\n");
    post_stop(post);
    post_start(post, SERVICE_MX);
    assert_true(slice_starts(slice_of(rig_text(&post->rig)), "421 4.7.0 Too many errors"));
    post_stop(post);
    post_start(post, SERVICE_SUBMISSION);
    assert_true(slice_starts(slice_of(rig_text(&post->rig)), "220 "));
    leave(post);
    post->settings.door_error_rate = 0;
}

static void test_greylist(void **state)
{
    struct post *post = *state;

    post->settings.door_dnsbl = "bl.test";
    post->settings.door_dnsbl_refuse = 2;
    post->settings.door_greylist = true;
    post->settings.door_greylist_delay = 3600000;
    post->settings.door_greylist_keep = 7200000;
    for (int i = 0; i < 3; i++) {
        enter(post, SERVICE_MX);
        post_say(post, "EHLO x\r\nMAIL FROM:<a@far.test>\r\n");
        const char *answer = post_say(post, "RCPT TO:<bob@example.test>\r\n");
        bool passes = i == 2; /* its delay is over */
        if (!slice_starts(slice_of(answer), passes ? "250 2.1.5"
                                                   : "451 4.7.1 Client [192.0.2.1] "
                                                     "is greylisted"))
            fail_msg("%d: %s", i, answer);
        leave(post);
        if (i == 1)
            post->settings.door_greylist_delay = 0;
    }
    post->settings.door_greylist = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_several_lists),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_rates_of_networks),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_visits),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_early_talker),
        cmocka_unit_test(test_too_many_connections),
        cmocka_unit_test(test_too_many_errors),
        cmocka_unit_test(test_greylist),
    };

    log_setup(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, open_post, close_post);
}

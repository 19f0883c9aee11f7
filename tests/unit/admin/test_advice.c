/* test_advice.c - what `postane domain check` makes of answers that a test's own name server cannot
 * give: signed ones, and none. (The others are in tests/e2e/test_domain_check.py.) */
#include "admin/advice.h"

#include "tests/unit/message/zone.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW 1800000000

static struct record tlsa = { .kind = RECORD_TLSA,
                              .name = SLICE("_25._tcp.mx.a.test"),
                              .type = "TLSA",
                              .value = SLICE("3 1 1 abcd") };

struct bench {
    struct advice *advice;
    struct dns_table table;
    struct record records[6];
    struct publication all;
};

static int open_bench(void **state)
{
    struct bench *bench = NEW(struct bench);
    const struct record records[] = {
        tlsa,
        { .kind = RECORD_MX,
          .name = SLICE("a.test"),
          .type = "MX",
          .value = SLICE("10 mx.a.test.") },
        { .kind = RECORD_DMARC,
          .name = SLICE("_dmarc.a.test"),
          .type = "TXT",
          .value = SLICE("x") },
        { .kind = RECORD_STS,
          .name = SLICE("_mta-sts.a.test"),
          .type = "TXT",
          .value = SLICE("x") },
        { .kind = RECORD_TLSRPT,
          .name = SLICE("_smtp._tls.a.test"),
          .type = "TXT",
          .value = SLICE("x") },
        { .kind = RECORD_SRV,
          .name = SLICE("_imaps._tcp.a.test"),
          .type = "SRV",
          .value = SLICE("0 1 993 mx.a.test.") },
    };

    memcpy(bench->records, records, sizeof(records));
    bench->all = (struct publication){ .domain = SLICE("a.test"),
                                       .host = SLICE("mx.a.test"),
                                       .records = bench->records,
                                       .count = COUNT_OF(records),
                                       .certificate_is_for_host = true,
                                       .certificate_expires_s = NOW + 30 * 86400 };
    bench->advice = NEW(struct advice);
    bench->advice->publication = &bench->all;
    bench->advice->table = &bench->table;
    bench->advice->now_s = NOW;
    *state = bench;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;

    arena_free(&bench->advice->arena);
    dns_table_free(&bench->table);
    free(bench->advice);
    free(bench);
    return 0;
}

/* The level of the last finding of a type, -1 without; `words` are in its text. */
static int level_of(const struct bench *bench, const char *type, const char *words)
{
    int level = -1;

    for (size_t i = 0; i < bench->advice->count; i++) {
        const struct finding *finding = &bench->advice->findings[i];

        if (strcmp(finding->type, type) == 0 && slice_search(finding->text, slice_of(words)) >= 0)
            level = (int)finding->level;
    }
    return level;
}

static void put_tlsa(struct bench *bench, enum dns_state state, const char *rdata, bool secure)
{
    struct slice record = slice_make(rdata, 5);

    dns_put(&bench->table, &(struct dns_answer){ .name = tlsa.name,
                                                 .type = DNS_TLSA,
                                                 .state = state,
                                                 .secure = secure,
                                                 .records = &record,
                                                 .count = state == DNS_FOUND });
    assert_true(advise_tlsa(bench->advice));
}

static void test_tlsa(void **state)
{
    struct bench *bench = *state;

    put_tlsa(bench, DNS_FOUND, "\3\1\1\xab\xcd", true);
    assert_int_equal(level_of(bench, "TLSA", "is that of the certificate"), ADVICE_GOOD);
    assert_int_equal(level_of(bench, "TLSA", "not signed"), -1);
    bench->advice->count = 0;
    put_tlsa(bench, DNS_FOUND, "\3\1\1\xab\xce", true);
    assert_int_equal(level_of(bench, "TLSA", "send no mail here"), ADVICE_WRONG);
    bench->advice->count = 0;
    put_tlsa(bench, DNS_NO_NAME, NULL, true);
    assert_int_equal(level_of(bench, "TLSA", "not published"), ADVICE_HINT);
    bench->advice->count = 0;
    put_tlsa(bench, DNS_NO_NAME, NULL, false);
    assert_int_equal(level_of(bench, "TLSA", "no DANE"), ADVICE_HINT);
}

static void test_certificate(void **state)
{
    static const struct {
        int64_t left_s;
        const char *words;
        enum advice_level level;
    } cases[] = {
        { -5 * 86400, "expired 5 days ago", ADVICE_WRONG },
        { 0, "expired 0 days ago", ADVICE_WRONG },
        { 6 * 86400, "expires in 6 days", ADVICE_HINT },
        { 8 * 86400, "is for this name", ADVICE_GOOD },
    };
    struct bench *bench = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bench->advice->count = 0;
        bench->all.certificate_expires_s = NOW + cases[i].left_s;
        put_tlsa(bench, DNS_NO_NAME, NULL, true);
        assert_int_equal(level_of(bench, "TLS", cases[i].words), cases[i].level);
    }
}

/* All is asked before anything is waited for. */
static void test_few_rounds(void **state)
{
    struct bench *bench = *state;
    unsigned rounds = 0;

    zone_add(&bench->table, "mx.a.test", DNS_A, "192.0.2.1");
    zone_add(&bench->table, "a.test", DNS_MX, "mx.a.test");
    zone_add(&bench->table, "a.test", DNS_TXT, "v=spf1 mx -all");
    zone_add(&bench->table, "_dmarc.a.test", DNS_TXT,
             "v=DMARC1; p=reject; rua=mailto:x@b.test,mailto:y@c.test");
    while (!advice_all(bench->advice)) {
        assert_true(++rounds < 10);
        for (struct dns_answer *a = bench->table.first; a != NULL; a = a->next)
            if (a->state == DNS_MISSING)
                zone_state(&bench->table, slice_text(&bench->table.arena, a->name), a->type,
                           DNS_NO_NAME);
    }
    assert_true(rounds <= 4);
    assert_int_equal(level_of(bench, "MX", "mail comes to mx.a.test"), ADVICE_GOOD);
    assert_int_equal(level_of(bench, "SPF", "lets 192.0.2.1 send"), ADVICE_GOOD);
    assert_int_equal(level_of(bench, "DMARC", "a.test._report._dmarc.b.test"), ADVICE_WRONG);
    assert_int_equal(level_of(bench, "DMARC", "a.test._report._dmarc.c.test"), ADVICE_WRONG);
    assert_int_equal(level_of(bench, "DKIM", "there are no keys"), ADVICE_WRONG);
}

/* A zone of endless records: findings have a limit. */
static void test_many_records(void **state)
{
    struct bench *bench = *state;

    for (int i = 0; i < 120; i++) {
        char host[32];

        snprintf(host, sizeof(host), "h%d.test", i);
        zone_add(&bench->table, "a.test", DNS_MX, host);
        zone_add(&bench->table, "mx.a.test", DNS_A, "192.0.2.1");
    }
    for (int i = 0; i < 20 && !advice_all(bench->advice); i++)
        for (struct dns_answer *a = bench->table.first; a != NULL; a = a->next)
            if (a->state == DNS_MISSING)
                zone_state(&bench->table, slice_text(&bench->table.arena, a->name), a->type,
                           DNS_FAILED);
    assert_true(bench->advice->count <= FINDINGS_MAX);
    assert_int_equal(level_of(bench, "MX", "not this machine"), ADVICE_WRONG);
}

static void test_zone_lines(void **state)
{
    AUTO(buf_free) struct buf line = { 0 };
    char text[301];
    struct record record = { .name = SLICE("a.test"), .type = "TXT" };

    record.value = SLICE("a\"b\\c\x01\xff");
    record_print(&record, &line);
    assert_string_equal(buf_text(&line), "a.test. IN TXT \"a\\\"b\\\\c\\001\\255\"\n");
    buf_clear(&line);
    memset(text, 'x', sizeof(text));
    record.value = slice_make(text, 300);
    record_print(&record, &line);
    assert_int_equal(line.len, strlen("a.test. IN TXT (\n    \"\"\n    \"\" )\n") + 300);
    buf_clear(&line);
    record.value = (struct slice){ 0 };
    record_print(&record, &line);
    assert_string_equal(buf_text(&line), "a.test. IN TXT \"\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tlsa, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_certificate, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_few_rounds, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_many_records, open_bench, close_bench),
        cmocka_unit_test(test_zone_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_counts.c - sums in memory, on their way to storage/tally.h. */
#include "smtpd/report/counts.h"

#include "common/clock.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>

struct bench {
    struct place *place;
    struct counts *counts;
};

static int open_bench(void **state)
{
    struct bench *bench = NEW(struct bench);

    place_open(state);
    bench->place = *state;
    bench->counts = counts_new(true, true);
    *state = bench;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    void *place = bench->place;

    counts_free(&bench->counts);
    free(bench);
    return place_close(&place);
}

static const struct dmarc_row row = {
    .source = { "192.0.2.1", 9 },
    .disposition = { "reject", 6 },
    .dkim = { "fail", 4 },
    .spf = { "fail", 4 },
    .header_from = { "a.test", 6 },
    .reason = { "forwarded", 9 },
    .dkim_domain = { "c.test", 6 },
    .dkim_selector = { "s\t1\n", 4 },
    .dkim_result = { "fail", 4 },
    .spf_domain = { "mail.a.test", 11 },
    .spf_scope = { "mfrom", 5 },
    .spf_result = { "softfail", 8 },
};

static struct tally_list read_back(struct bench *bench, struct arena *arena, enum tally_kind kind,
                                   const char *domain)
{
    struct tally which = { .kind = kind, .domain = slice_of(domain) };
    struct tally_list list, today;
    struct error err;

    check_ok(counts_write(bench->counts, bench->place->desk, &err), &err);
    assert_true(counts_is_empty(bench->counts));
    which.day = counts_day(time_ms());
    check_ok(tally_read(bench->place->desk, arena, &which, &today, &err), &err);
    which.day--; /* when midnight has just passed */
    check_ok(tally_read(bench->place->desk, arena, &which, &list, &err), &err);
    return today.count > 0 ? today : list;
}

static void comes_back_as_it_was(void **state)
{
    struct bench *bench = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct tally_list list;
    struct dmarc_row back;

    counts_mail(bench->counts, SLICE("A.Test"), &row);
    counts_mail(bench->counts, SLICE("a.test"), &row);
    list = read_back(bench, &arena, TALLY_DMARC, "a.test");
    assert_int_equal(list.count, 1);
    counts_row(&list.items[0], &back);
    assert_int_equal(back.count, 2);
    assert_true(slice_equal(back.source, row.source));
    assert_true(slice_equal(back.disposition, row.disposition));
    assert_true(slice_equal(back.reason, row.reason));
    assert_int_equal(back.envelope_from.len, 0);
    assert_true(slice_equal(back.dkim_selector, SLICE("s 1\n"))); /* no separator of the key */
    assert_true(slice_equal(back.spf_result, row.spf_result));
}

static void tells_failures_apart_only(void **state)
{
    struct bench *bench = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct tls_session session = { .domain = SLICE("b.test"),
                                   .policy = SLICE("sts"),
                                   .policy_text = SLICE("version: STSv1\nmode: enforce"),
                                   .host = SLICE("mx1.b.test"),
                                   .address = SLICE("192.0.2.7") };
    struct tally_list list;
    struct tls_session back;

    counts_session(bench->counts, &session);
    session.host = SLICE("mx2.b.test");
    counts_session(bench->counts, &session);
    session.result = SLICE("certificate-expired");
    counts_session(bench->counts, &session);
    session.host = SLICE("mx1.b.test");
    counts_session(bench->counts, &session);
    list = read_back(bench, &arena, TALLY_TLS, "b.test");
    assert_int_equal(list.count, 3);
    counts_tls(&list.items[0], &back);
    assert_int_equal(back.result.len, 0);
    assert_int_equal(back.host.len, 0);
    assert_int_equal(list.items[0].count, 2);
    assert_true(slice_equal(back.policy_text, session.policy_text));
    counts_tls(&list.items[1], &back);
    assert_true(slice_equal(back.result, SLICE("certificate-expired")));
    assert_true(slice_equal(back.host, SLICE("mx1.b.test")));
    assert_true(slice_equal(back.address, SLICE("192.0.2.7")));
}

/* A stranger with ever new names fills no memory, and what is known still counts. */
static void has_limits(void **state)
{
    struct bench *bench = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct dmarc_row strange = row;
    char text[5000], name[32];
    struct tally_list list;

    memset(text, 'x', sizeof(text));
    strange.envelope_from = slice_make(text, sizeof(text));
    counts_mail(bench->counts, SLICE("a.test"), &strange);
    for (int i = 0; i < COUNTS_MAX; i++) {
        snprintf(name, sizeof(name), "%d.test", i);
        counts_mail(bench->counts, slice_of(name), &row);
    }
    counts_mail(bench->counts, SLICE("a.test"), &strange);
    list = read_back(bench, &arena, TALLY_DMARC, "a.test");
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].count, 2);
    assert_true(list.items[0].key.len < 2 * COUNTS_PART_MAX);
    assert_int_equal(read_back(bench, &arena, TALLY_DMARC, "19998.test").count, 1);
    assert_int_equal(read_back(bench, &arena, TALLY_DMARC, "19999.test").count, 0);
}

static void kept_when_not_written(void **state)
{
    struct bench *bench = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct desk *desk = NULL;
    struct store *store = NULL;
    struct store_options options = { .path = bench->place->path, .log = { .daemon = "test" } };
    char path[128], hidden[140];
    struct error err;

    check_ok(store_open(&options, &store, &err), &err);
    check_ok(desk_open(store, &desk, &err), &err);
    snprintf(path, sizeof(path), "%s/postane.db", bench->place->path);
    snprintf(hidden, sizeof(hidden), "%s.hidden", path);
    counts_mail(bench->counts, SLICE("a.test"), &row);
    assert_int_equal(rename(path, hidden), 0);
    assert_false(counts_write(bench->counts, desk, &err));
    assert_false(counts_is_empty(bench->counts));
    assert_int_equal(rename(hidden, path), 0);
    desk_close(&desk);
    store_close(&store);
    assert_int_equal(read_back(bench, &arena, TALLY_DMARC, "a.test").count, 1);
}

static void nobody_counts(void **state)
{
    struct bench *bench = *state;

    counts_mail(NULL, SLICE("a.test"), &row);
    counts_session(NULL, &(struct tls_session){ .domain = SLICE("a.test") });
    counts_mail(bench->counts, (struct slice){ 0 }, &row);
    assert_true(counts_is_empty(bench->counts));
    counts_free(&bench->counts);
    bench->counts = counts_new(false, true);
    counts_mail(bench->counts, SLICE("a.test"), &row);
    assert_true(counts_is_empty(bench->counts));
    counts_free(&bench->counts);
    bench->counts = counts_new(true, false);
    counts_session(bench->counts, &(struct tls_session){ .domain = SLICE("a.test") });
    assert_true(counts_is_empty(bench->counts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back_as_it_was, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(tells_failures_apart_only, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(has_limits, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(kept_when_not_written, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(nobody_counts, open_bench, close_bench),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

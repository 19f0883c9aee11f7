/* test_greylist.c - triplets: first try, wait, passed, forgotten. */
#include "storage/greylist.h"

#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t wait_of(struct greylist *greylist, const char *sender, int64_t now_ms)
{
    const struct greylist_triplet triplet = {
        .network = SLICE("192.0.2.0/24"),
        .sender = slice_of(sender),
        .recipient = SLICE("bob@example.test"),
        .delay_ms = 1000,
        .keep_ms = 100000,
        .now_ms = now_ms,
    };
    uint64_t wait_ms = 12345;
    struct error err;

    check_ok(greylist_check(greylist, &triplet, &wait_ms, &err), &err);
    return wait_ms;
}

static struct greylist *open_list(struct place *place, uint64_t rows_max)
{
    struct greylist *greylist;
    struct error err;

    check_ok(greylist_open(place->store, rows_max, &greylist, &err), &err);
    return greylist;
}

static void first_wait_then_pass(void **state)
{
    struct greylist *greylist = open_list(*state, 100);

    assert_int_equal(wait_of(greylist, "a@far.test", 1000000), 1000);
    assert_int_equal(wait_of(greylist, "A@far.TEST", 1000400), 600);
    assert_int_equal(wait_of(greylist, "b@far.test", 1000400), 1000);
    assert_int_equal(wait_of(greylist, "a@far.test", 1001000), 0);
    greylist_close(&greylist);
    greylist = open_list(*state, 100); /* it is durable */
    assert_int_equal(wait_of(greylist, "a@far.test", 1001000), 0);
    assert_int_equal(wait_of(greylist, "a@far.test", 1100000), 0);    /* used: kept longer */
    assert_int_equal(wait_of(greylist, "a@far.test", 1300000), 1000); /* too long ago */
    greylist_close(&greylist);
}

/* A clock that was set back: nobody waits longer than the delay. */
static void clock_set_back(void **state)
{
    struct greylist *greylist = open_list(*state, 100);

    assert_int_equal(wait_of(greylist, "c@far.test", 9000000), 1000);
    assert_int_equal(wait_of(greylist, "c@far.test", 8000000), 1000);
    greylist_close(&greylist);
}

static void bounded(void **state)
{
    struct greylist *greylist = open_list(*state, 50);
    unsigned kept = 0;
    char sender[32];

    for (int i = 0; i < 500; i++) {
        snprintf(sender, sizeof(sender), "s%d@far.test", i);
        assert_int_equal(wait_of(greylist, sender, 2000000 + i), 1000);
    }
    for (int i = 499; i >= 450; i--) {
        snprintf(sender, sizeof(sender), "s%d@far.test", i);
        kept += wait_of(greylist, sender, 2000500) < 1000;
    }
    assert_in_range(kept, 10, 50);
    greylist_close(&greylist);
}

static void damaged(void **state)
{
    struct place *place = *state;
    struct greylist *greylist;
    char path[128];

    snprintf(path, sizeof(path), "%s/greylist.db", place->path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(write(fd, "not a database ", 15), 15);
    close(fd);
    greylist = open_list(place, 50);
    assert_int_equal(wait_of(greylist, "a@far.test", 1000000), 1000);
    greylist_close(&greylist);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_wait_then_pass, place_open, place_close),
        cmocka_unit_test_setup_teardown(clock_set_back, place_open, place_close),
        cmocka_unit_test_setup_teardown(bounded, place_open, place_close),
        cmocka_unit_test_setup_teardown(damaged, place_open, place_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

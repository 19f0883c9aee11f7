/* test_keys.c - the signing keys of our domains. */
#include "storage/keys.h"

#include "storage/directory.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <sys/stat.h>

static struct signing_key key_of(const char *domain, const char *selector)
{
    return (struct signing_key){ .domain = slice_of(domain),
                                 .selector = slice_of(selector),
                                 .algorithm = SLICE("ed25519-sha256"),
                                 .pem = SLICE("-----BEGIN PRIVATE KEY-----") };
}

static void add(struct place *place, const char *domain, const char *selector)
{
    struct signing_key key = key_of(domain, selector);
    struct error err;

    check_ok(keys_add(place->desk, &key, &err), &err);
}

static size_t count_keys(struct place *place, const char *domain)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct key_list list;
    struct error err;

    check_ok(keys_all(place->desk, &arena, slice_of(domain), &list, &err), &err);
    return list.count;
}

static int open_with_domains(void **state)
{
    struct place *place;
    struct error err;

    place_open(state);
    place = *state;
    check_ok(domain_add(place->desk, SLICE("a.test"), &err), &err);
    check_ok(domain_add(place->desk,
                        SLICE("b\xc3\xbc"
                              "cher.test"),
                        &err),
             &err);
    return 0;
}

static void lives_through_its_states(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct signing_key *key;
    struct key_list list;
    struct error err;

    add(place, "A.test", "e1");
    check_ok(keys_set_state(place->desk, SLICE("a.TEST"), SLICE("e1"), KEY_ACTIVE, &err), &err);
    place_reopen(place);
    check_ok(keys_all(place->desk, &arena, SLICE("a.test"), &list, &err), &err);
    assert_int_equal(list.count, 1);
    key = &list.items[0];
    assert_true(slice_equal(key->domain, SLICE("a.test")));
    assert_true(slice_equal(key->selector, SLICE("e1")));
    assert_true(slice_equal(key->algorithm, SLICE("ed25519-sha256")));
    assert_true(slice_equal(key->pem, SLICE("-----BEGIN PRIVATE KEY-----")));
    assert_int_equal(key->state, KEY_ACTIVE);
    assert_true(key->created_ms > 0 && key->changed_ms >= key->created_ms);
    check_ok(keys_remove(place->desk, SLICE("a.test"), SLICE("e1"), &err), &err);
    assert_int_equal(count_keys(place, "a.test"), 0);
}

static void lists_by_domain(void **state)
{
    struct place *place = *state;

    add(place, "a.test", "e1");
    add(place, "a.test", "r1");
    add(place,
        "b\xc3\xbc"
        "cher.test",
        "e1");
    assert_int_equal(count_keys(place, ""), 3);
    assert_int_equal(count_keys(place, "a.test"), 2);
    assert_int_equal(count_keys(place, "xn--bcher-kva.test"), 1);
    assert_int_equal(count_keys(place, "other.test"), 0);
    assert_int_equal(count_keys(place, "no name"), 0);
}

static void goes_with_its_domain(void **state)
{
    struct place *place = *state;
    struct error err;

    add(place, "a.test", "e1");
    add(place,
        "b\xc3\xbc"
        "cher.test",
        "e1");
    check_ok(domain_remove(place->desk, SLICE("a.test"), &err), &err);
    assert_int_equal(count_keys(place, ""), 1);
}

static void refuses(void **state)
{
    static const struct {
        const char *domain, *selector;
        enum error_kind kind;
    } cases[] = {
        { "a.test", "e1", ERROR_EXISTS },
        { "other.test", "e1", ERROR_NOT_FOUND },
        { "no name", "e1", ERROR_NOT_FOUND },
        { "a.test", "", ERROR_INVALID },
        { "a.test", "e.1", ERROR_INVALID },
        { "a.test", "-e", ERROR_INVALID },
        { "a.test", "e\"1", ERROR_INVALID },
        { "a.test", "E1", ERROR_INVALID },
        { "a.test", "1234567890123456789012345678901234567890123456789012345678901234",
          ERROR_INVALID },
    };
    struct place *place = *state;
    struct error err;

    add(place, "a.test", "e1");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct signing_key key = key_of(cases[i].domain, cases[i].selector);

        assert_false(keys_add(place->desk, &key, &err));
        assert_int_equal(err.kind, cases[i].kind);
    }
    assert_false(keys_set_state(place->desk, SLICE("a.test"), SLICE("x"), KEY_ACTIVE, &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_false(keys_remove(place->desk, SLICE("other.test"), SLICE("e1"), &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_int_equal(count_keys(place, ""), 1);
}

/* Whatever the umask says: private keys lie in there. */
static void is_private(void **state)
{
    static const char *const names[] = { "postane.db", "postane.db-wal", "postane.db-shm" };
    struct place *place = *state;

    add(place, "a.test", "e1");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[128];
        struct stat file;

        snprintf(path, sizeof(path), "%s/%s", place->path, names[i]);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lives_through_its_states, open_with_domains, place_close),
        cmocka_unit_test_setup_teardown(lists_by_domain, open_with_domains, place_close),
        cmocka_unit_test_setup_teardown(goes_with_its_domain, open_with_domains, place_close),
        cmocka_unit_test_setup_teardown(refuses, open_with_domains, place_close),
        cmocka_unit_test_setup_teardown(is_private, open_with_domains, place_close),
    };

    umask(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

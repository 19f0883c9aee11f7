/* test_body.c - bodies of all sizes around the limit, and what becomes of their files. */
#include "storage/body.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fill(struct buf *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buf_add_byte(out, (char)(i * 31 + i / 256));
}

static unsigned count_temporary(const struct place *place)
{
    AUTO(buf_free) struct buf path = { 0 };
    unsigned count = 0;
    DIR *folder;

    buf_fmt(&path, "%s/tmp", place->path);
    folder = opendir(buf_text(&path));
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static const size_t sizes[] = {
    0, 1, PLACE_INLINE_MAX - 1, PLACE_INLINE_MAX, PLACE_INLINE_MAX + 1, 70000, 600000,
};
static const size_t pieces[] = { 1, 17, 4096, 1000000 };

static void check_body(struct place *place, size_t size, size_t piece)
{
    AUTO(body_free) struct body *body = body_new(place->store);
    AUTO(buf_free) struct buf want = { 0 };
    unsigned char hash[HASH_SIZE];
    struct error err = { 0 };
    struct slice bytes;
    struct hash state;

    fill(&want, size);
    for (size_t at = 0; at < size; at += piece)
        check_ok(body_add(body, slice_part(buf_slice(&want), at, piece), &err), &err);
    check_ok(body_finish(body, &err), &err);

    hash_init(&state);
    hash_add(&state, want.data, want.len);
    hash_end(&state, hash);
    assert_memory_equal(body_hash(body), hash, HASH_SIZE);
    assert_int_equal(body_size(body), size);
    assert_int_equal(body_is_large(body), size > PLACE_INLINE_MAX);
    assert_int_equal(body_file(body) != NULL, body_is_large(body));
    for (int twice = 0; twice < 2; twice++) {
        check_ok(body_bytes(body, &bytes, &err), &err);
        assert_true(slice_equal(bytes, buf_slice(&want)));
    }
    body_free(&body);
    assert_int_equal(count_temporary(place), 0);
}

static void all_sizes_in_all_pieces(void **state)
{
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        for (size_t p = 0; p < COUNT_OF(pieces); p++)
            check_body(*state, sizes[s], pieces[p]);
    }
}

static void given_up_halfway_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct body *body = body_new(place->store);
    AUTO(buf_free) struct buf bytes = { 0 };
    struct error err = { 0 };

    fill(&bytes, 300000);
    check_ok(body_add(body, buf_slice(&bytes), &err), &err);
    assert_int_equal(count_temporary(place), 1);
    body_free(&body);
    assert_null(body);
    assert_int_equal(count_temporary(place), 0);
    body_free(&body);
}

static void a_missing_folder_is_an_error(void **state)
{
    struct place *place = *state;
    AUTO(body_free) struct body *body = body_new(place->store);
    AUTO(buf_free) struct buf bytes = { 0 };
    AUTO(buf_free) struct buf folder = { 0 };
    struct error err = { 0 };

    buf_fmt(&folder, "%s/tmp", place->path);
    assert_int_equal(rmdir(buf_text(&folder)), 0);
    fill(&bytes, PLACE_INLINE_MAX + 1);
    assert_false(body_add(body, buf_slice(&bytes), &err));
    assert_int_not_equal(err.kind, ERROR_NONE);
    assert_non_null(strstr(err.text, "/tmp/"));
}

static void stored_ones_open_again(void **state)
{
    struct place *place = *state;
    AUTO(body_free) struct body *body = body_new(place->store);
    AUTO(body_free) struct body *again = NULL;
    AUTO(body_free) struct body *copy = NULL;
    AUTO(buf_free) struct buf bytes = { 0 };
    struct error err = { 0 };
    struct slice got;

    fill(&bytes, 5000);
    check_ok(body_add(body, buf_slice(&bytes), &err), &err);
    check_ok(body_finish(body, &err), &err);
    check_ok(body_open_file(place->store, body_file(body), 5000, body_hash(body), &again, &err),
             &err);
    check_ok(body_bytes(again, &got, &err), &err);
    assert_true(slice_equal(got, buf_slice(&bytes)));
    body_free(&again);
    assert_int_equal(access(body_file(body), F_OK), 0); /* not its to remove */

    assert_false(
        body_open_file(place->store, body_file(body), 4999, body_hash(body), &again, &err));
    assert_int_equal(err.kind, ERROR_INTERNAL);

    copy = body_from_bytes(place->store, SLICE("text"), body_hash(body));
    check_ok(body_bytes(copy, &got, &err), &err);
    assert_true(slice_equal(got, SLICE("text")));
    assert_false(body_is_large(copy));
    assert_memory_equal(body_hash(copy), body_hash(body), HASH_SIZE);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(all_sizes_in_all_pieces),
        IN_PLACE(given_up_halfway_leaves_nothing),
        IN_PLACE(a_missing_folder_is_an_error),
        IN_PLACE(stored_ones_open_again),
    };

    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}

/* test_pack.c - small gzip and zip files, made by Python's gzip and zipfile modules. */
#include "common/pack.h"

#include "tests/unit/common/exact.h"
#include "tests/unit/support/check.h"

#define TEXT "hello, report\n"

static const char gzip_file[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\x28\x4a\x2d\xc8\x2f\x2a"
    "\xe1\x02\x00\x5c\x59\x80\xf2\x0e\x00\x00\x00";

static const char zip_file[] =
    "\x50\x4b\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x21\x50\x5c\x59\x80\xf2\x10\x00\x00\x00\x0e"
    "\x00\x00\x00\x05\x00\x00\x00\x72\x2e\x78\x6d\x6c\xcb\x48\xcd\xc9\xc9\xd7\x51\x28\x4a\x2d\xc8"
    "\x2f\x2a\xe1\x02\x00\x50\x4b\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00\x00\x00\x21\x50\x5c\x59"
    "\x80\xf2\x10\x00\x00\x00\x0e\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
    "\x01\x00\x00\x00\x00\x72\x2e\x78\x6d\x6c\x50\x4b\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x33"
    "\x00\x00\x00\x33\x00\x00\x00\x00\x00";

static bool try_unpack(struct slice packed, size_t max, struct buf *out, struct error *err)
{
    AUTO(exact_free) struct slice copy = exact_copy(packed);

    return unpack(copy, max, out, err);
}

static const struct {
    const char *name;
    struct slice packed;
} files[] = {
    { "gzip", { gzip_file, sizeof(gzip_file) - 1 } },
    { "zip", { zip_file, sizeof(zip_file) - 1 } },
    { "neither", { TEXT, sizeof(TEXT) - 1 } },
};

static void test_unpacks(void **state)
{
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        AUTO(buf_free) struct buf out = { 0 };
        struct error err;

        if (!try_unpack(files[i].packed, 100, &out, &err) || !buf_is(&out, TEXT))
            fail_msg("%s: <%s>", files[i].name, buf_text(&out));
    }
}

/* A small file that would become a large one. */
static void test_is_bounded(void **state)
{
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        AUTO(buf_free) struct buf out = { 0 };
        struct error err;

        assert_false(try_unpack(files[i].packed, 5, &out, &err));
        assert_int_equal(err.kind, ERROR_LIMIT);
    }
}

static void test_damaged(void **state)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct slice zip = files[1].packed;
    struct error err;

    assert_false(try_unpack(slice_part(zip, 0, 40), 100, &out, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
    for (size_t len = 0; len < zip.len; len++) {
        buf_clear(&out);
        if (!try_unpack(slice_part(zip, 0, len), 100, &out, &err))
            assert_int_equal(err.kind, ERROR_INVALID);
    }
}

static void test_packs(void **state)
{
    AUTO(buf_free) struct buf packed = { 0 }, out = { 0 };
    struct error err;

    assert_true(pack_gzip(SLICE(TEXT), &packed, &err));
    assert_memory_equal(packed.data, gzip_file, 3);
    assert_true(try_unpack(buf_slice(&packed), 100, &out, &err));
    assert_true(buf_is(&out, TEXT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpacks),
        cmocka_unit_test(test_is_bounded),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_packs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_totp.c - one-time codes: the vectors of RFC 4226 and RFC 6238, the window, the split. */
#include "common/totp.h"
#include "tests/unit/common/exact.h"
#include "tests/unit/support/check.h"

#define KEY SLICE("12345678901234567890")

static void vectors_of_rfc_4226(void **state) /* appendix D */
{
    static const uint32_t codes[] = { 755224, 287082, 359152, 969429, 338314,
                                      254676, 287922, 162583, 399871, 520489 };

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        assert_int_equal(hotp(KEY, i, 6), codes[i]);
}

static void vectors_of_rfc_6238(void **state) /* appendix B, HMAC-SHA1 */
{
    static const struct {
        int64_t time_s;
        uint32_t code;
    } cases[] = {
        { 59, 94287082 },         { 1111111109, 7081804 },  { 1111111111, 14050471 },
        { 1234567890, 89005924 }, { 2000000000, 69279037 }, { 20000000000, 65353130 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t step = 0;

        assert_int_equal(hotp(KEY, (uint64_t)cases[i].time_s / 30, 8), cases[i].code);
        assert_true(totp_matches(KEY, cases[i].code % 1000000, cases[i].time_s, &step));
        assert_int_equal(step, cases[i].time_s / 30);
    }
}

static void window(void **state)
{
    static const struct {
        int64_t after_s;
        bool right;
    } cases[] = { { -31, false }, { -30, true }, { 0, true },   { 29, true },
                  { 59, true },   { 60, false }, { 300, false } };
    const int64_t start_s = 1111111110 / 30 * 30;
    uint64_t step = 0;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t code = hotp(KEY, (uint64_t)start_s / 30, 6);

        assert_int_equal(totp_matches(KEY, code, start_s + cases[i].after_s, &step),
                         cases[i].right);
        if (cases[i].right)
            assert_int_equal(step, start_s / 30);
    }
    assert_false(totp_matches(KEY, 1, -5, &step)); /* a clock before 1970 */
}

static void split(void **state)
{
    static const struct {
        const char *text, *password;
        uint32_t code;
    } cases[] = {
        { "secret123456", "secret", 123456 },
        { "secret000001", "secret", 1 },
        { "1234567", "1", 234567 },
        { "123456", NULL, 0 },
        { "", NULL, 0 },
        { "secret12345", NULL, 0 },
        { "secret 12345", NULL, 0 },
        { "secret-12345", NULL, 0 },
        { "secret12345x", NULL, 0 },
        { "secret+12345", NULL, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice text = exact_copy(slice_of(cases[i].text));
        struct slice password;
        uint32_t code;

        assert_int_equal(totp_split(text, &password, &code), cases[i].password != NULL);
        if (cases[i].password != NULL) {
            assert_true(slice_equal(password, slice_of(cases[i].password)));
            assert_int_equal(code, cases[i].code);
        }
    }
}

static void uri(void **state)
{
    AUTO(buf_free) struct buf out = { 0 };

    totp_uri(SLICE("Hello!\xDE\xAD\xBE\xEF"), SLICE("example.org"), SLICE("b&b@example.org"), &out);
    assert_string_equal(buf_text(&out),
                        "otpauth://totp/example.org:b%26b%40example.org?secret=JBSWY3DPEHPK3PXP"
                        "&issuer=example.org&algorithm=SHA1&digits=6&period=30");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_rfc_4226),
        cmocka_unit_test(vectors_of_rfc_6238),
        cmocka_unit_test(window),
        cmocka_unit_test(split),
        cmocka_unit_test(uri),
    };

    return cmocka_run_group_tests_name("totp", tests, NULL, NULL);
}

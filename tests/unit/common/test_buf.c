/* Growing bytes, also as a queue, against a plain array as the model. */
#include "common/buf.h"

#include "tests/unit/support/check.h"

#include <stdlib.h>

static void adding(void **state)
{
    AUTO(buf_free) struct buf buf = { 0 };

    assert_string_equal(buf_text(&buf), "");
    buf_add_text(&buf, "a");
    buf_add_byte(&buf, 'b');
    buf_add_slice(&buf, SLICE("cd"));
    buf_add_slice(&buf, (struct slice){ 0 });
    buf_add_number(&buf, 0);
    buf_add_number(&buf, UINT64_MAX);
    buf_fmt(&buf, "[%d]", -5);
    assert_true(buf_is(&buf, "abcd018446744073709551615[-5]"));
    assert_false(buf_is(&buf, "ABCD018446744073709551615[-5]"));
    assert_string_equal(buf_text(&buf), "abcd018446744073709551615[-5]");
    buf_truncate(&buf, 4);
    buf_truncate(&buf, 100);
    assert_true(buf_is(&buf, "abcd"));
}

static void formatting_longer_than_the_room(void **state)
{
    for (int width = 1; width < 300; width++) {
        AUTO(buf_free) struct buf buf = { 0 };

        buf_fmt(&buf, "%*d|", width, 7);
        assert_int_equal(buf.len, width + 1);
        assert_int_equal(buf.data[width - 1], '7');
        assert_int_equal(buf.data[width], '|');
    }
}

static void a_queue_keeps_order(void **state)
{
    AUTO(buf_free) struct buf buf = { 0 };
    unsigned in = 0, out = 0, step = 12345;

    for (int round = 0; round < 5000; round++) {
        step = step * 1103515245 + 12345;
        for (unsigned n = step >> 20 & 127; n > 0; n--)
            buf_add_byte(&buf, (char)in++);
        for (size_t n = step >> 10 & 127, i = 0; i < n && i < buf.len; i++)
            assert_int_equal((unsigned char)buf.data[i], (out + i) & 255);
        out += (unsigned)MIN(step >> 10 & 127, buf.len);
        buf_drop(&buf, step >> 10 & 127);
        assert_int_equal(buf.len, in - out);
    }
}

/* Otherwise a connection that is never quite empty would grow for ever. */
static void a_queue_stays_small(void **state)
{
    AUTO(buf_free) struct buf buf = { 0 };

    buf_add_text(&buf, "first");
    for (int i = 0; i < 100000; i++) {
        buf_add_text(&buf, "0123456789");
        buf_drop(&buf, 10);
    }
    assert_true(buf.front + buf.room <= 256);
    assert_int_equal(buf.len, 5);
}

static void reserving(void **state)
{
    AUTO(buf_free) struct buf buf = { 0 };

    memcpy(buf_reserve(&buf, 1000), "hello", 5);
    assert_true(buf.room >= 1000);
    buf_wrote(&buf, 5);
    assert_true(buf_is(&buf, "hello"));
    buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_true(buf.room >= 1000);
}

static void moving(void **state)
{
    AUTO(buf_free) struct buf to = { 0 };
    AUTO(buf_free) struct buf from = { 0 };
    const char *data;

    buf_add_text(&from, "xxone");
    buf_drop(&from, 2);
    data = from.data;
    buf_move(&to, &from);
    assert_ptr_equal(to.data, data);
    assert_int_equal(from.len, 0);
    buf_add_text(&from, " two");
    buf_move(&to, &from);
    assert_true(buf_is(&to, "one two"));
    assert_int_equal(from.len, 0);
}

/* What is overwritten is seen by a test that reads a daemon's memory; here, that content is kept.
 */
static void secrets_keep_their_content(void **state)
{
    AUTO(buf_free) struct buf secret = { .secret = true };
    AUTO(buf_free) struct buf empty = { 0 };
    AUTO(buf_free) struct buf other = { 0 };

    for (int i = 0; i < 1000; i++)
        buf_add_text(&secret, "pass");
    buf_drop(&secret, 3996);
    buf_add_text(&secret, "word");
    assert_true(buf_is(&secret, "password"));
    buf_move(&empty, &secret);
    assert_true(empty.secret && !secret.secret);
    buf_add_text(&other, "my ");
    buf_move(&other, &empty);
    assert_true(buf_is(&other, "my password"));
    assert_true(other.secret && !empty.secret && empty.data == NULL);
    buf_free(&other);
    assert_false(other.secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_keep_their_content),
        cmocka_unit_test(adding),
        cmocka_unit_test(formatting_longer_than_the_room),
        cmocka_unit_test(a_queue_keeps_order),
        cmocka_unit_test(a_queue_stays_small),
        cmocka_unit_test(reserving),
        cmocka_unit_test(moving),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

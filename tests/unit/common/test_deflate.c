/* test_deflate.c - both directions against zlib itself: every way to flush, cut anywhere. */
#include "common/deflate.h"
#include "common/mem.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>
#include <zlib.h>

#define ROOM 4096

/* Lines that a client would send. */
static void make_lines(struct buf *out, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        buf_fmt(out, "a%u UID FETCH %u:%u (FLAGS BODY.PEEK[HEADER.FIELDS (Subject)])\r\n", i, i * 7,
                i * 11 + 5);
}

/* As a client would compress it, one piece after the other. */
static void pack(z_stream *stream, struct slice bytes, int flush, struct buf *packed)
{
    stream->next_in = (Bytef *)bytes.data;
    stream->avail_in = (uInt)bytes.len;
    do {
        stream->next_out = (Bytef *)buf_reserve(packed, 1000);
        stream->avail_out = 1000;
        deflate(stream, flush);
        buf_wrote(packed, 1000 - stream->avail_out);
    } while (stream->avail_out == 0);
}

/* Everything there is to get, in steps of at most `room`. */
static enum parse unpack_all(struct inflater *inflater, struct buf *packed, struct buf *out,
                             size_t room)
{
    enum parse result;
    size_t before;

    do {
        before = out->len;
        result = inflater_run(inflater, packed, out, room);
        assert_true(out->len - before <= room);
    } while (result == PARSE_OK);
    return result;
}

static void test_flushes(void **state)
{
    static const int flushes[] = { Z_SYNC_FLUSH, Z_PARTIAL_FLUSH, Z_FULL_FLUSH, Z_BLOCK };
    static const int windows[] = { 9, 12, 15 };
    static const size_t cuts[] = { 1, 7, 100000 };

    for (size_t f = 0; f < COUNT_OF(flushes) * COUNT_OF(windows) * COUNT_OF(cuts); f++) {
        AUTO(inflater_free) struct inflater *inflater = inflater_new();
        AUTO(buf_free) struct buf want = { 0 };
        AUTO(buf_free) struct buf got = { 0 };
        AUTO(buf_free) struct buf arrived = { 0 };
        int flush = flushes[f % 4];
        size_t cut = cuts[f / 12];
        z_stream stream = { 0 };

        deflateInit2(&stream, 6, Z_DEFLATED, -windows[f / 4 % 3], 8, Z_DEFAULT_STRATEGY);
        for (unsigned piece = 0; piece < 60; piece++) {
            AUTO(buf_free) struct buf line = { 0 };
            AUTO(buf_free) struct buf packed = { 0 };

            make_lines(&line, piece, piece + 1 + piece % 3 * 20);
            pack(&stream, buf_slice(&line), flush, &packed);
            buf_add_slice(&want, buf_slice(&line));
            for (size_t at = 0; at < packed.len; at += cut) {
                buf_add_slice(&arrived, slice_part(buf_slice(&packed), at, cut));
                assert_int_equal(unpack_all(inflater, &arrived, &got, ROOM), PARSE_MORE);
            }
            assert_int_equal(arrived.len, 0);
            if (flush != Z_BLOCK) /* which may keep up to 7 bits of the last block's end */
                assert_true(slice_equal(buf_slice(&got), buf_slice(&want)));
        }
        assert_true(got.len + 300 > want.len);
        deflateEnd(&stream);
    }
}

/* A quiet client costs what it has sent, and never more than a window. */
static void test_memory(void **state)
{
    AUTO(inflater_free) struct inflater *inflater = inflater_new();
    AUTO(buf_free) struct buf packed = { 0 };
    AUTO(buf_free) struct buf got = { 0 };
    AUTO(buf_free) struct buf line = { 0 };
    z_stream stream = { 0 };

    deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    make_lines(&line, 1, 3);
    pack(&stream, buf_slice(&line), Z_SYNC_FLUSH, &packed);
    assert_int_equal(unpack_all(inflater, &packed, &got, ROOM), PARSE_MORE);
    assert_true(inflater_memory(inflater) < 512);
    make_lines(&line, 3, 5000);
    pack(&stream, buf_slice(&line), Z_SYNC_FLUSH, &packed);
    assert_int_equal(unpack_all(inflater, &packed, &got, ROOM), PARSE_MORE);
    assert_true(inflater_memory(inflater) <= 33 * 1024);
    deflateEnd(&stream);
}

/* What stands behind a flush is not looked at before what came out is taken: it may be clear. */
static void test_boundary(void **state)
{
    AUTO(inflater_free) struct inflater *inflater = inflater_new();
    AUTO(buf_free) struct buf packed = { 0 };
    AUTO(buf_free) struct buf got = { 0 };
    z_stream stream = { 0 };

    deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    pack(&stream, SLICE("a UNAUTHENTICATE\r\n"), Z_SYNC_FLUSH, &packed);
    buf_add_text(&packed, "b NOOP\r\n");
    assert_int_equal(inflater_run(inflater, &packed, &got, ROOM), PARSE_OK);
    assert_string_equal(buf_text(&got), "a UNAUTHENTICATE\r\n");
    assert_true(packed.len >= strlen("b NOOP\r\n") && packed.len <= strlen("b NOOP\r\n") + 5);
    deflateEnd(&stream);
}

/* However the peer ends its compression, and however it comes: what is left is clear text. */
static void test_finish(void **state)
{
    static const struct {
        int flush;
        bool ends; /* with Z_FINISH after that */
    } ways[] = { { Z_SYNC_FLUSH, false },
                 { Z_FULL_FLUSH, false },
                 { Z_SYNC_FLUSH, true },
                 { Z_FINISH, false } };

    for (size_t i = 0; i < COUNT_OF(ways) * 2; i++) {
        AUTO(inflater_free) struct inflater *inflater = inflater_new();
        AUTO(buf_free) struct buf packed = { 0 };
        AUTO(buf_free) struct buf arrived = { 0 };
        AUTO(buf_free) struct buf got = { 0 };
        enum parse result = PARSE_MORE;
        z_stream stream = { 0 };
        size_t cut = i % 2 == 0 ? 1 : 10000;

        deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
        pack(&stream, SLICE("0 NOOP\r\n"), Z_SYNC_FLUSH, &packed);
        pack(&stream, SLICE("1 BYE\r\n"), ways[i / 2].flush, &packed);
        if (ways[i / 2].ends)
            pack(&stream, (struct slice){ 0 }, Z_FINISH, &packed);
        deflateEnd(&stream);
        buf_add_text(&packed, "2 NOOP\r\n");
        for (size_t at = 0; at < packed.len; at += cut) {
            buf_add_slice(&arrived, slice_part(buf_slice(&packed), at, cut));
            while (strstr(buf_text(&got), "BYE\r\n") == NULL &&
                   inflater_run(inflater, &arrived, &got, ROOM) == PARSE_OK)
                continue;
            if (strstr(buf_text(&got), "BYE\r\n") != NULL && result != PARSE_OK)
                result = inflater_finish(inflater, &arrived);
            assert_true(result != PARSE_BAD);
        }
        assert_int_equal(result, PARSE_OK);
        assert_string_equal(buf_text(&got), "0 NOOP\r\n1 BYE\r\n");
        assert_string_equal(buf_text(&arrived), "2 NOOP\r\n");
    }
}

/* The last block is the last: the rest stays as it came. */
static void test_end(void **state)
{
    AUTO(inflater_free) struct inflater *inflater = inflater_new();
    AUTO(buf_free) struct buf packed = { 0 };
    AUTO(buf_free) struct buf got = { 0 };
    z_stream stream = { 0 };

    deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    pack(&stream, SLICE("one"), Z_FINISH, &packed);
    buf_add_text(&packed, "two");
    assert_int_equal(unpack_all(inflater, &packed, &got, ROOM), PARSE_MORE);
    assert_string_equal(buf_text(&got), "one");
    assert_string_equal(buf_text(&packed), "two");
    deflateEnd(&stream);
}

/* 100 MB from 100 KB come in steps of what there is room for. */
static void test_bomb(void **state)
{
    AUTO(inflater_free) struct inflater *inflater = inflater_new();
    AUTO(buf_free) struct buf packed = { 0 };
    AUTO(buf_free) struct buf zeros = { 0 };
    z_stream stream = { 0 };
    uint64_t total = 0;

    memset(buf_reserve(&zeros, 1 << 20), 0, 1 << 20);
    buf_wrote(&zeros, 1 << 20);
    deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    for (int i = 0; i < 100; i++)
        pack(&stream, buf_slice(&zeros), Z_NO_FLUSH, &packed);
    pack(&stream, (struct slice){ 0 }, Z_SYNC_FLUSH, &packed);
    assert_true(packed.len < 150 * 1024);
    for (;;) {
        AUTO(buf_free) struct buf got = { 0 };

        if (inflater_run(inflater, &packed, &got, 64 * 1024) != PARSE_OK)
            break;
        assert_true(got.len <= 64 * 1024);
        total += got.len;
    }
    assert_int_equal(total, 100ull << 20);
    deflateEnd(&stream);
}

static void test_bad(void **state)
{
    static const char *const bad[] = { "a NOOP\r\n", "\xff\xff\xff\xff", "\x06" };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO(inflater_free) struct inflater *inflater = inflater_new();
        AUTO(buf_free) struct buf packed = { 0 };
        AUTO(buf_free) struct buf got = { 0 };

        buf_add_text(&packed, bad[i]);
        assert_int_equal(unpack_all(inflater, &packed, &got, ROOM), PARSE_BAD);
    }
}

/* One stream of many pieces for any inflate(), whatever their sizes. */
static void test_deflater(void **state)
{
    AUTO(deflater_free) struct deflater *deflater = deflater_new();
    AUTO(inflater_free) struct inflater *inflater = inflater_new();
    AUTO(buf_free) struct buf want = { 0 };
    AUTO(buf_free) struct buf got = { 0 };
    AUTO(buf_free) struct buf all = { 0 };
    AUTO(buf_free) struct buf empty = { 0 };
    z_stream stream = { 0 };

    for (unsigned i = 0; i < 200; i++) {
        AUTO(buf_free) struct buf piece = { 0 };
        AUTO(buf_free) struct buf packed = { 0 };

        make_lines(&piece, i, i + 1 + (i % 50 == 0 ? 3000 : i % 5));
        if (i % 7 == 0)
            buf_truncate(&piece, i % 40);
        buf_add_slice(&want, buf_slice(&piece));
        deflater_run(deflater, &piece);
        buf_add_slice(&all, buf_slice(&piece));
        buf_add_slice(&packed, buf_slice(&piece));
        assert_int_equal(unpack_all(inflater, &packed, &got, ROOM), PARSE_MORE);
        assert_true(slice_equal(buf_slice(&got), buf_slice(&want)));
    }
    deflater_run(deflater, &empty);
    assert_int_equal(empty.len, 0);
    assert_true(all.len * 3 < want.len);

    buf_clear(&got);
    inflateInit2(&stream, -15);
    stream.next_in = (Bytef *)all.data;
    stream.avail_in = (uInt)all.len;
    stream.next_out = (Bytef *)buf_reserve(&got, want.len);
    stream.avail_out = (uInt)want.len;
    assert_int_equal(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
    buf_wrote(&got, want.len - stream.avail_out);
    assert_true(slice_equal(buf_slice(&got), buf_slice(&want)));
    inflateEnd(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flushes),  cmocka_unit_test(test_memory),
        cmocka_unit_test(test_boundary), cmocka_unit_test(test_end),
        cmocka_unit_test(test_bomb),     cmocka_unit_test(test_bad),
        cmocka_unit_test(test_finish),   cmocka_unit_test(test_deflater),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

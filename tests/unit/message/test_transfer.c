/* test_transfer.c - transfer encodings piece by piece, and messages made storable. */
#include "message/decode.h"
#include "message/storable.h"
#include "message/transfer.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static void decode_in_pieces(enum transfer how, struct slice text, size_t size, struct buf *out)
{
    struct transfer_decoder decoder = { .how = how };
    size_t more = 0;

    while (text.len > 0 || more > 0) {
        struct slice piece = slice_part(text, 0, size + more);
        size_t taken = transfer_decode_piece(&decoder, piece, piece.len == text.len, out);

        assert_true(taken <= piece.len);
        if (piece.len == text.len) {
            assert_int_equal(taken, piece.len);
            return;
        }
        more = taken == 0 ? more + size : 0; /* what was not taken comes again, with more */
        text = slice_from(text, taken);
    }
}

/* Whatever the pieces are, the same comes out as of the whole. */
static void test_pieces(void **state)
{
    static const char *const texts[] = {
        "",
        "YQ==",
        "YWJj\r\nZGVm\r\nZw==\r\n-- \r\nfooter YWJj\r\n",
        "Y\r\nW\r\nJ\r\nj",
        "=",
        "caf=C3=A9 \t \r\n=\r\nsoft=\r\n line=  \r\nbroken =C and =ZZ\r\nend=",
        "blanks  \n\n  bare\nlines = \n",
        "a\r\r\nb=0D=0A=00c",
    };
    static const enum transfer how[] = { TRANSFER_BASE64, TRANSFER_QUOTED_PRINTABLE,
                                         TRANSFER_IDENTITY };

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        for (size_t k = 0; k < COUNT_OF(how); k++)
            for (size_t size = 1; size < 12; size++) {
                AUTO(buf_free) struct buf whole = { 0 };
                AUTO(buf_free) struct buf got = { 0 };
                struct transfer_decoder decoder = { .how = how[k] };

                transfer_decode_piece(&decoder, slice_of(texts[i]), true, &whole);
                decode_in_pieces(how[k], slice_of(texts[i]), size, &got);
                assert_true(slice_equal(buf_slice(&whole), buf_slice(&got)));
            }
}

/* A line longer than any piece is cut, but not into what belongs together. */
static void test_long_line(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf whole = { 0 };
    AUTO(buf_free) struct buf got = { 0 };

    for (int i = 0; i < 5000; i++)
        buf_add_text(&text, i % 3 == 0 ? "a=C3=A9" : i % 3 == 1 ? " \t" : "=");
    quoted_printable_decode(buf_slice(&text), &whole);
    for (size_t size = TRANSFER_PIECE_MIN; size < TRANSFER_PIECE_MIN + 8; size++) {
        buf_clear(&got);
        decode_in_pieces(TRANSFER_QUOTED_PRINTABLE, buf_slice(&text), size, &got);
        assert_true(slice_equal(buf_slice(&whole), buf_slice(&got)));
    }
    buf_clear(&text);
    while (text.len < 3 * TRANSFER_PIECE_MIN)
        buf_add_byte(&text, ' ');
    buf_clear(&got);
    decode_in_pieces(TRANSFER_QUOTED_PRINTABLE, buf_slice(&text), TRANSFER_PIECE_MIN, &got);
    assert_true(got.len > TRANSFER_PIECE_MIN);
}

static void test_names(void **state)
{
    assert_int_equal(transfer_of(SLICE("")), TRANSFER_IDENTITY);
    assert_int_equal(transfer_of(SLICE("7bit")), TRANSFER_IDENTITY);
    assert_int_equal(transfer_of(SLICE("BINARY")), TRANSFER_IDENTITY);
    assert_int_equal(transfer_of(SLICE("Base64")), TRANSFER_BASE64);
    assert_int_equal(transfer_of(SLICE("QUOTED-printable")), TRANSFER_QUOTED_PRINTABLE);
    assert_int_equal(transfer_of(SLICE("x-uuencode")), TRANSFER_UNKNOWN);
}

static bool add(void *context, struct slice bytes, struct error *err)
{
    buf_add_slice(context, bytes);
    return true;
}

static bool refuse(void *context, struct slice bytes, struct error *err)
{
    return error_set(err, ERROR_TEMPORARY, "full");
}

#define BOUNDARY "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define ENCODED  "Content-Transfer-Encoding: base64\r\n"

/* "@" stands for NUL. */
static const struct {
    const char *message, *want; /* NULL: it cannot be */
} cases[] = {
    { "", "" },
    { "Subject: x\r\n\r\nplain", "Subject: x\r\n\r\nplain" },
    { "Content-Transfer-Encoding: binary\r\n\r\n@\1\2", ENCODED "\r\nAAEC\r\n" },
    { "A: b\r\nContent-Transfer-Encoding:\r\n binary\r\nC: d\r\n\r\n@",
      "A: b\r\n" ENCODED "C: d\r\n\r\nAA==\r\n" },
    { "A: b\r\n\r\n@", "A: b\r\n" ENCODED "\r\nAA==\r\n" },
    { "A: b\n\n@", "A: b\n" ENCODED "\nAA==\r\n" },
    { "\r\n@", ENCODED "\r\nAA==\r\n" },
    { "no field @", ENCODED "\r\nbm8gZmllbGQgAA==\r\n" },
    { "Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: binary\r\n\r\n@",
      ENCODED "\r\nAA==\r\n" },
    /* Only the part that needs it; the others keep every byte. */
    { BOUNDARY "--b\r\nContent-Transfer-Encoding: binary\r\n\r\nno\nnul\r\n--b\r\n"
               "Content-Transfer-Encoding: binary\r\nX: y\r\n\r\na@b\r\n--b--\r\nafter",
      BOUNDARY "--b\r\nContent-Transfer-Encoding: binary\r\n\r\nno\nnul\r\n--b\r\n" ENCODED
               "X: y\r\n\r\nYQBi\r\n--b--\r\nafter" },
    { BOUNDARY "--b\r\n\r\n@\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nS: i\r\n\r\n@@\r\n--b--",
      BOUNDARY "--b\r\n" ENCODED
               "\r\nAA==\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nS: i\r\n" ENCODED
               "\r\nAAA=\r\n--b--" },
    { "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n" BOUNDARY
      "--b\r\n\r\n@\r\n--b--",
      "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n" BOUNDARY
      "--b\r\n" ENCODED "\r\nAA==\r\n--b--" },
    { "A: @\r\n\r\nx", NULL },
    { "A: @\r\n\r\n@", NULL },
    { BOUNDARY "@\r\n--b\r\n\r\nx\r\n--b--", NULL },
    { BOUNDARY "--b\r\n\r\nx\r\n--b--\r\n@", NULL },
    { "Content-Transfer-Encoding: base64\r\n\r\n@", NULL },
    { "Content-Transfer-Encoding: quoted-printable\r\n\r\n@", NULL },
    { "Content-Transfer-Encoding: x-own\r\n\r\n@", NULL },
};

static void test_storable(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *message = strdup(cases[i].message);
        size_t len = strlen(message);
        AUTO(buf_free) struct buf got = { 0 };
        struct error err;

        for (size_t k = 0; k < len; k++)
            if (cases[i].message[k] == '@')
                message[k] = '\0';
        bool ok = message_make_storable(slice_make(message, len), add, &got, &err);
        if (ok != (cases[i].want != NULL) || (ok && !buf_is(&got, cases[i].want)))
            fail_msg("case %zu: %s", i, ok ? buf_text(&got) : "refused");
        if (!ok)
            assert_int_equal(err.kind, ERROR_INVALID);
        if (ok && len > 0) {
            assert_false(message_make_storable(slice_make(message, len), refuse, NULL, &err));
            assert_int_equal(err.kind, ERROR_TEMPORARY);
        }
        free(message);
    }
}

/* Lines of 76 characters, in a part larger than what is encoded at once. */
static void test_storable_lines(void **state)
{
    AUTO(buf_free) struct buf message = { 0 };
    AUTO(buf_free) struct buf got = { 0 };
    AUTO(buf_free) struct buf back = { 0 };
    struct slice rest, line;
    struct error err;

    buf_add_text(&message, "A: b\r\n\r\n");
    for (size_t i = 0; i < 57 * 1000 + 1; i++)
        buf_add_byte(&message, (char)(i * 7));
    assert_true(message_make_storable(buf_slice(&message), add, &got, &err));
    rest = slice_from(buf_slice(&got), strlen("A: b\r\n" ENCODED "\r\n"));
    base64_body_decode(rest, &back);
    assert_true(slice_equal(buf_slice(&back), slice_from(buf_slice(&message), 8)));
    while (slice_split(&rest, '\n', &line))
        assert_true(line.len <= 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),         cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_storable),
        cmocka_unit_test(test_storable_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

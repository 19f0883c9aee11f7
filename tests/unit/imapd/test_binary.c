/* test_binary.c - BINARY (RFC 3516): parts without their transfer encoding, and literal8 in
 * APPEND. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

static struct dialogue dialogue;

#define A (&dialogue.a)

#define MESSAGE                                                                                    \
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"                                            \
    "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9 =\r\nau lait\r\n"         \
    "--b\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8gd29y\r\nbGQ=\r\n"                     \
    "--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYQBi\r\n"                                     \
    "--b\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin\r\n"                                \
    "--b\r\nContent-Type: message/rfc822\r\n\r\n"                                                  \
    "Content-Type: multipart/mixed; boundary=c\r\n\r\n"                                            \
    "--c\r\nContent-Transfer-Encoding: base64\r\n\r\naW5uZXI=\r\n--c\r\n\r\nplain\r\n--c--\r\n"    \
    "--b--\r\n"

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    dialogue_login(&dialogue, A);
    rig_append(A, A->bob, "Trash", MESSAGE);
    EXPECT(A, "a SELECT Trash\r\n", "...\na OK *\n");
    return 0;
}

static int tear_down(void **state)
{
    rig_stop(A);
    dialogue_close(&dialogue);
    return 0;
}

static void test_fetch(void **state)
{
    static const struct {
        const char *items, *want;
    } cases[] = {
        { "BINARY.PEEK[1]", "BINARY[1] {13}\ncaf\xc3\xa9 au lait" },
        { "BINARY.SIZE[1]", "BINARY.SIZE[1] 13" },
        { "(BINARY.SIZE[2] BINARY.PEEK[2])", "BINARY.SIZE[2] 11 BINARY[2] {11}\nhello world" },
        { "BINARY.PEEK[2]<0.5>", "BINARY[2]<0> {5}\nhello" },
        { "BINARY.PEEK[2]<6.100>", "BINARY[2]<6> {5}\nworld" },
        { "BINARY.PEEK[2]<11.1>", "BINARY[2]<11> {0}\n" },
        { "BINARY.PEEK[2]<4294967295.4294967295>", "BINARY[2]<4294967295> {0}\n" },
        { "(BINARY.PEEK[2]<6.2> BINARY.PEEK[2]<8.3> BINARY.PEEK[2]<0.1>)",
          "BINARY[2]<6> {2}\nwo BINARY[2]<8> {3}\nrld BINARY[2]<0> {1}\nh" },
        { "BINARY.PEEK[5.1]", "BINARY[5.1] {5}\ninner" },
        { "BINARY.PEEK[5.2]", "BINARY[5.2] {5}\nplain" },
        { "(BINARY.PEEK[9] BINARY.SIZE[9])", "BINARY[9] NIL BINARY.SIZE[9] 0" },
        { "(UID BINARY.SIZE[3])", "UID 1 BINARY.SIZE[3] 3" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf want = { 0 };

        buf_fmt(&input, "b FETCH 1 %s\r\n", cases[i].items);
        buf_fmt(&want, "* 1 FETCH (%s)\nb OK *\n", cases[i].want);
        EXPECT(A, buf_text(&input), buf_text(&want));
        EXPECT_BYTEWISE(A, buf_text(&input), buf_text(&want));
    }
    EXPECT(A, "b FETCH 1 BINARY[2]\r\n",
           "* 1 FETCH (BINARY[2] {11}\nhello world FLAGS (\\Seen \\Recent))\nb OK *\n");
}

/* literal8 says that there is NUL (section 4.3). */
static void test_nul(void **state)
{
    static const char want[] = "* 1 FETCH (BINARY[3] ~{3}\r\na\0b)\r\n";

    rig_say(A, "b FETCH 1 BINARY.PEEK[3]\r\n");
    assert_true(slice_starts(buf_slice(&A->answer), "* 1 FETCH (BINARY[3] ~{3}\r\na"));
    assert_memory_equal(A->answer.data, want, sizeof(want) - 1);
}

static void test_unknown(void **state)
{
    EXPECT(A, "b FETCH 1 BINARY.PEEK[4]\r\n", "* 1 FETCH (BINARY[4] NIL)\nb NO [UNKNOWN-CTE] *\n");
    EXPECT(A, "b FETCH 1 BINARY.SIZE[4]\r\n",
           "* 1 FETCH (BINARY.SIZE[4] 0)\nb NO [UNKNOWN-CTE] *\n");
    EXPECT(A, "b FETCH 1 BODY.PEEK[4]\r\n", "* 1 FETCH (BODY[4] {5}\nbegin)\nb OK *\n");
}

static void test_bad(void **state)
{
    static const char *const items[] = {
        "BINARY",         "BINARY.PEEK",       "BINARY.SIZE",         "BINARY[HEADER]",
        "BINARY[1.MIME]", "BINARY.PEEK[TEXT]", "BINARY.SIZE[1]<0.1>", "BINARY[0]",
        "BINARY[1]<0.0>", "BINARY[1",          "BINARY.PEEK[x]",
    };

    for (size_t i = 0; i < COUNT_OF(items); i++) {
        AUTO(buf_free) struct buf input = { 0 };

        buf_fmt(&input, "b FETCH 1 %s\r\n", items[i]);
        EXPECT(A, buf_text(&input), "b BAD *\n");
    }
}

/* Containers and the message itself are sent as they are. */
static void test_containers(void **state)
{
    AUTO(buf_free) struct buf want = { 0 };

    buf_fmt(&want, "* 1 FETCH (BINARY[] {%zu}\n%s BINARY.SIZE[] %zu)\nb OK *\n", strlen(MESSAGE),
            MESSAGE, strlen(MESSAGE));
    EXPECT(A, "b FETCH 1 (BINARY.PEEK[] BINARY.SIZE[])\r\n", buf_text(&want));
    EXPECT(A, "b FETCH 1 BINARY.SIZE[5]\r\n", "* 1 FETCH (BINARY.SIZE[5] 116)\nb OK *\n");
}

/* What takes many turns, in one piece and in many. */
static void test_big(void **state)
{
    enum { LINES = 100000 };
    AUTO(buf_free) struct buf message = { 0 };

    buf_add_text(&message, "Content-Transfer-Encoding: base64\r\n\r\n");
    for (int i = 0; i < LINES; i++)
        buf_add_text(&message, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OWFi\r\n");
    rig_append(A, A->bob, "Trash", buf_text(&message));
    EXPECT(A, "b NOOP\r\n", "* 2 EXISTS\n* 2 RECENT\nb OK *\n");
    EXPECT(A, "c FETCH 2 BINARY.SIZE[1]\r\n", "* 2 FETCH (BINARY.SIZE[1] 4200000)\nc OK *\n");
    rig_say(A, "d FETCH 2 BINARY.PEEK[1]\r\n");
    assert_true(slice_starts(buf_slice(&A->answer), "* 2 FETCH (BINARY[1] {4200000}\r\n01234567"));
    assert_true(A->answer.len > 4200000);
    for (unsigned from = 0; from < 4200000; from += 300007) {
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf head = { 0 };
        unsigned length = MIN(4200000 - from, 300007);

        buf_fmt(&input, "d FETCH 2 BINARY.PEEK[1]<%u.300007>\r\n", from);
        buf_fmt(&head, "* 2 FETCH (BINARY[1]<%u> {%u}\r\n", from, length);
        rig_say(A, buf_text(&input));
        assert_true(slice_starts(buf_slice(&A->answer), buf_text(&head)));
        for (unsigned i = 0; i < length; i++) {
            unsigned at = (from + i) % 42;
            char want = at < 40 ? (char)('0' + at % 10) : at == 40 ? 'a' : 'b';

            if (A->answer.data[head.len + i] != want)
                fail_msg("byte %u of the part from %u", i, from);
        }
    }
}

/* What comes with NUL is stored without, and given back with it. */
static void test_append(void **state)
{
    static const char input[] =
        "b APPEND Trash ~{83+}\r\n"
        "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\na\0\r\n"
        "\0b\r\n";
    static const char want[] = "* 2 FETCH (BINARY[1] ~{6}\r\na\0\r\n\0b)\r\n";

    rig_say_bytes(A, slice_make(input, sizeof(input) - 1));
    assert_non_null(strstr(rig_text(A), "b OK [APPENDUID "));
    EXPECT(A, "c FETCH 2 BODY.PEEK[TEXT]\r\n", "* 2 FETCH (BODY[TEXT] {10}\nYQANCgBi\n)\nc OK *\n");
    EXPECT(A, "d FETCH 2 BODYSTRUCTURE\r\n",
           "* 2 FETCH (BODYSTRUCTURE (\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 10 "
           "NIL NIL NIL NIL))\nd OK *\n");
    rig_say(A, "e FETCH 2 BINARY.PEEK[1]\r\n");
    assert_memory_equal(A->answer.data, want, sizeof(want) - 1);
}

/* Without NUL nothing is changed; NUL that cannot be kept is refused. */
static void test_append_nul(void **state)
{
    static const char header[] = "c APPEND Trash ~{8+}\r\nA: \0\r\n\r\n\r\n";
    static const char plain[] = "d APPEND Trash {8+}\r\nA: b\r\n\0\n\r\n";

    EXPECT(A, "b APPEND Trash ~{42+}\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\r\n\r\n",
           "* 2 EXISTS\n* 2 RECENT\nb OK *\n");
    EXPECT(A, "b FETCH 2 (RFC822.SIZE BODY.PEEK[TEXT])\r\n",
           "* 2 FETCH (RFC822.SIZE 42 BODY[TEXT] {5}\na\nb\n)\nb OK *\n");
    rig_say_bytes(A, slice_make(header, sizeof(header) - 1));
    assert_non_null(strstr(rig_text(A), "c NO [UNKNOWN-CTE] "));
    rig_say_bytes(A, slice_make(plain, sizeof(plain) - 1));
    assert_non_null(strstr(rig_text(A), "d NO "));
    EXPECT(A, "z STATUS Trash (MESSAGES)\r\n", "* STATUS \"Trash\" (MESSAGES 2)\nz OK *\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fetch),      TEST(test_nul), TEST(test_unknown), TEST(test_bad),
        TEST(test_containers), TEST(test_big), TEST(test_append),  TEST(test_append_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

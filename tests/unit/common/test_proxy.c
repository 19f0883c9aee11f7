/* test_proxy.c - PROXY headers, whole and cut at every byte. */
#include "common/proxy.h"
#include "tests/unit/support/check.h"

#include <stdio.h>

#define BYTES(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        "\xc0\0\2\1\xc6\x33\x64\1\xdc\x04\0\x19"
#define V6                                                                                         \
    "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                                        \
    "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7"

static const struct {
    const char *name;
    struct slice bytes;
    enum parse want;
    const char *addresses; /* "peer port local port"; "": the proxy's own */
} cases[] = {
    { "1, IPv4", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n"), PARSE_OK,
      "192.0.2.1 56324 198.51.100.1 25" },
    { "1, IPv6", BYTES("PROXY TCP6 2001:DB8:0::1 2001:db8::2 56324 25\r\n"), PARSE_OK,
      "2001:db8::1 56324 2001:db8::2 25" },
    { "1, mapped", BYTES("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:c000:207 56324 25\r\n"), PARSE_OK,
      "192.0.2.7 56324 192.0.2.7 25" },
    { "1, unknown", BYTES("PROXY UNKNOWN\r\n"), PARSE_OK, "" },
    { "1, unknown with addresses", BYTES("PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n"), PARSE_OK,
      "" },
    { "1, too few words", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n"), PARSE_BAD, "" },
    { "1, too many words", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n"), PARSE_BAD, "" },
    { "1, two blanks", BYTES("PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n"), PARSE_BAD, "" },
    { "1, port too large", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n"), PARSE_BAD, "" },
    { "1, wrong family", BYTES("PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n"), PARSE_BAD, "" },
    { "1, NUL", BYTES("PROXY TCP4 192.0.2.1\0x 198.51.100.1 1 2\r\n"), PARSE_BAD, "" },
    { "1, no address", BYTES("PROXY TCP4 client.test 198.51.100.1 1 2\r\n"), PARSE_BAD, "" },
    { "1, no such family", BYTES("PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n"), PARSE_BAD, "" },
    { "1, nothing", BYTES("PROXY \r\n"), PARSE_BAD, "" },
    { "1, small letters", BYTES("proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n"), PARSE_BAD, "" },
    { "1, endless",
      BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 1 2                                            "
            "                                "),
      PARSE_BAD, "" },
    { "no header", BYTES("EHLO client.test\r\n"), PARSE_BAD, "" },
    { "TLS", BYTES("\x16\3\1\2\0\1\0\1\xfc"), PARSE_BAD, "" },
    { "2, IPv4", BYTES(SIGNATURE "\x21\x11\0\x0c" V4), PARSE_OK,
      "192.0.2.1 56324 198.51.100.1 25" },
    { "2, IPv6", BYTES(SIGNATURE "\x21\x21\0\x24" V6 "\xdc\x04\0\x19"), PARSE_OK,
      "2001:db8::1 56324 2001:db8::2 25" },
    { "2, mapped", BYTES(SIGNATURE "\x21\x21\0\x24" MAPPED MAPPED "\xdc\x04\0\x19"), PARSE_OK,
      "192.0.2.7 56324 192.0.2.7 25" },
    { "2, extensions", BYTES(SIGNATURE "\x21\x11\0\x10" V4 "\4\0\1x"), PARSE_OK,
      "192.0.2.1 56324 198.51.100.1 25" },
    { "2, local", BYTES(SIGNATURE "\x20\0\0\0"), PARSE_OK, "" },
    { "2, local with addresses", BYTES(SIGNATURE "\x20\x11\0\x0c" V4), PARSE_OK, "" },
    { "2, unix", BYTES(SIGNATURE "\x21\x31\0\4abcd"), PARSE_OK, "" },
    { "2, datagrams", BYTES(SIGNATURE "\x21\x12\0\x0c" V4), PARSE_OK, "" },
    { "2, addresses too short", BYTES(SIGNATURE "\x21\x11\0\x0b" V4), PARSE_BAD, "" },
    { "2, no such command", BYTES(SIGNATURE "\x22\x11\0\x0c" V4), PARSE_BAD, "" },
    { "2, version 3", BYTES(SIGNATURE "\x31\x11\0\x0c" V4), PARSE_BAD, "" },
    { "2, too long", BYTES(SIGNATURE "\x21\x11\xff\xff" V4), PARSE_BAD, "" },
};

static void print(const struct proxy_header *header, char *text, size_t size)
{
    text[0] = '\0';
    if (header->has_addresses)
        snprintf(text, size, "%s %u %s %u", header->peer.address, header->peer.port,
                 header->local.address, header->local.port);
}

static void test_cases(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf more = { 0 };
        struct proxy_header header;
        char text[128];

        buf_add_slice(&more, cases[i].bytes);
        buf_add_text(&more, "EHLO x\r\n");
        if (proxy_parse(buf_slice(&more), &header) != cases[i].want)
            fail_msg("%s", cases[i].name);
        if (cases[i].want != PARSE_OK)
            continue;
        print(&header, text, sizeof(text));
        assert_string_equal(text, cases[i].addresses);
        if (header.len != cases[i].bytes.len)
            fail_msg("%s: %zu bytes", cases[i].name, header.len);
    }
}

/* Cut anywhere, a good header is only not complete, and a bad one is never good. */
static void test_cut(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t cut = 0; cut < cases[i].bytes.len; cut++) {
            AUTO(buf_free) struct buf exact = { 0 };
            struct proxy_header header;

            buf_add_slice(&exact, slice_part(cases[i].bytes, 0, cut));
            enum parse parse = proxy_parse(buf_slice(&exact), &header);
            if (parse == PARSE_OK || (cases[i].want == PARSE_OK && parse != PARSE_MORE))
                fail_msg("%s, cut at %zu", cases[i].name, cut);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

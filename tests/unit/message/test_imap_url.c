/* test_imap_url.c - URLs of messages (RFC 5092, 2192) and their authorization (RFC 4467), whole and
 * cut at every byte. */
#include "message/imap_url.h"
#include "message/section.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

#define TOKEN "91354a473744909de610943775f92038"

/* A copy of just the right size, so that the sanitizer sees one byte too far. */
static bool parse(const char *text, size_t len, struct arena *arena, char **copy_out,
                  struct imap_url *url)
{
    *copy_out = malloc(len > 0 ? len : 1);
    memcpy(*copy_out, text, len);
    return imap_url_parse(slice_make(*copy_out, len), arena, url);
}

/* "host user mailbox;uidvalidity uid section <from.length> access=user" */
static void describe(const struct imap_url *url, struct buf *out)
{
    static const char *const access[] = { "", " submit", " user", " authuser", " anonymous" };

    if (url->absolute)
        buf_fmt(out, SLICE_FMT ":%u " SLICE_FMT " ", SLICE_ARG(url->host), url->port,
                SLICE_ARG(url->user));
    buf_fmt(out, SLICE_FMT ";%u %u " SLICE_FMT, SLICE_ARG(url->mailbox), url->uidvalidity, url->uid,
            SLICE_ARG(url->section));
    if (url->partial)
        buf_fmt(out, " <%u.%u>", url->from, url->length);
    if (url->expires)
        buf_fmt(out, " @%lld", (long long)url->expire_ms / 1000);
    buf_add_text(out, access[url->access]);
    if (url->access_user.len > 0)
        buf_fmt(out, "=" SLICE_FMT, SLICE_ARG(url->access_user));
    if (url->mechanism.len > 0)
        buf_fmt(out, " " SLICE_FMT ":%zu", SLICE_ARG(url->mechanism), url->token.len);
}

static const struct {
    const char *text, *want; /* NULL: none */
} cases[] = {
    /* RFC 5092 section 9, RFC 2192 section 6.  */
    { "imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024",
      "minbari.example.org:0  gray-council;385759045 20  <0.1024>" },
    { "imap://psicorp.example.org/~peter/%E6%97%A5%E6%9C%AC%E8%AA%9E/"
      "%E5%8F%B0%E5%8C%97/;UID=11916",
      "psicorp.example.org:0  ~peter/日本語/台北;0 11916 " },
    { "imap://;AUTH=GSSAPI@minbari.example.org/gray-council/;uid=20/;section=1.2",
      "minbari.example.org:0  gray-council;0 20 1.2" },
    { "imap://;AUTH=*@minbari.example.org/gray%20council/;uid=1",
      "minbari.example.org:0  gray council;0 1 " },
    { "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:" TOKEN,
      "example.com:0 joe INBOX;0 20 1.2 submit=fred internal:32" },
    { "imap://john;AUTH=*@minbari.example.org:1143/babylon5/personel/;UID=20",
      "minbari.example.org:1143 john babylon5/personel;0 20 " },
    { "imap://[2001:db8::1]:993/x/;UID=1", "[2001:db8::1]:993  x;0 1 " },
    { "imap://[2001:db8::1]/x/;UID=1", "[2001:db8::1]:0  x;0 1 " },
    /* RFC 4469 */
    { "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME", "Drafts;385759045 20 1.MIME" },
    { "/INBOX;UIDVALIDITY=785799047/;UID=113330;section=1.5.9", "INBOX;785799047 113330 1.5.9" },
    { "/Drafts/;UID=3002", "Drafts;0 3002 " },
    { "/Drafts/;UID=3002/", "Drafts;0 3002 " },
    { "Drafts/;UID=3002", "Drafts;0 3002 " },
    { ";UID=7", ";0 7 " },
    { "/;UID=7/;SECTION=HEADER.FIELDS%20(From%20%22To%22)", ";0 7 HEADER.FIELDS (From \"To\")" },
    { ";UID=7/;PARTIAL=5", ";0 7  <5.0>" },
    { "/a;UIDVALIDITY=4294967295/;UID=4294967295", "a;4294967295 4294967295 " },
    /* RFC 4467 */
    { "imap://joe@example.com/INBOX/;uid=20;urlauth=authuser",
      "example.com:0 joe INBOX;0 20  authuser" },
    { "imap://joe@example.com/INBOX/;uid=20;EXPIRE=2006-12-31T23:59:59-08:00;URLAUTH=anonymous",
      "example.com:0 joe INBOX;0 20  @1167638399 anonymous" },
    { "imap://j%40b@h/I/;uid=2/;partial=1.2;urlauth=user+j%40b:internal:" TOKEN "00",
      "h:0 j@b I;0 2  <1.2> user=j@b internal:34" },
    { "", NULL },
    { "/", NULL },
    { "/INBOX", NULL },
    { "/INBOX/", NULL },
    { "/INBOX/;UID=", NULL },
    { "/INBOX/;UID=0", NULL },
    { "/INBOX/;UID=4294967296", NULL },
    { "/INBOX/;UID=1x", NULL },
    { "/INBOX/;UID=1//", NULL },
    { "/INBOX/;UID=1/;NOPE=1", NULL },
    { "/INBOX/;UID=1/;SECTION=", NULL },
    { "/INBOX/;UID=1/;PARTIAL=1/;SECTION=1", NULL },
    { "/INBOX/;UID=1/;PARTIAL=", NULL },
    { "/INBOX/;UID=1/;PARTIAL=x", NULL },
    { "/INBOX/;UID=1/;PARTIAL=1.0", NULL },
    { "/INBOX;UIDVALIDITY=0/;UID=1", NULL },
    { "/INBOX;UIDVALIDITY=/;UID=1", NULL },
    { "/INBOX?FROM%20x/;UID=1", NULL },
    { "/IN%00BOX/;UID=1", NULL },
    { "/IN%0d%0aBOX/;UID=1", NULL },
    { "/IN%/;UID=1", NULL },
    { "/IN%4/;UID=1", NULL },
    { "/IN%zz/;UID=1", NULL },
    { "//example.com/INBOX/;UID=1", NULL },
    { "imap://example.com", NULL },
    { "imap://example.com/", NULL },
    { "imap://example.com/;UID=1", NULL },
    { "imap:///INBOX/;UID=1", NULL },
    { "imap://example.com:0/INBOX/;UID=1", NULL },
    { "imap://example.com:x/INBOX/;UID=1", NULL },
    { "http://example.com/INBOX/;UID=1x", NULL },
    { "imap://h/I/;UID=1;EXPIRE=2006-12-31T23:59:59Z", NULL }, /* means nothing by itself */
    { "imap://h/I/;UID=1;EXPIRE=2006-12-31;URLAUTH=anonymous", NULL },
    { "imap://h/I/;UID=1;URLAUTH=", NULL },
    { "imap://h/I/;UID=1;URLAUTH=nobody", NULL },
    { "imap://h/I/;UID=1;URLAUTH=submit+", NULL },
    { "imap://h/I/;UID=1;URLAUTH=anonymous:", NULL },
    { "imap://h/I/;UID=1;URLAUTH=anonymous:internal", NULL },
    { "imap://h/I/;UID=1;URLAUTH=anonymous:internal:", NULL },
    { "imap://h/I/;UID=1;URLAUTH=anonymous:internal:" TOKEN "g", NULL },
    { "imap://h/I/;UID=1;URLAUTH=anonymous:internal:91354a473744909de610943775f9203", NULL },
    { "imap://h/I/;UID=1;URLAUTH=anonymous:internal:" TOKEN ":x", NULL },
};

static void test_cases(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(buf_free) struct buf got = { 0 };
        struct imap_url url;
        char *copy;
        bool ok = parse(cases[i].text, strlen(cases[i].text), &arena, &copy, &url);

        if (ok)
            describe(&url, &got);
        free(copy);
        if (ok != (cases[i].want != NULL) || (ok && !buf_is(&got, cases[i].want)))
            fail_msg("%s: %s", cases[i].text, ok ? buf_text(&got) : "refused");
    }
}

static void test_cut(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t len = 0; len < strlen(cases[i].text); len++) {
            AUTO(arena_free) struct arena arena = { 0 };
            struct imap_url url;
            char *copy;

            if (parse(cases[i].text, len, &arena, &copy, &url))
                assert_true(url.uid > 0);
            free(copy);
        }
}

/* What is signed ends with the access identifier. */
static void test_rump(void **state)
{
    static const char text[] = "imap://j@h/I/;uid=2;urlauth=submit+x:internal:" TOKEN;
    AUTO(arena_free) struct arena arena = { 0 };
    struct imap_url url;

    assert_true(imap_url_parse(slice_of(text), &arena, &url));
    assert_true(slice_equal(url.rump, SLICE("imap://j@h/I/;uid=2;urlauth=submit+x")));
    assert_true(slice_equal(url.token, SLICE(TOKEN)));
}

static void test_too_long(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    struct imap_url url;

    buf_add_byte(&text, '/');
    while (text.len < IMAP_URL_MAX - strlen("/;UID=1"))
        buf_add_byte(&text, 'x');
    buf_add_text(&text, "/;UID=1");
    assert_true(imap_url_parse(buf_slice(&text), &arena, &url));
    buf_add_byte(&text, '1');
    assert_false(imap_url_parse(buf_slice(&text), &arena, &url));
}

static void test_rfc3339(void **state)
{
    static const struct {
        const char *text;
        int64_t want; /* seconds; -1: none */
    } times[] = {
        { "1985-04-12T23:20:50.52Z", 482196050 }, /* RFC 3339 section 5.8 */
        { "1996-12-19T16:39:57-08:00", 851042397 },
        { "1990-12-31T23:59:60Z", 662688000 },
        { "1937-01-01T12:00:27.87+00:20", -1041337173 },
        { "2026-02-29T00:00:00Z", 1772323200 }, /* the day after the 28th */
        { "2026-02-30T00:00:00Z", -1 },
        { "2026-00-01T00:00:00Z", -1 },
        { "2026-13-01T00:00:00Z", -1 },
        { "2026-01-32T00:00:00Z", -1 },
        { "2026-04-31T00:00:00Z", -1 },
        { "2026-01-01T24:00:00Z", -1 },
        { "2026-01-01T00:60:00Z", -1 },
        { "2026-01-01T00:00:00", -1 },
        { "2026-01-01T00:00:00+0100", -1 },
        { "2026-01-01T00:00:00Zx", -1 },
        { "2026-01-01 00:00:00Z", -1 },
        { "2026-1-01T00:00:00Z", -1 },
        { "", -1 },
    };

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t ms = -1000;
        bool ok = rfc3339_parse(slice_of(times[i].text), &ms);

        if (ok != (times[i].want != -1) || (ok && ms != times[i].want * 1000))
            fail_msg("%s: %lld", times[i].text, (long long)ms);
    }
}

static void test_section(void **state)
{
    static const struct {
        const char *text;
        int fields; /* -1: none */
    } sections[] = {
        { "", 0 },
        { "1", 0 },
        { "HEADER", 0 },
        { "1.2.MIME", 0 },
        { "HEADER.FIELDS (From)", 1 },
        { "2.header.fields.not (From \"To\" cc)", 3 },
        { "HEADER.FIELDS", -1 },
        { "HEADER.FIELDS ()", -1 },
        { "HEADER.FIELDS (From", -1 },
        { "HEADER.FIELDS (From ", -1 },
        { "HEADER.FIELDS (\"From)", -1 },
        { "HEADER.FIELDS (From)x", -1 },
        { "HEADER (From)", -1 },
        { "HEADER ", -1 },
        { "1.", -1 },
        { "MIME", -1 },
        { "0", -1 },
    };

    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        struct section section;
        bool ok = section_text_parse(slice_of(sections[i].text), &arena, &section);

        if (ok != (sections[i].fields >= 0) ||
            (ok && section.n_fields != (size_t)sections[i].fields))
            fail_msg("%s", sections[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),   cmocka_unit_test(test_cut),
        cmocka_unit_test(test_rump),    cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_rfc3339), cmocka_unit_test(test_section),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

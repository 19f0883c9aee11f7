/* test_dkim.c - DKIM without other people's messages: the examples of RFC 6376 and 8463, what is
 * wrong with fields and keys, signing and what breaks it.
 */
#include "message/proof/dkim_private.h"

#include "tests/unit/common/exact.h"
#include "tests/unit/message/txt.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/keys.h"

#define NOW 1528637909

/* --- canonical forms --- */

static const struct {
    const char *name, *in;
    bool relaxed;
    const char *same; /* a body that is its own canonical form, so hashes agree */
    uint64_t length;
} bodies[] = {
    { "RFC 6376 section 3.4.5, relaxed", " C \r\nD \t E\r\n\r\n\r\n", true, " C\r\nD E\r\n", 9 },
    { "RFC 6376 section 3.4.5, simple", " C \r\nD \t E\r\n\r\n\r\n", false, " C \r\nD \t E\r\n",
      12 },
    { "nothing, relaxed", "", true, "", 0 },
    { "nothing, simple", "", false, "\r\n", 2 },
    { "empty lines, relaxed", "\r\n \t\r\n\r\n", true, "", 0 },
    { "empty lines, simple", "\r\n\r\n", false, "\r\n", 2 },
    { "no line end, relaxed", "a", true, "a\r\n", 3 },
    { "no line end, simple", "a", false, "a\r\n", 3 },
    { "blanks at the end, relaxed", "a \t", true, "a\r\n", 3 },
    { "blanks at the end, simple", "a \t", false, "a \t\r\n", 5 },
    { "empty lines inside", "\r\n\r\na\r\n\r\nb\r\n", true, "\r\n\r\na\r\n\r\nb\r\n", 12 },
    { "bare line ends", "a\nb\rc\r\r\n", true, "a\nb\rc\r\r\n", 8 },
    { "blank before a bare line end", "a \nb\r\n", true, "a \nb\r\n", 6 },
    { "8-bit", "\xc3\xa4  \xff\r\n", true, "\xc3\xa4 \xff\r\n", 6 },
};

static void test_bodies(void **state)
{
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        AUTO(exact_free) struct slice in = exact_copy(slice_of(bodies[i].in));
        unsigned char got[32], want[DIGEST_SIZE_MAX];
        struct digest *digest = digest_new(DIGEST_SHA256);

        digest_add(digest, slice_of(bodies[i].same));
        digest_end(&digest, want);
        if (canon_body(in, bodies[i].relaxed, got) != bodies[i].length ||
            memcmp(got, want, 32) != 0)
            fail_msg("%s", bodies[i].name);
    }
}

static const struct {
    const char *in, *relaxed, *simple;
} fields[] = {
    { "A: X\r\n", "a:X\r\n", "A: X\r\n" },
    { "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n", "B : Y\t\r\n\tZ  \r\n" },
    { "C:\r\n", "c:\r\n", "C:\r\n" },
    { "D:\r\n \r\n x\r\n", "d:x\r\n", "D:\r\n \r\n x\r\n" },
    { "E: a\rb\r\n", "e:a\rb\r\n", "E: a\rb\r\n" },
    { "F: a\n b\n", "f:a b\r\n", "F: a\n b\r\n" },
};

static void check_field(const char *in, bool relaxed, const char *same)
{
    AUTO(exact_free) struct slice text = exact_copy(slice_of(in));
    struct slice rest = text;
    struct header_field field;
    unsigned char got[32], want[DIGEST_SIZE_MAX];
    struct digest *digest = digest_new(DIGEST_SHA256);
    struct canon canon;

    assert_true(header_next(&rest, &field));
    canon_init(&canon);
    canon_field(&canon, &field, relaxed);
    canon_end(&canon, got);
    digest_add(digest, slice_of(same));
    digest_end(&digest, want);
    if (memcmp(got, want, 32) != 0)
        fail_msg("%s", in);
}

static void test_fields(void **state)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        check_field(fields[i].in, true, fields[i].relaxed);
        check_field(fields[i].in, false, fields[i].simple);
    }
}

/* --- lists of tags --- */

static const struct {
    const char *text;
    bool good;
} lists[] = {
    { "a=b", true },       { "a=b;", true },       { " a\t=\r\n b c \r\n ; d= ; \r\n ", true },
    { "a=", true },        { "a=b=c", true },      { "a_1=b", true },
    { "", false },         { ";", false },         { "a=b;;", false },
    { "a=b;;c=d", false }, { ";a=b", false },      { "a", false },
    { "=b", false },       { "a=b;a=c", false },   { "a=b;A=c", true },
    { "1a=b", false },     { "a-b=c", false },     { "a b=c", false },
    { "a=b\x01", false },  { "a=\xc3\xa4", true },
};

static void test_tag_lists(void **state)
{
    AUTO(buf_free) struct buf many = { 0 };
    struct tag_list list;

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        AUTO(exact_free) struct slice text = exact_copy(slice_of(lists[i].text));

        if (tag_list_parse(text, &list) != lists[i].good)
            fail_msg("%s", lists[i].text);
    }
    for (size_t i = 0; i <= TAGS_MAX; i++) {
        assert_int_equal(tag_list_parse(buf_slice(&many), &list), i > 0);
        buf_fmt(&many, "t%zu=%zu;", i, i);
    }
    assert_false(tag_list_parse(buf_slice(&many), &list));
    assert_true(tag_list_parse(SLICE("a= x ; b=y"), &list));
    assert_true(slice_equal(tag_find(&list, "a")->value, SLICE("x")));
    assert_true(slice_equal(tag_find(&list, "a")->whole, SLICE(" x ")));
    assert_null(tag_find(&list, "B"));
}

/* --- verifying: the example of RFC 8463 appendix A.3, with one thing changed --- */

#define MESSAGE_REST                                                                               \
    "From: Joe SixPack <joe@football.example.com>\r\n"                                             \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"                                                 \
    "Subject: Is dinner ready?\r\n"                                                                \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                              \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"                             \
    "\r\n"                                                                                         \
    "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

#define ED25519_RECORD "v=DKIM1; k=ed25519; p=" RFC8463_ED25519_PUBLIC

static const char example[] = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                              " d=football.example.com; i=@football.example.com;\r\n"
                              " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
                              " subject : date : message-id : from : subject : date;\r\n"
                              " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                              " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
                              " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n" MESSAGE_REST;

/* The first verdict; its slices are gone. The key is given only when it is asked for. */
static struct dkim_verdict verify(struct slice message, const char *name, const char *record,
                                  int64_t now_s)
{
    AUTO(exact_free) struct slice copy = exact_copy(message);
    size_t header = header_length(copy), count = 0;
    AUTO(dkim_verifier_free)
    struct dkim_verifier *verifier =
        dkim_verifier_new(slice_part(copy, 0, header), slice_from(copy, header), now_s);
    struct dns_table table = { 0 };
    const struct dkim_verdict *verdicts = NULL;
    struct dkim_verdict verdict = { 0 };

    if (!dkim_verify(verifier, &table, &verdicts, &count)) {
        txt_answer(&table, name, record);
        assert_true(dkim_verify(verifier, &table, &verdicts, &count));
    }
    if (count > 0)
        verdict = verdicts[0];
    dns_table_free(&table);
    return verdict;
}

static const char brisbane[] = "brisbane._domainkey.football.example.com";

static struct dkim_verdict verify_example(const char *from, const char *to, const char *record,
                                          int64_t now_s)
{
    AUTO(buf_free) struct buf message = { 0 };
    const char *at = strstr(example, from);

    assert_non_null(at);
    buf_add(&message, example, (size_t)(at - example));
    buf_add_text(&message, to);
    buf_add_text(&message, at + strlen(from));
    return verify(buf_slice(&message), brisbane, record, now_s);
}

static void check_verdict(const char *name, struct dkim_verdict verdict, enum dkim_result want,
                          const char *reason)
{
    const char *got = verdict.reason != NULL ? verdict.reason : "";

    if (verdict.result != want || strcmp(got, reason) != 0)
        fail_msg("%s: %s (%s)", name, dkim_result_name(verdict.result), got);
}

static const struct {
    const char *from, *to;
    enum dkim_result want;
    const char *reason;
} changes[] = {
    { "Joe.", "Joe.", DKIM_PASS, "" },
    { "Joe.", "Joe!", DKIM_FAIL, "body hash did not verify" },
    { "Joe S", "Moe S", DKIM_FAIL, "signature did not verify" },
    { "Subject: Is", "Subject:  Is ", DKIM_PASS, "" }, /* " dinner" follows */
    { "To: S", "TO : S", DKIM_PASS, "" },
    { "v=1", "v=2", DKIM_NEUTRAL, "unknown version" },
    { "v=1;", "", DKIM_PERMERROR, "a required tag is missing" },
    { "a=ed25519-sha256", "a=rsa-sha1", DKIM_POLICY, "rsa-sha1 is not accepted" },
    { "a=ed25519-sha256", "a=rsa-sha256", DKIM_PERMERROR, "key is of another algorithm" },
    { "a=ed25519-sha256", "a=ED25519-sha256", DKIM_NEUTRAL, "unknown algorithm" },
    { "a=ed25519-sha256; ", "", DKIM_PERMERROR, "a required tag is missing" },
    { "c=relaxed/relaxed", "c=strict", DKIM_NEUTRAL, "unknown canonicalization" },
    { "c=relaxed/relaxed", "c=relaxed/", DKIM_NEUTRAL, "unknown canonicalization" },
    { "c=relaxed/relaxed", "c=relaxed/relaxed/x", DKIM_NEUTRAL, "unknown canonicalization" },
    { "c=relaxed/relaxed", "c=relaxed", DKIM_FAIL, "body hash did not verify" },
    { "d=football.example.com", "d=example", DKIM_NEUTRAL, "d= is no domain" },
    { "d=football.example.com", "d=", DKIM_NEUTRAL, "d= is no domain" },
    { "d=football.example.com", "d=a..b", DKIM_NEUTRAL, "d= is no domain" },
    { "d=football.example.com", "d=legitimate.com(.attacker.com", DKIM_NEUTRAL, "d= is no domain" },
    { "d=football.example.com", "d=f\xc3\xb6\xff.example.com", DKIM_NEUTRAL, "d= is no domain" },
    { "i=@football", "i=@\xc3\xb6.football", DKIM_FAIL, "signature did not verify" },
    { "i=@football", "i=@\xc3\xb6\xff.football", DKIM_PERMERROR, "i= is not below d=" },
    { "s=brisbane", "s=a b", DKIM_NEUTRAL, "s= is no selector" },
    { "s=brisbane", "s=x", DKIM_PERMERROR, "no key for signature" },
    { "i=@football", "i=@x.football", DKIM_FAIL, "signature did not verify" },
    { "i=@football", "i=@xfootball", DKIM_PERMERROR, "i= is not below d=" },
    { "i=@football", "i=@.football", DKIM_PERMERROR, "i= is not below d=" },
    { "i=@football.", "i=@", DKIM_PERMERROR, "i= is not below d=" },
    { "i=@football", "i=football", DKIM_NEUTRAL, "i= is no address" },
    { "q=dns/txt", "q=http:x", DKIM_NEUTRAL, "q= has no known query" },
    { "q=dns/txt", "q=http: dns/txt", DKIM_FAIL, "signature did not verify" },
    { "t=1528637909", "t=1528641510", DKIM_FAIL, "t= is in the future" },
    { "t=1528637909", "t=1528641509", DKIM_FAIL, "signature did not verify" },
    { "t=1528637909", "t=9999999999999999999999999", DKIM_FAIL, "t= is in the future" },
    { "t=1528637909", "t=", DKIM_NEUTRAL, "t= is no time" },
    { "t=1528637909", "t=-1", DKIM_NEUTRAL, "t= is no time" },
    { "t=1528637909", "x=1528634308", DKIM_FAIL, "signature expired" },
    { "t=1528637909", "x=1528634309", DKIM_FAIL, "signature did not verify" },
    { "t=1528637909", "x=9999999999999999999999999", DKIM_FAIL, "signature did not verify" },
    { "t=1528637909", "t=1528637909; x=1528637909", DKIM_NEUTRAL, "x= is not after t=" },
    { "h=from", "h=frim", DKIM_FAIL, "signature did not verify" }, /* From comes once more */
    { "bh=2", "bh=3", DKIM_FAIL, "body hash did not verify" },
    { "bh=2", "bh=!", DKIM_NEUTRAL, "bh= is not base64" },
    { "b=/gC", "b=/g", DKIM_NEUTRAL, "b= is not base64" },
    { "b=/g", "b=/h", DKIM_FAIL, "signature did not verify" },
    { "b=/g", "b= / g", DKIM_PASS, "" },
    { "t=1528637909", "l=0", DKIM_POLICY, "l= leaves a part of the body unsigned" },
    { "t=1528637909", "l=54", DKIM_FAIL, "signature did not verify" },
    { "t=1528637909", "l=55", DKIM_PERMERROR, "l= is larger than the body" },
    { "t=1528637909", "l=99999999999999999999999", DKIM_NEUTRAL, "l= is no length" },
    { "v=1;", "v=1; v=1;", DKIM_NEUTRAL, "not a list of tags" },
    { "v=1;", "v=1; z=%;", DKIM_FAIL, "signature did not verify" },
    { "From: J", "From: evil@example.com\r\nFrom: J", DKIM_FAIL, "signature did not verify" },
    { "To: S", "To: evil@example.com\r\nTo: S", DKIM_PASS, "" }, /* signed once: the lower one */
    { "To: S", "Cc: evil@example.com\r\nTo: S", DKIM_PASS, "" },
};

static void test_changed_fields(void **state)
{
    for (size_t i = 0; i < COUNT_OF(changes); i++)
        check_verdict(changes[i].to,
                      verify_example(changes[i].from, changes[i].to, ED25519_RECORD, NOW),
                      changes[i].want, changes[i].reason);
}

static const struct {
    const char *record;
    enum dkim_result want;
    const char *reason;
    bool is_test;
} records[] = {
    { ED25519_RECORD, DKIM_PASS, "", false },
    { "k=ed25519; p=" RFC8463_ED25519_PUBLIC ";", DKIM_PASS, "", false },
    { "p=11qYAYKxCrfVS/7TyWQHOg7h cvPapiMlrwIaaPcHURo= ; k=ed25519", DKIM_PASS, "", false },
    { ED25519_RECORD "; t=y", DKIM_PASS, "", true },
    { ED25519_RECORD "; t=x : y", DKIM_PASS, "", true },
    { ED25519_RECORD "; t=s", DKIM_PASS, "", false },
    { ED25519_RECORD "; s=*", DKIM_PASS, "", false },
    { ED25519_RECORD "; s=tlsrpt:email", DKIM_PASS, "", false },
    { ED25519_RECORD "; h=sha1:sha256", DKIM_PASS, "", false },
    { ED25519_RECORD "; n=a note; g=*", DKIM_PASS, "", false },
    { ED25519_RECORD "; s=tlsrpt", DKIM_PERMERROR, "key is not for mail", false },
    { ED25519_RECORD "; h=sha1", DKIM_PERMERROR, "key is not for sha256", false },
    { ED25519_RECORD "; p=x", DKIM_PERMERROR, "key record is not a list of tags", false },
    { "v=DKIM1; k=ed25519; p=", DKIM_PERMERROR, "key revoked", false },
    { "v=DKIM1; k=ed25519", DKIM_PERMERROR, "key record without p=", false },
    { "v=DKIM1; k=ed25519; p=?", DKIM_PERMERROR, "p= is not base64", false },
    { "v=DKIM1; k=ed25519; p=AAAA", DKIM_PERMERROR, "p= is no key of its type", false },
    { "v=DKIM1; p=" RFC8463_ED25519_PUBLIC, DKIM_PERMERROR, "key is of another algorithm", false },
    { "v=DKIM1; k=dsa; p=" RFC8463_ED25519_PUBLIC, DKIM_PERMERROR, "unknown key type", false },
    { "v=DKIM2; k=ed25519; p=" RFC8463_ED25519_PUBLIC, DKIM_PERMERROR,
      "key record of another version", false },
    { "k=ed25519; v=DKIM1; p=" RFC8463_ED25519_PUBLIC, DKIM_PERMERROR,
      "key record of another version", false },
    { "v=spf1 -all", DKIM_PERMERROR, "key record of another version", false },
    { "hello", DKIM_PERMERROR, "key record is not a list of tags", false },
    { "", DKIM_PERMERROR, "no key for signature", false },
};

/* RSA of 512 bits */
#define WEAK_KEY                                                                                   \
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK67RA42BXzw1lAr/RCIsF83TtLV2sPFOnBhbCGXanDl02/gXBr7NEZY3rAP" \
    "HK7c+6a9Yv4kh5fiGXDDp/nwXx0CAwEAAQ=="

static void test_key_records(void **state)
{
    struct dkim_verdict verdict;

    for (size_t i = 0; i < COUNT_OF(records); i++) {
        verdict = verify_example("Joe.", "Joe.", records[i].record, NOW);
        check_verdict(records[i].record, verdict, records[i].want, records[i].reason);
        assert_int_equal(verdict.is_test, records[i].is_test);
    }
    verdict = verify_example("Joe.", "Joe.", "v=DKIM1; p=" WEAK_KEY, NOW);
    check_verdict("not asked", verdict, DKIM_PERMERROR, "key is of another algorithm");
    verdict = verify_example("a=ed25519", "a=rsa", "v=DKIM1; p=" WEAK_KEY, NOW);
    check_verdict("weak", verdict, DKIM_POLICY, "key has under 1024 bits");
    verdict = verify_example("i=@football", "i=@x.football", ED25519_RECORD "; t=s", NOW);
    check_verdict("strict", verdict, DKIM_PERMERROR, "i= is not d=, as the key asks");
}

/* Cut at every byte, or with any byte changed, it is never a pass. */
static void test_cut_and_changed(void **state)
{
    struct slice whole = SLICE(example);
    size_t passed = 0;

    for (size_t i = 0; i + 2 < whole.len; i++) /* the last CRLF would be put back */
        assert_int_not_equal(verify(slice_part(whole, 0, i), brisbane, ED25519_RECORD, NOW).result,
                             DKIM_PASS);
    for (size_t i = 0; i < whole.len - 2; i++) {
        AUTO(buf_free) struct buf turned = { 0 };

        buf_add_slice(&turned, whole);
        turned.data[i] ^= 0x10;
        passed += verify(buf_slice(&turned), brisbane, ED25519_RECORD, NOW).result == DKIM_PASS;
    }
    assert_int_equal(passed, 0);
}

static const enum dns_state states[] = { DNS_NO_NAME, DNS_NOTHING, DNS_FAILED };

static void test_dns_states(void **state)
{
    size_t header = header_length(SLICE(example));

    for (size_t i = 0; i < COUNT_OF(states); i++) {
        AUTO(dkim_verifier_free)
        struct dkim_verifier *verifier = dkim_verifier_new(slice_part(SLICE(example), 0, header),
                                                           slice_from(SLICE(example), header), NOW);
        struct dns_table table = { 0 };
        const struct dkim_verdict *verdicts;
        size_t count;

        assert_false(dkim_verify(verifier, &table, &verdicts, &count));
        assert_false(dkim_verify(verifier, &table, &verdicts, &count));
        assert_int_equal(table.n_missing, 1);
        dns_put(&table,
                &(struct dns_answer){ .name = SLICE("BRISBANE._domainkey.football.example.com"),
                                      .type = DNS_TXT,
                                      .state = states[i] });
        assert_true(dkim_verify(verifier, &table, &verdicts, &count));
        assert_int_equal(verdicts[0].result,
                         states[i] == DNS_FAILED ? DKIM_TEMPERROR : DKIM_PERMERROR);
        assert_true(slice_equal(verdicts[0].start, SLICE("/gCrinpc")));
        assert_true(slice_equal(verdicts[0].identity, SLICE("@football.example.com")));
        dns_table_free(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),      cmocka_unit_test(test_fields),
        cmocka_unit_test(test_tag_lists),   cmocka_unit_test(test_changed_fields),
        cmocka_unit_test(test_key_records), cmocka_unit_test(test_cut_and_changed),
        cmocka_unit_test(test_dns_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_dkim_sign.c - what we sign, and that nobody can add to it. */
#include "message/header.h"
#include "message/proof/dkim.h"

#include "tests/unit/common/exact.h"
#include "tests/unit/message/txt.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/keys.h"

#define NOW 1700000000

#define HEADER                                                                                     \
    "Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\r\n"                                   \
    "From: Joe <joe@example.org>\r\n"                                                              \
    "To: eve@example.net\r\n"                                                                      \
    "Subject: Hello\r\n"                                                                           \
    "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"                                                    \
    "Message-ID: <1@example.org>\r\n"                                                              \
    "List-Id: <l.example.org>\r\n"

static const struct {
    const char *pem, *record;
    enum signature_algorithm algorithm;
} keys[] = {
    { RFC8463_ED25519_PEM, "v=DKIM1; k=ed25519; p=" RFC8463_ED25519_PUBLIC,
      SIGNATURE_ED25519_SHA256 },
    { RFC8463_RSA_PEM, "v=DKIM1; k=rsa; p=" RFC8463_RSA_PUBLIC, SIGNATURE_RSA_SHA256 },
};

/* The signature by one of the keys. */
static void sign(size_t key_at, const char *header, const char *body, struct buf *field_out)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(exact_free) struct slice exact_header = exact_copy(slice_of(header));
    AUTO(exact_free) struct slice exact_body = exact_copy(slice_of(body));
    struct dkim_signer signer = { .algorithm = keys[key_at].algorithm,
                                  .domain = SLICE("example.org"),
                                  .selector = SLICE("mail"),
                                  .now_s = NOW,
                                  .expires_s = NOW + 1000 };
    struct error err;

    assert_true(private_key_read(slice_of(keys[key_at].pem), &key, &err));
    signer.key = key;
    assert_true(dkim_sign(&signer, exact_header, exact_body, field_out, &err));
}

static enum dkim_result verify(size_t key_at, const struct buf *header, const char *body,
                               int64_t now_s)
{
    AUTO(dkim_verifier_free)
    struct dkim_verifier *verifier = dkim_verifier_new(buf_slice(header), slice_of(body), now_s);
    struct dns_table table = { 0 };
    const struct dkim_verdict *verdicts;
    size_t count;

    while (!dkim_verify(verifier, &table, &verdicts, &count))
        txt_answer(&table, "mail._domainkey.example.org", keys[key_at].record);
    dns_table_free(&table);
    assert_int_equal(count, 1);
    return verdicts[0].result;
}

static const struct {
    const char *header, *body;
} messages[] = {
    { HEADER "\r\n", "Hello\r\n" },
    { HEADER "\r\n", "" },
    { HEADER "\r\n", "no line end" },
    { HEADER "\r\n", "\r\n\r\n" },
    { HEADER, "" }, /* no empty line */
    { "From: a@b\r\nFrom: c@d\r\n\r\n", "two authors\r\n" },
    { "Subject:\r\n\r\n", "nobody\r\n" },
    { "\r\n", "no header\r\n" },
    { "From: \xc3\xa4@\xff\r\nsubJECT :\r\n \r\n\tx\r\n\r\n", "odd \t \r\n" },
};

static void test_signs_and_verifies(void **state)
{
    for (size_t i = 0; i < 2 * COUNT_OF(messages); i++) {
        AUTO(buf_free) struct buf header = { 0 };
        size_t at = i / 2;

        sign(i % 2, messages[at].header, messages[at].body, &header);
        buf_add_text(&header, messages[at].header);
        assert_int_equal(verify(i % 2, &header, messages[at].body, NOW), DKIM_PASS);
        assert_int_equal(verify(i % 2, &header, "Other\r\n", NOW), DKIM_FAIL);
        assert_int_equal(verify(i % 2, &header, messages[at].body, NOW + 9999), DKIM_FAIL);
    }
}

/* One field, in lines that mail has room for. */
static void test_field_is_folded(void **state)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        AUTO(buf_free) struct buf text = { 0 };
        struct slice rest, line;
        struct header_field field;

        sign(i, HEADER "\r\n", "Hello\r\n", &text);
        rest = buf_slice(&text);
        assert_true(header_next(&rest, &field));
        assert_int_equal(rest.len, 0);
        for (rest = buf_slice(&text); slice_split(&rest, '\n', &line);) {
            assert_true(line.len <= 79);
            assert_int_equal(line.data[line.len - 1], '\r');
        }
    }
}

static const struct {
    const char *field;
    bool breaks;
} additions[] = {
    { "From: evil@example.com\r\n", true },
    { "FROM : evil@example.com\r\n", true },
    { "Sender: evil@example.com\r\n", true },
    { "Reply-To: evil@example.com\r\n", true },
    { "Subject: Buy\r\n", true },
    { "Date: Tue, 14 Nov 2023 22:13:21 +0000\r\n", true },
    { "Message-ID: <2@example.com>\r\n", true },
    { "To: all@example.com\r\n", true },
    { "Cc: all@example.com\r\n", true },
    { "In-Reply-To: <3@example.com>\r\n", true },
    { "References: <3@example.com>\r\n", true },
    { "MIME-Version: 1.0\r\n", true },
    { "Content-Type: text/html\r\n", true },
    { "Content-Transfer-Encoding: base64\r\n", true },
    { "Received: from x by y\r\n", false },
    { "List-Unsubscribe: <mailto:l@example.com>\r\n", false },
    { "X-Spam: no\r\n", false },
};

/* On top or below, one more of a field that is there, or the first. */
static void test_nothing_can_be_added(void **state)
{
    AUTO(buf_free) struct buf field = { 0 };

    sign(0, HEADER "\r\n", "Hello\r\n", &field);
    for (size_t i = 0; i < 2 * COUNT_OF(additions); i++) {
        AUTO(buf_free) struct buf header = { 0 };
        const char *added = additions[i / 2].field;

        buf_fmt(&header, "%s%.*s" HEADER "%s\r\n", i % 2 == 0 ? added : "", (int)field.len,
                field.data, i % 2 == 0 ? "" : added);
        if ((verify(0, &header, "Hello\r\n", NOW) == DKIM_PASS) == additions[i / 2].breaks)
            fail_msg("%s", added);
    }
}

/* Nor taken away, nor changed. */
static void test_nothing_can_be_removed(void **state)
{
    AUTO(buf_free) struct buf field = { 0 };
    struct slice rest = SLICE(HEADER);
    struct header_field gone;

    sign(0, HEADER "\r\n", "Hello\r\n", &field);
    while (header_next(&rest, &gone)) {
        AUTO(buf_free) struct buf header = { 0 };
        struct slice whole = SLICE(HEADER "\r\n");
        size_t at = whole.len - 2 - rest.len;

        buf_add_slice(&header, buf_slice(&field));
        buf_add_slice(&header, slice_part(whole, 0, at - gone.raw.len));
        buf_add_slice(&header, slice_from(whole, at));
        assert_int_equal(verify(0, &header, "Hello\r\n", NOW),
                         slice_is(gone.name, "Received") ? DKIM_PASS : DKIM_FAIL);
    }
}

static void test_key_record(void **state)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        AUTO(private_key_free) struct private_key *key = NULL;
        AUTO(buf_free) struct buf record = { 0 };
        struct error err;

        assert_true(private_key_read(slice_of(keys[i].pem), &key, &err));
        assert_true(dkim_key_record(key, keys[i].algorithm, &record, &err));
        assert_string_equal(buf_text(&record), keys[i].record);
        assert_false(dkim_key_record(key, keys[1 - i].algorithm, &record, &err));
    }
}

/* Whoever splits messages at the empty line has broken lines in the header, and maybe a From behind
 * one; neither is signed over nor passed by. */
static void test_broken_header(void **state)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(buf_free) struct buf header = { 0 };
    AUTO(buf_free) struct buf field = { 0 };
    struct error err;
    struct dkim_signer signer = { .algorithm = keys[0].algorithm,
                                  .domain = SLICE("example.org"),
                                  .selector = SLICE("mail"),
                                  .now_s = NOW };

    sign(0, HEADER "\r\n", "", &header);
    buf_add_text(&header, HEADER "broken\r\nFrom: evil@example.com\r\n\r\n");
    assert_int_equal(verify(0, &header, "", NOW), DKIM_PERMERROR);
    assert_true(private_key_read(slice_of(keys[0].pem), &key, &err));
    signer.key = key;
    assert_false(dkim_sign(&signer, buf_slice(&header), SLICE(""), &field, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
}

/* U-labels, as internationalized mail may have them (RFC 8616). */
static void test_international(void **state)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(dkim_verifier_free) struct dkim_verifier *verifier = NULL;
    AUTO(buf_free) struct buf header = { 0 };
    struct dns_table table = { 0 };
    const struct dkim_verdict *verdicts;
    size_t count;
    struct error err;
    struct dkim_signer signer = { .algorithm = keys[0].algorithm,
                                  .domain = SLICE("ex\xc3\xa4mple.org"),
                                  .selector = SLICE("s\xc3\xa4l"),
                                  .now_s = NOW };

    assert_true(private_key_read(slice_of(keys[0].pem), &key, &err));
    signer.key = key;
    assert_true(dkim_sign(&signer, SLICE(HEADER), SLICE(""), &header, &err));
    buf_add_text(&header, HEADER);
    verifier = dkim_verifier_new(buf_slice(&header), SLICE(""), NOW);
    while (!dkim_verify(verifier, &table, &verdicts, &count))
        txt_answer(&table, "xn--sl-via._domainkey.xn--exmple-cua.org", keys[0].record);
    assert_int_equal(verdicts[0].result, DKIM_PASS);
    assert_true(slice_equal(verdicts[0].domain, SLICE("xn--exmple-cua.org")));
    dns_table_free(&table);
}

static void test_refuses(void **state)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(buf_free) struct buf many = { 0 };
    AUTO(buf_free) struct buf field = { 0 };
    struct error err;
    struct dkim_signer signer = { .algorithm = SIGNATURE_RSA_SHA256,
                                  .domain = SLICE("example.org"),
                                  .selector = SLICE("mail"),
                                  .now_s = NOW };

    assert_true(private_key_read(slice_of(keys[0].pem), &key, &err));
    signer.key = key;
    assert_false(dkim_sign(&signer, SLICE(HEADER), SLICE(""), &field, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
    signer.algorithm = SIGNATURE_ED25519_SHA256;
    signer.domain = SLICE("example.org\r\nX: y");
    assert_false(dkim_sign(&signer, SLICE(HEADER), SLICE(""), &field, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
    signer.domain = SLICE("example.org");
    for (int i = 0; i < 200; i++)
        buf_add_text(&many, "To: a@b\r\n");
    assert_false(dkim_sign(&signer, buf_slice(&many), SLICE(""), &field, &err));
    assert_int_equal(err.kind, ERROR_LIMIT);
    assert_int_equal(field.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs_and_verifies),   cmocka_unit_test(test_field_is_folded),
        cmocka_unit_test(test_nothing_can_be_added), cmocka_unit_test(test_nothing_can_be_removed),
        cmocka_unit_test(test_key_record),           cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_international),        cmocka_unit_test(test_broken_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

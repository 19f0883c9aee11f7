/* test_arc.c - chains that we build: hops, what breaks them, and their ends. */
#include "message/header.h"
#include "message/proof/arc.h"

#include "tests/unit/common/exact.h"
#include "tests/unit/message/txt.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/keys.h"

#define NOW    1700000000
#define RECORD "v=DKIM1; k=ed25519; p=" RFC8463_ED25519_PUBLIC
#define NAME   "arc._domainkey.lists.example.org"

#define MESSAGE                                                                                    \
    "From: joe@example.com\r\n"                                                                    \
    "To: list@lists.example.org\r\n"                                                               \
    "Subject: Hello\r\n"                                                                           \
    "\r\n"                                                                                         \
    "Hello all.\r\n"

struct mail {
    struct buf text;
    struct private_key *key;
    struct arc_verdict verdict; /* its slices are gone */
    struct error err;
};

static void mail_open(struct mail *mail, const char *text)
{
    *mail = (struct mail){ 0 };
    buf_add_text(&mail->text, text);
    assert_true(private_key_read(SLICE(RFC8463_ED25519_PEM), &mail->key, &mail->err));
}

static void mail_close(struct mail *mail)
{
    buf_free(&mail->text);
    private_key_free(&mail->key);
}

static void replace(struct mail *mail, const char *from, const char *to)
{
    ptrdiff_t at = slice_search(buf_slice(&mail->text), slice_of(from));
    struct buf changed = { 0 };

    assert_true(at >= 0);
    buf_add(&changed, mail->text.data, (size_t)at);
    buf_add_text(&changed, to);
    buf_add_slice(&changed, slice_from(buf_slice(&mail->text), (size_t)at + strlen(from)));
    buf_free(&mail->text);
    mail->text = changed;
}

/* `record`: of NAME; NULL: the DNS does not answer. Returns how often answers were missing. */
static unsigned verify_slice(struct slice text, const char *record, struct arc_verdict *verdict)
{
    AUTO(exact_free) struct slice copy = exact_copy(text);
    size_t header = header_length(copy);
    AUTO(arc_verifier_free)
    struct arc_verifier *verifier =
        arc_verifier_new(slice_part(copy, 0, header), slice_from(copy, header), NOW);
    struct dns_table table = { 0 };
    unsigned rounds = 0;

    for (; !arc_verify(verifier, &table, verdict); rounds++) {
        assert_true(table.n_missing > 0);
        for (struct dns_answer *answer = table.first; answer != NULL; answer = answer->next)
            if (record == NULL)
                dns_put(&table, &(struct dns_answer){
                                    .name = answer->name, .type = DNS_TXT, .state = DNS_FAILED });
        txt_answer(&table, NAME, record);
    }
    dns_table_free(&table);
    return rounds;
}

static void check(struct mail *mail, enum arc_result want, unsigned sets, const char *reason)
{
    const char *got;

    verify_slice(buf_slice(&mail->text), RECORD, &mail->verdict);
    got = mail->verdict.reason != NULL ? mail->verdict.reason : "";
    if (mail->verdict.result != want || mail->verdict.sets != sets || strcmp(got, reason) != 0)
        fail_msg("%s, %u sets (%s)", arc_result_name(mail->verdict.result), mail->verdict.sets,
                 got);
}

static struct dkim_signer signer_of(const struct mail *mail)
{
    return (struct dkim_signer){ .key = mail->key,
                                 .algorithm = SIGNATURE_ED25519_SHA256,
                                 .domain = SLICE("lists.example.org"),
                                 .selector = SLICE("arc"),
                                 .now_s = NOW };
}

/* Seals with the last verdict, and puts the set on top. */
static bool seal(struct mail *mail)
{
    struct dkim_signer signer = signer_of(mail);
    size_t header = header_length(buf_slice(&mail->text));
    struct buf sealed = { 0 };
    bool done = arc_seal(&signer, &mail->verdict, SLICE("mx.example.org;\r\n\tspf=pass"),
                         slice_part(buf_slice(&mail->text), 0, header),
                         slice_from(buf_slice(&mail->text), header), &sealed, &mail->err);

    buf_add_slice(&sealed, buf_slice(&mail->text));
    buf_free(&mail->text);
    mail->text = sealed;
    return done;
}

static void hops(struct mail *mail, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        check(mail, i == 0 ? ARC_NONE : ARC_PASS, i, "");
        assert_true(seal(mail));
    }
    check(mail, ARC_PASS, count, "");
}

static void test_hops(void **state)
{
    struct mail mail;

    mail_open(&mail, MESSAGE);
    hops(&mail, 3);
    assert_int_equal(mail.verdict.oldest_pass, 0);
    assert_true(slice_starts(buf_slice(&mail.text), "ARC-Seal: i=3; cv=pass; a=ed25519-sha256;"));
    replace(&mail, "Subject: Hello", "Subject: [list] Hello");
    check(&mail, ARC_FAIL, 3, "signature did not verify");
    mail_close(&mail);
}

/* A list that changes the body and seals: the chain holds, older signatures of the message do not.
 */
static void test_changed_between(void **state)
{
    struct mail mail;

    mail_open(&mail, MESSAGE);
    hops(&mail, 2);
    replace(&mail, "Hello all.\r\n", "Hello all.\r\n-- \r\nthe list\r\n");
    assert_true(seal(&mail));
    check(&mail, ARC_PASS, 3, "");
    assert_int_equal(mail.verdict.oldest_pass, 3);
    mail_close(&mail);
}

static const struct {
    const char *from, *to, *reason;
} damages[] = {
    { "Hello all.", "Hello you.", "body hash did not verify" },
    { "From: joe", "From: moe", "signature did not verify" },
    { "From: joe", "From: evil@example.org\r\nFrom: joe", "signature did not verify" },
    { "Subject: ", "Reply-To: evil@example.org\r\nSubject: ", "signature did not verify" },
    { "ARC-Authentication-Results: i=1; mx", "ARC-Authentication-Results: i=1; my",
      "signature did not verify" },
    { "ARC-Authentication-Results: i=1;",
      "ARC-Authentication-Results:", "a field without a good instance" },
    { "ARC-Authentication-Results: i=1;", "ARC-Authentication-Results: i=51;",
      "a field without a good instance" },
    { "ARC-Authentication-Results: i=1;", "ARC-Authentication-Results: i=2;",
      "two fields of a kind in one set" },
    { "ARC-Authentication-Results: i=1;", "ARC-Authentication-Results: (a (b) \\)) i = 01 ( ;) ;",
      "signature did not verify" },
    { "ARC-Authentication-Results: i=1;", "X-Results: i=1;", "a field of a set is missing" },
    { "ARC-Seal: i=2; cv=pass", "ARC-Seal: i=2; cv=none", "cv= is not what its place asks for" },
    { "ARC-Seal: i=2; cv=pass", "ARC-Seal: i=2; cv=fail", "the chain has failed before" },
    { "ARC-Seal: i=1; cv=none", "ARC-Seal: i=1; cv=fail", "cv= is not what its place asks for" },
    { "ARC-Seal: i=1; cv=none", "ARC-Seal: i=1; cv=none; h=from", "h= in a seal" },
    { "ARC-Seal: i=1; cv=none", "ARC-Seal: i=1; i=1; cv=none", "a field without a good instance" },
    { "ARC-Seal: i=2; cv=pass; a=ed25519", "ARC-Seal: i=2; cv=pass; a=ed448", "unknown algorithm" },
    { "ARC-Seal: i=2; cv=pass", "ARC-Seal: i=2; cv=maybe", "unknown cv=" },
};

static void test_damages(void **state)
{
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        struct mail mail;

        mail_open(&mail, MESSAGE);
        hops(&mail, 2);
        replace(&mail, damages[i].from, damages[i].to);
        verify_slice(buf_slice(&mail.text), RECORD, &mail.verdict);
        if (mail.verdict.result != ARC_FAIL || strcmp(mail.verdict.reason, damages[i].reason) != 0)
            fail_msg("%s: %s", damages[i].to, mail.verdict.reason);
        assert_false(mail.verdict.temporary);
        mail_close(&mail);
    }
}

/* A line that is no field, and what stands behind it, as those see it who split at the empty line.
 */
static void test_broken_header(void **state)
{
    AUTO(arc_verifier_free) struct arc_verifier *verifier = NULL;
    struct dns_table table = { 0 };
    struct mail mail;

    mail_open(&mail, MESSAGE);
    hops(&mail, 1);
    replace(&mail, "\r\n\r\nHello all.\r\n", "\r\nbroken\r\nFrom: evil@example.com\r\n\r\n");
    verifier = arc_verifier_new(buf_slice(&mail.text), SLICE("Hello all.\r\n"), NOW);
    assert_true(arc_verify(verifier, &table, &mail.verdict));
    assert_int_equal(mail.verdict.result, ARC_FAIL);
    assert_string_equal(mail.verdict.reason, "a line of the header is no field");
    mail_close(&mail);
}

/* A chain that has failed is sealed once more, over the new set alone, and then never again. */
static void test_failed_chain(void **state)
{
    struct mail mail;
    size_t len;

    mail_open(&mail, MESSAGE);
    hops(&mail, 1);
    replace(&mail, "From: joe", "From: moe");
    check(&mail, ARC_FAIL, 1, "signature did not verify");
    assert_true(seal(&mail));
    assert_true(slice_starts(buf_slice(&mail.text), "ARC-Seal: i=2; cv=fail;"));
    check(&mail, ARC_FAIL, 2, "the chain has failed before");
    len = mail.text.len;
    assert_true(seal(&mail));
    assert_int_equal(mail.text.len, len);
    mail_close(&mail);
}

static void test_dns(void **state)
{
    struct mail mail;

    mail_open(&mail, MESSAGE);
    hops(&mail, 2);
    assert_int_equal(verify_slice(buf_slice(&mail.text), NULL, &mail.verdict), 1);
    assert_int_equal(mail.verdict.result, ARC_FAIL);
    assert_true(mail.verdict.temporary);
    assert_false(seal(&mail));
    assert_int_equal(mail.err.kind, ERROR_TEMPORARY);
    verify_slice(buf_slice(&mail.text), "v=DKIM1; p=", &mail.verdict);
    assert_int_equal(mail.verdict.result, ARC_FAIL);
    assert_false(mail.verdict.temporary);
    mail_close(&mail);
}

static void test_fifty_sets(void **state)
{
    struct mail mail;

    mail_open(&mail, MESSAGE);
    hops(&mail, ARC_SETS_MAX);
    assert_false(seal(&mail));
    assert_int_equal(mail.err.kind, ERROR_LIMIT);
    mail_close(&mail);
}

/* A verdict that is not on this message seals nothing. */
static void test_wrong_verdict(void **state)
{
    struct mail mail;

    mail_open(&mail, MESSAGE);
    hops(&mail, 1);
    mail.verdict = (struct arc_verdict){ 0 };
    assert_false(seal(&mail));
    assert_int_equal(mail.err.kind, ERROR_INVALID);
    mail.verdict.result = ARC_PASS;
    assert_false(seal(&mail));
    mail_close(&mail);
}

static void test_cut(void **state)
{
    struct mail mail;
    struct slice whole;

    mail_open(&mail, MESSAGE);
    hops(&mail, 1);
    whole = buf_slice(&mail.text);
    for (size_t i = 0; i + 2 < whole.len; i++) {
        verify_slice(slice_part(whole, 0, i), RECORD, &mail.verdict);
        assert_int_not_equal(mail.verdict.result, ARC_PASS);
    }
    mail_close(&mail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hops),          cmocka_unit_test(test_changed_between),
        cmocka_unit_test(test_damages),       cmocka_unit_test(test_failed_chain),
        cmocka_unit_test(test_dns),           cmocka_unit_test(test_fifty_sets),
        cmocka_unit_test(test_wrong_verdict), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_broken_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

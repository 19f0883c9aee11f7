/* test_proof.c - what follows from SPF, DKIM, ARC and DMARC together; and keys that wait for the
 * DNS.
 */
#include "smtpd/proof/proof.h"

#include "smtpd/proof/keyring.h"
#include "smtpd/proof/keywatch.h"
#include "smtpd/proof/row.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/keys.h"
#include "tests/unit/support/rig.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADER(from) "From: " from "\r\nSubject: x\r\n\r\n"

struct record {
    const char *name, *text;
};

#define ROUNDS_MAX 10

#define CHECK(name, ok)                                                                            \
    do {                                                                                           \
        if (!(ok))                                                                                 \
            fail_msg("%s: %s", name, #ok);                                                         \
    } while (0)

/* What would be fetched: TXT records of the zone; the DNS of "broken.test" fails. */
static void fill(struct dns_table *table, const struct record *zone, size_t n_zone)
{
    for (struct dns_answer *asked = table->first; asked != NULL; asked = asked->next) {
        char rdata[256];
        struct slice record;
        struct dns_answer answer = { .name = asked->name, .type = asked->type };

        if (asked->state != DNS_MISSING)
            continue;
        answer.state = DNS_NO_NAME;
        if (slice_search(asked->name, SLICE("broken.test")) >= 0)
            answer.state = DNS_FAILED;
        for (size_t i = 0; i < n_zone && asked->type == DNS_TXT; i++) {
            if (!slice_is(asked->name, zone[i].name))
                continue;
            rdata[0] = (char)strlen(zone[i].text);
            memcpy(rdata + 1, zone[i].text, strlen(zone[i].text));
            record = slice_make(rdata, strlen(zone[i].text) + 1);
            answer.state = DNS_FOUND;
            answer.records = &record;
            answer.count = 1;
        }
        dns_put(table, &answer);
    }
}

static const struct record zone[] = {
    { "pass.test", "v=spf1 ip4:192.0.2.1 -all" },
    { "fail.test", "v=spf1 -all" },
    { "_dmarc.pass.test", "v=DMARC1; p=reject; rua=mailto:d@pass.test" },
    { "_dmarc.fail.test", "v=DMARC1; p=reject; rua=mailto:d@fail.test" },
    { "quarantine.test", "v=spf1 -all" },
    { "_dmarc.quarantine.test", "v=DMARC1; p=quarantine" },
    { "watch.test", "v=spf1 -all" },
    { "_dmarc.watch.test", "v=DMARC1; p=none; rua=mailto:d@watch.test" },
    { "none.test", "v=spf1 -all" },
};

static const struct {
    const char *name, *sender, *header;
    uint64_t on_reject, on_quarantine, on_spf; /* settings */
    enum proof_verdict want;
    const char *want_reply;
    const char *want_row; /* disposition, spf, dkim, reason; NULL: no report */
} cases[] = {
    { "all is well", "a@pass.test", HEADER("a@pass.test"), PROOF_ACTION_REFUSE, PROOF_ACTION_JUNK,
      PROOF_ACTION_REFUSE, PROOF_ACCEPT, "", "none pass fail " },
    { "policy of reject", "a@fail.test", HEADER("a@fail.test"), PROOF_ACTION_REFUSE,
      PROOF_ACTION_JUNK, PROOF_ACTION_ACCEPT, PROOF_REFUSE, "550 5.7.26 ", "reject fail fail " },
    { "reject to Junk", "a@fail.test", HEADER("a@fail.test"), PROOF_ACTION_JUNK, PROOF_ACTION_JUNK,
      PROOF_ACTION_ACCEPT, PROOF_JUNK, "", "quarantine fail fail local_policy" },
    { "reject is taken", "a@fail.test", HEADER("a@fail.test"), PROOF_ACTION_ACCEPT,
      PROOF_ACTION_ACCEPT, PROOF_ACTION_ACCEPT, PROOF_ACCEPT, "", "none fail fail local_policy" },
    { "policy of quarantine", "a@quarantine.test", HEADER("a@quarantine.test"), PROOF_ACTION_REFUSE,
      PROOF_ACTION_JUNK, PROOF_ACTION_ACCEPT, PROOF_JUNK, "", NULL },
    { "somebody else's From", "a@pass.test", HEADER("a@fail.test"), PROOF_ACTION_REFUSE,
      PROOF_ACTION_JUNK, PROOF_ACTION_ACCEPT, PROOF_REFUSE, "550 5.7.26 ", "reject fail fail " },
    { "policy of none", "a@watch.test", HEADER("a@watch.test"), PROOF_ACTION_REFUSE,
      PROOF_ACTION_JUNK, PROOF_ACTION_ACCEPT, PROOF_ACCEPT, "", "none fail fail " },
    { "SPF alone", "a@none.test", HEADER("a@none.test"), PROOF_ACTION_REFUSE, PROOF_ACTION_JUNK,
      PROOF_ACTION_REFUSE, PROOF_REFUSE, "550 5.7.23 ", NULL },
    { "SPF alone, mild", "a@none.test", HEADER("a@none.test"), PROOF_ACTION_REFUSE,
      PROOF_ACTION_JUNK, PROOF_ACTION_ACCEPT, PROOF_ACCEPT, "", NULL },
    { "the DNS fails", "a@broken.test", HEADER("a@broken.test"), PROOF_ACTION_REFUSE,
      PROOF_ACTION_REFUSE, PROOF_ACTION_REFUSE, PROOF_ACCEPT, "", NULL },
    { "null sender", "", HEADER("mailer@pass.test"), PROOF_ACTION_REFUSE, PROOF_ACTION_JUNK,
      PROOF_ACTION_ACCEPT, PROOF_ACCEPT, "", "none pass fail " },
    { "no From", "a@none.test", "Subject: x\r\n\r\n", PROOF_ACTION_REFUSE, PROOF_ACTION_JUNK,
      PROOF_ACTION_ACCEPT, PROOF_JUNK, "", NULL },
    { "two authors", "a@pass.test", HEADER("a@pass.test, b@fail.test"), PROOF_ACTION_REFUSE,
      PROOF_ACTION_JUNK, PROOF_ACTION_ACCEPT, PROOF_JUNK, "", NULL },
    { "no author, and SPF forbids it", "a@none.test", "Subject: x\r\n\r\n", PROOF_ACTION_REFUSE,
      PROOF_ACTION_JUNK, PROOF_ACTION_REFUSE, PROOF_REFUSE, "550 5.7.23 ", NULL },
    { "two authors, mild", "a@pass.test", HEADER("a@pass.test, b@fail.test"), PROOF_ACTION_REFUSE,
      PROOF_ACTION_ACCEPT, PROOF_ACTION_ACCEPT, PROOF_ACCEPT, "", NULL },
};

static void check_case(size_t i)
{
    const struct settings settings = {
        .hostname = "mx.test",
        .dmarc_reject = cases[i].on_reject,
        .dmarc_quarantine = cases[i].on_quarantine,
        .spf_fail = cases[i].on_spf,
        .trusted_sealers = "",
    };
    const struct proof_facts facts = {
        .settings = &settings,
        .address = "192.0.2.1",
        .helo = SLICE("pass.test"),
        .sender = slice_of(cases[i].sender),
        .header = slice_of(cases[i].header),
        .body = SLICE("text\r\n"),
        .now_s = 1000000,
    };
    AUTO(proof_free) struct proof *proof = proof_new(&facts);
    AUTO(buf_free) struct buf row_text = { 0 };
    struct dmarc_row row;
    unsigned rounds = 0;

    while (!proof_check(proof)) {
        assert_true(++rounds < ROUNDS_MAX);
        fill(proof_table(proof), zone, COUNT_OF(zone));
    }
    CHECK(cases[i].name, proof_verdict(proof) == cases[i].want);
    if (cases[i].want == PROOF_REFUSE)
        CHECK(cases[i].name, slice_starts(slice_of(proof_reply(proof)), cases[i].want_reply));
    CHECK(cases[i].name, proof_row(proof, &row) == (cases[i].want_row != NULL));
    if (cases[i].want_row == NULL)
        return;
    buf_fmt(&row_text, SLICE_FMT " " SLICE_FMT " " SLICE_FMT " " SLICE_FMT,
            SLICE_ARG(row.disposition), SLICE_ARG(row.spf), SLICE_ARG(row.dkim),
            SLICE_ARG(row.reason));
    CHECK(cases[i].name, buf_is(&row_text, cases[i].want_row));
}

static void test_verdicts(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_case(i);
}

/* Nobody answers: the message is taken, and says so. */
static void test_give_up(void **state)
{
    const struct settings settings = { .hostname = "mx.test",
                                       .dmarc_reject = PROOF_ACTION_REFUSE,
                                       .spf_fail = PROOF_ACTION_REFUSE,
                                       .trusted_sealers = "" };
    const struct proof_facts facts = { .settings = &settings,
                                       .address = "192.0.2.1",
                                       .helo = SLICE("pass.test"),
                                       .sender = SLICE("a@fail.test"),
                                       .header = SLICE(HEADER("a@fail.test")) };
    AUTO(proof_free) struct proof *proof = proof_new(&facts);
    AUTO(buf_free) struct buf field = { 0 };

    assert_false(proof_check(proof));
    proof_give_up(proof);
    assert_true(proof_check(proof));
    assert_int_equal(proof_verdict(proof), PROOF_ACCEPT);
    proof_print(proof, &field);
    assert_true(slice_starts(buf_slice(&field), "Authentication-Results: mx.test;"));
    assert_true(slice_search(buf_slice(&field), SLICE("spf=temperror")) > 0);
    assert_true(slice_search(buf_slice(&field), SLICE("dmarc=temperror")) > 0);
}

static void test_same_key(void **state)
{
    static const struct {
        const char *published, *ours;
        bool want;
    } pairs[] = {
        { "v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; k=rsa; p=AAAA", true },
        { "p=AAAA", "v=DKIM1; k=rsa; p=AAAA", true },
        { "v=DKIM1;p= AA AA ;t=s", "v=DKIM1; k=rsa; p=AAAA", true },
        { "v=DKIM1; p=AAAB", "v=DKIM1; k=rsa; p=AAAA", false },
        { "v=DKIM1; p=", "v=DKIM1; k=rsa; p=AAAA", false },
        { "", "v=DKIM1; k=rsa; p=AAAA", false },
        { "v=DKIM1; p=", "v=DKIM1; k=rsa; p=", false },
        { "v=DKIM1; xp=AAAA", "v=DKIM1; k=rsa; p=AAAA", false },
    };

    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        CHECK(pairs[i].published, keywatch_is_same(slice_of(pairs[i].published),
                                                   slice_of(pairs[i].ours)) == pairs[i].want);
}

/* Only active keys sign; a set in use stays as it is. */
static void test_keyring(void **state)
{
    const struct signing_key key = { .domain = SLICE("example.test"),
                                     .selector = SLICE("one"),
                                     .algorithm = SLICE("rsa-sha256"),
                                     .pem = SLICE(RFC8463_RSA_PEM) };
    const struct signing_key broken = { .domain = SLICE("example.test"),
                                        .selector = SLICE("two"),
                                        .algorithm = SLICE("rsa-sha256"),
                                        .pem = SLICE("not PEM") };
    struct keyring *keyring = keyring_new();
    struct key_set *before, *after;
    struct error err;
    struct rig rig;

    rig_open(&rig);
    assert_true(keys_add(rig.desk, &key, &err) && keys_add(rig.desk, &broken, &err));
    assert_true(keyring_get(keyring, rig.desk, &before, &err));
    assert_int_equal(before->count, 0);
    assert_true(keys_set_state(rig.desk, key.domain, key.selector, KEY_ACTIVE, &err) &&
                keys_set_state(rig.desk, key.domain, broken.selector, KEY_ACTIVE, &err));
    keyring_forget(keyring);
    assert_true(keyring_get(keyring, rig.desk, &after, &err));
    assert_int_equal(before->count, 0);
    assert_int_equal(after->count, 1);
    assert_true(key_set_has(after, SLICE("Example.Test")) && !key_set_has(after, SLICE("x.test")));
    assert_string_equal(after->broken, "two");
    key_set_free(&before);
    keyring_free(&keyring);
    assert_true(slice_is(after->items[0].selector, "one"));
    key_set_free(&after);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_give_up),
        cmocka_unit_test(test_same_key),
        cmocka_unit_test(test_keyring),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

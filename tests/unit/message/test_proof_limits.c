/* test_proof_limits.c - what hostile mail can make DKIM and ARC spend, counted and not timed: bytes
 * hashed, bytes allocated, names compared, keys asked for, signatures checked.
 *
 * The linker puts the functions below between (--wrap), see meson.build.
 */
#include "common/codec.h"
#include "message/proof/arc_private.h"

#include "tests/unit/message/txt.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/keys.h"

#include <stdlib.h>
#include <strings.h>

#define NOW    1700000000
#define NAME   "mail._domainkey.example.org"
#define RECORD "k=ed25519; p=" RFC8463_ED25519_PUBLIC

static struct {
    size_t hashed, allocated, compared, checked;
} spent;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    spent.allocated += count * size;
    return __real_calloc(count, size);
}

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
    spent.allocated += size;
    return __real_realloc(memory, size);
}

int __real_strncasecmp(const char *a, const char *b, size_t len);
int __wrap_strncasecmp(const char *a, const char *b, size_t len);
int __wrap_strncasecmp(const char *a, const char *b, size_t len)
{
    spent.compared++;
    return __real_strncasecmp(a, b, len);
}

void __real_digest_add(struct digest *digest, struct slice bytes);
void __wrap_digest_add(struct digest *digest, struct slice bytes);
void __wrap_digest_add(struct digest *digest, struct slice bytes)
{
    spent.hashed += bytes.len;
    __real_digest_add(digest, bytes);
}

enum signature_result __real_signature_check(enum signature_algorithm algorithm,
                                             struct slice public_key, struct slice hash,
                                             struct slice signature);
enum signature_result __wrap_signature_check(enum signature_algorithm algorithm,
                                             struct slice public_key, struct slice hash,
                                             struct slice signature);
enum signature_result __wrap_signature_check(enum signature_algorithm algorithm,
                                             struct slice public_key, struct slice hash,
                                             struct slice signature)
{
    spent.checked++;
    return __real_signature_check(algorithm, public_key, hash, signature);
}

/* --- messages --- */

static void repeat(struct buf *out, const char *text, size_t times)
{
    for (; times > 0; times--)
        buf_add_text(out, text);
}

/* A signature whose body hash is right, so that all else is looked at. `names`: h=. */
static void add_signature(struct buf *header, const char *form, const char *names,
                          struct slice body)
{
    unsigned char hash[32];

    canon_body(body, strstr(form, "/relaxed") != NULL, hash);
    buf_fmt(header,
            "DKIM-Signature: v=1; a=ed25519-sha256; c=%s; d=example.org; s=mail; h=%s; bh=", form,
            names);
    base64_encode(slice_make(hash, sizeof(hash)), header);
    buf_add_text(header, "; b=AAAA\r\n");
}

/* The first verdict; `missing` gets how many answers were asked for. */
static struct dkim_verdict verify(const struct buf *header, struct slice body, const char *record,
                                  size_t copies, size_t *count_out, size_t *missing_out)
{
    AUTO(dkim_verifier_free) struct dkim_verifier *verifier = NULL;
    struct dns_table table = { 0 };
    const struct dkim_verdict *verdicts;
    struct slice records[200];
    char rdata[256];
    struct dkim_verdict verdict = { 0 };

    memset(&spent, 0, sizeof(spent));
    verifier = dkim_verifier_new(buf_slice(header), body, NOW);
    if (!dkim_verify(verifier, &table, &verdicts, count_out)) {
        *missing_out = table.n_missing;
        rdata[0] = (char)strlen(record);
        memcpy(rdata + 1, record, strlen(record));
        for (size_t i = 0; i < copies; i++)
            records[i] = slice_make(rdata, strlen(record) + 1);
        dns_put(&table, &(struct dns_answer){ .name = SLICE(NAME),
                                              .type = DNS_TXT,
                                              .state = DNS_FOUND,
                                              .records = records,
                                              .count = copies });
        assert_true(dkim_verify(verifier, &table, &verdicts, count_out));
    }
    if (*count_out > 0)
        verdict = verdicts[0];
    dns_table_free(&table);
    return verdict;
}

static void check_reason(struct dkim_verdict verdict, const char *want)
{
    assert_non_null(verdict.reason);
    assert_string_equal(verdict.reason, want);
}

/* --- DKIM --- */

/* A large body is hashed where it lies, once for each canonical form, whoever signs. */
static void test_large_body(void **state)
{
    AUTO(buf_free) struct buf body = { 0 };
    AUTO(buf_free) struct buf header = { 0 };
    size_t count, missing = 0;

    repeat(&body, "All work  and no play makes Jack a dull boy. \r\n", 10000000 / 47);
    for (int i = 0; i < DKIM_SIGNATURES_MAX; i++)
        add_signature(&header, i % 2 == 0 ? "relaxed/relaxed" : "simple/simple", "from",
                      buf_slice(&body));
    buf_add_text(&header, "From: joe@example.org\r\n\r\n");
    check_reason(verify(&header, buf_slice(&body), RECORD, 1, &count, &missing),
                 "signature did not verify");
    assert_int_equal(count, DKIM_SIGNATURES_MAX);
    assert_int_equal(missing, 1);
    assert_int_equal(spent.checked, DKIM_SIGNATURES_MAX);
    assert_true(spent.hashed > body.len && spent.hashed <= 2 * (body.len + header.len));
    assert_true(spent.allocated > 0 && spent.allocated < 100000);
}

static void test_many_signatures(void **state)
{
    AUTO(buf_free) struct buf header = { 0 };
    size_t count, missing = 0;

    for (int i = 0; i < 1000; i++)
        add_signature(&header, "relaxed/relaxed", "from", SLICE("x\r\n"));
    buf_add_text(&header, "From: joe@example.org\r\n\r\n");
    check_reason(verify(&header, SLICE("x\r\n"), RECORD, 200, &count, &missing),
                 "signature did not verify");
    assert_int_equal(count, DKIM_SIGNATURES_MAX);
    assert_int_equal(missing, 1);
    assert_int_equal(spent.checked, DKIM_SIGNATURES_MAX * DKIM_RECORDS_MAX);
    assert_true(spent.hashed < 2 * header.len);
}

/* As many names as are allowed, all of them the same, in a header with nothing else: each field is
 * hashed once by a signature, and found by halving. */
static void test_same_names(void **state)
{
    AUTO(buf_free) struct buf names = { 0 };
    AUTO(buf_free) struct buf header = { 0 };
    size_t count, missing = 0;

    repeat(&names, "from:", DKIM_NAMES_MAX);
    for (int i = 0; i < DKIM_SIGNATURES_MAX; i++)
        add_signature(&header, "simple/simple", buf_text(&names), SLICE("x\r\n"));
    repeat(&header, "From: a\r\n", DKIM_FIELDS_MAX - DKIM_SIGNATURES_MAX);
    check_reason(verify(&header, SLICE("x\r\n"), RECORD, 1, &count, &missing),
                 "a From field is not signed");
    assert_int_equal(missing, 0);
    assert_true(spent.hashed < DKIM_SIGNATURES_MAX * header.len);
    /* sorting, then two searches of 12 steps for each name */
    assert_true(spent.compared > DKIM_FIELDS_MAX);
    assert_true(spent.compared <
                2 * DKIM_FIELDS_MAX * 12 + DKIM_SIGNATURES_MAX * (DKIM_NAMES_MAX + 1) * 2 * 13);
}

static void test_too_many_fields(void **state)
{
    AUTO(buf_free) struct buf header = { 0 };
    size_t count, missing = 0;

    add_signature(&header, "simple/simple", "from", SLICE("x\r\n"));
    repeat(&header, "A:\r\n", 1000000);
    check_reason(verify(&header, SLICE("x\r\n"), RECORD, 1, &count, &missing),
                 "too many fields in the header");
    assert_int_equal(spent.hashed, 0);
    assert_true(spent.allocated < 128 * DKIM_FIELDS_MAX);
}

static const struct {
    const char *name, *before, *unit;
    size_t times;
    const char *reason;
} fields[] = {
    { "10000 names", "v=1; a=rsa-sha256; d=a.b; s=c; b=AAAA; bh=AAAA; h=from", ":b", 10000,
      "too many names in h=" },
    { "1 MB of names", "v=1; a=rsa-sha256; d=a.b; s=c; b=AAAA; bh=AAAA; h=from", ":b", 500000,
      "not a list of tags" },
    { "1 MB of one tag", "v=", "1", 1000000, "not a list of tags" },
    { "1 MB of tags", "", "a=b;", 250000, "not a list of tags" },
    { "65 tags", "", "\x01", 65, "not a list of tags" },
    { "1 MB of b=", "v=1; a=rsa-sha256; d=a.b; s=c; b=", "AAAA", 250000, "not a list of tags" },
    { "30 KB of b=", "v=1; a=rsa-sha256; d=a.b; s=c; bh=AAAA; h=from; b=", "AAAA", 7500,
      "body hash did not verify" },
    { "1 MB of blanks", "v=1; a=", " ", 1000000, "not a list of tags" },
    { "1 MB of lines", "v=1; a=", "\r\n ", 300000, "not a list of tags" },
    { "30 KB of blanks", "v=1; a=rsa-sha256; d=a.b; s=c; bh=AAAA; h=from; b=AA", " \t", 15000,
      "b= is not base64" },
    { "a long domain", "v=1; a=rsa-sha256; s=c; d=a", ".a", 10000, "d= is no domain" },
};

static void test_large_fields(void **state)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        AUTO(buf_free) struct buf header = { 0 };
        size_t count, missing = 0;
        struct dkim_verdict verdict;

        buf_fmt(&header, "DKIM-Signature: %s", fields[i].before);
        if (fields[i].unit[0] == '\x01') /* tags of different names */
            for (size_t n = 0; n < fields[i].times; n++)
                buf_fmt(&header, "t%zu=1;", n);
        else
            repeat(&header, fields[i].unit, fields[i].times);
        buf_add_text(&header, "\r\nFrom: a@b\r\n\r\n");
        verdict = verify(&header, SLICE("x\r\n"), RECORD, 1, &count, &missing);
        if (verdict.reason == NULL || strcmp(verdict.reason, fields[i].reason) != 0)
            fail_msg("%s: %s", fields[i].name, verdict.reason);
        assert_int_equal(missing, 0);
        assert_true(spent.hashed < 100);
        assert_true(spent.allocated < 300000);
    }
}

/* --- ARC --- */

static void add_set(struct buf *header, unsigned instance, struct slice body, size_t padding)
{
    unsigned char hash[32];

    canon_body(body, true, hash);
    buf_fmt(header,
            "ARC-Seal: i=%u; a=ed25519-sha256; cv=%s; d=example.org; s=mail; b=AAAA\r\n"
            "ARC-Message-Signature: i=%u; a=ed25519-sha256; c=relaxed/relaxed; d=example.org;"
            " s=mail%u; h=from; b=AAAA; bh=",
            instance, instance == 1 ? "none" : "pass", instance, instance);
    base64_encode(slice_make(hash, sizeof(hash)), header);
    buf_fmt(header, "\r\nARC-Authentication-Results: i=%u; ", instance);
    repeat(header, "x", padding);
    buf_add_text(header, "\r\n");
}

/* A made-up chain of all sets costs two keys, and the hashes of its newest set alone. */
static void test_made_up_chain(void **state)
{
    AUTO(buf_free) struct buf header = { 0 };
    AUTO(arc_verifier_free) struct arc_verifier *verifier = NULL;
    struct dns_table table = { 0 };
    struct arc_verdict verdict;

    for (unsigned i = 1; i <= ARC_SETS_MAX; i++)
        add_set(&header, i, SLICE("x\r\n"), 4000);
    buf_add_text(&header, "From: a@b\r\n\r\n");
    memset(&spent, 0, sizeof(spent));
    verifier = arc_verifier_new(buf_slice(&header), SLICE("x\r\n"), NOW);
    assert_false(arc_verify(verifier, &table, &verdict));
    assert_int_equal(table.n_missing, 2);
    txt_answer(&table, NAME, RECORD);
    assert_true(arc_verify(verifier, &table, &verdict));
    assert_int_equal(verdict.result, ARC_FAIL);
    assert_true(spent.hashed < 2 * header.len);
    assert_true(spent.allocated < 200000);
    dns_table_free(&table);
}

static void seal_once(const struct private_key *key, struct buf *header, struct slice results)
{
    AUTO(arc_verifier_free) struct arc_verifier *verifier = NULL;
    AUTO(buf_free) struct buf sealed = { 0 };
    struct dns_table table = { 0 };
    struct arc_verdict verdict;
    struct error err;
    struct dkim_signer signer = { .key = key,
                                  .algorithm = SIGNATURE_ED25519_SHA256,
                                  .domain = SLICE("example.org"),
                                  .selector = SLICE("mail"),
                                  .now_s = NOW };

    verifier = arc_verifier_new(buf_slice(header), SLICE("x\r\n"), NOW);
    while (!arc_verify(verifier, &table, &verdict))
        txt_answer(&table, NAME, RECORD);
    assert_true(
        arc_seal(&signer, &verdict, results, buf_slice(header), SLICE("x\r\n"), &sealed, &err));
    buf_add_slice(&sealed, buf_slice(header));
    buf_free(header);
    buf_move(header, &sealed);
    dns_table_free(&table);
}

/* The longest chain that can be good: each of its seals and message signatures is checked once,
 * over no more than the header. */
static void test_longest_chain(void **state)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(arc_verifier_free) struct arc_verifier *verifier = NULL;
    AUTO(buf_free) struct buf header = { 0 };
    AUTO(buf_free) struct buf results = { 0 };
    struct dns_table table = { 0 };
    struct arc_verdict verdict;
    struct error err;

    assert_true(private_key_read(SLICE(RFC8463_ED25519_PEM), &key, &err));
    repeat(&results, "x", 900);
    buf_add_text(&header, "From: a@b\r\n\r\n");
    for (unsigned i = 0; i < ARC_SETS_MAX; i++)
        seal_once(key, &header, buf_slice(&results));
    memset(&spent, 0, sizeof(spent));
    verifier = arc_verifier_new(buf_slice(&header), SLICE("x\r\n"), NOW);
    while (!arc_verify(verifier, &table, &verdict))
        txt_answer(&table, NAME, RECORD);
    assert_int_equal(verdict.result, ARC_PASS);
    assert_int_equal(spent.checked, 2 * ARC_SETS_MAX);
    assert_true(spent.hashed < 2 * ARC_SETS_MAX * header.len);
    assert_true(spent.allocated < 200000);
    dns_table_free(&table);
}

static const struct {
    const char *name, *unit;
    size_t times;
    const char *reason;
} chains[] = {
    { "too many fields", "ARC-Seal: i=1\r\n", 100000, "too many fields in the header" },
    { "many of one instance", "ARC-Seal: i=1\r\n", 4000, "a required tag is missing" },
    { "many without one", "ARC-Authentication-Results: x\r\n", 4000,
      "a field without a good instance" },
    { "instance 51", "ARC-Seal: i=51\r\n", 1, "a field without a good instance" },
    { "a giant instance", "ARC-Seal: i=99999999999999999999999\r\n", 1,
      "a field without a good instance" },
    { "a deep comment",
      "ARC-Authentication-Results: ((((((((((((((((((((((((((((((((((((((((((\r\n", 1000,
      "a field without a good instance" },
};

static void test_hostile_chains(void **state)
{
    for (size_t i = 0; i < COUNT_OF(chains); i++) {
        AUTO(buf_free) struct buf header = { 0 };
        AUTO(arc_verifier_free) struct arc_verifier *verifier = NULL;
        struct dns_table table = { 0 };
        struct arc_verdict verdict;

        repeat(&header, chains[i].unit, chains[i].times);
        memset(&spent, 0, sizeof(spent));
        verifier = arc_verifier_new(buf_slice(&header), SLICE("x\r\n"), NOW);
        assert_true(arc_verify(verifier, &table, &verdict));
        if (verdict.reason == NULL || strcmp(verdict.reason, chains[i].reason) != 0)
            fail_msg("%s: %s", chains[i].name, verdict.reason);
        assert_int_equal(spent.hashed, 0);
        assert_true(spent.allocated < 128 * DKIM_FIELDS_MAX + 200000);
        dns_table_free(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_body),     cmocka_unit_test(test_many_signatures),
        cmocka_unit_test(test_same_names),     cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_large_fields),   cmocka_unit_test(test_made_up_chain),
        cmocka_unit_test(test_hostile_chains), cmocka_unit_test(test_longest_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

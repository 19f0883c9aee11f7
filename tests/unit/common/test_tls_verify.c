/* test_tls_verify.c - what we demand of a server's certificate, against the toy server with
 * certificates made here: an authority, one below it, and leaves of both. */
#include "toy.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HOUR 3600

struct made {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
};

enum who {
    ROOT,
    FALSE_ROOT,
    MIDDLE,
    GOOD,
    OF_MIDDLE,
    EXPIRED,
    FUTURE,
    OTHER_NAME,
    SELF,
    STRANGER,
    WHO_COUNT
};

static const struct {
    const char *common_name, *dns_name;
    enum who issuer;
    int from_s, until_s;
    bool is_authority;
} plans[WHO_COUNT] = {
    [ROOT] = { "CN=root", NULL, ROOT, -HOUR, HOUR, true },
    [FALSE_ROOT] = { "CN=root", NULL, FALSE_ROOT, -HOUR, HOUR, true },
    [MIDDLE] = { "CN=middle", NULL, ROOT, -HOUR, HOUR, true },
    [GOOD] = { "CN=good", "mx.example", ROOT, -HOUR, HOUR, false },
    [OF_MIDDLE] = { "CN=of middle", "mx.example", MIDDLE, -HOUR, HOUR, false },
    [EXPIRED] = { "CN=expired", "mx.example", ROOT, -2 * HOUR, -HOUR, false },
    [FUTURE] = { "CN=future", "mx.example", ROOT, HOUR, 2 * HOUR, false },
    [OTHER_NAME] = { "CN=mx.example", "*.other.example", ROOT, -HOUR, HOUR, false },
    [SELF] = { "CN=self", "mx.example", SELF, -HOUR, HOUR, false },
    [STRANGER] = { "CN=stranger", "mx.example", FALSE_ROOT, -HOUR, HOUR, false },
};

static struct made made[WHO_COUNT];

static void make(enum who who)
{
    struct made *one = &made[who], *issuer = &made[plans[who].issuer];
    char serial = (char)(who + 1);

    gnutls_x509_privkey_init(&one->key);
    gnutls_x509_privkey_generate(one->key, GNUTLS_PK_ECDSA,
                                 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&one->certificate);
    gnutls_x509_crt_set_version(one->certificate, 3);
    gnutls_x509_crt_set_serial(one->certificate, &serial, 1);
    gnutls_x509_crt_set_activation_time(one->certificate, time(NULL) + plans[who].from_s);
    gnutls_x509_crt_set_expiration_time(one->certificate, time(NULL) + plans[who].until_s);
    gnutls_x509_crt_set_dn(one->certificate, plans[who].common_name, NULL);
    if (plans[who].dns_name != NULL)
        gnutls_x509_crt_set_subject_alt_name(
            one->certificate, GNUTLS_SAN_DNSNAME, plans[who].dns_name,
            (unsigned)strlen(plans[who].dns_name), GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_basic_constraints(one->certificate, plans[who].is_authority, -1);
    gnutls_x509_crt_set_key(one->certificate, one->key);
    assert_int_equal(gnutls_x509_crt_sign2(one->certificate, issuer->certificate, issuer->key,
                                           GNUTLS_DIG_SHA256, 0),
                     0);
}

static void write_certificates(const struct toy *toy, const enum who *chain)
{
    char path[128];
    gnutls_datum_t pem;

    snprintf(path, sizeof(path), "%s/main.crt", toy->folder);
    FILE *file = fopen(path, "we");
    for (size_t i = 0; chain[i] != WHO_COUNT; i++) {
        gnutls_x509_crt_export2(made[chain[i]].certificate, GNUTLS_X509_FMT_PEM, &pem);
        fwrite(pem.data, 1, pem.size, file);
        gnutls_free(pem.data);
    }
    fclose(file);
    snprintf(path, sizeof(path), "%s/main.key", toy->folder);
    gnutls_x509_privkey_export2(made[chain[0]].key, GNUTLS_X509_FMT_PEM, &pem);
    file = fopen(path, "we");
    fwrite(pem.data, 1, pem.size, file);
    fclose(file);
    gnutls_free(pem.data);
}

/* A record like "311" for one of them. */
static struct tlsa record_for(const char *kind, enum who who, unsigned char *bytes)
{
    struct tlsa tlsa = { (uint8_t)(kind[0] - '0'),
                         (uint8_t)(kind[1] - '0'),
                         (uint8_t)(kind[2] - '0'),
                         { (char *)bytes, 0 } };
    gnutls_datum_t der;
    gnutls_pubkey_t key;

    if (tlsa.selector == TLSA_PUBLIC_KEY) {
        gnutls_pubkey_init(&key);
        gnutls_pubkey_import_x509(key, made[who].certificate, 0);
        gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der);
        gnutls_pubkey_deinit(key);
    } else {
        gnutls_x509_crt_export2(made[who].certificate, GNUTLS_X509_FMT_DER, &der);
    }
    if (tlsa.matching == TLSA_FULL) {
        memcpy(bytes, der.data, der.size);
        tlsa.data.len = der.size;
    } else {
        gnutls_digest_algorithm_t hash =
            tlsa.matching == TLSA_SHA256 ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA512;
        gnutls_hash_fast(hash, der.data, der.size, bytes);
        tlsa.data.len = gnutls_hash_get_len(hash);
    }
    gnutls_free(der.data);
    return tlsa;
}

struct talk {
    struct tls_check check;
    bool began, was_secure;
    char reason[200];
};

static void on_conn(struct conn *conn, enum conn_event event, void *owner)
{
    struct talk *talk = owner;
    struct buf *input = conn_input(conn), out = { 0 };

    if (event == CONN_CLOSED) {
        snprintf(talk->reason, sizeof(talk->reason), "%s", conn_close_reason(conn));
        return;
    }
    if (conn_is_secure(conn)) {
        talk->was_secure = true;
        conn_close(conn, "fine");
    } else if (buf_is(input, "hello\r\n")) {
        buf_clear(input);
        buf_add_text(&out, "STARTTLS\r\n");
        conn_send(conn, &out);
    } else if (buf_is(input, "go\r\n") && !talk->began) {
        talk->began = true;
        conn_start_tls(conn, &talk->check);
    }
}

static void talk_to(const struct toy *toy, struct talk *talk, const char *authorities)
{
    struct conn_options options = { .stall_ms = 5000, .input_max = 4096 };
    struct error err;
    uv_loop_t loop;

    uv_loop_init(&loop);
    struct net *net = net_new(&loop);
    if (authorities != NULL)
        assert_true(net_trust(net, authorities, &err));
    (void)conn_connect(net, "127.0.0.1", toy->port, &options, on_conn, talk);
    uv_run(&loop, UV_RUN_DEFAULT);
    net_free(&net);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static const struct {
    enum who chain[4]; /* until WHO_COUNT */
    enum tls_level level;
    const char *record; /* for TLS_DANE: usage, selector, matching */
    enum who of;
    enum tls_fault fault;
} cases[] = {
#define LIST(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__, WHO_COUNT                                                                     \
    }
    { LIST(SELF), TLS_ANY, NULL, 0, TLS_GOOD },
    { LIST(EXPIRED), TLS_ANY, NULL, 0, TLS_GOOD },
    { LIST(GOOD), TLS_TRUSTED, NULL, 0, TLS_GOOD },
    { LIST(GOOD, ROOT), TLS_TRUSTED, NULL, 0, TLS_GOOD },
    { LIST(OF_MIDDLE, MIDDLE), TLS_TRUSTED, NULL, 0, TLS_GOOD },
    { LIST(OF_MIDDLE), TLS_TRUSTED, NULL, 0, TLS_NOT_TRUSTED },
    { LIST(EXPIRED), TLS_TRUSTED, NULL, 0, TLS_EXPIRED },
    { LIST(FUTURE), TLS_TRUSTED, NULL, 0, TLS_EXPIRED },
    { LIST(OTHER_NAME), TLS_TRUSTED, NULL, 0, TLS_WRONG_NAME },
    { LIST(SELF), TLS_TRUSTED, NULL, 0, TLS_NOT_TRUSTED },
    { LIST(STRANGER, ROOT), TLS_TRUSTED, NULL, 0, TLS_NOT_TRUSTED },
    { LIST(MIDDLE, ROOT), TLS_TRUSTED, NULL, 0, TLS_WRONG_NAME },
    /* DANE-EE: names, dates and authorities do not count */
    { LIST(SELF), TLS_DANE, "311", SELF, TLS_GOOD },
    { LIST(SELF), TLS_DANE, "310", SELF, TLS_GOOD },
    { LIST(SELF), TLS_DANE, "312", SELF, TLS_GOOD },
    { LIST(SELF), TLS_DANE, "301", SELF, TLS_GOOD },
    { LIST(SELF), TLS_DANE, "300", SELF, TLS_GOOD },
    { LIST(EXPIRED, ROOT), TLS_DANE, "302", EXPIRED, TLS_GOOD },
    { LIST(OTHER_NAME), TLS_DANE, "311", OTHER_NAME, TLS_GOOD },
    { LIST(GOOD, ROOT), TLS_DANE, "311", SELF, TLS_NOT_IN_TLSA },
    { LIST(GOOD, ROOT), TLS_DANE, "300", SELF, TLS_NOT_IN_TLSA },
    { LIST(GOOD, ROOT), TLS_DANE, "311", ROOT, TLS_NOT_IN_TLSA }, /* not the leaf */
    /* DANE-TA: all of them count */
    { LIST(GOOD, ROOT), TLS_DANE, "201", ROOT, TLS_GOOD },
    { LIST(GOOD, ROOT), TLS_DANE, "200", ROOT, TLS_GOOD },
    { LIST(GOOD, ROOT), TLS_DANE, "210", ROOT, TLS_GOOD },
    { LIST(OF_MIDDLE, MIDDLE), TLS_DANE, "211", MIDDLE, TLS_GOOD }, /* not a root */
    { LIST(OF_MIDDLE, MIDDLE, ROOT), TLS_DANE, "211", MIDDLE, TLS_GOOD },
    { LIST(OF_MIDDLE, MIDDLE, ROOT), TLS_DANE, "212", ROOT, TLS_GOOD },
    { LIST(GOOD), TLS_DANE, "201", ROOT, TLS_NOT_IN_TLSA }, /* it has to be shown */
    { LIST(GOOD, ROOT), TLS_DANE, "201", MIDDLE, TLS_NOT_IN_TLSA },
    { LIST(EXPIRED, ROOT), TLS_DANE, "201", ROOT, TLS_EXPIRED },
    { LIST(OTHER_NAME, ROOT), TLS_DANE, "211", ROOT, TLS_WRONG_NAME },
    { LIST(STRANGER, ROOT), TLS_DANE, "201", ROOT, TLS_NOT_TRUSTED },
};

static void prepare(size_t i, struct talk *talk, unsigned char *bytes)
{
    talk->check.level = cases[i].level;
    talk->check.server_name = "mx.example";
    talk->check.names[0] = "next-hop.example"; /* one of the names is enough */
    talk->check.names[1] = "mx.example";
    talk->check.n_names = 2;
    if (cases[i].record == NULL)
        return;
    talk->check.records[0] = record_for("301", FUTURE, bytes); /* ... and one of the records */
    talk->check.records[1] = record_for(cases[i].record, cases[i].of, bytes + 2048);
    talk->check.n_records = 2;
}

static void check_case(const struct toy *toy, size_t i, bool report_only, const char *authorities)
{
    unsigned char bytes[4096];
    struct talk talk = { .check.report_only = report_only };
    bool passes = report_only || cases[i].fault == TLS_GOOD;

    prepare(i, &talk, bytes);
    talk_to(toy, &talk, authorities);
    if (talk.check.fault != cases[i].fault || talk.was_secure != passes)
        fail_msg("case %zu: fault %d, %s, %s", i, talk.check.fault, talk.check.text, talk.reason);
    assert_string_equal(talk.reason, passes ? "fine" : tls_fault_text(cases[i].fault));
    assert_int_equal(talk.check.text[0] == '\0', cases[i].fault == TLS_GOOD);
}

static void write_authorities(const struct toy *toy, char path_out[128])
{
    gnutls_datum_t pem;

    snprintf(path_out, 128, "%s/authorities.pem", toy->folder);
    FILE *file = fopen(path_out, "we");
    gnutls_x509_crt_export2(made[ROOT].certificate, GNUTLS_X509_FMT_PEM, &pem);
    fwrite(pem.data, 1, pem.size, file);
    gnutls_free(pem.data);
    fclose(file);
}

static void test_cases(void **unused)
{
    struct toy_options options = { .tls = true };
    char authorities[128];
    struct toy toy;

    toy_start(&toy, &options);
    write_authorities(&toy, authorities);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        write_certificates(&toy, cases[i].chain);
        toy_reload(&toy);
        check_case(&toy, i, false, authorities);
        check_case(&toy, i, true, authorities);
    }
    toy_end(&toy);
}

/* Without authorities nothing is trusted; the system's do not know ours. */
static void test_authorities(void **unused)
{
    static const enum who chain[] = { GOOD, ROOT, WHO_COUNT };
    static const char *const none_of_ours[] = { NULL, "" };
    struct toy_options options = { .tls = true };
    struct toy toy;

    toy_start(&toy, &options);
    write_certificates(&toy, chain);
    toy_reload(&toy);
    for (size_t i = 0; i < COUNT_OF(none_of_ours); i++) {
        struct talk talk = { .check = { .level = TLS_TRUSTED, .names = { "mx.example" } } };

        talk.check.n_names = 1;
        talk_to(&toy, &talk, none_of_ours[i]);
        assert_int_equal(talk.check.fault, TLS_NOT_TRUSTED);
        assert_false(talk.was_secure);
    }
    toy_end(&toy);
}

static void test_authorities_that_are_none(void **unused)
{
    struct error err;
    uv_loop_t loop;

    uv_loop_init(&loop);
    struct net *net = net_new(&loop);
    assert_false(net_trust(net, "/nonexistent/file", &err));
    assert_int_equal(err.kind, ERROR_INVALID);
    net_free(&net);
    uv_loop_close(&loop);
}

static int make_all(void **unused)
{
    for (unsigned who = 0; who < WHO_COUNT; who++)
        make(who);
    return 0;
}

static int free_all(void **unused)
{
    for (unsigned who = 0; who < WHO_COUNT; who++) {
        gnutls_x509_crt_deinit(made[who].certificate);
        gnutls_x509_privkey_deinit(made[who].key);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_authorities),
        cmocka_unit_test(test_authorities_that_are_none),
    };

    signal(SIGPIPE, SIG_IGN); /* as daemon_run() does */
    log_setup(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, make_all, free_all);
}

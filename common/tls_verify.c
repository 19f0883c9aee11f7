/* tls_verify.c - looks at the certificates of a server that we are the client of; see tls_check.h.
 *
 * DANE is done here and not by libgnutls-dane: that one knows nothing of RFC 7672 (several names to
 * choose from, usage 3 without dates, records that do not count), and resolves by itself.
 *
 * Threads: loop thread, inside the handshake.
 */
#include "common/tls_verify.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 12 /* certificates that are looked at */

struct chain {
    gnutls_x509_crt_t items[CHAIN_MAX]; /* the server's own first */
    unsigned count;
};

const char *tls_fault_text(enum tls_fault fault)
{
    switch (fault) {
    case TLS_GOOD:
        return "The certificate is good";
    case TLS_NO_HANDSHAKE:
        return "The TLS handshake failed";
    case TLS_EXPIRED:
        return "The certificate has expired or is not valid yet";
    case TLS_WRONG_NAME:
        return "The certificate is for another name";
    case TLS_NOT_TRUSTED:
        return "The certificate is from nobody we trust";
    case TLS_NOT_IN_TLSA:
        return "The certificate fits no TLSA record";
    }
    abort();
}

static bool is_faulty(struct tls_check *check, enum tls_fault fault, const char *detail)
{
    check->fault = fault;
    snprintf(check->text, sizeof(check->text), "%s%s%s", tls_fault_text(fault),
             detail[0] != '\0' ? ": " : "", detail);
    return false;
}

static void chain_free(struct chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        gnutls_x509_crt_deinit(chain->items[i]);
    chain->count = 0;
}

static bool chain_read(gnutls_session_t session, struct chain *chain)
{
    unsigned count = 0;
    const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &count);

    for (unsigned i = 0; raw != NULL && i < MIN(count, (unsigned)CHAIN_MAX); i++) {
        gnutls_x509_crt_t item;
        if (gnutls_x509_crt_init(&item) < 0)
            return false;
        if (gnutls_x509_crt_import(item, &raw[i], GNUTLS_X509_FMT_DER) < 0) {
            gnutls_x509_crt_deinit(item);
            return false;
        }
        chain->items[chain->count++] = item;
    }
    return chain->count > 0;
}

/* RFC 8461 section 4.1 and RFC 7672 section 3.2.3: DNS names of the certificate. GnuTLS takes the
 * common name only where there are none. */
static bool names_fit(struct tls_check *check, gnutls_x509_crt_t leaf)
{
    for (size_t i = 0; i < check->n_names; i++)
        if (gnutls_x509_crt_check_hostname(leaf, check->names[i]))
            return true;
    return is_faulty(check, TLS_WRONG_NAME, check->n_names > 0 ? check->names[0] : "");
}

static bool status_is_good(struct tls_check *check, unsigned status)
{
    gnutls_datum_t text = { 0 };

    if (status == 0)
        return true;
    bool is_dated = (status & ~(unsigned)(GNUTLS_CERT_INVALID | GNUTLS_CERT_EXPIRED |
                                          GNUTLS_CERT_NOT_ACTIVATED)) == 0 &&
                    (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) != 0;
    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
        return is_faulty(check, TLS_NOT_TRUSTED, "");
    (void)is_faulty(check, is_dated ? TLS_EXPIRED : TLS_NOT_TRUSTED, (const char *)text.data);
    gnutls_free(text.data);
    return false;
}

static gnutls_typed_vdata_st for_servers(void)
{
    return (gnutls_typed_vdata_st){ .type = GNUTLS_DT_KEY_PURPOSE_OID,
                                    .data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER };
}

static bool is_trusted(gnutls_session_t session, struct tls_check *check, const struct chain *chain)
{
    gnutls_typed_vdata_st purpose = for_servers();
    unsigned status = 0;

    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0)
        return is_faulty(check, TLS_NOT_TRUSTED, "");
    return status_is_good(check, status) && names_fit(check, chain->items[0]);
}

/* What a record's data is compared with: the certificate or its public key, in DER. */
static bool selected(gnutls_x509_crt_t item, uint8_t selector, gnutls_datum_t *der_out)
{
    if (selector == TLSA_CERTIFICATE)
        return gnutls_x509_crt_export2(item, GNUTLS_X509_FMT_DER, der_out) >= 0;

    gnutls_pubkey_t key;
    if (gnutls_pubkey_init(&key) < 0)
        return false;
    bool good = gnutls_pubkey_import_x509(key, item, 0) >= 0 &&
                gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, der_out) >= 0;
    gnutls_pubkey_deinit(key);
    return good;
}

static bool hash_fits(const struct tlsa *record, const gnutls_datum_t *der)
{
    gnutls_digest_algorithm_t algorithm =
        record->matching == TLSA_SHA512 ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256;
    char hash[64];
    struct slice made = { hash, gnutls_hash_get_len(algorithm) };

    if (record->matching == TLSA_FULL)
        return slice_equal(record->data, slice_make(der->data, der->size));
    return gnutls_hash_fast(algorithm, der->data, der->size, hash) >= 0 &&
           slice_equal(record->data, made);
}

static bool record_fits(const struct tlsa *record, gnutls_x509_crt_t item)
{
    gnutls_datum_t der = { 0 };

    if (!selected(item, record->selector, &der))
        return false;
    bool fits = hash_fits(record, &der);
    gnutls_free(der.data);
    return fits;
}

/* RFC 7671 section 5.1: the key itself is what is trusted; neither names nor dates count. */
static bool has_leaf_record(const struct tls_check *check, const struct chain *chain)
{
    for (size_t i = 0; i < check->n_records; i++)
        if (check->records[i].usage == TLSA_DANE_EE &&
            record_fits(&check->records[i], chain->items[0]))
            return true;
    return false;
}

/* The server shows its authority itself (RFC 7671 section 5.2.2). */
static gnutls_x509_crt_t find_anchor(const struct tls_check *check, const struct chain *chain)
{
    for (size_t i = 0; i < check->n_records; i++)
        for (unsigned c = 0; c < chain->count; c++)
            if (check->records[i].usage == TLSA_DANE_TA &&
                record_fits(&check->records[i], chain->items[c]))
                return chain->items[c];
    return NULL;
}

/* The trust list owns a copy of its own: what it is given it frees. */
static bool leads_to(struct tls_check *check, struct chain *chain, gnutls_x509_crt_t anchor)
{
    gnutls_typed_vdata_st purpose = for_servers();
    gnutls_x509_trust_list_t list;
    gnutls_datum_t der = { 0 };
    unsigned status = GNUTLS_CERT_INVALID;

    if (gnutls_x509_trust_list_init(&list, 1) < 0)
        return is_faulty(check, TLS_NOT_TRUSTED, "");
    if (gnutls_x509_crt_export2(anchor, GNUTLS_X509_FMT_DER, &der) >= 0 &&
        gnutls_x509_trust_list_add_trust_mem(list, &der, NULL, GNUTLS_X509_FMT_DER, 0, 0) > 0)
        gnutls_x509_trust_list_verify_crt2(list, chain->items, chain->count, &purpose, 1, 0,
                                           &status, NULL);
    gnutls_free(der.data);
    gnutls_x509_trust_list_deinit(list, 1);
    return status_is_good(check, status);
}

static bool is_in_tlsa(struct tls_check *check, struct chain *chain)
{
    if (has_leaf_record(check, chain))
        return true;
    gnutls_x509_crt_t anchor = find_anchor(check, chain);
    if (anchor == NULL)
        return is_faulty(check, TLS_NOT_IN_TLSA, "");
    return leads_to(check, chain, anchor) && names_fit(check, chain->items[0]);
}

bool tls_verify(gnutls_session_t session, struct tls_check *check)
{
    AUTO(chain_free) struct chain chain = { 0 };

    check->fault = TLS_GOOD;
    check->text[0] = '\0';
    if (check->level == TLS_ANY)
        return true;
    if (!chain_read(session, &chain))
        return is_faulty(check, TLS_NOT_TRUSTED, "It cannot be read");
    return check->level == TLS_DANE ? is_in_tlsa(check, &chain)
                                    : is_trusted(session, check, &chain);
}

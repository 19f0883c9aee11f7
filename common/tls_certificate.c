/* tls_certificate.c - see tls_certificate.h. */
#include "common/tls_certificate.h"

#include "common/buf.h"
#include "common/crypto.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

static void free_datum(gnutls_datum_t *datum)
{
    gnutls_free(datum->data);
}

static void free_certificate(gnutls_x509_crt_t *certificate)
{
    if (*certificate != NULL)
        gnutls_x509_crt_deinit(*certificate);
}

/* The key as it stands in the certificate, which is what a client hashes. */
static int export_key(gnutls_x509_crt_t certificate, gnutls_datum_t *der_out)
{
    gnutls_pubkey_t key = NULL;
    int code = gnutls_pubkey_init(&key);

    if (code == 0)
        code = gnutls_pubkey_import_x509(key, certificate, 0);
    if (code == 0)
        code = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, der_out);
    if (key != NULL)
        gnutls_pubkey_deinit(key);
    return code;
}

bool certificate_read(const char *path, const char *host, struct certificate *certificate_out,
                      struct error *err)
{
    AUTO(free_datum) gnutls_datum_t pem = { 0 };
    AUTO(free_datum) gnutls_datum_t key = { 0 };
    AUTO(free_certificate) gnutls_x509_crt_t certificate = NULL;
    int code;

    if (gnutls_load_file(path, &pem) != 0)
        return error_set(err, ERROR_NOT_FOUND, "%s cannot be read", path);
    code = gnutls_x509_crt_init(&certificate);
    if (code == 0)
        code = gnutls_x509_crt_import(certificate, &pem, GNUTLS_X509_FMT_PEM);
    if (code == 0)
        code = export_key(certificate, &key);
    if (code != 0)
        return error_set(err, ERROR_INVALID, "%s: %s", path, gnutls_strerror(code));
    sha256(slice_make(key.data, key.size), certificate_out->key_sha256);
    certificate_out->begins_s = gnutls_x509_crt_get_activation_time(certificate);
    certificate_out->expires_s = gnutls_x509_crt_get_expiration_time(certificate);
    certificate_out->is_for_host = gnutls_x509_crt_check_hostname(certificate, host) != 0;
    return true;
}

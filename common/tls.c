/* tls.c - loads certificates and makes GnuTLS server sessions from them.
 *
 * Each certificate has credentials of its own; which one a client gets is chosen after its hello,
 * when the server name it asks for (RFC 6066 section 3) is known.
 */
#include "common/tls_private.h"

#include "common/mem.h"
#include "common/slice.h"

#include <dirent.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_certificate {
    gnutls_certificate_credentials_t credentials;
    gnutls_x509_crt_t leaf; /* whose names are compared with the one asked for */
};

struct tls_certificates {
    size_t references;
    struct tls_certificate *items; /* the first one is the default */
    size_t count, room;
};

struct tls {
    char *certificate, *key, *folder;
    struct tls_certificates *current;
    gnutls_priority_t priority;
    gnutls_datum_t ticket_key;
};

void tls_certificates_unref(struct tls_certificates **certificates_pointer)
{
    struct tls_certificates *certificates = TAKE(*certificates_pointer);

    if (certificates == NULL || --certificates->references > 0)
        return;
    for (size_t i = 0; i < certificates->count; i++) {
        gnutls_certificate_free_credentials(certificates->items[i].credentials);
        gnutls_x509_crt_deinit(certificates->items[i].leaf);
    }
    free(certificates->items);
    free(certificates);
}

static bool tls_error(struct error *err, const char *path, int code)
{
    return error_set(err, ERROR_INVALID, "certificate %s: %s", path, gnutls_strerror(code));
}

/* The chain's first certificate, parsed. */
static int find_leaf(gnutls_certificate_credentials_t credentials, gnutls_x509_crt_t *leaf_out)
{
    gnutls_x509_crt_t *chain;
    unsigned length;
    int code = gnutls_certificate_get_x509_crt(credentials, 0, &chain, &length);

    if (code < 0)
        return code;
    *leaf_out = chain[0];
    for (unsigned i = 1; i < length; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return 0;
}

static bool is_readable(const char *path, struct error *err)
{
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return error_errno(err, "reading %s (needed for TLS)", path);
    fclose(file);
    return true;
}

static bool add_certificate(struct tls_certificates *certificates, const char *path,
                            const char *key_path, struct error *err)
{
    struct tls_certificate item = { 0 };

    if (!is_readable(path, err) || !is_readable(key_path, err))
        return false;
    int code = gnutls_certificate_allocate_credentials(&item.credentials);
    if (code < 0)
        return tls_error(err, path, code);
    code =
        gnutls_certificate_set_x509_key_file(item.credentials, path, key_path, GNUTLS_X509_FMT_PEM);
    if (code >= 0)
        code = find_leaf(item.credentials, &item.leaf);
    if (code < 0) {
        gnutls_certificate_free_credentials(item.credentials);
        return tls_error(err, path, code);
    }
    certificates->items = mem_grow(certificates->items, &certificates->room,
                                   certificates->count + 1, sizeof(certificates->items[0]));
    certificates->items[certificates->count++] = item;
    return true;
}

/* NAME.crt and NAME.key, for a directory entry that ends in .crt. */
static bool add_from_folder(struct tls_certificates *certificates, const char *folder,
                            const char *file, struct error *err)
{
    char path[PATH_MAX], key_path[PATH_MAX];
    size_t len = strlen(file);

    if (len <= 4 || strcmp(file + len - 4, ".crt") != 0)
        return true;
    int written = snprintf(path, sizeof(path), "%s/%s", folder, file);
    if (written < 0 || (size_t)written >= sizeof(path))
        return error_set(err, ERROR_INVALID, "%s/%s: the path is too long", folder, file);
    memcpy(key_path, path, (size_t)written + 1);
    memcpy(key_path + written - 3, "key", 3);
    return add_certificate(certificates, path, key_path, err);
}

static bool add_folder(struct tls_certificates *certificates, const char *folder, struct error *err)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    bool good = true;

    if (directory == NULL)
        return error_errno(err, "reading the certificate folder %s", folder);
    while (good && (entry = readdir(directory)) != NULL)
        good = add_from_folder(certificates, folder, entry->d_name, err);
    closedir(directory);
    return good;
}

static bool load_certificates(const struct tls *tls, struct tls_certificates **certificates_out,
                              struct error *err)
{
    AUTO(tls_certificates_unref)
    struct tls_certificates *certificates = NEW(struct tls_certificates);

    certificates->references = 1;
    if (!add_certificate(certificates, tls->certificate, tls->key, err))
        return false;
    if (tls->folder != NULL && !add_folder(certificates, tls->folder, err))
        return false;
    *certificates_out = TAKE(certificates);
    return true;
}

bool tls_load(const struct tls_files *files, struct tls **tls_out, struct error *err)
{
    *tls_out = NULL;
    if (files->certificate == NULL)
        return true;
    if (files->key == NULL)
        return error_set(err, ERROR_INVALID, "certificate %s has no key: set both",
                         files->certificate);

    AUTO(tls_free) struct tls *tls = NEW(struct tls);
    tls->certificate = slice_strdup(slice_of(files->certificate));
    tls->key = slice_strdup(slice_of(files->key));
    if (files->folder != NULL)
        tls->folder = slice_strdup(slice_of(files->folder));
    if (!load_certificates(tls, &tls->current, err))
        return false;
    if (gnutls_priority_init(&tls->priority, TLS_SERVER_PRIORITY, NULL) < 0 ||
        gnutls_session_ticket_key_generate(&tls->ticket_key) < 0)
        return error_set(err, ERROR_INTERNAL, "GnuTLS cannot be set up");
    *tls_out = TAKE(tls);
    return true;
}

bool tls_reload(struct tls *tls, struct error *err)
{
    struct tls_certificates *fresh;

    if (!load_certificates(tls, &fresh, err))
        return false;
    tls_certificates_unref(&tls->current);
    tls->current = fresh;
    return true;
}

void tls_free(struct tls **tls_pointer)
{
    struct tls *tls = TAKE(*tls_pointer);

    if (tls == NULL)
        return;
    tls_certificates_unref(&tls->current);
    if (tls->priority != NULL)
        gnutls_priority_deinit(tls->priority);
    mem_wipe(tls->ticket_key.data, tls->ticket_key.size);
    gnutls_free(tls->ticket_key.data);
    free(tls->certificate);
    free(tls->key);
    free(tls->folder);
    free(tls);
}

/* GnuTLS calls this when the client's hello was read and nothing has been answered yet. */
static int choose_certificate(gnutls_session_t session)
{
    const struct tls_certificates *certificates = gnutls_session_get_ptr(session);
    char name[256];
    size_t len = sizeof(name);
    unsigned type;

    if (gnutls_server_name_get(session, name, &len, &type, 0) < 0 || type != GNUTLS_NAME_DNS)
        return 0;
    for (size_t i = 0; i < certificates->count; i++)
        if (gnutls_x509_crt_check_hostname(certificates->items[i].leaf, name))
            return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
                                          certificates->items[i].credentials);
    return 0;
}

gnutls_session_t tls_session(struct tls *tls, struct tls_certificates **certificates_out)
{
    struct tls_certificates *certificates = tls->current;
    gnutls_session_t session;

    if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        return NULL;
    if (gnutls_priority_set(session, tls->priority) < 0 ||
        gnutls_session_ticket_enable_server(session, &tls->ticket_key) < 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
                               certificates->items[0].credentials) < 0) {
        gnutls_deinit(session);
        return NULL;
    }
    gnutls_session_set_ptr(session, certificates);
    if (certificates->count > 1)
        gnutls_handshake_set_post_client_hello_function(session, choose_certificate);
    certificates->references++;
    *certificates_out = certificates;
    return session;
}

/* crypto.c - random bytes, hashes, passwords: the only file that knows libsodium.
 *
 * PBKDF2 and HMAC-SHA1 come from GnuTLS: libsodium lacks them. Passwords and keys made on the way
 * are wiped.
 */
#include "common/crypto.h"

#include "common/codec.h"
#include "common/mem.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <stdlib.h>

#define SALT_SIZE 16

static_assert(sizeof(struct hash) == sizeof(crypto_generichash_state), "libsodium's size");
static_assert(SHA256_SIZE == crypto_hash_sha256_BYTES, "libsodium's size");

void crypto_init(void)
{
    if (sodium_init() < 0)
        abort();
}

void random_bytes(void *out, size_t len)
{
    randombytes_buf(out, len);
}

uint64_t random_u64(void)
{
    uint64_t number;

    random_bytes(&number, sizeof(number));
    return number;
}

bool bytes_equal_constant_time(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

static crypto_generichash_state *state_of(struct hash *hash)
{
    return (crypto_generichash_state *)(void *)hash->state;
}

void hash_init(struct hash *hash)
{
    crypto_generichash_init(state_of(hash), NULL, 0, HASH_SIZE);
}

void hash_add(struct hash *hash, const void *data, size_t len)
{
    crypto_generichash_update(state_of(hash), data, len);
}

void hash_end(struct hash *hash, unsigned char out[HASH_SIZE])
{
    crypto_generichash_final(state_of(hash), out, HASH_SIZE);
}

void hash_keyed(const unsigned char key[32], struct slice data, unsigned char out[HASH_SIZE])
{
    crypto_generichash(out, HASH_SIZE, (const unsigned char *)data.data, data.len, key, 32);
}

void sha256(struct slice data, unsigned char out[SHA256_SIZE])
{
    crypto_hash_sha256(out, (const unsigned char *)data.data, data.len);
}

void hmac_sha256(struct slice key, struct slice data, unsigned char out[SHA256_SIZE])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.data, key.len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)data.data, data.len);
    crypto_auth_hmacsha256_final(&state, out);
    mem_wipe(&state, sizeof(state));
}

/* GnuTLS takes unsigned sizes and asks for a pointer even when there is nothing behind it. */
static gnutls_datum_t datum_of(struct slice slice)
{
    if (slice.len > UINT32_MAX)
        abort();
    return (gnutls_datum_t){ (unsigned char *)(slice.data != NULL ? slice.data : ""),
                             (unsigned)slice.len };
}

void hmac_sha1(struct slice key, struct slice data, unsigned char out[SHA1_SIZE])
{
    gnutls_datum_t datum = datum_of(key);

    if (gnutls_hmac_fast(GNUTLS_MAC_SHA1, datum.data, datum.size, data.data, data.len, out) != 0)
        abort(); /* out of memory, or forbidden by the system: no code could ever be checked */
}

void pbkdf2_sha256(struct slice password, struct slice salt, unsigned iterations,
                   unsigned char out[SHA256_SIZE])
{
    gnutls_datum_t key = datum_of(password);
    gnutls_datum_t grain = datum_of(salt);

    if (gnutls_pbkdf2(GNUTLS_MAC_SHA256, &key, &grain, iterations, out, SHA256_SIZE) != 0)
        abort(); /* only for parameters that make no sense */
}

static struct slice digest(const unsigned char bytes[SHA256_SIZE])
{
    return slice_make(bytes, SHA256_SIZE);
}

/* RFC 5802 section 3: ClientKey, StoredKey and ServerKey. */
static void scram_keys(struct slice password, uint64_t iterations, struct slice salt,
                       struct buf *out)
{
    unsigned char salted[SHA256_SIZE], client_key[SHA256_SIZE];
    unsigned char stored_key[SHA256_SIZE], server_key[SHA256_SIZE];

    pbkdf2_sha256(password, salt, (unsigned)iterations, salted);
    hmac_sha256(digest(salted), SLICE("Client Key"), client_key);
    sha256(digest(client_key), stored_key);
    hmac_sha256(digest(salted), SLICE("Server Key"), server_key);

    buf_add_text(out, "SCRAM-SHA-256$");
    buf_add_number(out, iterations);
    buf_add_byte(out, ':');
    base64_encode(salt, out);
    buf_add_byte(out, '$');
    base64_encode(digest(stored_key), out);
    buf_add_byte(out, ':');
    base64_encode(digest(server_key), out);
    mem_wipe(salted, sizeof(salted));
    mem_wipe(client_key, sizeof(client_key));
    mem_wipe(server_key, sizeof(server_key));
}

bool scram_hash_like(struct slice password, struct slice like, struct buf *out, struct error *err)
{
    AUTO(buf_free) struct buf salt = { 0 };
    struct slice scheme, iterations, grain;
    uint64_t count;

    if (!slice_split(&like, '$', &scheme) || !slice_split(&like, ':', &iterations) ||
        !slice_number(iterations, UINT32_MAX, &count) || count == 0 ||
        !slice_split(&like, '$', &grain) || !base64_decode(grain, &salt))
        return error_set(err, ERROR_INVALID, "the account has no SCRAM keys");
    scram_keys(password, count, buf_slice(&salt), out);
    return true;
}

bool password_hash(struct slice password, const struct password_cost *cost, struct buf *argon_out,
                   struct buf *scram_out, struct error *err)
{
    char argon[crypto_pwhash_STRBYTES];
    unsigned char salt[SALT_SIZE];

    if (password.len == 0)
        return error_set(err, ERROR_INVALID, "the password is empty");
    if (cost->scram_iterations == 0 || cost->scram_iterations > UINT32_MAX)
        return error_set(err, ERROR_INVALID, "SCRAM iterations out of range");
    if (crypto_pwhash_str_alg(argon, password.data, password.len, cost->passes, cost->memory_bytes,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return error_errno(err, "hashing a password with %zu bytes of memory",
                           (size_t)cost->memory_bytes);
    buf_add_text(argon_out, argon);
    random_bytes(salt, sizeof(salt));
    scram_keys(password, cost->scram_iterations, slice_make(salt, sizeof(salt)), scram_out);
    return true;
}

bool password_matches(struct slice password, const char *argon)
{
    /* libsodium reads a field of this size. */
    char field[crypto_pwhash_STRBYTES] = { 0 };
    size_t len = strlen(argon);

    if (len >= sizeof(field))
        return false;
    memcpy(field, argon, len);
    return crypto_pwhash_str_verify(field, password.len == 0 ? "" : password.data, password.len) ==
           0;
}

void password_pretend(struct slice password, const struct password_cost *cost)
{
    static const unsigned char salt[crypto_pwhash_SALTBYTES] = { 0 };
    unsigned char out[32];

    /* A failure is as welcome as a success: the time is spent. */
    (void)!crypto_pwhash(out, sizeof(out), password.len == 0 ? "" : password.data, password.len,
                         salt, cost->passes, cost->memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
    mem_wipe(out, sizeof(out));
}

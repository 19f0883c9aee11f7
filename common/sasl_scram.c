/* sasl_scram.c - SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, 7677).
 *
 *     FIRST --client-first--> (SASL_KEYS) --sasl_keys()--> FINAL --client-final--> OVER
 *
 * A user without keys goes the same way with a made-up salt, which is the same each time, and fails
 * where a wrong password fails. A user may have several passwords, made with the same salt: the
 * proof is compared with the keys of each, and the one that matches signs the answer.
 */
#include "common/codec.h"
#include "common/crypto.h"
#include "common/mem.h"
#include "common/sasl_private.h"

#include <stdlib.h>

#define FAKE_ITERATIONS   10000
#define CLIENT_NONCE_MAX  256
#define SERVER_NONCE_SIZE 18 /* bytes of randomness; in base64 no padding */
#define SALT_SIZE         16

enum { PHASE_FIRST, PHASE_ASKED, PHASE_KEYS, PHASE_FINAL, PHASE_OVER };

void scram_start(struct sasl *sasl)
{
    unsigned char nonce[SERVER_NONCE_SIZE];

    random_bytes(nonce, sizeof(nonce));
    base64_encode(slice_make(nonce, sizeof(nonce)), &sasl->nonce);
    sasl->fake_iterations = FAKE_ITERATIONS;
}

/* Takes "x=value" off the front of comma-separated attributes. */
static bool take_attribute(struct slice *rest, char name, struct slice *value_out)
{
    struct slice item;

    if (!slice_split(rest, ',', &item) || item.len < 2 || item.data[0] != name ||
        item.data[1] != '=')
        return false;
    *value_out = slice_from(item, 2);
    return true;
}

/* saslname = 1*(value-safe-char / "=2C" / "=3D")    RFC 5802 section 7 */
static bool decode_name(struct slice name, struct buf *out)
{
    while (name.len > 0) {
        size_t used = 3;

        if (name.data[0] != '=') {
            buf_add_byte(out, name.data[0]);
            used = 1;
        } else if (slice_equal(slice_part(name, 0, 3), SLICE("=2C"))) {
            buf_add_byte(out, ',');
        } else if (slice_equal(slice_part(name, 0, 3), SLICE("=3D"))) {
            buf_add_byte(out, '=');
        } else {
            return false;
        }
        name = slice_from(name, used);
    }
    return true;
}

static bool is_nonce(struct slice nonce)
{
    for (size_t i = 0; i < nonce.len; i++)
        if (nonce.data[i] < 0x21 || nonce.data[i] > 0x7E)
            return false;
    return nonce.len > 0 && nonce.len <= CLIENT_NONCE_MAX;
}

/* What the client binds to; NULL for a type that this connection cannot have. */
static const struct buf *binding_of(const struct sasl *sasl, struct slice flag)
{
    if (slice_equal(flag, SLICE("p=tls-exporter")) && sasl->exporter.len > 0)
        return &sasl->exporter;
    if (slice_equal(flag, SLICE("p=tls-server-end-point")) && sasl->end_point.len > 0)
        return &sasl->end_point;
    return NULL;
}

/* gs2-cbind-flag = ("p=" cb-name) / "n" / "y"    RFC 5802 section 6
 * "y" says: I could bind, but you did not offer it. If we did, somebody took it out on the way. */
static bool binding_allowed(const struct sasl *sasl, struct slice flag)
{
    if (sasl->mechanism == SASL_SCRAM_SHA_256_PLUS)
        return binding_of(sasl, flag) != NULL;
    return slice_equal(flag, SLICE("n")) ||
           (slice_equal(flag, SLICE("y")) && !sasl->tls_offered_plus);
}

static bool is_binding_flag(struct slice flag)
{
    return slice_equal(flag, SLICE("n")) || slice_equal(flag, SLICE("y")) ||
           (flag.len > 2 && slice_equal(slice_part(flag, 0, 2), SLICE("p=")));
}

static bool take_authzid(struct sasl *sasl, struct slice item)
{
    AUTO(buf_free) struct buf name = { 0 };

    if (item.len == 0)
        return true;
    return slice_equal(slice_part(item, 0, 2), SLICE("a=")) && item.len > 2 &&
           decode_name(slice_from(item, 2), &name) && sasl_take_authzid(sasl, buf_slice(&name));
}

/* client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
 * An extension that must be understood ("m=") is none that we understand. */
static bool take_first_bare(struct sasl *sasl, struct slice bare)
{
    AUTO(buf_free) struct buf name = { 0 };
    AUTO(buf_free) struct buf both = { 0 };
    struct slice user, nonce;

    buf_add_slice(&sasl->first_bare, bare);
    if (!take_attribute(&bare, 'n', &user) || !take_attribute(&bare, 'r', &nonce) ||
        !is_nonce(nonce) || !decode_name(user, &name) || !sasl_take_user(sasl, buf_slice(&name)))
        return false;
    buf_add_slice(&both, nonce);
    buf_add_slice(&both, buf_slice(&sasl->nonce));
    buf_clear(&sasl->nonce);
    buf_move(&sasl->nonce, &both);
    return true;
}

/* client-first-message = gs2-cbind-flag "," [authzid] "," client-first-message-bare */
static enum sasl_result client_first(struct sasl *sasl, struct slice answer)
{
    struct slice bare = answer, flag, authzid;

    sasl->phase = PHASE_OVER;
    if (slice_find(answer, '\0') >= 0 || !slice_split(&bare, ',', &flag) ||
        !slice_split(&bare, ',', &authzid) || !is_binding_flag(flag) ||
        !take_authzid(sasl, authzid))
        return sasl_malformed(sasl);
    buf_add_slice(&sasl->gs2, slice_part(answer, 0, answer.len - bare.len));
    if (!take_first_bare(sasl, bare))
        return sasl_malformed(sasl);
    if (!binding_allowed(sasl, flag) || !sasl_authzid_allowed(sasl))
        return SASL_FAILED;
    sasl->phase = PHASE_KEYS;
    return SASL_KEYS;
}

static bool decode_key(struct slice text, unsigned char key[SHA256_SIZE])
{
    AUTO(buf_free) struct buf bytes = { 0 };

    if (!base64_decode(text, &bytes) || bytes.len != SHA256_SIZE)
        return false;
    memcpy(key, bytes.data, SHA256_SIZE);
    return true;
}

/* What one password leaves behind (RFC 5802 section 3). */
struct scram_key {
    unsigned char stored[SHA256_SIZE], server[SHA256_SIZE];
    bool usable; /* made with the salt and the iterations that the client is told */
};

/* SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey; `grain` is what stands before the keys */
static bool read_key(struct slice text, struct scram_key *key, struct slice *grain_out)
{
    struct slice scheme, stored;

    return slice_split(&text, '$', &scheme) && slice_is(scheme, "SCRAM-SHA-256") &&
           slice_split(&text, '$', grain_out) && slice_split(&text, ':', &stored) &&
           decode_key(stored, key->stored) && decode_key(text, key->server);
}

static bool read_grain(struct slice grain, struct slice *salt_out, uint64_t *iterations_out)
{
    struct slice iterations;

    *salt_out = grain;
    return slice_split(salt_out, ':', &iterations) &&
           slice_number(iterations, UINT32_MAX, iterations_out) && *iterations_out > 0;
}

/* At least one, which may be unusable: a proof is compared for unknown users too. */
static bool read_keys(struct sasl *sasl, const struct slice *keys, size_t n_keys,
                      struct slice *salt_out, uint64_t *iterations_out)
{
    struct slice first = { 0 }, grain, salt;
    uint64_t iterations;

    sasl->n_keys = MAX(n_keys, (size_t)1);
    sasl->keys = mem_zero(sasl->n_keys * sizeof(sasl->keys[0]));
    for (size_t i = 0; i < n_keys; i++) {
        struct scram_key *key = &sasl->keys[i];

        if (!read_key(keys[i], key, &grain) || !read_grain(grain, &salt, &iterations))
            continue;
        if (first.len == 0) {
            first = grain;
            *salt_out = salt;
            *iterations_out = iterations;
        }
        key->usable = slice_equal(grain, first);
    }
    return first.len > 0;
}

void scram_free(struct sasl *sasl)
{
    if (sasl->keys != NULL)
        mem_wipe(sasl->keys, sasl->n_keys * sizeof(sasl->keys[0]));
    free(TAKE(sasl->keys));
}

static void fake_salt(const struct sasl *sasl, const unsigned char fake_key[32], struct buf *out)
{
    unsigned char hash[HASH_SIZE];

    hash_keyed(fake_key, buf_slice(&sasl->user), hash);
    base64_encode(slice_make(hash, SALT_SIZE), out);
}

/* server-first-message = nonce "," salt "," iteration-count */
enum sasl_result sasl_keys(struct sasl *sasl, const struct slice *keys, size_t n_keys,
                           const unsigned char fake_key[32], struct buf *out)
{
    AUTO(buf_free) struct buf fake = { 0 };
    struct slice salt;
    uint64_t iterations;

    if (sasl->phase != PHASE_KEYS)
        return SASL_FAILED;
    fake_salt(sasl, fake_key, &fake); /* for known users too: the time is the same */
    if (!read_keys(sasl, keys, n_keys, &salt, &iterations)) {
        salt = buf_slice(&fake);
        iterations = sasl->fake_iterations;
    }
    buf_add_text(&sasl->server_first, "r=");
    buf_add_slice(&sasl->server_first, buf_slice(&sasl->nonce));
    buf_add_text(&sasl->server_first, ",s=");
    buf_add_slice(&sasl->server_first, salt);
    buf_add_text(&sasl->server_first, ",i=");
    buf_add_number(&sasl->server_first, iterations);
    buf_add_slice(out, buf_slice(&sasl->server_first));
    sasl->phase = PHASE_FINAL;
    return SASL_CHALLENGE;
}

/* cbind-input = gs2-header [cbind-data] */
static bool binding_matches(const struct sasl *sasl, struct slice encoded, bool *malformed_out)
{
    AUTO(buf_free) struct buf got = { 0 };
    AUTO(buf_free) struct buf want = { 0 };
    struct slice header = buf_slice(&sasl->gs2), flag;

    *malformed_out = !base64_decode(encoded, &got);
    buf_add_slice(&want, header);
    if (slice_split(&header, ',', &flag) && binding_of(sasl, flag) != NULL)
        buf_add_slice(&want, buf_slice(binding_of(sasl, flag)));
    return !*malformed_out && slice_equal(buf_slice(&got), buf_slice(&want));
}

/* RFC 5802 section 3: ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage), and its hash must
 * be StoredKey. */
static bool proof_matches(const struct scram_key *key, struct slice auth_message,
                          const unsigned char proof[SHA256_SIZE])
{
    unsigned char client_key[SHA256_SIZE], hash[SHA256_SIZE];
    bool equal;

    hmac_sha256(slice_make(key->stored, SHA256_SIZE), auth_message, client_key);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        client_key[i] ^= proof[i];
    sha256(slice_make(client_key, SHA256_SIZE), hash);
    mem_wipe(client_key, sizeof(client_key));
    equal = bytes_equal_constant_time(hash, key->stored, SHA256_SIZE);
    return equal && key->usable;
}

/* Which of the passwords was proved. All are compared: the time does not tell which. */
static bool find_key(struct sasl *sasl, struct slice auth_message,
                     const unsigned char proof[SHA256_SIZE])
{
    bool found = false;

    for (size_t i = 0; i < sasl->n_keys; i++) {
        if (proof_matches(&sasl->keys[i], auth_message, proof)) {
            sasl->matched = i;
            found = true;
        }
    }
    return found;
}

/* server-final-message: "v=" base64(HMAC(ServerKey, AuthMessage)) */
static void server_final(const struct sasl *sasl, struct slice auth_message, struct buf *out)
{
    unsigned char signature[SHA256_SIZE];

    hmac_sha256(slice_make(sasl->keys[sasl->matched].server, SHA256_SIZE), auth_message, signature);
    buf_add_text(out, "v=");
    base64_encode(slice_make(signature, SHA256_SIZE), out);
}

/* client-final-message = channel-binding "," nonce ["," extensions] "," proof */
struct final_message {
    struct slice without_proof, binding, nonce;
    unsigned char proof[SHA256_SIZE];
};

static bool parse_final(struct slice answer, struct final_message *final)
{
    ptrdiff_t comma = slice_find_last(answer, ',');
    struct slice attributes, proof;

    if (comma < 0 || slice_find(answer, '\0') >= 0)
        return false;
    final->without_proof = slice_part(answer, 0, (size_t)comma);
    attributes = final->without_proof;
    proof = slice_from(answer, (size_t)comma + 1);
    return take_attribute(&attributes, 'c', &final->binding) &&
           take_attribute(&attributes, 'r', &final->nonce) &&
           slice_equal(slice_part(proof, 0, 2), SLICE("p=")) &&
           decode_key(slice_from(proof, 2), final->proof);
}

static enum sasl_result client_final(struct sasl *sasl, struct slice answer, struct buf *out)
{
    AUTO(buf_free) struct buf auth_message = { 0 };
    struct final_message final;
    bool binding, malformed;

    sasl->phase = PHASE_OVER;
    if (!parse_final(answer, &final))
        return sasl_malformed(sasl);
    binding = binding_matches(sasl, final.binding, &malformed);
    if (malformed)
        return sasl_malformed(sasl);
    buf_add_slice(&auth_message, buf_slice(&sasl->first_bare));
    buf_add_byte(&auth_message, ',');
    buf_add_slice(&auth_message, buf_slice(&sasl->server_first));
    buf_add_byte(&auth_message, ',');
    buf_add_slice(&auth_message, final.without_proof);
    if (!find_key(sasl, buf_slice(&auth_message), final.proof) || !binding ||
        !slice_equal(final.nonce, buf_slice(&sasl->nonce)))
        return SASL_FAILED;
    server_final(sasl, buf_slice(&auth_message), out);
    return SASL_DONE;
}

enum sasl_result scram_step(struct sasl *sasl, struct slice answer, struct buf *out)
{
    if (sasl->phase == PHASE_FIRST && answer.len == 0) {
        sasl->phase = PHASE_ASKED;
        return SASL_CHALLENGE;
    }
    if (sasl->phase == PHASE_FIRST || sasl->phase == PHASE_ASKED)
        return client_first(sasl, answer);
    if (sasl->phase == PHASE_FINAL)
        return client_final(sasl, answer, out);
    return SASL_FAILED;
}

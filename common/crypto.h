/* crypto.h - random bytes, hashes, passwords.
 *
 * Threads: any, after crypto_init(). The password functions take about 50 ms and the memory that
 * the settings name: call them in the slow lane only (session.h).
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"

void crypto_init(void); /* aborts when the machine gives no randomness */

void random_bytes(void *out, size_t len);
uint64_t random_u64(void);
bool bytes_equal_constant_time(const void *a, const void *b, size_t len);

/* BLAKE2b-256, all at once or piece by piece. */
#define HASH_SIZE 32
struct hash {
    _Alignas(64) unsigned char state[384];
};
void hash_init(struct hash *hash);
void hash_add(struct hash *hash, const void *data, size_t len);
void hash_end(struct hash *hash, unsigned char out[HASH_SIZE]);
void hash_keyed(const unsigned char key[32], struct slice data, unsigned char out[HASH_SIZE]);

#define SHA1_SIZE 20
void hmac_sha1(struct slice key, struct slice data, unsigned char out[SHA1_SIZE]); /* for totp.h */

#define SHA256_SIZE 32
void sha256(struct slice data, unsigned char out[SHA256_SIZE]);
void hmac_sha256(struct slice key, struct slice data, unsigned char out[SHA256_SIZE]);
void pbkdf2_sha256(struct slice password, struct slice salt, unsigned iterations,
                   unsigned char out[SHA256_SIZE]);

/* What is stored of a password: an Argon2id string, and the SCRAM-SHA-256 keys of RFC 5802 made
 * from the same password (RFC 5803 form: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey). */
struct password_cost {
    uint64_t memory_bytes; /* Argon2id memory */
    uint64_t passes;       /* Argon2id passes */
    uint64_t scram_iterations;
};
bool password_hash(struct slice password, const struct password_cost *cost, struct buf *argon_out,
                   struct buf *scram_out, struct error *err) MUST_CHECK;
/* SCRAM keys of another password with the salt and the iterations of `like`, which are the same for
 * all passwords of an account: a server tells them before it knows which one the client has. */
bool scram_hash_like(struct slice password, struct slice like, struct buf *out,
                     struct error *err) MUST_CHECK;
bool password_matches(struct slice password, const char *argon);

/* Spends the time of one password_matches(), so that unknown users cannot be told by the clock. */
void password_pretend(struct slice password, const struct password_cost *cost);

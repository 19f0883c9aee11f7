/* fuzz_sasl.c - a client that says anything. The first byte chooses mechanism and connection, then
 * come messages with a line end between them. Nobody without the password gets in. */
#include "common/crypto.h"
#include "common/sasl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made of a password that is nowhere written down. */
static const char keys[] = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
                           "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:"
                           "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

static enum sasl_result answer(struct sasl *sasl, struct slice message, bool known, struct buf *out)
{
    static const unsigned char fake_key[32] = { 1 };
    const struct slice stored[2] = { slice_of(keys), slice_of(keys) };
    enum sasl_result result = sasl_step(sasl, message, out);

    if (result != SASL_KEYS)
        return result;
    if (sasl->user.len == 0 || sasl->user.len > 1024)
        abort();
    return sasl_keys(sasl, stored, known ? COUNT_OF(stored) : 0, fake_key, out);
}

static void check_result(const struct sasl *sasl, enum sasl_result result)
{
    if (result == SASL_DONE || result == SASL_KEYS)
        abort();
    if (result != SASL_PASSWORD)
        return;
    if (!sasl_sends_password(sasl->mechanism) || sasl->user.len == 0 || sasl->user.len > 1024 ||
        sasl->password.len == 0 || sasl->password.len > 1024 ||
        slice_find(buf_slice(&sasl->password), '\0') >= 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sasl_binding binding = { { "exporter", 8 }, { "end point", 9 } };
    AUTO(buf_free) struct buf out = { 0 };
    AUTO(sasl_free) struct sasl sasl = { 0 };
    struct slice rest, message;
    uint8_t choice;

    if (size == 0)
        return 0;
    choice = data[0];
    rest = slice_make(data + 1, size - 1);
    crypto_init();
    sasl_start(&sasl, (enum sasl_mechanism)(choice & 3), (choice & 4) != 0 ? &binding : NULL);
    /* A nonce that repeats, so that the fuzzer can learn the second message. */
    buf_clear(&sasl.nonce);
    buf_add_text(&sasl.nonce, "nonce");
    while (slice_split(&rest, '\n', &message))
        check_result(&sasl, answer(&sasl, message, (choice & 8) != 0, &out));
    return 0;
}

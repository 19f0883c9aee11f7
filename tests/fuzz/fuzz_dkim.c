/* fuzz_dkim.c - a message with signatures, and the key record they get: any bytes.
 *
 * The record is what stands before the first NUL. Nothing made up passes; whatever was there can be
 * signed, and what we sign passes.
 */
#include "message/header.h"
#include "message/proof/dkim.h"
#include "tests/unit/message/txt.h"
#include "tests/unit/support/keys.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct private_key *key;
static struct buf own_record;

static void answer_all(struct dns_table *table, const char *record)
{
    for (struct dns_answer *answer = table->first; answer != NULL; answer = answer->next)
        if (answer->state == DNS_MISSING)
            txt_put(table, answer->name, record[0] == '\0' ? NULL : record);
}

/* The result of the first signature. */
static enum dkim_result verify(struct slice header, struct slice body, const char *record)
{
    AUTO(dkim_verifier_free)
    struct dkim_verifier *verifier = dkim_verifier_new(header, body, 1700000000);
    struct dns_table table = { 0 };
    const struct dkim_verdict *verdicts;
    size_t count;
    enum dkim_result result;

    while (!dkim_verify(verifier, &table, &verdicts, &count))
        answer_all(&table, record);
    result = count > 0 ? verdicts[0].result : DKIM_NONE;
    for (size_t i = 0; i < count; i++)
        if ((verdicts[i].result == DKIM_PASS) != (verdicts[i].reason == NULL) ||
            dkim_result_name(verdicts[i].result) == NULL)
            abort();
    dns_table_free(&table);
    return result;
}

static void sign(struct slice header, struct slice body)
{
    AUTO(buf_free) struct buf signed_header = { 0 };
    struct dkim_signer signer = { .key = key,
                                  .algorithm = SIGNATURE_ED25519_SHA256,
                                  .domain = SLICE("example.org"),
                                  .selector = SLICE("s"),
                                  .now_s = 1700000000 };
    struct error err;

    if (header.len > 0 && (header.data[0] == ' ' || header.data[0] == '\t'))
        return; /* it would continue what is put before it */
    if (!dkim_sign(&signer, header, body, &signed_header, &err))
        return;
    buf_add_slice(&signed_header, header);
    if (verify(buf_slice(&signed_header), body, buf_text(&own_record)) != DKIM_PASS)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size), record;
    char text[1025] = { 0 };
    struct error err;
    size_t header;

    if (key == NULL && (!private_key_read(SLICE(RFC8463_ED25519_PEM), &key, &err) ||
                        !dkim_key_record(key, SIGNATURE_ED25519_SHA256, &own_record, &err)))
        abort();
    if (!slice_split(&input, '\0', &record))
        return 0;
    memcpy(text, record.data, MIN(record.len, sizeof(text) - 1));
    header = header_length(input);
    verify(slice_part(input, 0, header), slice_from(input, header), text);
    sign(slice_part(input, 0, header), slice_from(input, header));
    return 0;
}

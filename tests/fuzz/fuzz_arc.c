/* fuzz_arc.c - a chain of any bytes under one good key. Whatever it is, the next seal can be added,
 * and the chain is then as good as it was.
 */
#include "message/header.h"
#include "message/proof/arc.h"
#include "tests/unit/message/txt.h"
#include "tests/unit/support/keys.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct private_key *key;

static struct arc_verdict verify(struct slice header, struct slice body,
                                 struct arc_verifier **verifier_out)
{
    struct dns_table table = { 0 };
    struct arc_verdict verdict;

    *verifier_out = arc_verifier_new(header, body, 1700000000);
    while (!arc_verify(*verifier_out, &table, &verdict))
        for (struct dns_answer *answer = table.first; answer != NULL; answer = answer->next)
            if (answer->state == DNS_MISSING)
                txt_put(&table, answer->name, "k=ed25519; p=" RFC8463_ED25519_PUBLIC);
    dns_table_free(&table);
    if ((verdict.result == ARC_FAIL) != (verdict.reason != NULL) || verdict.temporary)
        abort();
    return verdict;
}

static void seal(struct slice header, struct slice body, const struct arc_verdict *before)
{
    AUTO(arc_verifier_free) struct arc_verifier *verifier = NULL;
    AUTO(buf_free) struct buf sealed = { 0 };
    struct dkim_signer signer = { .key = key,
                                  .algorithm = SIGNATURE_ED25519_SHA256,
                                  .domain = SLICE("example.org"),
                                  .selector = SLICE("s"),
                                  .now_s = 1700000000 };
    struct arc_verdict after;
    struct error err;

    if (header.len > 0 && (header.data[0] == ' ' || header.data[0] == '\t'))
        return; /* it would continue what is put before it */
    if (!arc_seal(&signer, before, SLICE("mx.example.org; none"), header, body, &sealed, &err)) {
        if (err.kind != ERROR_LIMIT)
            abort();
        return;
    }
    buf_add_slice(&sealed, header);
    after = verify(buf_slice(&sealed), body, &verifier);
    if ((after.result == ARC_PASS) != (before->result != ARC_FAIL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arc_verifier_free) struct arc_verifier *verifier = NULL;
    struct slice message = slice_make(data, size), header, body;
    struct arc_verdict verdict;
    struct error err;

    if (key == NULL && !private_key_read(SLICE(RFC8463_ED25519_PEM), &key, &err))
        abort();
    header = slice_part(message, 0, header_length(message));
    body = slice_from(message, header.len);
    verdict = verify(header, body, &verifier);
    seal(header, body, &verdict);
    return 0;
}

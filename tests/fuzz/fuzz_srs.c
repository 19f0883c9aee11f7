/* fuzz_srs.c - rewritten senders: what srs_forward() makes, srs_reverse() must lead back by one
 * step; anything else must be refused without harm. */
#include "message/srs.h"

#include "common/mem.h"

#include <stdlib.h>

#define NOW (20000 * 86400000ll)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char secret[32] = "a secret of thirty-two bytes ...";
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice local = slice_make(data, size), made, back, domain;

    (void)srs_reverse(secret, NOW, &arena, local, &back, &domain);
    if (srs_forward(secret, NOW, &arena, local, SLICE("one.example"), &made) != SRS_GOOD)
        return 0;
    if (slice_starts(made, "SRS1"))
        (void)srs_reverse(secret, NOW, &arena, made, &back, &domain);
    else if (size > 0 && (srs_reverse(secret, NOW, &arena, made, &back, &domain) != SRS_GOOD ||
                          !slice_equal(back, local) || !slice_is(domain, "one.example")))
        abort();
    return 0;
}

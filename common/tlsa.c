/* tlsa.c - see tlsa.h. */
#include "common/tlsa.h"

#define HEAD 3 /* usage, selector, matching type */

bool tlsa_parse(struct slice rdata, struct tlsa *tlsa_out)
{
    if (rdata.len <= HEAD)
        return false;
    *tlsa_out = (struct tlsa){
        .usage = (uint8_t)rdata.data[0],
        .selector = (uint8_t)rdata.data[1],
        .matching = (uint8_t)rdata.data[2],
        .data = slice_from(rdata, HEAD),
    };
    return true;
}

bool tlsa_is_usable(const struct tlsa *tlsa)
{
    if (tlsa->usage != TLSA_DANE_TA && tlsa->usage != TLSA_DANE_EE)
        return false;
    if (tlsa->selector != TLSA_CERTIFICATE && tlsa->selector != TLSA_PUBLIC_KEY)
        return false;
    switch (tlsa->matching) {
    case TLSA_FULL:
        return tlsa->data.len > 0;
    case TLSA_SHA256:
        return tlsa->data.len == 32;
    case TLSA_SHA512:
        return tlsa->data.len == 64;
    }
    return false;
}

/* Whether the list has a SHA-512 for what this one is a SHA-256 of. */
static bool is_outdone(const struct tlsa *tlsa, const struct tlsa *list, size_t count)
{
    if (tlsa->matching != TLSA_SHA256)
        return false;
    for (size_t i = 0; i < count; i++)
        if (list[i].matching == TLSA_SHA512 && list[i].usage == tlsa->usage &&
            list[i].selector == tlsa->selector)
            return true;
    return false;
}

size_t tlsa_choose(const struct slice *records, size_t count, struct tlsa chosen_out[TLSA_MAX])
{
    struct tlsa usable[TLSA_MAX];
    size_t n_usable = 0, n_chosen = 0;

    for (size_t i = 0; i < count && n_usable < TLSA_MAX; i++)
        if (tlsa_parse(records[i], &usable[n_usable]) && tlsa_is_usable(&usable[n_usable]))
            n_usable++;
    for (size_t i = 0; i < n_usable; i++)
        if (!is_outdone(&usable[i], usable, n_usable))
            chosen_out[n_chosen++] = usable[i];
    return n_chosen;
}

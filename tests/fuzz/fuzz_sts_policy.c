/* fuzz_sts_policy.c - MTA-STS: the same bytes as a TXT record, a policy and a media type. */
#include "smtpd/remote/sts_policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size), id;
    struct sts_policy policy;

    if (sts_record_parse(input, &id) && (id.len == 0 || id.len > STS_ID_MAX))
        abort();
    (void)sts_type_is_text(input);
    if (!sts_policy_parse(input, &policy))
        return 0;
    if (policy.max_age_s > STS_AGE_MAX_S || (policy.mode == STS_ENFORCE && policy.n_mx == 0))
        abort();
    (void)sts_policy_names(&policy, SLICE("mail.example.com"));
    for (size_t i = 0; i < policy.n_mx; i++)
        if (policy.mx[i].data[0] != '*' && !sts_policy_names(&policy, policy.mx[i]))
            abort();
    return 0;
}

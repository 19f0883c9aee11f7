/* fuzz_report_address.c - the records in which domains say where they want reports. */
#include "smtpd/report/report_address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct report_address addresses[REPORT_ADDRESSES];
    struct slice rua = slice_make(data, size);
    size_t count, others;

    if (size > 0 && data[0] == 'v' && !tls_report_record(rua, &rua))
        return 0;
    count = report_addresses(&arena, rua, addresses, &others);
    if (count > REPORT_ADDRESSES)
        abort();
    for (size_t i = 0; i < count; i++) {
        const struct report_address *one = &addresses[i];

        /* They go into a header as they are. */
        for (size_t at = 0; at < one->address.len; at++)
            if ((unsigned char)one->address.data[at] < ' ' || one->address.data[at] < 0)
                abort();
        if (one->domain.len == 0)
            abort();
    }
    return 0;
}

/* fuzz_dmarc_report.c - reports of any bytes; what was read can be printed and read again. */
#include "common/pack.h"
#include "message/proof/dmarc_report.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { NULL };
    AUTO(buf_free) struct buf xml = { 0 };
    struct dmarc_report report, again;
    struct error err;

    if (!unpack(slice_make(data, size), 1 << 20, &xml, &err) ||
        !dmarc_report_parse(&arena, buf_slice(&xml), &report, &err))
        return 0;
    buf_clear(&xml);
    dmarc_report_print(&report, &xml);
    if (!dmarc_report_parse(&arena, buf_slice(&xml), &again, &err) || again.n_rows != report.n_rows)
        abort();
    return 0;
}

/* fuzz_dmarc_report.c - reports of any bytes; what was read can be printed, packed, and read
 * again. */
#include "common/pack.h"
#include "message/proof/dmarc_report.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf xml = { 0 };
    AUTO(buf_free) struct buf printed = { 0 };
    AUTO(buf_free) struct buf packed = { 0 };
    struct dmarc_report report, again;
    struct error err;

    if (!unpack(slice_make(data, size), 1 << 20, &xml, &err) ||
        !dmarc_report_parse(&arena, buf_slice(&xml), &report, &err))
        return 0;
    dmarc_report_print(&report, &printed);
    buf_clear(&xml);
    if (!pack_gzip(buf_slice(&printed), &packed, &err) ||
        !unpack(buf_slice(&packed), SIZE_MAX, &xml, &err) ||
        !slice_equal(buf_slice(&printed), buf_slice(&xml)))
        abort();
    if (!dmarc_report_parse(&arena, buf_slice(&xml), &again, &err) || again.n_rows != report.n_rows)
        abort();
    return 0;
}

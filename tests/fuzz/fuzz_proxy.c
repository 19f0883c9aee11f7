/* fuzz_proxy.c - PROXY headers: what is complete stays what it is with more behind it. */
#include "common/proxy.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header header, again;
    enum parse parse = proxy_parse(slice_make(data, size), &header);

    if (parse == PARSE_MORE && size >= PROXY_MAX)
        abort();
    if (parse != PARSE_OK)
        return 0;
    if (header.len == 0 || header.len > size ||
        proxy_parse(slice_make(data, header.len), &again) != PARSE_OK || again.len != header.len ||
        strcmp(again.peer.address, header.peer.address) != 0 ||
        proxy_parse(slice_make(data, header.len - 1), &again) == PARSE_OK)
        abort();
    return 0;
}

/* fuzz_way.c - the operator's routes: what was checked is found again, for every domain alike. */
#include "smtpd/remote/way.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line is a domain, the rest the routes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size), domain;
    struct error err;

    if (!slice_split(&rest, '\n', &domain))
        return 0;
    char *name = slice_strdup(domain), *routes = slice_strdup(rest);
    bool good = ways_check(routes, &err);
    struct way way = way_find(routes, name);

    if (way.kind == WAY_RELAY && (way.host[0] == '\0' || (way.host[0] == '/') != (way.port == 0)))
        abort();
    if (!good && err.kind != ERROR_INVALID)
        abort();
    free(name);
    free(routes);
    return 0;
}

/* fuzz_address.c - lists of addresses and SMTP paths. What path_parse_bare() takes, path_print()
 * must write so that it is read again. */
#include "message/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct arena *arena, struct slice text)
{
    struct address_list list;
    bool in_group = false;

    address_list_parse(arena, text, 50, &list);
    if (list.count > 50)
        abort();
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].kind == (in_group ? ADDRESS_GROUP_START : ADDRESS_GROUP_END))
            abort();
        if (list.items[i].kind != ADDRESS_MAILBOX)
            in_group = !in_group;
    }
    if (in_group)
        abort();
}

static void check_round_trip(struct arena *arena, const struct path *path)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct path again;

    path_print(path->local, path->domain, &text);
    if (!path_parse_bare(arena, buf_slice(&text), &again) ||
        !slice_equal(path->local, again.local) || !slice_equal(path->domain, again.domain))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice text = slice_make(data, size);
    struct path path;

    check_list(&arena, text);
    if (path_parse_bare(&arena, text, &path))
        check_round_trip(&arena, &path);
    if (path_parse(&arena, &text, &path) == PARSE_OK && path.domain.len > 0)
        check_round_trip(&arena, &path);
    return 0;
}

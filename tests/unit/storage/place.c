/* place.c - see place.h. */
#include "tests/unit/storage/place.h"

#include "common/crypto.h"
#include "storage/files.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

void check_ok(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s: %s", error_kind_name(err->kind), err->text);
}

static void open_parts(struct place *place)
{
    struct store_options options = {
        .path = place->path,
        .log = { .daemon = "test" },
        .inline_max_bytes = PLACE_INLINE_MAX,
        .handles_per_desk = 2,
    };
    struct error err = { 0 };

    check_ok(store_open(&options, &place->store, &err), &err);
    check_ok(desk_open(place->store, &place->desk, &err), &err);
}

int place_open(void **state)
{
    struct place *place = NEW(struct place);
    struct error err = { 0 };

    crypto_init();
    strcpy(place->path, "/tmp/postane-test-XXXXXX");
    assert_non_null(mkdtemp(place->path));
    check_ok(store_create(place->path, &err), &err);
    open_parts(place);
    *state = place;
    return 0;
}

int place_close(void **state)
{
    struct place *place = *state;
    struct error err = { 0 };

    desk_close(&place->desk);
    store_close(&place->store);
    check_ok(tree_remove(place->path, &err), &err);
    free(place);
    return 0;
}

void place_reopen(struct place *place)
{
    desk_close(&place->desk);
    store_close(&place->store);
    open_parts(place);
}

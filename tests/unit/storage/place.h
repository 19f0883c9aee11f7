/* place.h - a store in a temporary folder, for the tests of storage/. */
#pragma once

#include "storage/store.h"

struct place {
    char path[64];
    struct store *store;
    struct desk *desk;
};

#define PLACE_INLINE_MAX 1000

int place_open(void **state); /* cmocka's set-up: *state is a struct place */
int place_close(void **state);

void place_reopen(struct place *place); /* as after a restart */

/* Fails the test with the error's text if `ok` is false. */
void check_ok(bool ok, const struct error *err);

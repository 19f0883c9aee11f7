/* check_private.h - between the two halves of the check: the whole store, and one account. */
#pragma once

#include "storage/check.h"
#include "storage/sqlite/account_private.h"

struct check {
    const struct check_options *options;
    const char *where; /* what is being looked at */
    uint64_t findings;
};

void check_found(struct check *check, bool repaired, const char *format, ...) PRINTF_LIKE(3, 4);

bool check_account(struct check *check, struct account *account, struct error *err) MUST_CHECK;

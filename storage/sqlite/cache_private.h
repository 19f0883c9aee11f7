/* cache_private.h - the summaries of an account's messages, for the files that write them. */
#pragma once

#include "message/summary.h"
#include "storage/sqlite/account_private.h"

/* Within a transaction: stores a summary, unless the message is gone. */
bool summary_put(struct account *account, uint64_t msg, const struct summary *summary,
                 struct error *err) MUST_CHECK;

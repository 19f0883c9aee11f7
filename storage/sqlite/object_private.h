/* object_private.h - threads of an account's messages, for the files that store messages. */
#pragma once

#include "message/sort_key.h"
#include "storage/sqlite/cache_private.h"

/* Within a transaction: the thread that a message belongs to, remembered for those that come after
 * it. `hash`: of its bytes. */
bool thread_assign(struct account *account, struct slice sort_keys, const unsigned char *hash,
                   uint64_t *thread_out, struct error *err) MUST_CHECK;

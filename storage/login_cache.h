/* login_cache.h - remembers passwords that were right, without knowing them.
 *
 * An entry is a keyed hash over the account, its stored Argon2 string and the password; the key is
 * random and dies with the process. A changed password changes the stored string, so that the old
 * one is found no more. Entries last an hour; the oldest of a bucket makes room for a new one.
 *
 * Threads: any.
 */
#pragma once

#include "storage/login.h"

bool login_cache_has(struct login_cache *cache, uint64_t account, struct slice argon,
                     struct slice password);
void login_cache_add(struct login_cache *cache, uint64_t account, struct slice argon,
                     struct slice password);

/* ban_set.h - the bans in memory: is this address in one of them?
 *
 * Threads: filled by one, then read by any; the owner sees to who has it when.
 */
#pragma once

#include "storage/logbook.h"

struct ban_set;

enum banned { BANNED_NOT, BANNED_AUTOMATICALLY, BANNED_BY_OPERATOR };

struct ban_set *ban_set_new(const struct ban_list *bans);
void ban_set_free(struct ban_set **set);

/* The worst of those that hold at `now_ms` (Unix time). The set may be NULL: nobody is banned. */
enum banned ban_set_find(const struct ban_set *set, const char *address, int64_t now_ms);

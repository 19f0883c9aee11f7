/* metadata.h - annotations of mailboxes and of the account as a whole (RFC 5464).
 *
 * An entry is a name in lower case, "/shared/comment" or "/private/comment". What is private is
 * private to one account, the `reader`: mostly the owner, but in a mailbox that is shared each
 * reader has entries of their own, kept in the owner's store. `mailbox` 0 is the account itself:
 * the private part of IMAP's server annotations.
 *
 * Every change raises a counter of the account and is kept under it, removals too, so that sessions
 * can be told which entries others have changed.
 *
 * Threads and ownership: as in account.h.
 */
#pragma once

#include "storage/account.h"

#define METADATA_NAME_MAX    1000 /* bytes of an entry's name */
#define METADATA_ENTRIES_MAX 1000 /* of one mailbox, of all readers */
/* What is private to a reader who is not the owner, in all mailboxes of the account: it counts
 * against the owner's quota. */
#define METADATA_GUEST_ENTRIES_MAX 100
#define METADATA_GUEST_BYTES_MAX   (256 * 1024)

struct metadata_entry {
    uint64_t mailbox;
    struct slice name;
    bool has_value; /* false: NIL, it is removed */
    struct slice value;
};

struct metadata_list {
    struct metadata_entry *items; /* sorted by name */
    size_t count;
};

/* Entries that have a value: that at `name`, or with `below` also those below it ("": all); shared
 * ones and the reader's. */
bool metadata_get(struct account *account, uint64_t mailbox, uint64_t reader, struct slice name,
                  bool below, struct arena *arena, struct metadata_list *list_out,
                  struct error *err) MUST_CHECK;

/* All or none; *change_out is the counter's value for it. Errors: ERROR_NOT_FOUND (mailbox),
 * ERROR_LIMIT: too many entries; ERROR_OVER_QUOTA: names and values of the account's annotations
 * together are more than its quota allows. */
bool metadata_set(struct account *account, uint64_t mailbox, uint64_t reader,
                  const struct metadata_entry *entries, size_t count, uint64_t *change_out,
                  struct error *err) MUST_CHECK;

/* Entries changed after `since`, of all mailboxes, without values; *now_out is for the next time.
 * Costs one index look-up when there are none. */
bool metadata_changed(struct account *account, uint64_t reader, uint64_t since, struct arena *arena,
                      struct metadata_list *list_out, uint64_t *now_out,
                      struct error *err) MUST_CHECK;

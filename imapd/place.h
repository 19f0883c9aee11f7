/* place.h - where a mailbox name leads: whose account, which mailbox, what this user may do there.
 *
 *     INBOX, Drafts, a/b                 the user's own
 *     Other Users/bob@example.org/INBOX  another user's INBOX           RFC 2342
 *     Shared/team@example.org/INBOX      of an account that is nobody's own
 *
 * Every command that takes the name of a mailbox asks here, and uses the account that it is told;
 * every command on the selected mailbox uses client->selected and client->rights.
 */
#pragma once

#include "imapd/client.h"
#include "storage/acl.h"

#define OTHER_USERS "Other Users/"
#define SHARED      "Shared/"

struct place {
    struct account *account;  /* lent for this run, as client->account is */
    struct mailbox_info info; /* its name is the one this user knows */
    unsigned rights;          /* enum acl_right bits */
};

/* `needs`: rights of which all must be there.
 * Errors: ERROR_NOT_FOUND, also for who may not even know of it; ERROR_DENIED. */
bool place_find(struct call *call, struct slice name, unsigned needs, struct place *place_out,
                struct error *err) MUST_CHECK;

/* A mailbox that was found before, by the id of its owner: are all of `needs` there still?
 * Errors: as place_find(). */
bool place_again(struct call *call, uint64_t owner, uint64_t mailbox, unsigned needs,
                 struct account **account_out, unsigned *rights_out, struct error *err) MUST_CHECK;

/* Where a name leads, whether there is such a mailbox or not. */
struct place_name {
    struct account *account; /* lent */
    struct slice local;      /* the mailbox's name in that account; may be empty in another's */
    struct slice before;     /* what this user puts before it; empty in the own account */
};
/* Errors: ERROR_NOT_FOUND, when it is another's who shares nothing. */
bool place_of(struct call *call, struct slice name, struct place_name *name_out,
              struct error *err) MUST_CHECK;
/* Rights on the nearest mailbox above a name; none where there is no such in another's account. */
bool place_rights_above(struct call *call, const struct place_name *name, unsigned *rights_out,
                        struct error *err) MUST_CHECK;

/* "Other Users/bob@example.org/" for an account that shares something. A "/" in the address is
 * written "=2F", and "=" is "=3D". */
struct slice place_prefix(struct arena *arena, const struct account_info *owner);
/* The handle of an account that another one may look into. */
bool place_account(struct call *call, uint64_t owner, struct account **account_out,
                   struct error *err) MUST_CHECK;

/* To take messages away, as MOVE and REPLACE do, is to set \Deleted and expunge (RFC 6851 section
 * 4.2, RFC 8508 section 4.1). */
static inline bool rights_may_remove(unsigned rights)
{
    return (rights & RIGHT_DELETE_MESSAGES) != 0 && (rights & RIGHT_EXPUNGE) != 0;
}

/* The flags that somebody with these rights may change (RFC 4314 section 4). */
uint64_t rights_flags(unsigned rights);
/* Bits for a new message there: of the flags named, those that the user may set. Keywords that are
 * new in the account are made. */
bool place_flags(const struct place *place, const struct flag_list *list, uint64_t *flags_out,
                 struct error *err) MUST_CHECK;

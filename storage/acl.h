/* acl.h - what somebody may do in a mailbox (RFC 4314), and who may do anything in an account.
 *
 * Rights are kept with the mailbox, in the account it belongs to, by account id: an address that is
 * given to somebody else later brings no rights along. The owner has all rights and no entry. A new
 * mailbox begins with the entries of the mailbox above it.
 *
 * postane.db knows beside this which accounts share something with whom, so that nobody has to
 * open all accounts to find out. It is told first when a right is given and last when it is taken,
 * so that a crash leaves at most a pair too many, which postane check removes.
 *
 * Threads and ownership: as in account.h.
 */
#pragma once

#include "storage/account.h"
#include "storage/directory.h"

enum acl_right {
    RIGHT_LOOKUP = 1 << 0,          /* l: sees it in LIST, may subscribe */
    RIGHT_READ = 1 << 1,            /* r: SELECT, STATUS, FETCH, SEARCH, COPY from it */
    RIGHT_SEEN = 1 << 2,            /* s: \Seen is kept */
    RIGHT_WRITE = 1 << 3,           /* w: other flags and keywords */
    RIGHT_INSERT = 1 << 4,          /* i: APPEND, COPY into it */
    RIGHT_POST = 1 << 5,            /* p: mail sent to its address comes in */
    RIGHT_CREATE = 1 << 6,          /* k: mailboxes below it, RENAME to there */
    RIGHT_DELETE_MAILBOX = 1 << 7,  /* x: DELETE, RENAME from there */
    RIGHT_DELETE_MESSAGES = 1 << 8, /* t: \Deleted */
    RIGHT_EXPUNGE = 1 << 9,         /* e: EXPUNGE, and on CLOSE */
    RIGHT_ADMIN = 1 << 10,          /* a: SETACL, DELETEACL, GETACL, LISTRIGHTS */
};
#define RIGHTS_ALL ((RIGHT_ADMIN << 1) - 1)

/* "lrswipkxte" plus "a", or a part of it, with the virtual rights of section 2.1.1 behind them: c
 * where k or x is, d where t or e is. */
#define RIGHTS_TEXT_MAX 16
void rights_print(unsigned rights, char text_out[RIGHTS_TEXT_MAX]);
/* c and d stand for all of their members. False when a character is no right of ours. */
bool rights_parse(struct slice text, unsigned *rights_out);

#define ACL_ANYONE      0 /* in place of an account's id: everybody who can log in */
#define ACL_ENTRIES_MAX 200

struct acl_entry {
    uint64_t who;  /* account, or ACL_ANYONE */
    bool negative; /* takes the rights away, whoever else gives them: "-fred" */
    unsigned rights;
};

struct acl_list {
    struct acl_entry *items; /* by who, a positive entry before the negative one */
    size_t count;
};

/* Entries of accounts that were removed are among them; they give nothing to anybody. */
bool acl_list(struct account *account, uint64_t mailbox, struct arena *arena,
              struct acl_list *list_out, struct error *err) MUST_CHECK;

enum acl_change { ACL_REPLACE, ACL_ADD, ACL_REMOVE };

/* An entry without rights is none. Errors: ERROR_NOT_FOUND, ERROR_LIMIT; ERROR_DENIED for the
 * owner, who has all rights. */
bool acl_change(struct account *account, uint64_t mailbox, const struct acl_entry *entry,
                enum acl_change change, struct error *err) MUST_CHECK;

/* What `who` may do there: what entries for this account and for anyone give together, less what
 * negative ones take. */
bool acl_rights(struct account *account, uint64_t mailbox, uint64_t who, unsigned *rights_out,
                struct error *err) MUST_CHECK;

/* The same for all mailboxes of the account in which `who` has any rights. */
struct mailbox_rights {
    uint64_t mailbox;
    unsigned rights;
};
struct rights_list {
    struct mailbox_rights *items; /* ascending mailbox */
    size_t count;
};
bool acl_rights_all(struct account *account, uint64_t who, struct arena *arena,
                    struct rights_list *list_out, struct error *err) MUST_CHECK;

/* Who shares something with the account or with anyone: by address, itself not among them. */
bool share_owners(struct desk *desk, uint64_t who, struct arena *arena,
                  struct account_list *owners_out, struct error *err) MUST_CHECK;
/* Does `owner`? */
bool share_is(struct desk *desk, uint64_t owner, uint64_t who, bool *shares_out,
              struct error *err) MUST_CHECK;
/* Compares what postane.db knows of an account with its mailboxes; *wrong_out pairs are too many or
 * missing, and are mended with `repair`. */
bool share_check(struct account *account, bool repair, uint64_t *wrong_out,
                 struct error *err) MUST_CHECK;

/* flags.h - flags of a message: words of the protocol to bits of the store, and back.
 *
 * Keywords are bits of a table per account (storage/mail.h). Each session keeps a copy of the names
 * and reads it again when it meets a bit it does not know; a bit never changes its name.
 */
#pragma once

#include "common/buf.h"
#include "common/mem.h"
#include "storage/mail.h"

#define FLAG_LIST_MAX     128
#define MAIL_SYSTEM_FLAGS (MAIL_SEEN | MAIL_ANSWERED | MAIL_FLAGGED | MAIL_DELETED | MAIL_DRAFT)

/* Flags as the client named them. */
struct flag_list {
    uint64_t system;        /* MAIL_SEEN ... */
    struct slice *keywords; /* FLAG_LIST_MAX at most */
    size_t n_keywords;
    bool recent; /* \Recent was named: SEARCH's business; STORE and APPEND refuse it */
};

struct keywords {
    uint64_t account; /* whose; 0: none yet */
    char *names[64];  /* NULL: not known */
    uint64_t known;   /* bits with a name */
};

/* One flag by its name, added to the list. False: not a flag a client may name. */
bool flag_list_add(struct flag_list *list, struct arena *arena, struct slice name);

/* Makes sure that every bit of `flags` has its name. */
bool keywords_learn(struct keywords *keywords, struct account *account, uint64_t flags,
                    struct error *err) MUST_CHECK;
/* Reads the whole table again, or that of another account (SELECT). */
bool keywords_load(struct keywords *keywords, struct account *account,
                   struct error *err) MUST_CHECK;
/* The account can have no more of them. */
bool keywords_full(const struct keywords *keywords);
/* Bit mask of a keyword that exists; 0 if there is none (SEARCH). Case does not matter. */
uint64_t keywords_mask(const struct keywords *keywords, struct slice name);
/* All bits of the list; keywords that are new are made. Errors: ERROR_LIMIT. */
bool keywords_bits(struct keywords *keywords, struct account *account, const struct flag_list *list,
                   uint64_t *flags_out, struct error *err) MUST_CHECK;
void keywords_free(struct keywords *keywords);

/* "(\Seen \Deleted $Forwarded)": no allocation but the buffer's, for hot loops. */
void flags_print(const struct keywords *keywords, uint64_t flags, bool recent, struct buf *out);

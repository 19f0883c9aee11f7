/* search.h - an account's search index (search.db): which messages have a text, and which cannot.
 *
 * Of each message it knows the trigrams (message/trigram.h) of its folded texts: what ENVELOPE
 * shows of subject and addresses (message/envelope_text.h), its header, its body (message/text.h).
 * Whoever searches asks for the messages to pass over, and for those that have the needle for sure,
 * and looks at the others; of what is not indexed yet nothing is said, so results do not depend on
 * the index at all. It takes at most 35% of the text in headers and bodies: 30% of it in rows,
 * whatever the mail is, the rest is SQLite's. For a hundred messages and fewer it may be more: a
 * dozen of pages, and as much as the text of five messages.
 *
 * search.db lies beside mail.db and holds nothing that is not in there: it is filled in the
 * background in the order of message numbers, may be removed at any time, and is made anew when it
 * is damaged, of another version, or of another mail.db (restored from a backup, say).
 *
 * Threads and ownership: as in account.h.
 */
#pragma once

#include "storage/account.h"

enum search_part {
    SEARCH_PART_ENVELOPE = 1,
    SEARCH_PART_HEADER = 2,
    SEARCH_PART_BODY = 4,
};

struct search_query {
    unsigned parts;      /* where the needle may be: enum search_part, in any of them */
    struct slice needle; /* folded; an empty one, or one with a NUL, says nothing */
    uint64_t *has;       /* filled: a bit for each message; set: the needle is there */
    uint64_t *cannot;    /* the same; set: it is not */
};

/* Never fails: without an index no bit is set. Ascending msgs are fastest. */
void account_search(struct account *account, const uint64_t *msgs, size_t count,
                    struct search_query *queries, size_t n_queries);

/* Fills the index; may serve one account after the other. A struct indexer holds 2 MB, and what its
 * greatest piece took until it is freed: up to 20 MB for the lists of a piece, three times the size
 * of the greatest message (a process that indexed one of 21 MB had 66 MB). */
struct indexer;
struct indexer *indexer_new(void);
void indexer_free(struct indexer **indexer);

/* The next piece, of some megabytes or some hundred messages. *more_out: there is more to do. It
 * may be busy, in another process: that is as good as done. */
bool account_index(struct account *account, struct indexer *indexer, bool *more_out,
                   struct error *err) MUST_CHECK;
/* Forgets all of it. */
bool account_index_reset(struct account *account, struct error *err) MUST_CHECK;

struct index_progress {
    uint64_t messages, indexed;
};
bool account_index_progress(struct account *account, struct index_progress *progress_out,
                            struct error *err) MUST_CHECK;

/* search_return.h - what a client wants to hear of a search, and telling it: SEARCH, ESEARCH, and
 * the saved result "$".
 *
 *     RETURN (MIN MAX ALL COUNT)   RFC 4731      RETURN (SAVE)        RFC 5182
 *     RETURN (PARTIAL 1:100)       RFC 9394      RETURN (RELEVANCY)   RFC 6203
 *     RETURN (UPDATE CONTEXT)      RFC 5267         RETURN (UPDATE (UID FLAGS))  RFC 5465
 *
 * For SEARCH, SORT and searches of other mailboxes: the messages found come in the order in which
 * the client is told of them, and MIN and MAX are the first and the last of that order.
 */
#pragma once

#include "imapd/client.h"
#include "imapd/partial.h"

enum search_option {
    RETURN_MIN = 1,
    RETURN_MAX = 2,
    RETURN_ALL = 4,
    RETURN_COUNT = 8,
    RETURN_SAVE = 16,
    RETURN_PARTIAL = 32,
    RETURN_UPDATE = 64,
    RETURN_CONTEXT = 128, /* a hint that we have no use for */
    RETURN_RELEVANCY = 256,
};

struct search_return {
    bool extended;    /* answer with ESEARCH */
    unsigned options; /* enum search_option bits */
    struct partial partial;
    struct slice items; /* of UPDATE, as they came; empty (RFC 5465 section 7) */
};

/* What was found in a mailbox. */
struct search_result {
    const char *name; /* of the plain answer: "SEARCH", "SORT" */
    const struct view *view;
    const uint32_t *found; /* indexes */
    const uint8_t *scores; /* of each that was found, 1 to 100; NULL: no FUZZY */
    size_t n_found;
    bool has_modseq;   /* the program has MODSEQ: the answer has the highest */
    bool uid;          /* tell UIDs */
    const char *place; /* MAILBOX and UIDVALIDITY for the correlator (RFC 7377); NULL */
};

/* How far the telling of a result has come; starts with { 0 }. */
struct search_telling {
    unsigned part; /* of the answer */
    bool begun;    /* the part is */
    size_t next;   /* result of the part */
};

/* ["RETURN" SP "(" [option *(SP option)] ")" SP]; "RETURN ()" is "RETURN (ALL)", and so is none for
 * clients of IMAP4rev2, who never get SEARCH (RFC 9051 section 6.4.4). */
bool search_return_take(struct call *call, struct args *args, struct search_return *ret_out);

/* How many of the first results, or with *from_end_out of the last ones, are all that the client
 * wants to know; 0: all. */
size_t search_return_enough(const struct search_return *ret, bool *from_end_out);

/* Puts what the options say into "$" of the selected mailbox, if SAVE is one of them. */
void search_return_save(struct client *client, const struct search_return *ret,
                        const struct search_result *result);

/* Tells a result of the command in hand. */
void search_return_tell(struct call *call, const struct search_return *ret,
                        const struct search_result *result);
/* The same in pieces: until the output has more than `enough` bytes. True: that was all. */
bool search_return_tell_part(struct call *call, const struct search_return *ret,
                             const struct search_result *result, struct search_telling *telling,
                             size_t enough) MUST_CHECK;

/* The command is answered with NO, which empties "$"; a BAD leaves it (RFC 5182 section 2.1). */
void search_return_fail(struct client *client, const struct search_return *ret);

/* "* ESEARCH (TAG "x")", with " UID"; `place` as in struct search_result. */
void search_correlator(struct buf *out, struct slice tag, const char *place, bool uid);

/* The set of some results in their order; a range only where numbers ascend by one (RFC 5267
 * section 3.2). */
void search_print_set(struct buf *out, const struct search_result *result, size_t first,
                      size_t end);

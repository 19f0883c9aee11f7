/* search_return.h - what a client wants to hear of a search (RFC 4466 section 2.6.1, RFC 4731), and
 * telling it: SEARCH, ESEARCH, and the saved result "$" (RFC 5182).
 *
 * For SEARCH and for SORT: the messages found come in the order that the client is told.
 */
#pragma once

#include "imapd/args.h"
#include "imapd/client.h"

enum search_option {
    RETURN_MIN = 1,
    RETURN_MAX = 2,
    RETURN_ALL = 4,
    RETURN_COUNT = 8,
    RETURN_SAVE = 16,
};

struct search_return {
    bool extended;    /* answer with ESEARCH */
    unsigned options; /* enum search_option bits */
};

/* What was found in a mailbox. */
struct search_result {
    const char *name; /* of the plain answer: "SEARCH", "SORT" */
    const struct view *view;
    const uint32_t *found; /* indexes */
    size_t n_found;
    bool has_modseq; /* the program has MODSEQ: the answer has the highest */
};

/* ["RETURN" SP "(" [option *(SP option)] ")" SP]; "RETURN ()" is "RETURN (ALL)". */
bool search_return_take(struct args *args, struct search_return *ret_out);

/* Saves and tells a result of the command in hand. */
void search_return_tell(struct call *call, const struct search_return *ret,
                        const struct search_result *result);

/* The command failed: a NO empties "$", a BAD leaves it (RFC 5182 section 2.1). */
void search_return_fail(struct call *call, const struct search_return *ret);

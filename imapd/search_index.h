/* search_index.h - the look of a SEARCH at the index (storage/search.h): which messages of a slice
 * have the needles of the program's keys for sure, and which cannot.
 *
 * The former is a sure YES of BODY and TEXT, the latter a sure NO of any key; other answers stay
 * open.
 */
#pragma once

#include "imapd/search.h"
#include "storage/account.h"

#define SEARCH_INDEX_KEYS 32 /* of a program with more of them, the others are not asked for */

struct search_index {
    struct search_node *nodes[SEARCH_INDEX_KEYS]; /* keys with a needle that the index knows of */
    uint64_t *has[SEARCH_INDEX_KEYS]; /* what is known of each, for the messages of a slice */
    size_t n_nodes;
    uint64_t *bits; /* all of that; each key has its part of it */
};

/* Finds the keys. `slice`: the most messages that are asked for together. */
void search_index_start(struct search_index *index, struct search_node *root, size_t slice);
void search_index_free(struct search_index *index);

/* Asks for these messages; until the next call search_evaluate() knows of msgs[i], for data with
 * has_index and place i. */
void search_index_look(struct search_index *index, struct account *account, const uint64_t *msgs,
                       size_t count);

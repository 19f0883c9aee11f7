/* search_index.h - the look of a SEARCH at the index (storage/search.h): which messages of a slice
 * cannot have the needles of the program's keys.
 *
 * A key whose needle a message cannot have is a sure NO, so that NOT of it is a sure YES; any other
 * answer stays open.
 */
#pragma once

#include "imapd/search.h"
#include "storage/account.h"

#define SEARCH_INDEX_KEYS 32 /* of a program with more of them, the others are not asked for */

struct search_index {
    struct search_node *nodes[SEARCH_INDEX_KEYS]; /* keys with a needle that the index knows of */
    size_t n_nodes;
    uint64_t *bits; /* of all keys, for all messages of a slice; each node has its part of it */
};

/* Finds the keys. `slice`: the most messages that are asked for together. */
void search_index_start(struct search_index *index, struct search_node *root, size_t slice);
void search_index_free(struct search_index *index);

/* Asks for these messages; until the next call search_evaluate() knows of msgs[i], for data with
 * has_index and place i. */
void search_index_look(struct search_index *index, struct account *account, const uint64_t *msgs,
                       size_t count);

/* search_index.c - see search_index.h. */
#include "imapd/search_index.h"

#include "imapd/search_private.h"
#include "storage/search.h"

#include <stdlib.h>

/* Where in a message a key looks for its needle; 0: it does not look for it as it stands. */
static unsigned parts_of(const struct search_node *node)
{
    if (node->fuzzy)
        return 0;
    if (node->kind->match == search_subject || node->kind->match == search_addresses)
        return SEARCH_PART_ENVELOPE;
    if (node->kind->match == search_header)
        return SEARCH_PART_HEADER;
    if (node->kind->match == search_body)
        return SEARCH_PART_BODY;
    if (node->kind->match == search_whole_text)
        return SEARCH_PART_HEADER | SEARCH_PART_BODY;
    return 0;
}

/* The index does not tell apart the fields of a header. */
static bool is_exact(const struct search_node *node)
{
    return node->kind->match == search_body || node->kind->match == search_whole_text;
}

static void find_nodes(struct search_index *index, struct search_node *node)
{
    for (; node != NULL; node = node->next) {
        node->has = node->cannot = NULL;
        if (parts_of(node) != 0 && node->needle.len > 0 && index->n_nodes < SEARCH_INDEX_KEYS)
            index->nodes[index->n_nodes++] = node;
        find_nodes(index, node->child);
    }
}

static size_t words_of(size_t slice)
{
    return (slice + 63) / 64;
}

void search_index_start(struct search_index *index, struct search_node *root, size_t slice)
{
    *index = (struct search_index){ 0 };
    find_nodes(index, root);
    if (index->n_nodes == 0)
        return;
    index->bits = mem_zero(2 * index->n_nodes * words_of(slice) * sizeof(*index->bits));
    for (size_t i = 0; i < index->n_nodes; i++) {
        index->has[i] = index->bits + 2 * i * words_of(slice);
        index->nodes[i]->cannot = index->has[i] + words_of(slice);
        if (is_exact(index->nodes[i]))
            index->nodes[i]->has = index->has[i];
    }
}

void search_index_free(struct search_index *index)
{
    free(index->bits);
    *index = (struct search_index){ 0 };
}

void search_index_look(struct search_index *index, struct account *account, const uint64_t *msgs,
                       size_t count)
{
    struct search_query queries[SEARCH_INDEX_KEYS];

    for (size_t i = 0; i < index->n_nodes; i++)
        queries[i] = (struct search_query){ .parts = parts_of(index->nodes[i]),
                                            .needle = index->nodes[i]->needle,
                                            .has = index->has[i],
                                            .cannot = index->nodes[i]->cannot };
    account_search(account, msgs, count, queries, index->n_nodes);
}

/* criteria.h - the criteria of SORT (RFC 5256, RFC 5957, RFC 6203 section 6), and rows of their
 * values to compare.
 *
 * A row has a value for each criterion: a number, and of texts the first eight bytes as a number
 * and the place of the whole. Most comparisons end at the number.
 */
#pragma once

#include "imapd/args.h"
#include "imapd/view.h"
#include "message/sort_key.h"

#define SORT_CRITERIA_MAX 20

struct sort_criterion {
    const struct sort_criterion_kind *kind;
    bool reverse;
};

struct sort_criteria {
    struct sort_criterion items[SORT_CRITERIA_MAX];
    size_t count;
    bool stored;    /* some are in the summary, not in the view */
    bool relevancy; /* one is the score */
};

struct sort_value {
    uint64_t number; /* of a text: its first bytes */
    size_t at;       /* of a text: where in `texts` its length stands, and then the text */
};

struct sort_table {
    struct sort_criteria criteria;
    struct sort_value *values; /* criteria.count for each row */
    size_t n_rows, room;
    struct buf texts;
};

/* sort-criteria = "(" sort-criterion *(SP sort-criterion) ")" */
bool sort_criteria_take(struct args *args, struct sort_criteria *criteria_out);

/* Adds a row for a message; sent_ms is the sent date of RFC 5256 section 2.2; `score`: of a search
 * with FUZZY. */
void sort_table_add(struct sort_table *table, const struct view *view, size_t index,
                    const struct sort_keys *keys, int64_t sent_ms, unsigned score);
/* Adds a copy of another table's row; the criteria are the same. */
void sort_table_copy(struct sort_table *table, const struct sort_table *from, size_t row);
/* Less than, equal to, greater than 0. */
int sort_table_compare(const struct sort_table *table, size_t a, size_t b);
void sort_table_free(struct sort_table *table); /* the criteria stay */

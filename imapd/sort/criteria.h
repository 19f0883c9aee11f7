/* criteria.h - the criteria of SORT (RFC 5256, RFC 5957, RFC 6203 section 6), and the keys of
 * messages by them.
 *
 * A key is bytes that compare as the criteria want: the values one behind the other, numbers with
 * their highest byte first, texts with an end that sorts before all that may follow, and what is in
 * REVERSE inverted. No key is the beginning of another.
 *
 *     REVERSE DATE, SUBJECT:   [ 8 bytes, inverted ][ text ... 00 01 ]      00 in a text: 00 ff
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

/* sort-criteria = "(" sort-criterion *(SP sort-criterion) ")" */
bool sort_criteria_take(struct args *args, struct sort_criteria *criteria_out);

/* Appends the key of a message; `sent_ms` is the sent date of RFC 5256 section 2.2, `score` is of a
 * search with FUZZY. */
void sort_key_add(struct buf *out, const struct sort_criteria *criteria, const struct view *view,
                  size_t index, const struct sort_keys *keys, int64_t sent_ms, unsigned score);

/* sums.h - the lines of a summary: rows of many reports, of which those that are alike are summed
 * up.
 */
#pragma once

#include "admin/output.h"

struct sums_kind {
    size_t size;                                              /* of one row */
    int (*compare_keys)(const void *left, const void *right); /* 0: they make one line */
    int (*compare)(const void *left, const void *right);      /* the order they are shown in */
    void (*add)(void *line, const void *row);
    json_t *(*object)(const void *line);
    const struct column *columns;
    size_t n_columns;
};

/* Prints the summary; the rows are in another order afterwards. */
void sums_show(struct tool *tool, const struct sums_kind *kind, void *rows, size_t count);

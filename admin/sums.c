/* sums.c - see sums.h. */
#include "admin/sums.h"

#include <stdlib.h>
#include <string.h>

static void *row_at(const struct sums_kind *kind, void *rows, size_t index)
{
    return (char *)rows + index * kind->size;
}

/* How many lines there are; they stand in front. */
static size_t sum_up(const struct sums_kind *kind, void *rows, size_t count)
{
    size_t kept = 0;

    if (count == 0)
        return 0;
    qsort(rows, count, kind->size, kind->compare_keys);
    for (size_t i = 1; i < count; i++) {
        void *last = row_at(kind, rows, kept), *next = row_at(kind, rows, i);

        if (kind->compare_keys(last, next) == 0)
            kind->add(last, next);
        else
            memmove(row_at(kind, rows, ++kept), next, kind->size);
    }
    return kept + 1;
}

void sums_show(struct tool *tool, const struct sums_kind *kind, void *rows, size_t count)
{
    size_t n_lines = sum_up(kind, rows, count);
    json_t *lines = json_array();

    if (n_lines > 0)
        qsort(rows, n_lines, kind->size, kind->compare);
    for (size_t i = 0; i < n_lines; i++)
        json_array_append_new(lines, kind->object(row_at(kind, rows, i)));
    output_list(tool, kind->columns, kind->n_columns, lines);
}

/* field_index.c - the fields of a header by name, for signatures that take them from the bottom up
 * (RFC 6376 section 5.4.2).
 *
 * Sorted, and not hashed: names come from whoever wrote the message, and so would collisions.
 */
#include "message/proof/dkim_private.h"

#include <stdlib.h>
#include <strings.h>

static int compare_names(struct slice a, struct slice b)
{
    int order;

    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    order = a.len == 0 ? 0 : strncasecmp(a.data, b.data, a.len); /* names have no NUL */
    return (order > 0) - (order < 0);
}

static int compare_fields(const void *left, const void *right)
{
    const struct indexed_field *a = *(struct indexed_field *const *)left;
    const struct indexed_field *b = *(struct indexed_field *const *)right;
    int order = compare_names(a->field.name, b->field.name);

    if (order != 0)
        return order;
    return a < b ? -1 : a > b;
}

/* One more than DKIM_FIELDS_MAX is enough. */
static size_t count_fields(struct slice header, bool *is_broken_out)
{
    struct header_field field;
    size_t count = 0;

    while (count <= DKIM_FIELDS_MAX && header_next(&header, &field))
        count++;
    *is_broken_out = count <= DKIM_FIELDS_MAX && header_end_length(header) != header.len;
    return count;
}

void index_make(struct arena *arena, struct slice header, struct field_index *index_out)
{
    struct field_index index = { 0 };
    size_t count = count_fields(header, &index.is_broken);

    index.is_cut = count > DKIM_FIELDS_MAX;
    count -= index.is_cut;
    index.fields = ARENA_ARRAY(arena, struct indexed_field, count + 1);
    index.order = ARENA_ARRAY(arena, struct indexed_field *, count + 1);
    for (; index.count < count; index.count++) {
        header_next(&header, &index.fields[index.count].field);
        index.order[index.count] = &index.fields[index.count];
    }
    if (count > 1)
        qsort(index.order, count, sizeof(*index.order), compare_fields);
    *index_out = index;
}

void index_begin(struct field_index *index)
{
    index->current++;
}

/* The fields of a name stand in order[] from *first_out to *end_out. */
static void find_group(const struct field_index *index, struct slice name, size_t *first_out,
                       size_t *end_out)
{
    size_t *bounds[] = { first_out, end_out };

    for (int past = 0; past < 2; past++) {
        size_t low = 0, high = index->count;

        while (low < high) {
            size_t middle = low + (high - low) / 2;

            if (compare_names(index->order[middle]->field.name, name) < past)
                low = middle + 1;
            else
                high = middle;
        }
        *bounds[past] = low;
    }
}

size_t index_count(const struct field_index *index, struct slice name)
{
    size_t first, end;

    find_group(index, name, &first, &end);
    return end - first;
}

const struct header_field *index_take(struct field_index *index, struct slice name,
                                      const struct header_field *but)
{
    size_t first, end;

    find_group(index, name, &first, &end);
    for (size_t i = end; i > first; i--) {
        struct indexed_field *candidate = index->order[i - 1];

        if (candidate->taken_by == index->current || candidate->field.raw.data == but->raw.data)
            continue;
        candidate->taken_by = index->current;
        return &candidate->field;
    }
    return NULL;
}

bool index_all_taken(const struct field_index *index, struct slice name)
{
    size_t first, end;

    find_group(index, name, &first, &end);
    for (size_t i = first; i < end; i++)
        if (index->order[i]->taken_by != index->current)
            return false;
    return true;
}

/* criteria.c - see criteria.h. */
#include "imapd/sort/criteria.h"

#include <stdlib.h>

enum number_key { BY_TEXT, BY_ARRIVAL, BY_DATE, BY_RELEVANCY, BY_SIZE };

struct sort_criterion_kind {
    const char *name;
    enum number_key number;
    enum sort_text text;
    bool stored; /* in the summary, not in the view */
};

static const struct sort_criterion_kind kinds[] = {
    { "ARRIVAL", BY_ARRIVAL, SORT_TEXTS, false },
    { "CC", BY_TEXT, SORT_CC, true },
    { "DATE", BY_DATE, SORT_TEXTS, true },
    { "DISPLAYFROM", BY_TEXT, SORT_DISPLAY_FROM, true },
    { "DISPLAYTO", BY_TEXT, SORT_DISPLAY_TO, true },
    { "FROM", BY_TEXT, SORT_FROM, true },
    { "RELEVANCY", BY_RELEVANCY, SORT_TEXTS, false },
    { "SIZE", BY_SIZE, SORT_TEXTS, false },
    { "SUBJECT", BY_TEXT, SORT_SUBJECT, true },
    { "TO", BY_TEXT, SORT_TO, true },
};

/* A key that came before decides all that this one could. */
static bool is_there(const struct sort_criteria *criteria, const struct sort_criterion_kind *kind)
{
    for (size_t i = 0; i < criteria->count; i++)
        if (criteria->items[i].kind == kind)
            return true;
    return false;
}

/* sort-criterion = ["REVERSE" SP] sort-key */
static bool take_criterion(struct args *args, struct sort_criteria *criteria)
{
    struct sort_criterion *criterion = &criteria->items[criteria->count];

    if (criteria->count == SORT_CRITERIA_MAX)
        return args_fail(args, "too many sort criteria");
    criterion->reverse = args_try_word(args, "REVERSE");
    if (criterion->reverse && !args_space(args))
        return false;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!args_try_word(args, kinds[i].name))
            continue;
        criterion->kind = &kinds[i];
        criteria->stored |= kinds[i].stored;
        criteria->relevancy |= kinds[i].number == BY_RELEVANCY;
        criteria->count += !is_there(criteria, &kinds[i]);
        return true;
    }
    return args_fail(args, "I don't know this sort criterion");
}

bool sort_criteria_take(struct args *args, struct sort_criteria *criteria_out)
{
    *criteria_out = (struct sort_criteria){ .count = 0 };
    if (!args_open(args))
        return false;
    do {
        if (!take_criterion(args, criteria_out))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

static uint64_t first_bytes(struct slice text)
{
    uint64_t number = 0;

    for (size_t i = 0; i < sizeof(number); i++)
        number = number << 8 | (i < text.len ? (unsigned char)text.data[i] : 0);
    return number;
}

/* In the order of signed numbers. */
static uint64_t unsign(int64_t number)
{
    return (uint64_t)number ^ 1ull << 63;
}

static struct sort_value add_text(struct sort_table *table, struct slice text)
{
    struct sort_value value = { first_bytes(text), table->texts.len };

    buf_add_byte(&table->texts, (char)text.len);
    buf_add_slice(&table->texts, text);
    return value;
}

/* The values of a new row. */
static struct sort_value *add_row(struct sort_table *table)
{
    size_t count = table->criteria.count;

    table->values =
        mem_grow(table->values, &table->room, (table->n_rows + 1) * count, sizeof(*table->values));
    return table->values + count * table->n_rows++;
}

void sort_table_add(struct sort_table *table, const struct view *view, size_t index,
                    const struct sort_keys *keys, int64_t sent_ms, unsigned score)
{
    struct sort_value *values = add_row(table);

    for (size_t i = 0; i < table->criteria.count; i++) {
        const struct sort_criterion_kind *kind = table->criteria.items[i].kind;

        values[i] = (struct sort_value){ 0 };
        switch (kind->number) {
        case BY_ARRIVAL:
            values[i].number = unsign(view_received_ms(view, index));
            break;
        case BY_DATE:
            values[i].number = unsign(sent_ms);
            break;
        case BY_RELEVANCY: /* the best first */
            values[i].number = UINT64_MAX - score;
            break;
        case BY_SIZE:
            values[i].number = view_size(view, index);
            break;
        case BY_TEXT:
            values[i] = add_text(table, keys->texts[kind->text]);
            break;
        }
    }
}

static struct slice text_at(const struct sort_table *table, size_t at)
{
    return slice_make(table->texts.data + at + 1, (unsigned char)table->texts.data[at]);
}

void sort_table_copy(struct sort_table *table, const struct sort_table *from, size_t row)
{
    struct sort_value *values = add_row(table);

    for (size_t i = 0; i < table->criteria.count; i++) {
        values[i] = from->values[row * table->criteria.count + i];
        if (table->criteria.items[i].kind->number == BY_TEXT)
            values[i] = add_text(table, text_at(from, values[i].at));
    }
}

static int compare_values(const struct sort_table *table, const struct sort_criterion_kind *kind,
                          const struct sort_value *a, const struct sort_value *b)
{
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    if (kind->number != BY_TEXT)
        return 0;
    return slice_compare(text_at(table, a->at), text_at(table, b->at));
}

int sort_table_compare(const struct sort_table *table, size_t a, size_t b)
{
    size_t count = table->criteria.count;

    for (size_t i = 0; i < count; i++) {
        const struct sort_criterion *criterion = &table->criteria.items[i];
        int order = compare_values(table, criterion->kind, &table->values[a * count + i],
                                   &table->values[b * count + i]);

        if (order != 0)
            return criterion->reverse ? -order : order;
    }
    return 0;
}

void sort_table_free(struct sort_table *table)
{
    free(table->values);
    buf_free(&table->texts);
    table->values = NULL;
    table->n_rows = table->room = 0;
}

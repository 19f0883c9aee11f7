/* criteria.c - see criteria.h. */
#include "imapd/sort/criteria.h"

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

/* In the order of signed numbers. */
static uint64_t unsign(int64_t number)
{
    return (uint64_t)number ^ 1ull << 63;
}

static void add_number(struct buf *out, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_add_byte(out, (char)(number >> shift));
}

static void add_text(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        buf_add_byte(out, text.data[i]);
        if (text.data[i] == '\0')
            buf_add_byte(out, '\xff');
    }
    buf_add(out, "\0\1", 2);
}

static void invert(struct buf *out, size_t from)
{
    for (size_t i = from; i < out->len; i++)
        out->data[i] = (char)~out->data[i];
}

void sort_key_add(struct buf *out, const struct sort_criteria *criteria, const struct view *view,
                  size_t index, const struct sort_keys *keys, int64_t sent_ms, unsigned score)
{
    for (size_t i = 0; i < criteria->count; i++) {
        const struct sort_criterion *criterion = &criteria->items[i];
        size_t from = out->len;

        switch (criterion->kind->number) {
        case BY_ARRIVAL:
            add_number(out, unsign(view_received_ms(view, index)));
            break;
        case BY_DATE:
            add_number(out, unsign(sent_ms));
            break;
        case BY_RELEVANCY: /* the best first */
            add_number(out, UINT64_MAX - score);
            break;
        case BY_SIZE:
            add_number(out, view_size(view, index));
            break;
        case BY_TEXT:
            add_text(out, keys->texts[criterion->kind->text]);
            break;
        }
        if (criterion->reverse)
            invert(out, from);
    }
}

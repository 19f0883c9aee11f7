/* cmd_sort.c - SORT and UID SORT (RFC 5256), by names as people see them (RFC 5957), with RETURN
 * (RFC 5267 section 3, RFC 9394).
 *
 * Of each message found the criteria's keys are kept side by side: numbers, and of texts the first
 * eight bytes as a number and the place of the whole. Most comparisons end at the number.
 */
#include "imapd/command.h"
#include "imapd/reply.h"
#include "imapd/search_return.h"
#include "imapd/sort/merge.h"
#include "imapd/sort/run.h"

#include <stdlib.h>

#define CRITERIA_MAX 20

enum number_key { BY_TEXT, BY_ARRIVAL, BY_DATE, BY_SIZE };

struct sort_key_kind {
    const char *name;
    enum number_key number;
    enum sort_text text;
    bool stored; /* in the summary, not in the view */
};

static const struct sort_key_kind key_kinds[] = {
    { "ARRIVAL", BY_ARRIVAL, SORT_TEXTS, false },
    { "CC", BY_TEXT, SORT_CC, true },
    { "DATE", BY_DATE, SORT_TEXTS, true },
    { "DISPLAYFROM", BY_TEXT, SORT_DISPLAY_FROM, true },
    { "DISPLAYTO", BY_TEXT, SORT_DISPLAY_TO, true },
    { "FROM", BY_TEXT, SORT_FROM, true },
    { "SIZE", BY_SIZE, SORT_TEXTS, false },
    { "SUBJECT", BY_TEXT, SORT_SUBJECT, true },
    { "TO", BY_TEXT, SORT_TO, true },
};

struct criterion {
    const struct sort_key_kind *kind;
    bool reverse;
};

struct sort_value {
    uint64_t number; /* of a text: its first bytes */
    size_t at;       /* of a text: where in `texts` its length stands, and then the text */
};

struct sort {
    struct sort_run run; /* first: a struct sort_run is a struct sort */
    struct search_return ret;
    struct criterion criteria[CRITERIA_MAX];
    size_t n_criteria;
    struct sort_value *values; /* n_criteria for each message found */
    struct buf texts;
    struct merge merge;
};

static struct sort *sort_of(struct sort_run *run)
{
    return CONTAINER_OF(run, struct sort, run);
}

/* sort-criterion = ["REVERSE" SP] sort-key */
static bool take_criterion(struct args *args, struct sort *sort)
{
    struct criterion *criterion = &sort->criteria[sort->n_criteria];

    if (sort->n_criteria == CRITERIA_MAX)
        return args_fail(args, "too many sort criteria");
    criterion->reverse = args_try_word(args, "REVERSE");
    if (criterion->reverse && !args_space(args))
        return false;
    for (size_t i = 0; i < COUNT_OF(key_kinds); i++) {
        if (!args_try_word(args, key_kinds[i].name))
            continue;
        criterion->kind = &key_kinds[i];
        sort->run.wants_keys |= key_kinds[i].stored;
        sort->n_criteria++;
        return true;
    }
    return args_fail(args, "I don't know this sort criterion");
}

static bool take_criteria(struct args *args, struct sort *sort)
{
    if (!args_open(args))
        return false;
    do {
        if (!take_criterion(args, sort))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

/* Without RETURN it is the SORT response, also for clients of IMAP4rev2. */
static bool take_return(struct args *args, const struct client *client, struct sort *sort)
{
    const char *start = args->rest.data;

    if (!search_return_take(args, client, &sort->ret))
        return false;
    if (args->rest.data == start)
        sort->ret = (struct search_return){ .extended = false };
    return true;
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

static struct sort_value value_of(struct sort *sort, const struct sort_key_kind *kind, size_t i,
                                  const struct sort_keys *keys, int64_t sent_ms)
{
    const struct view *view = sort->run.search.where.view;
    uint32_t index = sort->run.search.found[i];
    struct sort_value value = { .at = sort->texts.len };
    struct slice text;

    switch (kind->number) {
    case BY_ARRIVAL:
        value.number = unsign(view_received_ms(view, index));
        break;
    case BY_DATE:
        value.number = unsign(sent_ms);
        break;
    case BY_SIZE:
        value.number = view_size(view, index);
        break;
    case BY_TEXT:
        text = keys->texts[kind->text];
        value.number = first_bytes(text);
        buf_add_byte(&sort->texts, (char)text.len);
        buf_add_slice(&sort->texts, text);
        break;
    }
    return value;
}

static void add(struct sort_run *run, size_t i, const struct sort_keys *keys, int64_t sent_ms)
{
    struct sort *sort = sort_of(run);
    struct sort_value *values;

    if (sort->values == NULL)
        sort->values = mem_zero(run->search.n_found * sort->n_criteria * sizeof(*values));
    values = sort->values + i * sort->n_criteria;
    for (size_t k = 0; k < sort->n_criteria; k++)
        values[k] = value_of(sort, sort->criteria[k].kind, i, keys, sent_ms);
}

static struct slice text_at(const struct sort *sort, size_t at)
{
    return slice_make(sort->texts.data + at + 1, (unsigned char)sort->texts.data[at]);
}

static int compare_values(const struct sort *sort, const struct sort_key_kind *kind,
                          const struct sort_value *a, const struct sort_value *b)
{
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    if (kind->number != BY_TEXT)
        return 0;
    return slice_compare(text_at(sort, a->at), text_at(sort, b->at));
}

static int compare(const void *context, uint32_t a, uint32_t b)
{
    const struct sort *sort = context;

    for (size_t k = 0; k < sort->n_criteria; k++) {
        int order =
            compare_values(sort, sort->criteria[k].kind, &sort->values[a * sort->n_criteria + k],
                           &sort->values[b * sort->n_criteria + k]);

        if (order != 0)
            return sort->criteria[k].reverse ? -order : order;
    }
    return 0;
}

static bool work(struct sort_run *run)
{
    struct sort *sort = sort_of(run);

    if (sort->merge.order == NULL)
        merge_start(&sort->merge, run->search.n_found);
    return merge_step(&sort->merge, compare, sort);
}

/* "$" gets the messages in their order in the mailbox if it gets all of them. */
static void save(struct client *client, const struct sort *sort, struct search_result result)
{
    bool some = (sort->ret.options & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL)) != 0 &&
                (sort->ret.options & (RETURN_ALL | RETURN_COUNT)) == 0;

    if (!some)
        result.found = sort->run.search.found;
    search_return_save(client, &sort->ret, &result);
}

static enum next tell(struct call *call, struct sort_run *run)
{
    struct sort *sort = sort_of(run);
    struct search_result result = { .name = "SORT",
                                    .view = run->search.where.view,
                                    .found = sort->merge.order,
                                    .n_found = run->search.n_found,
                                    .has_modseq = run->search.program.has_modseq,
                                    .uid = client_of(call)->uid };

    for (size_t i = 0; i < result.n_found; i++)
        sort->merge.order[i] = run->search.found[sort->merge.order[i]];
    save(client_of(call), sort, result);
    search_return_tell(call, &sort->ret, &result);
    return reply_ok(call, "SORT completed");
}

static enum next fail(struct call *call, struct sort_run *run, const struct error *err)
{
    search_return_fail(client_of(call), &sort_of(run)->ret);
    return reply_error(call, err);
}

static void release(struct sort_run *run)
{
    struct sort *sort = sort_of(run);

    free(sort->values);
    sort->values = NULL;
    buf_free(&sort->texts);
    merge_free(&sort->merge);
}

static const struct sort_kind sort_kind = { add, work, tell, fail, release };

/* sort = ["UID" SP] "SORT" [SP return-options] SP sort-criteria SP search-criteria */
enum next imap_sort(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct sort *sort = ARENA_NEW(&call->arena, struct sort);

    sort->run.kind = &sort_kind;
    if (!args_space(args) || !take_return(args, client, sort) || !take_criteria(args, sort) ||
        !sort_run_take(args, &sort->run)) {
        if (args->bad_charset)
            search_return_fail(client, &sort->ret);
        return sort_run_refuse(call, &sort->run, args);
    }
    return sort_run_start(call, &sort->run);
}

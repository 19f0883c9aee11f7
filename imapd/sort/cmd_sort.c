/* cmd_sort.c - SORT and UID SORT (RFC 5256), by names as people see them (RFC 5957), by relevancy
 * (RFC 6203 section 6), with RETURN (RFC 5267 section 3, RFC 9394).
 *
 * criteria.c has the values to compare, merge.c sorts them, order.c keeps the order for clients
 * that want to hear of changes.
 */
#include "imapd/command.h"
#include "imapd/reply.h"
#include "imapd/search_return.h"
#include "imapd/sort/criteria.h"
#include "imapd/sort/merge.h"
#include "imapd/sort/order.h"
#include "imapd/sort/run.h"

#include <stdlib.h>

struct sort {
    struct sort_run run; /* first: a struct sort_run is a struct sort */
    struct search_return ret;
    struct search_context *context; /* with UPDATE; NULL */
    struct sort_table table;        /* row i is of run.search.found[i] */
    struct merge merge;
};

static struct sort *sort_of(struct sort_run *run)
{
    return CONTAINER_OF(run, struct sort, run);
}

/* Without RETURN it is the SORT response, also for clients of IMAP4rev2. */
static bool take_return(struct call *call, struct args *args, struct sort *sort)
{
    const char *start = args->rest.data;

    if (!search_return_take(call, args, &sort->ret))
        return false;
    if (args->rest.data == start)
        sort->ret = (struct search_return){ .extended = false };
    return true;
}

static void add(struct sort_run *run, size_t i, const struct sort_keys *keys, int64_t sent_ms)
{
    const struct search_run *search = &run->search;

    sort_table_add(&sort_of(run)->table, search->where.view, search->found[i], keys, sent_ms,
                   search->scores != NULL ? search->scores[i] : 0);
}

static int compare(const void *context, uint32_t a, uint32_t b)
{
    return sort_table_compare(context, a, b);
}

static bool work(struct sort_run *run)
{
    struct sort *sort = sort_of(run);

    if (sort->merge.order == NULL)
        merge_start(&sort->merge, run->search.n_found);
    return merge_step(&sort->merge, compare, &sort->table);
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

/* `found`: in their order. */
static void keep(struct call *call, struct sort *sort, const uint32_t *found)
{
    struct search_run *search = &sort->run.search;
    struct search_order *order;
    uint32_t *uids;

    if (sort->context == NULL)
        return;
    if (sort->table.criteria.relevancy) {
        search_context_refuse(call, "An order by relevancy is not kept up to date");
        return;
    }
    if (search->n_found > SORT_ORDER_MAX) {
        search_context_refuse(call, "There are too many messages");
        return;
    }
    uids = mem_zero((search->n_found + 1) * sizeof(*uids));
    for (size_t i = 0; i < search->n_found; i++)
        uids[i] = view_uid(search->where.view, found[i]);
    order = sort_order_new(&sort->table, sort->merge.order, uids, search->n_found);
    free(uids);
    search_context_keep(call, &sort->context, search, order, NULL);
}

/* What was found, in order; to be freed. Of a million messages the values take most of a session's
 * memory: they go before the answer is written, unless the order is kept up to date. */
static uint32_t *in_order(struct sort *sort)
{
    const struct search_run *search = &sort->run.search;
    bool keeps = sort->context != NULL;
    uint32_t *order = sort->merge.order;
    uint32_t *found = keeps ? mem_zero((search->n_found + 1) * sizeof(*found)) : order;

    for (size_t i = 0; i < search->n_found; i++)
        found[i] = search->found[order[i]];
    if (keeps)
        return found;
    sort->merge.order = NULL;
    merge_free(&sort->merge);
    sort_table_free(&sort->table);
    return found;
}

static enum next tell(struct call *call, struct sort_run *run)
{
    struct sort *sort = sort_of(run);
    size_t n_found = run->search.n_found;
    uint8_t *scores = run->search.scores != NULL ? mem_zero(n_found + 1) : NULL;
    uint32_t *found;
    struct search_result result = { .name = "SORT",
                                    .view = run->search.where.view,
                                    .scores = scores,
                                    .n_found = n_found,
                                    .has_modseq = run->search.program.has_modseq,
                                    .uid = client_of(call)->uid };

    for (size_t i = 0; scores != NULL && i < n_found; i++)
        scores[i] = run->search.scores[sort->merge.order[i]];
    result.found = found = in_order(sort);
    save(client_of(call), sort, result);
    search_return_tell(call, &sort->ret, &result);
    keep(call, sort, found);
    free(found);
    free(scores);
    return reply_ok(call, "SORT completed");
}

static void fail(struct call *call, struct sort_run *run)
{
    search_return_fail(client_of(call), &sort_of(run)->ret);
}

static void release(struct sort_run *run)
{
    struct sort *sort = sort_of(run);

    search_context_free(&sort->context);
    sort_table_free(&sort->table);
    merge_free(&sort->merge);
}

static const struct sort_kind sort_kind = { add, work, tell, fail, release };

/* RFC 6203 section 6. */
static bool check_relevancy(struct args *args, const struct sort *sort)
{
    return !sort->table.criteria.relevancy || sort->run.search.program.has_fuzzy ||
           args_fail(args, "RELEVANCY is for FUZZY");
}

/* sort = ["UID" SP] "SORT" [SP return-options] SP sort-criteria SP search-criteria */
enum next imap_sort(struct call *call, struct args *args)
{
    struct sort *sort = ARENA_NEW(&call->arena, struct sort);

    sort->run.kind = &sort_kind;
    if (!args_space(args) || !take_return(call, args, sort) ||
        !search_context_want(call, args, &sort->ret, &sort->context) ||
        !sort_criteria_take(args, &sort->table.criteria) ||
        !sort_run_take(call, args, &sort->ret, &sort->run) || !check_relevancy(args, sort))
        return sort_run_refuse(call, &sort->run, &sort->ret, args);
    sort->run.wants_keys = sort->table.criteria.stored || sort->context != NULL;
    return sort_run_start(call, &sort->run);
}

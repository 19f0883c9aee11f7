/* cmd_sort.c - SORT and UID SORT (RFC 5256), by names as people see them (RFC 5957), by relevancy
 * (RFC 6203 section 6), with RETURN (RFC 5267 section 3, RFC 9394).
 *
 * criteria.c makes the keys, sorter.c sorts them, order.c keeps the order for clients that want to
 * hear of changes. Of a million messages a session holds their indexes, 4 MB, and nothing else that
 * grows with their number: keys go to a file, and the answer is told in pieces.
 */
#include "imapd/command.h"
#include "imapd/reply.h"
#include "imapd/search_return.h"
#include "imapd/sort/criteria.h"
#include "imapd/sort/order.h"
#include "imapd/sort/run.h"
#include "imapd/sort/sorter.h"
#include "storage/settings.h"

#include <endian.h>
#include <stdlib.h>

#define TURN_COUNT  (64 * 1024)  /* messages that are put in order in one turn */
#define REPLY_BYTES (128 * 1024) /* of the answer in one turn */

struct sort {
    struct sort_run run; /* first: a struct sort_run is a struct sort */
    struct search_return ret;
    struct search_context *context; /* with UPDATE; NULL */
    struct sort_criteria criteria;
    struct client *client;
    bool uid;

    struct sorter sorter;
    struct buf record; /* the one that is added */
    bool begun;
    size_t n_ordered;           /* so many of run.search.found are those of the order */
    struct search_order *order; /* for the context; NULL */
    uint32_t *ascending;        /* with it: what was found, in the mailbox's order */
    struct search_telling told;
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

/* The record: the key, the message's index, so that what is equal stays in the mailbox's order (RFC
 * 5256 section 3), and its score, if there are any. */
static bool add(struct sort_run *run, size_t i, const struct sort_keys *keys, int64_t sent_ms,
                struct error *err)
{
    struct sort *sort = sort_of(run);
    const struct search_run *search = &run->search;
    uint8_t score = search->scores != NULL ? search->scores[i] : 0;
    uint32_t index = htobe32(search->found[i]);

    buf_clear(&sort->record);
    sort_key_add(&sort->record, &sort->criteria, search->where.view, search->found[i], keys,
                 sent_ms, score);
    buf_add(&sort->record, &index, sizeof(index));
    buf_add(&sort->record, &score, search->scores != NULL);
    return sorter_add(&sort->sorter, buf_slice(&sort->record), err);
}

/* Of some results "$" gets the first or last in their order, else it gets all (RFC 5182 section
 * 2.4), which is best said while they are in the mailbox's order. */
static bool saves_some(const struct sort *sort)
{
    return (sort->ret.options & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL)) != 0 &&
           (sort->ret.options & (RETURN_ALL | RETURN_COUNT)) == 0;
}

static struct search_result result_of(const struct sort *sort)
{
    const struct search_run *search = &sort->run.search;

    return (struct search_result){ .name = "SORT",
                                   .view = search->where.view,
                                   .found = search->found,
                                   .scores = search->scores,
                                   .n_found = search->n_found,
                                   .has_modseq = search->program.has_modseq,
                                   .uid = sort->uid };
}

/* All have been added. What comes back in order takes the place of what was found, or is beside it
 * for a context, which wants both. */
static bool begin(struct sort *sort, struct error *err)
{
    struct search_run *search = &sort->run.search;
    struct search_result result = result_of(sort);

    if (!saves_some(sort))
        search_return_save(sort->client, &sort->ret, &result);
    sort->begun = true;
    if (sort->context != NULL && !sort->criteria.relevancy && search->n_found <= SORT_ORDER_MAX) {
        sort->order = sort_order_new(&sort->criteria);
        sort->ascending = mem_zero((search->n_found + 1) * sizeof(*sort->ascending));
        for (size_t i = 0; i < search->n_found; i++)
            sort->ascending[i] = search->found[i];
    }
    return sorter_end(&sort->sorter, err);
}

/* The next message of the order. */
static bool take(struct sort *sort, struct error *err)
{
    struct search_run *search = &sort->run.search;
    size_t tail = sizeof(uint32_t) + (search->scores != NULL);
    struct slice record;
    uint32_t index;

    if (!sorter_next(&sort->sorter, &record, err))
        return false;
    memcpy(&index, record.data + record.len - tail, sizeof(index));
    index = be32toh(index);
    search->found[sort->n_ordered] = index;
    if (search->scores != NULL)
        search->scores[sort->n_ordered] = (uint8_t)record.data[record.len - 1];
    sort->n_ordered++;
    if (sort->order != NULL && sort->order->size(sort->order) <= SEARCH_ORDERS_MAX)
        sort_order_add(sort->order, view_uid(search->where.view, index),
                       slice_part(record, 0, record.len - tail));
    return true;
}

static enum search_step work(struct sort_run *run, struct error *err)
{
    struct sort *sort = sort_of(run);

    if (!sort->begun)
        return begin(sort, err) ? SEARCH_STEP_MORE : SEARCH_STEP_FAILED;
    for (size_t i = 0; i < TURN_COUNT && sort->n_ordered < run->search.n_found; i++)
        if (!take(sort, err))
            return SEARCH_STEP_FAILED;
    if (sort->n_ordered < run->search.n_found)
        return SEARCH_STEP_MORE;
    sorter_free(&sort->sorter);
    return SEARCH_STEP_DONE;
}

static void keep(struct call *call, struct sort *sort)
{
    struct search_run *search = &sort->run.search;

    if (sort->context == NULL)
        return;
    if (sort->criteria.relevancy) {
        search_context_refuse(call, "An order by relevancy is not kept up to date");
        return;
    }
    if (sort->order == NULL) {
        search_context_refuse(call, "There are too many messages");
        return;
    }
    free(search->found);
    search->found = TAKE(sort->ascending);
    search_context_keep(call, &sort->context, search, TAKE(sort->order), NULL);
}

static enum next tell(struct call *call, struct sort_run *run)
{
    struct sort *sort = sort_of(run);
    struct search_result result = result_of(sort);

    if (!run->telling && saves_some(sort))
        search_return_save(sort->client, &sort->ret, &result);
    if (!search_return_tell_part(call, &sort->ret, &result, &sort->told,
                                 call->out.len + REPLY_BYTES))
        return NEXT_AGAIN;
    keep(call, sort);
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
    if (sort->order != NULL)
        sort->order->free(sort->order);
    free(sort->ascending);
    sorter_free(&sort->sorter);
    buf_free(&sort->record);
}

static const struct sort_kind sort_kind = { add, work, tell, fail, release };

/* RFC 6203 section 6. */
static bool check_relevancy(struct args *args, const struct sort *sort)
{
    return !sort->criteria.relevancy || sort->run.search.program.has_fuzzy ||
           args_fail(args, "RELEVANCY is for FUZZY");
}

/* sort = ["UID" SP] "SORT" [SP return-options] SP sort-criteria SP search-criteria */
enum next imap_sort(struct call *call, struct args *args)
{
    struct sort *sort = ARENA_NEW(&call->arena, struct sort);
    struct client *client = client_of(call);

    sort->run.kind = &sort_kind;
    sort->client = client;
    sort->uid = client->uid;
    sorter_start(&sort->sorter, client->imap->store, client->imap->settings->sort_memory);
    if (!args_space(args) || !take_return(call, args, sort) ||
        !search_context_want(call, args, &sort->ret, &sort->context) ||
        !sort_criteria_take(args, &sort->criteria) ||
        !sort_run_take(call, args, &sort->ret, &sort->run) || !check_relevancy(args, sort))
        return sort_run_refuse(call, &sort->run, &sort->ret, args);
    sort->run.wants_keys = sort->criteria.stored || sort->context != NULL;
    return sort_run_start(call, &sort->run);
}

/* run.c - see run.h. */
#include "imapd/sort/run.h"

#include "imapd/condstore.h"
#include "imapd/limit.h"
#include "imapd/progress.h"
#include "imapd/reply.h"
#include "imapd/search_call.h"
#include "message/decode.h"

bool sort_run_take(struct call *call, struct args *args, const struct search_return *ret,
                   struct sort_run *run)
{
    struct search_program *program = &run->search.program;

    search_call_prepare(call, program);
    if (!args_space(args) || !args_astring(args, &program->charset) || !args_space(args))
        return false;
    args->bad_charset = !charset_known(program->charset);
    return !args->bad_charset && search_parse(args, program) &&
           search_call_check(args, ret, program);
}

static void release(struct client *client, struct sort_run *run)
{
    client->work = NULL;
    client->abandon = NULL;
    search_run_free(&run->search); /* first: its program may be in the memory of a context */
    run->kind->release(run);
}

static void abandon(struct call *call)
{
    release(client_of(call), client_of(call)->work);
}

enum next sort_run_refuse(struct call *call, struct sort_run *run, const struct search_return *ret,
                          const struct args *args)
{
    enum next next = search_call_refuse(call, &run->search.program, ret, args);

    release(client_of(call), run);
    return next;
}

static void add(struct sort_run *run, const struct sort_keys *keys)
{
    size_t i = run->n_added++;
    int64_t received_ms = view_received_ms(run->search.where.view, run->search.found[i]);

    if (!run->failed)
        run->failed =
            !run->kind->add(run, i, keys, keys->has_date ? keys->sent_ms : received_ms, &run->err);
}

/* A message that is gone meanwhile has empty keys. */
static void add_stored(const struct cached *cached, void *context)
{
    struct sort_keys keys;

    if (!sort_keys_read(cached->sort_keys, &keys))
        keys = (struct sort_keys){ 0 };
    add(context, &keys);
}

static bool added(const struct sort_run *run, struct error *err)
{
    if (run->failed)
        *err = run->err;
    return !run->failed;
}

static bool add_slice(struct sort_run *run, struct account *account, struct error *err)
{
    const struct search_run *search = &run->search;
    size_t count = MIN(search->where.settings->search_slice, search->n_found - run->n_added);

    if (!run->wants_keys) {
        for (size_t end = run->n_added + count; run->n_added < end;)
            add(run, &(struct sort_keys){ 0 });
        return added(run, err);
    }
    for (size_t i = 0; i < count; i++)
        search->msgs[i] = view_msg(search->where.view, search->found[run->n_added + i]);
    return account_summaries(account, CACHED_SORT_KEYS, search->msgs, count, add_stored, run,
                             err) &&
           added(run, err);
}

static enum search_step step(struct sort_run *run, struct account *account, struct error *err)
{
    enum search_step step;

    if (!run->found) {
        step = search_run_step(&run->search, account, err);
        run->found = step == SEARCH_STEP_DONE;
        return step == SEARCH_STEP_FAILED ? step : SEARCH_STEP_MORE;
    }
    if (run->n_added < run->search.n_found)
        return add_slice(run, account, err) ? SEARCH_STEP_MORE : SEARCH_STEP_FAILED;
    return run->kind->work(run, err);
}

static enum next finish(struct call *call, struct sort_run *run, const struct error *err)
{
    enum next next;

    if (err != NULL && run->kind->fail != NULL)
        run->kind->fail(call, run);
    next = err != NULL ? reply_error(call, err) : run->kind->tell(call, run);

    run->telling = next == NEXT_AGAIN;
    if (!run->telling)
        release(client_of(call), run);
    return next;
}

/* Searching, reading keys and putting in order count for a third each. */
static void tell_progress(struct client *client, const struct sort_run *run)
{
    const struct search_run *search = &run->search;
    size_t count = search->where.view->count;
    size_t read = search->n_found > 0 ? count * run->n_added / search->n_found : count;

    progress_set(client, run->found ? count + read : search->next, 3 * count);
}

static enum next go_on(struct call *call)
{
    struct client *client = client_of(call);
    struct sort_run *run = client->work;
    enum next next = NEXT_AGAIN;
    struct error err;

    switch (run->telling ? SEARCH_STEP_DONE : step(run, client->selected, &err)) {
    case SEARCH_STEP_MORE:
        break;
    case SEARCH_STEP_DONE:
        next = finish(call, run, NULL);
        break;
    case SEARCH_STEP_FAILED:
        next = finish(call, run, &err);
        break;
    }
    if (next == NEXT_AGAIN)
        client->resume = go_on;
    if (next == NEXT_AGAIN && !run->telling)
        tell_progress(client, run);
    return next;
}

enum next sort_run_start(struct call *call, struct sort_run *run)
{
    struct client *client = client_of(call);
    struct search_program *program = &run->search.program;
    struct search_where where = { .view = &client->view,
                                  .keywords = &client->keywords,
                                  .settings = client->imap->settings };

    if (!search_bind(program, where.view, where.keywords)) {
        release(client, run);
        return search_call_bad_number(call);
    }
    client->keeps_seq = program->has_seqs; /* RFC 7162 section 3.2.10.2 */
    if (program->has_modseq)
        condstore_enable(call);
    if (client->view.count > limit_max(client) &&
        limit_count(program, where.view) > limit_max(client)) {
        if (run->kind->fail != NULL)
            run->kind->fail(call, run);
        release(client, run);
        return limit_refuse(call, "Too many messages to sort");
    }
    search_run_start(&run->search, &where);
    client->work = run;
    client->abandon = abandon;
    return go_on(call);
}

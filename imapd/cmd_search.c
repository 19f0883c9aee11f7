/* cmd_search.c - SEARCH and UID SEARCH (RFC 3501 section 6.4.4), with RETURN (RFC 4731), saved
 * results (RFC 5182), MODSEQ (RFC 7162 section 3.1.5), PARTIAL (RFC 9394).
 *
 * search_run.c finds, search_return.c tells; here is the command around them.
 *
 * Lifetime: struct search lies in the call's arena; the run's buffers are freed at the end or by
 * abandon().
 */
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/limit.h"
#include "imapd/progress.h"
#include "imapd/reply.h"
#include "imapd/search_call.h"
#include "imapd/search_context.h"
#include "imapd/search_run.h"

struct search {
    struct search_run run;
    struct search_return ret;
    struct search_context *context; /* with UPDATE */
};

static void abandon(struct call *call)
{
    struct search *search = client_of(call)->work;

    search_run_free(&search->run);
    search_context_free(&search->context);
}

static void tell(struct call *call, struct search *search)
{
    struct search_result result = {
        .name = "SEARCH",
        .view = search->run.where.view,
        .found = search->run.found,
        .n_found = search->run.n_found,
        .scores = search->run.scores,
        .has_modseq = search->run.program.has_modseq,
        .uid = client_of(call)->uid,
    };

    search_return_save(client_of(call), &search->ret, &result);
    search_return_tell(call, &search->ret, &result);
    if (search->context != NULL && client_of(call)->limited_to > 0)
        search_context_refuse(call, "Not all messages were searched");
    else
        search_context_keep(call, &search->context, &search->run, NULL, NULL);
}

static enum next finish(struct call *call, struct search *search, const struct error *err)
{
    client_of(call)->work = NULL;
    client_of(call)->abandon = NULL;
    if (err == NULL)
        tell(call, search);
    else
        search_return_fail(client_of(call), &search->ret);
    search_run_free(&search->run);
    search_context_free(&search->context);
    return err != NULL ? reply_error(call, err) : reply_ok(call, "SEARCH completed");
}

static enum next go_on(struct call *call)
{
    struct client *client = client_of(call);
    struct search *search = client->work;
    struct error err;

    switch (search_run_step(&search->run, client->selected, &err)) {
    case SEARCH_STEP_MORE:
        break;
    case SEARCH_STEP_DONE:
        return finish(call, search, NULL);
    case SEARCH_STEP_FAILED:
        return finish(call, search, &err);
    }
    client->resume = go_on;
    progress_set(client, search->run.next, client->view.count);
    return NEXT_AGAIN;
}

static enum next refuse(struct call *call, struct search *search, const struct args *args)
{
    enum next next = search_call_refuse(call, &search->run.program, &search->ret, args);

    search_free(&search->run.program);
    search_context_free(&search->context);
    return next;
}

enum next imap_search(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct search *search = ARENA_NEW(&call->arena, struct search);
    struct search_program *program = &search->run.program;
    struct search_where where = { .view = &client->view,
                                  .keywords = &client->keywords,
                                  .settings = client->imap->settings };

    search_call_prepare(call, program);
    if (!args_space(args) || !search_return_take(call, args, &search->ret) ||
        !search_context_want(call, args, &search->ret, &search->context) ||
        !search_take_charset(args, program) || !search_parse(args, program) ||
        !search_call_check(args, &search->ret, program))
        return refuse(call, search, args);
    if (!search_bind(program, where.view, where.keywords)) {
        search_run_free(&search->run);
        search_context_free(&search->context);
        return search_call_bad_number(call);
    }
    client->keeps_seq = program->has_seqs; /* RFC 7162 section 3.2.10.2 */
    if (program->has_modseq)
        condstore_enable(call);
    if (limit_search(client, program, &search->run.among))
        where.among = &search->run.among;
    else
        where.enough = search_return_enough(&search->ret, &where.from_end);
    search_run_start(&search->run, &where);
    client->work = search;
    client->abandon = abandon;
    return go_on(call);
}

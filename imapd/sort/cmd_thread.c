/* cmd_thread.c - THREAD and UID THREAD (RFC 5256). */
#include "imapd/command.h"
#include "imapd/reply.h"
#include "imapd/sort/run.h"
#include "imapd/sort/thread.h"
#include "storage/settings.h"

#include <stdlib.h>

#define REPLY_BYTES (128 * 1024) /* of the answer in one turn */

struct thread_command {
    struct sort_run run; /* first: a struct sort_run is a struct thread_command */
    enum thread_algorithm algorithm;
    struct threads threads;
    const struct imap *imap;
    bool uid;
};

static const struct {
    const char *name;
    enum thread_algorithm algorithm;
} algorithms[] = {
    { "ORDEREDSUBJECT", THREAD_ORDEREDSUBJECT },
    { "REFERENCES", THREAD_REFERENCES },
};

static struct thread_command *thread_of(struct sort_run *run)
{
    return CONTAINER_OF(run, struct thread_command, run);
}

static bool take_algorithm(struct args *args, enum thread_algorithm *algorithm_out)
{
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        *algorithm_out = algorithms[i].algorithm;
        if (args_try_word(args, algorithms[i].name))
            return true;
    }
    return args_fail(args, "expected: ORDEREDSUBJECT or REFERENCES");
}

static bool add(struct sort_run *run, size_t i, const struct sort_keys *keys, int64_t sent_ms,
                struct error *err)
{
    struct thread_command *command = thread_of(run);
    uint64_t references[SORT_REFERENCES_MAX];
    size_t n_references = MIN(keys->n_references, SORT_REFERENCES_MAX);

    for (size_t k = 0; k < n_references; k++)
        references[k] = sort_reference(keys, k);
    if (i == 0)
        thread_start(&command->threads, command->algorithm, run->search.n_found,
                     command->imap->store, command->imap->settings->sort_memory);
    return thread_add(&command->threads,
                      &(struct thread_input){
                          .id = keys->id,
                          .references = references,
                          .n_references = n_references,
                          .subject = keys->texts[SORT_SUBJECT],
                          .is_reply = keys->is_reply,
                          .sent_ms = sent_ms,
                      },
                      err);
}

/* Of a mailbox all of whose messages were found nobody needs to know where they are. */
static void forget_places(struct search_run *search)
{
    if (search->n_found < search->where.view->count)
        return;
    free(search->found);
    search->found = NULL;
}

static enum search_step work(struct sort_run *run, struct error *err)
{
    struct thread_command *command = thread_of(run);
    bool done;

    if (run->search.n_found == 0)
        return SEARCH_STEP_DONE;
    forget_places(&run->search);
    if (!thread_work(&command->threads, &done, err))
        return SEARCH_STEP_FAILED;
    return done ? SEARCH_STEP_DONE : SEARCH_STEP_MORE;
}

static uint32_t number_of(const void *context, uint32_t n)
{
    const struct thread_command *command = context;
    const struct search_run *search = &command->run.search;
    uint32_t index = search->found != NULL ? search->found[n] : n;

    return command->uid ? view_uid(search->where.view, index) : index + 1;
}

static enum next tell(struct call *call, struct sort_run *run)
{
    struct thread_command *command = thread_of(run);
    struct threads *threads = &command->threads;

    if (threads->too_many)
        return reply_no(call, "LIMIT", "The messages name too many others");
    if (!run->telling)
        buf_add_text(&call->out, run->search.n_found > 0 ? "* THREAD " : "* THREAD");
    if (run->search.n_found > 0 &&
        !thread_print(threads, call->out.len + REPLY_BYTES, number_of, command, &call->out))
        return NEXT_AGAIN;
    buf_add_text(&call->out, "\r\n");
    return reply_ok(call, "THREAD completed");
}

static void release(struct sort_run *run)
{
    thread_free(&thread_of(run)->threads);
}

static const struct sort_kind thread_kind = { add, work, tell, NULL, release };

/* thread = ["UID" SP] "THREAD" SP thread-alg SP search-criteria */
enum next imap_thread(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct thread_command *command = ARENA_NEW(&call->arena, struct thread_command);
    const struct search_return ret = { .extended = false };

    command->run.kind = &thread_kind;
    command->run.wants_keys = true;
    command->uid = client->uid;
    command->imap = client->imap;
    if (!args_space(args) || !take_algorithm(args, &command->algorithm) ||
        !sort_run_take(call, args, &ret, &command->run))
        return sort_run_refuse(call, &command->run, NULL, args);
    return sort_run_start(call, &command->run);
}

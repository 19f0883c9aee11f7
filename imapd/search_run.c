/* search_run.c - see search_run.h. */
#include "imapd/search_run.h"

#include "message/header.h"
#include "storage/settings.h"

#include <stdlib.h>

#define SLICE_BYTES (4 * 1024 * 1024) /* of messages that one step reads, and that keys look at */
#define KEPT_BYTES  (1024 * 1024)     /* of a message, from one step to the next */
#define SLICE_KEYS  16                /* with more of them a slice has fewer messages */

void search_run_start(struct search_run *run, const struct search_where *where)
{
    size_t slice = where->settings->search_slice;

    run->where = *where;
    if (where->among != NULL || run->program.has_fuzzy)
        run->where.enough = 0;
    run->open = mem_zero(slice * sizeof(*run->open));
    run->msgs = mem_zero(slice * sizeof(*run->msgs));
    search_index_start(&run->index, run->program.root, slice);
    if (run->program.has_fuzzy)
        run->score_at = mem_zero(where->view->count + 1);
}

void search_run_free(struct search_run *run)
{
    search_free(&run->program);
    search_index_free(&run->index);
    uidset_free(&run->among);
    free(run->found);
    free(run->scores);
    free(run->score_at);
    free(run->objects);
    free(run->objects_at);
    free(run->open);
    free(run->msgs);
    buf_free(&run->bytes);
    buf_free(&run->envelope);
    buf_free(&run->scratch);
    arena_free(&run->tree);
    *run = (struct search_run){ 0 };
}

static void add_found(struct search_run *run, size_t index)
{
    run->found = mem_grow(run->found, &run->room, run->n_found + 1, sizeof(*run->found));
    run->found[run->n_found++] = (uint32_t)index;
    if (run->score_at != NULL)
        run->score_at[index] =
            (uint8_t)search_score(&run->program, view_msg(run->where.view, index));
}

static int compare_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* NULL unless keys need them. */
static const struct object_ids *objects_of(const struct search_run *run, size_t index)
{
    size_t lo = 0, hi = run->n_objects;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;

        if (run->objects_at[middle] == index)
            return &run->objects[middle];
        if (run->objects_at[middle] < index)
            lo = middle + 1;
        else
            hi = middle;
    }
    return NULL;
}

static struct search_data data_of(struct search_run *run, size_t index)
{
    return (struct search_data){ .view = run->where.view,
                                 .index = index,
                                 .scratch = &run->scratch,
                                 .objects = objects_of(run, index) };
}

static bool next_index(struct search_run *run, size_t *index_out)
{
    const struct search_where *where = &run->where;

    if (where->among != NULL) {
        if (view_next(where->view, where->among, &run->walk, index_out))
            return true;
        run->next = where->view->count;
    }
    if (run->next == where->view->count)
        return false;
    *index_out = run->next++ + run->shift;
    return true;
}

/* The first look, at the view only. */
static void look_at_view(struct search_run *run, size_t count)
{
    const struct view *view = run->where.view;
    size_t index;

    run->n_open = 0;
    for (; count > 0 && next_index(run, &index); count--) {
        struct search_data data = data_of(run, index);

        if (view->gone.count > 0 && uidset_has(&view->gone, view_uid(view, index)))
            continue;
        switch (search_evaluate(run->program.root, &data)) {
        case SEARCH_YES:
            add_found(run, index);
            break;
        case SEARCH_OPEN:
            run->msgs[run->n_open] = view_msg(view, index);
            run->open[run->n_open++] = index;
            break;
        case SEARCH_NO:
            break;
        }
    }
}

/* The second look, at the index. */
static void look_at_index(struct search_run *run, struct account *account)
{
    size_t n_open = run->n_open;

    if (run->index.n_nodes == 0)
        return;
    search_index_look(&run->index, account, run->msgs, n_open);
    run->n_open = 0;
    for (size_t i = 0; i < n_open; i++) {
        struct search_data data = data_of(run, run->open[i]);

        data.has_index = true;
        data.place = i;
        switch (search_evaluate(run->program.root, &data)) {
        case SEARCH_YES:
            add_found(run, run->open[i]);
            break;
        case SEARCH_OPEN:
            run->msgs[run->n_open] = run->msgs[i];
            run->open[run->n_open++] = run->open[i];
            break;
        case SEARCH_NO:
            break;
        }
    }
}

/* The third look, with the stored ENVELOPE; called for each open message in order. */
static void look_at_envelope(const struct cached *cached, void *context)
{
    struct search_run *run = context;
    size_t index = run->open[run->n_looked++];
    struct search_data data = data_of(run, index);

    data.has_envelope = cached->envelope.len > 0;
    data.envelope = cached->envelope;
    switch (data.has_envelope ? search_evaluate(run->program.root, &data) : SEARCH_NO) {
    case SEARCH_YES:
        add_found(run, index);
        break;
    case SEARCH_OPEN:
        run->open[run->n_open++] = index;
        break;
    case SEARCH_NO:
        break;
    }
}

static void keep_envelope(const struct cached *cached, void *context)
{
    buf_add_slice(context, cached->envelope);
}

/* False with ERROR_NOT_FOUND: it is gone. */
static bool load_message(struct search_run *run, struct account *account, size_t index,
                         struct error *err)
{
    struct search_data data = data_of(run, index);
    uint64_t msg = view_msg(data.view, index);

    buf_clear(&run->bytes);
    buf_clear(&run->envelope);
    arena_reset(&run->tree);
    if ((run->program.needs & SEARCH_NEEDS_ENVELOPE) != 0 &&
        !account_summaries(account, CACHED_ENVELOPE, &msg, 1, keep_envelope, &run->envelope, err))
        return false;
    if (!account_read(account, msg, 0, view_size(data.view, index), &run->bytes, err))
        return false;
    data.has_envelope = run->envelope.len > 0;
    data.envelope = buf_slice(&run->envelope);
    data.has_message = true;
    data.message = buf_slice(&run->bytes);
    data.header = slice_part(data.message, 0, header_length(data.message));
    if ((run->program.needs & SEARCH_NEEDS_BODY) != 0)
        data.tree = mime_parse(&run->tree, data.message);
    run->loaded = data;
    return true;
}

/* At the end of a turn: a great message is read again for the keys that have no answer yet, so that
 * sessions that wait for their turn do not hold one each. */
static void unload_message(struct search_run *run)
{
    if (run->bytes.room <= KEPT_BYTES)
        return;
    buf_free(&run->bytes);
    arena_free(&run->tree);
    run->loaded.has_message = false;
}

/* The last look, with all of the message: it stays loaded while there are keys that have no answer
 * yet. A message that is gone does not match. */
static bool look_at_message(struct search_run *run, struct account *account, uint64_t *left,
                            struct error *err)
{
    size_t index = run->open[run->n_looked];
    enum search_answer answer = SEARCH_NO;

    if (run->loaded.has_message || load_message(run, account, index, err)) {
        run->loaded.left = left;
        answer = search_evaluate(run->program.root, &run->loaded);
    } else if (err->kind != ERROR_NOT_FOUND) {
        return false;
    }
    if (answer == SEARCH_OPEN)
        return true;
    if (answer == SEARCH_YES)
        add_found(run, index);
    *left -= MIN(*left, view_size(run->where.view, index));
    run->loaded.has_message = false;
    run->n_looked++;
    return true;
}

/* Once enough are found, only those that are nearer to the end it started from matter. */
static void drop_needless(struct search_run *run)
{
    size_t enough = run->where.enough;
    uint32_t limit;

    if (enough == 0 || run->n_found < enough)
        return;
    qsort(run->found, run->n_found, sizeof(*run->found), compare_index);
    if (run->where.from_end)
        memmove(run->found, run->found + run->n_found - enough, enough * sizeof(*run->found));
    run->n_found = enough;
    limit = run->where.from_end ? run->found[0] : run->found[enough - 1];
    while (run->n_open > run->n_looked &&
           (run->where.from_end ? run->open[run->n_open - 1] < limit
                                : run->open[run->n_open - 1] > limit))
        run->n_open--;
}

/* Messages are read from that end, too. */
static void order_open(struct search_run *run)
{
    for (size_t i = 0; run->where.from_end && i < run->n_open / 2; i++) {
        size_t *other = &run->open[run->n_open - 1 - i], swapped = run->open[i];

        run->open[i] = *other;
        *other = swapped;
    }
    drop_needless(run);
}

/* Looks at open messages until the slice's measure of bytes is full. */
static bool look_at_messages(struct search_run *run, struct account *account, struct error *err)
{
    uint64_t left = SLICE_BYTES;
    bool ok = true;

    if (run->n_looked == run->n_open)
        return true;
    if (!account_hold_reads(account, err))
        return false;
    while (ok && run->n_looked < run->n_open && left > 0) {
        size_t before = run->n_found;

        ok = look_at_message(run, account, &left, err);
        if (run->n_found > before)
            drop_needless(run);
    }
    unload_message(run);
    account_release_reads(account);
    return ok;
}

/* Messages in the next slice. */
static size_t slice_count(const struct search_run *run)
{
    size_t left = run->where.view->count - run->next;
    size_t count = run->where.settings->search_slice;

    if (run->program.n_keys > SLICE_KEYS)
        count = MAX(count * SLICE_KEYS / run->program.n_keys, 1);
    return MIN(left, count);
}

/* What a slice's messages are known by is looked up before all else. */
static bool take_objects(struct search_run *run, struct account *account, size_t count,
                         struct error *err)
{
    size_t next = run->next;
    struct view_walk walk = run->walk;

    if ((run->program.needs & SEARCH_NEEDS_OBJECTS) == 0)
        return true;
    if (run->objects == NULL) {
        run->objects = mem_zero(run->where.settings->search_slice * sizeof(*run->objects));
        run->objects_at = mem_zero(run->where.settings->search_slice * sizeof(size_t));
    }
    for (run->n_objects = 0; run->n_objects < count; run->n_objects++) {
        size_t *index = &run->objects_at[run->n_objects];

        if (run->where.among != NULL && !view_next(run->where.view, run->where.among, &walk, index))
            break;
        if (run->where.among == NULL)
            *index = next++ + run->shift;
        run->msgs[run->n_objects] = view_msg(run->where.view, *index);
    }
    return account_objects(account, run->msgs, run->n_objects, run->objects, err);
}

static bool begin_slice(struct search_run *run, struct account *account, struct error *err)
{
    size_t n_open, count = slice_count(run);

    if (run->where.enough > 0 && run->where.from_end)
        run->shift = run->where.view->count - count - 2 * run->next;
    if (!take_objects(run, account, count, err))
        return false;
    look_at_view(run, count);
    look_at_index(run, account);
    n_open = run->n_open;
    run->n_looked = 0;
    if ((run->program.needs & SEARCH_NEEDS_ENVELOPE) != 0) {
        run->n_open = 0;
        if (n_open > 0 && !account_summaries(account, CACHED_ENVELOPE, run->msgs, n_open,
                                             look_at_envelope, run, err))
            return false;
        run->n_looked = 0;
    }
    order_open(run);
    return true;
}

/* The cheap looks put more of a slice's messages behind those that the dear ones find. */
static enum search_step finish(struct search_run *run)
{
    if (run->n_found > 1)
        qsort(run->found, run->n_found, sizeof(*run->found), compare_index);
    if (run->score_at != NULL)
        run->scores = mem_zero(run->n_found + 1);
    for (size_t i = 0; run->scores != NULL && i < run->n_found; i++)
        /* scores is null where score_at is. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        run->scores[i] = run->score_at[run->found[i]];
    return SEARCH_STEP_DONE;
}

enum search_step search_run_step(struct search_run *run, struct account *account, struct error *err)
{
    bool enough = run->where.enough > 0 && run->n_found == run->where.enough;

    if (run->n_looked == run->n_open && (enough || run->next == run->where.view->count))
        return finish(run);
    if (run->n_looked == run->n_open && !begin_slice(run, account, err))
        return SEARCH_STEP_FAILED;
    if (!look_at_messages(run, account, err))
        return SEARCH_STEP_FAILED;
    return SEARCH_STEP_MORE;
}

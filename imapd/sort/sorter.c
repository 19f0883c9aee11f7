/* sorter.c - see sorter.h. */
#include "imapd/sort/sorter.h"

#include "common/mem.h"

#include <assert.h>
#include <stdlib.h>

#define MERGE_BYTES ((size_t)3 * 1024 * 1024) /* of all windows, unless there are too many runs */
#define WINDOW_MAX  ((size_t)64 * 1024)
#define LENGTH_SIZE sizeof(uint16_t)

void sorter_start(struct sorter *sorter, const struct store *store, size_t room)
{
    *sorter = (struct sorter){ .room = room };
    spill_start(&sorter->spill, store, 0);
}

static struct slice record_at(const char *bytes)
{
    uint16_t len;

    memcpy(&len, bytes, sizeof(len));
    return slice_make(bytes + LENGTH_SIZE, len);
}

static uint64_t prefix_of(struct slice record)
{
    uint64_t prefix = 0;

    for (size_t i = 0; i < sizeof(prefix); i++)
        prefix = prefix << 8 | (i < record.len ? (unsigned char)record.data[i] : 0);
    return prefix;
}

static int compare_entries(const void *a, const void *b, void *context)
{
    const struct sorter_entry *x = a, *y = b;
    const char *bytes = context;

    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return slice_compare(record_at(bytes + x->at), record_at(bytes + y->at));
}

static void sort_entries(struct sorter *sorter)
{
    if (sorter->n_entries > 1)
        qsort_r(sorter->entries, sorter->n_entries, sizeof(*sorter->entries), compare_entries,
                sorter->bytes.data);
}

static bool write_run(struct sorter *sorter, struct error *err)
{
    struct sorter_run run = { .at = sorter->spill.size };

    sort_entries(sorter);
    for (size_t i = 0; i < sorter->n_entries; i++) {
        const char *at = sorter->bytes.data + sorter->entries[i].at;

        if (!spill_add(&sorter->spill, at, LENGTH_SIZE + record_at(at).len, err))
            return false;
    }
    run.end = sorter->spill.size;
    sorter->runs =
        mem_grow(sorter->runs, &sorter->runs_room, sorter->n_runs + 1, sizeof(*sorter->runs));
    sorter->runs[sorter->n_runs++] = run;
    sorter->n_entries = 0;
    buf_clear(&sorter->bytes);
    return true;
}

bool sorter_add(struct sorter *sorter, struct slice record, struct error *err)
{
    uint16_t len = (uint16_t)record.len;

    assert(record.len <= SORTER_RECORD_MAX);
    if (sorter->bytes.len > 0 && sorter->bytes.len + LENGTH_SIZE + len > sorter->room &&
        !write_run(sorter, err))
        return false;
    sorter->entries = mem_grow(sorter->entries, &sorter->entries_room, sorter->n_entries + 1,
                               sizeof(*sorter->entries));
    sorter->entries[sorter->n_entries++] =
        (struct sorter_entry){ prefix_of(record), (uint32_t)sorter->bytes.len };
    buf_add(&sorter->bytes, &len, sizeof(len));
    buf_add_slice(&sorter->bytes, record);
    return true;
}

/* Makes sure that the record in front is in the window; that is empty at the run's end. */
static bool fill_window(struct sorter *sorter, struct sorter_run *run, struct error *err)
{
    size_t left = run->bytes.len - run->next, len;

    if (left >= LENGTH_SIZE && left >= LENGTH_SIZE + record_at(run->bytes.data + run->next).len)
        return true;
    buf_drop(&run->bytes, run->next);
    run->next = 0;
    len = (size_t)MIN(sorter->window - left, run->end - run->at);
    if (len == 0)
        return true;
    if (!spill_read(&sorter->spill, run->at, buf_reserve(&run->bytes, len), len, err))
        return false;
    buf_wrote(&run->bytes, len);
    run->at += len;
    return true;
}

static struct slice front_of(const struct sorter *sorter, uint32_t run)
{
    return record_at(sorter->runs[run].bytes.data + sorter->runs[run].next);
}

/* Lets the run at a place of the heap sink to where it belongs. */
static void sink(struct sorter *sorter, size_t at)
{
    uint32_t *heap = sorter->heap, run = heap[at];
    struct slice record = front_of(sorter, run);

    for (size_t child; (child = 2 * at + 1) < sorter->n_heap; at = child) {
        if (child + 1 < sorter->n_heap &&
            slice_compare(front_of(sorter, heap[child + 1]), front_of(sorter, heap[child])) < 0)
            child++;
        if (slice_compare(record, front_of(sorter, heap[child])) <= 0)
            break;
        heap[at] = heap[child];
    }
    heap[at] = run;
}

static bool start_merging(struct sorter *sorter, struct error *err)
{
    sorter->window = MIN(WINDOW_MAX, MERGE_BYTES / sorter->n_runs);
    sorter->window = MAX(sorter->window, LENGTH_SIZE + SORTER_RECORD_MAX);
    sorter->heap = mem_zero(sorter->n_runs * sizeof(*sorter->heap));
    for (size_t i = 0; i < sorter->n_runs; i++) {
        if (!fill_window(sorter, &sorter->runs[i], err))
            return false;
        sorter->heap[sorter->n_heap++] = (uint32_t)i;
    }
    for (size_t i = sorter->n_heap / 2; i-- > 0;)
        sink(sorter, i);
    return true;
}

bool sorter_end(struct sorter *sorter, struct error *err)
{
    if (sorter->n_runs == 0) {
        sort_entries(sorter);
        return true;
    }
    if (!write_run(sorter, err))
        return false;
    buf_free(&sorter->bytes);
    free(sorter->entries);
    sorter->entries = NULL;
    sorter->entries_room = 0;
    return spill_end(&sorter->spill, err) && start_merging(sorter, err);
}

/* Steps over the record on top. */
static bool advance(struct sorter *sorter, struct error *err)
{
    struct sorter_run *run = &sorter->runs[sorter->heap[0]];

    run->next += LENGTH_SIZE + record_at(run->bytes.data + run->next).len;
    if (!fill_window(sorter, run, err))
        return false;
    if (run->bytes.len == 0) {
        buf_free(&run->bytes);
        sorter->heap[0] = sorter->heap[--sorter->n_heap];
    }
    if (sorter->n_heap > 0)
        sink(sorter, 0);
    return true;
}

bool sorter_next(struct sorter *sorter, struct slice *record_out, struct error *err)
{
    if (sorter->n_runs == 0) {
        assert(sorter->next < sorter->n_entries);
        *record_out = record_at(sorter->bytes.data + sorter->entries[sorter->next++].at);
        return true;
    }
    if (sorter->begun && !advance(sorter, err))
        return false;
    sorter->begun = true;
    assert(sorter->n_heap > 0);
    *record_out = front_of(sorter, sorter->heap[0]);
    return true;
}

void sorter_free(struct sorter *sorter)
{
    for (size_t i = 0; i < sorter->n_runs; i++)
        buf_free(&sorter->runs[i].bytes);
    free(sorter->runs);
    free(sorter->heap);
    free(sorter->entries);
    buf_free(&sorter->bytes);
    spill_free(&sorter->spill);
    *sorter = (struct sorter){ 0 };
}

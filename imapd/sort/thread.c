/* thread.c - see thread.h. The work is a table of stages, each of which takes turns:
 *
 *                                      REFERENCES                            ORDEREDSUBJECT
 *     dates -> order                       x                                       x
 *     ids and references -> numbers        x
 *     references -> parents                x
 *     what is on top                       x
 *     subjects -> numbers                  x                                       x
 *     threads of the same subject          x (which to gather in; gather)          x (parents)
 *     the tree                             x                                       x
 */
#include "imapd/sort/thread_private.h"

#include "common/crypto.h"
#include "message/message_id.h"

#include <endian.h>
#include <stdlib.h>

#define DUMMIES_MAX    2000000
#define REFERENCES_MAX 50000000 /* words that are looked at several times */
#define STEPS_MAX      50000000 /* only mail that is made for it comes near */
#define TURN_COUNT     (64 * 1024)
#define TURN_STEPS     1000000

void thread_start(struct threads *threads, enum thread_algorithm algorithm, size_t count,
                  const struct store *store, size_t memory)
{
    size_t part = memory / 4; /* there are four spills */

    *threads = (struct threads){ .algorithm = algorithm, .count = count };
    threads->part_keys = MAX(memory / 16, 1);
    threads->last_root = threads->root = threads->at = THREAD_NONE;
    threads->replies = thread_bits_new(count);
    random_bytes(&threads->secret, sizeof(threads->secret));
    threads->secret |= 1;
    spill_start(&threads->ids, store, part);
    spill_start(&threads->references, store, part);
    spill_start(&threads->subjects, store, part);
    spill_start(&threads->order, store, part);
    sorter_start(&threads->dates, store, memory);
}

/* No mail can be made whose keys fall into one part: who makes it does not know the secret. An odd
 * factor keeps keys apart. */
static bool add_key(struct threads *threads, struct spill *spill, uint64_t key, struct error *err)
{
    uint64_t word = key * threads->secret;

    return spill_add(spill, &word, sizeof(word), err);
}

static bool add_ids(struct threads *threads, const struct thread_input *input, struct error *err)
{
    if (!add_key(threads, &threads->ids, input->id, err))
        return false;
    threads->too_many |=
        threads->references.size / sizeof(uint64_t) + input->n_references > REFERENCES_MAX;
    for (size_t i = 0; i < input->n_references && !threads->too_many; i++)
        if (!add_key(threads, &threads->references, input->references[i], err))
            return false;
    return add_key(threads, &threads->references, 0, err);
}

static bool add_date(struct threads *threads, uint32_t message, int64_t sent_ms, struct error *err)
{
    uint64_t date = htobe64((uint64_t)sent_ms ^ 1ull << 63); /* in the order of signed numbers */
    uint32_t number = htobe32(message);
    char record[sizeof(date) + sizeof(number)];

    memcpy(record, &date, sizeof(date));
    memcpy(record + sizeof(date), &number, sizeof(number));
    return sorter_add(&threads->dates, slice_make(record, sizeof(record)), err);
}

bool thread_add(struct threads *threads, const struct thread_input *input, struct error *err)
{
    uint32_t message = (uint32_t)threads->n_messages++;
    bool by_references = threads->algorithm == THREAD_REFERENCES;
    uint64_t subject = input->subject.len > 0 ? message_id_hash(input->subject) : 0;

    if (input->is_reply)
        thread_set_bit(threads->replies, message);
    if (!by_references && subject == 0)
        subject = 1; /* messages without a subject are a thread, too */
    return (!by_references || add_ids(threads, input, err)) &&
           add_key(threads, &threads->subjects, subject, err) &&
           add_date(threads, message, input->sent_ms, err);
}

uint32_t *thread_numbers_new(size_t count)
{
    uint32_t *numbers = mem_resize(NULL, count * sizeof(*numbers));

    memset(numbers, 0xff, count * sizeof(*numbers));
    return numbers;
}

/* A stage begins to read from the start. */
static void rewind_reader(struct threads *threads)
{
    threads->reader.at = 0;
    threads->reader.next = threads->reader.len = 0;
    threads->n_read = 0;
}

/* The stages: a turn's work each; *done_out is false. */

static bool put_in_order(struct threads *threads, bool *done_out, struct error *err)
{
    if (threads->n_read == 0 && !sorter_end(&threads->dates, err))
        return false;
    for (size_t i = 0; i < TURN_COUNT && threads->n_read < threads->count; i++) {
        struct slice record;
        uint32_t number;

        if (!sorter_next(&threads->dates, &record, err))
            return false;
        memcpy(&number, record.data + record.len - sizeof(number), sizeof(number));
        number = be32toh(number);
        if (!spill_add(&threads->order, &number, sizeof(number), err))
            return false;
        threads->n_read++;
    }
    *done_out = threads->n_read == threads->count;
    if (*done_out)
        sorter_free(&threads->dates);
    return !*done_out || spill_end(&threads->order, err);
}

/* Containers of ids are there from here on. */
static bool number_ids(struct threads *threads, bool *done_out, struct error *err)
{
    size_t n_dummies;

    if (threads->intern.words == NULL) {
        if (!spill_end(&threads->ids, err) || !spill_end(&threads->references, err))
            return false;
        intern_start(&threads->intern, &threads->ids, &threads->references, threads->part_keys);
    }
    if (!intern_step(&threads->intern, done_out, err))
        return false;
    n_dummies = threads->intern.n_numbers - threads->count;
    threads->too_many |= n_dummies > DUMMIES_MAX;
    if (!*done_out || threads->too_many)
        return true;
    intern_free(&threads->intern);
    spill_free(&threads->ids);
    threads->n_containers = threads->parents_room = threads->count + n_dummies;
    threads->parents = thread_numbers_new(threads->n_containers);
    threads->above = thread_bits_new(threads->n_containers);
    return true;
}

/* Is the container among the parents of another, or that one itself? That it is no parent at all
 * answers it in most cases. */
static bool is_above(struct threads *threads, uint32_t container, uint32_t of)
{
    if (container == of)
        return true;
    if (!thread_bit(threads->above, container))
        return false;
    for (; of != THREAD_NONE && of != container; threads->n_steps++)
        of = threads->parents[of];
    return of == container;
}

/* Unless it would make a loop. */
static void link_to(struct threads *threads, uint32_t parent, uint32_t child)
{
    if (threads->n_steps > STEPS_MAX || is_above(threads, child, parent))
        return;
    threads->parents[child] = parent;
    thread_set_bit(threads->above, parent);
}

/* (1) of REFERENCES. */
static bool link_message(struct threads *threads, uint32_t message, struct error *err)
{
    uint32_t parent = THREAD_NONE;

    for (;;) {
        uint64_t word;
        uint32_t next;

        if (!spill_take(&threads->references, &threads->reader, &word, sizeof(word), err))
            return false;
        next = intern_number(word);
        if (word == 0)
            break;
        if (parent != THREAD_NONE && threads->parents[next] == THREAD_NONE)
            link_to(threads, parent, next);
        parent = next;
    }
    threads->parents[message] = THREAD_NONE;
    if (parent != THREAD_NONE)
        link_to(threads, parent, message);
    return true;
}

static bool link_messages(struct threads *threads, bool *done_out, struct error *err)
{
    uint64_t until = threads->n_steps + TURN_STEPS;

    for (size_t i = 0;
         i < TURN_COUNT && threads->n_read < threads->count && threads->n_steps < until; i++)
        if (!link_message(threads, (uint32_t)threads->n_read++, err))
            return false;
    threads->too_many |= threads->n_steps > STEPS_MAX;
    *done_out = threads->n_read == threads->count;
    if (!*done_out)
        return true;
    spill_free(&threads->references);
    free(threads->above);
    threads->above = NULL;
    return true;
}

static bool number_subjects(struct threads *threads, bool *done_out, struct error *err)
{
    if (threads->intern.words == NULL) {
        if (!spill_end(&threads->subjects, err))
            return false;
        intern_start(&threads->intern, &threads->subjects, NULL, threads->part_keys);
    }
    if (!intern_step(&threads->intern, done_out, err))
        return false;
    if (*done_out)
        intern_free(&threads->intern);
    return true;
}

static bool load_subjects(struct threads *threads, bool *done_out, struct error *err)
{
    size_t end = MIN(threads->count, threads->n_read + 4 * TURN_COUNT);
    uint64_t word;

    if (threads->subject_of == NULL)
        threads->subject_of = thread_numbers_new(threads->count);
    for (; threads->n_read < end; threads->n_read++) {
        if (!spill_take(&threads->subjects, &threads->reader, &word, sizeof(word), err))
            return false;
        threads->subject_of[threads->n_read] = intern_number(word);
    }
    *done_out = threads->n_read == threads->count;
    if (!*done_out)
        return true;
    spill_free(&threads->subjects);
    threads->known = thread_numbers_new(threads->count);
    return true;
}

static bool look_at_all(struct threads *threads, void (*look)(struct threads *, uint32_t),
                        bool *done_out, struct error *err)
{
    size_t end = MIN(threads->count, threads->n_read + TURN_COUNT);
    uint32_t message;

    for (; threads->n_read < end; threads->n_read++) {
        if (!spill_take(&threads->order, &threads->reader, &message, sizeof(message), err))
            return false;
        look(threads, message);
    }
    *done_out = threads->n_read == threads->count;
    return true;
}

static bool find_tops(struct threads *threads, bool *done_out, struct error *err)
{
    if (threads->heads == NULL) {
        threads->n_heads = threads->n_containers - threads->count;
        threads->heads = thread_numbers_new(threads->n_heads);
        threads->several = thread_bits_new(threads->n_heads);
        threads->on_top = thread_bits_new(threads->count);
    }
    if (!look_at_all(threads, thread_find_tops, done_out, err))
        return false;
    if (!*done_out)
        return true;
    thread_promote(threads);
    free(threads->several);
    threads->several = NULL;
    return true;
}

static bool find_known(struct threads *threads, bool *done_out, struct error *err)
{
    return look_at_all(threads, thread_find_known, done_out, err);
}

static bool gather(struct threads *threads, bool *done_out, struct error *err)
{
    return look_at_all(threads, thread_gather, done_out, err);
}

static bool order_subjects(struct threads *threads, bool *done_out, struct error *err)
{
    if (threads->parents == NULL) {
        threads->n_containers = threads->parents_room = threads->count;
        threads->parents = thread_numbers_new(threads->count);
    }
    return look_at_all(threads, thread_order_subject, done_out, err);
}

static void free_gathering(struct threads *threads)
{
    free(threads->subject_of);
    free(threads->known);
    free(threads->heads);
    free(threads->several);
    free(threads->on_top);
    threads->subject_of = threads->known = threads->heads = NULL;
    threads->several = threads->on_top = NULL;
}

static bool hang_up(struct threads *threads, bool *done_out, struct error *err)
{
    if (threads->lasts == NULL) {
        free_gathering(threads);
        threads->lasts = thread_numbers_new(threads->n_containers);
        threads->nexts = mem_zero(threads->n_containers * sizeof(*threads->nexts));
    }
    return look_at_all(threads, thread_hang_up, done_out, err);
}

static bool (*const references_stages[])(struct threads *, bool *, struct error *) = {
    put_in_order,  number_ids, link_messages, find_tops, number_subjects,
    load_subjects, find_known, gather,        hang_up,
};

static bool (*const subject_stages[])(struct threads *, bool *, struct error *) = {
    put_in_order, number_subjects, load_subjects, order_subjects, hang_up,
};

bool thread_work(struct threads *threads, bool *done_out, struct error *err)
{
    bool by_references = threads->algorithm == THREAD_REFERENCES, stage_done = false;
    size_t n_stages = by_references ? COUNT_OF(references_stages) : COUNT_OF(subject_stages);

    *done_out = threads->count == 0 || threads->too_many;
    if (*done_out)
        return true;
    if (!(by_references ? references_stages : subject_stages)[threads->stage](threads, &stage_done,
                                                                              err))
        return false;
    if (stage_done) {
        threads->stage++;
        rewind_reader(threads);
    }
    *done_out = threads->stage == n_stages || threads->too_many;
    return true;
}

void thread_free(struct threads *threads)
{
    spill_free(&threads->ids);
    spill_free(&threads->references);
    spill_free(&threads->subjects);
    spill_free(&threads->order);
    sorter_free(&threads->dates);
    intern_free(&threads->intern);
    free_gathering(threads);
    free(threads->parents);
    free(threads->above);
    free(threads->replies);
    free(threads->lasts);
    free(threads->nexts);
    *threads = (struct threads){ 0 };
}

/* thread.c - see thread.h; the steps are numbered as in RFC 5256, REFERENCES. */
#include "imapd/sort/thread.h"

#include "common/mem.h"
#include "message/message_id.h"

#include <stdlib.h>

#define DUMMIES_MAX 2000000
#define STEPS_MAX   50000000 /* only mail that is made for it comes near */

/* The place of a key, or the free one where it goes. */
static struct thread_place *place_of(const struct thread_table *table, uint64_t key)
{
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15ull >> 20);

    for (;; at++) {
        struct thread_place *place = &table->places[at & (table->size - 1)];

        if (place->key == key || place->key == 0)
            return place;
    }
}

static void grow_table(struct thread_table *table)
{
    struct thread_table bigger = { .size = MAX(table->size * 2, 1024), .count = table->count };

    bigger.places = mem_zero(bigger.size * sizeof(*bigger.places));
    for (size_t i = 0; i < table->size; i++)
        if (table->places[i].key != 0)
            *place_of(&bigger, table->places[i].key) = table->places[i];
    free(table->places);
    *table = bigger;
}

/* The value of a key; a new one has THREAD_NONE. */
static uint32_t *value_of(struct thread_table *table, uint64_t key)
{
    struct thread_place *place;

    if (table->count * 2 >= table->size)
        grow_table(table);
    place = place_of(table, key);
    if (place->key == 0) {
        *place = (struct thread_place){ key, THREAD_NONE };
        table->count++;
    }
    return &place->value;
}

static uint32_t add_container(struct threads *threads, uint32_t message)
{
    threads->containers = mem_grow(threads->containers, &threads->containers_room,
                                   threads->n_containers + 1, sizeof(*threads->containers));
    threads->containers[threads->n_containers] = (struct container){
        message, THREAD_NONE, THREAD_NONE, THREAD_NONE, THREAD_NONE,
    };
    return (uint32_t)threads->n_containers++;
}

static bool is_dummy(const struct threads *threads, uint32_t container)
{
    return threads->containers[container].message == THREAD_NONE;
}

void thread_start(struct threads *threads, enum thread_algorithm algorithm, size_t count)
{
    *threads = (struct threads){ .algorithm = algorithm, .count = count };
    threads->messages = mem_zero((count + 1) * sizeof(*threads->messages));
}

/* The container of an id; one that no message has yet is a dummy. */
static uint32_t container_of_id(struct threads *threads, uint64_t id)
{
    uint32_t *found = value_of(&threads->ids, id);

    if (*found == THREAD_NONE)
        *found = add_container(threads, THREAD_NONE);
    return *found;
}

/* The container of a message: of its id if it is the first to have it. */
static uint32_t container_of_message(struct threads *threads, uint64_t id, uint32_t message)
{
    uint32_t container;

    if (id == 0)
        return add_container(threads, message);
    container = container_of_id(threads, id);
    if (!is_dummy(threads, container))
        return add_container(threads, message);
    threads->containers[container].message = message;
    return container;
}

/* Is the container among the parents of another, or that one itself? While messages are added,
 * `first` tells whether it is a parent at all, which in most cases answers it. */
static bool is_above(struct threads *threads, uint32_t container, uint32_t of)
{
    if (container == of)
        return true;
    if (threads->containers[container].first == THREAD_NONE)
        return false;
    for (; of != THREAD_NONE && of != container; threads->n_steps++)
        of = threads->containers[of].parent;
    return of == container;
}

/* Unless it would make a loop. */
static void link_to(struct threads *threads, uint32_t parent, uint32_t child)
{
    if (threads->n_steps > STEPS_MAX || is_above(threads, child, parent))
        return;
    threads->containers[child].parent = parent;
    threads->containers[parent].first = child;
}

/* (1) */
static void link_references(struct threads *threads, const struct thread_input *input,
                            uint32_t container)
{
    uint32_t parent = THREAD_NONE;

    for (size_t i = 0; i < input->n_references; i++) {
        uint32_t next = container_of_id(threads, input->references[i]);

        if (parent != THREAD_NONE && threads->containers[next].parent == THREAD_NONE)
            link_to(threads, parent, next);
        parent = next;
    }
    threads->containers[container].parent = THREAD_NONE;
    if (parent != THREAD_NONE)
        link_to(threads, parent, container);
}

bool thread_add(struct threads *threads, const struct thread_input *input)
{
    uint32_t n = (uint32_t)threads->n_messages++;
    struct thread_message *message = &threads->messages[n];

    message->subject = input->subject.len > 0 ? message_id_hash(input->subject) : 0;
    message->sent_ms = input->sent_ms;
    message->is_reply = input->is_reply;
    if (threads->algorithm == THREAD_ORDEREDSUBJECT) {
        message->container = add_container(threads, n);
        return true;
    }
    message->container = container_of_message(threads, input->id, n);
    link_references(threads, input, message->container);
    return threads->n_containers <= threads->count + DUMMIES_MAX && threads->n_steps <= STEPS_MAX;
}

/* (3) What a container hangs from when dummies below the top are gone: a message, or the topmost
 * dummy, or nothing. Dummies on the way remember it. */
static uint32_t live_parent(struct threads *threads, uint32_t container)
{
    struct container *containers = threads->containers;
    uint32_t parent = containers[container].parent, top = parent, next;

    while (top != THREAD_NONE && is_dummy(threads, top) && containers[top].parent != THREAD_NONE)
        top = containers[top].parent;
    for (; parent != top; parent = next) {
        next = containers[parent].parent;
        containers[parent].parent = top;
    }
    return top;
}

static void add_root(struct threads *threads, uint32_t container)
{
    threads->roots = mem_grow(threads->roots, &threads->roots_room, threads->n_roots + 1,
                              sizeof(*threads->roots));
    threads->roots[threads->n_roots++] = container;
}

/* Puts all messages below their parents, siblings by date, and the threads into `roots` by the date
 * of their first message: (2), (4), (6). */
static void hang_up(struct threads *threads)
{
    threads->n_roots = 0;
    for (size_t i = 0; i < threads->n_containers; i++) {
        struct container *container = &threads->containers[i];

        container->first = container->last = container->next = THREAD_NONE;
    }
    for (size_t i = 0; i < threads->count; i++) {
        uint32_t child = threads->messages[threads->merge.order[i]].container;
        uint32_t up = live_parent(threads, child);
        struct container *parent;

        if (up == THREAD_NONE ||
            (is_dummy(threads, up) && threads->containers[up].first == THREAD_NONE))
            add_root(threads, up == THREAD_NONE ? child : up);
        if (up == THREAD_NONE)
            continue;
        parent = &threads->containers[up];
        if (parent->first == THREAD_NONE)
            parent->first = child;
        else
            threads->containers[parent->last].next = child;
        parent->last = child;
    }
}

/* (3) A dummy on top with one child only gives it its place. */
static void promote(struct threads *threads)
{
    for (size_t i = 0; i < threads->n_roots; i++) {
        uint32_t root = threads->roots[i], child = threads->containers[root].first;

        if (!is_dummy(threads, root) || threads->containers[child].next != THREAD_NONE)
            continue;
        threads->containers[child].parent = THREAD_NONE;
        threads->roots[i] = child;
    }
}

/* The message that gives a thread its subject. */
static const struct thread_message *head_of(const struct threads *threads, uint32_t root)
{
    if (is_dummy(threads, root))
        root = threads->containers[root].first;
    return &threads->messages[threads->containers[root].message];
}

/* (5.B.iv) Is the thread a better place to gather in than the one that is known? */
static bool is_better(const struct threads *threads, uint32_t known, uint32_t root)
{
    if (is_dummy(threads, known))
        return false;
    return is_dummy(threads, root) ||
           (head_of(threads, known)->is_reply && !head_of(threads, root)->is_reply);
}

/* (5.C) Puts a thread below another with the same subject, or both below a new dummy. */
static void merge_threads(struct threads *threads, uint32_t *known, uint32_t root)
{
    bool below = is_dummy(threads, *known) ||
                 (head_of(threads, root)->is_reply && !head_of(threads, *known)->is_reply);

    if (!below) {
        uint32_t dummy = add_container(threads, THREAD_NONE);

        threads->containers[*known].parent = dummy;
        *known = dummy;
    }
    /* A dummy below a dummy is not there for live_parent(): its children become the other's. */
    threads->containers[root].parent = *known;
}

/* (5) */
static void gather_subjects(struct threads *threads)
{
    struct thread_table subjects = { 0 };

    for (size_t i = 0; i < threads->n_roots; i++) {
        uint32_t root = threads->roots[i];
        uint64_t subject = head_of(threads, root)->subject;
        uint32_t *known = subject != 0 ? value_of(&subjects, subject) : NULL;

        if (known != NULL && (*known == THREAD_NONE || is_better(threads, *known, root)))
            *known = root;
    }
    for (size_t i = 0; i < threads->n_roots; i++) {
        uint32_t root = threads->roots[i];
        uint64_t subject = head_of(threads, root)->subject;
        uint32_t *known = subject != 0 ? value_of(&subjects, subject) : NULL;

        if (known != NULL && *known != root && threads->containers[root].parent == THREAD_NONE)
            merge_threads(threads, known, root);
    }
    free(subjects.places);
}

/* ORDEREDSUBJECT: the first message of a subject is the parent of all others. */
static void order_subjects(struct threads *threads)
{
    struct thread_table subjects = { 0 };

    for (size_t i = 0; i < threads->count; i++) {
        const struct thread_message *message = &threads->messages[threads->merge.order[i]];
        uint32_t *first = value_of(&subjects, message->subject != 0 ? message->subject : 1);

        if (*first == THREAD_NONE)
            *first = message->container;
        else
            threads->containers[message->container].parent = *first;
    }
    free(subjects.places);
}

static int compare_dates(const void *context, uint32_t a, uint32_t b)
{
    const struct thread_message *messages = context;
    int64_t x = messages[a].sent_ms, y = messages[b].sent_ms;

    return x < y ? -1 : x > y;
}

bool thread_work(struct threads *threads)
{
    if (threads->merge.order == NULL)
        merge_start(&threads->merge, threads->count);
    if (!merge_step(&threads->merge, compare_dates, threads->messages))
        return false;
    if (threads->algorithm == THREAD_ORDEREDSUBJECT) {
        order_subjects(threads);
    } else if (!threads->built) {
        threads->built = true;
        hang_up(threads);
        promote(threads);
        return false; /* the rest in another turn */
    } else {
        gather_subjects(threads);
    }
    hang_up(threads);
    return true;
}

/* Where threads branch while one is printed. */
struct branches {
    uint32_t *items;
    size_t count, room;
};

static void push(struct branches *branches, uint32_t child)
{
    branches->items =
        mem_grow(branches->items, &branches->room, branches->count + 1, sizeof(*branches->items));
    branches->items[branches->count++] = child;
}

/* Ends what ends here; the next sibling of a branch, or THREAD_NONE after the thread. */
static uint32_t next_branch(const struct threads *threads, struct branches *branches,
                            struct buf *out)
{
    buf_add_byte(out, ')');
    while (branches->count > 0) {
        uint32_t *branch = &branches->items[branches->count - 1];

        *branch = threads->containers[*branch].next;
        if (*branch != THREAD_NONE)
            return *branch;
        branches->count--;
        buf_add_byte(out, ')');
    }
    return THREAD_NONE;
}

/* thread-list = "(" (thread-members / thread-nested) ")" */
static void print_thread(const struct threads *threads, uint32_t at,
                         uint32_t (*number)(const void *context, uint32_t n), const void *context,
                         struct buf *out)
{
    struct branches branches = { 0 };
    const struct container *container;
    uint32_t child;
    bool begun = false; /* there is a number behind the last "(" */

    buf_add_byte(out, '(');
    while (at != THREAD_NONE) {
        container = &threads->containers[at];
        if (container->message != THREAD_NONE) {
            if (begun)
                buf_add_byte(out, ' ');
            buf_add_number(out, number(context, container->message));
            begun = true;
        }
        child = container->first;
        if (child != THREAD_NONE && threads->containers[child].next == THREAD_NONE) {
            at = child;
            continue;
        }
        if (child != THREAD_NONE) {
            if (begun)
                buf_add_byte(out, ' ');
            push(&branches, child);
            at = child;
        } else {
            at = next_branch(threads, &branches, out);
        }
        if (at != THREAD_NONE)
            buf_add_byte(out, '(');
        begun = false;
    }
    free(branches.items);
}

bool thread_print(struct threads *threads, size_t enough,
                  uint32_t (*number)(const void *context, uint32_t n), const void *context,
                  struct buf *out)
{
    while (threads->n_printed < threads->n_roots && out->len < enough)
        print_thread(threads, threads->roots[threads->n_printed++], number, context, out);
    return threads->n_printed == threads->n_roots;
}

void thread_free(struct threads *threads)
{
    free(threads->messages);
    free(threads->containers);
    free(threads->ids.places);
    free(threads->roots);
    merge_free(&threads->merge);
    *threads = (struct threads){ 0 };
}

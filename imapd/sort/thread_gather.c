/* thread_gather.c - how containers come below one another, see thread_private.h; the steps are
 * numbered as in RFC 5256, REFERENCES.
 */
#include "imapd/sort/thread_private.h"

/* (3) What a container hangs from when dummies below the top are gone: a message, or the topmost
 * dummy, or nothing. Dummies on the way remember it. */
static uint32_t live_parent(struct threads *threads, uint32_t container)
{
    uint32_t *parents = threads->parents;
    uint32_t parent = parents[container], top = parent, next;

    while (top != THREAD_NONE && thread_is_dummy(threads, top) && parents[top] != THREAD_NONE)
        top = parents[top];
    for (; parent != top; parent = next) {
        next = parents[parent];
        parents[parent] = top;
    }
    return parents[container] = top;
}

void thread_find_tops(struct threads *threads, uint32_t message)
{
    uint32_t top = live_parent(threads, message);
    size_t dummy = top - threads->count;

    if (top == THREAD_NONE || !thread_is_dummy(threads, top))
        return;
    if (threads->heads[dummy] == THREAD_NONE)
        threads->heads[dummy] = message;
    else
        thread_set_bit(threads->several, dummy);
}

/* A dummy on top with one child only gives it its place. Those that stay are numbered anew, which
 * forgets all others: no message hangs from them any more. */
void thread_promote(struct threads *threads)
{
    uint32_t *parents = threads->parents, *heads = threads->heads;
    uint32_t n_kept = 0;

    for (size_t dummy = 0; dummy < threads->n_heads; dummy++) {
        if (heads[dummy] == THREAD_NONE)
            continue;
        if (!thread_bit(threads->several, dummy)) {
            parents[heads[dummy]] = THREAD_NONE;
            continue;
        }
        heads[n_kept] = heads[dummy];
        parents[threads->count + dummy] = (uint32_t)threads->count + n_kept++;
    }
    for (size_t i = 0; i < threads->count; i++) {
        if (parents[i] == THREAD_NONE)
            thread_set_bit(threads->on_top, i);
        else if (thread_is_dummy(threads, parents[i]))
            parents[i] = parents[parents[i]];
    }
    for (size_t i = 0; i < n_kept; i++)
        parents[threads->count + i] = THREAD_NONE;
    threads->n_heads = n_kept;
    threads->heads = mem_resize(heads, n_kept * sizeof(*heads));
    threads->n_containers = threads->parents_room = threads->count + n_kept;
    threads->parents = mem_resize(parents, MAX(threads->n_containers, 1) * sizeof(*parents));
}

/* The thread that a message is the head of, as it was before threads were gathered; or none. */
static uint32_t root_of(const struct threads *threads, uint32_t message)
{
    uint32_t parent = threads->parents[message];

    if (thread_bit(threads->on_top, message))
        return message;
    return parent - threads->count < threads->n_heads &&
                   threads->heads[parent - threads->count] == message
               ? parent
               : THREAD_NONE;
}

/* Is the message that gives a thread its subject a reply? */
static bool is_reply(const struct threads *threads, uint32_t root)
{
    uint32_t head = thread_is_dummy(threads, root) ? threads->heads[root - threads->count] : root;

    return thread_bit(threads->replies, head);
}

/* (5.B.iv) Is the thread a better place to gather in than the one that is known? */
static bool is_better(const struct threads *threads, uint32_t known, uint32_t root)
{
    if (thread_is_dummy(threads, known))
        return false;
    return thread_is_dummy(threads, root) || (is_reply(threads, known) && !is_reply(threads, root));
}

/* Where threads with the subject of this one are gathered; NULL: nowhere. */
static uint32_t *known_of(struct threads *threads, uint32_t message)
{
    uint32_t subject = threads->subject_of[message];

    return subject != THREAD_NONE ? &threads->known[subject] : NULL;
}

void thread_find_known(struct threads *threads, uint32_t message)
{
    uint32_t root = root_of(threads, message);
    uint32_t *known = known_of(threads, message);

    if (root == THREAD_NONE || known == NULL)
        return;
    if (*known == THREAD_NONE || is_better(threads, *known, root))
        *known = root;
}

static uint32_t add_dummy(struct threads *threads)
{
    threads->parents = mem_grow(threads->parents, &threads->parents_room, threads->n_containers + 1,
                                sizeof(*threads->parents));
    threads->parents[threads->n_containers] = THREAD_NONE;
    return (uint32_t)threads->n_containers++;
}

/* Puts a thread below another with the same subject, or both below a new dummy. A dummy below a
 * dummy is not there for live_parent(): its children become the other's. */
void thread_gather(struct threads *threads, uint32_t message)
{
    uint32_t root = root_of(threads, message);
    uint32_t *known = known_of(threads, message);

    if (root == THREAD_NONE || known == NULL || *known == root ||
        threads->parents[root] != THREAD_NONE)
        return;
    if (!thread_is_dummy(threads, *known) &&
        (!is_reply(threads, root) || is_reply(threads, *known))) {
        uint32_t dummy = add_dummy(threads);

        threads->parents[*known] = dummy;
        *known = dummy;
    }
    threads->parents[root] = *known;
}

/* The first message of a subject is the parent of all others. */
void thread_order_subject(struct threads *threads, uint32_t message)
{
    uint32_t *first = known_of(threads, message);

    if (*first == THREAD_NONE)
        *first = message;
    else
        threads->parents[message] = *first;
}

static void append(uint32_t *last, uint32_t *nexts, uint32_t container)
{
    if (*last == THREAD_NONE) {
        nexts[container] = container;
    } else {
        nexts[container] = nexts[*last];
        nexts[*last] = container;
    }
    *last = container;
}

/* Puts a message below its parent, and threads into the order of their first messages: siblings
 * come by date. */
void thread_hang_up(struct threads *threads, uint32_t message)
{
    uint32_t up = live_parent(threads, message);

    if (up == THREAD_NONE) {
        append(&threads->last_root, threads->nexts, message);
        return;
    }
    if (thread_is_dummy(threads, up) && threads->lasts[up] == THREAD_NONE)
        append(&threads->last_root, threads->nexts, up);
    append(&threads->lasts[up], threads->nexts, message);
}

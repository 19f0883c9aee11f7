/* thread_print.c - the threads as the client reads them (RFC 5256 section 4), in pieces that may
 * end anywhere. Nothing recurses, and nothing but the place is kept from one piece to the next. */
#include "imapd/sort/thread_private.h"

/* False: there are no more threads. */
static bool next_thread(struct threads *threads)
{
    if (threads->root == threads->last_root)
        return false;
    threads->root =
        threads->nexts[threads->root == THREAD_NONE ? threads->last_root : threads->root];
    return true;
}

/* Ends what ends behind a message without children; the next sibling on the way up, or THREAD_NONE
 * when the thread is at its end. Only containers with siblings have parentheses of their own. */
static uint32_t climb(const struct threads *threads, uint32_t at, struct buf *out)
{
    for (; at != threads->root; at = threads->parents[at]) {
        if (threads->nexts[at] == at)
            continue;
        buf_add_byte(out, ')');
        if (at != threads->lasts[threads->parents[at]])
            return threads->nexts[at];
    }
    buf_add_byte(out, ')');
    return THREAD_NONE;
}

/* What is printed behind a container. */
static uint32_t go_on(struct threads *threads, uint32_t at, struct buf *out)
{
    uint32_t last = threads->lasts[at];

    if (last == THREAD_NONE)
        return climb(threads, at, out);
    if (threads->nexts[last] != last && threads->begun)
        buf_add_byte(out, ' ');
    return threads->nexts[last];
}

static bool is_only_child(const struct threads *threads, uint32_t container)
{
    return container != threads->root && threads->nexts[container] == container;
}

static void print_container(struct threads *threads,
                            uint32_t (*number)(const void *context, uint32_t n),
                            const void *context, struct buf *out)
{
    uint32_t at = threads->at;

    if (!is_only_child(threads, at)) {
        buf_add_byte(out, '(');
        threads->begun = false;
    }
    if (!thread_is_dummy(threads, at)) {
        if (threads->begun)
            buf_add_byte(out, ' ');
        buf_add_number(out, number(context, at));
        threads->begun = true;
    }
    threads->at = go_on(threads, at, out);
}

/* thread-list = "(" (thread-members / thread-nested) ")" */
bool thread_print(struct threads *threads, size_t enough,
                  uint32_t (*number)(const void *context, uint32_t n), const void *context,
                  struct buf *out)
{
    while (out->len < enough) {
        if (threads->at == THREAD_NONE) {
            if (!next_thread(threads))
                return true;
            threads->at = threads->root;
        }
        print_container(threads, number, context, out);
    }
    return false;
}

/* thread.h - threads of messages by the algorithms of RFC 5256: REFERENCES and ORDEREDSUBJECT.
 *
 *     thread_start() -> thread_add() for each message, in the order of the mailbox
 *                    -> thread_work() until true -> thread_print() until true
 *
 * A container is a message, or a dummy for an id that was named only. While messages are added,
 * just parents are known: that is all the algorithm looks at. Children come into their order by
 * going through all messages in the order of their dates and putting each at the end of its
 * parent's list, so nothing else has to be sorted.
 *
 * Pure: numbers of messages are 0 to count - 1. Free with thread_free().
 */
#pragma once

#include "common/buf.h"
#include "imapd/sort/merge.h"

#define THREAD_NONE UINT32_MAX

enum thread_algorithm { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES };

struct thread_message {
    uint64_t subject; /* a hash of the base subject; 0: it is empty */
    int64_t sent_ms;  /* the sent date of RFC 5256 section 2.2 */
    uint32_t container;
    bool is_reply;
};

struct container {
    uint32_t message; /* THREAD_NONE: a dummy */
    uint32_t parent;
    uint32_t first, last, next; /* child, child, sibling */
};

/* Open addressing; key 0 is a free place. */
struct thread_table {
    struct thread_place {
        uint64_t key;
        uint32_t value;
    } * places;
    size_t size, count; /* size: a power of 2 */
};

struct threads {
    enum thread_algorithm algorithm;
    struct thread_message *messages;
    size_t n_messages, count; /* added; in all */
    struct container *containers;
    size_t n_containers, containers_room;
    struct thread_table ids; /* containers by id */
    uint64_t n_steps;        /* up from child to parent, looking for loops */
    struct merge merge;
    uint32_t *roots;
    size_t n_roots, roots_room;
    bool built;
    size_t n_printed; /* roots */
};

/* What a message brings. */
struct thread_input {
    uint64_t id;                /* 0: none */
    const uint64_t *references; /* the oldest first */
    size_t n_references;
    struct slice subject; /* base, folded */
    bool is_reply;
    int64_t sent_ms;
};

void thread_start(struct threads *threads, enum thread_algorithm algorithm, size_t count);
/* False: that is too much: of ids that no message has, or of loops to look for. */
bool thread_add(struct threads *threads, const struct thread_input *input) MUST_CHECK;
bool thread_work(struct threads *threads);
/* Adds threads to the text until there are more than `enough` bytes; number(context, n) is what the
 * client calls message n. True: that was the last. */
bool thread_print(struct threads *threads, size_t enough,
                  uint32_t (*number)(const void *context, uint32_t n), const void *context,
                  struct buf *out);
void thread_free(struct threads *threads);

/* thread.h - threads of messages by the algorithms of RFC 5256: REFERENCES and ORDEREDSUBJECT.
 *
 *     thread_start() -> thread_add() for each message, in the order of the mailbox
 *                    -> thread_work() until it is done -> thread_print() until true
 *
 * A container is a message, with the message's number, or a dummy for an id that was named only,
 * with a number from `count` on. All that is known of a container is its parent, until the tree is
 * made in the end: children come into their order by going through all messages in the order of
 * their dates and putting each at the end of its parent's list, so nothing else has to be sorted.
 *
 * Memory: three numbers of 4 bytes for each message at any time, and at most two for each dummy.
 * What comes in (ids, references, subjects, dates) waits in spills, where ids and subjects become
 * numbers (intern.h).
 *
 * Numbers of messages are 0 to count - 1. Free with thread_free(). Threads: one at a time.
 */
#pragma once

#include "imapd/sort/intern.h"
#include "imapd/sort/sorter.h"

#define THREAD_NONE UINT32_MAX

enum thread_algorithm { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES };

struct threads {
    enum thread_algorithm algorithm;
    size_t n_messages, count; /* added; in all */
    size_t stage;             /* of the work, see thread.c */
    bool too_many; /* ids that no message has, or loops to look for: there are no threads then */

    struct spill ids, references; /* a word for each message; words and a 0 for each message */
    struct spill subjects;        /* a word for each message */
    struct sorter dates;
    struct spill order; /* of the messages by their dates, 4 bytes each */
    uint64_t secret;    /* keys of the spills are multiplied with it */
    size_t part_keys;
    struct intern intern;
    struct spill_reader reader; /* of the stage */
    size_t n_read;              /* messages, by the stage */
    uint64_t n_steps;           /* up from child to parent, looking for loops */

    size_t n_containers, parents_room;
    uint32_t *parents;
    uint64_t *above;   /* bits: containers that are a parent, while there are links to make */
    uint64_t *replies; /* bits: messages that are a reply by their subject */

    uint32_t *subject_of; /* number of a message's subject; THREAD_NONE: it is empty */
    uint32_t *known;      /* container that gathers a subject, by its number */
    size_t n_heads;
    uint32_t *heads;   /* first message below a dummy, from the first dummy on */
    uint64_t *several; /* bits: dummies that have more than that one */
    uint64_t *on_top;  /* bits: messages that have no parent, but for the subjects' sake */

    uint32_t *lasts, *nexts; /* last child; next sibling, behind the last comes the first */
    uint32_t last_root;
    uint32_t root, at; /* the thread that is printed, the container that is next */
    bool begun;        /* there is a number behind the last "(" */
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

/* `memory`: bytes that each of some spills keeps before there is a file. */
void thread_start(struct threads *threads, enum thread_algorithm algorithm, size_t count,
                  const struct store *store, size_t memory);
bool thread_add(struct threads *threads, const struct thread_input *input,
                struct error *err) MUST_CHECK;
/* A turn's work. */
bool thread_work(struct threads *threads, bool *done_out, struct error *err) MUST_CHECK;
/* Adds threads to the text until there are more than `enough` bytes; number(context, n) is what the
 * client calls message n. True: that was the last. */
bool thread_print(struct threads *threads, size_t enough,
                  uint32_t (*number)(const void *context, uint32_t n), const void *context,
                  struct buf *out);
void thread_free(struct threads *threads);

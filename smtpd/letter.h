/* letter.h - one message on its way: envelope, trace lines, body.
 *
 * Made by the session at MAIL, filled by one thread until it is in the queue, then only read, by as
 * many couriers as there are local accounts among its recipients; the last one frees it.
 *
 * Ownership: counted references. Slices of `message` live in the letter's arena, the prefix in
 * `prefix`; the body is kept in memory (or mapped) so that nobody has to read it again.
 */
#pragma once

#include "common/ceiling.h"
#include "storage/queue.h"

#include <stdatomic.h>

struct letter {
    atomic_uint references;
    struct arena arena;
    struct queue_message message;
    size_t recipients_room;
    struct held held;         /* by its recipients, while they come */
    struct body *body;        /* finished; NULL: it is in the queue only */
    struct buf prefix;        /* Received */
    unsigned char random[16]; /* delivery ids are made of it */
    uint64_t trace_id;        /* the id in Received and in the log */
    bool has_delivered_to;    /* the header has such lines, or nobody has looked yet */
};

struct letter *letter_new(void);
struct letter *letter_share(struct letter *letter); /* one reference more */
void letter_free(struct letter **letter);           /* one reference less */

/* Adds a recipient with a new delivery id; copies all slices. False when it is there already. */
bool letter_add_recipient(struct letter *letter, const struct queue_recipient *recipient);

/* Puts fields in front of its trace lines; before the letter is in the queue. */
void letter_prepend(struct letter *letter, struct slice fields);

/* A letter of a message that is in the queue, without its body. */
struct letter *letter_from_queue(const struct queue_message *message);

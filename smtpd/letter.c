/* letter.c - see letter.h. */
#include "smtpd/letter.h"

#include "common/crypto.h"

#include <stdlib.h>

struct letter *letter_new(void)
{
    struct letter *letter = NEW(struct letter);

    atomic_init(&letter->references, 1);
    random_bytes(letter->random, sizeof(letter->random));
    memcpy(&letter->trace_id, letter->random, sizeof(letter->trace_id));
    return letter;
}

struct letter *letter_share(struct letter *letter)
{
    atomic_fetch_add(&letter->references, 1);
    return letter;
}

void letter_free(struct letter **letter)
{
    struct letter *old = TAKE(*letter);

    if (old == NULL || atomic_fetch_sub(&old->references, 1) > 1)
        return;
    ceiling_hold(&old->held, 0);
    body_free(&old->body);
    buf_free(&old->prefix);
    arena_free(&old->arena);
    free(old->message.recipients);
    free(old);
}

static bool is_same(const struct queue_recipient *a, const struct queue_recipient *b)
{
    if (a->account != 0 || b->account != 0)
        return a->account == b->account;
    return slice_equal_case(a->address, b->address);
}

static void copy_recipient(struct letter *letter, const struct queue_recipient *recipient)
{
    struct queue_message *message = &letter->message;
    struct queue_recipient *copy;

    message->recipients = mem_grow(message->recipients, &letter->recipients_room,
                                   message->n_recipients + 1, sizeof(*message->recipients));
    copy = &message->recipients[message->n_recipients++];
    *copy = *recipient;
    copy->address = slice_copy(&letter->arena, recipient->address);
    copy->detail = slice_copy(&letter->arena, recipient->detail);
    copy->original = slice_copy(&letter->arena, recipient->original);
    copy->reverse_path = slice_copy(&letter->arena, recipient->reverse_path);
    copy->orcpt = slice_copy(&letter->arena, recipient->orcpt);
    copy->last_reply = slice_copy(&letter->arena, recipient->last_reply);
    copy->log = NULL;
    copy->n_log = 0;
}

/* The letter's random bytes, different for each recipient. */
static void set_delivery_id(struct letter *letter, size_t index)
{
    unsigned char *id = letter->message.recipients[index].delivery_id;

    memcpy(id, letter->random, sizeof(letter->random));
    for (size_t i = 0; i < sizeof(index); i++)
        id[sizeof(letter->random) - 1 - i] ^= (unsigned char)(index >> (8 * i));
}

bool letter_add_recipient(struct letter *letter, const struct queue_recipient *recipient)
{
    struct queue_message *message = &letter->message;

    for (size_t i = 0; i < message->n_recipients; i++)
        if (is_same(&message->recipients[i], recipient))
            return false;
    copy_recipient(letter, recipient);
    set_delivery_id(letter, message->n_recipients - 1);
    return true;
}

void letter_prepend(struct letter *letter, struct slice fields)
{
    AUTO(buf_free) struct buf whole = { 0 };

    buf_add_slice(&whole, fields);
    buf_add_slice(&whole, buf_slice(&letter->prefix));
    buf_free(&letter->prefix);
    buf_move(&letter->prefix, &whole);
    letter->message.prefix = buf_slice(&letter->prefix);
    letter->message.size = body_size(letter->body) + letter->prefix.len;
}

struct letter *letter_from_queue(const struct queue_message *message)
{
    struct letter *letter = letter_new();

    letter->message = *message;
    letter->message.recipients = NULL;
    letter->message.n_recipients = 0;
    letter->message.sender = slice_copy(&letter->arena, message->sender);
    letter->message.envid = slice_copy(&letter->arena, message->envid);
    letter->message.client = slice_copy(&letter->arena, message->client);
    buf_add_slice(&letter->prefix, message->prefix);
    letter->message.prefix = buf_slice(&letter->prefix);
    for (size_t i = 0; i < message->n_recipients; i++)
        copy_recipient(letter, &message->recipients[i]);
    letter->has_delivered_to = true;
    return letter;
}

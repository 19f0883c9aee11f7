/* thread_private.h - what the files of thread.h share: containers, and the steps of the algorithms
 * that look at one message after the other, by their dates. */
#pragma once

#include "common/mem.h"
#include "imapd/sort/thread.h"

static inline uint64_t *thread_bits_new(size_t count)
{
    return mem_zero((count / 64 + 1) * sizeof(uint64_t));
}

static inline bool thread_bit(const uint64_t *bits, size_t at)
{
    return (bits[at / 64] >> at % 64 & 1) != 0;
}

static inline void thread_set_bit(uint64_t *bits, size_t at)
{
    bits[at / 64] |= 1ull << at % 64;
}

static inline bool thread_is_dummy(const struct threads *threads, uint32_t container)
{
    return container >= threads->count;
}

/* `count` numbers that are THREAD_NONE. */
uint32_t *thread_numbers_new(size_t count);

/* thread_gather.c: the steps of RFC 5256's REFERENCES, numbered as there, and of ORDEREDSUBJECT.
 * Those with a message look at it; all messages come in the order of their dates. */
void thread_find_tops(struct threads *threads, uint32_t message);  /* (3) */
void thread_promote(struct threads *threads);                      /* (3) */
void thread_find_known(struct threads *threads, uint32_t message); /* (5.B) */
void thread_gather(struct threads *threads, uint32_t message);     /* (5.C) */
void thread_order_subject(struct threads *threads, uint32_t message);
void thread_hang_up(struct threads *threads, uint32_t message); /* (2), (4), (6) */

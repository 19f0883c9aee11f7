/* trigram_fit.h - makes blocks of trigrams (message/trigram_block.h) fit a number of bytes.
 *
 * Exact lists take little where texts have much in common, more than the texts where they have not,
 * or where there are few. From a block that is too large listed texts are taken, all of them, and
 * signed, which is done from the lists alone; while that is too much, less is known of the signed
 * ones:
 *
 *     pairs      needles of up to two bytes are answered for sure
 *     bytes      one byte for sure, two not at all
 *     neither    needles of three bytes and more only
 *
 * What is left then are signatures, of at most a fifth of the texts, and some bytes for each text
 * and block, which are the more the shorter the texts are.
 *
 * Pure.
 */
#pragma once

#include "message/trigram_block.h"

/* Bytes of text in what block_write() has made, about; never more than there are. */
uint64_t block_text_bytes(struct slice block);

/* How many texts there are. */
size_t block_texts(struct slice block);

/* Such bytes of several blocks, replaced; the first ones are the first to know less. */
void block_fit(struct buf *blocks, size_t count, uint64_t bytes);

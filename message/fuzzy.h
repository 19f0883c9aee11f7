/* fuzzy.h - does a text have something like these words? (RFC 6203)
 *
 *     the phrase itself          100, 90 inside words
 *     a word                     as it is 100, as the beginning of a longer one 85, without its own
 *                                ending 75, inside another 70, one letter wrong 60, two 45
 *
 * Accents do not count. Two thirds of the words must be found; the score is the mean over all.
 *
 * Pure. Bounded: FUZZY_WORDS_MAX words are looked for in the first FUZZY_TEXT_MAX bytes.
 */
#pragma once

#include "common/slice.h"

#define FUZZY_WORDS_MAX 8
#define FUZZY_TEXT_MAX  (128 * 1024)

/* 0: no; up to 100. The needle is folded by text_fold(); one without words is found where it
 * stands. */
unsigned fuzzy_score(struct slice text, struct slice folded_needle);

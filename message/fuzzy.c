/* fuzzy.c - see fuzzy.h. */
#include "message/fuzzy.h"

#include "message/text.h"

#include <unictype.h>
#include <unistr.h>

#define WORD_MAX 32 /* characters; of longer words the beginning counts */

struct word {
    ucs4_t letters[WORD_MAX];
    size_t len;
};

static bool is_mark(ucs4_t character)
{
    return uc_is_general_category(character, UC_NON_SPACING_MARK);
}

static bool is_letter(ucs4_t character)
{
    return uc_is_general_category(character, UC_LETTER) ||
           uc_is_general_category(character, UC_NUMBER);
}

/* The next word of folded text without its accents; empty at the end. */
static void take_word(struct slice *rest, struct word *word)
{
    word->len = 0;
    while (rest->len > 0) {
        ucs4_t character;
        int len = u8_mbtoucr(&character, (const uint8_t *)rest->data, rest->len);
        bool letter = len > 0 && is_letter(character);

        if (word->len > 0 && !letter && !(len > 0 && is_mark(character)))
            return;
        *rest = slice_from(*rest, len > 0 ? (size_t)len : 1);
        if (letter && word->len < WORD_MAX)
            word->letters[word->len++] = character;
    }
}

static bool same(const ucs4_t *a, const ucs4_t *b, size_t len)
{
    return memcmp(a, b, len * sizeof(*a)) == 0;
}

static bool is_inside(const struct word *part, const struct word *word)
{
    for (size_t at = 0; at + part->len <= word->len; at++)
        if (same(part->letters, word->letters + at, part->len))
            return true;
    return false;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    return MIN(MIN(a, b), c);
}

/* Letters put in, left out, replaced, or two of them swapped. */
static unsigned distance(const struct word *a, const struct word *b)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t k = 0; k <= b->len; k++)
        above[k] = (unsigned)k;
    for (size_t i = 1; i <= a->len; i++) {
        unsigned *oldest = before;

        row[0] = (unsigned)i;
        for (size_t k = 1; k <= b->len; k++) {
            bool equal = a->letters[i - 1] == b->letters[k - 1];

            row[k] = least(above[k] + 1, row[k - 1] + 1, above[k - 1] + !equal);
            if (i > 1 && k > 1 && a->letters[i - 1] == b->letters[k - 2] &&
                a->letters[i - 2] == b->letters[k - 1])
                row[k] = MIN(row[k], before[k - 2] + 1);
        }
        before = above;
        above = row;
        row = oldest;
    }
    return above[b->len];
}

/* Most words of a text differ in both of their first letters: those are not looked at further. */
static unsigned misspelt(const struct word *wanted, const struct word *word)
{
    size_t longer = MAX(wanted->len, word->len), shorter = MIN(wanted->len, word->len);
    unsigned wrong;

    if (shorter < 3 || wanted->len < 4 || longer - shorter > 2 ||
        (wanted->letters[0] != word->letters[0] && wanted->letters[1] != word->letters[1] &&
         wanted->letters[0] != word->letters[1]))
        return 0;
    wrong = distance(wanted, word);
    return wrong <= 1 ? 60 : wrong == 2 && wanted->len >= 8 ? 45 : 0;
}

static unsigned similarity(const struct word *wanted, const struct word *word)
{
    size_t shorter = MIN(wanted->len, word->len);
    bool begins = same(wanted->letters, word->letters, shorter);

    if (begins && wanted->len == word->len)
        return 100;
    if (begins && shorter == wanted->len && shorter >= 3)
        return 85;
    if (begins && shorter >= 4 && wanted->len - shorter <= 3)
        return 75;
    if (wanted->len >= 3 && is_inside(wanted, word))
        return 70;
    return misspelt(wanted, word);
}

/* The mean of how well each word was found. */
static unsigned mean(const unsigned *best, size_t count)
{
    size_t found = 0;
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++) {
        found += best[i] > 0;
        sum += best[i];
    }
    return count == 0 || found * 3 < count * 2 ? 0 : sum / (unsigned)count;
}

static unsigned score_words(struct slice text, struct slice needle)
{
    struct word wanted[FUZZY_WORDS_MAX], word;
    unsigned best[FUZZY_WORDS_MAX] = { 0 };
    size_t count = 0;

    for (; count < FUZZY_WORDS_MAX; count++) {
        take_word(&needle, &wanted[count]);
        if (wanted[count].len == 0)
            break;
    }
    for (take_word(&text, &word); count > 0 && word.len > 0; take_word(&text, &word))
        for (size_t i = 0; i < count; i++)
            if (best[i] < 100)
                best[i] = MAX(best[i], similarity(&wanted[i], &word));
    return mean(best, count);
}

static bool is_word_end(struct slice text, size_t at)
{
    ucs4_t character;

    return at >= text.len ||
           u8_mbtoucr(&character, (const uint8_t *)text.data + at, text.len - at) <= 0 ||
           !is_letter(character);
}

static bool is_word_start(struct slice text, size_t at)
{
    ucs4_t character;

    return at == 0 ||
           u8_prev(&character, (const uint8_t *)text.data + at, (const uint8_t *)text.data) ==
               NULL ||
           !is_letter(character);
}

unsigned fuzzy_score(struct slice text, struct slice folded_needle)
{
    AUTO(buf_free) struct buf folded = { 0 };
    struct slice all;
    ptrdiff_t at;

    if (folded_needle.len == 0)
        return 100;
    text_fold(slice_part(text, 0, MIN(text.len, FUZZY_TEXT_MAX)), &folded);
    all = buf_slice(&folded);
    at = slice_search(all, folded_needle);
    if (at < 0)
        return MIN(score_words(all, folded_needle), 90);
    return is_word_start(all, (size_t)at) && is_word_end(all, (size_t)at + folded_needle.len) ? 100
                                                                                              : 90;
}

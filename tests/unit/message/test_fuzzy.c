/* test_fuzzy.c - how well words are found in a text (message/fuzzy.h). */
#include "message/fuzzy.h"
#include "message/text.h"
#include "tests/unit/message/exact.h"

#include <stdlib.h>

static const struct {
    const char *text, *needle;
    unsigned score;
} cases[] = {
    { "hello world", "hello", 100 },
    { "hello world", "LO WO", 90 },
    { "hello world", "world hello", 90 }, /* all words, but not the phrase: 90 at most */
    { "hello world", "hel", 90 },
    { "breaking", "break", 90 },
    { "break", "breaks", 75 },
    { "hello", "helo", 60 },
    { "hello", "hlelo", 60 },
    { "hello", "yello", 60 },
    { "receive", "recieve", 60 },
    { "necessary things", "neccesary", 45 },
    { "accommodation", "acomodation", 45 },
    { "hello", "hallu", 0 },
    { "cat", "cut", 0 }, /* too short to be misspelt */
    { "one two three", "one two nine", 66 },
    { "one two three", "one eight nine", 0 },
    { "caf\xc3\xa9", "cafe", 100 },
    { "cafe", "caf\xc3\xa9", 90 },
    { "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
      "\xd0\xbf\xd1\x80\xd0\xb5\xd0\xb2\xd0\xb5\xd1\x82", 60 },
    { "\xe4\xbc\x9a\xe8\xae\xae\xe5\xae\xa4", "\xe4\xbc\x9a\xe8\xae\xae", 90 },
    { "", "x", 0 },
    { "x", "", 100 },
    { "a, b", ",", 90 },
    { "a b", "?", 0 }, /* no word at all */
    { "\xff\xfe hello \xc3", "hello", 100 },
};

static void test_scores(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf needle = { 0 };
        unsigned score;

        text_fold(slice_of(cases[i].needle), &needle);
        score = fuzzy_score(slice_of(cases[i].text), buf_slice(&needle));
        if (score != cases[i].score)
            fail_msg("%s in %s: %u", cases[i].needle, cases[i].text, score);
    }
}

/* Words beyond every limit, of the needle and of the text. */
static void test_limits(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf needle = { 0 };

    for (int i = 0; i < 100; i++)
        buf_fmt(&needle, "WORD%d ", i);
    while (text.len < FUZZY_TEXT_MAX)
        buf_add_text(&text, "unbelievablylongwordsthatgoonandonwithoutanend ");
    buf_add_text(&text, "word");
    assert_int_equal(fuzzy_score(buf_slice(&text), SLICE("WORD")), 90);
    assert_int_equal(fuzzy_score(buf_slice(&text), buf_slice(&needle)), 0);
    assert_int_equal(fuzzy_score(SLICE("word0 word1 word2 word3 word4 word5"), buf_slice(&needle)),
                     90);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_scores),
                                        cmocka_unit_test(test_limits) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_store.c - STORE (RFC 3501 section 6.4.6) and what RFC 7162 makes of it: UNCHANGEDSINCE,
 * MODIFIED, MODSEQ with .SILENT, and HIGHESTMODSEQ while expunges are held back. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static struct dialogue dialogue;

#define A (&dialogue.a)
#define B (&dialogue.b)

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    for (int i = 0; i < 4; i++)
        rig_append(A, dialogue.a.bob, "INBOX", "Subject: hello\r\n\r\nworld\r\n");
    dialogue_login(&dialogue, A);
    dialogue_login(&dialogue, B);
    EXPECT(B, "s SELECT INBOX\r\n", "...\ns OK *\n"); /* what was \Recent is not any more */
    EXPECT(B, "s SELECT INBOX\r\n", "...\ns OK *\n");
    EXPECT(A, "s SELECT INBOX\r\n", "...\ns OK *\n");
    return 0;
}

static int tear_down(void **state)
{
    rig_stop(A);
    rig_stop(B);
    dialogue_close(&dialogue);
    return 0;
}

/* Reads the number behind `name` in the last answer. */
static unsigned long long number_after(struct rig *rig, const char *name)
{
    const char *at = strstr(rig_text(rig), name);

    if (at == NULL)
        fail_msg("no %s in %s", name, rig_text(rig));
    return strtoull(at + strlen(name), NULL, 10);
}

static unsigned long long highest_modseq(struct rig *rig)
{
    EXPECT(rig, "h STATUS INBOX (HIGHESTMODSEQ)\r\n", "...\n* STATUS *\n...\nh OK *\n");
    return number_after(rig, "(HIGHESTMODSEQ ");
}

static void test_flags(void **state)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        { "a STORE 2:4 +FLAGS (\\Deleted)\r\n",
          "* 2 FETCH (FLAGS (\\Deleted))\n* 3 FETCH (FLAGS (\\Deleted))\n"
          "* 4 FETCH (FLAGS (\\Deleted))\na OK *\n" },
        { "a STORE 2 -FLAGS (\\Deleted \\Seen)\r\n", "* 2 FETCH (FLAGS ())\na OK *\n" },
        { "a STORE 3:4 FLAGS (\\Seen \\Draft)\r\n",
          "* 3 FETCH (FLAGS (\\Seen \\Draft))\n* 4 FETCH (FLAGS (\\Seen \\Draft))\na OK *\n" },
        { "a STORE 3 FLAGS ()\r\n", "* 3 FETCH (FLAGS ())\na OK *\n" },
        { "a STORE 3 FLAGS ()\r\n", "* 3 FETCH (FLAGS ())\na OK *\n" },
        { "a STORE 3 flags \\seen \\FLAGGED\r\n",
          "* 3 FETCH (FLAGS (\\Flagged \\Seen))\na OK *\n" },
        { "a STORE * -FLAGS.SILENT (\\Seen)\r\n", "a OK *\n" },
        { "a FETCH 4 FLAGS\r\n", "* 4 FETCH (FLAGS (\\Draft))\na OK *\n" },
        { "a UID STORE 4 +FLAGS (\\Answered)\r\n",
          "* 4 FETCH (UID 4 FLAGS (\\Answered \\Draft))\na OK *\n" },
        { "a UID STORE 99 +FLAGS (\\Answered)\r\n", "a OK *\n" },
        { "a STORE 1 +FLAGS ($Forwarded)\r\n",
          "* FLAGS *\n* 1 FETCH (FLAGS ($Forwarded))\na OK *\n" },
        { "a STORE 1 -FLAGS ($FORWARDED)\r\n", "* 1 FETCH (FLAGS ())\na OK *\n" },
        { "a STORE 1 +FLAGS\r\n", "a BAD *\n" },
        { "a STORE 1 +FLAGS (\r\n", "a BAD *\n" },
        { "a STORE 1 +FLAGS (\\Recent)\r\n", "a BAD *\n" },
        { "a STORE 1 +FLAGS (\\Nope)\r\n", "a BAD *\n" },
        { "a STORE 1 +FLAGS.LOUD (\\Seen)\r\n", "a BAD *\n" },
        { "a STORE 1 *FLAGS (\\Seen)\r\n", "a BAD *\n" },
        { "a STORE 5 +FLAGS (\\Seen)\r\n", "a BAD *\n" },
        { "a STORE 0 +FLAGS (\\Seen)\r\n", "a BAD *\n" },
        { "a STORE 1 (NOPE 1) +FLAGS (\\Seen)\r\n", "a BAD *\n" },
        { "a STORE 1 (UNCHANGEDSINCE) +FLAGS (\\Seen)\r\n", "a BAD *\n" },
        { "a STORE 1 (UNCHANGEDSINCE x) +FLAGS (\\Seen)\r\n", "a BAD *\n" },
        { "a STORE 1 (UNCHANGEDSINCE 9223372036854775808) +FLAGS (\\Seen)\r\n", "a BAD *\n" },
    };

    EXPECT(B, "s CLOSE\r\n", "s OK *\n");
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT(A, cases[i].input, cases[i].want);
}

static void test_read_only(void **state)
{
    EXPECT(A, "a EXAMINE INBOX\r\n", "...\na OK [READ-ONLY] *\n");
    EXPECT(A, "b STORE 1 +FLAGS (\\Seen)\r\n", "b NO [READ-ONLY] *\n");
}

/* What another session did is told, even if the own change was to be silent. */
static void test_silent_tells_others(void **state)
{
    EXPECT(B, "a STORE 1 +FLAGS.SILENT (\\Flagged)\r\n", "a OK *\n");
    EXPECT(A, "a STORE 1 +FLAGS.SILENT (\\Seen)\r\n",
           "* 1 FETCH (FLAGS (\\Flagged \\Seen))\na OK *\n");
    EXPECT(A, "b STORE 1 +FLAGS.SILENT (\\Draft)\r\n", "b OK *\n");
    EXPECT(A, "c STORE 1 FLAGS.SILENT (\\Draft)\r\n", "c OK *\n");
}

/* RFC 7162 section 3.1.3, its examples 3 to 9. */
static void test_unchanged_since(void **state)
{
    AUTO(buf_free) struct buf input = { 0 };
    unsigned long long before = highest_modseq(A);

    EXPECT(B, "a STORE 3 +FLAGS.SILENT (\\Flagged)\r\n", "a OK *\n");
    buf_fmt(&input, "a STORE 1:4 (UNCHANGEDSINCE %llu) +FLAGS.SILENT (\\Deleted)\r\n", before);
    EXPECT(A, buf_text(&input),
           "* 1 FETCH (UID 1 MODSEQ (*\n* 2 FETCH (UID 2 MODSEQ (*\n* 4 FETCH (UID 4 MODSEQ (*\n"
           "* 3 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (*\na OK [MODIFIED 3] *\n");
    buf_clear(&input);
    buf_fmt(&input, "b UID STORE 3 (UNCHANGEDSINCE %llu) +FLAGS (\\Seen)\r\n", before);
    EXPECT(A, buf_text(&input), "b OK [MODIFIED 3] *\n");
    buf_clear(&input);
    buf_fmt(&input, "c STORE 1:4 (UNCHANGEDSINCE %llu) FLAGS ()\r\n", highest_modseq(A));
    EXPECT(A, buf_text(&input),
           "* 1 FETCH (UID 1 FLAGS () MODSEQ (*\n* 2 FETCH (UID 2 FLAGS () MODSEQ (*\n"
           "* 3 FETCH (UID 3 FLAGS () MODSEQ (*\n* 4 FETCH (UID 4 FLAGS () MODSEQ (*\nc OK *\n");
    /* Answered even where nothing is to be changed. */
    buf_clear(&input);
    buf_fmt(&input, "d STORE 2 (UNCHANGEDSINCE %llu) -FLAGS.SILENT (\\Seen)\r\n",
            highest_modseq(A));
    EXPECT(A, buf_text(&input), "* 2 FETCH (UID 2 MODSEQ (*\nd OK *\n");
    EXPECT(A, "e STORE 2 (UNCHANGEDSINCE 0) FLAGS (\\Seen)\r\n", "e OK [MODIFIED 2] *\n");
}

/* The first command of CONDSTORE tells where the mailbox is; from then on MODSEQ comes always. */
static void test_condstore_enabled(void **state)
{
    EXPECT(A, "a STORE 1 +FLAGS (\\Flagged)\r\n", "* 1 FETCH (FLAGS (\\Flagged))\na OK *\n");
    EXPECT(A, "b STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)\r\n",
           "* OK [HIGHESTMODSEQ *\nb OK [MODIFIED 1] *\n");
    EXPECT(A, "c STORE 1 +FLAGS (\\Seen)\r\n",
           "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen) MODSEQ (*\nc OK *\n");
    EXPECT(A, "d STORE 1 -FLAGS.SILENT (\\Seen)\r\n", "* 1 FETCH (UID 1 MODSEQ (*\nd OK *\n");
    EXPECT(B, "a STORE 2 +FLAGS (\\Answered)\r\n", "* 2 FETCH (FLAGS (\\Answered))\n...\na OK *\n");
    EXPECT(A, "e NOOP\r\n", "* 2 FETCH (UID 2 FLAGS (\\Answered) MODSEQ (*\ne OK *\n");
    EXPECT(A, "f FETCH 2 BODY[]\r\n",
           "* 2 FETCH (BODY[] {25}\nSubject: hello\n\nworld\n"
           " FLAGS (\\Answered \\Seen) UID 2 MODSEQ (*\nf OK *\n");
}

/* RFC 7162 section 6: what a client may keep as its state while an expunge is held back. */
static void test_held_expunge(void **state)
{
    unsigned long long before;

    EXPECT(A, "a ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\n* OK [HIGHESTMODSEQ *\na OK *\n");
    EXPECT(A, "b STORE 1 +FLAGS (\\Seen)\r\n", "* 1 FETCH (UID 1 *\nb OK *\n");
    EXPECT(B, "a STORE 4 +FLAGS.SILENT (\\Deleted)\r\n", "...\na OK *\n");
    EXPECT(A, "c NOOP\r\n", "* 4 FETCH (UID 4 *\nc OK *\n");
    before = highest_modseq(A);
    EXPECT(B, "b EXPUNGE\r\n", "...\nb OK *\n");
    EXPECT(A, "d STORE 2 +FLAGS.SILENT (\\Seen)\r\n",
           "* 2 FETCH (UID 2 MODSEQ (*\n* OK [HIGHESTMODSEQ *\nd OK *\n");
    assert_int_equal(number_after(A, "[HIGHESTMODSEQ "), before);
    assert_true(number_after(A, "MODSEQ (") > before);
    EXPECT(A, "e STORE 3 +FLAGS.SILENT (\\Seen)\r\n",
           "* 3 FETCH (UID 3 MODSEQ (*\n* OK [HIGHESTMODSEQ *\ne OK *\n");
    assert_int_equal(number_after(A, "[HIGHESTMODSEQ "), before);
    EXPECT(A, "f NOOP\r\n", "* VANISHED 4\n* OK [HIGHESTMODSEQ *\nf OK *\n");
    assert_true(number_after(A, "[HIGHESTMODSEQ ") > before);
    EXPECT(A, "g NOOP\r\n", "g OK *\n");
}

static void test_gone(void **state)
{
    EXPECT(B, "a STORE 2 +FLAGS.SILENT (\\Deleted)\r\n", "a OK *\n");
    EXPECT(B, "b EXPUNGE\r\n", "* 2 EXPUNGE\nb OK *\n");
    EXPECT(A, "a STORE 1:3 +FLAGS (\\Seen)\r\n",
           "* 1 FETCH (FLAGS (\\Seen))\n* 3 FETCH (FLAGS (\\Seen))\na OK *\n");
    EXPECT(A, "b UID STORE 3 -FLAGS (\\Seen)\r\n",
           "* 3 FETCH (UID 3 FLAGS ())\n* 2 EXPUNGE\nb OK *\n");
}

/* One message a turn: what is refused in all of them is told at the end, and what was told is no
 * news any more. */
static void test_turns(void **state)
{
    AUTO(buf_free) struct buf input = { 0 };
    unsigned long long before;

    dialogue.settings.change_slice = 1;
    EXPECT(A, "a ENABLE CONDSTORE\r\n", "...\na OK *\n");
    before = highest_modseq(A);
    EXPECT(B, "b STORE 2,4 +FLAGS.SILENT (\\Flagged)\r\n", "b OK *\n");
    buf_fmt(&input, "c STORE 1:4 (UNCHANGEDSINCE %llu) +FLAGS (\\Seen)\r\n", before);
    EXPECT(A, buf_text(&input),
           "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (*\n* 3 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (*\n"
           "* 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (*\n"
           "* 4 FETCH (UID 4 FLAGS (\\Flagged) MODSEQ (*\nc OK [MODIFIED 2,4] *\n");
    EXPECT(A, "d STORE 1:4 FLAGS.SILENT ()\r\n",
           "* 1 FETCH (UID 1 MODSEQ (*\n* 2 FETCH (UID 2 MODSEQ (*\n"
           "* 3 FETCH (UID 3 MODSEQ (*\n* 4 FETCH (UID 4 MODSEQ (*\nd OK *\n");
    EXPECT(A, "e NOOP\r\n", "e OK *\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_flags),
        TEST(test_read_only),
        TEST(test_silent_tells_others),
        TEST(test_unchanged_since),
        TEST(test_condstore_enabled),
        TEST(test_held_expunge),
        TEST(test_gone),
        TEST(test_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_connection.c - what concerns the connection and the command in hand: UNAUTHENTICATE (RFC
 * 8437), COMPRESS (RFC 4978), INPROGRESS (RFC 9585), UIDBATCHES. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static struct dialogue dialogue;

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    for (int i = 0; i < 3; i++)
        rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "Subject: hello\r\n\r\nworld\r\n");
    dialogue_login(&dialogue, &dialogue.a);
    return 0;
}

static int tear_down(void **state)
{
    dialogue_close(&dialogue);
    return 0;
}

/* Section 4.1: whatever was enabled, selected or saved is gone, and so is the user. */
static void test_unauthenticate(void **state)
{
    EXPECT(&dialogue.a, "a ENABLE QRESYNC IMAP4rev2 UIDONLY UTF8=ACCEPT METADATA\r\n",
           "...\na OK *\n");
    EXPECT(&dialogue.a, "b SELECT INBOX\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.a, "c UID SEARCH RETURN (SAVE) ALL\r\n", "c OK *\n");
    EXPECT(&dialogue.a, "d UNAUTHENTICATE x\r\n", "d BAD *\n");
    EXPECT(&dialogue.a, "d UNAUTHENTICATE\r\n", "d OK *\n");
    EXPECT(&dialogue.a, "e NOOP\r\ne SELECT INBOX\r\ne UNAUTHENTICATE\r\n",
           "e OK *\ne BAD *\ne BAD *\n");
    EXPECT(&dialogue.a, "f LOGIN eve@example.test secret\r\nf SELECT INBOX\r\n",
           "f OK *\n...\n* 0 EXISTS\n* 0 RECENT\n...\nf OK *\n");
    EXPECT(&dialogue.a, "g UNAUTHENTICATE\r\ng LOGIN bob@example.test secret\r\n",
           "g OK *\ng OK *\n");
    EXPECT(&dialogue.a, "h SELECT INBOX\r\n",
           "* FLAGS *\n* OK [PERMANENTFLAGS *\n* 3 EXISTS\n* 0 RECENT\n* OK [UNSEEN 1] *\n...\nh "
           "OK *\n");
    EXPECT(&dialogue.a, "i SEARCH $\r\n", "* SEARCH\ni OK *\n");
    EXPECT(&dialogue.a, "j FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS ())\nj OK *\n");
    EXPECT(&dialogue.a, "k STATUS \"\xc3\xa4\" (MESSAGES)\r\n", "k NO [CANNOT] *\n");
}

/* Another's mailbox with a search that is kept up to date, NOTIFY, and news of METADATA: then bob
 * is gone, and whoever comes hears nothing of it. */
static void test_nothing_stays(void **state)
{
    struct rig *bob = &dialogue.a, *eve = &dialogue.b;

    rig_start(eve, &imap_protocol, &dialogue.imap);
    EXPECT(eve,
           "a LOGIN eve@example.test secret\r\n"
           "a SETACL INBOX bob@example.test lrsit\r\n",
           "...\na OK *\n");
    EXPECT(bob, "b ENABLE METADATA CONDSTORE UIDONLY\r\n", "* ENABLED *\nb OK *\n");
    EXPECT(bob, "b SELECT \"Other Users/eve@example.test/INBOX\"\r\n", "...\nb OK *\n");
    EXPECT(bob, "c1 UID SEARCH RETURN (UPDATE SAVE COUNT) ALL\r\n", "* ESEARCH *\nc1 OK *\n");
    EXPECT(bob,
           "b NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew "
           "MessageExpunge))\r\n",
           "b OK *\n");
    assert_true(bob->call.hears);
    assert_non_null(bob->call.watch);
    EXPECT(bob, "b UNAUTHENTICATE\r\n", "b OK *\n");
    assert_false(bob->call.hears);
    assert_null(bob->call.watch);
    rig_append(bob, bob->eve, "INBOX", "Subject: new\r\n\r\nx\r\n");
    rig_append(bob, bob->bob, "Sent", "Subject: new\r\n\r\nx\r\n");
    EXPECT(eve, "e SETMETADATA INBOX (/shared/comment \"new\")\r\n", "e OK *\n");
    EXPECT(bob, "d NOOP\r\nd LOGIN bob@example.test secret\r\nd NOOP\r\n",
           "d OK *\nd OK *\nd OK *\n");
    EXPECT(bob, "e CANCELUPDATE \"c1\"\r\ne SELECT INBOX\r\ne CANCELUPDATE \"c1\"\r\n",
           "e BAD *\n...\ne OK *\ne BAD *\n");
    EXPECT(bob, "f FETCH 1 FLAGS\r\nf STORE 1 FLAGS (\\Seen)\r\n",
           "* 1 FETCH (FLAGS (\\Recent))\nf OK *\n"
           "* 1 FETCH (FLAGS (\\Seen \\Recent))\nf OK *\n");
    EXPECT(bob, "g SEARCH RETURN (COUNT) $\r\n", "* ESEARCH (TAG \"g\") COUNT 0\ng OK *\n");
    rig_stop(eve);
}

static void test_compress(void **state)
{
    AUTO(deflater_free) struct deflater *deflater = deflater_new();
    AUTO(buf_free) struct buf said = { 0 };

    EXPECT(&dialogue.a, "a COMPRESS DEFLATE\r\n", "a OK *\n");
    buf_add_text(&said,
                 "b COMPRESS DEFLATE\r\nb APPEND INBOX {24}\r\nSubject: x\r\n\r\n0123456789\r\n"
                 "c UNAUTHENTICATE\r\n");
    deflater_run(deflater, &said);
    buf_add_text(&said, "d LOGIN bob@example.test secret\r\nd COMPRESS DEFLATE\r\n");
    rig_say_bytes(&dialogue.a, buf_slice(&said));
    assert_non_null(strstr(rig_text(&dialogue.a), "b NO [COMPRESSIONACTIVE] "));
    assert_non_null(strstr(rig_text(&dialogue.a), "b OK [APPENDUID "));
    assert_non_null(strstr(rig_text(&dialogue.a), "c OK "));
    assert_non_null(strstr(rig_text(&dialogue.a), "d OK [CAPABILITY "));
    assert_non_null(strstr(rig_text(&dialogue.a), "d OK DEFLATE"));
    assert_true(dialogue.a.call.compressed);
}

static void test_progress(void **state)
{
    dialogue.settings.progress = 0;
    dialogue.settings.search_slice = 1;
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "A[1] SEARCH BODY world\r\n",
           "* OK [INPROGRESS (\"A[1]\" 1 3)] *\n* OK [INPROGRESS (\"A[1]\" 2 3)] *\n"
           "* OK [INPROGRESS (\"A[1]\" 3 NIL)] *\n* SEARCH 1 2 3\nA[1] OK *\n");
    dialogue.settings.progress = 3600 * 1000;
    EXPECT(&dialogue.a, "c SEARCH BODY world\r\n", "* SEARCH 1 2 3\nc OK *\n");
}

/* A big literal needs many turns: nothing comes between its bytes. */
static void test_progress_fetch(void **state)
{
    AUTO(buf_free) struct buf big = { 0 };

    buf_add_text(&big, "Subject: big\r\n\r\n");
    for (int i = 0; i < 100000; i++)
        buf_add_text(&big, "line\r\n");
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", buf_text(&big));
    dialogue.settings.progress = 0;
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    rig_say(&dialogue.a, "b FETCH 4 BODY.PEEK[]\r\n");
    assert_non_null(strstr(rig_text(&dialogue.a), buf_text(&big)));
    rig_say(&dialogue.a, "c FETCH 1:4 BODY.PEEK[]<0.590000>\r\n");
    assert_non_null(strstr(rig_text(&dialogue.a), "c OK "));
}

/* The newest first; expunged UIDs lie between. */
static void test_uidbatches(void **state)
{
    for (int i = 0; i < 1100; i++)
        rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "Subject: many\r\n\r\nx\r\n");
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "b UIDBATCHES 500\r\n",
           "* UIDBATCHES (TAG \"b\") 1103:604,603:104,103:1\nb OK *\n");
    EXPECT(&dialogue.a, "c UIDBATCHES 500 2:2\r\n", "* UIDBATCHES (TAG \"c\") 603:104\nc OK *\n");
    EXPECT(&dialogue.a, "d UIDBATCHES 500 3:9\r\n", "* UIDBATCHES (TAG \"d\") 103:1\nd OK *\n");
    EXPECT(&dialogue.a, "e UIDBATCHES 500 4:9\r\n", "* UIDBATCHES (TAG \"e\")\ne OK *\n");
    EXPECT(&dialogue.a, "f STORE 1:600,1103 +FLAGS.SILENT (\\Deleted)\r\nf EXPUNGE\r\n",
           "f OK *\n...\nf OK *\n");
    EXPECT(&dialogue.a, "g UIDBATCHES 4294967295\r\n",
           "* UIDBATCHES (TAG \"g\") 1102:601\ng OK *\n");
    EXPECT(&dialogue.a, "h UIDBATCHES 501\r\n",
           "* UIDBATCHES (TAG \"h\") 1102:602,601:601\nh OK *\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unauthenticate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compress, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_progress, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_progress_fetch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_uidbatches, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_milter.c - the milter client: packets, changes to a header, and whole conversations. */
#include "smtpd/milter/changes.h"
#include "tests/unit/smtpd/milter_play.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/rig.h"

#include <stdlib.h>

#define WITH_NULS(text)                                                                            \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct {
    const char *name;
    struct slice bytes;
    enum parse want;
    bool reads; /* as a reply */
} frames[] = {
    { "continue", WITH_NULS("\0\0\0\1c"), PARSE_OK, true },
    { "unknown", WITH_NULS("\0\0\0\1?"), PARSE_OK, false },
    { "empty", WITH_NULS("\0\0\0\0"), PARSE_BAD, false },
    { "too long", WITH_NULS("\0\x10\0\1c"), PARSE_BAD, false },
    { "hugely long", WITH_NULS("\xff\xff\xff\xff"), PARSE_BAD, false },
    { "header", WITH_NULS("\0\0\0\5hA\0b\0"), PARSE_OK, true },
    { "header without its last NUL", WITH_NULS("\0\0\0\4hA\0b"), PARSE_OK, false },
    { "insert", WITH_NULS("\0\0\0\11i\0\0\0\1A\0b\0"), PARSE_OK, true },
    { "insert, half an index", WITH_NULS("\0\0\0\4i\0\0\0"), PARSE_OK, false },
    { "reply code", WITH_NULS("\0\0\0\5y550\0"), PARSE_OK, true },
    { "negotiation", WITH_NULS("\0\0\0\15O\0\0\0\6\0\0\0\1\0\0\0\0"), PARSE_OK, true },
    { "short negotiation", WITH_NULS("\0\0\0\11O\0\0\0\6\0\0\0\1"), PARSE_OK, false },
    { "CHGFROM without parameters", WITH_NULS("\0\0\0\5e<a>\0"), PARSE_OK, true },
};

static void test_frames(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        struct slice bytes = frames[i].bytes;
        struct frame frame;
        struct frame_reply reply;

        for (size_t cut = 0; cut < bytes.len; cut++) {
            enum parse parse = frame_parse(slice_part(bytes, 0, cut), &frame);

            assert_true(parse == PARSE_MORE || (frames[i].want == PARSE_BAD && parse == PARSE_BAD));
        }
        assert_int_equal(frame_parse(bytes, &frame), frames[i].want);
        if (frames[i].want != PARSE_OK)
            continue;
        assert_int_equal(FRAME_HEAD + frame.data.len, bytes.len);
        if (frame_read(&frame, &reply) != frames[i].reads)
            fail_msg("%s", frames[i].name);
    }
}

static const struct {
    const char *name, *header, *script, *want;
} changes[] = {
    { "none", "A: 1\r\n\r\n", "", "A: 1\r\n\r\n" },
    { "add", "A: 1\r\n\r\n", "hB|2|", "A: 1\r\nB: 2\r\n\r\n" },
    { "add to nothing", "", "hB|2|", "B: 2\r\n" },
    { "add to a header without an end", "A: 1", "hB|2|", "A: 1\r\nB: 2\r\n" },
    { "insert on top", "A: 1\r\n\r\n", "i0,B|2|", "B: 2\r\nA: 1\r\n\r\n" },
    { "insert behind the first", "A: 1\r\nC: 3\r\n\r\n", "i1,B|2|",
      "A: 1\r\nB: 2\r\nC: 3\r\n\r\n" },
    { "insert far down", "A: 1\r\n\r\n", "i9,B|2|", "A: 1\r\nB: 2\r\n\r\n" },
    { "change the second", "A: 1\r\nB: x\r\na: 2\r\n\r\n", "m2,A|3|",
      "A: 1\r\nB: x\r\nA: 3\r\n\r\n" },
    { "remove", "A: 1\r\nB: x\r\n y\r\nC: 2\r\n\r\n", "m1,B||", "A: 1\r\nC: 2\r\n\r\n" },
    { "change what is not there", "A: 1\r\n\r\n", "m1,B|2|", "A: 1\r\nB: 2\r\n\r\n" },
    { "remove what is not there", "A: 1\r\n\r\n", "m1,B||", "A: 1\r\n\r\n" },
    { "one after the other", "A: 1\r\n\r\n", "hB|2| m1,B|3| hC|4| m1,A||", "B: 3\r\nC: 4\r\n\r\n" },
    { "folded", "A: 1\r\n\r\n", "hB|2\n_3\r\n\t4|", "A: 1\r\nB: 2\r\n 3\r\n\t4\r\n\r\n" },
    { "lines that would be fields", "A: 1\r\n\r\n", "hB|2\nC:_3\r\n\r\nX|",
      "A: 1\r\nB: 2\r\n\tC: 3\r\n\tX\r\n\r\n" },
    { "names that are none", "A: 1\r\n\r\n", "hB_B|2| hB:|2| h|2| hB\r\nC|2|", "A: 1\r\n\r\n" },
    { "empty value", "A: 1\r\n\r\n", "hB||", "A: 1\r\nB: \r\n\r\n" },
};

/* The changes of a script, as the conversation notes them. */
static void note_changes(struct milter_task *task, const char *script, struct buf *bytes)
{
    struct slice rest;
    struct frame frame;

    milter_play_script(script, bytes);
    rest = buf_slice(bytes);
    task->last_change = &task->first_change;
    while (frame_parse(rest, &frame) == PARSE_OK) {
        struct milter_change *change = ARENA_NEW(&task->arena, struct milter_change);

        assert_true(frame_read(&frame, &change->reply));
        *task->last_change = change;
        task->last_change = &change->next;
        rest = slice_from(rest, FRAME_HEAD + frame.data.len);
    }
}

static void test_changes(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct milter_task task = { 0 };
        struct buf bytes = { 0 }, out = { 0 };

        note_changes(&task, changes[i].script, &bytes);
        changes_apply(&task, slice_of(changes[i].header), false, &out);
        if (!buf_is(&out, changes[i].want))
            fail_msg("%s: %s", changes[i].name, buf_text(&out));
        buf_free(&bytes);
        buf_free(&out);
        milter_task_free(&task);
    }
}

static void test_end_of_header_before_a_body(void **unused)
{
    struct milter_task task = { 0 };
    struct buf bytes = { 0 }, out = { 0 };

    note_changes(&task, "hB|2|", &bytes);
    changes_apply(&task, SLICE("A: 1\r\n"), true, &out);
    assert_true(buf_is(&out, "A: 1\r\nB: 2\r\n\r\n"));
    buf_free(&bytes);
    buf_free(&out);
    milter_task_free(&task);
}

static const struct {
    const char *text;
    bool good;
    const char *address;
    uint16_t port;
} servers[] = {
    { "inet:127.0.0.1:11332", true, "127.0.0.1", 11332 },
    { "inet:[::1]:8891", true, "::1", 8891 },
    { "  inet:localhost:1", true, "127.0.0.1", 1 },
    { "unix:/run/x.sock unix:/y", true, "/run/x.sock", 0 },
    { "inet:filter.example:1", false, "", 0 },
    { "inet:127.0.0.1", false, "", 0 },
    { "inet:127.0.0.1:0", false, "", 0 },
    { "inet:127.0.0.1:65536", false, "", 0 },
    { "unix:relative", false, "", 0 },
    { "127.0.0.1:5", false, "", 0 },
    { "inet:127.0.0.1:1 nonsense", false, "", 0 },
};

static void test_servers(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        struct milter_servers parsed;
        struct error err;

        assert_int_equal(milter_servers_parse(slice_of(servers[i].text), &parsed, &err),
                         servers[i].good);
        if (!servers[i].good)
            continue;
        assert_string_equal(parsed.items[0].address, servers[i].address);
        assert_int_equal(parsed.items[0].port, servers[i].port);
        milter_servers_free(&parsed);
    }
}

/* --- conversations --- */

#define HEADER "From: a@far.test\r\nSubject: two\r\n lines\r\n\r\n"
#define BODY   "Hello\r\n"

static const struct slice recipients[] = { { "bob@example.test", 16 }, { "eve@example.test", 16 } };
static unsigned n_ended;

static void on_ended(struct milter_task *task)
{
    n_ended++;
}

static const struct protocol protocol = {
    .name = "milter", .open = milter_open, .run = milter_run, .close = milter_close
};

static struct milter_task make_task(struct rig *rig)
{
    static const struct conn_peer peer = { "192.0.2.1", 4000 };

    return (struct milter_task){
        .facts = { .hostname = "mx.test",
                   .peer = &peer,
                   .client_name = "",
                   .helo = SLICE("client.test"),
                   .login_method = "",
                   .tls_name = "TLS1.3 AES-256-GCM",
                   .trace_id = 0xabc,
                   .sender = SLICE("a@far.test"),
                   .recipients = recipients,
                   .n_recipients = 2,
                   .header = SLICE(HEADER),
                   .body = SLICE(BODY) },
        .timeout_ms = 30000,
        .size_max = 1000,
        .store = rig->store,
        .ended = on_ended,
    };
}

#define ALL                                                                                        \
    "O0 c c c c c c c c c c " /* CONNECT HELO MAIL RCPT RCPT DATA HEADER HEADER EOH BODY           \
                               */

static const struct {
    const char *name, *script, *commands;
    enum milter_verdict verdict;
    const char *text;
    size_t n_changes;
} talks[] = {
    { "all steps", ALL "c", "ODCDHDMDRDRDTLLDNBDEQ", MILTER_PASS, "", 0 },
    { "nothing wanted but the end", "O37f c", "ODEQ", MILTER_PASS, "", 0 },
    { "nothing answered", "Odf080 c", "ODCDHDMDRDRDTLLDNBDEQ", MILTER_PASS, "", 0 },
    { "accepts the client", "O0 a", "ODCQ", MILTER_PASS, "", 0 },
    { "refuses the greeting", "O0 c r", "ODCDHQ", MILTER_REFUSE,
      "550 5.7.1 The message is refused by a filter", 0 },
    { "refuses a recipient", "O0 c c c c r", "ODCDHDMDRDRQ", MILTER_REFUSE,
      "550 5.7.1 The message is refused by a filter", 0 },
    { "not now", ALL "t", "ODCDHDMDRDRDTLLDNBDEQ", MILTER_REFUSE,
      "451 4.7.1 A filter asks to try again later", 0 },
    { "its own reply", "O0 y554_5.7.1_Spam|", "ODCQ", MILTER_REFUSE, "554 5.7.1 Spam", 0 },
    { "several lines", "O0 y554-5.7.1_One\r\n554_5.7.1_Two|", "ODCQ", MILTER_REFUSE,
      "554 5.7.1 One", 0 },
    { "a reply that would break ours", "O0 y550_a\nb\001\377|", "ODCQ", MILTER_REFUSE, "550 a?b??",
      0 },
    { "421 ends no session", "O0 y421_4.7.0_Later|", "ODCQ", MILTER_REFUSE, "451 4.7.0 Later", 0 },
    { "a reply that is no refusal", "O0 y250_Ok|", "ODCQ", MILTER_REFUSE,
      "550 5.7.1 The message is refused by a filter", 0 },
    { "throws it away", ALL "d", "ODCDHDMDRDRDTLLDNBDEQ", MILTER_DISCARD, "", 0 },
    { "changes", ALL "hX-A|b| +<x@y.test>| q p -<z@y.test>| c", "ODCDHDMDRDRDTLLDNBDE", MILTER_LOST,
      "its reply is not of the milter protocol", 2 },
    { "quarantine", ALL "hX-A|b| +<x@y.test>| qspam| p c", "ODCDHDMDRDRDTLLDNBDEQ", MILTER_PASS, "",
      2 },
    { "changes too early", "O0 c hX-A|b|", "ODCDH", MILTER_LOST,
      "it changes the message before its end", 0 },
    { "skips the body", "O0 c c c c c c c c c s c", "ODCDHDMDRDRDTLLDNBDEQ", MILTER_PASS, "", 0 },
    { "skips the end", ALL "s", "ODCDHDMDRDRDTLLDNBDE", MILTER_LOST, "it skips the end", 0 },
    { "goes away at once", "", "O", MILTER_LOST, "the connection was lost", 0 },
    { "goes away in the middle", "O0 c c", "ODCDHDM", MILTER_LOST, "the connection was lost", 0 },
    { "shuts down", "O0 4", "ODC", MILTER_LOST, "it shuts down", 0 },
    { "does not negotiate", "c", "O", MILTER_LOST, "it does not negotiate", 0 },
    { "negotiates again", "O0 O0", "ODC", MILTER_LOST, "it negotiates again", 0 },
    { "asks for too much", "O80000000", "O", MILTER_LOST, "it asks for more than is offered", 0 },
    { "garbage", "O0 Xyz", "ODC", MILTER_LOST, "its reply is not of the milter protocol", 0 },
};

static void check_talk(struct rig *rig, size_t i, size_t step)
{
    struct milter_task task = make_task(rig);
    struct buf bytes = { 0 }, heard = { 0 }, commands = { 0 };

    n_ended = 0;
    milter_play_script(talks[i].script, &bytes);
    milter_play(&protocol, &task, buf_slice(&bytes), step, &heard);
    milter_play_commands(buf_slice(&heard), &commands);
    if (task.verdict != talks[i].verdict || strcmp(task.text, talks[i].text) != 0 ||
        task.n_changes != talks[i].n_changes || !buf_is(&commands, talks[i].commands) ||
        n_ended != 1)
        fail_msg("%s by %zu: verdict %d \"%s\", %zu changes, %s", talks[i].name, step, task.verdict,
                 task.text, task.n_changes, buf_text(&commands));
    buf_free(&bytes);
    buf_free(&heard);
    buf_free(&commands);
    milter_task_free(&task);
}

static void test_talks(void **state)
{
    for (size_t i = 0; i < COUNT_OF(talks); i++) {
        check_talk(*state, i, SIZE_MAX / 2);
        check_talk(*state, i, 1);
    }
}

/* What filters of Postfix read in macros and commands. */
static void test_what_it_is_told(void **state)
{
    static const struct slice told[] = {
        WITH_NULS("DCj\0mx.test\0v\0Postane "),
        WITH_NULS("{client_addr}\0"
                  "192.0.2.1\0"),
        WITH_NULS("C[192.0.2.1]\0"
                  "4\x0f\xa0"
                  "192.0.2.1\0"),
        WITH_NULS("DH{tls_version}\0TLSv1.3\0{cipher}\0"
                  "AES-256-GCM\0"),
        WITH_NULS("Hclient.test\0"),
        WITH_NULS("DMi\0"
                  "0000000000000abc\0{mail_addr}\0a@far.test\0{mail_host}\0"
                  "far.test\0"),
        WITH_NULS("M<a@far.test>\0"),
        WITH_NULS("R<eve@example.test>\0"),
        WITH_NULS("LSubject\0two\n lines\0"),
        WITH_NULS("BHello\r\n"),
    };
    struct milter_task task = make_task(*state);
    struct buf bytes = { 0 }, heard = { 0 };

    milter_play_script(ALL "c", &bytes);
    milter_play(&protocol, &task, buf_slice(&bytes), 4096, &heard);
    for (size_t i = 0; i < COUNT_OF(told); i++)
        if (slice_search(buf_slice(&heard), told[i]) < 0)
            fail_msg("not told: %zu", i);
    buf_free(&bytes);
    buf_free(&heard);
    milter_task_free(&task);
}

static void test_new_body(void **state)
{
    struct milter_task task = make_task(*state);
    struct buf bytes = { 0 };
    struct slice body;
    struct error err;

    milter_play_script(ALL "bone\r bb\ntwo b\r c", &bytes);
    milter_play(&protocol, &task, buf_slice(&bytes), 3, NULL);
    assert_int_equal(task.verdict, MILTER_PASS);
    assert_true(body_finish(task.new_body, &err) && body_bytes(task.new_body, &body, &err));
    assert_int_equal(body.len, 13);
    assert_memory_equal(body.data, "one\r\nb\r\ntwo\r\n", 13);
    buf_free(&bytes);
    milter_task_free(&task);
}

/* A milter that says too much, of whatever it may say. */
static void test_limits(void **state)
{
    static const struct {
        const char *packet, *text;
    } cases[] = {
        { "hX|0123456789|", "it changes too much" },
        { "b0123456789_____", "its new body is too large" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct milter_task task = make_task(*state);
        struct buf bytes = { 0 };

        milter_play_script(ALL, &bytes);
        for (unsigned n = 0; n <= MILTER_CHANGES_MAX; n++)
            milter_play_script(cases[i].packet, &bytes);
        milter_play(&protocol, &task, buf_slice(&bytes), 4096, NULL);
        assert_int_equal(task.verdict, MILTER_LOST);
        assert_string_equal(task.text, cases[i].text);
        buf_free(&bytes);
        milter_task_free(&task);
    }
}

/* One that says "wait" for ever, byte by byte, is given up when its time is over. */
static void test_endless_progress(void **state)
{
    struct milter_task task = make_task(*state);
    struct buf bytes = { 0 };

    task.timeout_ms = 0;
    milter_play_script("O0 p p p", &bytes);
    milter_play(&protocol, &task, buf_slice(&bytes), 1, NULL);
    assert_int_equal(task.verdict, MILTER_LOST);
    assert_string_equal(task.text, "it takes too long");
    buf_free(&bytes);
    milter_task_free(&task);
}

static int open_rig(void **state)
{
    struct rig *rig = NEW(struct rig);

    rig_open(rig);
    *state = rig;
    return 0;
}

static int close_rig(void **state)
{
    rig_close(*state);
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_end_of_header_before_a_body),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_talks),
        cmocka_unit_test(test_what_it_is_told),
        cmocka_unit_test(test_new_body),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_endless_progress),
    };

    log_setup(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, open_rig, close_rig);
}

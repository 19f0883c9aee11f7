/* dialogue.c - see dialogue.h. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

void dialogue_open(struct dialogue *dialogue)
{
    struct error err;

    *dialogue = (struct dialogue){ 0 };
    rig_open(&dialogue->a);
    dialogue->b.store = dialogue->a.store;
    dialogue->b.desk = dialogue->a.desk;
    if (!settings_load("/dev/null", &dialogue->settings, &err))
        fail_msg("%s", err.text);
    dialogue->settings.plaintext = true;
    dialogue->settings.failure_delay = 0;
    dialogue->imap = (struct imap){ .settings = &dialogue->settings,
                                    .store = dialogue->a.store,
                                    .login = dialogue->a.login };
}

void dialogue_close(struct dialogue *dialogue)
{
    rig_stop(&dialogue->a);
    rig_stop(&dialogue->b);
    settings_free(&dialogue->settings);
    buf_free(&dialogue->b.answer);
    rig_close(&dialogue->a);
}

void dialogue_login(struct dialogue *dialogue, struct rig *rig)
{
    rig_start(rig, &imap_protocol, &dialogue->imap);
    EXPECT(rig, "0 LOGIN bob@example.test secret\r\n", "0 OK *\n");
}

/* One line of the pattern against one line of the answer, both without line ends. */
static bool line_matches(struct slice pattern, struct slice line)
{
    if (pattern.len > 0 && pattern.data[pattern.len - 1] == '*')
        return line.len >= pattern.len - 1 && memcmp(pattern.data, line.data, pattern.len - 1) == 0;
    return slice_equal(pattern, line);
}

static struct slice take_line(struct slice *rest)
{
    struct slice line = { 0 };

    slice_split(rest, '\n', &line);
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool text_matches(struct slice pattern, struct slice text)
{
    while (pattern.len > 0) {
        struct slice want = take_line(&pattern);

        if (slice_is(want, "...")) {
            for (struct slice rest = text;; take_line(&rest)) {
                if (text_matches(pattern, rest))
                    return true;
                if (rest.len == 0)
                    return false;
            }
        }
        if (text.len == 0 || !line_matches(want, take_line(&text)))
            return false;
    }
    return text.len == 0;
}

static void say_bytewise(struct rig *rig, const char *input)
{
    AUTO(buf_free) struct buf answers = { 0 };

    for (; *input != '\0' && !rig->closed; input++) {
        rig_say_bytes(rig, slice_make(input, 1));
        buf_move(&answers, &rig->answer);
    }
    buf_move(&rig->answer, &answers);
}

void dialogue_expect(struct rig *rig, const char *input, const char *pattern, bool bytewise,
                     const char *file, int line)
{
    if (bytewise)
        say_bytewise(rig, input);
    else if (input != NULL)
        rig_say(rig, input);
    if (!text_matches(slice_of(pattern), slice_of(rig_text(rig))))
        fail_msg("%s:%d: said\n%.300s\nexpected\n%s\ngot\n%.3000s", file, line,
                 input != NULL ? input : "nothing", pattern, rig_text(rig));
}

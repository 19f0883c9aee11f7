/* test_acl.c - two users: who sees and may do what in whose mailboxes (RFC 4314, RFC 2342). */
#include "storage/acl.h"
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdio.h>

#define BOBS      "\"Other Users/bob@example.test/INBOX\""
#define BOBS_SENT "\"Other Users/bob@example.test/Sent\""

/* Session a is bob, the owner; session b is eve. */
static void open_both(struct dialogue *dialogue)
{
    dialogue_open(dialogue);
    dialogue_login(dialogue, &dialogue->a);
    rig_start(&dialogue->b, &imap_protocol, &dialogue->imap);
    EXPECT(&dialogue->b, "0 LOGIN eve@example.test secret\r\n", "0 OK *\n");
}

static void close_both(struct dialogue *dialogue)
{
    rig_stop(&dialogue->a);
    rig_stop(&dialogue->b);
    dialogue_close(dialogue);
}

static void grant(struct dialogue *dialogue, const char *mailbox, const char *rights)
{
    char line[200];

    snprintf(line, sizeof(line), "s SETACL %s eve@example.test %s\r\n", mailbox, rights);
    EXPECT(&dialogue->a, line, "...\ns OK *\n");
}

static void test_acl_commands(void **state)
{
    static const struct {
        const char *input, *answer;
    } cases[] = {
        { "a GETACL INBOX\r\n",
          "* ACL \"INBOX\" \"bob@example.test\" \"lrswipkxteacd\"\na OK *\n" },
        { "a SETACL INBOX eve lrswikda\r\n", "a OK *\n" },
        { "a SETACL INBOX -anyone w\r\n", "a OK *\n" },
        { "a GETACL INBOX\r\n", "* ACL \"INBOX\" \"bob@example.test\" \"lrswipkxteacd\" "
                                "\"-anyone\" \"w\" \"eve@example.test\" \"lrswikteacd\"\n"
                                "a OK *\n" },
        { "a SETACL INBOX eve@example.test -ad\r\n", "a OK *\n" },
        { "a SETACL INBOX eve@example.test +x\r\n", "a OK *\n" },
        { "a DELETEACL INBOX -anyone\r\n", "a OK *\n" },
        { "a GETACL INBOX\r\n", "* ACL \"INBOX\" \"bob@example.test\" \"lrswipkxteacd\" "
                                "\"eve@example.test\" \"lrswikxc\"\na OK *\n" },
        { "a SETACL INBOX eve \"\"\r\n", "a OK *\n" },
        { "a GETACL INBOX\r\n",
          "* ACL \"INBOX\" \"bob@example.test\" \"lrswipkxteacd\"\na OK *\n" },
        { "a SETACL INBOX eve lrQswicda\r\n", "a BAD *\n" },
        { "a SETACL INBOX eve lrqswicda\r\n", "a BAD *\n" },
        { "a SETACL INBOX eve\r\n", "a BAD *\n" },
        { "a SETACL INBOX \"\" lr\r\n", "a BAD *\n" },
        { "a SETACL INBOX - lr\r\n", "a BAD *\n" },
        { "a SETACL INBOX nobody lr\r\n", "a NO *\n" },
        { "a SETACL INBOX Anyone lr\r\n", "a NO *\n" },
        { "a SETACL nothing eve lr\r\n", "a NO [NONEXISTENT] *\n" },
        { "a SETACL INBOX bob lr\r\n", "a NO [CANNOT] *\n" },
        { "a SETACL INBOX bob +lr\r\n", "a OK *\n" },
        { "a SETACL INBOX -bob lr\r\n", "a NO [CANNOT] *\n" },
        { "a DELETEACL INBOX bob\r\n", "a NO [CANNOT] *\n" },
        { "a DELETEACL INBOX eve\r\n", "a OK *\n" },
        { "a LISTRIGHTS INBOX eve\r\n",
          "* LISTRIGHTS \"INBOX\" \"eve\" \"\" l r s w i p k x t e a c d\na OK *\n" },
        { "a LISTRIGHTS INBOX -anyone\r\n",
          "* LISTRIGHTS \"INBOX\" \"-anyone\" \"\" l r s w i p k x t e a c d\na OK *\n" },
        { "a LISTRIGHTS INBOX bob\r\n", "* LISTRIGHTS \"INBOX\" \"bob\" lrswipkxteacd\na OK *\n" },
        { "a LISTRIGHTS INBOX\r\n", "a BAD *\n" },
        { "a MYRIGHTS INBOX\r\n", "* MYRIGHTS \"INBOX\" \"lrswipkxteacd\"\na OK *\n" },
        { "a MYRIGHTS\r\n", "a BAD *\n" },
        { "a MYRIGHTS nothing\r\n", "a NO [NONEXISTENT] *\n" },
    };
    struct dialogue dialogue;

    (void)state;
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        open_both(&dialogue);
        for (size_t i = 0; i < COUNT_OF(cases); i++)
            dialogue_expect(&dialogue.a, cases[i].input, cases[i].answer, bytewise != 0, __FILE__,
                            (int)i);
        close_both(&dialogue);
    }
}

/* Every command that names a mailbox, and the right it needs: with all but this it is refused, with
 * this and nothing but "l" beside it is done. */
static void test_rights_by_name(void **state)
{
    static const struct {
        const char *needs, *command, *done, *refused;
    } cases[] = {
        { "r", "b SELECT " BOBS "\r\n", "...\nb OK *\n", "b NO [NOPERM] *\n" },
        { "r", "b EXAMINE " BOBS "\r\n", "...\nb OK *\n", "b NO [NOPERM] *\n" },
        { "r", "b STATUS " BOBS " (MESSAGES)\r\n", "* STATUS *\nb OK *\n", "b NO [NOPERM] *\n" },
        { "i", "b APPEND " BOBS " {3+}\r\nx: \r\n", "b OK APPEND completed\n",
          "b NO [NOPERM] *\n" },
        { "k", "b CREATE \"Other Users/bob@example.test/INBOX/new\"\r\n", "b OK *\n",
          "b NO [NOPERM] *\n" },
        { "x", "b DELETE \"Other Users/bob@example.test/INBOX/old\"\r\n", "b OK *\n",
          "b NO [NOPERM] *\n" },
        { "kx",
          "b RENAME \"Other Users/bob@example.test/INBOX/old\""
          " \"Other Users/bob@example.test/INBOX/moved\"\r\n",
          "b OK *\n", "b NO [NOPERM] *\n" },
        { "a", "b SETACL " BOBS " anyone p\r\n", "b OK *\n", "b NO [NOPERM] *\n" },
        { "a", "b DELETEACL " BOBS " anyone\r\n", "b OK *\n", "b NO [NOPERM] *\n" },
        { "a", "b GETACL " BOBS "\r\n", "* ACL *\nb OK *\n", "b NO [NOPERM] *\n" },
        { "a", "b LISTRIGHTS " BOBS " anyone\r\n", "* LISTRIGHTS *\nb OK *\n",
          "b NO [NOPERM] *\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dialogue dialogue;
        char rights[20];

        open_both(&dialogue);
        EXPECT(&dialogue.a, "a CREATE INBOX/old\r\n", "a OK *\n");
        for (const char *needed = cases[i].needs; *needed != '\0'; needed++) {
            char *at = rights;

            for (const char *all = "lrswipkxtea"; *all != '\0'; all++)
                if (*all != *needed)
                    *at++ = *all;
            *at = '\0';
            grant(&dialogue, "INBOX", rights);
            grant(&dialogue, "INBOX/old", rights);
            dialogue_expect(&dialogue.b, cases[i].command, cases[i].refused, false, __FILE__,
                            (int)i);
        }
        snprintf(rights, sizeof(rights), "l%s", cases[i].needs);
        grant(&dialogue, "INBOX", rights);
        grant(&dialogue, "INBOX/old", rights);
        dialogue_expect(&dialogue.b, cases[i].command, cases[i].done, false, __FILE__, (int)i);
        close_both(&dialogue);
    }
}

/* The account in place of "@@". */
static void say_about(struct rig *rig, const char *command, const char *account)
{
    const char *at = strstr(command, "@@");
    char line[200];

    snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - command), command, account, at + 2);
    rig_say(rig, line);
}

/* Everything that takes a name, with "@@" for an account or a mailbox; the last ones answer OK. */
#define NAMED "\"Other Users/@@\""
static const char *const naming[] = {
    "b SELECT " NAMED "\r\n",
    "b EXAMINE " NAMED "\r\n",
    "b STATUS " NAMED " (MESSAGES)\r\n",
    "b CREATE \"Other Users/@@/new\"\r\n",
    "b DELETE " NAMED "\r\n",
    "b RENAME " NAMED " mine\r\n",
    "b RENAME Sent " NAMED "\r\n",
    "b APPEND " NAMED " {3+}\r\nx: \r\n",
    "b COPY 1 " NAMED "\r\n",
    "b UID MOVE 1 " NAMED "\r\n",
    "b UID REPLACE 1 " NAMED " {3+}\r\nx: \r\n",
    "b APPEND INBOX CATENATE (URL \"/Other%20Users/@@/;UID=1\")\r\n",
    "b GETACL " NAMED "\r\n",
    "b SETACL " NAMED " eve lr\r\n",
    "b DELETEACL " NAMED " eve\r\n",
    "b LISTRIGHTS " NAMED " eve\r\n",
    "b MYRIGHTS " NAMED "\r\n",
    "b GETMETADATA " NAMED " /shared/comment\r\n",
    "b SETMETADATA " NAMED " (/private/comment x)\r\n",
    "b RESETKEY " NAMED "\r\n",
    "b GENURLAUTH \"imap://eve@example.test/Other%20Users/@@/;UID=1;URLAUTH=anonymous\""
    " INTERNAL\r\n",
    "b GETQUOTAROOT " NAMED "\r\n",
    "b ESEARCH IN (mailboxes " NAMED ") ALL\r\n",
    "b ESEARCH IN (subtree " NAMED ") ALL\r\n",
    "b NOTIFY SET (mailboxes " NAMED " (MessageNew MessageExpunge))\r\n",
    "b LIST \"\" " NAMED " RETURN (STATUS (MESSAGES) MYRIGHTS)\r\n",
    "b LSUB \"\" " NAMED "\r\n",
    "b URLFETCH "
    "\"imap://x@example.test/Other%20Users/@@/;UID=1;URLAUTH=anonymous:INTERNAL:00\"\r\n",
    "b SUBSCRIBE " NAMED "\r\n",
    "b UNSUBSCRIBE " NAMED "\r\n",
};

/* What is named, wherever an answer repeats it, as "@@" again. */
static void say_naming(struct rig *rig, const char *command, const char *name, struct buf *out)
{
    const char *at = strstr(command, "@@"), *text;
    size_t len = strlen(name);
    char line[300];

    snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - command), command, name, at + 2);
    rig_say(rig, line);
    for (text = rig_text(rig); *text != '\0';) {
        bool named = strncmp(text, name, len) == 0;

        buf_add_text(out, named ? "@@" : (char[]){ *text, '\0' });
        text += named ? len : 1;
    }
}

/* Without "l" a mailbox is as one that is not there, and so is an account that shares nothing:
 * RFC 4314 section 6. */
static void test_no_oracle(void **state)
{
    static const struct {
        const char *rights; /* on bob's Sent; none: "" */
        const char *there, *not_there;
    } cases[] = {
        { "", "bob@example.test/Sent", "bob@example.test/Nope" },
        { "", "bob@example.test/Drafts", "nob@example.test/Drafts" },
        { "p", "bob@example.test/Sent", "bob@example.test/Nope" },
        { "wst", "bob@example.test/Sent", "bob@example.test/Nope" },
    };
    struct dialogue dialogue;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        open_both(&dialogue);
        EXPECT(&dialogue.b, "b APPEND INBOX {3+}\r\nx: \r\n", "b OK *\n");
        EXPECT(&dialogue.b, "b SELECT INBOX\r\n", "...\nb OK *\n");
        if (cases[i].rights[0] != '\0') {
            grant(&dialogue, "Sent", cases[i].rights);
            grant(&dialogue, "INBOX", "lr");
        }
        for (size_t k = 0; k < COUNT_OF(naming); k++) {
            AUTO(buf_free) struct buf there = { 0 };
            AUTO(buf_free) struct buf not_there = { 0 };

            rig_say(&dialogue.b, "n SELECT INBOX\r\n");
            say_naming(&dialogue.b, naming[k], cases[i].there, &there);
            rig_say(&dialogue.b, "n NOTIFY NONE\r\n");
            rig_say(&dialogue.b, "n SELECT INBOX\r\n");
            say_naming(&dialogue.b, naming[k], cases[i].not_there, &not_there);
            assert_string_equal(buf_text(&there), buf_text(&not_there));
        }
        close_both(&dialogue);
    }
}

/* An account is listed when something in it can be, RFC 4314 section 4. */
static void test_levels(void **state)
{
    static const struct {
        const char *rights, *answer;
    } cases[] = {
        { "p", "b OK *\n" },
        { "rwi", "b OK *\n" },
        { "l",
          "* LIST (\\Noselect \\HasChildren) \"/\" \"Other Users/bob@example.test\"\nb OK *\n" },
    };
    struct dialogue dialogue;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        open_both(&dialogue);
        grant(&dialogue, "Sent", cases[i].rights);
        dialogue_expect(&dialogue.b, "b LIST \"\" \"Other Users/%\"\r\n", cases[i].answer, false,
                        __FILE__, (int)i);
        close_both(&dialogue);
    }
}

/* Nobody learns of what is not shared: the answers are those for what is not there. */
static void test_hidden(void **state)
{
    static const char *const commands[] = {
        "b SELECT \"Other Users/@@/INBOX\"\r\n",
        "b STATUS \"Other Users/@@/INBOX\" (MESSAGES)\r\n",
        "b CREATE \"Other Users/@@/INBOX/a\"\r\n",
        "b CREATE \"Other Users/@@/a\"\r\n",
        "b DELETE \"Other Users/@@/INBOX\"\r\n",
        "b RENAME \"Other Users/@@/INBOX\" mine\r\n",
        "b RENAME Sent \"Other Users/@@/Sent\"\r\n",
        "b APPEND \"Other Users/@@/INBOX\" {3+}\r\nx: \r\n",
        "b GETACL \"Other Users/@@/INBOX\"\r\n",
        "b MYRIGHTS \"Other Users/@@/INBOX\"\r\n",
        "b SETACL \"Other Users/@@/INBOX\" eve lr\r\n",
        "b SELECT \"Shared/@@/INBOX\"\r\n",
    };
    struct dialogue dialogue;

    (void)state;
    open_both(&dialogue);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        AUTO(buf_free) struct buf answer = { 0 };

        say_about(&dialogue.b, commands[i], "bob@example.test");
        buf_add_text(&answer, rig_text(&dialogue.b));
        say_about(&dialogue.b, commands[i], "no@example.test");
        assert_string_equal(buf_text(&answer), rig_text(&dialogue.b));
        assert_true(strncmp(buf_text(&answer), "b NO ", 5) == 0);
    }
    EXPECT(&dialogue.b, "b LIST \"\" \"Other Users*\"\r\n", "b OK *\n");
    grant(&dialogue, "INBOX", "r"); /* may be read by who knows its name, but is not listed */
    EXPECT(&dialogue.b, "b LIST \"\" \"Other Users*\"\r\n", "b OK *\n");
    EXPECT(&dialogue.b, "b GETACL " BOBS "\r\n", "b NO [NONEXISTENT] *\n");
    EXPECT(&dialogue.b, "b MYRIGHTS " BOBS "\r\n", "* MYRIGHTS " BOBS " \"r\"\nb OK *\n");
    close_both(&dialogue);
}

static void test_list(void **state)
{
    static const struct {
        const char *input, *answer;
    } cases[] = {
        { "b NAMESPACE\r\n",
          "* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) ((\"Shared/\" \"/\"))\nb OK *\n" },
        { "b LIST \"\" Other*\r\n",
          "* LIST (\\Noselect \\HasChildren) \"/\" \"Other Users\"\n"
          "* LIST (\\Noselect \\HasChildren) \"/\" \"Other Users/bob@example.test\"\n"
          "* LIST (\\HasChildren) \"/\" " BOBS "\n"
          "* LIST (\\HasNoChildren) \"/\" \"Other Users/bob@example.test/INBOX/a\"\n"
          "* LIST (\\Noselect \\HasNoChildren) \"/\" \"Other Users/bob@example.test/Sent\"\nb OK "
          "*\n" },
        { "b LIST \"\" Other%\r\n",
          "* LIST (\\Noselect \\HasChildren) \"/\" \"Other Users\"\nb OK *\n" },
        { "b LIST \"Other Users/\" %\r\n",
          "* LIST (\\Noselect \\HasChildren) \"/\" \"Other Users/bob@example.test\"\nb OK *\n" },
        { "b LIST \"Other Users/bob@example.test/\" %\r\n",
          "* LIST (\\HasChildren) \"/\" " BOBS "\n"
          "* LIST (\\Noselect \\HasNoChildren) \"/\" \"Other Users/bob@example.test/Sent\"\nb OK "
          "*\n" },
        { "b LIST \"\" \"Other%/bob@*/a\"\r\n",
          "* LIST (\\HasNoChildren) \"/\" \"Other Users/bob@example.test/INBOX/a\"\nb OK *\n" },
        { "b LIST \"\" " BOBS " RETURN (MYRIGHTS STATUS (MESSAGES))\r\n",
          "* LIST (\\HasChildren) \"/\" " BOBS "\n* MYRIGHTS " BOBS " \"lr\"\n"
          "* STATUS " BOBS " (MESSAGES 1)\nb OK *\n" },
        /* no "r": no STATUS, RFC 5819 section 2 */
        { "b LIST \"\" \"*/Sent\" RETURN (MYRIGHTS STATUS (MESSAGES))\r\n",
          "* LIST (\\Noselect \\HasNoChildren) \"/\" \"Other Users/bob@example.test/Sent\"\n"
          "* MYRIGHTS \"Other Users/bob@example.test/Sent\" \"lxc\"\nb OK *\n" },
        { "b LIST \"\" INBOX RETURN (MYRIGHTS)\r\n",
          "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\n* MYRIGHTS \"INBOX\" \"lrswipkxteacd\"\n"
          "b OK *\n" },
        { "b SUBSCRIBE " BOBS "\r\n", "b OK *\n" },
        { "b LSUB \"\" \"Other*\"\r\n", "* LSUB () \"/\" " BOBS "\nb OK *\n" },
        { "b LIST (SUBSCRIBED) \"\" \"Other*\"\r\n",
          "* LIST (\\HasChildren \\Subscribed) \"/\" " BOBS "\nb OK *\n" },
        { "b UNSUBSCRIBE " BOBS "\r\n", "b OK *\n" },
        { "b LSUB \"\" \"Other*\"\r\n", "b OK *\n" },
        { "b CREATE \"Other Users\"\r\n", "b NO [CANNOT] *\n" },
        { "b CREATE \"Other Users/x\"\r\n", "b NO [CANNOT] *\n" },
        { "b CREATE Shared/x\r\n", "b OK *\n" }, /* a folder of one's own */
        { "b LIST \"\" Shared*\r\n", "* LIST (\\HasChildren) \"/\" \"Shared\"\n"
                                     "* LIST (\\HasNoChildren) \"/\" \"Shared/x\"\nb OK *\n" },
    };
    struct dialogue dialogue;

    (void)state;
    open_both(&dialogue);
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "Subject: x\r\n\r\nx\r\n");
    grant(&dialogue, "INBOX", "lr");
    EXPECT(&dialogue.a, "a CREATE INBOX/a\r\n", "a OK *\n"); /* inherits */
    grant(&dialogue, "Sent", "lx");
    grant(&dialogue, "Junk", "r");
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        dialogue_expect(&dialogue.b, cases[i].input, cases[i].answer, false, __FILE__, (int)i);
    close_both(&dialogue);
}

/* What may be done in the selected mailbox. */
static void test_rights_in_selected(void **state)
{
    static const struct {
        const char *rights, *command, *answer;
    } cases[] = {
        { "lr", "b STORE 1 +FLAGS (\\Flagged)\r\n", "b NO [NOPERM] *\n" },
        { "lrs", "b STORE 1 +FLAGS (\\Flagged)\r\n", "b NO [NOPERM] *\n" },
        { "lrs", "b STORE 1 +FLAGS (\\Seen \\Flagged kw)\r\n",
          "* 1 FETCH (FLAGS (\\Seen))\nb OK *\n" },
        { "lrt", "b STORE 1 +FLAGS (\\Deleted \\Seen)\r\n",
          "* 1 FETCH (FLAGS (\\Deleted))\nb OK *\n" },
        { "lrw", "b STORE 1 +FLAGS (\\Deleted \\Seen \\Draft)\r\n",
          "* 1 FETCH (FLAGS (\\Draft))\nb OK *\n" },
        { "lrw", "b STORE 1 FLAGS ()\r\n", "* 1 FETCH (FLAGS ())\nb OK *\n" },
        { "lrs", "b STORE 1 FLAGS (\\Flagged)\r\n", "* 1 FETCH (FLAGS ())\nb OK *\n" },
        { "lrst", "b STORE 1 -FLAGS (\\Draft)\r\n", "b NO [NOPERM] *\n" },
        { "lrst", "b EXPUNGE\r\n", "b NO [NOPERM] *\n" },
        { "lrst", "b UID EXPUNGE 1\r\n", "b NO [NOPERM] *\n" },
        { "lre", "b EXPUNGE\r\n", "b OK *\n" },
        { "lr", "b FETCH 1 BODY[]<0.1>\r\n", "* 1 FETCH (BODY[]<0> {1}\nS)\nb OK *\n" },
        { "lrs", "b FETCH 1 BODY[]<0.1>\r\n",
          "* 1 FETCH (BODY[]<0> {1}\nS FLAGS (\\Seen))\nb OK *\n" },
        { "lrit", "b MOVE 1 " BOBS "\r\n", "b NO [NOPERM] *\n" },
        { "lrie", "b MOVE 1 " BOBS "\r\n", "b NO [NOPERM] *\n" },
        { "lrte", "b MOVE 1 " BOBS "\r\n", "b NO [NOPERM] *\n" },
        { "lr", "b COPY 1 " BOBS "\r\n", "b NO [NOPERM] *\n" },
        { "lri", "b COPY 1 " BOBS "\r\n", "* 2 EXISTS\n* 1 RECENT\nb OK [COPYUID *\n" },
        { "lr", "b CLOSE\r\n", "b OK *\n" },
        { "lr", "b SEARCH ALL\r\n", "* SEARCH 1\nb OK *\n" },
        { "l", "b NOOP\r\n", "* BYE [NOPERM] *\n" },
        { "l", "b FETCH 1 FLAGS\r\n", "* BYE [NOPERM] *\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dialogue dialogue;

        open_both(&dialogue);
        rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "Subject: x\r\n\r\nx\r\n");
        EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n"); /* takes \Recent */
        grant(&dialogue, "INBOX", "lrswipkxte");
        EXPECT(&dialogue.b, "b SELECT " BOBS "\r\n", "...\nb OK [READ-WRITE] *\n");
        grant(&dialogue, "INBOX", cases[i].rights);
        EXPECT(&dialogue.b, "b NOOP\r\n",
               strchr(cases[i].rights, 'r') != NULL ? "* OK [PERMANENTFLAGS *\nb OK *\n"
                                                    : "* BYE [NOPERM] *\n");
        if (strchr(cases[i].rights, 'r') != NULL)
            dialogue_expect(&dialogue.b, cases[i].command, cases[i].answer, false, __FILE__,
                            (int)i);
        close_both(&dialogue);
    }
}

static struct dialogue *between_turns; /* the session that is between two turns, and the owner's */
static const char *taken_from, *left;

static void take_rights(struct rig *rig)
{
    if (rig->turns == 1)
        grant(between_turns, taken_from, left);
}

/* A command that takes several turns, and a right that goes meanwhile: what is done by then stays,
 * but of a COPY. */
static void test_rights_between_turns(void **state)
{
    static const struct {
        const char *mailbox, *left, *command, *answer, *inbox, *target;
    } cases[] = {
        { "INBOX", "lrse", "b STORE 1:3 FLAGS (\\Flagged)\r\n", /* "s" is left: the others stay */
          "* 1 FETCH (FLAGS (\\Flagged))\n* 2 FETCH (FLAGS (\\Deleted))\n"
          "* 3 FETCH (FLAGS (\\Deleted))\n* OK [PERMANENTFLAGS *\nb OK *\n",
          "3", "0" },
        { "INBOX", "lr", "b STORE 1:3 +FLAGS (\\Flagged)\r\n",
          "* 1 FETCH (FLAGS (\\Flagged \\Deleted))\n* OK [PERMANENTFLAGS *\nb NO [NOPERM] *\n", "3",
          "0" },
        { "INBOX", "lrt", "b UID EXPUNGE 1:3\r\n",
          "* 1 EXPUNGE\n* OK [PERMANENTFLAGS *\nb NO [NOPERM] *\n", "2", "0" },
        { "INBOX", "lrt", "b CLOSE\r\n", "b OK *\n", "2", "0" },
        { "INBOX", "lrt", "b MOVE 1:3 Trash\r\n",
          "* OK [COPYUID *\n* 1 EXPUNGE\n* OK [PERMANENTFLAGS *\nb NO [NOPERM] *\n", "2", "1" },
        { "Sent", "lr", "b MOVE 1:3 " BOBS_SENT "\r\n",
          "* OK [COPYUID *\n* 1 EXPUNGE\nb NO [NOPERM] *\n", "2", "1" },
        { "Sent", "lr", "b COPY 1:3 " BOBS_SENT "\r\n", "b NO [NOPERM] *\n", "3", "0" },
        { "Sent", "\"\"", "b COPY 1:3 " BOBS_SENT "\r\n", "b NO [NONEXISTENT] *\n", "3", "0" },
        { "INBOX", "", "b COPY 1:3 " BOBS_SENT "\r\n", "* OK [PERMANENTFLAGS *\nb OK [COPYUID *\n",
          "3", "3" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dialogue dialogue;
        char want[100];

        open_both(&dialogue);
        dialogue.settings.change_slice = 1;
        between_turns = &dialogue;
        taken_from = cases[i].mailbox;
        left = *cases[i].left != '\0' ? cases[i].left : "lrswit";
        for (int n = 0; n < 3; n++)
            rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "Subject: x\r\n\r\nx\r\n");
        EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n"); /* takes \Recent */
        EXPECT(&dialogue.a, "a STORE 1:3 +FLAGS.SILENT (\\Deleted)\r\n", "a OK *\n");
        EXPECT(&dialogue.a, "a UNSELECT\r\n", "a OK *\n");
        grant(&dialogue, "INBOX", "lrswipkxte");
        grant(&dialogue, "Sent", "lrswipkxte");
        EXPECT(&dialogue.b, "b SELECT " BOBS "\r\n", "...\nb OK [READ-WRITE] *\n");
        dialogue.b.between = take_rights;
        dialogue_expect(&dialogue.b, cases[i].command, cases[i].answer, false, __FILE__, (int)i);
        snprintf(want, sizeof(want), "* STATUS \"INBOX\" (MESSAGES %s)\nz OK *\n", cases[i].inbox);
        dialogue_expect(&dialogue.a, "z STATUS INBOX (MESSAGES)\r\n", want, false, __FILE__,
                        (int)i);
        if (strstr(cases[i].command, "Trash") == NULL) {
            snprintf(want, sizeof(want), "* STATUS \"Sent\" (MESSAGES %s)\nz OK *\n",
                     cases[i].target);
            dialogue_expect(&dialogue.a, "z STATUS Sent (MESSAGES)\r\n", want, false, __FILE__,
                            (int)i);
        }
        close_both(&dialogue);
    }
}

/* RFC 4314 section 5.1.1 and 5.2. */
static void test_permanent_flags(void **state)
{
    static const struct {
        const char *rights, *flags, *code;
    } cases[] = {
        { "lr", "()", "READ-ONLY" },
        { "lrpkxa", "()", "READ-ONLY" },
        { "lri", "()", "READ-WRITE" },
        { "lre", "()", "READ-WRITE" },
        { "lrs", "(\\Seen)", "READ-WRITE" },
        { "lrt", "(\\Deleted)", "READ-WRITE" },
        { "lrw", "(\\Answered \\Flagged \\Draft \\*)", "READ-WRITE" },
        { "lrwst", "(\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)", "READ-WRITE" },
    };
    struct dialogue dialogue;

    (void)state;
    open_both(&dialogue);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char answer[200];

        grant(&dialogue, "INBOX", cases[i].rights);
        snprintf(answer, sizeof(answer), "...\n* OK [PERMANENTFLAGS %s] *\n...\nb OK [%s] *\n",
                 cases[i].flags, cases[i].code);
        dialogue_expect(&dialogue.b, "b SELECT " BOBS "\r\n", answer, false, __FILE__, (int)i);
        EXPECT(&dialogue.b, "b UNSELECT\r\n", "b OK *\n");
    }
    close_both(&dialogue);
}

/* Each sees what the other does, in one mailbox. */
static void test_two_sessions(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_both(&dialogue);
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "Subject: x\r\n\r\nx\r\n");
    grant(&dialogue, "INBOX", "lrswite");
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.b, "b SELECT " BOBS "\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.b, "b STORE 1 +FLAGS.SILENT (kw)\r\n", "* FLAGS *\nb OK *\n");
    EXPECT(&dialogue.a, "a NOOP\r\n", "* FLAGS *\n* 1 FETCH (FLAGS (\\Recent kw))\na OK *\n");
    EXPECT(&dialogue.b, "b APPEND " BOBS " (own) {3+}\r\nx: \r\n", "...\nb OK *\n");
    EXPECT(&dialogue.a, "a FETCH 1 FLAGS\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "a STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "a EXPUNGE\r\n", "* 1 EXPUNGE\na OK *\n");
    EXPECT(&dialogue.b, "b FETCH 1 FLAGS\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.b, "b NOOP\r\n", "* 1 EXPUNGE\nb OK *\n");
    /* keywords of the two accounts have nothing to do with each other */
    EXPECT(&dialogue.b, "b APPEND INBOX (first second) {3+}\r\nx: \r\n", "b OK *\n");
    EXPECT(&dialogue.b, "b FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS (\\Recent own*\nb OK *\n");
    EXPECT(&dialogue.b, "b SELECT INBOX\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.b, "b FETCH 1 FLAGS\r\n",
           "* 1 FETCH (FLAGS (\\Recent first second))\nb OK *\n");
    close_both(&dialogue);
}

/* RFC 4314 section 4: flags as far as the rights at the target go. */
static void test_copy_across(void **state)
{
    static const struct {
        const char *rights, *flags;
    } cases[] = {
        { "i", "()" },
        { "rwis", "(\\Flagged \\Seen kw)" },
        { "rsti", "(\\Deleted \\Seen)" },
        { "rwit", "(\\Flagged \\Deleted kw)" },
    };
    struct dialogue dialogue;
    char answer[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        open_both(&dialogue);
        EXPECT(&dialogue.a, "a APPEND INBOX (theirs) {3+}\r\nx: \r\n", "a OK *\n");
        grant(&dialogue, "INBOX", cases[i].rights);
        EXPECT(&dialogue.b, "b APPEND INBOX (\\Seen \\Deleted \\Flagged kw) {6+}\r\nmove: \r\n",
               "b OK *\n");
        EXPECT(&dialogue.b, "b SELECT INBOX\r\n", "...\nb OK *\n");
        /* Without "r" no UIDs are told (RFC 9051 section 11.4). */
        EXPECT(&dialogue.b, "b COPY 1 " BOBS "\r\n",
               i == 0 ? "b OK COPY completed\n" : "b OK [COPYUID *\n");
        EXPECT(&dialogue.b, "b MOVE 1 " BOBS "\r\n",
               i == 0 ? "* 1 EXPUNGE\nb OK MOVE completed\n"
                      : "* OK [COPYUID *\n* 1 EXPUNGE\nb OK MOVE completed\n");
        snprintf(answer, sizeof(answer), "* 2 FETCH (FLAGS %s)\n* 3 FETCH (FLAGS %s)\na OK *\n",
                 cases[i].flags, cases[i].flags);
        EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
        EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n"); /* without \Recent */
        dialogue_expect(&dialogue.a, "a FETCH 2:3 FLAGS\r\n", answer, false, __FILE__, (int)i);
        close_both(&dialogue);
    }
}

/* The quota is that of the mailbox's owner. */
static void test_quota(void **state)
{
    struct account_limits limits = { .messages = 1 };
    struct dialogue dialogue;
    struct error err;

    (void)state;
    open_both(&dialogue);
    grant(&dialogue, "INBOX", "lri");
    assert_true(account_set_limits(dialogue.a.desk, dialogue.a.bob, &limits, &err));
    EXPECT(&dialogue.b, "b APPEND INBOX {3+}\r\nx: \r\n", "b OK *\n");
    EXPECT(&dialogue.b, "b APPEND INBOX {3+}\r\nx: \r\n", "b OK *\n");
    EXPECT(&dialogue.b, "b SELECT INBOX\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.b, "b COPY 1:2 " BOBS "\r\n", "b NO [OVERQUOTA] *\n");
    EXPECT(&dialogue.b, "b COPY 1 " BOBS "\r\n", "b OK [COPYUID *\n");
    EXPECT(&dialogue.b, "b APPEND " BOBS " {3+}\r\nx: \r\n", "b NO [OVERQUOTA] *\n");
    grant(&dialogue, "INBOX", "li");
    EXPECT(&dialogue.b, "b GETQUOTAROOT " BOBS "\r\n", "b NO [NOPERM] *\n");
    EXPECT(&dialogue.b, "b GETQUOTA bob@example.test\r\n", "b NO [NONEXISTENT] *\n");
    EXPECT(&dialogue.b, "b GETQUOTA nobody@example.test\r\n", "b NO [NONEXISTENT] *\n");
    grant(&dialogue, "INBOX", "lr");
    EXPECT(&dialogue.b, "b GETQUOTAROOT " BOBS "\r\n",
           "* QUOTAROOT " BOBS " \"bob@example.test\"\n* QUOTA \"bob@example.test\" (*\nb OK *\n");
    EXPECT(&dialogue.b, "b GETQUOTA bob@example.test\r\n",
           "* QUOTA \"bob@example.test\" (*\nb OK *\n");
    EXPECT(&dialogue.b, "b SETQUOTA bob@example.test (MESSAGE 5)\r\n", "b NO [NOPERM] *\n");
    close_both(&dialogue);
}

static void share_inbox(struct dialogue *dialogue, const char *address)
{
    struct acl_entry entry = { .who = dialogue->a.eve, .rights = RIGHT_LOOKUP | RIGHT_READ };
    AUTO(arena_free) struct arena arena = { 0 };
    struct desk *desk = dialogue->a.desk;
    struct mailbox_info info;
    struct account *account;
    struct error err = { 0 };
    uint64_t id;

    if (!account_add(desk, slice_of(address), SLICE(""), SLICE("-"), SLICE("-"), &id, &err) ||
        !desk_account(desk, id, &account, &err) ||
        !mailbox_by_name(account, &arena, SLICE("INBOX"), &info, &err) ||
        !acl_change(account, info.id, &entry, ACL_REPLACE, &err))
        fail_msg("%s: %s", address, err.text);
}

/* Addresses that are no level of a name as they are. */
static void test_strange_addresses(void **state)
{
    static const struct {
        const char *address, *level;
    } cases[] = {
        { "a/b@example.test", "a=2Fb@example.test" },
        { "a=2Fb@example.test", "a=3D2fb@example.test" },
        { "/x@example.test", "=2Fx@example.test" },
        { "100%@example.test", "100%@example.test" },
        { "*a*@example.test", "*a*@example.test" },
    };
    struct dialogue dialogue;
    char line[200], answer[200];

    (void)state;
    open_both(&dialogue);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        share_inbox(&dialogue, cases[i].address);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(line, sizeof(line), "b STATUS \"Other Users/%s/INBOX\" (MESSAGES)\r\n",
                 cases[i].level);
        snprintf(answer, sizeof(answer), "* STATUS \"Other Users/%s/INBOX\" (MESSAGES 0)\nb OK *\n",
                 cases[i].level);
        dialogue_expect(&dialogue.b, line, answer, false, __FILE__, (int)i);
        snprintf(answer, sizeof(answer),
                 "...\n* LIST (\\HasNoChildren) \"/\" \"Other Users/%s/INBOX\"\n...\nb OK *\n",
                 cases[i].level);
        dialogue_expect(&dialogue.b, "b LIST \"\" *\r\n", answer, false, __FILE__, (int)i);
    }
    EXPECT(&dialogue.b, "b STATUS \"Other Users/a/b@example.test/INBOX\" (MESSAGES)\r\n",
           "b NO [NONEXISTENT] *\n");
    close_both(&dialogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acl_commands),
        cmocka_unit_test(test_rights_by_name),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_no_oracle),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_rights_in_selected),
        cmocka_unit_test(test_rights_between_turns),
        cmocka_unit_test(test_permanent_flags),
        cmocka_unit_test(test_two_sessions),
        cmocka_unit_test(test_copy_across),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_strange_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* dialogue.h - IMAP sessions in memory, on the rig's store.
 *
 *     dialogue_open(&dialogue);
 *     dialogue_login(&dialogue, &dialogue.a);
 *     EXPECT(&dialogue.a, "1 NOOP\r\n", "1 OK *");
 *
 * Two sessions of one account, so that one can see what the other does.
 */
#pragma once

#include "imapd/client.h"
#include "tests/unit/support/rig.h"

struct dialogue {
    struct rig a; /* owns the store */
    struct rig b; /* borrows it */
    struct settings settings;
    struct imap imap;
};

void dialogue_open(struct dialogue *dialogue);
void dialogue_close(struct dialogue *dialogue); /* stops the sessions, too */

/* Starts the session, logged in as bob. */
void dialogue_login(struct dialogue *dialogue, struct rig *rig);

/* Says `input`; the answer must match `pattern`, where "*" at the end of a pattern's line stands
 * for the rest of the line, and a line "..." for any lines. With `bytewise` it is said byte by
 * byte. With NULL nothing is said: what was answered last is looked at. */
void dialogue_expect(struct rig *rig, const char *input, const char *pattern, bool bytewise,
                     const char *file, int line);

#define EXPECT(rig, input, pattern)                                                                \
    dialogue_expect((rig), (input), (pattern), false, __FILE__, __LINE__)
#define EXPECT_BYTEWISE(rig, input, pattern)                                                       \
    dialogue_expect((rig), (input), (pattern), true, __FILE__, __LINE__)

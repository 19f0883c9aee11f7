/* gate.h - what a daemon knows of those who log in: who has to wait (guard.h), who is banned
 * (ban_set.h), and the log of logins (logbook.h).
 *
 *     login_wait()  --> gate_wait()    before a password is looked at
 *     login_log()   --> gate_ended()   counts; what is to be written down waits a second for more
 *     a connection  --> gate_find()    in memory
 *     a thread of its own: writes bans at once and logins once a second
 *
 * Nothing here refuses a login because the disk is full or a file is damaged: then nobody waits,
 * and the log tells.
 *
 * Threads: any, but gate_start() and gate_close() on the main thread. Lifetime: gate_close() writes
 * what waits.
 */
#pragma once

#include "common/log.h"
#include "storage/ban_set.h"
#include "storage/guard.h"

struct gate;

struct gate_options {
    struct store *store;
    struct log log;
    struct guard_options guard; /* its path is filled in here */
    uint64_t keep_ms;           /* how long logins are kept */
};

/* Never fails as a whole: what cannot be opened is logged and done without. */
struct gate *gate_new(const struct gate_options *options);
void gate_start(struct gate *gate); /* the thread; after the process is confined */
void gate_close(struct gate **gate);

/* Reads the bans again: after NOTICE_BANS. */
void gate_reload(struct gate *gate);
enum banned gate_find(struct gate *gate, const char *address);

/* How long to hold back a login; may be given a NULL gate, as all below. */
uint64_t gate_wait(struct gate *gate, const struct guard_visit *visit);
uint32_t gate_mark(struct gate *gate, const struct guard_visit *visit, struct slice password);

struct gate_login {
    struct guard_visit visit;
    const char *protocol, *method;
    const char *reason; /* why it failed; NULL when it went well */
    bool guessed;       /* it failed because of what the client gave for a password */
    uint32_t mark;      /* of the password (gate_mark()), or GUARD_PROOF */
};
void gate_ended(struct gate *gate, const struct gate_login *login);

/* Writes what waits, at once: for tests, and for the end. */
void gate_flush(struct gate *gate);

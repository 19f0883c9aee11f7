/* post.h - a whole smtpd in memory for tests: store, queue with its writer, courier on a real pool;
 * sessions are played on it by the rig.
 *
 *     post_open(&post);
 *     post_start(&post, SERVICE_MX);
 *     post_say(&post, "EHLO x\r\n")      runs until the session waits for input; waits for commits
 *     post_stop(&post);                  ends the session
 *     post_close(&post);
 */
#pragma once

#include "common/dns.h"
#include "smtpd/courier.h"
#include "smtpd/session.h"
#include "tests/unit/support/rig.h"

#include <semaphore.h>
#include <uv.h>

struct post {
    struct rig rig;
    struct settings settings;
    struct smtpd smtpd;
    struct smtp_door door;
    struct pool *pool;
    uv_loop_t loop;
    sem_t resumed;
    atomic_uint n_remote;  /* calls of the remote courier's hook */
    struct dns_table zone; /* what the DNS knows; it says of all else that there is no such name */
    unsigned n_fetches;
    struct buf answer; /* of the last post_say() */
};

void post_open(struct post *post);
void post_close(struct post *post);

void post_start(struct post *post, enum smtp_service service);
void post_stop(struct post *post);

const char *post_say(struct post *post, const char *text);
const char *post_say_bytes(struct post *post, struct slice bytes);

/* "User bob is logged in", without the dialogue. */
void post_log_in(struct post *post);

/* Waits until the courier has nothing in hand. */
void post_settle(struct post *post);

/* Message `uid` of an account's INBOX, whole; "" if there is none. */
void post_read(struct post *post, uint64_t account, uint32_t uid, struct buf *out);
size_t post_count(struct post *post, uint64_t account);

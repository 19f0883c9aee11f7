/* remote.h - the remote courier: brings what is in the queue to other servers.
 *
 *     queue --page of a lane--> schedule --turn--> carrier --outcome--> settling --> queue
 *       |                          ^    ^            |
 *       '--letter, just accepted---'    '--lost------'
 *
 * lane.h says when to look into the queue, schedule.h whose turn it is, carrier.c is one
 * connection. All state but what a shipment says of its recipients is in the queue, so a crash
 * loses nothing; a message whose delivery the queue has not heard of is sent again, as RFC 5321
 * section 6.1 allows.
 *
 * A shipment is in hand from when it was read until the queue knows its outcome; what is read of
 * its message meanwhile is passed over, so nothing is sent twice. With nothing to do there is one
 * timer.
 *
 * Threads: the loop thread, except for remote_wake() and remote_take(). Jobs that need the queue
 * run on the pool.
 */
#pragma once

#include "common/pool.h"
#include "common/session.h"
#include "smtpd/letter.h"
#include "smtpd/smtpd.h"

struct remote;

struct remote_options {
    struct smtpd *smtpd;
    struct uv_loop_s *loop;
    struct server *server; /* its sessions carry the shipments */
    struct pool *pool;
    struct log log;
};

/* Starts with what is due in the queue. The resolver in `smtpd` must stay until remote_stop(). */
struct remote *remote_new(const struct remote_options *options);

/* A letter has entered the queue; keeps a reference. Any thread. */
void remote_take(void *remote, struct letter *letter);

/* The queue was changed by somebody else, who wants it to be looked at now. Any thread. */
void remote_wake(void *remote);

/* Begins nothing new. Before the server's sessions are told to stop. */
void remote_pause(struct remote *remote);

/* Tells the queue what is known still; returns when no job works any more. After the sessions. */
void remote_stop(struct remote *remote);

/* After the queue is closed; the loop has to run once more, and then remote_free(). */
void remote_close(struct remote *remote);
void remote_free(struct remote **remote);

size_t remote_in_hand(const struct remote *remote); /* connections */

/* remote.h - the remote courier: brings what is in the queue to other servers.
 *
 *     queue --page--> waiting --> ROUTING --> SECURING --> TALKING --> SETTLING --> queue
 *                                                ^            |           ^
 *                                                |      next server       |
 *                                                '------------'-- none ---'
 *
 * All state but what a shipment says of its recipients is in the queue, so a crash loses nothing; a
 * message whose delivery the queue has not heard of is sent again, as RFC 5321 section 6.1 allows.
 *
 * A message is in hand while any of its shipments waits or is carried; what is read of it from the
 * queue meanwhile is passed over, so nothing is sent twice. At most `deliveries` shipments are
 * carried at once. With nothing to do there is one timer, for the time of the next try.
 *
 * Threads: the loop thread, except for remote_wake(). Jobs that need the queue run on the pool.
 */
#pragma once

#include "common/pool.h"
#include "common/session.h"
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

/* Something has entered the queue, or was changed in it; any thread. */
void remote_wake(void *remote);

/* Begins nothing new. Before the server's sessions are told to stop. */
void remote_pause(struct remote *remote);

/* Tells the queue what is known still; returns when no job works any more. After the sessions. */
void remote_stop(struct remote *remote);

/* After the queue is closed; the loop has to run once more, and then remote_free(). */
void remote_close(struct remote *remote);
void remote_free(struct remote **remote);

size_t remote_in_hand(const struct remote *remote); /* shipments that are carried */

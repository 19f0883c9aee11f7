/* settle_remote.h - tells the queue what became of a shipment.
 *
 * Delivered recipients leave it, durably: nothing but the queue knows that the other server has the
 * message. Those that have failed, or whose delivery is to be reported, stay for the reporter. The
 * others get the time of their next try. Who has no outcome stays as is.
 *
 * Threads: a worker; `done` runs once, on that worker or on the queue's writer thread.
 */
#pragma once

#include "smtpd/remote/shipment.h"

/* `ok`: the queue has taken it all. The shipment must stay until then. */
typedef void (*settle_remote_done)(void *context, bool ok);

void settle_remote(struct smtpd *smtpd, const struct log *log, struct shipment *shipment,
                   settle_remote_done done, void *context);

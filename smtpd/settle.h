/* settle.h - tells the queue what became of a batch of parcels.
 *
 * Delivered ones leave it, together and without a sync of their own: after a crash their delivery
 * ids make the repetition harmless. Of whom the sender is to be told something, they stay for the
 * reporter. The others get the time of their next try.
 *
 * Threads: the account's worker; `done` runs once, on the queue's writer thread.
 */
#pragma once

#include "smtpd/deliver.h"

struct settled {
    size_t n_parcels;
    uint64_t bytes;
    int64_t retry_ms; /* when the first of them is to be tried again; INT64_MAX: none */
};

typedef void (*settle_done)(void *context, const struct settled *settled);

/* Takes the parcels, and frees them. */
void settle_batch(struct smtpd *smtpd, const struct log *log, bool lazy, struct parcel **parcels,
                  size_t count, settle_done done, void *context);

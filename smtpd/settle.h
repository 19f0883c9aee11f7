/* settle.h - tells the queue what became of a batch of parcels.
 *
 * Delivered ones leave it, together and without a sync of their own: after a crash their delivery
 * ids make the repetition harmless. Each failed one leaves in one change with its report. The
 * others get the time of their next try.
 *
 * Threads: the account's worker; `done` runs on the queue's writer thread, once per change.
 */
#pragma once

#include "smtpd/deliver.h"

struct settled {
    size_t n_parcels;
    uint64_t bytes;
    int64_t retry_ms;      /* when the first of them is to be tried again; INT64_MAX: none */
    struct letter *report; /* entered the queue with this change; NULL: none */
};

typedef void (*settle_done)(void *context, const struct settled *settled);

/* Takes the parcels, and frees them. */
void settle_batch(struct smtpd *smtpd, struct desk *desk, const struct log *log, bool lazy,
                  struct parcel **parcels, size_t count, settle_done done, void *context);

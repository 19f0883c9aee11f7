/* settling.c - what became of shipments, on its way to the queue until that has taken it:
 *
 *     remote_settle() --job--> settle_remote() --> settled --> out of the lane, freed
 *                      ^                              |
 *                      '---in a while--- refused <----'
 *
 * A shipment that the queue does not take (a full disk) stays in hand: read again from the queue it
 * would be sent again, to a server that has it already.
 */
#include "smtpd/remote/remote_private.h"

#include "common/clock.h"
#include "smtpd/remote/settle_remote.h"

#define AGAIN_MS 1000 /* after the queue has refused something */

static void on_settled(void *context, bool ok)
{
    struct shipment *shipment = context;
    struct remote *remote = shipment->remote;

    pthread_mutex_lock(&remote->lock);
    shipment->is_refused = !ok;
    shipment->next = remote->settled;
    remote->settled = shipment;
    remote_end_job(remote);
    pthread_mutex_unlock(&remote->lock);
}

static void run_settle(struct job *job, void *desk)
{
    struct shipment *shipment = CONTAINER_OF(job, struct shipment, job);
    struct remote *remote = shipment->remote;

    settle_remote(remote->options.smtpd, &remote->options.log, shipment, on_settled, shipment);
}

void remote_settle(struct remote *remote, struct shipment *shipment)
{
    shipment->remote = remote;
    remote_submit(remote, shipment->letter->message.id, &shipment->job, run_settle);
}

static bool is_gone(const struct shipment *shipment)
{
    for (size_t i = 0; i < shipment->n_errands; i++)
        if (shipment->errands[i].outcome != OUTCOME_DELIVERED &&
            shipment->errands[i].outcome != OUTCOME_DROPPED)
            return false;
    return true;
}

static void refuse(struct remote *remote, struct shipment *shipment)
{
    if (remote->refused == NULL)
        remote->settles_again_ms = clock_ms() + AGAIN_MS;
    shipment->next = remote->refused;
    remote->refused = shipment;
}

/* The queue knows; what is left of it there has a time of its own now. */
void settling_take(struct remote *remote)
{
    struct shipment *list;

    pthread_mutex_lock(&remote->lock);
    list = TAKE(remote->settled);
    pthread_mutex_unlock(&remote->lock);
    while (list != NULL) {
        struct shipment *first = list;

        list = first->next;
        if (first->is_refused) {
            refuse(remote, first);
            continue;
        }
        remote->n_in_hand--;
        lane_settled(&remote->lanes, first->lane, first, is_gone(first) ? LANE_NEVER : time_ms());
    }
}

void settling_try_again(struct remote *remote)
{
    struct shipment *list;

    if (clock_ms() < remote->settles_again_ms)
        return;
    list = TAKE(remote->refused);
    while (list != NULL) {
        struct shipment *first = list;

        list = first->next;
        remote_settle(remote, first);
    }
}

/* lane.c - see lane.h. */
#include "smtpd/remote/lane.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct lane *one = a, *two = b;

    return strcmp(one->domain, two->domain);
}

struct lane *lanes_get(struct lanes *lanes, const char *domain)
{
    struct lane *fresh = NEW(struct lane);
    struct lane **place;

    snprintf(fresh->domain, sizeof(fresh->domain), "%s", domain);
    fresh->due_ms = LANE_NEVER;
    place = tsearch(fresh, &lanes->tree, compare);
    if (place == NULL)
        abort(); /* no memory */
    if (*place != fresh)
        free(fresh);
    else
        lanes->count++;
    return *place;
}

/* --- the heap: heap[n - 1] is at place n; the parent of n is n / 2 --- */

static void put(struct lanes *lanes, struct lane *lane, size_t place)
{
    lanes->heap[place - 1] = lane;
    lane->place = place;
}

static void sift_up(struct lanes *lanes, struct lane *lane)
{
    size_t place = lane->place;

    while (place > 1 && lanes->heap[place / 2 - 1]->due_ms > lane->due_ms) {
        put(lanes, lanes->heap[place / 2 - 1], place);
        place /= 2;
    }
    put(lanes, lane, place);
}

static void sift_down(struct lanes *lanes, struct lane *lane)
{
    size_t place = lane->place;

    for (size_t child = 2 * place; child <= lanes->n_heap; child = 2 * place) {
        if (child < lanes->n_heap && lanes->heap[child]->due_ms < lanes->heap[child - 1]->due_ms)
            child++;
        if (lanes->heap[child - 1]->due_ms >= lane->due_ms)
            break;
        put(lanes, lanes->heap[child - 1], place);
        place = child;
    }
    put(lanes, lane, place);
}

static void leave_heap(struct lanes *lanes, struct lane *lane)
{
    struct lane *last;

    if (lane->place == 0)
        return;
    last = lanes->heap[--lanes->n_heap];
    if (last != lane) {
        put(lanes, last, lane->place);
        sift_up(lanes, last);
        sift_down(lanes, last);
    }
    lane->place = 0;
}

static void enter_heap(struct lanes *lanes, struct lane *lane)
{
    leave_heap(lanes, lane);
    if (lane->due_ms == LANE_NEVER || lane->is_reading)
        return;
    lanes->heap = mem_grow(lanes->heap, &lanes->room, lanes->n_heap + 1, sizeof(lanes->heap[0]));
    put(lanes, lane, ++lanes->n_heap);
    sift_up(lanes, lane);
}

static void remove_lane(struct lanes *lanes, struct lane *lane)
{
    leave_heap(lanes, lane);
    tdelete(lane, &lanes->tree, compare);
    lanes->count--;
    free(lane);
}

static void remove_if_over(struct lanes *lanes, struct lane *lane)
{
    if (lane->in_hand == NULL && !lane->is_reading && lane->due_ms == LANE_NEVER)
        remove_lane(lanes, lane);
}

void lane_due(struct lanes *lanes, struct lane *lane, int64_t due_ms)
{
    lane->due_ms = MIN(lane->due_ms, due_ms);
    enter_heap(lanes, lane);
}

int64_t lanes_due(const struct lanes *lanes)
{
    return lanes->n_heap > 0 ? lanes->heap[0]->due_ms : LANE_NEVER;
}

/* A full one leaves the heap until something of it is settled. */
struct lane *lanes_next(struct lanes *lanes, int64_t now_ms, size_t in_hand_max)
{
    while (lanes->n_heap > 0 && lanes->heap[0]->due_ms <= now_ms) {
        struct lane *lane = lanes->heap[0];

        leave_heap(lanes, lane);
        if (lane->n_in_hand >= in_hand_max)
            continue;
        lane->is_reading = true;
        lane->has_skipped = false;
        lane->due_ms = LANE_NEVER;
        return lane;
    }
    return NULL;
}

bool lane_has(const struct lane *lane, uint64_t message)
{
    const struct shipment *shipment = lane->in_hand;

    while (shipment != NULL && shipment->letter->message.id != message)
        shipment = shipment->next_in_lane;
    return shipment != NULL;
}

void lane_add(struct lane *lane, struct shipment *shipment)
{
    shipment->lane = lane;
    shipment->next_in_lane = lane->in_hand;
    lane->in_hand = shipment;
    lane->n_in_hand++;
    lane->n_recipients += shipment->n_errands;
}

static void free_settled(struct lane *lane)
{
    struct shipment **place = &lane->in_hand;

    while (*place != NULL) {
        struct shipment *shipment = *place;

        if (!shipment->is_settled) {
            place = &shipment->next_in_lane;
            continue;
        }
        *place = shipment->next_in_lane;
        shipment_free(&shipment);
    }
}

void lane_settled(struct lanes *lanes, struct lane *lane, struct shipment *shipment,
                  int64_t look_again_ms)
{
    shipment->is_settled = true;
    lane->n_in_hand--;
    lane->n_recipients -= shipment->n_errands;
    if (lane->n_in_hand == 0 && lane->has_skipped)
        look_again_ms = 0; /* now there is nothing that it could be taken for */
    if (!lane->is_reading)
        free_settled(lane);
    lane_due(lanes, lane, look_again_ms);
    remove_if_over(lanes, lane);
}

void lane_read(struct lanes *lanes, struct lane *lane, int64_t due_ms)
{
    lane->is_reading = false;
    free_settled(lane);
    lane_due(lanes, lane, due_ms);
    remove_if_over(lanes, lane);
}

static void free_lane(void *item)
{
    struct lane *lane = item;

    while (lane->in_hand != NULL) {
        struct shipment *shipment = lane->in_hand;

        lane->in_hand = shipment->next_in_lane;
        shipment_free(&shipment);
    }
    free(lane);
}

void lanes_free(struct lanes *lanes)
{
    tdestroy(lanes->tree, free_lane);
    free(lanes->heap);
    *lanes = (struct lanes){ 0 };
}

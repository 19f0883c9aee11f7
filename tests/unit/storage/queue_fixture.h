/* queue_fixture.h - what the tests of the queue share. All fail the test when something is wrong.
 */
#pragma once

#include "storage/queue.h"
#include "tests/unit/storage/place.h"

struct queue *open_queue(struct place *place, uint64_t recipients_max);

/* A finished body of so many bytes, the same ones for the same size. */
struct body *make_body(struct place *place, size_t size);

/* Hands a change to the queue's writer and waits until it is done; what the queue said of it. */
bool write_and_wait(struct queue *queue, struct queue_change change, struct error *err);

/* Accepts a message for n <= 8 recipients, alternately for account 7 and remote ones. */
bool accept_message(struct queue *queue, struct body *body, size_t n, uint64_t *id_out,
                    struct error *err);
uint64_t must_accept(struct place *place, struct queue *queue, size_t size, size_t n);

void read_message(struct place *place, struct arena *arena, uint64_t id,
                  struct queue_message *message);
/* What waits for other servers: recipients that are due, and when the first one is. */
size_t count_due(struct place *place, int64_t now_ms);
int64_t first_due(struct place *place); /* INT64_MAX: there is none */
void check_stored_body(struct place *place, uint64_t id, size_t size); /* as make_body() made it */
unsigned count_files(const struct place *place);                       /* in queue/ */

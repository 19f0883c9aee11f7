/* queue_fixture.c - see queue_fixture.h. */
#include "tests/unit/storage/queue_fixture.h"

#include "tests/unit/support/check.h"

#include <dirent.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

/* A change that its thread waits for. */
struct waiting {
    struct queue_change change;
    sem_t done;
};

static void wake(struct queue_change *change)
{
    sem_post(&CONTAINER_OF(change, struct waiting, change)->done);
}

bool write_and_wait(struct queue *queue, struct queue_change change, struct error *err)
{
    struct waiting waiting = { .change = change };

    sem_init(&waiting.done, 0, 0);
    waiting.change.done = wake;
    queue_write(queue, &waiting.change);
    while (sem_wait(&waiting.done) != 0)
        continue;
    sem_destroy(&waiting.done);
    *err = waiting.change.error;
    return waiting.change.ok;
}

struct queue *open_queue(struct place *place, uint64_t recipients_max)
{
    struct queue_options options = { place->store, recipients_max };
    struct error err = { 0 };
    struct queue *queue = NULL;

    check_ok(queue_open(&options, &queue, &err), &err);
    return queue;
}

struct body *make_body(struct place *place, size_t size)
{
    struct body *body = body_new(place->store);
    struct error err = { 0 };

    for (size_t i = 0; i < size; i += 10)
        check_ok(body_add(body, slice_part(SLICE("123456789\n"), 0, size - i), &err), &err);
    check_ok(body_finish(body, &err), &err);
    return body;
}

/* Accepts a message for n recipients, alternately for account 7 and remote ones. */
bool accept_message(struct queue *queue, struct body *body, size_t n, uint64_t *id_out,
                    struct error *err)
{
    struct queue_recipient recipients[8] = { 0 };
    struct queue_message message = {
        .sender = SLICE("eve@elsewhere.example"),
        .envid = SLICE("QQ314159"),
        .ret = RETURN_HEADERS,
        .utf8 = true,
        .binary = true,
        .arrived_ms = 1234567890123,
        .prefix = SLICE("Received: here\r\n"),
        .recipients = recipients,
        .n_recipients = n,
    };

    for (size_t i = 0; i < n; i++) {
        recipients[i].account = i % 2 == 0 ? 7 : 0;
        recipients[i].address = i % 2 == 0 ? SLICE("bob@example.org") : SLICE("joe@far.example");
        recipients[i].detail = SLICE("tag");
        recipients[i].original = SLICE("Bob+tag@example.org");
        recipients[i].orcpt = SLICE("rfc822;bob");
        recipients[i].notify = NOTIFY_FAILURE | NOTIFY_DELAY;
        recipients[i].next_try_ms = 1000 + (int64_t)i;
    }
    if (!write_and_wait(queue, (struct queue_change){ .message = &message, .body = body }, err))
        return false;
    for (size_t i = 0; i < n; i++)
        assert_true(recipients[i].id != 0);
    *id_out = message.id;
    return true;
}

uint64_t must_accept(struct place *place, struct queue *queue, size_t size, size_t n)
{
    AUTO(body_free) struct body *body = make_body(place, size);
    struct error err = { 0 };
    uint64_t id = 0;

    check_ok(accept_message(queue, body, n, &id, &err), &err);
    return id;
}

void read_message(struct place *place, struct arena *arena, uint64_t id,
                  struct queue_message *message)
{
    struct error err = { 0 };

    check_ok(queue_by_id(place->desk, arena, id, message, &err), &err);
}

static struct queue_lane *read_lanes(struct place *place, struct arena *arena, size_t *count_out)
{
    struct error err = { 0 };
    struct queue_lane *lanes;

    check_ok(queue_lanes(place->desk, arena, &lanes, count_out, &err), &err);
    return lanes;
}

size_t count_due(struct place *place, int64_t now_ms)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };
    size_t n_lanes, count = 0;
    struct queue_lane *lanes = read_lanes(place, &arena, &n_lanes);

    for (size_t i = 0; i < n_lanes; i++) {
        struct queue_list list;
        int64_t due_ms;

        check_ok(queue_lane_due(place->desk, &arena, lanes[i].domain, now_ms, 1000, &list, &due_ms,
                                &err),
                 &err);
        for (size_t k = 0; k < list.count; k++)
            count += list.items[k].n_recipients;
    }
    return count;
}

int64_t first_due(struct place *place)
{
    AUTO(arena_free) struct arena arena = { 0 };
    size_t n_lanes;
    struct queue_lane *lanes = read_lanes(place, &arena, &n_lanes);
    int64_t first_ms = INT64_MAX;

    for (size_t i = 0; i < n_lanes; i++)
        first_ms = MIN(first_ms, lanes[i].due_ms);
    return first_ms;
}

void check_stored_body(struct place *place, uint64_t id, size_t size)
{
    AUTO(body_free) struct body *want = make_body(place, size);
    AUTO(body_free) struct body *body = NULL;
    struct error err = { 0 };
    struct slice a, b;

    check_ok(queue_body(place->desk, id, &body, &err), &err);
    check_ok(body_bytes(body, &a, &err), &err);
    check_ok(body_bytes(want, &b, &err), &err);
    assert_true(slice_equal(a, b));
    assert_memory_equal(body_hash(body), body_hash(want), HASH_SIZE);
    assert_int_equal(body_is_large(body), size > PLACE_INLINE_MAX);
}

unsigned count_files(const struct place *place)
{
    AUTO(buf_free) struct buf path = { 0 };
    unsigned count = 0;
    DIR *folder;

    buf_fmt(&path, "%s/queue", place->path);
    folder = opendir(buf_text(&path));
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        AUTO(buf_free) struct buf inner = { 0 };
        DIR *sub;

        if (entry->d_name[0] == '.')
            continue;
        buf_fmt(&inner, "%s/%s", path.data, entry->d_name);
        sub = opendir(buf_text(&inner));
        assert_non_null(sub);
        for (struct dirent *file = readdir(sub); file != NULL; file = readdir(sub))
            count += file->d_name[0] != '.';
        closedir(sub);
    }
    closedir(folder);
    return count;
}

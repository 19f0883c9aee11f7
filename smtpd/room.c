/* room.c - see room.h. */
#include "smtpd/room.h"

#include "common/daemon.h"

#include <pthread.h>
#include <stdlib.h>

#define ENTRIES 1024
#define GOOD_MS 1000

struct entry {
    uint64_t account, until_ms, bytes_left;
};

struct room {
    pthread_mutex_t lock;
    struct entry entries[ENTRIES]; /* by account, the newest wins */
};

struct room *room_new(void)
{
    struct room *room = NEW(struct room);

    pthread_mutex_init(&room->lock, NULL);
    return room;
}

void room_free(struct room **room)
{
    struct room *old = TAKE(*room);

    if (old == NULL)
        return;
    pthread_mutex_destroy(&old->lock);
    free(old);
}

void room_forget(struct room *room)
{
    pthread_mutex_lock(&room->lock);
    memset(room->entries, 0, sizeof(room->entries));
    pthread_mutex_unlock(&room->lock);
}

/* Takes the size off what is remembered, so that a burst does not count on the same room. */
static bool is_remembered(struct room *room, uint64_t account, uint64_t size)
{
    struct entry *entry = &room->entries[account % ENTRIES];
    bool enough;

    pthread_mutex_lock(&room->lock);
    enough = entry->account == account && clock_ms() < entry->until_ms && entry->bytes_left >= size;
    if (enough)
        entry->bytes_left -= size;
    pthread_mutex_unlock(&room->lock);
    return enough;
}

static void remember(struct room *room, uint64_t account, uint64_t bytes_left)
{
    pthread_mutex_lock(&room->lock);
    room->entries[account % ENTRIES] = (struct entry){
        .account = account,
        .until_ms = clock_ms() + GOOD_MS,
        .bytes_left = bytes_left,
    };
    pthread_mutex_unlock(&room->lock);
}

static enum room_state state_of(const struct quota *quota, uint64_t size)
{
    if (quota->bytes_max > 0 && size > quota->bytes_max)
        return ROOM_NEVER;
    if (quota->bytes_max > 0 && quota->bytes + size > quota->bytes_max)
        return ROOM_FULL;
    if (quota->messages_max > 0 && quota->messages >= quota->messages_max)
        return ROOM_FULL;
    return ROOM_ENOUGH;
}

bool room_for(struct room *room, struct desk *desk, uint64_t account, uint64_t size,
              enum room_state *state_out, struct error *err)
{
    struct account_limits limits;
    struct account *store;
    struct quota quota;

    size = MAX(size, 1);
    *state_out = ROOM_ENOUGH;
    if (is_remembered(room, account, size))
        return true;
    if (!account_limits_by_id(desk, account, &limits, err))
        return false;
    if (limits.bytes == 0 && limits.messages == 0) { /* without opening the account */
        remember(room, account, UINT64_MAX);
        return true;
    }
    if (!desk_account(desk, account, &store, err) || !account_quota(store, &quota, err))
        return false;
    *state_out = state_of(&quota, size);
    if (*state_out == ROOM_ENOUGH)
        remember(room, account,
                 quota.bytes_max == 0 ? UINT64_MAX : quota.bytes_max - quota.bytes - size);
    return true;
}

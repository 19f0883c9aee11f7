/* guard.c - see guard.h: what counts, and what follows from it. */
#include "storage/guard.h"

#include "common/clock.h"
#include "common/crypto.h"
#include "common/mem.h"
#include "storage/guard_table.h"

#include <stdlib.h>

#define NETWORK_SHARE 10 /* a network is banned at so many times an address's wrong passwords */
#define ADDRESS_PART  2  /* an address waits as a pair with such a part of its wrong passwords */
#define USER_PART     4
#define NETWORK_PART  8

#define BAN_MAX_MS      (7 * 24 * 60 * 60 * UINT64_C(1000))
#define BAN_MEMORY_S    (30 * 24 * 60 * 60) /* then a ban is a first one again */
#define GOOD_AGAIN_S    (60 * 60)           /* a right password is written down so often, ... */
#define GOOD_FORGIVES_S 60                  /* ... or so, while it makes up for wrong ones */
#define PROOF_S         30                  /* machines with an old password try so often, ... */
#define PROOFS          10                  /* ... or a few times at once */
#define MARK_ANY_OTHER  0x10000             /* set in all marks: none is GUARD_PROOF */

enum scope { PAIR, ADDRESS, NETWORK, USER, SCOPES };

struct guard {
    struct guard_options options;
    struct guard_table *table;
};

static uint32_t time_of_day(void)
{
    return (uint32_t)(time_ms() / 1000);
}

bool guard_open(const struct guard_options *options, struct guard **guard_out, struct error *err)
{
    AUTO(guard_close) struct guard *guard = NEW(struct guard);

    guard->options = *options;
    guard->options.path = NULL;
    if (options->now_s == NULL)
        guard->options.now_s = time_of_day;
    if (!guard_table_open(options->path, &guard->table, err))
        return false;
    *guard_out = TAKE(guard);
    return true;
}

void guard_close(struct guard **guard_pointer)
{
    struct guard *guard = TAKE(*guard_pointer);

    if (guard == NULL)
        return;
    guard_table_close(&guard->table);
    free(guard);
}

/* --- keys --- */

/* One user has one key, however the address is spelt. */
static void add_user(struct buf *text, const struct guard_visit *visit)
{
    if (visit->account != 0) {
        buf_add(text, &visit->account, sizeof(visit->account));
        return;
    }
    buf_add_byte(text, '\0');
    buf_add_lower(text, visit->user);
}

static uint64_t network_key(const struct guard *guard, enum scope scope,
                            const struct network *network)
{
    return guard_table_key(guard->table, scope == ADDRESS ? "address" : "network", network->bytes,
                           sizeof(network->bytes));
}

/* One visit: keys of its rows, 0 where there is none to keep. */
struct visit {
    struct network networks[SCOPES]; /* of ADDRESS and NETWORK */
    uint64_t keys[SCOPES];
};

/* False for what has no address: a unix socket. */
static bool look_up(const struct guard *guard, const struct guard_visit *visit, struct visit *out)
{
    AUTO(buf_free) struct buf user = { 0 };
    AUTO(buf_free) struct buf pair = { 0 };

    *out = (struct visit){ 0 };
    if (!network_of(visit->address, 32, 64, &out->networks[ADDRESS]) ||
        !network_of(visit->address, 24, 48, &out->networks[NETWORK]))
        return false;
    add_user(&user, visit);
    buf_add(&pair, out->networks[NETWORK].bytes, sizeof(out->networks[NETWORK].bytes));
    buf_add_slice(&pair, buf_slice(&user));
    out->keys[PAIR] = guard_table_key(guard->table, "pair", pair.data, pair.len);
    out->keys[USER] = guard_table_key(guard->table, "user", user.data, user.len);
    if (networks_contain(slice_of(guard->options.exempt), visit->address))
        return true;
    out->keys[ADDRESS] = network_key(guard, ADDRESS, &out->networks[ADDRESS]);
    out->keys[NETWORK] = network_key(guard, NETWORK, &out->networks[NETWORK]);
    return true;
}

uint32_t guard_mark(const struct guard *guard, const struct guard_visit *visit,
                    struct slice password)
{
    AUTO(buf_free) struct buf text = { .secret = true };
    uint64_t key;

    add_user(&text, visit);
    buf_add_byte(&text, '\0');
    buf_add_slice(&text, password);
    key = guard_table_key(guard->table, "password", text.data, text.len);
    return (uint32_t)(key & 0xffff) | MARK_ANY_OTHER;
}

/* --- rows --- */

static uint64_t forgiven(const struct guard *guard, const struct guard_row *row, uint32_t now)
{
    if (row->counted_s >= now) /* so is a clock that went back */
        return 0;
    return MIN((now - row->counted_s) / MAX(guard->options.forgive_ms / 1000, 1), row->wrong);
}

static uint64_t wrong_of(const struct guard *guard, const struct guard_row *row, uint32_t now)
{
    return row->wrong - forgiven(guard, row, now);
}

static void forgive(const struct guard *guard, struct guard_row *row, uint32_t now)
{
    uint64_t less = forgiven(guard, row, now);
    uint32_t took_s = (uint32_t)(less * MAX(guard->options.forgive_ms / 1000, 1));

    row->wrong = (uint16_t)(row->wrong - less);
    row->counted_s = row->wrong == 0 || row->counted_s > now ? now : row->counted_s + took_s;
}

static bool is_recent(const struct guard *guard, uint32_t good_s, uint32_t now)
{
    return good_s != 0 && (good_s >= now || now - good_s < guard->options.known_ms / 1000);
}

/* The latest stands first. True when it was not there. */
static bool add_mark(struct guard_row *row, uint16_t mark)
{
    size_t at = 0;
    bool is_new;

    while (at < row->n_marks && row->marks[at] != mark)
        at++;
    is_new = at == row->n_marks;
    if (is_new && row->n_marks < GUARD_MARKS)
        row->n_marks++;
    memmove(&row->marks[1], &row->marks[0], MIN(at, GUARD_MARKS - 1) * sizeof(row->marks[0]));
    row->marks[0] = mark;
    return is_new;
}

/* --- the wait --- */

static uint64_t wait_ms(const struct guard *guard, uint64_t level)
{
    uint64_t steps = level > guard->options.free ? level - guard->options.free : 0;

    return steps == 0 ? 0 : MIN(UINT64_C(1000) << MIN(steps - 1, 20), guard->options.delay_max_ms);
}

uint64_t guard_delay(struct guard *guard, const struct guard_visit *visit)
{
    static const uint64_t parts[SCOPES] = { 1, ADDRESS_PART, NETWORK_PART, USER_PART };
    uint32_t now = guard->options.now_s();
    uint64_t level = 0;
    struct guard_row row;
    struct visit keys;

    if (guard->options.delay_max_ms == 0 || !look_up(guard, visit, &keys))
        return 0;
    for (size_t i = PAIR; i < SCOPES; i++) {
        if (keys.keys[i] == 0)
            continue;
        guard_table_read(guard->table, keys.keys[i], &row);
        level = MAX(level, wrong_of(guard, &row, now) / parts[i]);
        if (i == PAIR && is_recent(guard, row.good_s, now))
            break;
    }
    return wait_ms(guard, level);
}

/* --- counting --- */

struct counting {
    const struct guard *guard;
    enum scope scope;
    uint32_t now;
    uint32_t mark;     /* of the password, or GUARD_PROOF */
    uint16_t stand_in; /* for a proof: of whom it is about */
    uint64_t ban_at;   /* 0: never */
    uint64_t ban_ms, wrong;
};

/* A proof is no password: the same one makes another each time. What comes as slowly as from a
 * machine with an old password is one; each that is faster counts. */
static bool proof_counts(struct guard_row *row, uint32_t now, uint16_t stand_in)
{
    uint32_t less = (now - MIN(row->proved_s, now)) / PROOF_S;

    row->proved_s = less >= row->proofs ? now : row->proved_s + less * PROOF_S;
    row->proofs = (uint16_t)(row->proofs - MIN(less, row->proofs));
    if (row->proofs < UINT16_MAX)
        row->proofs++;
    return add_mark(row, stand_in) || row->proofs > PROOFS;
}

static bool is_distinct(struct guard_row *row, const struct counting *counting)
{
    if (counting->mark == GUARD_PROOF)
        return proof_counts(row, counting->now, counting->stand_in);
    return add_mark(row, (uint16_t)counting->mark);
}

/* Twice as long as the last time. */
static uint64_t next_ban_ms(const struct guard *guard, struct guard_row *row, uint32_t now)
{
    if (row->banned_s < now && now - row->banned_s > BAN_MEMORY_S)
        row->bans = 0;
    return MIN(guard->options.ban_ms << MIN(row->bans, 16), BAN_MAX_MS);
}

static void count_wrong(struct guard_row *row, void *context)
{
    struct counting *counting = context;
    const struct guard *guard = counting->guard;
    bool counts = is_distinct(row, counting);

    forgive(guard, row, counting->now);
    if (counts && row->wrong < UINT16_MAX)
        row->wrong++;
    counting->wrong = row->wrong;
    if (!counts || counting->ban_at == 0 || row->wrong < counting->ban_at ||
        row->banned_s > counting->now || is_recent(guard, row->good_s, counting->now))
        return;
    counting->ban_ms = next_ban_ms(guard, row, counting->now);
    row->banned_s = counting->now + (uint32_t)(counting->ban_ms / 1000);
    if (row->bans < UINT8_MAX)
        row->bans++;
}

/* An address sees different users, a user different networks. */
static uint16_t stand_in_for(const struct visit *keys, enum scope scope)
{
    return (uint16_t)keys->keys[scope == USER ? PAIR : USER];
}

static uint64_t ban_at(const struct guard *guard, enum scope scope)
{
    switch (scope) {
    case ADDRESS:
        return guard->options.ban_after;
    case NETWORK:
        return guard->options.ban_after * NETWORK_SHARE;
    case PAIR:
    case USER:
    case SCOPES:
        break;
    }
    return 0;
}

size_t guard_wrong(struct guard *guard, const struct guard_visit *visit, uint32_t mark,
                   struct guard_ban bans_out[GUARD_BANS])
{
    struct visit keys;
    size_t count = 0;

    if (!look_up(guard, visit, &keys))
        return 0;
    for (size_t i = PAIR; i < SCOPES; i++) {
        enum scope scope = (enum scope)i;
        struct counting counting = { guard,
                                     scope,
                                     guard->options.now_s(),
                                     mark,
                                     stand_in_for(&keys, scope),
                                     ban_at(guard, scope),
                                     0,
                                     0 };

        if (keys.keys[i] == 0)
            continue;
        guard_table_change(guard->table, keys.keys[i], counting.now, count_wrong, &counting);
        if (counting.ban_ms > 0)
            bans_out[count++] =
                (struct guard_ban){ keys.networks[i], counting.ban_ms, counting.wrong };
    }
    return count;
}

static void note_right(struct guard_row *row, void *context)
{
    const struct counting *counting = context;

    row->good_s = counting->now;
    if (counting->scope == PAIR && row->wrong > 0)
        row->wrong--;
}

/* A right password makes up for one wrong one, and no more: somebody who guesses in the network of
 * a user who logs in all the time must not begin anew each time. */
static bool is_due(const struct guard_row *row, enum scope scope, uint32_t now)
{
    uint32_t every_s = scope == PAIR && row->wrong > 0 ? GOOD_FORGIVES_S : GOOD_AGAIN_S;

    return row->good_s > now || now - row->good_s >= every_s;
}

void guard_right(struct guard *guard, const struct guard_visit *visit)
{
    static const enum scope scopes[] = { PAIR, ADDRESS, NETWORK };
    struct guard_row row;
    struct visit keys;

    if (!look_up(guard, visit, &keys))
        return;
    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        struct counting counting = { .guard = guard,
                                     .scope = scopes[i],
                                     .now = guard->options.now_s() };
        uint64_t key = keys.keys[scopes[i]];

        if (key == 0)
            continue;
        guard_table_read(guard->table, key, &row);
        if (is_due(&row, scopes[i], counting.now))
            guard_table_change(guard->table, key, counting.now, note_right, &counting);
    }
}

static void begin_anew(struct guard_row *row, void *context)
{
    *row = (struct guard_row){ .key = row->key, .good_s = row->good_s };
}

void guard_pardon(struct guard *guard, const struct network *network)
{
    static const enum scope scopes[] = { ADDRESS, NETWORK };

    for (size_t i = 0; i < COUNT_OF(scopes); i++)
        guard_table_change(guard->table, network_key(guard, scopes[i], network),
                           guard->options.now_s(), begin_anew, NULL);
}

bool guard_fault(struct guard *guard, struct error *fault_out)
{
    return guard_table_fault(guard->table, fault_out);
}

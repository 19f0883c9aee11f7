/* store.c - the data directory, desks, and the open accounts of each desk.
 *
 * A desk keeps the accounts it used last open, as many as the settings allow. While it is idle it
 * gives back the memory of those not used for 10 s and closes those not used for 5 minutes.
 */
#include "storage/store.h"

#include "common/crypto.h"
#include "storage/account.h"
#include "storage/directory.h"
#include "storage/sqlite/sql.h"
#include "storage/sqlite/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RELEASE_AFTER_MS 10000
#define CLOSE_AFTER_MS   (5 * 60 * 1000)
#define LOOK_EVERY_MS    1000
#define HANDLES_A_TURN   256 /* beyond those that are kept: a handle is four files */

static const char *const folders[] = { "accounts", "queue", "run", "run/notice", "tmp" };

void store_account_path(const struct store *store, uint64_t id, const char *name, struct buf *out)
{
    buf_fmt(out, "%s/accounts/%02x/%016" PRIx64, store->options.path, (unsigned)(id >> 56), id);
    if (name != NULL)
        buf_fmt(out, "/%s", name);
}

void store_temporary_path(const struct store *store, struct buf *out)
{
    uint64_t number;

    random_bytes(&number, sizeof(number));
    buf_fmt(out, "%s/tmp/%016" PRIx64, store->options.path, number);
}

static bool make_folders(const char *path, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        AUTO(buf_free) struct buf folder = { 0 };

        buf_fmt(&folder, "%s/%s", path, folders[i]);
        if (!dir_make(buf_text(&folder), err))
            return false;
    }
    return true;
}

/* Opens both databases once: makes or migrates them, or finds out why they cannot be used. */
static bool prepare_databases(const struct store *store, bool create, struct error *err)
{
    struct sql_db db;

    if (!directory_database_open(store, create, &db, err))
        return false;
    sql_close(&db);
    if (!queue_database_open(store, create, &db, err))
        return false;
    sql_close(&db);
    return true;
}

/* Two processes may want the same new store at once: the directory itself is the lock. */
static bool create_locked(const char *path, struct error *err)
{
    struct store store = { .options.path = path };
    int lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        ok = error_errno(err, "locking %s", path);
    else
        ok = make_folders(path, err) && prepare_databases(&store, true, err) && dir_sync(path, err);
    if (lock >= 0)
        close(lock);
    return ok;
}

bool store_create(const char *path, struct error *err)
{
    if (!dir_make(path, err) || !create_locked(path, err))
        return error_wrap(err, "creating store %s", path);
    return true;
}

bool store_open(const struct store_options *options, struct store **store_out, struct error *err)
{
    AUTO(store_close) struct store *store = NEW(struct store);

    store->options = *options;
    store->options.path = slice_strdup(slice_of(options->path));
    if (!prepare_databases(store, false, err)) {
        if (err->kind == ERROR_NOT_FOUND)
            return error_set(err, ERROR_NOT_FOUND,
                             "%s: there is no store; make one with "
                             "\"postane init\"",
                             options->path);
        return error_wrap(err, "opening store %s", options->path);
    }
    if (!make_folders(store->options.path, err))
        return error_wrap(err, "opening store %s", options->path);

    store->notices = notice_sender_new(store->options.path);
    *store_out = TAKE(store);
    return true;
}

void store_close(struct store **store)
{
    if (*store == NULL)
        return;
    notice_sender_free(&(*store)->notices);
    free((char *)(*store)->options.path);
    free(TAKE(*store));
}

const char *store_path(const struct store *store)
{
    return store->options.path;
}

bool desk_open(struct store *store, struct desk **desk_out, struct error *err)
{
    struct desk *desk = NEW(struct desk);

    desk->store = store;
    desk->room = MAX(store->options.handles_per_desk, HANDLES_LENT);
    *desk_out = desk;
    return true;
}

static void close_database(struct sql_db **db)
{
    if (*db == NULL)
        return;
    sql_close(*db);
    free(TAKE(*db));
}

void desk_close(struct desk **desk)
{
    if (*desk == NULL)
        return;
    if ((*desk)->guest != NULL)
        (*desk)->guest->close((*desk)->guest);
    for (size_t i = 0; i < (*desk)->n_slots; i++)
        account_handle_close(&(*desk)->slots[i].account);
    close_database(&(*desk)->directory);
    close_database(&(*desk)->queue);
    free((*desk)->slots);
    free(TAKE(*desk));
}

struct desk_guest **desk_guest(struct desk *desk)
{
    return &desk->guest;
}

static bool lend_database(struct desk *desk, struct sql_db **kept,
                          bool (*open)(const struct store *, bool, struct sql_db *, struct error *),
                          struct sql_db **db_out, struct error *err)
{
    desk->used_ms = clock_ms();
    desk->released = false;
    if (*kept == NULL) {
        struct sql_db db;

        if (!open(desk->store, false, &db, err))
            return false;
        *kept = NEW(struct sql_db);
        **kept = db;
    }
    *db_out = *kept;
    return true;
}

bool desk_directory(struct desk *desk, struct sql_db **db_out, struct error *err)
{
    return lend_database(desk, &desk->directory, directory_database_open, db_out, err);
}

bool desk_queue(struct desk *desk, struct sql_db **db_out, struct error *err)
{
    return lend_database(desk, &desk->queue, queue_database_open, db_out, err);
}

static void drop_slot(struct desk *desk, struct desk_slot *slot)
{
    account_handle_close(&slot->account);
    *slot = desk->slots[--desk->n_slots];
}

static struct desk_slot *find_slot(struct desk *desk, uint64_t id)
{
    for (size_t i = 0; i < desk->n_slots; i++) {
        if (desk->slots[i].id == id)
            return &desk->slots[i];
    }
    return NULL;
}

static struct desk_slot *least_recent(struct desk *desk)
{
    struct desk_slot *oldest = &desk->slots[0];

    for (size_t i = 1; i < desk->n_slots; i++) {
        if (desk->slots[i].turn < oldest->turn)
            oldest = &desk->slots[i];
    }
    return oldest;
}

/* An account that the operator removed is gone at once, even where it is still open. One whose mail
 * is missing is not: what comes for it must wait, and not go back to its sender. */
static bool find_file(struct desk *desk, uint64_t id, uint64_t *file_out, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf path = { 0 };
    struct account_info info;
    struct stat st;

    store_account_path(desk->store, id, "mail.db", &path);
    if (stat(buf_text(&path), &st) == 0) {
        *file_out = st.st_ino;
        return true;
    }
    if (errno != ENOENT && errno != ENOTDIR)
        return error_errno(err, "%s", path.data);
    if (account_by_id(desk, &arena, id, &info, err))
        return error_set(err, ERROR_INTERNAL, "%s is missing", path.data);
    return err->kind == ERROR_NOT_FOUND &&
           error_set(err, ERROR_NOT_FOUND, "%s: there is no such account", path.data);
}

/* Was it lent in this turn? */
static bool is_lent(const struct desk *desk, const struct desk_slot *slot)
{
    return desk->counts_turns && slot->turn > desk->turn_began;
}

void desk_begin_turn(struct desk *desk)
{
    desk->counts_turns = true;
    desk->turn_began = desk->turns;
    while (desk->n_slots > desk->room)
        drop_slot(desk, least_recent(desk));
}

static bool fill_slot(struct desk *desk, uint64_t id, uint64_t file, struct desk_slot **slot_out,
                      struct error *err)
{
    struct desk_slot slot = { .id = id, .file = file };

    if (desk->n_slots >= desk->room && !is_lent(desk, least_recent(desk)))
        drop_slot(desk, least_recent(desk));
    if (desk->n_slots >= desk->room + HANDLES_A_TURN)
        return error_set(err, ERROR_TEMPORARY, "too many accounts are used at once");
    if (!account_handle_open(desk, id, &slot.account, err))
        return error_wrap(err, "opening account %016" PRIx64, id);
    desk->slots =
        mem_grow(desk->slots, &desk->slots_room, desk->n_slots + 1, sizeof(desk->slots[0]));
    desk->slots[desk->n_slots] = slot;
    *slot_out = &desk->slots[desk->n_slots++];
    return true;
}

bool desk_account(struct desk *desk, uint64_t id, struct account **account_out, struct error *err)
{
    struct desk_slot *slot = find_slot(desk, id);
    uint64_t file = 0;
    bool found = find_file(desk, id, &file, err);

    if (slot != NULL && slot->file != file) {
        slot->removed = true; /* closed by desk_idle(): the job may still hold the handle */
        slot->id = 0;
        slot = NULL;
    }
    if (!found || (slot == NULL && !fill_slot(desk, id, file, &slot, err)))
        return false;
    if (slot->released)
        account_handle_take_up(slot->account);
    slot->used_ms = clock_ms();
    slot->turn = ++desk->turns;
    slot->released = false;
    *account_out = slot->account;
    return true;
}

static void idle_slot(struct desk *desk, struct desk_slot *slot, uint64_t idle_ms)
{
    if (idle_ms >= CLOSE_AFTER_MS || slot->removed) {
        drop_slot(desk, slot);
        return;
    }
    if (slot->released)
        return;
    account_handle_idle(slot->account, time_ms());
    if (idle_ms >= RELEASE_AFTER_MS) {
        account_handle_release(slot->account);
        slot->released = true;
    }
}

static void idle_databases(struct desk *desk, uint64_t idle_ms)
{
    if (desk->released || idle_ms < RELEASE_AFTER_MS)
        return;
    if (desk->directory != NULL)
        sql_release_memory(desk->directory);
    if (desk->queue != NULL)
        sql_release_memory(desk->queue);
    desk->released = true;
}

void desk_relieve(struct desk *desk)
{
    if (desk->guest != NULL)
        desk->guest->relieve(desk->guest);
    for (size_t i = 0; i < desk->n_slots; i++)
        if (!desk->slots[i].released) {
            account_handle_release(desk->slots[i].account);
            desk->slots[i].released = true;
        }
    if (!desk->released)
        idle_databases(desk, RELEASE_AFTER_MS);
}

/* Accounts in use lately are looked at each second, to collect what they leave; resting ones when
 * the first of them is to be closed. */
static uint64_t next_idle_ms(const struct desk *desk, uint64_t now)
{
    uint64_t next = desk->released ? 0 : LOOK_EVERY_MS;

    for (size_t i = 0; i < desk->n_slots; i++) {
        const struct desk_slot *slot = &desk->slots[i];
        uint64_t close_ms = slot->used_ms + CLOSE_AFTER_MS;
        uint64_t wait = !slot->released ? LOOK_EVERY_MS : close_ms > now ? close_ms - now : 1;

        next = next == 0 ? wait : MIN(next, wait);
    }
    return next;
}

static uint64_t idle_guest(struct desk *desk)
{
    return desk->guest != NULL ? desk->guest->idle(desk->guest) : 0;
}

uint64_t desk_idle(struct desk *desk)
{
    uint64_t now = clock_ms(), guest_ms = idle_guest(desk), next_ms;

    /* From the end, because dropping a slot moves the last one into its place. */
    for (size_t i = desk->n_slots; i-- > 0;)
        idle_slot(desk, &desk->slots[i], now - desk->slots[i].used_ms);
    idle_databases(desk, now - desk->used_ms);
    next_ms = next_idle_ms(desk, now);
    return guest_ms == 0 || (next_ms != 0 && next_ms < guest_ms) ? next_ms : guest_ms;
}

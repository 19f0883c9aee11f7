/* snapshot.c - see snapshot.h. */
#include "imapd/view/snapshot.h"

#include "common/clock.h"
#include "common/mem.h"

#include <stdlib.h>

#define COUNT_MAX 256 /* on each desk */

struct snapshot {
    uint64_t account, reader, mailbox;
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;
    struct table table;
    size_t bytes;
    uint64_t used_ms;
};

/* The desk's guest; the most recently used snapshot is the last one. */
struct snapshots {
    struct desk_guest guest;
    struct snapshot *items;
    size_t count, room;
};

static void drop_at(struct snapshots *all, size_t at)
{
    table_free(&all->items[at].table);
    memmove(&all->items[at], &all->items[at + 1], (--all->count - at) * sizeof(all->items[0]));
}

/* Those that sessions share stay: they cost little, and are of use to the next session. */
static uint64_t drop_old(struct desk_guest *guest)
{
    struct snapshots *all = CONTAINER_OF(guest, struct snapshots, guest);
    uint64_t now = clock_ms();

    for (size_t i = all->count; i-- > 0;)
        if (now - all->items[i].used_ms >= SNAPSHOT_KEEP_MS &&
            !table_is_shared(&all->items[i].table))
            drop_at(all, i);
    return all->count > 0 ? SNAPSHOT_KEEP_MS : 0;
}

static void drop_all(struct desk_guest *guest)
{
    struct snapshots *all = CONTAINER_OF(guest, struct snapshots, guest);

    while (all->count > 0)
        drop_at(all, all->count - 1);
}

static void close_all(struct desk_guest *guest)
{
    struct snapshots *all = CONTAINER_OF(guest, struct snapshots, guest);

    drop_all(guest);
    free(all->items);
    free(all);
}

static struct snapshots *snapshots_of(struct desk *desk)
{
    struct desk_guest **guest = desk_guest(desk);

    if (*guest == NULL) {
        struct snapshots *all = NEW(struct snapshots);

        all->guest = (struct desk_guest){ drop_old, drop_all, close_all };
        *guest = &all->guest;
    }
    return CONTAINER_OF(*guest, struct snapshots, guest);
}

/* Who has a \Seen of his own in the mailbox has snapshots of his own. */
static bool is_of(const struct snapshot *snapshot, const struct account *account, uint64_t mailbox)
{
    return snapshot->account == account_id(account) && snapshot->mailbox == mailbox &&
           snapshot->reader == account_reader(account);
}

/* The snapshot of a mailbox, made the last one; NULL if there is none. */
static struct snapshot *find(struct snapshots *all, const struct account *account, uint64_t mailbox)
{
    size_t i = 0;
    struct snapshot found;

    while (i < all->count && !is_of(&all->items[i], account, mailbox))
        i++;
    if (i == all->count)
        return NULL;
    found = all->items[i];
    found.used_ms = clock_ms();
    memmove(&all->items[i], &all->items[i + 1], (all->count - i - 1) * sizeof(found));
    all->items[all->count - 1] = found;
    return &all->items[all->count - 1];
}

static struct snapshot *add(struct snapshots *all, const struct account *account, uint64_t mailbox)
{
    all->items = mem_grow(all->items, &all->room, all->count + 1, sizeof(all->items[0]));
    all->items[all->count] = (struct snapshot){ .account = account_id(account),
                                                .reader = account_reader(account),
                                                .mailbox = mailbox,
                                                .used_ms = clock_ms() };
    return &all->items[all->count++];
}

/* The least recently used go first. */
static void keep_within(struct snapshots *all, size_t bytes_max)
{
    size_t bytes = 0;

    for (size_t i = all->count; i-- > 0;) {
        bytes += all->items[i].bytes;
        if (bytes > bytes_max || all->count - i > COUNT_MAX)
            drop_at(all, i);
    }
}

void view_offer(struct view *view, struct desk *desk, const struct account *account,
                size_t bytes_max)
{
    struct snapshots *all = snapshots_of(desk);
    struct snapshot *snapshot = find(all, account, view->mailbox);

    if (snapshot != NULL && snapshot->modseq == view->modseq)
        table_unite(&view->table, &snapshot->table);
    if (view->gone.count > 0 || (snapshot != NULL && snapshot->modseq >= view->modseq))
        return;
    if (snapshot == NULL)
        snapshot = add(all, account, view->mailbox);
    table_share(&snapshot->table, &view->table);
    snapshot->uidvalidity = view->uidvalidity;
    snapshot->uidnext = view->uidnext;
    snapshot->modseq = view->modseq;
    snapshot->bytes = table_bytes(&view->table);
    keep_within(all, bytes_max);
}

bool view_changes_read(struct account *account, uint64_t mailbox, uint64_t since,
                       struct view_changes *changes_out, struct error *err)
{
    const struct mail_sink sink = { view_changes_take, changes_out };

    *changes_out = (struct view_changes){ 0 };
    if (mailbox_changes_each(account, mailbox, since, NULL, &sink, &changes_out->head, err))
        return true;
    view_changes_free(changes_out);
    return false;
}

static void start_from(struct view *view, const struct snapshot *snapshot)
{
    table_share(&view->table, &snapshot->table);
    view->count = view->table.count;
    view->uidvalidity = snapshot->uidvalidity;
    view->uidnext = snapshot->uidnext;
    view->modseq = snapshot->modseq;
}

/* A store that was put back from a backup is behind what we know. */
static bool is_behind(const struct view_changes *changes, const struct view *view)
{
    return changes->head.modseq < view->modseq || changes->head.uidnext < view->uidnext ||
           (view->modseq > 0 && changes->head.uidvalidity != view->uidvalidity);
}

bool view_open(struct view *view, struct desk *desk, struct account *account, size_t bytes_max,
               struct error *err)
{
    AUTO(view_changes_free) struct view_changes changes = { 0 };
    AUTO(view_news_free) struct view_news news = { 0 };
    struct snapshots *all = snapshots_of(desk);
    struct snapshot *snapshot = find(all, account, view->mailbox);

    if (snapshot != NULL)
        start_from(view, snapshot);
    if (!view_changes_read(account, view->mailbox, view->modseq, &changes, err))
        return false;
    if (is_behind(&changes, view)) {
        table_free(&view->table);
        drop_at(all, all->count - 1);
        view->count = 0;
        view_changes_free(&changes);
        if (!view_changes_read(account, view->mailbox, 0, &changes, err))
            return false;
    }
    view_apply(view, &changes, true, &news);
    view_offer(view, desk, account, bytes_max);
    return true;
}

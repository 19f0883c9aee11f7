/* test_snapshot.c - views that begin with a snapshot against views that are read anew, while the
 * mailbox changes; who shares what, and when snapshots go. */
#include "imapd/view/snapshot.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/rig.h"

#include <stdlib.h>

#define PLENTY  (1024 * 1024)
#define MESSAGE "Subject: x\r\n\r\ny\r\n"

struct world {
    struct rig rig;
    struct account *account;
    uint64_t inbox;
    struct error err;
};

static void must(bool ok)
{
    assert_true(ok);
}

static int open_world(void **state)
{
    static struct world world;
    struct arena arena = { 0 };
    struct mailbox_info info;

    world = (struct world){ 0 };
    rig_open(&world.rig);
    must(desk_account(world.rig.desk, world.rig.bob, &world.account, &world.err));
    must(mailbox_by_name(world.account, &arena, SLICE("INBOX"), &info, &world.err));
    world.inbox = info.id;
    arena_free(&arena);
    *state = &world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;

    rig_close(&world->rig);
    return 0;
}

static void add(struct world *world, int count)
{
    for (int i = 0; i < count; i++)
        rig_append(&world->rig, world->rig.bob, "INBOX", MESSAGE);
}

static void set_flags(struct world *world, uint32_t uid, uint64_t flags)
{
    const struct flag_change change = { .op = FLAGS_REPLACE, .flags = flags };
    AUTO(flags_result_free) struct flags_result result = { 0 };
    AUTO(uidset_free) struct uidset which = { 0 };

    uidset_add(&which, uid, uid);
    must(mailbox_store_flags(world->account, world->inbox, &which, &change, &result, &world->err));
}

static void expunge(struct world *world)
{
    AUTO(uidset_free) struct uidset expunged = { 0 };
    uint64_t modseq;

    must(mailbox_expunge(world->account, world->inbox, NULL, false, &expunged, &modseq,
                         &world->err));
}

static struct view open_view(struct world *world, size_t bytes_max)
{
    struct view view = { .mailbox = world->inbox };

    must(view_open(&view, world->rig.desk, world->account, bytes_max, &world->err));
    return view;
}

static void sync_view(struct world *world, struct view *view, bool may_expunge)
{
    AUTO(view_changes_free) struct view_changes changes = { 0 };
    AUTO(view_news_free) struct view_news news = { 0 };

    must(view_changes_read(world->account, world->inbox, view->modseq, &changes, &world->err));
    view_apply(view, &changes, may_expunge, &news);
    view_offer(view, world->rig.desk, world->account, PLENTY);
}

static void assert_as_stored(struct world *world, const struct view *view)
{
    AUTO(changes_free) struct changes all = { 0 };
    struct mail mail;

    must(mailbox_changes(world->account, world->inbox, 0, NULL, &all, &world->err));
    assert_int_equal(view->count, all.count);
    assert_int_equal(view->modseq, all.modseq);
    assert_int_equal(view->uidnext, all.uidnext);
    assert_int_equal(view->uidvalidity, all.uidvalidity);
    for (size_t i = 0; i < all.count; i++) {
        table_row(&view->table, i, &mail);
        assert_memory_equal(&mail, &all.mails[i], sizeof(mail));
    }
}

/* Sessions come, look, and go; each SELECT knows what is stored. */
static void test_random(void **state)
{
    struct world *world = *state;
    struct view views[3] = { { 0 } };

    srand(7);
    add(world, 5);
    for (int i = 0; i < 300; i++) {
        struct view *view = &views[rand() % COUNT_OF(views)];
        uint32_t uid = 1 + (uint32_t)rand() % 20;

        if (rand() % 3 == 0)
            add(world, rand() % 3);
        if (rand() % 2 == 0)
            set_flags(world, uid, rand() % 4 == 0 ? MAIL_DELETED : MAIL_SEEN);
        if (rand() % 6 == 0)
            expunge(world);
        if (view->mailbox != 0 && rand() % 2 == 0) {
            sync_view(world, view, rand() % 2 == 0);
            if (view->gone.count == 0)
                assert_as_stored(world, view);
            continue;
        }
        view_free(view);
        *view = open_view(world, PLENTY);
        assert_as_stored(world, view);
    }
    for (size_t i = 0; i < COUNT_OF(views); i++)
        view_free(&views[i]);
}

static void test_sharing(void **state)
{
    struct world *world = *state;

    add(world, 3);
    struct view one = open_view(world, PLENTY), two = open_view(world, PLENTY);
    assert_ptr_equal(one.table.chunks[0], two.table.chunks[0]);
    set_flags(world, 2, MAIL_FLAGGED);
    sync_view(world, &one, true);
    assert_ptr_not_equal(one.table.chunks[0], two.table.chunks[0]);
    sync_view(world, &two, true);
    assert_ptr_equal(one.table.chunks[0], two.table.chunks[0]);

    view_free(&two);
    assert_true(table_is_shared(&one.table)); /* with the snapshot */
    set_flags(world, 3, MAIL_FLAGGED);
    two = open_view(world, 0); /* which leaves no room for any */
    view_free(&two);
    assert_false(table_is_shared(&one.table));
    view_free(&one);
}

/* The client has not heard of an expunge yet: others begin without the message. */
static void test_held_back(void **state)
{
    struct world *world = *state;

    add(world, 3);
    struct view held = open_view(world, PLENTY);
    set_flags(world, 2, MAIL_DELETED);
    expunge(world);
    sync_view(world, &held, false);
    assert_int_equal(held.count, 3);
    struct view fresh = open_view(world, PLENTY);
    assert_int_equal(fresh.count, 2);
    assert_int_equal(held.count, 3);
    sync_view(world, &held, true);
    assert_as_stored(world, &held);
    view_free(&held);
    view_free(&fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_sharing, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_held_back, open_world, close_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

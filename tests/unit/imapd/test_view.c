/* test_view.c - the view against a plain model, step by step with random changes. */
#include "imapd/view.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

#define UIDS  40
#define STEPS 400

/* What is in the store, and what the client knows, the slow way. */
struct model {
    bool there[UIDS + 1];
    uint64_t flags[UIDS + 1], modseqs[UIDS + 1];
    uint32_t client[UIDS]; /* UIDs by sequence number - 1 */
    uint64_t client_flags[UIDS];
    size_t n_client;
    uint32_t uidnext;
    uint64_t modseq;
};

static void apply(struct view *view, const struct changes *changes, bool may_expunge,
                  struct view_news *news)
{
    struct view_changes all = { .head = *changes };

    all.head.mails = NULL;
    all.head.vanished = (struct uidset){ 0 };
    uidset_copy(&all.head.vanished, &changes->vanished);
    view_changes_take(&all, changes->mails, changes->count);
    view_apply(view, &all, may_expunge, news);
    view_changes_free(&all);
}

static void mutate(struct model *model, struct changes *changes)
{
    static struct mail mails[UIDS];
    uint64_t since = model->modseq++;

    *changes = (struct changes){ .mails = mails, .all_vanished_known = true };
    for (uint32_t uid = 1; uid < model->uidnext; uid++) {
        if (!model->there[uid] || rand() % 4 != 0)
            continue;
        model->modseqs[uid] = model->modseq;
        if (rand() % 2 == 0) {
            model->flags[uid] ^= MAIL_SEEN;
        } else {
            model->there[uid] = false;
            uidset_add(&changes->vanished, uid, uid);
        }
    }
    for (int i = rand() % 3; i > 0 && model->uidnext <= UIDS; i--) {
        model->there[model->uidnext] = true;
        model->modseqs[model->uidnext++] = model->modseq;
    }
    for (uint32_t uid = 1; uid < model->uidnext; uid++)
        if (model->there[uid] && model->modseqs[uid] > since)
            mails[changes->count++] = (struct mail){ .uid = uid,
                                                     .flags = model->flags[uid],
                                                     .modseq = model->modseqs[uid],
                                                     .msg = uid * 10 };
    changes->uidnext = model->uidnext;
    changes->modseq = model->modseq;
}

/* What a client does with the news. */
static void obey(struct model *model, const struct view *view, const struct view_news *news)
{
    for (size_t i = 0; i < news->n_expunged; i++) {
        size_t at = news->expunged_seqs[i] - 1;

        assert_true(at < model->n_client);
        assert_true(uidset_has(&news->expunged, model->client[at]));
        memmove(&model->client[at], &model->client[at + 1],
                (model->n_client - at - 1) * sizeof(model->client[0]));
        memmove(&model->client_flags[at], &model->client_flags[at + 1],
                (model->n_client - at - 1) * sizeof(model->client_flags[0]));
        model->n_client--;
    }
    assert_int_equal(news->grown, view->count > model->n_client);
    for (; model->n_client < view->count; model->n_client++) {
        model->client[model->n_client] = view_uid(view, model->n_client);
        model->client_flags[model->n_client] = view_flags(view, model->n_client);
    }
    for (size_t i = 0; i < news->n_changed; i++)
        model->client_flags[news->changed[i]] = view_flags(view, news->changed[i]);
}

static void compare(const struct model *model, const struct view *view, bool may_expunge)
{
    size_t there = 0;

    assert_int_equal(view->count, model->n_client);
    for (size_t i = 0; i < view->count; i++) {
        uint32_t uid = view_uid(view, i);

        assert_int_equal(uid, model->client[i]);
        assert_int_equal(view_flags(view, i), model->client_flags[i]);
        assert_int_equal(view_msg(view, i), uid * 10);
        assert_int_equal(!model->there[uid], uidset_has(&view->gone, uid));
        if (model->there[uid])
            assert_int_equal(view_flags(view, i), model->flags[uid]);
        there += model->there[uid];
    }
    if (may_expunge)
        assert_int_equal(there, view->count);
}

static void play(unsigned seed)
{
    struct model model = { .uidnext = 1, .modseq = 1 };
    struct view view = { 0 };

    srand(seed);
    for (int i = 0; i < STEPS && model.uidnext <= UIDS; i++) {
        struct changes changes;
        struct view_news news = { 0 };
        bool may_expunge = rand() % 2 == 0;

        mutate(&model, &changes);
        apply(&view, &changes, may_expunge, &news);
        obey(&model, &view, &news);
        compare(&model, &view, may_expunge);
        uidset_free(&changes.vanished);
        view_news_free(&news);
    }
    view_free(&view);
}

static void test_simulated(void **state)
{
    for (unsigned seed = 1; seed <= 200; seed++)
        play(seed);
}

static struct view view_of(const uint32_t *uids, size_t count)
{
    struct mail mails[16] = { 0 };
    struct changes changes = { .mails = mails, .count = count, .uidnext = 100 };
    struct view_news news = { 0 };
    struct view view = { 0 };

    for (size_t i = 0; i < count; i++)
        mails[i] = (struct mail){ .uid = uids[i], .flags = i < 2 ? MAIL_SEEN : 0 };
    apply(&view, &changes, true, &news);
    view_news_free(&news);
    return view;
}

static const uint32_t five[] = { 2, 5, 6, 10, 20 };

static void test_resolve(void **state)
{
    static const struct {
        const char *set;
        bool by_uid;
        const char *want; /* the messages, as UIDs; NULL: refused */
    } cases[] = {
        { "1", false, "2" },
        { "1:2", false, "2,5" },
        { "2:*", false, "5:6,10,20" },
        { "*", false, "20" },
        { "5", false, "20" },
        { "6", false, NULL },
        { "1,6", false, NULL },
        { "4:6", false, NULL },
        { "9:*", false, "20" },
        { "$", false, "5:6" },
        { "2", true, "2" },
        { "3", true, "" },
        { "3:9", true, "5:6" },
        { "1:4294967295", true, "2,5:6,10,20" },
        { "*", true, "20" },
        { "100:*", true, "20" },
        { "21:30", true, "" },
        { "10,2", true, "2,10" },
        { "$", true, "5:6" },
    };
    struct view view = view_of(five, COUNT_OF(five));

    uidset_add(&view.saved, 5, 6);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct slice text = slice_of(cases[i].set);
        struct uidset uids, found = { 0 }, backwards = { 0 };
        struct view_walk walk = { 0 };
        struct buf printed = { 0 }, printed_backwards = { 0 };
        struct seqset set;
        uint32_t last;
        size_t index;

        assert_int_equal(seqset_parse(&arena, &text, &set), PARSE_OK);
        if (view_resolve(&view, &set, cases[i].by_uid, &uids) != (cases[i].want != NULL))
            fail_msg("%s", cases[i].set);
        while (view_next(&view, &uids, &walk, &index))
            uidset_add(&found, view_uid(&view, index), view_uid(&view, index));
        walk = (struct view_walk){ 0 };
        last = UINT32_MAX;
        while (view_previous(&view, &uids, &walk, &index)) {
            assert_true(view_uid(&view, index) < last);
            last = view_uid(&view, index);
            uidset_add(&backwards, last, last);
        }
        uidset_print(&found, &printed);
        uidset_print(&backwards, &printed_backwards);
        assert_string_equal(buf_text(&printed), buf_text(&printed_backwards));
        buf_free(&printed_backwards);
        uidset_free(&backwards);
        if (cases[i].want != NULL)
            assert_string_equal(buf_text(&printed), cases[i].want);
        buf_free(&printed);
        uidset_free(&uids);
        uidset_free(&found);
        arena_free(&arena);
    }
    view_free(&view);
}

static void test_resolve_empty(void **state)
{
    struct arena arena = { 0 };
    struct view view = { 0 };
    struct slice star = SLICE("1:*"), one = SLICE("1");
    struct seqset set;
    struct uidset uids;

    seqset_parse(&arena, &star, &set);
    assert_true(view_resolve(&view, &set, false, &uids));
    assert_int_equal(uids.count, 0);
    assert_true(view_resolve(&view, &set, true, &uids));
    assert_int_equal(uids.count, 0);
    seqset_parse(&arena, &one, &set);
    assert_false(view_resolve(&view, &set, false, &uids));
    arena_free(&arena);
}

static void test_find(void **state)
{
    struct view view = view_of(five, COUNT_OF(five));
    size_t index;

    assert_true(view_find(&view, 6, &index));
    assert_int_equal(index, 2);
    assert_false(view_find(&view, 7, &index));
    assert_false(view_find(&view, 0, &index));
    assert_false(view_find(&view, UINT32_MAX, &index));
    assert_int_equal(view_lower(&view, 7), 3);
    assert_int_equal(view_lower(&view, 21), 5);
    assert_int_equal(view_first_unseen(&view), 2);
    view_free(&view);
}

static void test_recent(void **state)
{
    struct view view = view_of(five, COUNT_OF(five));

    uidset_add(&view.recent, 6, 12);
    uidset_add(&view.recent, 20, UINT32_MAX);
    assert_int_equal(view_count_recent(&view), 3);
    assert_false(view_is_recent(&view, 1));
    assert_true(view_is_recent(&view, 2));
    assert_true(view_is_recent(&view, 4));
    view_free(&view);
}

static void test_modseq_is_news(void **state)
{
    struct mail mail = { .uid = 5, .flags = MAIL_SEEN, .modseq = 9 };
    struct changes changes = { .mails = &mail, .count = 1, .uidnext = 100, .modseq = 9 };

    for (int tells = 0; tells < 2; tells++) {
        struct view view = view_of(five, COUNT_OF(five));
        struct view_news news = { 0 };

        view.tells_modseq = tells;
        apply(&view, &changes, true, &news);
        assert_int_equal(news.n_changed, tells);
        assert_int_equal(view_modseq(&view, 1), 9);
        view_news_free(&news);
        view_free(&view);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simulated), cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_find),      cmocka_unit_test(test_resolve_empty),
        cmocka_unit_test(test_recent),    cmocka_unit_test(test_modseq_is_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

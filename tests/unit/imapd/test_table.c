/* test_table.c - tables of messages against plain arrays: random changes, values of every width,
 * and tables that share chunks. */
#include "common/mem.h"
#include "imapd/view/table.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

#define TABLES 3
#define ROWS   12000

/* What a table should hold. */
struct model {
    struct mail rows[ROWS];
    size_t count;
};

struct world {
    struct table tables[TABLES];
    struct model *models[TABLES];
    unsigned width; /* bytes of random values in this stretch */
    uint32_t uid;
};

static uint64_t noise(unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++)
        value = value << 8 | ((unsigned)rand() & 255);
    return value;
}

static struct mail some_mail(struct world *world, bool regular)
{
    unsigned width = world->width;

    world->uid += regular ? 1 : 1 + (unsigned)noise(MIN(width, 2));
    return (struct mail){
        .uid = world->uid,
        .size = regular ? 4096 : (uint32_t)noise(MIN(width, 4)),
        .modseq = regular ? 7 : noise(width) >> 1,
        .flags = regular ? MAIL_SEEN : noise(width) & ~(1ull << 63),
        .received_ms = regular ? 1000 : (int64_t)noise(width),
        .saved_ms = rand() % 2 == 0 ? 1000 : (int64_t)noise(width),
        .msg = regular ? world->uid : noise(width) >> 1,
    };
}

static void assert_same(const struct mail *a, const struct mail *b)
{
    assert_int_equal(a->uid, b->uid);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->modseq, b->modseq);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->received_ms, b->received_ms);
    assert_int_equal(a->saved_ms, b->saved_ms);
    assert_int_equal(a->msg, b->msg);
}

static void assert_row(const struct table *table, const struct model *model, size_t index)
{
    struct mail mail;

    table_row(table, index, &mail);
    assert_same(&mail, &model->rows[index]);
}

/* What is skipped has no greater modseq. */
static void compare_skips(const struct table *table, const struct model *model)
{
    uint64_t modseq = model->count > 0 ? model->rows[(size_t)rand() % model->count].modseq : 0;

    for (size_t i = 0; i < model->count; i++) {
        size_t next = table_skip(table, i, modseq);

        for (; i < next; i++)
            assert_true(model->rows[i].modseq <= modseq);
    }
    assert_int_equal(table_skip(table, 0, UINT64_MAX), table->count);
}

static void compare(const struct world *world, size_t which, bool all)
{
    const struct table *table = &world->tables[which];
    const struct model *model = world->models[which];
    size_t lacking = 0;

    assert_int_equal(table->count, model->count);
    for (size_t i = 0; i < 20 && model->count > 0; i++) {
        size_t index = (size_t)rand() % model->count;

        assert_row(table, model, index);
        assert_int_equal(table_lower(table, model->rows[index].uid), index);
    }
    for (size_t i = 0; all && i < model->count; i++)
        assert_row(table, model, i);
    while (lacking < model->count && (model->rows[lacking].flags & MAIL_SEEN) != 0)
        lacking++;
    assert_int_equal(table_first_lacking(table, MAIL_SEEN), lacking);
    assert_int_equal(table_lower(table, world->uid + 1), table->count);
    compare_skips(table, model);
}

static void append_some(struct world *world, size_t which)
{
    static struct mail rows[3000];
    struct model *model = world->models[which];
    size_t count = rand() % 3 == 0 ? (size_t)rand() % COUNT_OF(rows) : (size_t)rand() % 5;
    bool regular = rand() % 3 == 0;

    count = MIN(count, ROWS - model->count);
    for (size_t i = 0; i < count; i++)
        model->rows[model->count++] = rows[i] = some_mail(world, regular);
    table_append(&world->tables[which], rows, count);
}

static void set_some(struct world *world, size_t which)
{
    struct model *model = world->models[which];
    bool alike = rand() % 2 == 0;

    for (int i = rand() % 40; i > 0 && model->count > 0; i--) {
        size_t index = (size_t)rand() % model->count;
        struct mail mail = some_mail(world, alike);

        model->rows[index].flags = mail.flags;
        model->rows[index].modseq = mail.modseq;
        table_set(&world->tables[which], index, mail.flags, mail.modseq);
    }
}

static void remove_some(struct world *world, size_t which)
{
    static uint32_t indexes[ROWS];
    struct model *model = world->models[which];
    size_t count = 0, to = 0;
    unsigned sparse = 1u << rand() % 12;

    for (size_t i = 0; i < model->count; i++) {
        if ((unsigned)rand() % sparse == 0 && rand() % 3 == 0)
            indexes[count++] = (uint32_t)i;
        else
            model->rows[to++] = model->rows[i];
    }
    model->count = to;
    table_remove(&world->tables[which], indexes, count);
}

/* One becomes what another one is; from here on they change apart. */
static void share(struct world *world, size_t which, size_t other)
{
    if (which == other)
        return;
    table_share(&world->tables[which], &world->tables[other]);
    memcpy(world->models[which], world->models[other], sizeof(struct model));
    assert_true(world->models[which]->count == 0 || table_is_shared(&world->tables[which]));
}

static void step(struct world *world)
{
    size_t which = (size_t)rand() % TABLES, other = (size_t)rand() % TABLES;

    world->width = 1 + (unsigned)rand() % 8;
    switch (rand() % 8) {
    case 0:
    case 1:
    case 2:
        append_some(world, which);
        break;
    case 3:
    case 4:
        set_some(world, which);
        break;
    case 5:
        remove_some(world, which);
        break;
    case 6:
        table_unite(&world->tables[which], &world->tables[other]);
        break;
    case 7:
        share(world, which, other);
        break;
    }
    for (size_t i = 0; i < TABLES; i++)
        compare(world, i, i == which || rand() % 20 == 0);
}

static void test_random(void **state)
{
    for (unsigned seed = 1; seed <= 12; seed++) {
        struct world world = { 0 };

        srand(seed);
        for (size_t i = 0; i < TABLES; i++)
            world.models[i] = NEW(struct model);
        for (int i = 0; i < 60; i++)
            step(&world);
        for (size_t i = 0; i < TABLES; i++) {
            table_free(&world.tables[i]);
            free(world.models[i]);
        }
    }
}

static void fill(struct table *table, size_t count)
{
    for (uint32_t uid = 1; uid <= count; uid++) {
        struct mail mail = { .uid = uid * 3,
                             .size = 1000 + uid % 30000,
                             .modseq = 1 + uid / 50,
                             .flags = uid % 5 == 0 ? MAIL_SEEN | MAIL_ANSWERED : MAIL_SEEN,
                             .msg = uid + 17,
                             .received_ms = 1700000000000ll + uid * 61000ll,
                             .saved_ms = 1700000000000ll + uid * 61000ll };

        table_append(table, &mail, 1);
    }
}

/* Messages that differ in everything as mail does: a million of them has 24 MB at most. */
static void test_memory(void **state)
{
    struct table table = { 0 }, same = { 0 };

    fill(&table, 50000);
    assert_true(table_bytes(&table) < 50000 * 16);
    table_share(&same, &table);
    for (size_t i = 0; i < table.n_chunks; i++)
        assert_ptr_equal(same.chunks[i], table.chunks[i]);
    table_free(&same);
    assert_false(table_is_shared(&table));
    table_free(&table);
}

/* A change touches its own chunk only, and those who make the same one share again. */
static void test_sharing(void **state)
{
    struct table one = { 0 }, two = { 0 };
    uint32_t gone = 1500;

    fill(&one, 5000);
    table_share(&two, &one);
    table_set(&one, 2100, MAIL_DELETED, 999999);
    assert_ptr_not_equal(one.chunks[2], two.chunks[2]);
    assert_ptr_equal(one.chunks[1], two.chunks[1]);
    table_unite(&two, &one);
    assert_ptr_not_equal(one.chunks[2], two.chunks[2]);
    table_set(&two, 2100, MAIL_DELETED, 999999);
    table_unite(&two, &one);
    assert_ptr_equal(one.chunks[2], two.chunks[2]);
    table_remove(&two, &gone, 1);
    assert_ptr_equal(one.chunks[0], two.chunks[0]);
    assert_int_equal(two.chunks[1]->count, CHUNK_ROWS - 1);
    for (size_t i = 2; i < one.n_chunks; i++)
        assert_ptr_equal(one.chunks[i], two.chunks[i]);
    table_free(&one);
    table_free(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_sharing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

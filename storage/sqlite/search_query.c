/* search_query.c - which messages have a needle and which cannot: one pass over the rows of their
 * blocks. */
#include "storage/sqlite/search_private.h"

#include <stdlib.h>

struct pass {
    struct sql_db *db;
    unsigned parts; /* of all queries */
    uint64_t number;
    bool has_block;
    struct sql_row rows[BLOCK_PARTS]; /* open while their bytes are looked at */
    bool is_open[BLOCK_PARTS];
    struct search_query *queries;
    struct block_needle *needles;
    struct answer {
        uint64_t has, cannot; /* of the block */
    } * answers;
    size_t n_queries;
};

/* Each part of a block that is looked at may have the needle. */
static void ask_part(struct pass *pass, size_t part, const struct trigram_block *block)
{
    for (size_t i = 0; i < pass->n_queries; i++) {
        uint64_t has, cannot;

        if ((pass->queries[i].parts & 1u << part) == 0)
            continue;
        block_ask(block, &pass->needles[i], &has, &cannot);
        pass->answers[i].has |= has;
        pass->answers[i].cannot &= cannot;
    }
}

static bool read_part(struct pass *pass, size_t part, struct error *err)
{
    struct trigram_block block = { 0 };
    struct sql_row row;

    if (!sql_query(pass->db, SEARCH_GET + part, &row, err, "u", pass->number))
        return false;
    if (!sql_next(&row, err)) {
        ask_part(pass, part, &block);
        return !row.failed;
    }
    search_row_read(pass->number, sql_slice(&row, 0), &block);
    ask_part(pass, part, &block);
    sql_end(&row);
    return true;
}

static bool read_block(struct pass *pass, uint64_t number, struct error *err)
{
    if (pass->has_block && pass->number == number)
        return true;
    pass->number = number;
    for (size_t i = 0; i < pass->n_queries; i++)
        pass->answers[i] = (struct answer){ 0, UINT64_MAX };
    for (size_t part = 0; part < BLOCK_PARTS; part++)
        if ((pass->parts & 1u << part) != 0 && !read_part(pass, part, err))
            return false;
    pass->has_block = true;
    return true;
}

static bool look(struct pass *pass, const uint64_t *msgs, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        unsigned at = msgs[i] % BLOCK_TEXTS;

        if (!read_block(pass, msgs[i] / BLOCK_TEXTS, err))
            return false;
        for (size_t k = 0; k < pass->n_queries; k++) {
            pass->queries[k].has[i / 64] |= (pass->answers[k].has >> at & 1) << (i % 64);
            pass->queries[k].cannot[i / 64] |= (pass->answers[k].cannot >> at & 1) << (i % 64);
        }
    }
    return true;
}

static void clear(struct search_query *queries, size_t n_queries, size_t count)
{
    for (size_t i = 0; i < n_queries; i++) {
        memset(queries[i].has, 0, (count + 63) / 64 * sizeof(uint64_t));
        memset(queries[i].cannot, 0, (count + 63) / 64 * sizeof(uint64_t));
    }
}

static bool look_in(struct account *account, struct sql_db *db, const uint64_t *msgs, size_t count,
                    struct search_query *queries, size_t n_queries, struct error *err)
{
    struct pass pass = { .db = db, .queries = queries, .n_queries = n_queries };
    bool ok, fits;

    if (!search_fits(account, db, &fits, err))
        return false;
    if (!fits)
        return true;
    pass.needles = mem_zero(n_queries * sizeof(*pass.needles));
    pass.answers = mem_zero(n_queries * sizeof(*pass.answers));
    for (size_t i = 0; i < n_queries; i++) {
        pass.parts |= queries[i].parts;
        block_needle_make(queries[i].needle, &pass.needles[i]);
    }
    ok = sql_begin_read(db, err) && look(&pass, msgs, count, err);
    sql_rollback(db);
    free(pass.needles);
    free(pass.answers);
    return ok;
}

/* A damaged one is of no use, and does no harm: whoever fills it makes it anew. */
void account_search(struct account *account, const uint64_t *msgs, size_t count,
                    struct search_query *queries, size_t n_queries)
{
    struct sql_db *db = NULL;
    struct error err = { 0 };

    clear(queries, n_queries, count);
    if (count == 0 || n_queries == 0)
        return;
    if (search_open(account, false, &db, &err) &&
        (db == NULL || look_in(account, db, msgs, count, queries, n_queries, &err)))
        return;
    log_warn(&account->store->options.log, "search index", F_NUM("account", (int64_t)account->id),
             F_ERR(&err));
    clear(queries, n_queries, count);
    search_close(account);
}

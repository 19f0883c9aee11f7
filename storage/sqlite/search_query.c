/* search_query.c - which messages cannot have a needle: one pass over the rows of their blocks. */
#include "storage/sqlite/search_private.h"

#include "message/trigram.h"

#include <stdlib.h>

struct pass {
    struct sql_db *db;
    unsigned parts; /* of all queries */
    uint64_t number;
    bool has_block;
    struct sql_row rows[BLOCK_PARTS]; /* open while their bytes are looked at */
    bool is_open[BLOCK_PARTS];
    struct block blocks[BLOCK_PARTS];
    struct search_query *queries;
    struct probe *probes;
    size_t n_queries;
};

static void end_block(struct pass *pass)
{
    for (size_t part = 0; part < BLOCK_PARTS; part++)
        if (pass->is_open[part])
            sql_end(&pass->rows[part]);
    memset(pass->is_open, 0, sizeof(pass->is_open));
    pass->has_block = false;
}

static bool read_part(struct pass *pass, size_t part, struct error *err)
{
    struct sql_row *row = &pass->rows[part];

    pass->blocks[part] = (struct block){ 0 };
    if ((pass->parts & 1u << part) == 0)
        return true;
    if (!sql_query(pass->db, SEARCH_GET + part, row, err, "u", pass->number))
        return false;
    pass->is_open[part] = sql_next(row, err);
    if (pass->is_open[part])
        block_read(pass->number, sql_slice(row, 0), &pass->blocks[part]);
    return !row->failed;
}

static bool read_block(struct pass *pass, uint64_t number, struct error *err)
{
    if (pass->has_block && pass->number == number)
        return true;
    end_block(pass);
    pass->number = number;
    for (size_t part = 0; part < BLOCK_PARTS; part++)
        if (!read_part(pass, part, err))
            return false;
    pass->has_block = true;
    return true;
}

static bool may_have(const struct pass *pass, size_t query, size_t at)
{
    for (size_t part = 0; part < BLOCK_PARTS; part++) {
        struct slice signature = pass->blocks[part].signatures[at];

        if ((pass->queries[query].parts & 1u << part) != 0 &&
            (signature.len == 0 || signature_may_have(signature, &pass->probes[query])))
            return true;
    }
    return false;
}

static bool look(struct pass *pass, const uint64_t *msgs, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!read_block(pass, msgs[i] / BLOCK_SIZE, err))
            return false;
        for (size_t query = 0; query < pass->n_queries; query++)
            if (!may_have(pass, query, msgs[i] % BLOCK_SIZE))
                pass->queries[query].cannot[i / 64] |= 1ull << (i % 64);
    }
    return true;
}

static void clear(struct search_query *queries, size_t n_queries, size_t count)
{
    for (size_t i = 0; i < n_queries; i++)
        memset(queries[i].cannot, 0, (count + 63) / 64 * sizeof(uint64_t));
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
    pass.probes = mem_zero(n_queries * sizeof(*pass.probes));
    for (size_t i = 0; i < n_queries; i++) {
        pass.parts |= queries[i].parts;
        probe_make(queries[i].needle, &pass.probes[i]);
    }
    ok = sql_begin_read(db, err) && look(&pass, msgs, count, err);
    end_block(&pass);
    sql_rollback(db);
    free(pass.probes);
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

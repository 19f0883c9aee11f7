/* directory_resolve.c - where mail for an address goes.
 *
 * Aliases are followed depth first. The chain of those being followed is kept, so that one that
 * leads to itself is noticed; two ways to the same target are fine. Work is bounded by counting
 * the aliases followed, for a tower of forks could otherwise double with each level.
 */
#include "storage/sqlite/directory_private.h"

#include "storage/names.h"

#include <stdlib.h>

#define DEPTH_MAX  20
#define FOLLOW_MAX 1000

struct resolver {
    struct sql_db *db;
    struct arena *arena;
    char separator;
    struct resolve_target targets[RESOLVE_TARGETS_MAX];
    size_t n_targets;
    struct stored_address chain[DEPTH_MAX];
    size_t depth, followed;
    bool ours;           /* the domain that was asked for */
    bool loop, disabled; /* met on the way */
};

static bool same_target(const struct resolve_target *a, const struct resolve_target *b)
{
    return a->account == b->account && (a->account != 0 || slice_equal(a->address, b->address));
}

static void add_target(struct resolver *r, struct resolve_target target)
{
    for (size_t i = 0; i < r->n_targets; i++) {
        if (same_target(&r->targets[i], &target))
            return;
    }
    if (r->n_targets == RESOLVE_TARGETS_MAX)
        r->loop = true;
    else
        r->targets[r->n_targets++] = target;
}

static void add_account(struct resolver *r, const struct account_info *account, struct slice detail)
{
    if (account->disabled)
        r->disabled = true;
    else
        add_target(r, (struct resolve_target){ account->id, account->address,
                                               slice_copy(r->arena, detail) });
}

static bool same_address(const struct stored_address *a, const struct stored_address *b)
{
    return slice_equal(a->local, b->local) && slice_equal(a->domain, b->domain);
}

static bool enter_alias(struct resolver *r, const struct stored_address *alias)
{
    for (size_t i = 0; i < r->depth; i++) {
        if (same_address(&r->chain[i], alias))
            r->loop = true;
    }
    if (r->depth == DEPTH_MAX || ++r->followed > FOLLOW_MAX)
        r->loop = true;
    if (r->loop)
        return false;
    r->chain[r->depth++] = *alias;
    return true;
}

static bool resolve(struct resolver *r, struct slice local, struct slice domain,
                    struct slice detail, struct error *err);

/* Reads all targets before following any: the statement is needed again further down. */
static bool read_targets(struct resolver *r, const struct stored_address *alias,
                         struct stored_address **targets, size_t *count, struct error *err)
{
    struct sql_row row;
    size_t room = 0;

    if (!sql_query(r->db, ALIAS_TARGETS, &row, err, "tt", alias->domain, alias->local))
        return false;
    while (sql_next(&row, err)) {
        *targets = mem_grow(*targets, &room, *count + 1, sizeof(**targets));
        (*targets)[(*count)++] = (struct stored_address){
            slice_copy(r->arena, sql_slice(&row, 0)),
            slice_copy(r->arena, sql_slice(&row, 1)),
        };
    }
    return !row.failed;
}

static bool follow_alias(struct resolver *r, const struct stored_address *alias,
                         struct slice detail, bool *found_out, struct error *err)
{
    struct stored_address *targets = NULL;
    size_t count = 0;
    bool ok = read_targets(r, alias, &targets, &count, err);

    *found_out = count > 0;
    if (ok && count > 0 && enter_alias(r, alias)) {
        for (size_t i = 0; i < count && ok && !r->loop; i++)
            ok = resolve(r, targets[i].local, targets[i].domain, detail, err);
        r->depth--;
    }
    free(targets);
    return ok;
}

/* An account or alias with just this address. */
static bool try_exact(struct resolver *r, const struct stored_address *address, struct slice detail,
                      bool *found_out, struct error *err)
{
    struct account_info account;
    struct sql_row row;

    if (!sql_query(r->db, ACCOUNT_BY_ADDRESS, &row, err, "tt", address->domain, address->local))
        return false;
    *found_out = sql_next(&row, err);
    if (*found_out)
        account_from_row(r->arena, &row, &account);
    sql_end(&row);
    if (row.failed)
        return false;
    if (!*found_out)
        return follow_alias(r, address, detail, found_out, err);
    add_account(r, &account, detail);
    return true;
}

static bool try_subaddress(struct resolver *r, const struct stored_address *address,
                           bool *found_out, struct error *err)
{
    ptrdiff_t at = r->separator != '\0' ? slice_find(address->local, r->separator) : -1;
    struct stored_address base = { slice_part(address->local, 0, at > 0 ? (size_t)at : 0),
                                   address->domain };

    if (at <= 0)
        return true;
    return try_exact(r, &base, slice_from(address->local, (size_t)at + 1), found_out, err);
}

/* RFC 5321 section 4.5.1: every domain we take mail for has a postmaster. */
static bool try_postmaster(struct resolver *r, const struct stored_address *address,
                           bool *found_out, struct error *err)
{
    struct account_info account;
    struct sql_row row;

    if (!slice_is(address->local, "postmaster"))
        return true;
    if (!sql_query(r->db, ACCOUNT_OLDEST, &row, err, "t", address->domain))
        return false;
    *found_out = sql_next(&row, err);
    if (*found_out)
        account_from_row(r->arena, &row, &account);
    sql_end(&row);
    if (*found_out)
        add_account(r, &account, (struct slice){ 0 });
    return !row.failed;
}

static bool resolve_local(struct resolver *r, const struct stored_address *address,
                          struct slice detail, struct error *err)
{
    struct stored_address catch_all = { SLICE("*"), address->domain };
    bool found = false;

    return try_exact(r, address, detail, &found, err) &&
           (found || try_subaddress(r, address, &found, err)) &&
           (found || try_postmaster(r, address, &found, err)) &&
           (found || follow_alias(r, &catch_all, (struct slice){ 0 }, &found, err));
}

static bool resolve(struct resolver *r, struct slice local, struct slice domain,
                    struct slice detail, struct error *err)
{
    AUTO(buf_free) struct buf local_name = { 0 };
    AUTO(buf_free) struct buf domain_name = { 0 };
    struct stored_address address;
    bool ours = false;

    if (name_domain(domain, &domain_name) &&
        !domain_exists(r->db, buf_slice(&domain_name), &ours, err))
        return false;
    if (r->followed == 0)
        r->ours = ours;
    if (!ours) {
        add_target(
            r, (struct resolve_target){ .address = stored_address_print(r->arena, local, domain) });
        return true;
    }
    if (!name_local(local, &local_name)) /* can be no name of ours */
        return true;
    address.local = slice_copy(r->arena, buf_slice(&local_name));
    address.domain = slice_copy(r->arena, buf_slice(&domain_name));
    return resolve_local(r, &address, detail, err);
}

static enum resolve outcome(const struct resolver *r)
{
    if (!r->ours)
        return RESOLVE_REMOTE;
    if (r->loop)
        return RESOLVE_LOOP;
    if (r->n_targets > 0)
        return RESOLVE_OK;
    return r->disabled ? RESOLVE_DISABLED : RESOLVE_UNKNOWN;
}

/* All questions see one state of the directory. */
static bool resolve_in_snapshot(struct desk *desk, struct resolver *r, struct slice local,
                                struct slice domain, struct error *err)
{
    if (!desk_directory(desk, &r->db, err) || !sql_begin_read(r->db, err))
        return false;
    if (!resolve(r, local, domain, (struct slice){ 0 }, err)) {
        sql_rollback(r->db);
        return false;
    }
    return sql_commit(r->db, err);
}

bool directory_resolve(struct desk *desk, struct arena *arena, struct slice local,
                       struct slice domain, char separator, struct resolved *resolved_out,
                       struct error *err)
{
    struct resolver *r = ARENA_NEW(arena, struct resolver);

    r->arena = arena;
    r->separator = separator;
    *resolved_out = (struct resolved){ .result = RESOLVE_UNKNOWN };
    if (!resolve_in_snapshot(desk, r, local, domain, err))
        return false;

    resolved_out->result = outcome(r);
    if (resolved_out->result == RESOLVE_OK) {
        resolved_out->targets = r->targets;
        resolved_out->count = r->n_targets;
    }
    return true;
}

bool directory_may_send_as(struct desk *desk, uint64_t account, struct slice local,
                           struct slice domain, char separator, bool *may_out, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct resolved resolved;

    *may_out = false;
    if (!directory_resolve(desk, &arena, local, domain, separator, &resolved, err))
        return false;
    for (size_t i = 0; i < resolved.count; i++)
        *may_out = *may_out || resolved.targets[i].account == account;
    return true;
}

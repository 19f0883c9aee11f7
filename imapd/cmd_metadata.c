/* cmd_metadata.c - GETMETADATA and SETMETADATA (RFC 5464). See metadata.h. */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/metadata.h"
#include "imapd/reply.h"
#include "imapd/special_use.h"

static bool find_where(struct call *call, struct slice name, unsigned needs,
                       struct metadata_where *where, struct error *err)
{
    struct place *place = ARENA_NEW(&call->arena, struct place);

    *where = (struct metadata_where){ .account = client_of(call)->account, .name = name };
    if (name.len == 0)
        return true;
    if (!place_find(call, name, RIGHT_LOOKUP | needs, place, err))
        return false;
    if ((place->rights & METADATA_RIGHTS) == 0)
        return error_set(err, ERROR_DENIED, "no right to its annotations");
    where->account = place->account;
    where->mailbox = place->info.id;
    where->info = &place->info;
    return true;
}

/* mailbox, or the empty string for the server. */
static bool take_mailbox(struct args *args, struct slice *name_out)
{
    struct args ahead = *args;

    if (args_astring(&ahead, name_out) && name_out->len == 0) {
        *args = ahead;
        return true;
    }
    return args_mailbox(args, name_out);
}

static bool take_depth(struct args *args, struct metadata_query *query)
{
    if (!args_space(args))
        return false;
    if (args_try_word(args, "0"))
        query->depth = DEPTH_ENTRY;
    else if (args_try_word(args, "1"))
        query->depth = DEPTH_CHILDREN;
    else if (args_try_word(args, "infinity"))
        query->depth = DEPTH_INFINITY;
    else
        return args_fail(args, "DEPTH is 0, 1 or infinity");
    return true;
}

/* getmetadata-options = "(" option *(SP option) ")" */
static bool take_options(struct args *args, struct metadata_query *query)
{
    if (!args_open(args))
        return false;
    do {
        if (args_try_word(args, "MAXSIZE")) {
            query->has_max = true;
            if (!args_space(args) || !args_number64(args, &query->max_size))
                return false;
        } else if (!args_try_word(args, "DEPTH")) {
            return args_fail(args, "expected: MAXSIZE or DEPTH");
        } else if (!take_depth(args, query)) {
            return false;
        }
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

/* Options are in parentheses, as entries may be, but these begin with "/". */
static bool options_follow(const struct args *args)
{
    return args->rest.len > 1 && args->rest.data[0] == '(' && args->rest.data[1] != '/' &&
           args->rest.data[1] != '"' && args->rest.data[1] != '{';
}

/* The grammar has the options before the mailbox, the examples behind it: both are taken. */
static bool take_get(struct args *args, struct metadata_query *query, struct slice *name,
                     struct metadata_names *names)
{
    if (!args_space(args))
        return false;
    if (options_follow(args) && (!take_options(args, query) || !args_space(args)))
        return false;
    if (!take_mailbox(args, name) || !args_space(args))
        return false;
    if (options_follow(args) && (!take_options(args, query) || !args_space(args)))
        return false;
    return metadata_take_names(args, names) && args_end(args);
}

struct get_command {
    struct slice mailbox;
    struct metadata_names names;
    struct metadata_query query;
};

static enum next finish_get(struct call *call, uint64_t longest)
{
    AUTO(buf_free) struct buf code = { 0 };

    if (longest == 0)
        return reply_ok(call, "GETMETADATA completed");
    buf_fmt(&code, "METADATA LONGENTRIES %llu", (unsigned long long)longest);
    return reply_ok_code(call, buf_text(&code), "GETMETADATA completed");
}

/* The mailbox is found anew in each turn: it may go, and so may the right to read it. */
static enum next go_on(struct call *call)
{
    struct get_command *get = client_of(call)->work;
    size_t start = call->out.len;
    struct error err;

    if (!find_where(call, get->mailbox, 0, &get->query.where, &err) ||
        !metadata_print(call, &get->query, &err)) {
        buf_truncate(&call->out, start);
        return reply_error(call, &err);
    }
    if (get->query.n_told == get->names.count)
        return finish_get(call, get->query.longest_out);
    client_of(call)->resume = go_on;
    return NEXT_AGAIN;
}

enum next imap_getmetadata(struct call *call, struct args *args)
{
    struct get_command *get = ARENA_NEW(&call->arena, struct get_command);

    get->query.names = &get->names;
    if (!take_get(args, &get->query, &get->mailbox, &get->names))
        return reply_syntax(call, args);
    client_of(call)->work = get;
    return go_on(call);
}

struct set_args {
    struct slice mailbox;
    struct metadata_entry entries[METADATA_ASKED_MAX];
    size_t count;
    bool shared; /* one of them is */
};

/* entry-value = entry SP value; value = nstring / literal8 */
static bool take_entry(struct args *args, struct set_args *set)
{
    struct metadata_entry *entry = &set->entries[set->count];
    bool nil;

    if (set->count == METADATA_ASKED_MAX)
        return args_fail(args, "these are too many entries");
    if (!metadata_take_name(args, &entry->name) || !args_space(args) ||
        !args_nstring(args, &nil, &entry->value))
        return false;
    if (slice_find(slice_from(entry->name, 1), '/') < 0)
        return args_fail(args, "an entry has two components at least");
    entry->has_value = !nil;
    set->shared = set->shared || slice_starts(entry->name, "/shared/");
    set->count++;
    return true;
}

static bool take_set(struct args *args, struct set_args *set)
{
    if (!args_space(args) || !take_mailbox(args, &set->mailbox) || !args_space(args) ||
        !args_open(args))
        return false;
    do {
        if (!take_entry(args, set))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args) && args_end(args);
}

/* RFC 6154 section 4: this entry is the mailbox's special use. */
static bool set_special_use(const struct client *client, struct metadata_where *where,
                            const struct metadata_entry *entry, struct error *err)
{
    enum special_use use = SPECIAL_NONE;

    if (where->account != client->account)
        return error_set(err, ERROR_DENIED, "the special use is the owner's");
    if (entry->has_value && entry->value.len > 0 &&
        (!special_use_by_name(entry->value, &use) || !special_use_is_given(use)))
        return error_set(err, ERROR_DENIED, "no such special use");
    return mailbox_set_special_use(where->account, where->mailbox, use, err);
}

/* False after the reply: values that are too long, entries that the server makes itself. */
static bool check_entries(struct call *call, const struct set_args *set,
                          const struct metadata_where *where)
{
    uint64_t max = client_of(call)->imap->settings->annotation;
    struct slice value;

    for (size_t i = 0; i < set->count; i++) {
        const struct metadata_entry *entry = &set->entries[i];

        if (entry->value.len > max) {
            AUTO(buf_free) struct buf code = { 0 };

            buf_fmt(&code, "METADATA MAXSIZE %llu", (unsigned long long)max);
            reply_no(call, buf_text(&code), "The value is too long");
            return false;
        }
        if (where->mailbox == 0 && slice_starts(entry->name, "/shared/")) {
            reply_no(call, "NOPERM", "Shared entries of the server are the operator's");
            return false;
        }
        if (metadata_computed(client_of(call), where, entry->name, &value) && set->count > 1) {
            reply_no(call, "CANNOT", "The special use is set by a command of its own");
            return false;
        }
    }
    return true;
}

static enum next refuse_set(struct call *call, const struct error *err)
{
    if (err->kind == ERROR_LIMIT)
        return reply_no(call, "METADATA TOOMANY", "There are too many entries");
    return reply_error(call, err);
}

enum next imap_setmetadata(struct call *call, struct args *args)
{
    struct set_args *set = ARENA_NEW(&call->arena, struct set_args);
    struct client *client = client_of(call);
    struct metadata_where where;
    struct slice computed;
    uint64_t change;
    struct error err;

    if (!take_set(args, set))
        return reply_syntax(call, args);
    if (!find_where(call, set->mailbox, set->shared ? RIGHT_WRITE : 0, &where, &err) ||
        !metadata_news(call, &err))
        return reply_error(call, &err);
    if (!check_entries(call, set, &where))
        return NEXT_COMMAND;
    if (metadata_computed(client, &where, set->entries[0].name, &computed)) {
        if (set_special_use(client, &where, &set->entries[0], &err))
            return reply_ok(call, "SETMETADATA completed");
        return err.kind == ERROR_DENIED ? reply_no(call, "USEATTR", err.text)
                                        : reply_error(call, &err);
    }
    if (!metadata_set(where.account, where.mailbox, client->account_id, set->entries, set->count,
                      &change, &err))
        return refuse_set(call, &err);
    /* what this session has changed itself is no news to it */
    if (where.account == client->account && client->metadata_told + 1 == change)
        client->metadata_told = change;
    return reply_ok(call, "SETMETADATA completed");
}

/* metadata.c - see metadata.h. */
#include "imapd/metadata.h"
#include "imapd/args.h"
#include "imapd/notify/notify.h"
#include "imapd/reply.h"
#include "imapd/special_use.h"

#include <ctype.h>

#define TURN_BYTES (64 * 1024) /* of reply; what lies below one entry may go beyond it */

static bool is_name_byte(char byte)
{
    return byte >= ' ' && byte < 0x7f && byte != '*' && byte != '%';
}

/* Has it one of the two scopes, and no empty component? */
static bool is_name(struct slice name)
{
    bool scoped = slice_starts(name, "/shared/") || slice_starts(name, "/private/") ||
                  slice_is(name, "/shared") || slice_is(name, "/private");

    if (!scoped || name.len > METADATA_NAME_MAX || name.data[name.len - 1] == '/')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_byte(name.data[i]) ||
            (name.data[i] == '/' && i > 0 && name.data[i - 1] == '/'))
            return false;
    return true;
}

bool metadata_take_name(struct args *args, struct slice *name_out)
{
    struct slice given;
    char *lower;

    if (!args_astring(args, &given))
        return false;
    lower = arena_alloc(args->arena, given.len + 1);
    for (size_t i = 0; i < given.len; i++)
        lower[i] = (char)tolower((unsigned char)given.data[i]);
    *name_out = slice_make(lower, given.len);
    return is_name(*name_out) || args_fail(args, "this cannot name an entry");
}

bool metadata_take_names(struct args *args, struct metadata_names *names_out)
{
    bool list = args_try_byte(args, '(');

    names_out->count = 0;
    do {
        if (names_out->count == METADATA_ASKED_MAX)
            return args_fail(args, "these are too many entries");
        if (!metadata_take_name(args, &names_out->items[names_out->count++]))
            return false;
    } while (args_try_byte(args, ' '));
    return !list || args_close(args);
}

static struct slice special_use_value(enum special_use use)
{
    if (use == SPECIAL_NONE)
        return (struct slice){ 0 };
    return slice_of(special_use_name(use));
}

bool metadata_computed(const struct client *client, const struct metadata_where *where,
                       struct slice name, struct slice *value_out)
{
    const struct settings *settings = client->imap->settings;

    *value_out = (struct slice){ 0 };
    if (where->mailbox == 0 && slice_is(name, "/shared/admin"))
        *value_out = slice_of(settings->admin);
    else if (where->mailbox == 0 && slice_is(name, "/shared/comment"))
        *value_out = slice_of(settings->comment);
    else if (where->info != NULL && slice_is(name, "/private/specialuse"))
        *value_out = special_use_value(where->info->special_use);
    else
        return false;
    return true;
}

static void print_value(struct buf *out, struct slice value)
{
    if (memchr(value.data != NULL ? value.data : "", '\0', value.len) == NULL) {
        reply_string(out, value);
        return;
    }
    buf_fmt(out, "~{%zu}\r\n", value.len); /* literal8, RFC 3516 */
    buf_add_slice(out, value);
}

/* The response is begun by its first entry. */
static void begin_entry(struct call *call, const struct metadata_query *query, bool *begun,
                        struct slice name)
{
    struct buf *out = &call->out;

    if (!*begun) {
        buf_add_text(out, "* METADATA ");
        reply_mailbox(client_of(call), out, query->where.name);
        buf_add_text(out, " (");
    } else {
        buf_add_byte(out, ' ');
    }
    *begun = true;
    buf_add_slice(out, name);
    buf_add_byte(out, ' ');
}

static void print_entry(struct call *call, struct metadata_query *query, bool *begun,
                        struct slice name, struct slice value)
{
    if (query->has_max && value.len > query->max_size) {
        query->longest_out = MAX(query->longest_out, value.len);
        return;
    }
    begin_entry(call, query, begun, name);
    print_value(&call->out, value);
}

static bool is_within(struct slice name, struct slice top, enum metadata_depth depth)
{
    struct slice below = slice_from(name, MIN(top.len + 1, name.len));

    if (slice_equal(name, top))
        return true;
    return depth == DEPTH_INFINITY || (depth == DEPTH_CHILDREN && slice_find(below, '/') < 0);
}

static const char *const computed_names[] = { "/shared/admin", "/shared/comment",
                                              "/private/specialuse" };

/* Computed entries that lie at or below `top`. True: `top` itself was one with a value. */
static bool print_computed(struct call *call, struct metadata_query *query, bool *begun,
                           struct slice top)
{
    bool told = false;

    for (size_t i = 0; i < COUNT_OF(computed_names); i++) {
        struct slice name = slice_of(computed_names[i]), value;
        bool below = name.len > top.len && name.data[top.len] == '/' &&
                     slice_equal(slice_part(name, 0, top.len), top);

        if ((!below && !slice_equal(name, top)) || !is_within(name, top, query->depth) ||
            !metadata_computed(client_of(call), &query->where, name, &value) || value.len == 0)
            continue;
        print_entry(call, query, begun, name, value);
        told = told || !below;
    }
    return told;
}

static bool print_top(struct call *call, struct metadata_query *query, bool *begun,
                      struct slice top, struct error *err)
{
    bool told = print_computed(call, query, begun, top);
    AUTO(arena_free) struct arena arena = { 0 };
    struct metadata_list list;

    if (!metadata_get(query->where.account, query->where.mailbox, client_of(call)->account_id, top,
                      query->depth != DEPTH_ENTRY, &arena, &list, err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        if (!is_within(list.items[i].name, top, query->depth))
            continue;
        print_entry(call, query, begun, list.items[i].name, list.items[i].value);
        told = told || slice_equal(list.items[i].name, top);
    }
    if (!told && query->depth == DEPTH_ENTRY) {
        begin_entry(call, query, begun, top);
        buf_add_text(&call->out, "NIL");
    }
    return true;
}

bool metadata_print(struct call *call, struct metadata_query *query, struct error *err)
{
    size_t start = call->out.len;
    bool begun = false;

    while (query->n_told < query->names->count && call->out.len - start < TURN_BYTES)
        if (!print_top(call, query, &begun, query->names->items[query->n_told++], err))
            return false;
    if (begun)
        buf_add_text(&call->out, ")\r\n");
    return true;
}

/* News: "* METADATA name entry entry ..." (section 4.4.2). */

static bool print_changed(struct call *call, const struct metadata_list *list, size_t *at,
                          struct error *err)
{
    uint64_t mailbox = list->items[*at].mailbox;
    struct mailbox_info info = { .name = SLICE("") };
    bool there = mailbox == 0;

    if (!there) {
        there = mailbox_by_id(client_of(call)->account, &call->arena, mailbox, &info, err);
        if (!there && err->kind != ERROR_NOT_FOUND)
            return false;
    }
    there = there && notify_tells_metadata(client_of(call), mailbox);
    if (there) {
        buf_add_text(&call->out, "* METADATA ");
        reply_mailbox(client_of(call), &call->out, info.name);
    }
    for (; *at < list->count && list->items[*at].mailbox == mailbox; ++*at) {
        if (!there)
            continue;
        buf_add_byte(&call->out, ' ');
        buf_add_slice(&call->out, list->items[*at].name);
    }
    if (there)
        buf_add_text(&call->out, "\r\n");
    return true;
}

bool metadata_news(struct call *call, struct error *err)
{
    struct client *client = client_of(call);
    struct metadata_list list;
    uint64_t now;

    if (client->account == NULL || !notify_hears_metadata(client))
        return true;
    if (!metadata_changed(client->account, client->account_id, client->metadata_told, &call->arena,
                          &list, &now, err))
        return false;
    client->metadata_told = now;
    for (size_t i = 0; i < list.count;)
        if (!print_changed(call, &list, &i, err))
            return false;
    return true;
}

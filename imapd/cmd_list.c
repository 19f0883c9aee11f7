/* cmd_list.c - LIST (RFC 3501 section 6.3.8), extended by RFC 5258 and, with STATUS and special
 * uses, rights and annotations, by RFC 5819, RFC 6154, RFC 8440 and RFC 9590; LSUB (RFC 3501
 * section 6.3.9). */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/list_match.h"
#include "imapd/list_tree.h"
#include "imapd/metadata.h"
#include "imapd/place.h"
#include "imapd/reply.h"
#include "imapd/special_use.h"
#include "imapd/status.h"

#define PATTERNS_MAX 32

/* What one turn does before others have theirs. */
#define MATCH_STEPS (4 * 1024 * 1024) /* bytes of a pattern times bytes of a name */
#define REPLY_BYTES (64 * 1024)
#define EXTRAS      64 /* mailboxes with STATUS and the like */

enum list_option {
    SELECT_SUBSCRIBED = 1,
    SELECT_REMOTE = 2,
    SELECT_RECURSIVE = 4,
    SELECT_SPECIAL = 8,
    RETURN_SUBSCRIBED = 16,
    RETURN_CHILDREN = 32,
    RETURN_SPECIAL = 64,
    RETURN_STATUS = 128,
    RETURN_METADATA = 256,
    RETURN_MYRIGHTS = 512,
};

struct list_args {
    struct slice patterns[2 * PATTERNS_MAX]; /* with the reference before them */
    size_t n_patterns;
    bool extended; /* the syntax of RFC 5258 was used */
    bool root;     /* LIST "" "": asks for the delimiter */
    bool lsub;
    bool nowhere; /* the reference can be in no name */
    unsigned options, status_items;
    struct metadata_names metadata; /* RFC 9590 */
    struct list_tree tree;
    size_t match_at, at; /* the next entries to compare with the patterns, and to print */
};

struct option_name {
    const char *name;
    enum list_option option;
};

static const struct option_name select_options[] = {
    { "SUBSCRIBED", SELECT_SUBSCRIBED },
    { "REMOTE", SELECT_REMOTE },
    { "RECURSIVEMATCH", SELECT_RECURSIVE },
    { "SPECIAL-USE", SELECT_SPECIAL },
};

static const struct option_name return_options[] = {
    { "SUBSCRIBED", RETURN_SUBSCRIBED }, { "CHILDREN", RETURN_CHILDREN },
    { "SPECIAL-USE", RETURN_SPECIAL },   { "STATUS", RETURN_STATUS },
    { "METADATA", RETURN_METADATA },     { "MYRIGHTS", RETURN_MYRIGHTS },
};

/* What follows STATUS and METADATA. */
static bool take_option_values(struct args *args, enum list_option option, struct list_args *list)
{
    if (option == RETURN_STATUS)
        return args_space(args) && status_take_items(args, &list->status_items);
    if (option == RETURN_METADATA)
        return args_space(args) && metadata_take_names(args, &list->metadata);
    return true;
}

static bool take_option(struct args *args, const struct option_name *names, size_t count,
                        struct list_args *list)
{
    struct slice word;

    if (!args_atom(args, &word))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!slice_is(word, names[i].name))
            continue;
        list->options |= names[i].option;
        return take_option_values(args, names[i].option, list);
    }
    return args_fail(args, "there is no such option");
}

/* "(" [option *(SP option)] ")" */
static bool take_options(struct args *args, const struct option_name *names, size_t count,
                         struct list_args *list)
{
    list->extended = true;
    if (!args_open(args))
        return false;
    if (args_try_byte(args, ')'))
        return true;
    do {
        if (!take_option(args, names, count, list))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

/* What cannot be in a name is no error: it matches nothing (RFC 9051 section 6.3.9). */
static bool forgive_name(struct args *args)
{
    bool bad_name = args->bad_name;

    if (bad_name)
        args->error = NULL;
    args->bad_name = false;
    return bad_name;
}

static bool take_reference(struct args *args, struct slice *reference_out, struct list_args *list)
{
    if (args_mailbox(args, reference_out))
        return true;
    list->nowhere = forgive_name(args);
    return list->nowhere;
}

/* Names are in NFC, but for some that were made in another form. */
static void add_pattern(struct args *args, struct list_args *list, struct slice pattern)
{
    struct slice nfc = mailbox_name_nfc(args->arena, pattern);

    list->patterns[list->n_patterns++] = pattern;
    if (!slice_equal(nfc, pattern))
        list->patterns[list->n_patterns++] = nfc;
}

static bool take_pattern(struct args *args, struct slice reference, struct list_args *list)
{
    struct slice pattern;
    char *joined;

    if (list->n_patterns >= PATTERNS_MAX)
        return args_fail(args, "there are too many patterns");
    if (!args_list_mailbox(args, &pattern))
        return forgive_name(args);
    if (list->nowhere)
        return true;
    joined = arena_alloc(args->arena, reference.len + pattern.len + 1);
    memcpy(joined, reference.data != NULL ? reference.data : "", reference.len);
    memcpy(joined + reference.len, pattern.data != NULL ? pattern.data : "", pattern.len);
    list->root = pattern.len == 0;
    add_pattern(args, list, slice_make(joined, reference.len + pattern.len));
    return true;
}

/* mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")" */
static bool take_patterns(struct args *args, struct slice reference, struct list_args *list)
{
    if (!args_try_byte(args, '('))
        return take_pattern(args, reference, list);
    list->extended = true;
    do {
        if (!take_pattern(args, reference, list))
            return false;
    } while (args_try_byte(args, ' '));
    list->root = false;
    return args_close(args);
}

static bool take_return(struct args *args, struct list_args *list)
{
    if (!args_space(args) || !args_try_word(args, "RETURN"))
        return args_fail(args, "RETURN was expected");
    return args_space(args) && take_options(args, return_options, COUNT_OF(return_options), list);
}

/* RFC 5258 section 3.1: RECURSIVEMATCH says nothing by itself. */
static bool check_options(struct args *args, const struct list_args *list)
{
    if ((list->options & SELECT_RECURSIVE) != 0 &&
        (list->options & (SELECT_SUBSCRIBED | SELECT_SPECIAL)) == 0)
        return args_fail(args, "RECURSIVEMATCH needs another selection option");
    return true;
}

static bool take_list(struct args *args, struct list_args *list)
{
    struct slice reference;

    if (!args_space(args))
        return false;
    if (args_peek(args) == '(' &&
        (!take_options(args, select_options, COUNT_OF(select_options), list) || !args_space(args)))
        return false;
    if (!take_reference(args, &reference, list) || !args_space(args) ||
        !take_patterns(args, reference, list))
        return false;
    if (!args_at_end(args) && !take_return(args, list))
        return false;
    return args_end(args) && check_options(args, list);
}

static bool matches(const struct list_args *list, struct slice name)
{
    for (size_t i = 0; i < list->n_patterns; i++)
        if (list_match(list->patterns[i], name))
            return true;
    return false;
}

/* Does the entry itself meet the selection options? */
static bool is_selected(const struct list_args *list, const struct list_entry *entry)
{
    if ((list->options & SELECT_SUBSCRIBED) != 0) {
        if (!entry->subscribed)
            return false;
    } else if (entry->info == NULL && !entry->has_children) {
        return false; /* only the subscription is there */
    }
    return (list->options & SELECT_SPECIAL) == 0 ||
           (entry->info != NULL && entry->info->special_use != SPECIAL_NONE);
}

/* Something below an entry that is not selected itself is told as CHILDINFO, unless all of it is
 * told for itself (RFC 5258 section 3.5). */
static bool is_told(const struct list_args *list, const struct list_entry *entry)
{
    return entry->matches &&
           (entry->selected || ((list->options & SELECT_RECURSIVE) != 0 && entry->child_hidden));
}

static void add_attribute(struct buf *out, const char *name)
{
    if (out->data[out->len - 1] != '(')
        buf_add_byte(out, ' ');
    buf_add_text(out, name);
}

/* One of those that say whether it can be selected (RFC 9051 section 9, mbx-list-sflag);
 * \NonExistent is for who knows it from RFC 5258. What may not be read cannot be selected. */
static void add_selectability(struct call *call, const struct list_args *list,
                              const struct list_entry *entry)
{
    if (entry->info == NULL && (list->extended || client_of(call)->rev2))
        add_attribute(&call->out, "\\NonExistent");
    else if (entry->info == NULL || (entry->rights & RIGHT_READ) == 0)
        add_attribute(&call->out, "\\Noselect");
}

static void add_attributes(struct call *call, const struct list_args *list,
                           const struct list_entry *entry)
{
    struct buf *out = &call->out;

    buf_add_byte(out, '(');
    add_selectability(call, list, entry);
    add_attribute(out, entry->has_children ? "\\HasChildren" : "\\HasNoChildren");
    if (entry->subscribed && (list->options & (SELECT_SUBSCRIBED | RETURN_SUBSCRIBED)) != 0)
        add_attribute(out, "\\Subscribed");
    if (entry->info != NULL && entry->info->special_use != SPECIAL_NONE)
        add_attribute(out, special_use_name(entry->info->special_use));
    buf_add_byte(out, ')');
}

static void add_childinfo(struct buf *out, unsigned options)
{
    bool subscribed = (options & SELECT_SUBSCRIBED) != 0;

    buf_add_text(out, " (\"CHILDINFO\" (");
    if (subscribed)
        buf_add_text(out, "\"SUBSCRIBED\"");
    if ((options & SELECT_SPECIAL) != 0)
        buf_add_text(out, subscribed ? " \"SPECIAL-USE\"" : "\"SPECIAL-USE\"");
    buf_add_text(out, "))");
}

static void print_entry(struct call *call, const struct list_args *list,
                        const struct list_entry *entry)
{
    struct buf *out = &call->out;

    buf_add_text(out, "* LIST ");
    add_attributes(call, list, entry);
    buf_add_text(out, " \"/\" ");
    reply_mailbox(client_of(call), out, entry->name);
    if ((list->options & SELECT_RECURSIVE) != 0 && entry->child_selected)
        add_childinfo(out, list->options);
    buf_add_text(out, "\r\n");
}

/* What follows the LIST response of a mailbox: STATUS (RFC 5819), METADATA (RFC 9590 section 3),
 * MYRIGHTS (RFC 8440). Where the user may not know, nothing does. */
static bool print_more(struct call *call, const struct list_args *list,
                       const struct list_entry *entry, struct error *err)
{
    struct place place = { .account = client_of(call)->account,
                           .info = *entry->info,
                           .rights = entry->rights };
    struct metadata_query query = {
        .where = { .mailbox = entry->info->id, .name = entry->name, .info = entry->info },
        .names = &list->metadata
    };

    if (entry->owner != 0 && !place_account(call, entry->owner, &place.account, err))
        return false;
    query.where.account = place.account;
    if ((list->options & RETURN_MYRIGHTS) != 0)
        reply_rights(call, entry->name, entry->rights);
    if (list->status_items != 0 && (entry->rights & RIGHT_READ) != 0 &&
        !status_print(call, &place, list->status_items, err))
        return false;
    if ((entry->rights & METADATA_RIGHTS) == 0)
        return true;
    while (query.n_told < list->metadata.count)
        if (!metadata_print(call, &query, err))
            return false;
    return true;
}

/* Should one of another's mailboxes be damaged, the others are told all the same (RFC 5819
 * section 2). */
static bool print_extras(struct call *call, const struct list_args *list,
                         const struct list_entry *entry, struct error *err)
{
    size_t start = call->out.len;

    if (print_more(call, list, entry, err))
        return true;
    if (entry->owner == 0 || err->kind == ERROR_TEMPORARY)
        return false;
    buf_truncate(&call->out, start);
    log_failure(&call->log, err);
    return true;
}

static bool has_extras(const struct list_args *list)
{
    return (list->options & (RETURN_STATUS | RETURN_METADATA | RETURN_MYRIGHTS)) != 0;
}

static size_t pattern_bytes(const struct list_args *list)
{
    size_t bytes = 0;

    for (size_t i = 0; i < list->n_patterns; i++)
        bytes += list->patterns[i].len;
    return bytes;
}

/* Looks at the next entries; false when some are left. */
static bool match_some(struct list_args *list)
{
    struct list_tree *tree = &list->tree;
    size_t bytes = pattern_bytes(list), steps = 0;

    for (; list->match_at < tree->count && steps < MATCH_STEPS; list->match_at++) {
        struct list_entry *entry = &tree->entries[list->match_at];

        entry->matches = matches(list, entry->name);
        entry->selected = is_selected(list, entry);
        steps += (bytes + 1) * (entry->name.len + 1);
    }
    if (list->match_at < tree->count)
        return false;
    list_tree_tell(tree);
    return true;
}

static void print_subscribed(struct call *call, const struct list_entry *entry)
{
    buf_add_text(&call->out, entry->subscribed ? "* LSUB () \"/\" " : "* LSUB (\\Noselect) \"/\" ");
    reply_mailbox(client_of(call), &call->out, entry->name);
    buf_add_text(&call->out, "\r\n");
}

/* With "%" at the end, a level above a subscribed name is told too (RFC 3501 section 6.3.9). */
static bool is_listed(const struct list_args *list, const struct list_entry *entry)
{
    struct slice pattern = list->patterns[0];
    bool above = pattern.len > 0 && pattern.data[pattern.len - 1] == '%';

    return entry->matches && (entry->subscribed || (above && entry->child_subscribed));
}

static bool print_some(struct call *call, struct list_args *list, struct error *err)
{
    const struct list_tree *tree = &list->tree;
    size_t extras = 0, others = 0;

    for (; list->at < tree->count && call->out.len < REPLY_BYTES && extras < EXTRAS &&
           others < LIST_OTHERS_A_TURN;
         list->at++) {
        const struct list_entry *entry = &tree->entries[list->at];

        if (list->lsub && is_listed(list, entry))
            print_subscribed(call, entry);
        if (list->lsub || !is_told(list, entry))
            continue;
        print_entry(call, list, entry);
        if (!entry->selected || entry->info == NULL || !has_extras(list))
            continue;
        extras++;
        others += entry->owner != 0;
        if (!print_extras(call, list, entry, err))
            return false;
    }
    return true;
}

static enum next print(struct call *call)
{
    struct list_args *list = client_of(call)->work;
    struct error err;

    if (!print_some(call, list, &err))
        return reply_error(call, &err);
    if (list->at < list->tree.count)
        return NEXT_AGAIN;
    return reply_ok(call, list->lsub ? "LSUB completed" : "LIST completed");
}

static enum next match(struct call *call)
{
    if (!match_some(client_of(call)->work))
        return NEXT_AGAIN;
    client_of(call)->resume = print;
    return print(call);
}

/* Looks into the accounts that share something, some in each turn. */
static enum next collect(struct call *call)
{
    struct list_args *list = client_of(call)->work;
    struct error err;
    bool more;

    if (!list->lsub) { /* that knows subscriptions only */
        if (!list_tree_others(call, &list->tree, list->patterns, list->n_patterns, &more, &err))
            return reply_error(call, &err);
        if (more)
            return NEXT_AGAIN;
    }
    list_tree_finish(call, &list->tree);
    client_of(call)->resume = match;
    return match(call);
}

static enum next start(struct call *call, struct list_args *list)
{
    struct error err;

    if (!list_tree_start(call, &list->tree, &err))
        return reply_error(call, &err);
    client_of(call)->work = list;
    client_of(call)->resume = collect;
    return collect(call);
}

enum next imap_list(struct call *call, struct args *args)
{
    struct list_args *list = ARENA_NEW(&call->arena, struct list_args);

    if (!take_list(args, list))
        return reply_syntax(call, args);
    if (status_wants_modseq(list->status_items))
        condstore_enable(call);
    if (list->root && !list->extended) {
        buf_add_text(&call->out, "* LIST (\\Noselect) \"/\" \"\"\r\n");
        return reply_ok(call, "LIST completed");
    }
    return start(call, list);
}

/* lsub = "LSUB" SP mailbox SP list-mailbox */
enum next imap_lsub(struct call *call, struct args *args)
{
    struct list_args *list = ARENA_NEW(&call->arena, struct list_args);
    struct slice reference;

    list->lsub = true;
    if (!args_space(args) || !take_reference(args, &reference, list) || !args_space(args) ||
        !take_pattern(args, reference, list) || !args_end(args))
        return reply_syntax(call, args);
    if (list->root)
        buf_add_text(&call->out, "* LSUB (\\Noselect) \"/\" \"\"\r\n");
    return start(call, list);
}

/* search_parse.c - reads a SEARCH program from the arguments of a command.
 *
 * Bounded by SEARCH_DEPTH_MAX and SEARCH_KEYS_MAX, whatever filters it names.
 */
#include "imapd/search_private.h"

#include "imapd/objectid.h"

#include "message/decode.h"
#include "message/text.h"

#define FILTER_DEPTH_MAX 5   /* a filter that names a filter, and so on */
#define FILTERS_MAX      100 /* look-ups of one command */

static bool take_key(struct args *args, struct search_program *program, unsigned depth,
                     struct search_node **node_out);

/* The needle in UTF-8 and folded. */
static bool take_needle(struct args *args, struct search_program *program, struct search_node *node)
{
    AUTO(buf_free) struct buf utf8 = { 0 };
    AUTO(buf_free) struct buf folded = { 0 };
    struct slice text;

    if (!args_space(args) || !args_astring(args, &text))
        return false;
    if (program->charset.len > 0) {
        if (!charset_to_utf8(program->charset, text, &utf8))
            return args_fail(args, "this string is not in its charset");
        text = buf_slice(&utf8);
    }
    text_fold(text, &folded);
    node->fuzzy = program->fuzzy_depth > 0;
    node->needle = slice_copy(args->arena, buf_slice(&folded));
    return true;
}

static bool take_uids(struct args *args, struct search_program *program, struct search_node *node)
{
    bool by_uid = node->kind != &search_kind_set;

    if ((by_uid && !args_space(args)) || !args_seqset(args, &node->set))
        return false;
    if (!by_uid && !node->set.saved && !args_may_name_seqs(args))
        return false;
    program->has_seqs = program->has_seqs || (!by_uid && !node->set.saved);
    program->bound[program->n_bound++] = node;
    return true;
}

/* entry-name SP entry-type-req SP: we keep one mod-sequence for all entries. */
static bool take_entry(struct args *args)
{
    struct slice name;

    if (!args_string(args, &name))
        return false;
    if (!slice_starts(name, "/flags/") || name.len == 7)
        return args_fail(args, "expected: an entry's name such as \"/flags/\\\\Seen\"");
    if (!args_space(args))
        return false;
    if (!args_try_word(args, "priv") && !args_try_word(args, "shared") &&
        !args_try_word(args, "all"))
        return args_fail(args, "expected: priv, shared, all");
    return args_space(args);
}

/* "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer (RFC 7162 section 7) */
static bool take_modseq(struct args *args, struct search_program *program, struct search_node *node)
{
    program->has_modseq = true;
    return args_space(args) && (args_peek(args) != '"' || take_entry(args)) &&
           args_number64(args, &node->number);
}

static bool take_keyword(struct args *args, struct search_program *program,
                         struct search_node *node)
{
    program->bound[program->n_bound++] = node;
    return args_space(args) && args_atom(args, &node->keyword);
}

static bool take_date(struct args *args, struct search_node *node)
{
    int64_t day;

    if (!args_space(args) || !args_date(args, &day))
        return false;
    node->number = (uint64_t)day;
    return true;
}

static bool take_number(struct args *args, struct search_node *node)
{
    return args_space(args) && args_number64(args, &node->number);
}

static bool take_uid(struct args *args, struct search_node *node)
{
    uint32_t uid;

    if (!args_space(args) || !args_nz_number(args, &uid))
        return false;
    node->number = uid;
    return true;
}

static bool take_interval(struct args *args, struct search_program *program,
                          struct search_node *node)
{
    uint32_t seconds;

    if (!args_space(args) || !args_nz_number(args, &seconds))
        return false;
    node->seconds = seconds;
    program->bound[program->n_bound++] = node;
    return true;
}

/* search-key *(SP search-key): all must match. */
static bool take_all(struct args *args, struct search_program *program, unsigned depth,
                     struct search_node *node)
{
    struct search_node **last = &node->child;

    do {
        if (!take_key(args, program, depth + 1, last))
            return false;
        last = &(*last)->next;
    } while (args_try_byte(args, ' '));
    return true;
}

static bool take_some(struct args *args, struct search_program *program, unsigned depth,
                      struct search_node *node, unsigned count)
{
    struct search_node **last = &node->child;

    for (unsigned i = 0; i < count; i++, last = &(*last)->next)
        if (!args_space(args) || !take_key(args, program, depth + 1, last))
            return false;
    return true;
}

static bool take_fuzzy(struct args *args, struct search_program *program, unsigned depth,
                       struct search_node *node)
{
    bool ok;

    program->has_fuzzy = true;
    program->fuzzy_depth++;
    ok = take_some(args, program, depth, node, 1);
    program->fuzzy_depth--;
    return ok;
}

static bool undefined(struct args *args, struct search_program *program, struct slice name,
                      const char *error)
{
    program->undefined = name;
    args->error = NULL;
    return args_fail(args, error);
}

/* The value of a filter, which is search-keys in UTF-8, as the children of the node. */
static bool take_value(struct args *args, struct search_program *program, unsigned depth,
                       struct search_node *node, struct slice name)
{
    struct args value = *args;
    struct slice charset = program->charset;
    struct error err;
    bool ok;

    if (program->filters.find == NULL ||
        !program->filters.find(program->filters.context, args->arena, name, &value.rest, &err))
        return undefined(args, program, name, "There is no such filter");
    program->charset = (struct slice){ 0 };
    program->filter_depth++;
    ok = take_all(&value, program, depth, node) && args_end(&value);
    program->filter_depth--;
    program->charset = charset;
    if (!ok && program->undefined.len > 0)
        return args_fail(args, value.error);
    return ok || undefined(args, program, name, "The value of this filter is no search");
}

/* "FILTER" SP filter-name (RFC 5466 section 4). Filters that name each other in a circle end at the
 * greatest depth. */
static bool take_filter(struct args *args, struct search_program *program, unsigned depth,
                        struct search_node *node)
{
    struct slice name;

    if (!args_space(args) || !args_atom(args, &name))
        return false;
    if (slice_find(name, '/') >= 0)
        return args_fail(args, "the name of a filter has no /");
    if (program->charset.len > 0 && !slice_is(program->charset, "UTF-8") &&
        !slice_is(program->charset, "US-ASCII")) { /* section 3.1 */
        args->code = "BADCHARSET (US-ASCII UTF-8)";
        return args_fail(args, "FILTER is for UTF-8");
    }
    if (program->filter_depth == FILTER_DEPTH_MAX || program->n_filters == FILTERS_MAX)
        return undefined(args, program, name, "Too many filters name filters");
    program->n_filters++;
    return take_value(args, program, depth, node, name);
}

/* RFC 8474 section 6: what has another form than ours is of nothing. */
static bool take_object(struct args *args, struct search_node *node)
{
    if (!args_space(args) || !args_astring(args, &node->field))
        return false;
    return objectid_is_valid(node->field) || args_fail(args, "expected: an object identifier");
}

static bool take_argument(struct args *args, struct search_program *program, unsigned depth,
                          struct search_node *node)
{
    switch (node->kind->argument) {
    case ARG_NONE:
        return true;
    case ARG_DATE:
        return take_date(args, node);
    case ARG_NUMBER:
        return take_number(args, node);
    case ARG_INTERVAL:
        return take_interval(args, program, node);
    case ARG_KEYWORD:
        return take_keyword(args, program, node);
    case ARG_STRING:
        return take_needle(args, program, node);
    case ARG_HEADER:
        return args_space(args) && args_astring(args, &node->field) &&
               take_needle(args, program, node);
    case ARG_FILTER:
        return take_filter(args, program, depth, node);
    case ARG_MODSEQ:
        return take_modseq(args, program, node);
    case ARG_UIDS:
        return take_uids(args, program, node);
    case ARG_UID:
        return take_uid(args, node);
    case ARG_OBJECT:
        return take_object(args, node);
    case ARG_ONE_KEY:
        return take_some(args, program, depth, node, 1);
    case ARG_FUZZY:
        return take_fuzzy(args, program, depth, node);
    case ARG_TWO_KEYS:
        return take_some(args, program, depth, node, 2);
    }
    return false;
}

static bool take_keys(struct args *args, struct search_program *program, unsigned depth,
                      struct search_node *node)
{
    node->kind = &search_kind_and;
    return take_all(args, program, depth, node);
}

static bool starts_set(char byte)
{
    return byte == '*' || byte == '$' || (byte >= '0' && byte <= '9');
}

static bool take_key(struct args *args, struct search_program *program, unsigned depth,
                     struct search_node **node_out)
{
    struct search_node *node = ARENA_NEW(args->arena, struct search_node);
    struct slice word;

    *node_out = node;
    if (depth > SEARCH_DEPTH_MAX || program->n_keys == SEARCH_KEYS_MAX)
        return args_fail(args, "this search is too complex");
    program->n_keys++;
    if (args_try_byte(args, '('))
        return take_keys(args, program, depth, node) && args_close(args);
    node->kind = &search_kind_set;
    if (!starts_set(args_peek(args))) {
        if (!args_word(args, &word))
            return false;
        node->kind = search_kind_find(word);
    }
    if (node->kind == NULL)
        return args_fail(args, "I don't know this search key");
    node->number = node->kind->number;
    program->needs |= node->kind->needs;
    program->n_reads += (node->kind->needs & (SEARCH_NEEDS_HEADER | SEARCH_NEEDS_BODY)) != 0;
    return take_argument(args, program, depth, node);
}

bool search_take_charset(struct args *args, struct search_program *program)
{
    if (!args_try_word(args, "CHARSET"))
        return true;
    if (args->utf8_accept) /* RFC 6855 section 3 */
        return args_fail(args, "CHARSET has no place after ENABLE UTF8=ACCEPT");
    if (!args_space(args) || !args_astring(args, &program->charset) || !args_space(args))
        return false;
    args->bad_charset = !charset_known(program->charset);
    return !args->bad_charset;
}

bool search_parse(struct args *args, struct search_program *program)
{
    program->bound = ARENA_ARRAY(args->arena, struct search_node *, SEARCH_KEYS_MAX);
    program->root = ARENA_NEW(args->arena, struct search_node);
    return take_keys(args, program, 0, program->root) && args_end(args);
}

/* search_key.c - the table of search keys, how they are read, and how they combine. */
#include "imapd/search.h"

#include "common/clock.h"
#include "message/decode.h"
#include "message/text.h"

#define DAY_MS (24 * 60 * 60 * 1000ll)

enum argument {
    ARG_NONE,
    ARG_DATE,
    ARG_NUMBER,
    ARG_INTERVAL, /* seconds, over zero */
    ARG_KEYWORD,
    ARG_STRING,
    ARG_HEADER, /* name and string */
    ARG_MODSEQ,
    ARG_UIDS,
    ARG_ONE_KEY,  /* NOT */
    ARG_TWO_KEYS, /* OR */
};

/* RFC 3501 section 9, RFC 7162 section 3.1.5, RFC 5032. */
struct search_kind {
    const char *name;
    enum argument argument;
    uint64_t number; /* preset of node->number: flags, or the envelope's field */
    enum search_answer (*match)(const struct search_node *node, const struct search_data *data);
    unsigned needs;
};

static enum search_answer answer(bool yes)
{
    return yes ? SEARCH_YES : SEARCH_NO;
}

static enum search_answer match_all(const struct search_node *node, const struct search_data *data)
{
    return SEARCH_YES;
}

static enum search_answer match_has(const struct search_node *node, const struct search_data *data)
{
    return answer((view_flags(data->view, data->index) & node->number) != 0);
}

static enum search_answer match_lacks(const struct search_node *node,
                                      const struct search_data *data)
{
    return answer((view_flags(data->view, data->index) & node->number) == 0);
}

static enum search_answer match_recent(const struct search_node *node,
                                       const struct search_data *data)
{
    return answer(view_is_recent(data->view, data->index));
}

static enum search_answer match_old(const struct search_node *node, const struct search_data *data)
{
    return answer(!view_is_recent(data->view, data->index));
}

static enum search_answer match_new(const struct search_node *node, const struct search_data *data)
{
    return answer(view_is_recent(data->view, data->index) &&
                  (view_flags(data->view, data->index) & MAIL_SEEN) == 0);
}

static int64_t divide_down(int64_t number, int64_t by)
{
    return number >= 0 ? number / by : (number - by + 1) / by;
}

/* INTERNALDATE's day, in UTC: that is how FETCH shows it. */
static int64_t received_day(const struct search_data *data)
{
    return divide_down(view_received_ms(data->view, data->index), DAY_MS);
}

static int64_t received_second(const struct search_data *data)
{
    return divide_down(view_received_ms(data->view, data->index), 1000);
}

static enum search_answer match_before(const struct search_node *node,
                                       const struct search_data *data)
{
    return answer(received_day(data) < (int64_t)node->number);
}

static enum search_answer match_on(const struct search_node *node, const struct search_data *data)
{
    return answer(received_day(data) == (int64_t)node->number);
}

static enum search_answer match_since(const struct search_node *node,
                                      const struct search_data *data)
{
    return answer(received_day(data) >= (int64_t)node->number);
}

static enum search_answer match_sent_before(const struct search_node *node,
                                            const struct search_data *data)
{
    int64_t day = 0;
    enum search_answer known = search_sent(node, data, &day);

    return known == SEARCH_YES ? answer(day < (int64_t)node->number) : known;
}

static enum search_answer match_sent_on(const struct search_node *node,
                                        const struct search_data *data)
{
    int64_t day = 0;
    enum search_answer known = search_sent(node, data, &day);

    return known == SEARCH_YES ? answer(day == (int64_t)node->number) : known;
}

static enum search_answer match_sent_since(const struct search_node *node,
                                           const struct search_data *data)
{
    int64_t day = 0;
    enum search_answer known = search_sent(node, data, &day);

    return known == SEARCH_YES ? answer(day >= (int64_t)node->number) : known;
}

static enum search_answer match_larger(const struct search_node *node,
                                       const struct search_data *data)
{
    return answer(view_size(data->view, data->index) > node->number);
}

static enum search_answer match_smaller(const struct search_node *node,
                                        const struct search_data *data)
{
    return answer(view_size(data->view, data->index) < node->number);
}

/* Times since now, by the second: INTERNALDATE has no parts of one (RFC 5032 section 2). */
static enum search_answer match_older(const struct search_node *node,
                                      const struct search_data *data)
{
    return answer(received_second(data) <= (int64_t)node->number);
}

static enum search_answer match_younger(const struct search_node *node,
                                        const struct search_data *data)
{
    return answer(received_second(data) >= (int64_t)node->number);
}

static enum search_answer match_modseq(const struct search_node *node,
                                       const struct search_data *data)
{
    return answer(view_modseq(data->view, data->index) >= node->number);
}

static enum search_answer match_uids(const struct search_node *node, const struct search_data *data)
{
    return answer(uidset_has(&node->uids, view_uid(data->view, data->index)));
}

static enum search_answer match_and(const struct search_node *node, const struct search_data *data)
{
    enum search_answer all = SEARCH_YES;

    for (struct search_node *child = node->child; child != NULL; child = child->next) {
        enum search_answer one = search_evaluate(child, data);

        if (one == SEARCH_NO)
            return SEARCH_NO;
        if (one == SEARCH_OPEN)
            all = SEARCH_OPEN;
    }
    return all;
}

static enum search_answer match_or(const struct search_node *node, const struct search_data *data)
{
    enum search_answer any = SEARCH_NO;

    for (struct search_node *child = node->child; child != NULL; child = child->next) {
        enum search_answer one = search_evaluate(child, data);

        if (one == SEARCH_YES)
            return SEARCH_YES;
        if (one == SEARCH_OPEN)
            any = SEARCH_OPEN;
    }
    return any;
}

static enum search_answer match_not(const struct search_node *node, const struct search_data *data)
{
    enum search_answer inner = search_evaluate(node->child, data);

    return inner == SEARCH_OPEN ? SEARCH_OPEN : answer(inner == SEARCH_NO);
}

#define ENVELOPE SEARCH_NEEDS_ENVELOPE
#define HEADER   SEARCH_NEEDS_HEADER
#define BODY     SEARCH_NEEDS_BODY

/* The numbers of address keys are the places in ENVELOPE (RFC 3501 section 7.4.2). */
static const struct search_kind kinds[] = {
    { "ALL", ARG_NONE, 0, match_all, 0 },
    { "ANSWERED", ARG_NONE, MAIL_ANSWERED, match_has, 0 },
    { "BCC", ARG_STRING, 7, search_addresses, ENVELOPE },
    { "BEFORE", ARG_DATE, 0, match_before, 0 },
    { "BODY", ARG_STRING, 0, search_body, BODY },
    { "CC", ARG_STRING, 6, search_addresses, ENVELOPE },
    { "DELETED", ARG_NONE, MAIL_DELETED, match_has, 0 },
    { "DRAFT", ARG_NONE, MAIL_DRAFT, match_has, 0 },
    { "FLAGGED", ARG_NONE, MAIL_FLAGGED, match_has, 0 },
    { "FROM", ARG_STRING, 2, search_addresses, ENVELOPE },
    { "HEADER", ARG_HEADER, 0, search_header, HEADER },
    { "KEYWORD", ARG_KEYWORD, 0, match_has, 0 },
    { "LARGER", ARG_NUMBER, 0, match_larger, 0 },
    { "MODSEQ", ARG_MODSEQ, 0, match_modseq, 0 },
    { "NEW", ARG_NONE, 0, match_new, 0 },
    { "NOT", ARG_ONE_KEY, 0, match_not, 0 },
    { "OLD", ARG_NONE, 0, match_old, 0 },
    { "OLDER", ARG_INTERVAL, 0, match_older, 0 },
    { "ON", ARG_DATE, 0, match_on, 0 },
    { "OR", ARG_TWO_KEYS, 0, match_or, 0 },
    { "RECENT", ARG_NONE, 0, match_recent, 0 },
    { "SEEN", ARG_NONE, MAIL_SEEN, match_has, 0 },
    { "SENTBEFORE", ARG_DATE, 0, match_sent_before, ENVELOPE },
    { "SENTON", ARG_DATE, 0, match_sent_on, ENVELOPE },
    { "SENTSINCE", ARG_DATE, 0, match_sent_since, ENVELOPE },
    { "SINCE", ARG_DATE, 0, match_since, 0 },
    { "SMALLER", ARG_NUMBER, 0, match_smaller, 0 },
    { "SUBJECT", ARG_STRING, 0, search_subject, ENVELOPE },
    { "TEXT", ARG_STRING, 0, search_whole_text, BODY },
    { "TO", ARG_STRING, 5, search_addresses, ENVELOPE },
    { "UID", ARG_UIDS, 0, match_uids, 0 },
    { "UNANSWERED", ARG_NONE, MAIL_ANSWERED, match_lacks, 0 },
    { "UNDELETED", ARG_NONE, MAIL_DELETED, match_lacks, 0 },
    { "UNDRAFT", ARG_NONE, MAIL_DRAFT, match_lacks, 0 },
    { "UNFLAGGED", ARG_NONE, MAIL_FLAGGED, match_lacks, 0 },
    { "UNKEYWORD", ARG_KEYWORD, 0, match_lacks, 0 },
    { "UNSEEN", ARG_NONE, MAIL_SEEN, match_lacks, 0 },
    { "YOUNGER", ARG_INTERVAL, 0, match_younger, 0 },
};

static const struct search_kind kind_and = { "(", ARG_NONE, 0, match_and, 0 };
static const struct search_kind kind_set = { "set", ARG_UIDS, 0, match_uids, 0 };

/* Each key may go over all of the message: a thousand keys are not for one turn. */
enum search_answer search_evaluate(struct search_node *node, const struct search_data *data)
{
    uint64_t msg = view_msg(data->view, data->index);

    if (node->kind->needs == 0 || !data->has_message)
        return node->kind->match(node, data);
    if (node->known_of == msg)
        return node->known;
    if (*data->left == 0)
        return SEARCH_OPEN;
    *data->left -= MIN(*data->left, data->message.len);
    node->known_of = msg;
    node->known = answer(node->kind->match(node, data) == SEARCH_YES);
    return node->known;
}

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
    node->needle = slice_copy(args->arena, buf_slice(&folded));
    return true;
}

static bool take_uids(struct args *args, struct search_program *program, struct search_node *node)
{
    bool by_uid = node->kind != &kind_set;

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
    uint32_t number;

    if (!args_space(args) || !args_number(args, &number))
        return false;
    node->number = number;
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

static bool take_children(struct args *args, struct search_program *program, unsigned depth,
                          struct search_node *node, unsigned count)
{
    struct search_node **last = &node->child;

    for (unsigned i = 0; i < count; i++, last = &(*last)->next)
        if (!args_space(args) || !take_key(args, program, depth + 1, last))
            return false;
    return true;
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
    case ARG_MODSEQ:
        return take_modseq(args, program, node);
    case ARG_UIDS:
        return take_uids(args, program, node);
    case ARG_ONE_KEY:
        return take_children(args, program, depth, node, 1);
    case ARG_TWO_KEYS:
        return take_children(args, program, depth, node, 2);
    }
    return false;
}

static const struct search_kind *kind_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_is(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}

/* search-key *(SP search-key) up to `end`: all must match. */
static bool take_keys(struct args *args, struct search_program *program, unsigned depth,
                      struct search_node *node)
{
    struct search_node **last = &node->child;

    node->kind = &kind_and;
    do {
        if (!take_key(args, program, depth + 1, last))
            return false;
        last = &(*last)->next;
    } while (args_try_byte(args, ' '));
    return true;
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
    node->kind = &kind_set;
    if (!starts_set(args_peek(args))) {
        if (!args_word(args, &word))
            return false;
        node->kind = kind_find(word);
    }
    if (node->kind == NULL)
        return args_fail(args, "I don't know this search key");
    node->number = node->kind->number;
    program->needs |= node->kind->needs;
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

static bool bind_uids(struct search_node *node, const struct view *view)
{
    uidset_free(&node->uids);
    return view_resolve(view, &node->set, node->kind != &kind_set, &node->uids);
}

bool search_bind(struct search_program *program, const struct view *view,
                 const struct keywords *keywords)
{
    int64_t now_s = time_ms() / 1000;

    for (size_t i = 0; i < program->n_bound; i++) {
        struct search_node *node = program->bound[i];

        if (node->kind->argument == ARG_KEYWORD)
            node->number = keywords_mask(keywords, node->keyword);
        else if (node->kind->argument == ARG_INTERVAL)
            node->number = (uint64_t)(now_s - node->seconds);
        else if (!bind_uids(node, view))
            return false;
    }
    return true;
}

void search_free(struct search_program *program)
{
    for (size_t i = 0; i < program->n_bound; i++)
        uidset_free(&program->bound[i]->uids);
    program->n_bound = 0;
}

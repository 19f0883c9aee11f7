/* search_key.c - the table of search keys, and how they combine. */
#include "imapd/search_private.h"

#include "common/clock.h"
#include "imapd/objectid.h"

#define DAY_MS     (24 * 60 * 60 * 1000ll)
#define NARROW_MAX 20000

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

/* RFC 8514 section 4.3: when it came into this mailbox. */
static int64_t saved_day(const struct search_data *data)
{
    return divide_down(view_saved_ms(data->view, data->index), DAY_MS);
}

static enum search_answer match_saved_before(const struct search_node *node,
                                             const struct search_data *data)
{
    return answer(saved_day(data) < (int64_t)node->number);
}

static enum search_answer match_saved_on(const struct search_node *node,
                                         const struct search_data *data)
{
    return answer(saved_day(data) == (int64_t)node->number);
}

static enum search_answer match_saved_since(const struct search_node *node,
                                            const struct search_data *data)
{
    return answer(saved_day(data) >= (int64_t)node->number);
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

/* RFC 9738 section 3.2: unlike "UID n:*" it never names the last message because there is none. */
static enum search_answer match_uid_after(const struct search_node *node,
                                          const struct search_data *data)
{
    return answer(view_uid(data->view, data->index) > node->number);
}

static enum search_answer match_uid_before(const struct search_node *node,
                                           const struct search_data *data)
{
    return answer(view_uid(data->view, data->index) < node->number);
}

/* RFC 8474 section 6. */
static enum search_answer match_email(const struct search_node *node,
                                      const struct search_data *data)
{
    struct buf *id = data->scratch;

    if (data->objects == NULL || !data->objects->exists)
        return SEARCH_NO;
    buf_clear(id);
    objectid_email(id, data->objects, view_received_ms(data->view, data->index));
    return answer(slice_equal(buf_slice(id), node->field));
}

static enum search_answer match_thread(const struct search_node *node,
                                       const struct search_data *data)
{
    struct buf *id = data->scratch;

    if (data->objects == NULL || !data->objects->exists)
        return SEARCH_NO;
    buf_clear(id);
    objectid_thread(id, data->objects);
    return answer(slice_equal(buf_slice(id), node->field));
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
    { "FILTER", ARG_FILTER, 0, match_and, 0 },
    { "EMAILID", ARG_OBJECT, 0, match_email, SEARCH_NEEDS_OBJECTS },
    { "FLAGGED", ARG_NONE, MAIL_FLAGGED, match_has, 0 },
    { "FROM", ARG_STRING, 2, search_addresses, ENVELOPE },
    { "FUZZY", ARG_FUZZY, 0, match_and, 0 },
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
    { "SAVEDATESUPPORTED", ARG_NONE, 0, match_all, 0 },
    { "SAVEDBEFORE", ARG_DATE, 0, match_saved_before, 0 },
    { "SAVEDON", ARG_DATE, 0, match_saved_on, 0 },
    { "SAVEDSINCE", ARG_DATE, 0, match_saved_since, 0 },
    { "SENTBEFORE", ARG_DATE, 0, match_sent_before, ENVELOPE },
    { "SENTON", ARG_DATE, 0, match_sent_on, ENVELOPE },
    { "SENTSINCE", ARG_DATE, 0, match_sent_since, ENVELOPE },
    { "SINCE", ARG_DATE, 0, match_since, 0 },
    { "SMALLER", ARG_NUMBER, 0, match_smaller, 0 },
    { "SUBJECT", ARG_STRING, 0, search_subject, ENVELOPE },
    { "TEXT", ARG_STRING, 0, search_whole_text, BODY },
    { "THREADID", ARG_OBJECT, 0, match_thread, SEARCH_NEEDS_OBJECTS },
    { "TO", ARG_STRING, 5, search_addresses, ENVELOPE },
    { "UID", ARG_UIDS, 0, match_uids, 0 },
    { "UIDAFTER", ARG_UID, 0, match_uid_after, 0 },
    { "UIDBEFORE", ARG_UID, 0, match_uid_before, 0 },
    { "UNANSWERED", ARG_NONE, MAIL_ANSWERED, match_lacks, 0 },
    { "UNDELETED", ARG_NONE, MAIL_DELETED, match_lacks, 0 },
    { "UNDRAFT", ARG_NONE, MAIL_DRAFT, match_lacks, 0 },
    { "UNFLAGGED", ARG_NONE, MAIL_FLAGGED, match_lacks, 0 },
    { "UNKEYWORD", ARG_KEYWORD, 0, match_lacks, 0 },
    { "UNSEEN", ARG_NONE, MAIL_SEEN, match_lacks, 0 },
    { "YOUNGER", ARG_INTERVAL, 0, match_younger, 0 },
};

const struct search_kind search_kind_and = { "(", ARG_NONE, 0, match_and, 0 };
const struct search_kind search_kind_set = { "set", ARG_UIDS, 0, match_uids, 0 };

const struct search_kind *search_kind_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_is(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}

static enum search_answer match(struct search_node *node, const struct search_data *data)
{
    struct search_data scored = *data;

    if (!node->fuzzy)
        return node->kind->match(node, data);
    node->scored_of = view_msg(data->view, data->index);
    node->score = 0;
    scored.score = &node->score;
    return node->kind->match(node, &scored);
}

static bool index_says(const uint64_t *bits, const struct search_data *data)
{
    return data->has_index && bits != NULL &&
           (bits[data->place / 64] >> (data->place % 64) & 1) != 0;
}

/* Each key may go over all of the message: a thousand keys are not for one turn. */
enum search_answer search_evaluate(struct search_node *node, const struct search_data *data)
{
    uint64_t msg = view_msg(data->view, data->index);

    if (index_says(node->cannot, data))
        return SEARCH_NO;
    if (index_says(node->has, data))
        return SEARCH_YES;
    if (node->kind->needs == 0 || !data->has_message)
        return match(node, data);
    if (node->known_of == msg)
        return node->known;
    if (*data->left == 0)
        return SEARCH_OPEN;
    *data->left -= MIN(*data->left, data->message.len * (node->fuzzy ? SEARCH_FUZZY_COST : 1));
    node->known_of = msg;
    node->known = answer(match(node, data) == SEARCH_YES);
    return node->known;
}

/* 0: no fuzzy key had a part in it. */
static unsigned score_of(const struct search_node *node, uint64_t msg)
{
    bool is_or = node->kind->argument == ARG_TWO_KEYS;
    unsigned sum = 0, best = 0, count = 0;

    if (node->kind->argument == ARG_ONE_KEY) /* NOT */
        return 0;
    if (node->fuzzy)
        return node->scored_of == msg ? node->score : 0;
    for (const struct search_node *child = node->child; child != NULL; child = child->next) {
        unsigned score = score_of(child, msg);

        sum += score;
        best = MAX(best, score);
        count += score > 0;
    }
    return is_or ? best : count > 0 ? sum / count : 0;
}

unsigned search_score(const struct search_program *program, uint64_t msg)
{
    unsigned score = score_of(program->root, msg);

    return score > 0 ? score : 100;
}

/* What there is of a set of sequence numbers. */
static void bind_numbers(struct search_node *node, const struct view *view)
{
    uint32_t count = (uint32_t)view->count;

    for (size_t i = 0; i < node->set.count; i++) {
        struct seq_range range = node->set.ranges[i];
        uint32_t lo = range.lo == SEQSET_STAR ? count : range.lo;
        uint32_t hi = range.hi == SEQSET_STAR ? count : range.hi;

        if (MIN(lo, hi) >= 1 && MIN(lo, hi) <= count)
            uidset_add(&node->uids, view_uid(view, MIN(lo, hi) - 1),
                       view_uid(view, MIN(MAX(lo, hi), count) - 1));
    }
}

static bool bind_uids(struct search_node *node, const struct view *view, bool lenient)
{
    bool by_uid = node->kind != &search_kind_set;

    uidset_free(&node->uids);
    if (by_uid || node->set.saved || !lenient)
        return view_resolve(view, &node->set, by_uid, &node->uids);
    bind_numbers(node, view);
    return true;
}

/* Messages of another account may have the same numbers. */
static void forget(struct search_node *node)
{
    node->known_of = node->scored_of = 0;
    for (struct search_node *child = node->child; child != NULL; child = child->next)
        forget(child);
}

static bool bind(struct search_program *program, const struct view *view,
                 const struct keywords *keywords, bool again)
{
    int64_t now_s = time_ms() / 1000;

    forget(program->root);
    for (size_t i = 0; i < program->n_bound; i++) {
        struct search_node *node = program->bound[i];
        bool stays = again && (node->kind == &search_kind_set || node->set.saved);

        if (node->kind->argument == ARG_KEYWORD)
            node->number = keywords_mask(keywords, node->keyword);
        else if (node->kind->argument == ARG_INTERVAL)
            node->number = (uint64_t)(now_s - node->seconds);
        else if (!stays && !bind_uids(node, view, program->lenient))
            return false;
    }
    return true;
}

bool search_bind(struct search_program *program, const struct view *view,
                 const struct keywords *keywords)
{
    return bind(program, view, keywords, false);
}

void search_rebind(struct search_program *program, const struct view *view,
                   const struct keywords *keywords)
{
    bool bound = bind(program, view, keywords, true);

    (void)bound; /* only sets of numbers can fail, and those stay */
}

/* A set of more ranges than NARROW_MAX is not worth it. */
static void narrow(const struct search_node *node, struct uidset *uids)
{
    struct uidset both = { 0 };

    if (node->kind->match == match_and) {
        for (struct search_node *child = node->child; child != NULL; child = child->next)
            narrow(child, uids);
    } else if (node->kind->match == match_uid_after) {
        uidset_remove(uids, 1, (uint32_t)node->number);
    } else if (node->kind->match == match_uid_before) {
        uidset_remove(uids, (uint32_t)node->number, UINT32_MAX);
    } else if (node->kind->match == match_uids && node->uids.count + uids->count < NARROW_MAX) {
        uidset_intersect(uids, &node->uids, &both);
        uidset_free(uids);
        *uids = both;
    }
}

void search_among(const struct search_program *program, struct uidset *uids_out)
{
    *uids_out = (struct uidset){ 0 };
    uidset_add(uids_out, 1, UINT32_MAX);
    narrow(program->root, uids_out);
}

void search_free(struct search_program *program)
{
    for (size_t i = 0; i < program->n_bound; i++)
        uidset_free(&program->bound[i]->uids);
    program->n_bound = 0;
}

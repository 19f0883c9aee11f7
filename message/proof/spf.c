/* spf.c - check_host() (RFC 7208 section 4), from a query to an outcome.
 *
 * Each call starts from the beginning with what the table has by now, in an arena of its own, so
 * waiting often costs no memory. Include is the only recursion; it counts as a lookup, so it goes
 * SPF_LOOKUPS_MAX deep at most. Redirect is a loop.
 */
#include "message/proof/spf_private.h"

#include "message/proof/domain.h"

#include <arpa/inet.h>
#include <stdio.h>

/* Where the evaluation of a record has ended. */
struct verdict {
    enum spf_result result;
    struct slice domain;      /* whose record had the last word, after redirects */
    struct slice term;        /* that matched; empty: none */
    struct slice explanation; /* exp=, of the same record */
};

static struct verdict check_host(struct spf_check *check, struct slice domain);

static struct verdict verdict_error(struct spf_check *check, enum spf_result result,
                                    const char *reason)
{
    if (reason != NULL)
        check->reason = reason;
    return (struct verdict){ .result = result };
}

/* Section 4.3: a name with at least two labels; a literal is none. What else cannot be a name has
 * no record. */
static bool is_domain(struct slice domain)
{
    ptrdiff_t dot = slice_find(domain, '.');

    return dot > 0 && (size_t)dot + 1 < domain.len && domain.data[0] != '[';
}

/* Sections 4.4 and 4.5: the one record. PASS: found. */
static enum spf_result find_record(struct spf_check *check, struct slice domain,
                                   struct slice *record_out)
{
    const struct dns_answer *answer;
    size_t count = 0;

    if (!is_domain(domain))
        return SPF_NONE;
    answer = dns_get(check->table, domain, DNS_TXT);
    if (answer == NULL) {
        check->again = true;
        return SPF_NONE;
    }
    if (answer->state == DNS_FAILED)
        return verdict_error(check, SPF_TEMPERROR, "the DNS does not answer").result;
    for (size_t i = 0; answer->state == DNS_FOUND && i < answer->count; i++) {
        struct slice text;

        if (dns_text(check->arena, answer->records[i], &text) && spf_record_is(text)) {
            *record_out = text;
            count++;
        }
    }
    if (count > 1)
        return verdict_error(check, SPF_PERMERROR, "several records").result;
    return count == 1 ? SPF_PASS : SPF_NONE;
}

/* Section 4.6: "any syntax errors anywhere in the record". Finds the modifiers on the way. */
static bool read_record(struct slice record, struct spf_term *redirect_out,
                        struct spf_term *explanation_out)
{
    struct spf_term term;
    enum parse parse;

    *redirect_out = *explanation_out = (struct spf_term){ 0 };
    if (record.len > SPF_RECORD_MAX)
        return false;
    while ((parse = spf_term_next(&record, &term)) == PARSE_OK) {
        struct spf_term *modifier = term.kind == SPF_REDIRECT ? redirect_out
                                    : term.kind == SPF_EXP    ? explanation_out
                                                              : NULL;

        if (modifier == NULL)
            continue;
        if (modifier->text.len > 0) /* section 6: once */
            return false;
        *modifier = term;
    }
    return parse == PARSE_MORE;
}

/* Section 5.2. */
static enum spf_match match_include(struct spf_check *check, const struct spf_term *term,
                                    struct slice current)
{
    struct slice target;

    check->lookups++;
    if (!spf_target(check, term->domain, current, &target))
        return SPF_NO_MATCH;
    if (check->lookups > SPF_LOOKUPS_MAX) {
        check->reason = "too many lookups";
        return SPF_ERROR_PERMANENT;
    }
    switch (check_host(check, target).result) {
    case SPF_PASS:
        return SPF_MATCH;
    case SPF_FAIL:
    case SPF_SOFTFAIL:
    case SPF_NEUTRAL:
        return SPF_NO_MATCH;
    case SPF_TEMPERROR:
        return SPF_ERROR_TEMPORARY;
    case SPF_PERMERROR:
        return SPF_ERROR_PERMANENT;
    case SPF_NONE:
        check->reason = "an included domain has no record";
        return SPF_ERROR_PERMANENT;
    }
    return SPF_ERROR_PERMANENT;
}

/* The terms from left to right, up to the first that decides. NONE: no term did. */
static struct verdict evaluate(struct spf_check *check, struct slice record, struct slice domain)
{
    struct spf_term term;

    while (spf_term_next(&record, &term) == PARSE_OK) {
        enum spf_match match = SPF_NO_MATCH;

        if (term.kind >= SPF_REDIRECT)
            continue;
        match = term.kind == SPF_INCLUDE ? match_include(check, &term, domain)
                                         : spf_term_match(check, &term, domain);
        if (check->again || match == SPF_ERROR_TEMPORARY)
            return verdict_error(check, SPF_TEMPERROR, NULL);
        if (match == SPF_ERROR_PERMANENT)
            return verdict_error(check, SPF_PERMERROR, NULL);
        if (match == SPF_MATCH)
            return (struct verdict){ term.result, domain, term.text, { 0 } };
    }
    return (struct verdict){ SPF_NONE, domain, { 0 }, { 0 } };
}

/* Section 6.1; the target goes to *domain. PASS: go on there. */
static enum spf_result follow(struct spf_check *check, const struct spf_term *redirect,
                              struct slice *domain)
{
    if (++check->lookups > SPF_LOOKUPS_MAX)
        return verdict_error(check, SPF_PERMERROR, "too many lookups").result;
    if (!spf_target(check, redirect->domain, *domain, domain))
        return SPF_TEMPERROR;
    return SPF_PASS;
}

static struct verdict check_host(struct spf_check *check, struct slice domain)
{
    for (bool redirected = false;; redirected = true) {
        struct spf_term redirect, explanation;
        struct slice record = { 0 };
        struct verdict verdict;
        enum spf_result found = find_record(check, domain, &record);

        if (found == SPF_NONE && redirected && !check->again)
            return verdict_error(check, SPF_PERMERROR, "redirect= to a domain without a record");
        if (found != SPF_PASS)
            return verdict_error(check, found, NULL);
        record = slice_from(record, sizeof("v=spf1") - 1);
        if (!read_record(record, &redirect, &explanation))
            return verdict_error(check, SPF_PERMERROR, "syntax error in the record");
        verdict = evaluate(check, record, domain);
        verdict.explanation = explanation.domain;
        if (verdict.result != SPF_NONE)
            return verdict;
        if (redirect.text.len == 0) {
            verdict.result = SPF_NEUTRAL; /* section 4.7 */
            return verdict;
        }
        found = follow(check, &redirect, &domain);
        if (found != SPF_PASS)
            return verdict_error(check, found, NULL);
    }
}

/* Section 6.2: whatever is wrong with it, there is no explanation then. */
static struct slice explain(struct spf_check *check, const struct verdict *verdict)
{
    AUTO(buf_free) struct buf words = { 0 };
    const struct dns_answer *answer;
    struct slice name, text;

    if (!spf_target(check, verdict->explanation, verdict->domain, &name))
        return SLICE("");
    answer = dns_get(check->table, name, DNS_TXT);
    if (answer == NULL)
        check->again = true;
    if (answer == NULL || answer->state != DNS_FOUND || answer->count != 1 ||
        !dns_text(check->arena, answer->records[0], &text) || text.len > SPF_EXPLANATION_MAX ||
        !spf_macro_valid(text, SPF_EXPLAIN))
        return SLICE("");
    spf_macro_expand(check, text, verdict->domain, SPF_EXPLAIN, &words);
    if (words.len > SPF_EXPLANATION_MAX)
        return SLICE("");
    for (size_t i = 0; i < words.len; i++) /* a HELO or a local part may bring in anything */
        if (words.data[i] < ' ' || words.data[i] > '~')
            words.data[i] = '?';
    return slice_copy(check->arena, buf_slice(&words));
}

/* --- the query --- */

static bool read_client(struct arena *arena, const char *address, struct spf_client *client)
{
    static const char digits[] = "0123456789ABCDEF";
    struct in6_addr bytes;
    char *nibbles;

    if (inet_pton(AF_INET, address, client->bytes) == 1) {
        client->len = 4;
    } else if (inet_pton(AF_INET6, address, &bytes) != 1) {
        return false;
    } else if (IN6_IS_ADDR_V4MAPPED(&bytes)) {
        client->len = 4;
        memcpy(client->bytes, bytes.s6_addr + 12, 4);
    } else {
        client->len = 16;
        memcpy(client->bytes, bytes.s6_addr, 16);
    }
    inet_ntop(client->len == 4 ? AF_INET : AF_INET6, client->bytes, client->text,
              sizeof(client->text));
    nibbles = arena_alloc(arena, 4 * sizeof(client->bytes));
    for (size_t i = 0; i < sizeof(client->bytes); i++) {
        nibbles[4 * i] = digits[client->bytes[i] >> 4];
        nibbles[4 * i + 1] = nibbles[4 * i + 3] = '.';
        nibbles[4 * i + 2] = digits[client->bytes[i] & 15];
    }
    client->digits = slice_make(nibbles, 4 * sizeof(client->bytes) - 1);
    return true;
}

/* Sections 2.4 and 4.3: who has no local part is postmaster; the null sender is postmaster at its
 * HELO name. */
static void read_sender(struct spf_check *check)
{
    const struct spf_query *query = check->query;
    struct slice sender = query->sender.len > 0 ? query->sender : query->helo;
    ptrdiff_t at = query->sender.len > 0 ? slice_find_last(sender, '@') : -1;
    AUTO(buf_free) struct buf text = { 0 };

    check->local = at > 0 ? slice_part(sender, 0, (size_t)at) : SLICE("postmaster");
    check->domain = slice_from(sender, (size_t)(at + 1));
    if (check->domain.len > 0 && check->domain.data[check->domain.len - 1] == '.')
        check->domain.len--;
    if (!slice_is_ascii(check->domain)) /* RFC 8616 section 4 */
        check->domain = domain_to_ascii(check->arena, check->domain);
    buf_add_slice(&text, check->local);
    buf_add_byte(&text, '@');
    buf_add_slice(&text, check->domain);
    check->sender = slice_copy(check->arena, buf_slice(&text));
    buf_clear(&text);
    buf_add_number(&text, (uint64_t)MAX(query->now_s, 0));
    check->now = slice_copy(check->arena, buf_slice(&text));
}

static void add_reason(const struct spf_check *check, const struct verdict *verdict,
                       struct buf *out)
{
    if (check->reason != NULL &&
        (verdict->result == SPF_TEMPERROR || verdict->result == SPF_PERMERROR))
        buf_add_text(out, check->reason);
    else if (verdict->result == SPF_NONE)
        buf_add_text(out, "no record");
    else if (verdict->term.len == 0)
        buf_add_text(out, "no mechanism matches");
    else
        buf_fmt(out, "mechanism " SLICE_FMT, (int)MIN(verdict->term.len, 200), verdict->term.data);
}

bool spf_check(struct arena *arena, struct dns_table *table, const struct spf_query *query,
               struct spf_outcome *outcome_out)
{
    AUTO(arena_free) struct arena scratch = { 0 };
    AUTO(buf_free) struct buf reason = { 0 };
    struct spf_check check = { .arena = &scratch, .table = table, .query = query };
    struct verdict verdict;
    struct slice explanation = { 0 };

    read_sender(&check);
    if (read_client(&scratch, query->address, &check.client))
        verdict = check_host(&check, check.domain);
    else
        verdict = verdict_error(&check, SPF_PERMERROR, "the client has no address");
    if (verdict.result == SPF_FAIL && verdict.explanation.len > 0 && !check.again)
        explanation = explain(&check, &verdict);
    if (check.again)
        return false;
    add_reason(&check, &verdict, &reason);
    outcome_out->result = verdict.result;
    outcome_out->domain = slice_copy(arena, check.domain);
    outcome_out->explanation = slice_copy(arena, explanation);
    outcome_out->reason = slice_copy(arena, buf_slice(&reason));
    return true;
}

const char *spf_result_name(enum spf_result result)
{
    static const char *const names[] = {
        [SPF_NONE] = "none",           [SPF_NEUTRAL] = "neutral",   [SPF_PASS] = "pass",
        [SPF_FAIL] = "fail",           [SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror",
        [SPF_PERMERROR] = "permerror",
    };

    return names[result];
}

/* spf_match.c - does a mechanism match the client? (RFC 7208 section 5) */
#include "message/proof/spf_private.h"

#include <stdio.h>

static bool within(const struct spf_client *client, const unsigned char *network, unsigned prefix)
{
    size_t whole = prefix / 8;
    unsigned mask = 0xFF00u >> (prefix % 8) & 0xFF;

    if (memcmp(client->bytes, network, whole) != 0)
        return false;
    return mask == 0 || ((client->bytes[whole] ^ network[whole]) & mask) == 0;
}

static unsigned prefix_of(const struct spf_check *check, const struct spf_term *term)
{
    return check->client.len == 4 ? term->prefix4 : term->prefix6;
}

static enum dns_type address_type(const struct spf_check *check)
{
    return check->client.len == 4 ? DNS_A : DNS_AAAA;
}

static enum spf_match error(struct spf_check *check, enum spf_match kind, const char *reason)
{
    check->reason = reason;
    return kind;
}

/* The answer to a term's own question. NULL: what *match_out says. */
static const struct dns_answer *ask(struct spf_check *check, struct slice name, enum dns_type type,
                                    enum spf_match *match_out)
{
    const struct dns_answer *answer = dns_get(check->table, name, type);

    *match_out = SPF_NO_MATCH;
    if (answer == NULL) {
        check->again = true;
        return NULL;
    }
    if (answer->state == DNS_FOUND)
        return answer;
    if (answer->state == DNS_FAILED)
        *match_out = error(check, SPF_ERROR_TEMPORARY, "the DNS does not answer");
    else if (answer->name.len > 0 && ++check->voids > SPF_VOIDS_MAX) /* it has been asked */
        *match_out = error(check, SPF_ERROR_PERMANENT, "too many void lookups");
    return NULL;
}

static bool has_client(const struct spf_check *check, const struct dns_answer *answer,
                       unsigned prefix)
{
    for (size_t i = 0; answer->state == DNS_FOUND && i < answer->count; i++)
        if (answer->records[i].len == check->client.len &&
            within(&check->client, (const unsigned char *)answer->records[i].data, prefix))
            return true;
    return false;
}

static enum spf_match match_a(struct spf_check *check, const struct spf_term *term,
                              struct slice target)
{
    enum spf_match match;
    const struct dns_answer *answer = ask(check, target, address_type(check), &match);

    if (answer == NULL)
        return match;
    return has_client(check, answer, prefix_of(check, term)) ? SPF_MATCH : SPF_NO_MATCH;
}

/* Section 5.7: any A record, for a client with IPv6 too. */
static enum spf_match match_exists(struct spf_check *check, struct slice target)
{
    enum spf_match match;

    return ask(check, target, DNS_A, &match) != NULL ? SPF_MATCH : match;
}

/* Asks for the addresses of all hosts first, so that they are fetched at once. */
static const struct dns_answer **exchanges(struct spf_check *check, const struct dns_answer *mx)
{
    const struct dns_answer **answers =
        ARENA_ARRAY(check->arena, const struct dns_answer *, SPF_NAMES_MAX);
    unsigned preference;
    struct slice host;

    for (size_t i = 0; i < MIN(mx->count, SPF_NAMES_MAX); i++) {
        if (!dns_mx(check->arena, mx->records[i], &preference, &host))
            continue;
        answers[i] = dns_get(check->table, host, address_type(check));
        if (answers[i] == NULL)
            check->again = true;
    }
    return answers;
}

/* Section 5.4; at most ten hosts, and an error when there are more (section 4.6.4). Hosts without
 * an address are no void lookups: the term has found something. */
static enum spf_match match_mx(struct spf_check *check, const struct spf_term *term,
                               struct slice target)
{
    enum spf_match match;
    const struct dns_answer *mx = ask(check, target, DNS_MX, &match);
    const struct dns_answer **answers;

    if (mx == NULL)
        return match;
    answers = exchanges(check, mx);
    for (size_t i = 0; !check->again && i < MIN(mx->count, SPF_NAMES_MAX); i++) {
        if (answers[i] == NULL)
            continue;
        if (has_client(check, answers[i], prefix_of(check, term)))
            return SPF_MATCH;
        if (answers[i]->state == DNS_FAILED)
            return error(check, SPF_ERROR_TEMPORARY, "the DNS does not answer");
    }
    if (!check->again && mx->count > SPF_NAMES_MAX)
        return error(check, SPF_ERROR_PERMANENT, "too many MX records");
    return SPF_NO_MATCH;
}

const struct iprev_outcome *spf_pointers(struct spf_check *check)
{
    struct iprev_outcome *outcome;

    if (check->pointers != NULL)
        return check->pointers;
    outcome = ARENA_NEW(check->arena, struct iprev_outcome);
    if (!iprev_check(check->arena, check->table, check->client.text, outcome)) {
        check->again = true;
        return NULL;
    }
    return check->pointers = outcome;
}

bool spf_name_is_below(struct slice name, struct slice domain)
{
    if (name.len <= domain.len)
        return slice_equal_case(name, domain);
    return name.data[name.len - domain.len - 1] == '.' &&
           slice_equal_case(slice_from(name, name.len - domain.len), domain);
}

/* Section 5.5: errors of the DNS are no match. */
static enum spf_match match_ptr(struct spf_check *check, struct slice target)
{
    const struct iprev_outcome *names = spf_pointers(check);

    if (names == NULL)
        return SPF_NO_MATCH;
    if (names->is_void && ++check->voids > SPF_VOIDS_MAX)
        return error(check, SPF_ERROR_PERMANENT, "too many void lookups");
    for (size_t i = 0; i < names->count; i++)
        if (spf_name_is_below(names->names[i], target))
            return SPF_MATCH;
    return SPF_NO_MATCH;
}

/* Section 5: a mapped IPv4 address is IPv4, so ip6 never matches it. */
static enum spf_match match_network(const struct spf_check *check, const struct spf_term *term)
{
    if (check->client.len != (term->kind == SPF_IP4 ? 4 : 16))
        return SPF_NO_MATCH;
    return within(&check->client, term->network, prefix_of(check, term)) ? SPF_MATCH : SPF_NO_MATCH;
}

enum spf_match spf_term_match(struct spf_check *check, const struct spf_term *term,
                              struct slice current)
{
    struct slice target;

    if (term->kind == SPF_ALL)
        return SPF_MATCH;
    if (term->kind == SPF_IP4 || term->kind == SPF_IP6)
        return match_network(check, term);
    check->lookups++;
    if (!spf_target(check, term->domain, current, &target))
        return SPF_NO_MATCH;
    if (check->lookups > SPF_LOOKUPS_MAX)
        return error(check, SPF_ERROR_PERMANENT, "too many lookups");
    switch (term->kind) {
    case SPF_A:
        return match_a(check, term, target);
    case SPF_MX:
        return match_mx(check, term, target);
    case SPF_PTR:
        return match_ptr(check, target);
    case SPF_EXISTS:
        return match_exists(check, target);
    case SPF_ALL:
    case SPF_IP4:
    case SPF_IP6:
    case SPF_INCLUDE:
    case SPF_REDIRECT:
    case SPF_EXP:
    case SPF_OTHER:
        return SPF_NO_MATCH;
    }
    return SPF_NO_MATCH;
}

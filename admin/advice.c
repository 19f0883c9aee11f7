/* advice.c - see advice.h: what the checks share, and where mail for the domain goes. */
#include "admin/advice.h"

#include <stdlib.h>

#define MX_HOSTS_MAX  20
#define ADDRESSES_MAX 16

void advise(struct advice *advice, enum advice_level level, struct slice name, const char *type,
            const struct record *record, const char *format, ...)
{
    AUTO(buf_free) struct buf text = { 0 };
    va_list args;

    if (advice->count == FINDINGS_MAX)
        return;
    va_start(args, format);
    buf_vfmt(&text, format, args);
    va_end(args);
    advice->findings[advice->count++] =
        (struct finding){ level, slice_copy(&advice->arena, name), type,
                          slice_copy(&advice->arena, buf_slice(&text)), record };
}

const char *advice_level_name(enum advice_level level)
{
    switch (level) {
    case ADVICE_GOOD:
        return "ok";
    case ADVICE_HINT:
        return "hint";
    case ADVICE_WRONG:
        return "wrong";
    }
    abort();
}

size_t advice_count(const struct advice *advice, enum advice_level level)
{
    size_t count = 0;

    for (size_t i = 0; i < advice->count; i++)
        count += advice->findings[i].level == level;
    return count;
}

const struct record *advice_record(const struct advice *advice, enum record_kind kind)
{
    const struct publication *all = advice->publication;

    for (size_t i = 0; i < all->count; i++)
        if (all->records[i].kind == kind)
            return &all->records[i];
    return NULL;
}

const struct dns_answer *advice_ask(struct advice *advice, struct slice name, enum dns_type type,
                                    const char *shown_type)
{
    const struct dns_answer *answer = dns_get(advice->table, name, type);

    if (answer != NULL && answer->state == DNS_FAILED)
        advise(advice, ADVICE_WRONG, name, shown_type, NULL, "the DNS gives no answer: " SLICE_FMT,
               SLICE_ARG(answer->reason));
    return answer;
}

bool advice_texts(struct advice *advice, struct slice name, const char *type, const char *start,
                  struct slice *texts_out, size_t max, size_t *count_out, bool *failed_out)
{
    const struct dns_answer *answer = advice_ask(advice, name, DNS_TXT, type);
    size_t len = strlen(start);

    *count_out = 0;
    *failed_out = false;
    if (answer == NULL)
        return false;
    *failed_out = answer->state == DNS_FAILED;
    for (size_t i = 0; i < answer->count; i++) {
        struct slice text, rest;

        if (!dns_text(&advice->arena, answer->records[i], &text) || !slice_starts(text, start))
            continue;
        rest = slice_from(text, len);
        if (rest.len > 0 && rest.data[0] != ' ' && rest.data[0] != ';')
            continue;
        if (*count_out < max)
            texts_out[*count_out] = text;
        ++*count_out;
    }
    return true;
}

struct slice advice_tag(struct arena *arena, struct slice text, const char *tag)
{
    struct slice field, name;

    while (slice_split(&text, ';', &field)) {
        char *value;
        size_t len = 0;

        if (!slice_split(&field, '=', &name) || !slice_is(slice_trim(name), tag))
            continue;
        value = arena_alloc(arena, field.len + 1);
        for (size_t i = 0; i < field.len; i++)
            if (strchr(" \t\r\n", field.data[i]) == NULL)
                value[len++] = field.data[i];
        return slice_make(value, len);
    }
    return (struct slice){ 0 };
}

/* --- MX --- */

/* Another host of the domain's MX: is it one at all? */
static bool advise_mx_host(struct advice *advice, struct slice host)
{
    const struct dns_answer *answer = dns_get(advice->table, host, DNS_A);

    if (answer == NULL)
        return false;
    if (answer->state == DNS_FOUND && !slice_equal_case(answer->canonical, host))
        advise(advice, ADVICE_WRONG, host, "MX", NULL,
               "is an alias (CNAME) of " SLICE_FMT
               ": an MX record must name the host itself (RFC 2181 section 10.3)",
               SLICE_ARG(answer->canonical));
    return true;
}

static void judge_mx(struct advice *advice, const struct slice *hosts, size_t n_hosts)
{
    const struct publication *all = advice->publication;
    const struct record *record = advice_record(advice, RECORD_MX);
    bool ours = false;

    for (size_t i = 0; i < n_hosts; i++)
        ours |= slice_equal_case(hosts[i], all->host);
    for (size_t i = 0; i < n_hosts; i++) {
        if (hosts[i].len == 0)
            advise(advice, ADVICE_WRONG, all->domain, "MX", record,
                   "the DNS says that the domain takes no mail at all (null MX, RFC 7505)");
        else if (!slice_equal_case(hosts[i], all->host))
            advise(advice, ours ? ADVICE_HINT : ADVICE_WRONG, all->domain, "MX", record,
                   ours ? "mail may also go to " SLICE_FMT
                          ": that server must pass it on to this one"
                        : "mail goes to " SLICE_FMT ", which is not this machine",
                   SLICE_ARG(hosts[i]));
    }
    if (ours)
        advise(advice, ADVICE_GOOD, all->domain, "MX", NULL, "mail comes to " SLICE_FMT,
               SLICE_ARG(all->host));
}

bool advise_mx(struct advice *advice)
{
    const struct publication *all = advice->publication;
    const struct dns_answer *answer = advice_ask(advice, all->domain, DNS_MX, "MX");
    struct slice hosts[MX_HOSTS_MAX];
    size_t n_hosts = 0;
    bool complete = true;

    if (answer == NULL)
        return false;
    if (answer->state == DNS_FAILED)
        return true;
    for (size_t i = 0; i < answer->count && n_hosts < MX_HOSTS_MAX; i++) {
        unsigned preference;

        if (dns_mx(&advice->arena, answer->records[i], &preference, &hosts[n_hosts]) &&
            (hosts[n_hosts].len == 0 || advise_mx_host(advice, hosts[n_hosts]) ||
             (complete = false, true)))
            n_hosts++;
    }
    if (n_hosts == 0)
        advise(advice, ADVICE_WRONG, all->domain, "MX", advice_record(advice, RECORD_MX),
               answer->state == DNS_NO_NAME ? "the domain is not in the DNS at all"
                                            : "no MX record: others do not know where mail goes");
    else
        judge_mx(advice, hosts, n_hosts);
    return complete;
}

/* --- addresses and their reverse names --- */

static bool has_address(const struct dns_answer *answer, const char *address)
{
    char text[46];

    for (size_t i = 0; i < answer->count; i++)
        if (dns_address(answer->records[i], text) && strcmp(text, address) == 0)
            return true;
    return false;
}

/* FCrDNS: does a name that the address claims lead back to it? */
static bool leads_back(struct advice *advice, struct slice name, const char *address, bool *yes)
{
    const struct dns_answer *answer =
        dns_get(advice->table, name, strchr(address, ':') != NULL ? DNS_AAAA : DNS_A);

    if (answer == NULL)
        return false;
    *yes |= has_address(answer, address);
    return true;
}

static bool advise_reverse(struct advice *advice, const char *address)
{
    const struct dns_answer *answer;
    struct slice host = advice->publication->host, name, shown = slice_of(address);
    bool complete = true, back = false, ours = false;

    if (!dns_reverse_name(&advice->arena, address, NULL, &name))
        return true;
    answer = advice_ask(advice, name, DNS_PTR, "PTR");
    if (answer == NULL || answer->state == DNS_FAILED)
        return answer != NULL;
    for (size_t i = 0; i < answer->count && i < ADDRESSES_MAX; i++) {
        if (!dns_name(&advice->arena, answer->records[i], &name))
            continue;
        ours |= slice_equal_case(name, host);
        complete &= leads_back(advice, name, address, &back);
    }
    if (answer->count == 0)
        advise(advice, ADVICE_WRONG, shown, "PTR", NULL,
               "has no reverse name: many servers refuse mail from it. Whoever gave you the "
               "address can set it to " SLICE_FMT,
               SLICE_ARG(host));
    else if (!back)
        advise(advice, ADVICE_WRONG, shown, "PTR", NULL,
               "its reverse name does not lead back to it: many servers refuse mail from it. It "
               "should be " SLICE_FMT,
               SLICE_ARG(host));
    else if (!ours)
        advise(advice, ADVICE_HINT, shown, "PTR", NULL,
               "its reverse name is " SLICE_FMT "; " SLICE_FMT " would be better", SLICE_ARG(name),
               SLICE_ARG(host));
    else
        advise(advice, ADVICE_GOOD, shown, "PTR", NULL, "is " SLICE_FMT ", and back",
               SLICE_ARG(host));
    return complete;
}

/* Addresses that this machine has, and that the DNS does not know: mail may leave from them. */
static void advise_own(struct advice *advice, const struct dns_answer *answer, const char *type)
{
    const struct publication *all = advice->publication;

    for (size_t i = 0; i < all->count; i++) {
        const struct record *record = &all->records[i];

        if (record->kind == RECORD_ADDRESS && strcmp(record->type, type) == 0 &&
            !has_address(answer, slice_text(&advice->arena, record->value)))
            advise(advice, ADVICE_HINT, all->host, type, record,
                   "this machine has the address " SLICE_FMT
                   " too; when mail leaves from it, it must be there",
                   SLICE_ARG(record->value));
    }
}

static bool advise_family(struct advice *advice, enum dns_type type, const char *shown,
                          size_t *count)
{
    const struct dns_answer *answer = advice_ask(advice, advice->publication->host, type, shown);
    bool complete = true;
    char address[46];

    if (answer == NULL)
        return false;
    *count += answer->state == DNS_FAILED;
    for (size_t i = 0; i < answer->count && i < ADDRESSES_MAX; i++) {
        if (!dns_address(answer->records[i], address))
            continue;
        ++*count;
        advise(advice, ADVICE_GOOD, advice->publication->host, shown, NULL, "%s", address);
        complete &= advise_reverse(advice, slice_text(&advice->arena, slice_of(address)));
    }
    if (answer->state != DNS_FAILED)
        advise_own(advice, answer, shown);
    return complete;
}

bool advise_addresses(struct advice *advice)
{
    size_t count = 0;
    bool v4 = advise_family(advice, DNS_A, "A", &count);
    bool v6 = advise_family(advice, DNS_AAAA, "AAAA", &count);

    if (v4 && v6 && count == 0)
        advise(advice, ADVICE_WRONG, advice->publication->host, "A", NULL,
               "the host has no address in the DNS");
    return v4 && v6;
}

bool advice_all(struct advice *advice)
{
    static bool (*const checks[])(struct advice *) = {
        advise_mx,    advise_addresses, advise_spf,  advise_dkim,
        advise_dmarc, advise_sts,       advise_tlsa, advise_services,
    };
    bool complete = true;

    arena_free(&advice->arena);
    advice->count = 0;
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        complete &= checks[i](advice);
    return complete;
}

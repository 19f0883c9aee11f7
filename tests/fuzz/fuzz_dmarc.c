/* fuzz_dmarc.c - records, From fields and domains of any bytes. What is understood is within its
 * limits: a domain can be asked for in the DNS, an organisation is the end of its domain. */
#include "message/proof/dmarc.h"
#include "message/proof/domain.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(struct slice text)
{
    struct dmarc_record record;

    if (dmarc_record_parse(text, &record) != PARSE_OK)
        return;
    if (!slice_starts(text, "v") || record.percent > 100 || record.failure_options > 7 ||
        dmarc_policy_name(record.policy) == NULL ||
        dmarc_policy_name(record.subdomain_policy) == NULL)
        abort();
    if (record.rua.len + record.ruf.len > text.len)
        abort();
}

static void check_domain(struct slice domain)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice organisation = dmarc_organisation(&arena, domain);

    if (domain.len > 0 && domain.data[domain.len - 1] == '.')
        domain.len--;
    if (organisation.len > domain.len ||
        !slice_equal_case(organisation, slice_from(domain, domain.len - organisation.len)))
        abort();
}

/* Answers every question with the record; true if there was one. */
static bool answer(struct dns_table *table, struct slice *record)
{
    bool some = false;

    for (struct dns_answer *a = table->first; a != NULL; a = a->next) {
        if (a->state != DNS_MISSING)
            continue;
        some = true;
        dns_put(table, &(struct dns_answer){ .name = a->name,
                                             .type = a->type,
                                             .state = DNS_FOUND,
                                             .records = record,
                                             .count = 1 });
    }
    return some;
}

/* With a DNS whose records are the input. Its length says what else is known. */
static void check_outcome(struct slice from, struct slice text)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(dns_table_free) struct dns_table table = { 0 };
    struct spf_outcome spf = { .result = text.len % 3 == 0 ? SPF_PASS : SPF_TEMPERROR };
    struct dkim_verdict dkim = { .result = text.len % 3 == 1 ? DKIM_PASS : DKIM_FAIL,
                                 .domain = from };
    struct dmarc_query query = { .from_domain = from,
                                 .spf = text.len % 2 == 0 ? &spf : NULL,
                                 .spf_domain = from,
                                 .dkim = &dkim,
                                 .n_dkim = 1,
                                 .chance = 50 };
    struct dmarc_outcome outcome;
    char rdata[256];
    bool may;
    struct slice record = { rdata, MIN(text.len, 255) + 1 };

    rdata[0] = (char)(record.len - 1);
    if (record.len > 1)
        memcpy(rdata + 1, text.data, record.len - 1);
    while (!dmarc_check(&arena, &table, &query, &outcome))
        if (table.count > 2 || !answer(&table, &record))
            abort();
    /* the name of a host is aligned with itself */
    if (outcome.result == DMARC_FAIL && (query.spf == &spf || dkim.result == DKIM_PASS) &&
        from.len > 0 && slice_equal(from, domain_to_ascii(&arena, from)))
        abort();
    while (!dmarc_may_report(&arena, &table, from, SLICE("reports.example"), &may))
        if (table.count > 4 || !answer(&table, &record))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice input = slice_make(data, size), line, from;

    check_record(input);
    from = dmarc_from(&arena, input);
    if (from.len > 253)
        abort();
    check_domain(from);
    if (!slice_split(&input, '\n', &line))
        return 0;
    check_domain(line);
    check_outcome(line, input);
    return 0;
}

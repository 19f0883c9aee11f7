/* fuzz_dns.c - rdata of any bytes: what is understood is within its limits, and can be asked for.
 */
#include "common/dns.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_name(struct slice name)
{
    AUTO(dns_table_free) struct dns_table table = { 0 };
    struct dns_answer answer = { .name = name, .type = DNS_A, .state = DNS_NOTHING };

    if (name.len >= DNS_NAME_SIZE)
        abort();
    if (name.len == 0)
        return;
    if (dns_get(&table, name, DNS_A) != NULL || table.n_missing != 1)
        abort();
    if (dns_get(&table, name, dns_put(&table, &answer)->type) != table.first)
        abort();
}

static void check_rdata(struct slice rdata)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice text;
    unsigned preference;
    char address[46];

    if (dns_text(&arena, rdata, &text) && text.len >= rdata.len)
        abort();
    if (dns_name(&arena, rdata, &text))
        must_be_name(text);
    if (dns_mx(&arena, rdata, &preference, &text)) {
        if (preference > 65535)
            abort();
        must_be_name(text);
    }
    if (dns_address(rdata, address) && !dns_reverse_name(&arena, address, "zone.example", &text))
        abort();
}

/* Any bytes as a name: the table takes it once, or says at once that there is none. */
static void check_name(struct slice name)
{
    AUTO(dns_table_free) struct dns_table table = { .max = 1 };
    const struct dns_answer *answer = dns_get(&table, name, DNS_TXT);

    if (answer != NULL && answer->state != DNS_NO_NAME)
        abort();
    if (dns_get(&table, name, DNS_TXT) != answer || table.count != (answer == NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice input = slice_make(data, size), name;

    check_rdata(input);
    check_name(input);
    dns_reverse_name(&arena, slice_text(&arena, input), NULL, &name);
    return 0;
}

/* iprev.c - see iprev.h. All names of a PTR record are asked for in one round. */
#include "message/proof/iprev.h"

#include <arpa/inet.h>

struct client {
    unsigned char bytes[16];
    size_t len;
    enum dns_type type;
};

static bool client_parse(const char *address, struct client *client_out)
{
    struct in6_addr bytes;

    *client_out = (struct client){ .len = 4, .type = DNS_A };
    if (inet_pton(AF_INET, address, client_out->bytes) == 1)
        return true;
    if (inet_pton(AF_INET6, address, &bytes) != 1)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&bytes)) {
        memcpy(client_out->bytes, bytes.s6_addr + 12, 4);
        return true;
    }
    *client_out = (struct client){ .len = 16, .type = DNS_AAAA };
    memcpy(client_out->bytes, bytes.s6_addr, 16);
    return true;
}

static bool has_address(const struct dns_answer *answer, const struct client *client)
{
    for (size_t i = 0; answer->state == DNS_FOUND && i < answer->count; i++)
        if (slice_equal(answer->records[i], slice_make(client->bytes, client->len)))
            return true;
    return false;
}

/* Looks at every name, so that all that is missing is fetched at once. */
static bool check_names(struct arena *arena, struct dns_table *table,
                        const struct dns_answer *pointers, const struct client *client,
                        struct iprev_outcome *outcome)
{
    bool complete = true, failed = false;

    for (size_t i = 0; i < MIN(pointers->count, IPREV_NAMES_MAX); i++) {
        const struct dns_answer *answer;
        struct slice name;

        if (!dns_name(arena, pointers->records[i], &name) || name.len == 0)
            continue;
        answer = dns_get(table, name, client->type);
        if (answer == NULL)
            complete = false;
        else if (has_address(answer, client))
            outcome->names[outcome->count++] = name;
        else if (answer->state == DNS_FAILED)
            failed = true;
    }
    outcome->result = outcome->count > 0 ? IPREV_PASS : failed ? IPREV_TEMPERROR : IPREV_FAIL;
    return complete;
}

bool iprev_check(struct arena *arena, struct dns_table *table, const char *address,
                 struct iprev_outcome *outcome_out)
{
    const struct dns_answer *pointers;
    struct client client;
    struct slice name;

    *outcome_out = (struct iprev_outcome){ .result = IPREV_PERMERROR };
    if (!client_parse(address, &client) || !dns_reverse_name(arena, address, NULL, &name))
        return true;
    pointers = dns_get(table, name, DNS_PTR);
    if (pointers == NULL)
        return false;
    if (pointers->state == DNS_FOUND)
        return check_names(arena, table, pointers, &client, outcome_out);
    if (pointers->state == DNS_FAILED)
        outcome_out->result = IPREV_TEMPERROR;
    else
        outcome_out->is_void = true;
    return true;
}

const char *iprev_result_name(enum iprev_result result)
{
    static const char *const names[] = {
        [IPREV_PASS] = "pass",
        [IPREV_FAIL] = "fail",
        [IPREV_TEMPERROR] = "temperror",
        [IPREV_PERMERROR] = "permerror",
    };

    return names[result];
}

/* fuzz_spf.c - records of any bytes, in a DNS that answers with them: the check ends, within its
 * limits. The input is lines: an address, a sender, a HELO name, then the texts of records; each
 * TXT question gets the next of them, others get an address or nothing by the sum of their name.
 * The address is then looked up by name and back. */
#include "message/proof/iprev.h"
#include "message/proof/spf.h"

#include <stdlib.h>

#define ROUNDS_MAX 60

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice line(struct slice *rest)
{
    struct slice text = { 0 };

    slice_split(rest, '\n', &text);
    return text;
}

static unsigned sum(struct slice text)
{
    unsigned total = 0;

    for (size_t i = 0; i < text.len; i++)
        total = total * 31 + (unsigned char)text.data[i];
    return total;
}

static void answer_text(struct dns_table *table, struct dns_answer *missing, struct slice *texts)
{
    struct slice text = slice_part(line(texts), 0, 255);
    char rdata[256] = { (char)text.len };
    struct slice record = slice_make(rdata, text.len + 1);
    struct dns_answer answer = { .name = missing->name, .type = DNS_TXT, .state = DNS_FOUND };

    if (text.len > 0)
        memcpy(rdata + 1, text.data, text.len);
    answer.records = &record;
    answer.count = 1;
    dns_put(table, &answer);
}

static void answer(struct dns_table *table, struct dns_answer *missing)
{
    static struct slice records[] = { { "\xC0\x00\x02\x01", 4 },
                                      { "\0\1\1a\7example", 13 },
                                      { "\1a\7example", 11 },
                                      { "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16 } };
    unsigned kind = slice_is(missing->name, "a.example") ? 0 : sum(missing->name) % 8;
    struct dns_answer answer = { .name = missing->name, .type = missing->type };

    answer.state = kind < 5    ? DNS_FOUND
                   : kind == 5 ? DNS_NOTHING
                   : kind == 6 ? DNS_NO_NAME
                               : DNS_FAILED;
    answer.records = missing->type == DNS_A     ? &records[0]
                     : missing->type == DNS_MX  ? &records[1]
                     : missing->type == DNS_PTR ? &records[2]
                                                : &records[3];
    answer.count = answer.state == DNS_FOUND;
    dns_put(table, &answer);
}

static void must_be_sound(const struct spf_outcome *outcome)
{
    if (outcome->result != SPF_FAIL && outcome->explanation.len > 0)
        abort();
    for (size_t i = 0; i < outcome->explanation.len; i++)
        if (outcome->explanation.data[i] < ' ' || outcome->explanation.data[i] > '~')
            abort();
    for (size_t i = 0; i < outcome->reason.len; i++)
        if (outcome->reason.data[i] < ' ' || outcome->reason.data[i] > '~')
            abort();
    if (outcome->reason.len == 0 || spf_result_name(outcome->result) == NULL)
        abort();
}

static void answer_all(struct dns_table *table, struct slice *texts, unsigned rounds)
{
    if (rounds > ROUNDS_MAX || table->n_missing == 0)
        abort();
    for (struct dns_answer *a = table->first; a != NULL; a = a->next)
        if (a->state == DNS_MISSING && a->type == DNS_TXT)
            answer_text(table, a, texts);
        else if (a->state == DNS_MISSING)
            answer(table, a);
}

static void check_name(struct arena *arena, struct dns_table *table, const char *address)
{
    struct slice none = { 0 };
    struct iprev_outcome outcome;

    for (unsigned rounds = 0; !iprev_check(arena, table, address, &outcome); rounds++)
        answer_all(table, &none, rounds);
    if ((outcome.result == IPREV_PASS) != (outcome.count > 0) ||
        iprev_result_name(outcome.result) == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(dns_table_free) struct dns_table table = { 0 };
    struct slice rest = slice_make(data, size);
    struct spf_query query = { .receiver = SLICE("r.example"), .now_s = 1700000000 };
    struct spf_outcome outcome;

    query.address = slice_text(&arena, line(&rest));
    query.sender = line(&rest);
    query.helo = line(&rest);
    for (unsigned rounds = 0; !spf_check(&arena, &table, &query, &outcome); rounds++)
        answer_all(&table, &rest, rounds);
    must_be_sound(&outcome);
    check_name(&arena, &table, query.address);
    return 0;
}

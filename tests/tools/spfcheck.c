/* spfcheck.c - answers SPF queries; whoever runs it plays the DNS. For test suites in Python.
 *
 *     in   check 192.0.2.1 HELO SENDER         in hex, "-" for nothing
 *     out  ask 16 NAME                         the type's number, the name in hex
 *     in   found RDATA RDATA ... | nothing | no_name | failed
 *     out  result pass EXPLANATION REASON
 */
#include "common/codec.h"
#include "message/proof/spf.h"

#include <stdio.h>
#include <stdlib.h>

static struct slice from_hex(struct arena *arena, struct slice hex)
{
    AUTO(buf_free) struct buf bytes = { 0 };

    if (!slice_is(hex, "-") && !hex_decode(hex, &bytes)) {
        fprintf(stderr, "not in hex: " SLICE_FMT "\n", SLICE_ARG(hex));
        exit(1);
    }
    return slice_copy(arena, buf_slice(&bytes));
}

static const char *to_hex(struct slice bytes, struct buf *hex)
{
    buf_clear(hex);
    hex_encode(bytes, hex);
    return bytes.len == 0 ? "-" : buf_text(hex);
}

static bool read_line(struct arena *arena, struct slice *line_out)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len = getline(&line, &room, stdin);

    if (len > 0)
        *line_out = slice_trim(slice_copy(arena, slice_make(line, (size_t)len)));
    free(line);
    return len > 0;
}

static void answer(struct arena *arena, struct dns_table *table, const struct dns_answer *missing)
{
    static const char *const states[] = { "missing", "found", "nothing", "no_name", "failed" };
    AUTO(buf_free) struct buf hex = { 0 };
    struct dns_answer answer = { .name = missing->name, .type = missing->type };
    struct slice line, word, records[DNS_RECORDS_MAX];

    printf("ask %d %s\n", (int)missing->type, to_hex(missing->name, &hex));
    fflush(stdout);
    if (!read_line(arena, &line) || !slice_split(&line, ' ', &word))
        exit(1);
    for (size_t i = 0; i < COUNT_OF(states); i++)
        if (slice_is(word, states[i]))
            answer.state = (enum dns_state)i;
    if (answer.state == DNS_MISSING)
        exit(1);
    while (answer.count < DNS_RECORDS_MAX && slice_split(&line, ' ', &word))
        records[answer.count++] = from_hex(arena, word);
    answer.records = records;
    dns_put(table, &answer);
}

/* "192.0.2.1 HELO SENDER" */
static void check(struct arena *arena, struct slice line)
{
    AUTO(dns_table_free) struct dns_table table = { 0 };
    AUTO(buf_free) struct buf hex = { 0 };
    struct spf_query query = { .receiver = SLICE("receiver.example"), .now_s = 1700000000 };
    struct spf_outcome outcome;
    struct slice address, helo;

    if (!slice_split(&line, ' ', &address) || !slice_split(&line, ' ', &helo))
        exit(1);
    query.address = slice_text(arena, address);
    query.helo = from_hex(arena, helo);
    query.sender = from_hex(arena, line);
    while (!spf_check(arena, &table, &query, &outcome))
        for (struct dns_answer *a = table.first; a != NULL; a = a->next)
            if (a->state == DNS_MISSING)
                answer(arena, &table, a);
    printf("result %s %s " SLICE_FMT "\n", spf_result_name(outcome.result),
           to_hex(outcome.explanation, &hex), SLICE_ARG(outcome.reason));
    fflush(stdout);
}

int main(void)
{
    for (;;) {
        AUTO(arena_free) struct arena arena = { 0 };
        struct slice line, word;

        if (!read_line(&arena, &line))
            return 0;
        if (!slice_split(&line, ' ', &word) || !slice_is(word, "check"))
            return 1;
        check(&arena, line);
    }
}

/* domain_check.c - `postane domain check`: what the DNS says of a domain, and what is wrong with it
 * (advice.h). */
#include "admin/advice.h"
#include "admin/commands.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>

static bool evaluate(void *context)
{
    return advice_all(context);
}

static void print_finding(const struct finding *finding)
{
    AUTO(buf_free) struct buf line = { 0 };
    AUTO(buf_free) struct buf words = { 0 };
    json_t *text = output_text(finding->text);

    output_format(text, COLUMN_PLAIN, &words);
    json_decref(text);
    printf("%-5s  %-7s  " SLICE_FMT ": %s\n", advice_level_name(finding->level), finding->type,
           SLICE_ARG(finding->name), buf_text(&words));
    if (finding->record == NULL)
        return;
    record_print(finding->record, &line);
    for (struct slice rest = buf_slice(&line), part; slice_split(&rest, '\n', &part);)
        if (part.len > 0)
            printf("                    " SLICE_FMT "\n", SLICE_ARG(part));
}

static json_t *finding_object(const struct finding *finding)
{
    AUTO(buf_free) struct buf line = { 0 };

    if (finding->record != NULL)
        record_print(finding->record, &line);
    return json_pack("{s:s, s:o, s:s, s:o, s:o}", "level", advice_level_name(finding->level),
                     "name", output_text(finding->name), "type", finding->type, "text",
                     output_text(finding->text), "publish",
                     finding->record != NULL ? output_text(buf_slice(&line)) : json_null());
}

static void print_json(const struct tool *tool, const struct advice *advice)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < advice->count; i++)
        json_array_append_new(rows, finding_object(&advice->findings[i]));
    output_list(tool, NULL, 0, rows);
}

/* Many errors of one cause are that of the resolver, rarely the domain's. */
static void print_unanswered(const struct tool *tool, const struct dns_table *table)
{
    const char *resolver = tool->settings.resolver;
    size_t n_failed = 0, n_all = 0;

    for (const struct dns_answer *answer = table->first; answer != NULL; answer = answer->next) {
        n_failed += answer->state == DNS_FAILED ? 1 : 0;
        n_all++;
    }
    if (n_failed > 0)
        printf(
            "\n%zu of %zu questions were not answered. If that is most of them: is the network up, "
            "and\ndoes the resolver answer? Asked was %s ([dns] resolver).\n",
            n_failed, n_all, resolver[0] != '\0' ? resolver : "that of /etc/resolv.conf");
}

/* What is wrong comes first. */
static void print_for_people(const struct tool *tool, const struct advice *advice)
{
    static const enum advice_level order[] = { ADVICE_WRONG, ADVICE_HINT, ADVICE_GOOD };

    for (size_t level = 0; level < COUNT_OF(order); level++)
        for (size_t i = 0; i < advice->count; i++)
            if (advice->findings[i].level == order[level])
                print_finding(&advice->findings[i]);
    printf("\n%zu wrong, %zu hints, %zu in order\n", advice_count(advice, ADVICE_WRONG),
           advice_count(advice, ADVICE_HINT), advice_count(advice, ADVICE_GOOD));
    print_unanswered(tool, advice->table);
}

static void free_advice(struct advice **advice)
{
    arena_free(&(*advice)->arena);
    free(*advice);
}

enum outcome domain_check_command(struct tool *tool)
{
    AUTO(free_advice) struct advice *advice = NEW(struct advice);
    AUTO(dns_table_free) struct dns_table table = { 0 };
    struct publication all;
    struct slice domain;

    if (!tool_argument(tool, "DOMAIN", &domain) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_domain(tool, domain, &domain) ||
        !publication_gather(tool, domain, "testing", &all))
        return OUTCOME_FAILED;
    advice->publication = &all;
    advice->table = &table;
    advice->now_s = time_ms() / 1000;
    if (!lookup_run(&tool->settings, &table, evaluate, advice, &tool->err))
        return OUTCOME_FAILED;
    if (tool->json)
        print_json(tool, advice);
    else
        print_for_people(tool, advice);
    return advice_count(advice, ADVICE_WRONG) > 0 ? OUTCOME_FOUND : OUTCOME_DONE;
}

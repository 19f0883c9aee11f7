/* zone.c - records as lines of a zone file and as JSON; `postane domain dns`.
 *
 * The zone file's form is that of RFC 1035 section 5; names are absolute, so that the lines may be
 * pasted into any zone.
 */
#include "admin/commands.h"
#include "admin/output.h"
#include "admin/publish.h"

#include <stdio.h>

#define STRING_MAX 255 /* RFC 1035 section 3.3.14: a TXT record is made of such strings */

static void add_string(struct slice text, struct buf *out)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte < ' ' || byte > '~')
            buf_fmt(out, "\\%03u", byte);
        else if (byte == '"' || byte == '\\')
            buf_fmt(out, "\\%c", byte);
        else
            buf_add_byte(out, (char)byte);
    }
    buf_add_byte(out, '"');
}

/* Several strings stand in parentheses, one a line. */
static void add_text_value(struct slice text, struct buf *out)
{
    bool several = text.len > STRING_MAX;

    if (several)
        buf_add_text(out, "(");
    for (size_t at = 0; at == 0 || at < text.len; at += STRING_MAX) {
        if (several)
            buf_add_text(out, "\n    ");
        add_string(slice_part(text, at, STRING_MAX), out);
    }
    if (several)
        buf_add_text(out, " )");
}

void record_print(const struct record *record, struct buf *out)
{
    buf_fmt(out, SLICE_FMT ". IN %s ", SLICE_ARG(record->name), record->type);
    if (strcmp(record->type, "TXT") == 0)
        add_text_value(record->value, out);
    else
        buf_add_slice(out, record->value);
    buf_add_byte(out, '\n');
}

static json_t *record_object(const struct record *record)
{
    return json_pack("{s:o, s:s, s:o, s:b, s:s}", "name", output_text(record->name), "type",
                     record->type, "value", output_text(record->value), "needed",
                     (int)record->needed, "why", record->why);
}

static void print_record(const struct record *record)
{
    AUTO(buf_free) struct buf line = { 0 };

    record_print(record, &line);
    printf("; %s\n%s\n", record->why, buf_text(&line));
}

bool publish_keys(struct tool *tool, struct slice domain, enum key_state state)
{
    struct publication all;
    json_t *rows;

    if (!publication_gather(tool, domain, "testing", &all))
        return false;
    rows = json_array();
    for (size_t i = 0; i < all.count; i++) {
        const struct record *record = &all.records[i];

        if (record->kind != RECORD_DKIM || (state != 0 && record->key->state != state))
            continue;
        if (tool->json)
            json_array_append_new(rows, record_object(record));
        else
            print_record(record);
    }
    if (tool->json)
        output_list(tool, NULL, 0, rows);
    else
        json_decref(rows);
    return true;
}

/* What is not a record: the policy file, and what to type into a mail program. */
static void print_hints(const struct tool *tool, const struct publication *all)
{
    if (all->certificate_problem != NULL)
        printf("; no TLSA record: %s\n\n", all->certificate_problem);
    printf("; MTA-STS wants a file on a web server with a certificate for mta-sts." SLICE_FMT ".\n"
           "; Postane is none: give that name to one, and put there as\n"
           "; https://mta-sts." SLICE_FMT "/.well-known/mta-sts.txt (text/plain):\n",
           SLICE_ARG(all->domain), SLICE_ARG(all->domain));
    for (struct slice rest = all->policy_file, line;
         slice_split(&rest, '\n', &line) && line.len > 0;)
        printf(";   " SLICE_FMT "\n", SLICE_ARG(slice_trim(line)));
    printf("; When no report tells of trouble: `postane domain dns " SLICE_FMT
           " --mta-sts enforce`.\n\n"
           "; Mail programs that ask for it: host " SLICE_FMT ", TLS, the whole address as the\n"
           "; user name, password as it is (\"normal\"). IMAP port %u, sending port %u.\n",
           SLICE_ARG(all->domain), SLICE_ARG(all->host), publication_port(tool->settings.imaps),
           publication_port(tool->settings.submissions));
}

static json_t *publication_object(const struct publication *all)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < all->count; i++)
        json_array_append_new(rows, record_object(&all->records[i]));
    return json_pack("{s:o, s:o, s:o, s:{s:o, s:o}}", "domain", output_text(all->domain), "host",
                     output_text(all->host), "records", rows, "mta_sts_file", "url",
                     json_sprintf("https://mta-sts." SLICE_FMT "/.well-known/mta-sts.txt",
                                  SLICE_ARG(all->domain)),
                     "content", output_text(all->policy_file));
}

static bool is_mode(const char *mode)
{
    return strcmp(mode, "testing") == 0 || strcmp(mode, "enforce") == 0 ||
           strcmp(mode, "none") == 0;
}

enum outcome domain_dns_command(struct tool *tool)
{
    const char *mode = "testing";
    struct publication all;
    struct slice domain;

    if (!tool_option(tool, "--mta-sts", &mode) || !tool_argument(tool, "DOMAIN", &domain) ||
        !tool_end(tool))
        return OUTCOME_USAGE;
    if (!is_mode(mode)) {
        error_set(&tool->err, ERROR_INVALID, "--mta-sts is testing, enforce or none");
        return OUTCOME_USAGE;
    }
    if (!tool_open(tool) || !tool_domain(tool, domain, &domain) ||
        !publication_gather(tool, domain, mode, &all))
        return OUTCOME_FAILED;
    if (tool->json) {
        output_object(tool, NULL, 0, publication_object(&all));
        return OUTCOME_DONE;
    }
    for (size_t i = 0; i < all.count; i++)
        print_record(&all.records[i]);
    print_hints(tool, &all);
    return OUTCOME_DONE;
}

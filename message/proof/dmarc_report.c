/* dmarc_report.c - see dmarc_report.h.
 *
 * One table says which element fills which field, for reading and for printing; expat does the XML.
 */
#include "message/proof/dmarc_report.h"

#include "common/codec.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_MAX_LEN 40 /* of an element that means something */

/* An element by its parent and its own name, and where its text goes. */
struct place {
    const char *parent, *name;
    size_t offset;
    bool in_row, is_number;
};

#define REPORT(parent, name, field)                                                                \
    {                                                                                              \
        parent, name, offsetof(struct dmarc_report, field), false, false                           \
    }
#define REPORT_NUMBER(parent, name, field)                                                         \
    {                                                                                              \
        parent, name, offsetof(struct dmarc_report, field), false, true                            \
    }
#define ROW(parent, name, field)                                                                   \
    {                                                                                              \
        parent, name, offsetof(struct dmarc_row, field), true, false                               \
    }
#define ROW_NUMBER(parent, name, field)                                                            \
    {                                                                                              \
        parent, name, offsetof(struct dmarc_row, field), true, true                                \
    }

/* In the order in which they are printed. */
static const struct place places[] = {
    REPORT("report_metadata", "org_name", organisation),
    REPORT("report_metadata", "email", email),
    REPORT("report_metadata", "report_id", id),
    REPORT_NUMBER("date_range", "begin", begin_s),
    REPORT_NUMBER("date_range", "end", end_s),
    REPORT("policy_published", "domain", domain),
    REPORT("policy_published", "adkim", adkim),
    REPORT("policy_published", "aspf", aspf),
    REPORT("policy_published", "p", policy),
    REPORT("policy_published", "sp", subdomain_policy),
    REPORT("policy_published", "pct", percent),
    REPORT("policy_published", "fo", failure_options),
    ROW("row", "source_ip", source),
    ROW_NUMBER("row", "count", count),
    ROW("policy_evaluated", "disposition", disposition),
    ROW("policy_evaluated", "dkim", dkim),
    ROW("policy_evaluated", "spf", spf),
    ROW("reason", "type", reason),
    ROW("identifiers", "envelope_from", envelope_from),
    ROW("identifiers", "header_from", header_from),
    ROW("dkim", "domain", dkim_domain),
    ROW("dkim", "selector", dkim_selector),
    ROW("dkim", "result", dkim_result),
    ROW("spf", "domain", spf_domain),
    ROW("spf", "scope", spf_scope),
    ROW("spf", "result", spf_result),
};

/* --- reading --- */

struct reader {
    struct arena *arena;
    struct dmarc_report *report;
    XML_Parser parser;
    char path[DMARC_REPORT_DEPTH + 1][NAME_MAX_LEN];
    unsigned depth;
    const struct place *place; /* of the innermost element */
    char text[DMARC_REPORT_TEXT];
    size_t text_len;
    struct dmarc_row *rows;
    size_t room;
    const char *refusal; /* why reading was stopped */
};

static void free_reader(struct reader *reader)
{
    XML_ParserFree(reader->parser);
    free(reader->rows);
}

static void stop(struct reader *reader, const char *why)
{
    reader->refusal = why;
    XML_StopParser(reader->parser, XML_FALSE);
}

static const struct place *find_place(const char *parent, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (strcmp(places[i].name, name) == 0 && strcmp(places[i].parent, parent) == 0)
            return &places[i];
    return NULL;
}

static void begin_row(struct reader *reader)
{
    size_t count = reader->report->n_rows;

    if (count == DMARC_REPORT_ROWS) {
        stop(reader, "too many rows");
        return;
    }
    reader->rows = mem_grow(reader->rows, &reader->room, count + 1, sizeof(reader->rows[0]));
    reader->rows[count] = (struct dmarc_row){ 0 };
    reader->report->n_rows++;
}

/* Without the prefix of a namespace. */
static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon != NULL ? colon + 1 : name;
}

static void on_start(void *context, const char *full_name, const char **attributes)
{
    struct reader *reader = context;
    const char *name = local_name(full_name);
    const char *parent = reader->path[reader->depth];

    if (reader->depth == DMARC_REPORT_DEPTH) {
        stop(reader, "nested too deeply");
        return;
    }
    if (strcmp(name, "record") == 0)
        begin_row(reader);
    reader->place = find_place(parent, name);
    reader->text_len = 0;
    snprintf(reader->path[++reader->depth], NAME_MAX_LEN, "%s", name);
}

static void on_text(void *context, const char *text, int len)
{
    struct reader *reader = context;
    size_t take = MIN((size_t)len, sizeof(reader->text) - reader->text_len);

    if (reader->place == NULL)
        return;
    memcpy(reader->text + reader->text_len, text, take);
    reader->text_len += take;
}

/* The first one counts: a row has the results of several signatures. */
static void keep(struct reader *reader, void *object)
{
    struct slice text = slice_trim(slice_make(reader->text, reader->text_len));
    void *field = (char *)object + reader->place->offset;

    if (reader->place->is_number) {
        if (!slice_number(text, INT64_MAX, field))
            *(uint64_t *)field = 0;
    } else if (((struct slice *)field)->len == 0) {
        *(struct slice *)field = slice_copy(reader->arena, text);
    }
}

static void on_end(void *context, const char *name)
{
    struct reader *reader = context;

    if (reader->place != NULL && !reader->place->in_row)
        keep(reader, reader->report);
    else if (reader->place != NULL && reader->report->n_rows > 0)
        keep(reader, &reader->rows[reader->report->n_rows - 1]);
    reader->place = NULL;
    reader->depth--;
}

/* No report needs entities of its own, and they are how small documents become huge ones. */
static void on_entity(void *context, const char *name, int is_parameter, const char *value,
                      int value_len, const char *base, const char *system, const char *public,
                      const char *notation)
{
    stop(context, "it declares entities");
}

static bool parse_failed(const struct reader *reader, struct error *err)
{
    const char *why = reader->refusal;

    if (why == NULL)
        why = XML_ErrorString(XML_GetErrorCode(reader->parser));
    return error_set(err, ERROR_INVALID, "no report, line %lu: %s",
                     (unsigned long)XML_GetCurrentLineNumber(reader->parser), why);
}

bool dmarc_report_parse(struct arena *arena, struct slice xml, struct dmarc_report *report_out,
                        struct error *err)
{
    AUTO(free_reader)
    struct reader reader = { .arena = arena,
                             .report = report_out,
                             .parser = XML_ParserCreate(NULL) };

    *report_out = (struct dmarc_report){ 0 };
    if (reader.parser == NULL)
        return error_set(err, ERROR_TEMPORARY, "reading a report: no memory");
    if (xml.len > DMARC_REPORT_SIZE)
        return error_set(err, ERROR_LIMIT, "a report over %u bytes", DMARC_REPORT_SIZE);
    XML_SetUserData(reader.parser, &reader);
    XML_SetElementHandler(reader.parser, on_start, on_end);
    XML_SetCharacterDataHandler(reader.parser, on_text);
    XML_SetEntityDeclHandler(reader.parser, on_entity);
    if (XML_Parse(reader.parser, xml.data, (int)xml.len, XML_TRUE) != XML_STATUS_OK)
        return parse_failed(&reader, err);
    if (report_out->domain.len == 0)
        return error_set(err, ERROR_INVALID, "no report: it names no domain");
    report_out->rows = ARENA_ARRAY(arena, struct dmarc_row, report_out->n_rows);
    if (report_out->n_rows > 0)
        memcpy(report_out->rows, reader.rows, report_out->n_rows * sizeof(reader.rows[0]));
    return true;
}

/* --- printing --- */

/* U+FFFE and U+FFFF, the two characters of valid UTF-8 that no XML may have. */
static bool is_no_character(struct slice text)
{
    return text.len >= 3 && memcmp(text.data, "\xef\xbf", 2) == 0 && (text.data[2] & 0x7e) == 0x3e;
}

/* Names in mail may be any bytes, XML is UTF-8. */
static void add_escaped(struct slice text, struct buf *out)
{
    bool utf8 = utf8_valid(text);

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (is_no_character(slice_from(text, i))) {
            buf_add_byte(out, '?');
            i += 2;
        } else if (byte == '<' || byte == '>' || byte == '&' || byte < ' ')
            buf_fmt(out, byte < ' ' ? " " : "&#%u;", byte);
        else
            buf_add_byte(out, byte < 0x80 || utf8 ? (char)byte : '?');
    }
}

static void print_field(const struct place *place, const void *object, struct buf *out)
{
    const void *field = (const char *)object + place->offset;

    if (!place->is_number && ((const struct slice *)field)->len == 0)
        return;
    buf_fmt(out, "<%s>", place->name);
    if (place->is_number)
        buf_fmt(out, "%llu", (unsigned long long)*(const uint64_t *)field);
    else
        add_escaped(*(const struct slice *)field, out);
    buf_fmt(out, "</%s>\n", place->name);
}

/* The fields of one parent element, without the element itself. */
static void print_fields(const char *parent, const void *object, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (strcmp(places[i].parent, parent) == 0)
            print_field(&places[i], object, out);
}

static void print_element(const char *name, const void *object, struct buf *out)
{
    buf_fmt(out, "<%s>\n", name);
    print_fields(name, object, out);
    buf_fmt(out, "</%s>\n", name);
}

static void print_row(const struct dmarc_row *row, struct buf *out)
{
    buf_add_text(out, "<record>\n<row>\n");
    print_fields("row", row, out);
    buf_add_text(out, "<policy_evaluated>\n");
    print_fields("policy_evaluated", row, out);
    if (row->reason.len > 0)
        print_element("reason", row, out);
    buf_add_text(out, "</policy_evaluated>\n");
    buf_add_text(out, "</row>\n");
    print_element("identifiers", row, out);
    buf_add_text(out, "<auth_results>\n");
    if (row->dkim_domain.len > 0)
        print_element("dkim", row, out);
    print_element("spf", row, out);
    buf_add_text(out, "</auth_results>\n</record>\n");
}

void dmarc_report_print(const struct dmarc_report *report, struct buf *xml_out)
{
    buf_add_text(xml_out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback>\n"
                          "<version>1.0</version>\n<report_metadata>\n");
    print_fields("report_metadata", report, xml_out);
    print_element("date_range", report, xml_out);
    buf_add_text(xml_out, "</report_metadata>\n");
    print_element("policy_published", report, xml_out);
    for (size_t i = 0; i < report->n_rows; i++)
        print_row(&report->rows[i], xml_out);
    buf_add_text(xml_out, "</feedback>\n");
}

bool dmarc_report_subject(struct slice subject)
{
    return slice_starts(slice_trim(subject), "Report Domain:") &&
           slice_search(subject, SLICE("ubmitter:")) >= 0;
}

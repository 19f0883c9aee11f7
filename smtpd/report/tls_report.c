/* tls_report.c - see tls_report.h.
 *
 * Counts come in the order of their keys, and a key begins with policy and policy text: so those of
 * one policy follow one another, and become one object of the report.
 */
#include "smtpd/report/tls_report.h"

#include "common/codec.h"
#include "smtpd/report/counts.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#define DAY_S 86400

/* Names come from the DNS, which allows any byte. */
static json_t *json_slice(struct slice text)
{
    return utf8_valid(text) && text.data != NULL ? json_stringn(text.data, text.len)
                                                 : json_string(text.len > 0 ? "?" : "");
}

static json_t *json_moment(int64_t seconds)
{
    char text[32];
    time_t moment = (time_t)seconds;
    struct tm parts;

    gmtime_r(&moment, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}

static bool same_policy(const struct tls_session *a, const struct tls_session *b)
{
    return slice_equal(a->policy, b->policy) && slice_equal(a->policy_text, b->policy_text);
}

/* The policy as its lines, and the hosts that an MTA-STS policy allows. */
static json_t *policy_object(const struct tls_report *report, const struct tls_session *session)
{
    json_t *lines = json_array(), *hosts = json_array();
    json_t *object = json_pack("{s:o, s:o}", "policy-type", json_slice(session->policy),
                               "policy-domain", json_slice(report->domain));
    struct slice rest = session->policy_text, line;

    while (slice_split(&rest, '\n', &line)) {
        json_array_append_new(lines, json_slice(line));
        if (slice_starts(line, "mx:"))
            json_array_append_new(hosts, json_slice(slice_trim(slice_from(line, 3))));
    }
    if (json_array_size(lines) > 0)
        json_object_set(object, "policy-string", lines);
    if (json_array_size(hosts) > 0)
        json_object_set(object, "mx-host", hosts);
    json_decref(lines);
    json_decref(hosts);
    return object;
}

static void set_text(json_t *object, const char *name, struct slice text)
{
    if (text.len > 0)
        json_object_set_new(object, name, json_slice(text));
}

static json_t *failure_object(const struct tls_session *session, uint64_t count)
{
    json_t *object = json_object();

    set_text(object, "result-type", session->result);
    set_text(object, "receiving-mx-hostname", session->host);
    set_text(object, "receiving-ip", session->address);
    json_object_set_new(object, "failed-session-count", json_integer((json_int_t)count));
    set_text(object, "failure-reason-code", session->reason);
    return object;
}

/* The counts from *at on that are of one policy. */
static json_t *next_policy(const struct tls_report *report, size_t *at)
{
    const struct tally_list *counts = report->counts;
    struct tls_session first, session;
    json_int_t good = 0, bad = 0;
    json_t *failures = json_array(), *object;

    counts_tls(&counts->items[*at], &first);
    for (session = first; *at < counts->count; ++*at) {
        const struct tally *count = &counts->items[*at];

        counts_tls(count, &session);
        if (!same_policy(&first, &session))
            break;
        if (session.result.len == 0) {
            good += (json_int_t)count->count;
            continue;
        }
        bad += (json_int_t)count->count;
        json_array_append_new(failures, failure_object(&session, count->count));
    }
    object = json_pack("{s:o, s:{s:I, s:I}}", "policy", policy_object(report, &first), "summary",
                       "total-successful-session-count", good, "total-failure-session-count", bad);
    if (bad > 0)
        json_object_set(object, "failure-details", failures);
    json_decref(failures);
    return object;
}

void tls_report_print(const struct tls_report *report, struct buf *out)
{
    int64_t begin_s = report->day * DAY_S;
    json_t *policies = json_array(), *object;
    size_t at = 0;
    char *text;

    while (at < report->counts->count)
        json_array_append_new(policies, next_policy(report, &at));
    object = json_pack("{s:o, s:{s:o, s:o}, s:o, s:o, s:o}", "organization-name",
                       json_slice(report->submitter), "date-range", "start-datetime",
                       json_moment(begin_s), "end-datetime", json_moment(begin_s + DAY_S - 1),
                       "contact-info", json_slice(report->contact), "report-id",
                       json_slice(report->id), "policies", policies);
    text = json_dumps(object, JSON_INDENT(1));
    buf_add_text(out, text);
    free(text);
    json_decref(object);
}

/* dmarc_record.c - the text of a policy record (RFC 7489 sections 6.3 and 6.4).
 *
 * Lenient, as section 6.3 asks: unknown tags, and values that are none, are passed over; of a tag
 * that comes twice the first counts.
 */
#include "message/proof/dmarc_private.h"

#define INTERVAL_S 86400 /* the default of ri= */

/* "tag = value", with blanks around each. */
static bool split_tag(struct slice text, struct slice *name_out, struct slice *value_out)
{
    ptrdiff_t at = slice_find(text, '=');

    if (at < 0)
        return false;
    *name_out = slice_trim(slice_part(text, 0, (size_t)at));
    *value_out = slice_trim(slice_from(text, (size_t)at + 1));
    return true;
}

bool dmarc_record_is(struct slice text)
{
    struct slice tag, name, value;

    return slice_starts(text, "v") && slice_split(&text, ';', &tag) &&
           split_tag(tag, &name, &value) && name.len == 1 && slice_equal(value, SLICE("DMARC1"));
}

static bool read_policy(struct slice value, enum dmarc_policy *policy_out)
{
    static const enum dmarc_policy policies[] = { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE,
                                                  DMARC_POLICY_REJECT };

    for (size_t i = 0; i < COUNT_OF(policies); i++)
        if (slice_is(value, dmarc_policy_name(policies[i]))) {
            *policy_out = policies[i];
            return true;
        }
    return false;
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* Is there one that begins like a URI: a scheme, ":", and something behind it (RFC 3986)? */
static bool has_uri(struct slice list)
{
    struct slice uri;

    while (slice_split(&list, ',', &uri)) {
        ptrdiff_t colon;

        uri = slice_trim(uri);
        colon = slice_find(uri, ':');
        if (colon > 0 && (size_t)colon + 1 < uri.len && is_letter(uri.data[0]) &&
            slice_find(uri, ' ') < 0)
            return true;
    }
    return false;
}

static unsigned read_failure_options(struct slice value)
{
    struct slice option;
    unsigned bits = 0;

    while (slice_split(&value, ':', &option)) {
        option = slice_trim(option);
        if (slice_is(option, "1"))
            bits |= DMARC_FAILURE_ANY;
        else if (slice_is(option, "d"))
            bits |= DMARC_FAILURE_DKIM;
        else if (slice_is(option, "s"))
            bits |= DMARC_FAILURE_SPF;
    }
    return bits;
}

enum tag_number { TAG_P, TAG_SP, TAG_ADKIM, TAG_ASPF, TAG_PCT, TAG_RUA, TAG_RUF, TAG_RI, TAG_FO };

static const char *const tag_names[] = {
    [TAG_P] = "p",       [TAG_SP] = "sp",   [TAG_ADKIM] = "adkim",
    [TAG_ASPF] = "aspf", [TAG_PCT] = "pct", [TAG_RUA] = "rua",
    [TAG_RUF] = "ruf",   [TAG_RI] = "ri",   [TAG_FO] = "fo",
};

/* The values of the tags that we know; absent ones have no data. */
static void collect(struct slice text, struct slice values_out[COUNT_OF(tag_names)])
{
    struct slice tag, name, value;

    while (slice_split(&text, ';', &tag)) {
        if (!split_tag(tag, &name, &value))
            continue;
        for (size_t i = 0; i < COUNT_OF(tag_names); i++)
            if (slice_is(name, tag_names[i]) && values_out[i].data == NULL)
                values_out[i] = value.data != NULL ? value : SLICE("");
    }
}

static void read_options(const struct slice *values, struct dmarc_record *record)
{
    uint64_t number;

    record->strict_dkim = slice_is(values[TAG_ADKIM], "s");
    record->strict_spf = slice_is(values[TAG_ASPF], "s");
    record->percent = slice_number(values[TAG_PCT], 100, &number) ? (unsigned)number : 100;
    record->rua = values[TAG_RUA];
    record->ruf = values[TAG_RUF];
    record->interval_s =
        slice_number(values[TAG_RI], UINT32_MAX, &number) ? (uint32_t)number : INTERVAL_S;
    record->failure_options = read_failure_options(values[TAG_FO]);
}

enum parse dmarc_record_parse(struct slice text, struct dmarc_record *record_out)
{
    struct slice values[COUNT_OF(tag_names)] = { { 0 } };
    bool good;

    *record_out = (struct dmarc_record){ 0 };
    if (!dmarc_record_is(text))
        return PARSE_BAD;
    collect(text, values);
    read_options(values, record_out);
    good = read_policy(values[TAG_P], &record_out->policy);
    record_out->subdomain_policy = record_out->policy;
    if (values[TAG_SP].data != NULL)
        good = read_policy(values[TAG_SP], &record_out->subdomain_policy) && good;
    if (good)
        return PARSE_OK;
    /* section 6.6.3: who asks for reports at least wants p=none */
    record_out->policy = record_out->subdomain_policy = DMARC_POLICY_NONE;
    return has_uri(record_out->rua) ? PARSE_OK : PARSE_BAD;
}

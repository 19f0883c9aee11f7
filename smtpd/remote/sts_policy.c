/* sts_policy.c - see sts_policy.h. */
#include "smtpd/remote/sts_policy.h"

#include <stdlib.h>

#define VERSION "STSv1"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static struct slice trim_blanks(struct slice text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = slice_from(text, 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

static bool is_id(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!is_letter_or_digit(id.data[i]))
            return false;
    return id.len > 0 && id.len <= STS_ID_MAX;
}

/* A name of letters, digits, "_", "-", "." for what may be added later. */
static bool is_field_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_letter_or_digit(name.data[i]) && (i == 0 || memchr("_-.", name.data[i], 3) == NULL))
            return false;
    return name.len > 0 && name.len <= 32;
}

/* sts-text-record: "v=STSv1" first, fields between ";", one of them the id. */
bool sts_record_parse(struct slice text, struct slice *id_out)
{
    struct slice part, name;
    bool has_id = false;

    if (!slice_starts(text, "v=") || !slice_split(&text, ';', &part) ||
        !slice_equal(trim_blanks(part), SLICE("v=" VERSION)))
        return false;
    while (slice_split(&text, ';', &part)) {
        part = trim_blanks(part);
        if (part.len == 0 && trim_blanks(text).len == 0)
            break; /* a ";" at the end */
        if (slice_find(part, '=') < 0 || !slice_split(&part, '=', &name) || !is_field_name(name))
            return false;
        if (has_id || !slice_equal(name, SLICE("id")))
            continue;
        if (!is_id(part))
            return false;
        *id_out = part;
        has_id = true;
    }
    return has_id;
}

/* A domain name in ASCII, perhaps behind "*.": labels of letters, digits, "-" and "_". */
static bool is_pattern(struct slice pattern)
{
    struct slice label;

    if (slice_starts(pattern, "*."))
        pattern = slice_from(pattern, 2);
    if (pattern.len == 0 || pattern.len > 253 || pattern.data[pattern.len - 1] == '.')
        return false;
    while (slice_split(&pattern, '.', &label)) {
        if (label.len == 0 || label.len > 63)
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_letter_or_digit(label.data[i]) && label.data[i] != '-' && label.data[i] != '_')
                return false;
    }
    return true;
}

/* What was read of the keys that count once: "If any field other than mx is duplicated, all
 * entries except for the first are ignored." */
struct seen {
    bool version, mode, max_age;
};

static bool read_mode(struct slice value, enum sts_mode *mode_out)
{
    static const enum sts_mode modes[] = { STS_NONE, STS_TESTING, STS_ENFORCE };

    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        *mode_out = modes[i];
        if (slice_equal(value, slice_of(sts_mode_name(modes[i]))))
            return true;
    }
    return false;
}

static bool read_mx(struct sts_policy *policy, struct slice value)
{
    if (!is_pattern(value) || policy->n_mx == STS_MX_MAX)
        return false;
    policy->mx[policy->n_mx++] = value;
    return true;
}

static bool read_age(struct slice value, uint64_t *age_out)
{
    if (value.len > 10 || !slice_number(value, UINT64_MAX, age_out))
        return false;
    *age_out = MIN(*age_out, (uint64_t)STS_AGE_MAX_S);
    return true;
}

/* A bool that was false until now. */
static bool is_first(bool *seen)
{
    bool first = !*seen;

    *seen = true;
    return first;
}

static bool read_field(struct sts_policy *policy, struct seen *seen, struct slice key,
                       struct slice value)
{
    if (slice_equal(key, SLICE("mx")))
        return read_mx(policy, value);
    if (slice_equal(key, SLICE("version")))
        return !is_first(&seen->version) || slice_equal(value, SLICE(VERSION));
    if (slice_equal(key, SLICE("mode")))
        return !is_first(&seen->mode) || read_mode(value, &policy->mode);
    if (slice_equal(key, SLICE("max_age")))
        return !is_first(&seen->max_age) || read_age(value, &policy->max_age_s);
    return is_field_name(key); /* of a later version */
}

static bool read_line(struct sts_policy *policy, struct seen *seen, struct slice line)
{
    struct slice key;

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (trim_blanks(line).len == 0)
        return true;
    if (slice_find(line, ':') < 0 || !slice_split(&line, ':', &key))
        return false;
    return read_field(policy, seen, key, trim_blanks(line));
}

bool sts_policy_parse(struct slice file, struct sts_policy *policy_out)
{
    struct seen seen = { 0 };
    struct slice line;

    *policy_out = (struct sts_policy){ 0 };
    if (file.len > STS_POLICY_MAX)
        return false;
    while (slice_split(&file, '\n', &line))
        if (!read_line(policy_out, &seen, line))
            return false;
    return seen.version && seen.mode && seen.max_age &&
           (policy_out->n_mx > 0 || policy_out->mode == STS_NONE);
}

static bool fits(struct slice pattern, struct slice host)
{
    if (pattern.data[0] != '*')
        return slice_equal_case(pattern, host);
    ptrdiff_t dot = slice_find(host, '.');
    return dot > 0 && slice_equal_case(slice_from(pattern, 1), slice_from(host, (size_t)dot));
}

bool sts_policy_names(const struct sts_policy *policy, struct slice host)
{
    for (size_t i = 0; i < policy->n_mx; i++)
        if (fits(policy->mx[i], host))
            return true;
    return false;
}

bool sts_type_is_text(struct slice content_type)
{
    struct slice type;

    return slice_split(&content_type, ';', &type) && slice_is(slice_trim(type), "text/plain");
}

const char *sts_mode_name(enum sts_mode mode)
{
    switch (mode) {
    case STS_NONE:
        return "none";
    case STS_TESTING:
        return "testing";
    case STS_ENFORCE:
        return "enforce";
    }
    abort();
}

/* config_value.c - one value of the table: from text, to text. */
#include "common/config_private.h"

#include "common/mem.h"

#include <stdlib.h>

/* A value is a number times its unit. The order is that of printing: largest first. */
struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit sizes[] = {
    { "G", (uint64_t)1 << 30 },
    { "M", (uint64_t)1 << 20 },
    { "K", (uint64_t)1 << 10 },
    { "", 1 },
};

static const struct unit durations[] = {
    { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

static const struct unit bare_seconds = { "", 1000 };
static const struct unit plain[] = { { "", 1 } };

struct units {
    const struct unit *list;
    size_t count;
};

static struct units units_of(enum config_type type)
{
    if (type == CONFIG_SIZE)
        return (struct units){ sizes, COUNT_OF(sizes) };
    if (type == CONFIG_DURATION)
        return (struct units){ durations, COUNT_OF(durations) };
    return (struct units){ plain, COUNT_OF(plain) };
}

bool config_is_text(enum config_type type)
{
    return type == CONFIG_TEXT || type == CONFIG_SECRET;
}

const char *config_type_name(enum config_type type)
{
    switch (type) {
    case CONFIG_TEXT:
        return "text";
    case CONFIG_SECRET:
        return "secret";
    case CONFIG_BOOL:
        return "bool";
    case CONFIG_NUMBER:
        return "number";
    case CONFIG_SIZE:
        return "size";
    case CONFIG_DURATION:
        return "duration";
    case CONFIG_CHOICE:
        return "choice";
    }
    abort();
}

static const char *expected(enum config_type type)
{
    switch (type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        return "a text";
    case CONFIG_BOOL:
        return "yes or no";
    case CONFIG_NUMBER:
        return "a number";
    case CONFIG_SIZE:
        return "a size as in 500, 64K, 50M or 2G";
    case CONFIG_DURATION:
        return "a duration as in 500ms, 30s, 10m, 2h or 5d";
    case CONFIG_CHOICE:
        return "one of";
    }
    abort();
}

static const struct unit *find_unit(enum config_type type, struct slice suffix)
{
    struct units units = units_of(type);

    if (type == CONFIG_DURATION && suffix.len == 0)
        return &bare_seconds;
    for (size_t i = 0; i < units.count; i++)
        if (slice_is(suffix, units.list[i].suffix))
            return &units.list[i];
    return NULL;
}

static size_t digits_of(struct slice text)
{
    size_t count = 0;

    while (count < text.len && text.data[count] >= '0' && text.data[count] <= '9')
        count++;
    return count;
}

static bool parse_quantity(enum config_type type, struct slice text, uint64_t *number_out)
{
    size_t digits = digits_of(text);
    const struct unit *unit = find_unit(type, slice_trim(slice_from(text, digits)));

    return unit != NULL && slice_number(slice_part(text, 0, digits), UINT64_MAX, number_out) &&
           !__builtin_mul_overflow(*number_out, unit->factor, number_out);
}

static void print_quantity(enum config_type type, uint64_t number, struct buf *out)
{
    struct units units = units_of(type);
    size_t i = 0;

    while (i + 1 < units.count && (number == 0 || number % units.list[i].factor != 0))
        i++;
    buf_add_number(out, number / units.list[i].factor);
    buf_add_text(out, units.list[i].suffix);
}

static bool range_error(const struct config_key *key, struct error *err)
{
    AUTO(buf_free) struct buf range = { 0 };

    print_quantity(key->type, key->min, &range);
    if (key->max != 0) {
        buf_add_text(&range, " to ");
        print_quantity(key->type, key->max, &range);
    }
    return error_set(err, ERROR_INVALID, "%s: out of range (%s%s)", key->name, buf_text(&range),
                     key->max == 0 ? " or more" : "");
}

static bool kind_error(const struct config_key *key, struct slice text, struct error *err)
{
    struct slice shown = slice_part(text, 0, 60);

    return error_set(err, ERROR_INVALID, "%s: \"" SLICE_FMT "\" is not %s%s%s", key->name,
                     SLICE_ARG(shown), expected(key->type), key->type == CONFIG_CHOICE ? " " : "",
                     key->type == CONFIG_CHOICE ? key->choices : "");
}

static bool parse_bool(struct slice text, bool *value_out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {
        { "yes", true }, { "no", false },  { "true", true }, { "false", false },
        { "on", true },  { "off", false }, { "1", true },    { "0", false },
    };

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (slice_is(text, words[i].word)) {
            *value_out = words[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_choice(struct slice text, const char *choices, uint64_t *index_out)
{
    struct slice rest = slice_of(choices), choice;

    for (uint64_t i = 0; slice_split(&rest, '|', &choice); i++) {
        if (slice_equal_case(text, choice)) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

static struct slice choice_at(const char *choices, uint64_t index)
{
    struct slice rest = slice_of(choices), choice = { 0 };

    for (uint64_t i = 0; i <= index; i++)
        if (!slice_split(&rest, '|', &choice))
            return (struct slice){ 0 };
    return choice;
}

static bool set_quantity(const struct config_key *key, struct slice text, uint64_t *field,
                         struct error *err)
{
    uint64_t number;

    if (!parse_quantity(key->type, text, &number))
        return kind_error(key, text, err);
    if (number < key->min || (key->max != 0 && number > key->max))
        return range_error(key, err);
    *field = number;
    return true;
}

bool config_value_set(const struct config_key *key, struct slice text, void *settings,
                      struct error *err)
{
    void *field = (char *)settings + key->offset;

    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        if (slice_find(text, '\n') >= 0 || slice_find(text, '\0') >= 0)
            return kind_error(key, text, err);
        free(*(char **)field);
        *(char **)field = slice_strdup(text);
        return true;
    case CONFIG_BOOL:
        return parse_bool(text, field) || kind_error(key, text, err);
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        return set_quantity(key, text, field, err);
    case CONFIG_CHOICE:
        return parse_choice(text, key->choices, field) || kind_error(key, text, err);
    }
    abort();
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

void config_value_print(const struct config_key *key, const void *settings, struct buf *out)
{
    const void *field = (const char *)settings + key->offset;

    switch (key->type) {
    case CONFIG_TEXT:
        if (*(char *const *)field != NULL)
            buf_add_text(out, *(char *const *)field);
        return;
    case CONFIG_SECRET:
        buf_add_text(out, is_set(*(char *const *)field) ? "set" : "unset");
        return;
    case CONFIG_BOOL:
        buf_add_text(out, *(const bool *)field ? "yes" : "no");
        return;
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        print_quantity(key->type, *(const uint64_t *)field, out);
        return;
    case CONFIG_CHOICE:
        buf_add_slice(out, choice_at(key->choices, *(const uint64_t *)field));
        return;
    }
}

/* list_match.c - see list_match.h.
 *
 * reach[i] says whether the pattern so far can match the first i bytes of the name. So the time is
 * bounded by pattern times name, whatever a client thinks up.
 */
#include "imapd/list_match.h"
#include "common/mem.h"
#include "storage/account.h"

static char fold(char byte)
{
    return byte >= 'a' && byte <= 'z' ? (char)(byte - 'a' + 'A') : byte;
}

/* How many bytes at the front of the name ignore case. */
static size_t folded_length(struct slice name)
{
    return slice_starts(name, "INBOX") && (name.len == 5 || name.data[5] == '/') ? 5 : 0;
}

static void match_wildcard(bool *reach, struct slice name, bool crosses_levels)
{
    for (size_t i = 0; i < name.len; i++)
        if (reach[i] && (crosses_levels || name.data[i] != '/'))
            reach[i + 1] = true;
}

static void match_byte(bool *reach, struct slice name, char byte)
{
    size_t folded = folded_length(name);

    for (size_t i = name.len; i > 0; i--)
        reach[i] = reach[i - 1] && (name.data[i - 1] == byte ||
                                    (i <= folded && fold(name.data[i - 1]) == fold(byte)));
    reach[0] = false;
}

/* Compares what stands before the first wildcard: most names are out here. */
static bool begins_so(struct slice pattern, struct slice name)
{
    size_t folded = folded_length(name);

    for (size_t i = 0; i < pattern.len && i < name.len; i++) {
        if (pattern.data[i] == '*' || pattern.data[i] == '%')
            return true;
        if (pattern.data[i] != name.data[i] &&
            (i >= folded || fold(pattern.data[i]) != fold(name.data[i])))
            return false;
    }
    return true;
}

/* Stops as soon as `until_reached`, or at the pattern's end; is all of the name matched then? */
static bool match(struct slice pattern, struct slice name, bool until_reached)
{
    bool reach[MAILBOX_NAME_MAX + 1] = { true };

    if (name.len > MAILBOX_NAME_MAX || !begins_so(pattern, name))
        return false;
    for (size_t i = 0; i < pattern.len && !(until_reached && reach[name.len]); i++) {
        if (pattern.data[i] == '*' || pattern.data[i] == '%')
            match_wildcard(reach, name, pattern.data[i] == '*');
        else
            match_byte(reach, name, pattern.data[i]);
    }
    return reach[name.len];
}

bool list_match(struct slice pattern, struct slice name)
{
    return match(pattern, name, false);
}

bool list_match_below(struct slice pattern, struct slice prefix)
{
    return match(pattern, prefix, true);
}

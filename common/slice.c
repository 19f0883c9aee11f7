/* slice.c - a view of bytes that somebody else owns.
 *
 * memcmp() and its like must not see a NULL pointer, not even with length 0: empty slices are
 * answered before they get there.
 */
#include "common/slice.h"

#include "common/mem.h"

static unsigned char lower(char byte)
{
    unsigned char c = (unsigned char)byte;

    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool same_letters(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_equal_case(struct slice a, struct slice b)
{
    return a.len == b.len && same_letters(a.data, b.data, a.len);
}

int slice_compare_case(struct slice a, struct slice b)
{
    int order = a.len < b.len ? -1 : a.len > b.len;

    for (size_t i = 0; order == 0 && i < a.len; i++)
        order = lower(a.data[i]) - lower(b.data[i]);
    return order;
}

bool slice_is(struct slice a, const char *word)
{
    for (size_t i = 0; i < a.len; i++)
        if (word[i] == '\0' || lower(a.data[i]) != lower(word[i]))
            return false;
    return word[a.len] == '\0';
}

bool slice_starts(struct slice a, const char *prefix)
{
    size_t i = 0;

    while (i < a.len && prefix[i] != '\0' && lower(a.data[i]) == lower(prefix[i]))
        i++;
    return prefix[i] == '\0';
}

size_t slice_ascii_length(struct slice a)
{
    uint64_t word, words[4];
    size_t len = 0;

    for (; len + sizeof(words) <= a.len; len += sizeof(words)) {
        memcpy(words, a.data + len, sizeof(words));
        if (((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080ull) != 0)
            break;
    }
    for (; len + sizeof(word) <= a.len; len += sizeof(word)) {
        memcpy(&word, a.data + len, sizeof(word));
        if ((word & 0x8080808080808080ull) != 0)
            break;
    }
    while (len < a.len && (a.data[len] & 0x80) == 0)
        len++;
    return len;
}

bool slice_is_ascii(struct slice a)
{
    return slice_ascii_length(a) == a.len;
}

int slice_compare(struct slice a, struct slice b)
{
    size_t common = MIN(a.len, b.len);
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

struct slice slice_from(struct slice a, size_t offset)
{
    offset = MIN(offset, a.len);
    if (offset == 0)
        return a;
    return (struct slice){ a.data + offset, a.len - offset };
}

struct slice slice_part(struct slice a, size_t offset, size_t len)
{
    struct slice part = slice_from(a, offset);

    part.len = MIN(part.len, len);
    return part;
}

ptrdiff_t slice_find(struct slice a, char byte)
{
    const char *found = a.len == 0 ? NULL : memchr(a.data, byte, a.len);

    return found == NULL ? -1 : found - a.data;
}

ptrdiff_t slice_find_last(struct slice a, char byte)
{
    const char *found = a.len == 0 ? NULL : memrchr(a.data, byte, a.len);

    return found == NULL ? -1 : found - a.data;
}

ptrdiff_t slice_search(struct slice a, struct slice needle)
{
    const char *found;

    if (needle.len == 0)
        return 0;
    found = a.len < needle.len ? NULL : memmem(a.data, a.len, needle.data, needle.len);
    return found == NULL ? -1 : found - a.data;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct slice slice_trim(struct slice a)
{
    while (a.len > 0 && is_blank(a.data[a.len - 1]))
        a.len--;
    while (a.len > 0 && is_blank(a.data[0]))
        a = slice_from(a, 1);
    return a;
}

bool slice_split(struct slice *rest, char separator, struct slice *part_out)
{
    ptrdiff_t at = slice_find(*rest, separator);

    if (rest->len == 0)
        return false;
    *part_out = at < 0 ? *rest : slice_part(*rest, 0, (size_t)at);
    *rest = slice_from(*rest, part_out->len + 1);
    return true;
}

bool slice_number(struct slice a, uint64_t max, uint64_t *number_out)
{
    uint64_t number = 0;

    for (size_t i = 0; i < a.len; i++) {
        if (a.data[i] < '0' || a.data[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(a.data[i] - '0'), &number))
            return false;
    }
    if (a.len == 0 || number > max)
        return false;
    *number_out = number;
    return true;
}

static char *copy_bytes(char *to, struct slice a)
{
    if (a.len != 0)
        memcpy(to, a.data, a.len);
    to[a.len] = '\0';
    return to;
}

char *slice_text(struct arena *arena, struct slice a)
{
    return copy_bytes(arena_alloc(arena, a.len + 1), a);
}

struct slice slice_copy(struct arena *arena, struct slice a)
{
    return (struct slice){ slice_text(arena, a), a.len };
}

char *slice_strdup(struct slice a)
{
    return copy_bytes(mem_resize(NULL, a.len + 1), a);
}

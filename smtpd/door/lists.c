/* lists.c - see lists.h. */
#include "smtpd/door/lists.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define WEIGHT_MAX 1000

static uint32_t u32(const void *bytes)
{
    uint32_t number;

    memcpy(&number, bytes, sizeof(number));
    return ntohl(number);
}

static bool read_address(struct slice text, uint32_t *number_out)
{
    char copy[INET_ADDRSTRLEN];
    struct in_addr address;

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &address) != 1)
        return false;
    *number_out = u32(&address);
    return *number_out >> 24 == 127;
}

/* "127.0.0.4", "127.0.0.4..11" */
static bool read_answers(struct slice text, struct door_list *list)
{
    ptrdiff_t dots = slice_search(text, SLICE(".."));
    uint64_t last;

    if (dots < 0)
        return read_address(text, &list->low) && read_address(text, &list->high);
    if (!read_address(slice_part(text, 0, (size_t)dots), &list->low) ||
        !slice_number(slice_from(text, (size_t)dots + 2), 255, &last))
        return false;
    list->high = (list->low & ~0xffu) | (uint32_t)last;
    return list->high >= list->low;
}

/* Cuts what stands behind `separator` off the text; false when there is no separator. */
static bool cut(struct slice *text, char separator, struct slice *rest_out)
{
    ptrdiff_t at = slice_find(*text, separator);

    if (at < 0)
        return false;
    *rest_out = slice_from(*text, (size_t)at + 1);
    *text = slice_part(*text, 0, (size_t)at);
    return true;
}

static bool read_list(struct slice text, struct door_list *list)
{
    struct slice rest;
    uint64_t weight = 1;

    if (cut(&text, '*', &rest) && (!slice_number(rest, WEIGHT_MAX, &weight) || weight == 0))
        return false;
    list->weight = (unsigned)weight;
    if (cut(&text, '=', &rest) && !read_answers(rest, list))
        return false;
    list->zone = slice_strdup(text);
    return text.len > 0 && text.len < DNS_NAME_SIZE && slice_find(text, '.') > 0;
}

bool door_lists_parse(const char *setting, struct slice text, struct door_lists *lists,
                      struct error *err)
{
    struct slice part;
    size_t room = 0;

    *lists = (struct door_lists){ 0 };
    while (slice_split(&text, ' ', &part)) {
        if (part.len == 0)
            continue;
        lists->items = mem_grow(lists->items, &room, lists->count + 1, sizeof(*lists->items));
        struct door_list *list = &lists->items[lists->count++];
        *list = (struct door_list){ 0 };
        if (lists->count <= DOOR_LISTS_MAX && read_list(part, list))
            continue;
        door_lists_free(lists);
        return error_set(err, ERROR_INVALID,
                         "%s: \"" SLICE_FMT "\" is not zone[=127.0.0.2][*weight], or one too many",
                         setting, SLICE_ARG(part));
    }
    return true;
}

void door_lists_free(struct door_lists *lists)
{
    for (size_t i = 0; i < lists->count; i++)
        free(lists->items[i].zone);
    free(lists->items);
    *lists = (struct door_lists){ 0 };
}

static bool counts(const struct door_list *list, uint32_t answer)
{
    if (answer >> 24 != 127 || answer == 0x7f000001 || answer >> 8 == 0x7fffff)
        return false;
    return list->low == 0 || (answer >= list->low && answer <= list->high);
}

static bool is_listed(const struct door_list *list, const struct dns_answer *answer)
{
    if (answer->state != DNS_FOUND)
        return false;
    for (size_t i = 0; i < answer->count; i++)
        if (answer->records[i].len == 4 && counts(list, u32(answer->records[i].data)))
            return true;
    return false;
}

bool door_lists_check(const struct door_lists *lists, struct arena *arena, struct dns_table *table,
                      const char *address, struct door_listing *listing)
{
    bool complete = true; /* all of them are asked for before anybody waits */

    *listing = (struct door_listing){ 0 };
    for (size_t i = 0; i < lists->count; i++) {
        const struct door_list *list = &lists->items[i];
        const struct dns_answer *answer;
        struct slice name;

        if (!dns_reverse_name(arena, address, list->zone, &name))
            return true;
        answer = dns_get(table, name, DNS_A);
        complete = complete && answer != NULL;
        if (answer == NULL || !is_listed(list, answer))
            continue;
        listing->score += list->weight;
        if (listing->zone == NULL) {
            listing->zone = list->zone;
            listing->name = name;
        }
    }
    return complete;
}

/* lists.h - DNS lists of clients (RFC 5782): those of bad ones (DNSBL), and of good ones (DNSWL).
 *
 * A setting is "zone[=address][*weight] ...", blanks between; the address is that of the list's
 * answer, its last number may be a range:
 *
 *     bl.example  mix.example=127.0.0.4..11*2  other.example=127.0.0.2
 *
 * Without one any answer in 127.0.0.0/8 counts, but not those by which lists say that they do not
 * answer us: 127.0.0.1 and 127.255.255.0/24. A list that fails says nothing.
 *
 * Pure; the DNS is a table: false means that answers are missing, see common/dns.h.
 */
#pragma once

#include "common/dns.h"
#include "common/error.h"

#define DOOR_LISTS_MAX 20 /* in one setting */

struct door_list {
    char *zone;
    uint32_t low, high; /* answers that count, as numbers; low 0: any */
    unsigned weight;
};

struct door_lists {
    struct door_list *items;
    size_t count;
};

/* `setting` is named in errors. Errors: ERROR_INVALID, naming the part that is wrong. */
bool door_lists_parse(const char *setting, struct slice text, struct door_lists *lists_out,
                      struct error *err) MUST_CHECK;
void door_lists_free(struct door_lists *lists);

struct door_listing {
    unsigned score;    /* the weights of all lists that have the address */
    const char *zone;  /* the first of them; NULL: none */
    struct slice name; /* that was asked there: it may have a TXT record */
};

/* What is no IP address is in no list. The name lives in the arena. */
bool door_lists_check(const struct door_lists *lists, struct arena *arena, struct dns_table *table,
                      const char *address, struct door_listing *listing_out);

/* zone.h - DNS answers for tests, written as text; in the table's own arena. */
#pragma once

#include "common/dns.h"

#include <arpa/inet.h>

static inline struct slice zone_name_rdata(struct arena *arena, const char *name)
{
    size_t len = 0;
    char *rdata = arena_alloc(arena, strlen(name) + 2);
    struct slice rest = slice_of(name), label;

    while (slice_split(&rest, '.', &label)) {
        rdata[len++] = (char)label.len;
        memcpy(rdata + len, label.data, label.len);
        len += label.len;
    }
    return slice_make(rdata, len + 1);
}

static inline struct slice zone_text_rdata(struct arena *arena, struct slice text)
{
    char *rdata = arena_alloc(arena, text.len + text.len / 255 + 2);
    size_t len = 0;

    do {
        struct slice part = slice_part(text, 0, 255);

        rdata[len++] = (char)part.len;
        memcpy(rdata + len, part.data, part.len);
        len += part.len;
        text = slice_from(text, part.len);
    } while (text.len > 0);
    return slice_make(rdata, len);
}

static inline struct slice zone_rdata(struct arena *arena, enum dns_type type, const char *value)
{
    char *rdata = arena_alloc(arena, 300);
    struct slice host;

    switch (type) {
    case DNS_A:
        inet_pton(AF_INET, value, rdata);
        return slice_make(rdata, 4);
    case DNS_AAAA:
        inet_pton(AF_INET6, value, rdata);
        return slice_make(rdata, 16);
    case DNS_MX: /* preference 10 */
        host = zone_name_rdata(arena, value);
        rdata[1] = 10;
        memcpy(rdata + 2, host.data, host.len);
        return slice_make(rdata, host.len + 2);
    case DNS_PTR:
    case DNS_CNAME:
        return zone_name_rdata(arena, value);
    case DNS_TXT:
    case DNS_TLSA:
    case DNS_SRV:
        break;
    }
    return zone_text_rdata(arena, slice_of(value));
}

/* One more record. */
static inline void zone_add(struct dns_table *table, const char *name, enum dns_type type,
                            const char *value)
{
    struct slice records[DNS_RECORDS_MAX];
    struct dns_answer answer = {
        .name = slice_of(name), .type = type, .state = DNS_FOUND, .records = records
    };

    for (const struct dns_answer *a = table->first; a != NULL; a = a->next)
        if (a->type == type && slice_equal_case(a->name, answer.name) && a->count > 0) {
            answer.count = MIN(a->count, DNS_RECORDS_MAX - 1);
            memcpy(records, a->records, answer.count * sizeof(*records));
        }
    records[answer.count++] = zone_rdata(&table->arena, type, value);
    dns_put(table, &answer);
}

static inline void zone_state(struct dns_table *table, const char *name, enum dns_type type,
                              enum dns_state state)
{
    dns_put(table, &(struct dns_answer){ .name = slice_of(name), .type = type, .state = state });
}

/* Whatever is missing does not exist; returns how much that was. */
static inline size_t zone_close(struct dns_table *table)
{
    size_t count = table->n_missing;

    for (struct dns_answer *a = table->first; a != NULL; a = a->next)
        if (a->state == DNS_MISSING)
            dns_put(table,
                    &(struct dns_answer){ .name = a->name, .type = a->type, .state = DNS_NO_NAME });
    return count;
}

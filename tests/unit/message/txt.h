/* txt.h - puts TXT answers into a table of the DNS. */
#pragma once

#include "common/dns.h"

/* NULL: there is no such name. */
static inline void txt_put(struct dns_table *table, struct slice name, const char *text)
{
    struct dns_answer answer = { .name = name, .type = DNS_TXT };
    char rdata[4096];
    size_t len = 0;
    struct slice rest = slice_of(text), record;

    for (; rest.len > 0; rest = slice_from(rest, 200)) {
        struct slice part = slice_part(rest, 0, 200);

        rdata[len++] = (char)part.len;
        memcpy(rdata + len, part.data, part.len);
        len += part.len;
    }
    record = slice_make(rdata, len);
    answer.records = &record;
    answer.count = text != NULL;
    answer.state = text != NULL ? DNS_FOUND : DNS_NO_NAME;
    dns_put(table, &answer);
}

/* The same text for `name`, nothing for all other names that are missing. */
static inline void txt_answer(struct dns_table *table, const char *name, const char *text)
{
    for (struct dns_answer *answer = table->first; answer != NULL; answer = answer->next)
        if (answer->state == DNS_MISSING)
            txt_put(table, answer->name, slice_is(answer->name, name) ? text : NULL);
}

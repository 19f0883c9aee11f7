/* dns.c - answers of the DNS, in a table; and what is in their rdata.
 *
 * A table is a list, newest first: an evaluation asks some dozens of names. Everything in it lives
 * in the table's arena, and an answer never moves: dns_put() fills in what was missing where it
 * stands, so pointers that dns_get() has given stay good until the table is freed.
 */
#include "common/dns.h"

#include <arpa/inet.h>
#include <stdio.h>

#define LABEL_MAX     63  /* RFC 1035 section 2.3.4 */
#define WIRE_NAME_MAX 255 /* ... with the length bytes, and the root's */
#define NAME_MAX_TEXT (DNS_NAME_SIZE - 3)

/* RFC 1035 section 2.3.4. A backslash would begin an escape where names are written as text; no
 * host has one, nor a control character. */
static bool is_name(struct slice name)
{
    struct slice rest = name, label;
    size_t labels_len = 0;

    if (name.len == 0 || name.len > NAME_MAX_TEXT)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.data[i] < ' ' || name.data[i] == 0x7F || name.data[i] == '\\')
            return false;
    while (slice_split(&rest, '.', &label)) {
        if (label.len == 0 || label.len > LABEL_MAX)
            return false;
        labels_len += label.len + 1;
    }
    return labels_len == name.len + 1; /* no empty label at the end */
}

static struct slice without_dot(struct slice name)
{
    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    return name;
}

static struct dns_answer *find(struct dns_table *table, struct slice name, enum dns_type type)
{
    for (struct dns_answer *answer = table->first; answer != NULL; answer = answer->next)
        if (answer->type == type && slice_equal_case(answer->name, name))
            return answer;
    return NULL;
}

/* A new answer that is missing. */
static struct dns_answer *add(struct dns_table *table, struct slice name, enum dns_type type)
{
    struct dns_answer *answer = ARENA_NEW(&table->arena, struct dns_answer);

    answer->name = slice_copy(&table->arena, name);
    answer->type = type;
    answer->state = DNS_MISSING;
    answer->canonical = answer->name;
    answer->next = table->first;
    table->first = answer;
    table->count++;
    table->n_missing++;
    return answer;
}

const struct dns_answer *dns_get(struct dns_table *table, struct slice name, enum dns_type type)
{
    static const struct dns_answer no_name = { .state = DNS_NO_NAME };
    static const struct dns_answer too_many = { .state = DNS_FAILED,
                                                .reason = { "too many lookups", 16 } };
    struct dns_answer *answer;

    name = without_dot(name);
    if (!is_name(name))
        return &no_name;
    answer = find(table, name, type);
    if (answer != NULL)
        return answer->state == DNS_MISSING ? NULL : answer;
    if (table->count >= (table->max != 0 ? table->max : DNS_TABLE_MAX))
        return &too_many;
    add(table, name, type);
    return NULL;
}

static void copy_records(struct arena *arena, struct dns_answer *to, const struct dns_answer *from)
{
    to->count = MIN(from->count, DNS_RECORDS_MAX);
    to->records = ARENA_ARRAY(arena, struct slice, to->count);
    for (size_t i = 0; i < to->count; i++)
        to->records[i] = slice_copy(arena, from->records[i]);
}

struct dns_answer *dns_put(struct dns_table *table, const struct dns_answer *answer)
{
    struct slice name = without_dot(answer->name);
    struct dns_answer *to = find(table, name, answer->type);

    if (to == NULL)
        to = add(table, name, answer->type);
    if (to->state == DNS_MISSING && answer->state != DNS_MISSING)
        table->n_missing--;
    to->state = answer->state;
    if (answer->state == DNS_FOUND && answer->count == 0)
        to->state = DNS_NOTHING;
    to->secure = answer->secure;
    to->bogus = answer->bogus;
    to->ttl_s = answer->ttl_s;
    copy_records(&table->arena, to, answer);
    if (answer->canonical.len > 0)
        to->canonical = slice_copy(&table->arena, without_dot(answer->canonical));
    to->reason = slice_copy(&table->arena, answer->reason);
    return to;
}

void dns_table_free(struct dns_table *table)
{
    arena_free(&table->arena);
    table->first = NULL;
    table->count = 0;
    table->n_missing = 0;
}

/* --- rdata --- */

bool dns_text(struct arena *arena, struct slice rdata, struct slice *text_out)
{
    char *text = arena_alloc(arena, rdata.len + 1);
    size_t len = 0;

    if (rdata.len == 0)
        return false;
    while (rdata.len > 0) {
        struct slice part = slice_part(rdata, 1, (unsigned char)rdata.data[0]);

        if (part.len != (unsigned char)rdata.data[0])
            return false;
        if (part.len > 0)
            memcpy(text + len, part.data, part.len);
        len += part.len;
        rdata = slice_from(rdata, 1 + part.len);
    }
    *text_out = slice_make(text, len);
    return true;
}

/* Takes one label off the front of a name that is not compressed; the root's is empty. */
static bool label_next(struct slice *rest, struct slice *label_out)
{
    size_t len = rest->len == 0 ? LABEL_MAX + 1 : (unsigned char)rest->data[0];

    if (len > LABEL_MAX || len >= rest->len)
        return false;
    *label_out = slice_part(*rest, 1, len);
    *rest = slice_from(*rest, 1 + len);
    return true;
}

bool dns_name(struct arena *arena, struct slice rdata, struct slice *name_out)
{
    char *text = arena_alloc(arena, DNS_NAME_SIZE);
    struct slice label;
    size_t len = 0;

    if (rdata.len > WIRE_NAME_MAX)
        return false;
    for (;;) {
        if (!label_next(&rdata, &label) || slice_find(label, '.') >= 0)
            return false;
        if (label.len == 0)
            break;
        if (len > 0)
            text[len++] = '.';
        memcpy(text + len, label.data, label.len);
        len += label.len;
    }
    *name_out = slice_make(text, len);
    return rdata.len == 0 && (len == 0 || is_name(*name_out));
}

bool dns_mx(struct arena *arena, struct slice rdata, unsigned *preference_out,
            struct slice *host_out)
{
    if (rdata.len < 3)
        return false;
    *preference_out = (unsigned)(unsigned char)rdata.data[0] << 8 | (unsigned char)rdata.data[1];
    return dns_name(arena, slice_from(rdata, 2), host_out);
}

bool dns_address(struct slice rdata, char text_out[46])
{
    if (rdata.len != 4 && rdata.len != 16)
        return false;
    return inet_ntop(rdata.len == 4 ? AF_INET : AF_INET6, rdata.data, text_out, 46) != NULL;
}

/* --- reverse names --- */

static size_t reverse_ipv4(const unsigned char bytes[4], char *text_out, size_t size)
{
    return (size_t)snprintf(text_out, size, "%u.%u.%u.%u", bytes[3], bytes[2], bytes[1], bytes[0]);
}

static size_t reverse_ipv6(const unsigned char bytes[16], char *text_out)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;

    for (size_t i = 16; i-- > 0;) {
        text_out[len++] = digits[bytes[i] & 15];
        text_out[len++] = '.';
        text_out[len++] = digits[bytes[i] >> 4];
        text_out[len++] = '.';
    }
    return len - 1;
}

bool dns_reverse_name(struct arena *arena, const char *address, const char *zone,
                      struct slice *name_out)
{
    struct in6_addr bytes;
    char digits[64] = "";
    size_t digits_len, zone_len;
    char *name;

    /* One form of address, in two notations. NOLINTNEXTLINE(bugprone-branch-clone) */
    if (inet_pton(AF_INET, address, bytes.s6_addr + 12) == 1) {
        digits_len = reverse_ipv4(bytes.s6_addr + 12, digits, sizeof(digits));
        zone = zone != NULL ? zone : "in-addr.arpa";
    } else if (inet_pton(AF_INET6, address, &bytes) != 1) {
        return false;
    } else if (IN6_IS_ADDR_V4MAPPED(&bytes)) {
        digits_len = reverse_ipv4(bytes.s6_addr + 12, digits, sizeof(digits));
        zone = zone != NULL ? zone : "in-addr.arpa";
    } else {
        digits_len = reverse_ipv6(bytes.s6_addr, digits);
        zone = zone != NULL ? zone : "ip6.arpa";
    }
    zone_len = strlen(zone);
    name = arena_alloc(arena, digits_len + 1 + zone_len + 1);
    memcpy(name, digits, digits_len);
    name[digits_len] = '.';
    memcpy(name + digits_len + 1, zone, zone_len);
    *name_out = slice_make(name, digits_len + 1 + zone_len);
    return true;
}

/* dmarc_domain.c - which domain a message says it is from, and whose that is (RFC 7489 sections
 * 3.1.3, 3.2 and 6.6.1).
 *
 * The public suffix list is the one that libpsl was built with: constant, so any thread may look.
 */
#include "message/proof/dmarc_private.h"

#include "message/address.h"
#include "message/header.h"

#include <idn2.h>
#include <libpsl.h>
#include <stdlib.h>

#define ADDRESSES_MAX 100 /* of one From; more, and it has no one domain */
#define DOMAIN_MAX    253

/* Lower case, no last dot. */
static struct slice lower(struct arena *arena, struct slice domain)
{
    char *text = slice_text(arena, domain);

    if (domain.len > 0 && text[domain.len - 1] == '.')
        text[--domain.len] = '\0';
    for (size_t i = 0; i < domain.len; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] |= 0x20;
    return slice_make(text, domain.len);
}

static bool is_host(struct slice domain)
{
    struct slice rest = domain, label;

    if (domain.len == 0 || domain.len > DOMAIN_MAX || domain.data[domain.len - 1] == '.')
        return false;
    while (slice_split(&rest, '.', &label)) {
        if (label.len == 0 || label.len > 63)
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", label.data[i]) == NULL)
                return false;
    }
    return true;
}

/* A-labels in lower case; empty: not the name of a host. */
static struct slice to_ascii(struct arena *arena, struct slice domain)
{
    int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
    uint8_t *ascii = NULL;
    char *text = slice_text(arena, domain);

    if (memchr(text, '\0', domain.len) != NULL || domain.len > 4 * DOMAIN_MAX)
        return SLICE("");
    if (slice_ascii_length(domain) < domain.len) {
        if (idn2_lookup_u8((const uint8_t *)text, &ascii, flags) != IDN2_OK)
            return SLICE("");
        domain = slice_copy(arena, slice_of((const char *)ascii));
        idn2_free(ascii);
    }
    domain = lower(arena, domain);
    return is_host(domain) ? domain : SLICE("");
}

/* The one domain of all addresses, groups opened; false when there are several, or one that is no
 * host's. Addresses without a domain do not count. */
static bool add_domains(struct arena *arena, struct slice value, struct slice *domain)
{
    struct address_list list;

    address_list_parse(arena, value, ADDRESSES_MAX, &list);
    if (list.count >= ADDRESSES_MAX)
        return false;
    for (size_t i = 0; i < list.count; i++) {
        struct slice host;

        if (list.items[i].kind != ADDRESS_MAILBOX || list.items[i].domain.len == 0)
            continue;
        host = to_ascii(arena, list.items[i].domain);
        if (host.len == 0 || (domain->len > 0 && !slice_equal(host, *domain)))
            return false;
        *domain = host;
    }
    return true;
}

struct slice dmarc_from(struct arena *arena, struct slice header)
{
    struct slice domain = SLICE("");
    struct header_field field;

    while (header_next(&header, &field))
        if (slice_is(field.name, "From") && !add_domains(arena, field.value, &domain))
            return SLICE("");
    return domain;
}

struct slice dmarc_organisation(struct arena *arena, struct slice domain)
{
    struct slice name = lower(arena, domain);
    const char *organisation;

    if (memchr(name.data, '\0', name.len) != NULL || name.len > DOMAIN_MAX)
        return name;
    organisation = psl_registrable_domain(psl_builtin(), name.data);
    return organisation != NULL ? slice_copy(arena, slice_of(organisation)) : name;
}

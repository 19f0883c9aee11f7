/* dmarc_domain.c - which domain a message says it is from, and whose that is (RFC 7489 sections
 * 3.1.3, 3.2 and 6.6.1).
 *
 * The public suffix list is the one that libpsl was built with: constant, so any thread may look.
 */
#include "message/proof/dmarc_private.h"

#include "message/address.h"
#include "message/header.h"
#include "message/proof/domain.h"

#include <libpsl.h>

#define ADDRESSES_MAX 100 /* of one From; more, and it has no one domain */
#define DOMAIN_MAX    253

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
        host = domain_to_ascii(arena, list.items[i].domain);
        if (host.len == 0 || (domain->len > 0 && !slice_equal(host, *domain)))
            return false;
        *domain = host;
    }
    return true;
}

/* Goes on behind lines that are no field: there are programs that would show a From there. */
static bool next_field(struct slice *rest, struct header_field *field_out)
{
    struct slice line;

    while (!header_next(rest, field_out))
        if (header_end_length(*rest) > 0 || !slice_split(rest, '\n', &line))
            return false;
    return true;
}

struct slice dmarc_from(struct arena *arena, struct slice header)
{
    struct slice domain = SLICE("");
    struct header_field field;

    while (next_field(&header, &field))
        if (slice_is(field.name, "From") && !add_domains(arena, field.value, &domain))
            return SLICE("");
    return domain;
}

struct slice dmarc_organisation(struct arena *arena, struct slice domain)
{
    struct slice name = domain_to_lower(arena, domain);
    const char *organisation;

    if (memchr(name.data, '\0', name.len) != NULL || name.len > DOMAIN_MAX)
        return name;
    organisation = psl_registrable_domain(psl_builtin(), name.data);
    return organisation != NULL ? slice_copy(arena, slice_of(organisation)) : name;
}

/* domain.c - see domain.h. */
#include "message/proof/domain.h"

#include <idn2.h>
#include <stdlib.h>

#define DOMAIN_MAX 253

struct slice domain_to_lower(struct arena *arena, struct slice domain)
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

struct slice domain_to_ascii(struct arena *arena, struct slice domain)
{
    int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
    uint8_t *ascii = NULL;
    char *text = slice_text(arena, domain);

    if (memchr(text, '\0', domain.len) != NULL || domain.len > 4 * DOMAIN_MAX)
        return SLICE("");
    if (!slice_is_ascii(domain)) {
        if (idn2_lookup_u8((const uint8_t *)text, &ascii, flags) != IDN2_OK)
            return SLICE("");
        domain = slice_copy(arena, slice_of((const char *)ascii));
        idn2_free(ascii);
    }
    domain = domain_to_lower(arena, domain);
    return is_host(domain) ? domain : SLICE("");
}

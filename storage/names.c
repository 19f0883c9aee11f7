/* names.c - see names.h. */
#include "storage/names.h"

#include "common/codec.h"
#include "common/mem.h"

#include <idn2.h>
#include <stdlib.h>
#include <uninorm.h>

#define LABEL_MAX 63

/* Letters, digits, hyphens inside; underscores because private networks have them. */
static bool label_valid(struct slice label)
{
    if (label.len == 0 || label.len > LABEL_MAX || label.data[0] == '-' ||
        label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_')
            return false;
    }
    return true;
}

static bool host_valid(struct slice domain)
{
    struct slice rest = domain, label;

    if (domain.len == 0 || domain.len > DOMAIN_MAX || domain.data[domain.len - 1] == '.')
        return false;
    while (slice_split(&rest, '.', &label)) {
        if (!label_valid(label))
            return false;
    }
    return true;
}

/* IDNA 2008 with the mapping of UTS 46, so that capitals and full-width dots work. */
static bool to_ascii(struct slice domain, struct buf *out)
{
    int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
    char *text = slice_strdup(domain);
    uint8_t *ascii = NULL;
    bool ok = idn2_lookup_u8((const uint8_t *)text, &ascii, flags) == IDN2_OK;

    ok = ok && host_valid(slice_of((const char *)ascii));
    if (ok)
        buf_add_lower(out, slice_of((const char *)ascii));
    idn2_free(ascii);
    free(text);
    return ok;
}

bool name_domain(struct slice domain, struct buf *out)
{
    if (slice_is_ascii(domain)) {
        if (!host_valid(domain))
            return false;
        buf_add_lower(out, domain);
        return true;
    }
    return domain.len <= 4 * (size_t)DOMAIN_MAX && memchr(domain.data, '\0', domain.len) == NULL &&
           utf8_valid(domain) && to_ascii(domain, out);
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    }
    return false;
}

bool name_local(struct slice local, struct buf *out)
{
    uint8_t *composed;
    size_t len;

    if (local.len == 0 || local.len > LOCAL_MAX || has_control(local))
        return false;
    if (slice_is_ascii(local)) {
        buf_add_lower(out, local);
        return true;
    }
    if (!utf8_valid(local))
        return false;
    composed = u8_normalize(UNINORM_NFC, (const uint8_t *)local.data, local.len, NULL, &len);
    if (composed == NULL)
        return false;
    buf_add_lower(out, slice_make(composed, len));
    free(composed);
    return true;
}

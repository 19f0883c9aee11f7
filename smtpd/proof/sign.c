/* sign.c - see sign.h. */
#include "smtpd/proof/sign.h"

#include "message/header.h"
#include "message/proof/dmarc.h"
#include "smtpd/policy.h"
#include "smtpd/proof/keyring.h"
#include "storage/directory.h"
#include "storage/names.h"

/* Whether the account may write this From. Our own reports may. */
static bool may_use(struct smtpd *smtpd, struct desk *desk, const struct letter *letter,
                    struct slice header, bool *may_out, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct header_field from;
    struct address_list list = { 0 };

    *may_out = letter->message.account == 0;
    if (*may_out || !header_find(header, "From", &from))
        return true;
    address_list_parse(&arena, from.value, 2, &list);
    if (list.count != 1)
        return true;
    return directory_may_send_as(desk, letter->message.account, list.items[0].local,
                                 list.items[0].domain, policy_separator(smtpd->settings), may_out,
                                 err);
}

/* The reverse path's domain, as keys are stored under it; empty if there is none. */
static struct slice sender_domain(struct arena *arena, struct slice sender)
{
    AUTO(buf_free) struct buf domain = { 0 };
    struct path path;

    if (!path_parse_bare(arena, sender, &path) || !name_domain(path.domain, &domain))
        return (struct slice){ 0 };
    return slice_copy(arena, buf_slice(&domain));
}

static bool choose_domain(struct smtpd *smtpd, struct desk *desk, const struct letter *letter,
                          struct slice header, struct arena *arena, struct slice *domain_out,
                          struct error *err)
{
    bool may;

    if (!may_use(smtpd, desk, letter, header, &may, err))
        return false;
    *domain_out = may ? dmarc_from(arena, header) : sender_domain(arena, letter->message.sender);
    return true;
}

static bool add_signatures(const struct key_set *set, struct slice domain, struct slice message,
                           struct buf *out, struct error *err)
{
    size_t length = header_length(message);
    struct slice header = slice_part(message, 0, length), body = slice_from(message, length);
    unsigned char hash[32];

    dkim_body_hash(body, hash);
    for (size_t i = 0; i < set->count; i++) {
        const struct dkim_signer signer = ring_key_signer(&set->items[i]);

        if (slice_equal_case(signer.domain, domain) &&
            !dkim_sign_hashed(&signer, header, hash, out, err))
            return false;
    }
    return true;
}

bool sign_letter(struct smtpd *smtpd, struct desk *desk, struct letter *letter, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(key_set_free) struct key_set *set = NULL;
    AUTO(buf_free) struct buf fields = { 0 };
    struct slice message, domain;

    if (!keyring_get(smtpd->keyring, desk, &set, err))
        return false;
    if (set->count == 0)
        return true;
    if (!body_bytes(letter->body, &message, err) ||
        !choose_domain(smtpd, desk, letter, slice_part(message, 0, header_length(message)), &arena,
                       &domain, err))
        return false;
    /* our reports are from the host, which is below its domain: aligned all the same (RFC 7489
     * section 3.1.1) */
    while (letter->message.account == 0 && !key_set_has(set, domain) &&
           slice_find(domain, '.') >= 0)
        domain = slice_from(domain, (size_t)slice_find(domain, '.') + 1);
    if (!key_set_has(set, domain))
        return true;
    if (!add_signatures(set, domain, message, &fields, err))
        return false;
    letter_prepend(letter, buf_slice(&fields));
    return true;
}

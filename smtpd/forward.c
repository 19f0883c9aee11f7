/* forward.c - see forward.h. */
#include "smtpd/forward.h"

#include "common/clock.h"
#include "common/crypto.h"
#include "message/header.h"
#include "message/srs.h"
#include "smtpd/policy.h"
#include "smtpd/proof/keyring.h"
#include "smtpd/session.h"
#include "storage/names.h"

/* The store's secret is for several purposes; this one gets its own. */
static bool srs_secret(struct desk *desk, unsigned char secret_out[32], struct error *err)
{
    unsigned char store[32];

    if (!directory_secret(desk, store, err))
        return false;
    hash_keyed(store, SLICE("srs"), secret_out);
    mem_wipe(store, sizeof(store));
    return true;
}

bool forward_sender(struct desk *desk, struct arena *arena, struct slice sender,
                    struct slice domain, struct slice *reverse_path_out, struct error *err)
{
    AUTO(buf_free) struct buf text = { 0 };
    unsigned char secret[32];
    struct path path;
    struct slice local;
    bool is_ours;

    *reverse_path_out = (struct slice){ 0 };
    if (domain.len == 0 || !path_parse_bare(arena, sender, &path) || path.domain.len == 0)
        return true;
    if (!domain_is_local(desk, path.domain, &is_ours, err))
        return false;
    if (is_ours)
        return true;
    if (!srs_secret(desk, secret, err))
        return false;
    if (srs_forward(secret, time_ms(), arena, path.local, path.domain, &local) != SRS_GOOD)
        return true;
    path_print(local, domain, &text);
    *reverse_path_out = slice_copy(arena, buf_slice(&text));
    return true;
}

/* To the sender of long ago, who may be one of ours by now. */
static bool resolve_back(struct smtp *smtp, struct slice local, struct slice domain,
                         struct resolved *resolved_out, struct error *err)
{
    struct arena *arena = &smtp->call->arena;
    AUTO(buf_free) struct buf address = { 0 };

    if (!directory_resolve(smtp->call->desk, arena, local, domain,
                           policy_separator(smtp->smtpd->settings), resolved_out, err))
        return false;
    if (resolved_out->result != RESOLVE_REMOTE)
        return true;
    path_print(local, domain, &address);
    resolved_out->result = RESOLVE_OK;
    resolved_out->targets = ARENA_NEW(arena, struct resolve_target);
    resolved_out->targets[0].address = slice_copy(arena, buf_slice(&address));
    resolved_out->count = 1;
    return true;
}

bool forward_back(struct smtp *smtp, const struct path *path, bool *is_one_out,
                  struct resolved *resolved_out, const char **verdict_out, struct error *err)
{
    unsigned char secret[32];
    struct slice local, domain;

    *verdict_out = NULL;
    *is_one_out = false;
    if (!slice_starts(path->local, "SRS"))
        return true;
    if (!domain_is_local(smtp->call->desk, path->domain, is_one_out, err))
        return false;
    if (!*is_one_out)
        return true;
    if (!srs_secret(smtp->call->desk, secret, err))
        return false;
    switch (srs_reverse(secret, time_ms(), &smtp->call->arena, path->local, &local, &domain)) {
    case SRS_NONE:
        *is_one_out = false;
        return true;
    case SRS_BAD:
        *verdict_out = "550 5.1.1 This is no return address of ours";
        return true;
    case SRS_EXPIRED:
        *verdict_out = "550 5.1.6 This return address has expired";
        return true;
    case SRS_GOOD:
        break;
    }
    if (smtp->mail.letter->message.sender.len > 0) {
        *verdict_out = "550 5.7.1 This address takes delivery reports only";
        return true;
    }
    return resolve_back(smtp, local, domain, resolved_out, err);
}

static bool is_forwarded(const struct queue_recipient *recipient)
{
    return recipient->account == 0 && recipient->state != QUEUE_ENDED;
}

bool forward_is_wanted(const struct letter *letter)
{
    for (size_t i = 0; i < letter->message.n_recipients; i++)
        if (is_forwarded(&letter->message.recipients[i]))
            return true;
    return false;
}

/* A key of the domain whose address forwards. NULL: there is none. */
static const struct ring_key *choose_key(const struct key_set *set, const struct letter *letter)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf domain = { 0 };
    struct path path;

    for (size_t i = 0; i < letter->message.n_recipients; i++) {
        const struct queue_recipient *to = &letter->message.recipients[i];

        if (!is_forwarded(to))
            continue;
        buf_clear(&domain);
        if (!path_parse_bare(&arena, to->original, &path) || !name_domain(path.domain, &domain))
            continue;
        for (size_t k = 0; k < set->count; k++)
            if (slice_equal_case(set->items[k].domain, buf_slice(&domain)) &&
                set->items[k].algorithm == SIGNATURE_RSA_SHA256) /* RFC 8617 knows no other */
                return &set->items[k];
    }
    return NULL;
}

static bool add_set(const struct ring_key *key, struct letter *letter,
                    const struct seal_facts *facts, struct error *err)
{
    const struct arc_verdict incoming = { .result = facts->chain, .sets = facts->n_sets };
    AUTO(buf_free) struct buf fields = { 0 };
    struct slice message;
    const struct dkim_signer signer = ring_key_signer(key);
    size_t length;

    if (!body_bytes(letter->body, &message, err))
        return false;
    length = header_length(message);
    if (!arc_seal(&signer, &incoming, facts->results, slice_part(message, 0, length),
                  slice_from(message, length), &fields, err))
        return err->kind == ERROR_LIMIT; /* the chain is full: it goes on as it is */
    letter_prepend(letter, buf_slice(&fields));
    return true;
}

bool forward_seal(struct smtpd *smtpd, struct desk *desk, struct letter *letter,
                  const struct seal_facts *facts, struct error *err)
{
    AUTO(key_set_free) struct key_set *set = NULL;
    const struct ring_key *key;

    if (facts->results.len == 0)
        return true;
    if (!keyring_get(smtpd->keyring, desk, &set, err))
        return false;
    key = choose_key(set, letter);
    return key == NULL || add_set(key, letter, facts, err);
}

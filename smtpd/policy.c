/* policy.c - see policy.h. */
#include "smtpd/policy.h"

#include "smtpd/forward.h"
#include "smtpd/remote/way.h"
#include "smtpd/room.h"

#include <stdlib.h>

char policy_separator(const struct settings *settings)
{
    return settings->subaddress_separator[0];
}

bool policy_sender(struct smtp *smtp, const struct path *path, const char **verdict_out,
                   struct error *err)
{
    bool may = true;

    *verdict_out = NULL;
    if (smtp->service != SERVICE_SUBMISSION)
        return true;
    if (smtp->account == 0) {
        *verdict_out = "530 5.7.0 Authentication required";
        return true;
    }
    /* Read receipts have the null sender (RFC 8098 section 3). */
    if (!path->null &&
        !directory_may_send_as(smtp->call->desk, smtp->account, path->local, path->domain,
                               policy_separator(smtp->smtpd->settings), &may, err))
        return false;
    if (!may)
        *verdict_out = "553 5.7.1 You may not send as this address";
    return true;
}

/* "<Postmaster>" without a domain (RFC 5321 section 4.5.1), and bare names from those we trust. */
static bool complete_domain(struct smtp *smtp, const struct path *path, struct slice *domain_out,
                            struct error *err)
{
    struct slice fallback = slice_of(smtp->smtpd->settings->default_domain);
    struct domain_list domains;

    *domain_out = path->domain;
    if (path->domain.len > 0)
        return true;
    if (fallback.len > 0 && (smtp->service != SERVICE_MX || slice_is(path->local, "postmaster"))) {
        *domain_out = fallback;
        return true;
    }
    if (!slice_is(path->local, "postmaster"))
        return true;
    if (!domain_all(smtp->call->desk, &smtp->call->arena, &domains, err))
        return false;
    if (domains.count > 0)
        *domain_out = domains.items[0].name;
    return true;
}

/* Whether the operator's routes refuse the domain; what gets there by an alias is returned. */
static bool is_rejected(const struct smtp *smtp, const struct path *path)
{
    AUTO(buf_free) struct buf address = { 0 };
    char domain[QUEUE_DOMAIN_SIZE];

    buf_fmt(&address, "x@" SLICE_FMT, SLICE_ARG(path->domain));
    queue_domain(buf_slice(&address), domain);
    return way_find(smtp->smtpd->settings->routes, domain).kind == WAY_REJECT;
}

static const char *verdict_of_remote(const struct smtp *smtp, const struct path *path)
{
    if (smtp->service != SERVICE_SUBMISSION)
        return "550 5.7.1 We do not relay for you";
    return is_rejected(smtp, path) ? "550 5.7.1 This server takes no mail for the domain" : NULL;
}

static const char *verdict_of(const struct smtp *smtp, const struct path *path,
                              const struct resolved *resolved)
{
    switch (resolved->result) {
    case RESOLVE_OK:
        return NULL;
    case RESOLVE_REMOTE:
        return verdict_of_remote(smtp, path);
    case RESOLVE_UNKNOWN:
        return "550 5.1.1 No such user here";
    case RESOLVE_DISABLED:
        return "550 5.2.1 This mailbox is disabled";
    case RESOLVE_LOOP:
        return "550 5.4.6 The aliases of this address lead nowhere";
    }
    abort();
}

static const char *verdict_of_room(enum room_state state)
{
    switch (state) {
    case ROOM_ENOUGH:
        return NULL;
    case ROOM_FULL:
        return "452 4.2.2 Mailbox is full";
    case ROOM_NEVER:
        return "552 5.2.2 Message is larger than the mailbox may be";
    }
    abort();
}

/* Refused only when nobody among the targets has room; postmaster's mail is never refused. */
static bool check_room(struct smtp *smtp, const struct path *path, uint64_t size,
                       const struct resolved *resolved, const char **verdict_out, struct error *err)
{
    enum room_state state = ROOM_ENOUGH;

    if (slice_is(path->local, "postmaster"))
        return true;
    for (size_t i = 0; i < resolved->count; i++) {
        if (resolved->targets[i].account == 0)
            return true;
        if (!room_for(smtp->smtpd->room, smtp->call->desk, resolved->targets[i].account, size,
                      &state, err))
            return false;
        if (state == ROOM_ENOUGH)
            return true;
    }
    *verdict_out = verdict_of_room(state);
    return true;
}

bool policy_message(struct smtp *smtp, const struct queue_message *message,
                    const char **verdict_out, struct error *err)
{
    enum room_state state = ROOM_ENOUGH;

    *verdict_out = NULL;
    for (size_t i = 0; i < message->n_recipients; i++) {
        const struct queue_recipient *recipient = &message->recipients[i];

        if (recipient->state == QUEUE_ENDED)
            continue;
        if (recipient->account == 0 || slice_starts(recipient->original, "postmaster"))
            return true;
        if (!room_for(smtp->smtpd->room, smtp->call->desk, recipient->account, message->size,
                      &state, err))
            return false;
        if (state == ROOM_ENOUGH)
            return true;
    }
    *verdict_out = verdict_of_room(state);
    return true;
}

bool policy_recipient(struct smtp *smtp, const struct path *path, uint64_t size,
                      struct resolved *resolved_out, const char **verdict_out, struct error *err)
{
    struct slice domain;
    bool is_return_path;

    *verdict_out = NULL;
    if (!complete_domain(smtp, path, &domain, err))
        return false;
    if (domain.len == 0) {
        *verdict_out = "550 5.1.3 Recipient address needs a domain";
        return true;
    }
    if (!forward_back(smtp, path, &is_return_path, resolved_out, verdict_out, err))
        return false;
    if (is_return_path) {
        if (*verdict_out == NULL)
            *verdict_out = verdict_of(smtp, path, resolved_out);
        return true;
    }
    if (!directory_resolve(smtp->call->desk, &smtp->call->arena, path->local, domain,
                           policy_separator(smtp->smtpd->settings), resolved_out, err))
        return false;
    *verdict_out = verdict_of(smtp, path, resolved_out);
    return *verdict_out != NULL || check_room(smtp, path, size, resolved_out, verdict_out, err);
}

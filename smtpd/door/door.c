/* door.c - see door.h. */
#include "smtpd/door/door.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/networks.h"
#include "smtpd/session.h"
#include "storage/greylist.h"

#include <stdio.h>
#include <stdlib.h>

#define BUCKETS       (16 * 1024)
#define GREYLIST_ROWS 100000
#define LIST_TEXT_MAX 200

bool door_open(const struct settings *settings, struct store *store, struct door **door_out,
               struct error *err)
{
    AUTO(door_free) struct door *door = NEW(struct door);

    if (!door_lists_parse("[door] dnsbl", slice_of(settings->door_dnsbl), &door->dnsbl, err) ||
        !door_lists_parse("[door] dnswl", slice_of(settings->door_dnswl), &door->dnswl, err))
        return false;
    if (settings->door_greylist && !greylist_open(store, GREYLIST_ROWS, &door->greylist, err))
        return false;
    door->connections = rates_new(BUCKETS);
    door->errors = rates_new(BUCKETS);
    *door_out = TAKE(door);
    return true;
}

void door_free(struct door **door_pointer)
{
    struct door *door = TAKE(*door_pointer);

    if (door == NULL)
        return;
    door_lists_free(&door->dnsbl);
    door_lists_free(&door->dnswl);
    rates_free(&door->connections);
    rates_free(&door->errors);
    greylist_close(&door->greylist);
    free(door);
}

void visitor_free(struct visitor *visitor)
{
    dns_table_free(&visitor->dns);
    arena_free(&visitor->arena);
}

/* Whether this client is looked at at all. */
static bool is_watched(const struct smtp *smtp)
{
    const char *address = smtp->call->peer->address;

    return smtp->smtpd->door != NULL && smtp->service == SERVICE_MX &&
           strcmp(address, "unix") != 0 &&
           !networks_contain(slice_of(smtp->smtpd->settings->trusted_networks), address);
}

static const char *print(struct visitor *visitor, const char *format, ...) PRINTF_LIKE(2, 3);

static const char *print(struct visitor *visitor, const char *format, ...)
{
    AUTO(buf_free) struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vfmt(&text, format, args);
    va_end(args);
    return slice_text(&visitor->arena, buf_slice(&text));
}

/* --- connections --- */

static const char *check_rates(struct smtp *smtp)
{
    const struct settings *settings = smtp->smtpd->settings;
    struct door *door = smtp->smtpd->door;
    const char *address = smtp->call->peer->address;
    uint64_t now_ms = clock_ms();
    char network[NETWORK_TEXT];

    rates_network(address, network);
    if (rates_is_over(door->errors, RATES_ADDRESS, address, settings->door_error_rate, now_ms))
        return print(&smtp->visitor, "421 4.7.0 Too many errors from [%s], try again later",
                     address);
    if (!rates_take(door->connections, RATES_ADDRESS, address, settings->door_address_rate, now_ms))
        return print(&smtp->visitor, "421 4.7.0 Too many connections from [%s], try again later",
                     address);
    if (!rates_take(door->connections, RATES_NETWORK, address, settings->door_network_rate, now_ms))
        return print(&smtp->visitor, "421 4.7.0 Too many connections from %s, try again later",
                     network);
    return NULL;
}

uint64_t door_delay_ms(const struct smtp *smtp)
{
    return is_watched(smtp) && !smtp->visitor.has_waited
               ? smtp->smtpd->settings->door_greeting_delay
               : 0;
}

static void log_manners(const struct smtp *smtp, const char *event)
{
    log_info(&smtp->call->log, event, F_STR("peer", smtp->call->peer->address));
}

const char *door_greeting(struct smtp *smtp)
{
    struct visitor *visitor = &smtp->visitor;
    const char *refusal = NULL;

    if (!is_watched(smtp))
        return NULL;
    if (!visitor->has_waited)
        refusal = check_rates(smtp);
    visitor->is_early = smtp->call->in.len > 0;
    if (refusal != NULL || !visitor->is_early)
        return refusal;
    log_manners(smtp, "early talker");
    return smtp->smtpd->settings->door_early_talkers == DOOR_TALKERS_REFUSE
               ? "554 5.5.1 You speak before the greeting"
               : NULL;
}

void door_note_haste(struct smtp *smtp)
{
    if (!is_watched(smtp) || smtp->visitor.is_hasty)
        return;
    smtp->visitor.is_hasty = true;
    log_manners(smtp, "hasty pipelining");
}

void door_note_refusal(struct smtp *smtp, struct slice reply)
{
    if (is_watched(smtp) && slice_starts(reply, "5"))
        (void)rates_take(smtp->smtpd->door->errors, RATES_ADDRESS, smtp->call->peer->address,
                         smtp->smtpd->settings->door_error_rate, clock_ms());
}

/* --- recipients --- */

static bool wants_iprev(const struct settings *settings)
{
    return settings->door_iprev != DOOR_IPREV_OFF || settings->door_greylist;
}

/* Whether the lists refuse the client: with this score, and no list of good ones against it. */
static bool is_refused_by_list(const struct settings *settings, const struct visitor *visitor)
{
    return settings->door_dnsbl_refuse > 0 && visitor->good.zone == NULL &&
           visitor->bad.score >= settings->door_dnsbl_refuse;
}

/* A list's words, made fit for a reply. */
static struct slice clean(struct arena *arena, struct slice text)
{
    char *copy = slice_text(arena, slice_part(text, 0, LIST_TEXT_MAX));

    for (char *byte = copy; *byte != '\0'; byte++)
        if ((unsigned char)*byte < ' ' || (unsigned char)*byte > '~')
            *byte = '?';
    return slice_of(copy);
}

static bool read_list_text(struct visitor *visitor)
{
    const struct dns_answer *answer = dns_get(&visitor->dns, visitor->bad.name, DNS_TXT);
    struct slice text;

    if (answer == NULL)
        return false;
    if (answer->state == DNS_FOUND && dns_text(&visitor->arena, answer->records[0], &text))
        visitor->list_text = clean(&visitor->arena, text);
    return true;
}

const char *door_iprev(const struct smtp *smtp)
{
    return smtp->visitor.is_known && wants_iprev(smtp->smtpd->settings)
               ? iprev_result_name(smtp->visitor.iprev.result)
               : NULL;
}

/* Everything is asked for before anybody waits. */
static bool look_up(struct smtp *smtp)
{
    const struct settings *settings = smtp->smtpd->settings;
    const struct door *door = smtp->smtpd->door;
    struct visitor *visitor = &smtp->visitor;
    const char *address = smtp->call->peer->address;
    bool complete =
        door_lists_check(&door->dnsbl, &visitor->arena, &visitor->dns, address, &visitor->bad);

    complete &=
        door_lists_check(&door->dnswl, &visitor->arena, &visitor->dns, address, &visitor->good);
    if (wants_iprev(settings))
        complete &= iprev_check(&visitor->arena, &visitor->dns, address, &visitor->iprev);
    if (complete && is_refused_by_list(settings, visitor))
        complete = read_list_text(visitor);
    return complete;
}

static void log_look(const struct smtp *smtp)
{
    const struct visitor *visitor = &smtp->visitor;

    log_info(&smtp->call->log, "client", F_STR("peer", smtp->call->peer->address),
             F_STR("iprev", wants_iprev(smtp->smtpd->settings)
                                ? iprev_result_name(visitor->iprev.result)
                                : "none"),
             F_NUM("score", visitor->bad.score),
             F_STR("dnsbl", visitor->bad.zone != NULL ? visitor->bad.zone : ""),
             F_STR("dnswl", visitor->good.zone != NULL ? visitor->good.zone : ""));
}

static const char *verdict_of_lists(struct visitor *visitor, const char *address)
{
    return print(visitor, "550 5.7.1 Client [%s] is listed by %s%s" SLICE_FMT, address,
                 visitor->bad.zone, visitor->list_text.len > 0 ? ": " : "",
                 SLICE_ARG(visitor->list_text));
}

static bool has_no_name(const struct visitor *visitor)
{
    return visitor->iprev.result == IPREV_FAIL || visitor->iprev.result == IPREV_PERMERROR;
}

/* RFC 7372 section 3.3. */
static const char *verdict_of_name(const struct settings *settings, struct visitor *visitor,
                                   const char *address)
{
    if (settings->door_iprev != DOOR_IPREV_TEMPFAIL && settings->door_iprev != DOOR_IPREV_REFUSE)
        return NULL;
    return print(visitor, "%s Client [%s] has no name that leads back to it",
                 settings->door_iprev == DOOR_IPREV_REFUSE ? "550 5.7.25" : "450 4.7.25", address);
}

/* Only clients that look bad are held up. */
static const char *why_greylist(const struct visitor *visitor)
{
    if (visitor->bad.score > 0)
        return "it is in a list of bad clients";
    if (visitor->is_early || visitor->is_hasty)
        return "it does not wait for replies";
    return has_no_name(visitor) ? "it has no name that leads back to it" : NULL;
}

static const char *verdict_of_greylist(struct smtp *smtp, const struct path *path)
{
    const struct settings *settings = smtp->smtpd->settings;
    const char *why = why_greylist(&smtp->visitor);
    AUTO(buf_free) struct buf recipient = { 0 };
    char network[NETWORK_TEXT];
    uint64_t wait_ms = 0;
    struct error err;

    if (smtp->smtpd->door->greylist == NULL || why == NULL)
        return NULL;
    rates_network(smtp->call->peer->address, network);
    path_print(path->local, path->domain, &recipient);
    const struct greylist_triplet triplet = {
        .network = slice_of(network),
        .sender = smtp->mail.letter->message.sender,
        .recipient = buf_slice(&recipient),
        .delay_ms = (int64_t)settings->door_greylist_delay,
        .keep_ms = (int64_t)settings->door_greylist_keep,
        .now_ms = time_ms(),
    };
    if (!greylist_check(smtp->smtpd->door->greylist, &triplet, &wait_ms, &err)) {
        log_failure(&smtp->call->log, &err);
        return NULL;
    }
    if (wait_ms == 0)
        return NULL;
    return print(&smtp->visitor, "451 4.7.1 Client [%s] is greylisted, %s: try again in %llu s",
                 smtp->call->peer->address, why, (unsigned long long)(wait_ms + 999) / 1000);
}

static const char *verdict_of(struct smtp *smtp, const struct path *path)
{
    const struct settings *settings = smtp->smtpd->settings;
    struct visitor *visitor = &smtp->visitor;
    const char *address = smtp->call->peer->address, *verdict = NULL;

    if (visitor->is_hasty && settings->door_early_talkers == DOOR_TALKERS_REFUSE)
        return "550 5.5.0 You do not wait for replies";
    if (visitor->good.zone != NULL)
        return NULL;
    if (is_refused_by_list(settings, visitor))
        return verdict_of_lists(visitor, address);
    if (has_no_name(visitor))
        verdict = verdict_of_name(settings, visitor, address);
    return verdict != NULL ? verdict : verdict_of_greylist(smtp, path);
}

bool door_recipient(struct smtp *smtp, const struct path *path, const char **verdict_out)
{
    struct visitor *visitor = &smtp->visitor;

    *verdict_out = NULL;
    if (!is_watched(smtp) || slice_is(path->local, "postmaster"))
        return true;
    if (!visitor->is_known && !look_up(smtp))
        return false;
    if (!visitor->is_known && visitor->dns.count > 0)
        log_look(smtp);
    visitor->is_known = true;
    *verdict_out = verdict_of(smtp, path);
    return true;
}

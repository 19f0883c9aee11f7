/* door.h - who may come in: checks of clients that bring mail from elsewhere.
 *
 *     connect --rates--> greeting delay --early talker?--> greeting ... RCPT --> known?
 *                                                                        | no: ask the DNS, again
 *                 listed, no name, bad manners, greylisted --> refused <-'
 *
 * All of it is for SERVICE_MX, and not for trusted_networks; mail for postmaster always comes in
 * (RFC 5321 section 4.5.1). What the DNS does not tell refuses nobody. Every refusal says its
 * reason, to the client and in the log.
 *
 * Threads: a door belongs to the process, any thread; a visitor to its session.
 */
#pragma once

#include "message/address.h"
#include "message/proof/iprev.h"
#include "smtpd/door/lists.h"
#include "smtpd/door/rates.h"
#include "storage/settings.h"

struct smtp;
struct greylist;

/* The settings, understood, and what is remembered of clients. */
struct door {
    struct door_lists dnsbl, dnswl;
    struct rates *connections, *errors;
    struct greylist *greylist; /* NULL: off */
};

/* Errors: ERROR_INVALID for a setting; those of greylist_open(). */
bool door_open(const struct settings *settings, struct store *store, struct door **door_out,
               struct error *err) MUST_CHECK;
void door_free(struct door **door);

/* What a session knows of its client. */
struct visitor {
    struct dns_table dns;
    struct arena arena;
    bool is_known; /* all of what follows is final */
    bool has_waited;
    bool is_early, is_hasty; /* spoke before the greeting; did not wait for a reply */
    struct iprev_outcome iprev;
    struct door_listing bad, good;
    struct slice list_text; /* the list's own words */
};

void visitor_free(struct visitor *visitor);

/* Before the greeting. NULL: greet it; else the refusal. A delay is door_delay_ms() of waiting
 * first. */
const char *door_greeting(struct smtp *smtp);
uint64_t door_delay_ms(const struct smtp *smtp);

/* The client has sent more than it may before a reply. */
void door_note_haste(struct smtp *smtp);

/* RCPT. False: answers of the DNS are missing in the visitor's table. *verdict_out: the refusal, or
 * NULL. */
bool door_recipient(struct smtp *smtp, const struct path *path, const char **verdict_out);

/* The result of iprev; NULL: nobody has looked. */
const char *door_iprev(const struct smtp *smtp);

/* A reply that refused something; it is counted. */
void door_note_refusal(struct smtp *smtp, struct slice reply);

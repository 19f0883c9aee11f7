/* proof.h - what can be proved of a message that came from another server: SPF, DKIM, ARC and
 * DMARC, one after the other, and what follows from it.
 *
 *     proof_new --> proof_check --missing--> fetch proof_table() --> proof_check ... --> verdict
 *
 * DNS failures never refuse a message: what could not be looked up is told in
 * Authentication-Results, and counts as not proved.
 *
 * Threads: a worker. The facts' slices must stay until proof_free().
 */
#pragma once

#include "message/proof/results.h"
#include "smtpd/smtpd.h"

struct proof;

struct proof_facts {
    const struct settings *settings;
    const char *address; /* the client's */
    struct slice helo, sender;
    const char *iprev;         /* the result; NULL: nobody has looked */
    struct slice header, body; /* as they came */
    int64_t now_s;
    unsigned chance; /* 0..99, for DMARC's pct= */
};

enum proof_verdict {
    PROOF_ACCEPT,
    PROOF_JUNK,   /* into Junk */
    PROOF_REFUSE, /* with proof_reply() */
};

struct proof *proof_new(const struct proof_facts *facts);
void proof_free(struct proof **proof);

/* False: answers are missing in the table. */
bool proof_check(struct proof *proof);
struct dns_table *proof_table(struct proof *proof);

/* The DNS takes too long: what is missing now has failed. */
void proof_give_up(struct proof *proof);

/* After proof_check(). */
enum proof_verdict proof_verdict(const struct proof *proof);
const char *proof_reply(const struct proof *proof);             /* "550 5.7.1 ..." */
const struct results *proof_results(const struct proof *proof); /* also for ARC and the log */
/* Whether somebody has sealed it whom the operator trusts to have looked at it (ARC). */
bool proof_is_vouched_for(const struct proof *proof);
void proof_print(const struct proof *proof,
                 struct buf *out); /* "Authentication-Results: ...\r\n" */

/* forward.h - mail for one of ours whose alias leads to another server.
 *
 * It leaves with a reverse path of ours (message/srs.h), since SPF would refuse that of its sender,
 * and with an ARC seal (RFC 8617) that tells what its origin looked like here. Reports that come
 * back for such a reverse path go on to the sender.
 *
 * Threads: a worker with its desk.
 */
#pragma once

#include "message/proof/arc.h"
#include "smtpd/letter.h"
#include "smtpd/smtpd.h"
#include "storage/directory.h"

struct smtp;

/* What an ARC seal tells of a message as it came. */
struct seal_facts {
    enum arc_result chain;
    unsigned n_sets;
    struct slice results; /* as in Authentication-Results; empty: nothing was checked */
};

/* The reverse path for what is forwarded by an address in `domain`, one of ours; empty: the sender
 * itself, who may stay because it is one of us, or nobody. Lives in the arena. */
bool forward_sender(struct desk *desk, struct arena *arena, struct slice sender,
                    struct slice domain, struct slice *reverse_path_out,
                    struct error *err) MUST_CHECK;

/* RCPT TO such a reverse path: *is_one_out, and then where it leads, or why not (verdict). */
bool forward_back(struct smtp *smtp, const struct path *path, bool *is_one_out,
                  struct resolved *resolved_out, const char **verdict_out,
                  struct error *err) MUST_CHECK;

/* Whether any of the letter's recipients is forwarded. */
bool forward_is_wanted(const struct letter *letter);

/* Adds an ARC set to the letter's trace lines, with the first key of the domain whose address
 * forwards; nothing without a key, and where nothing was checked. */
bool forward_seal(struct smtpd *smtpd, struct desk *desk, struct letter *letter,
                  const struct seal_facts *facts, struct error *err) MUST_CHECK;

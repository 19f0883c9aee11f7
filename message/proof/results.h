/* results.h - Authentication-Results (RFC 8601): written by us, removed where somebody else has
 * written them in our name.
 *
 * Pure.
 */
#pragma once

#include "message/proof/arc.h"
#include "message/proof/dmarc.h"

/* What is known of one message. Pointers may be NULL: not checked. */
struct results {
    struct slice authserv_id; /* our host name */
    struct slice login;       /* auth=pass; empty: no login */
    const struct spf_outcome *spf_helo, *spf_sender;
    struct slice helo, sender;
    const char *iprev;   /* "pass", "fail", "temperror", "permerror"; NULL */
    const char *address; /* the client's, policy.iprev */
    const struct dkim_verdict *dkim;
    size_t n_dkim;
    bool dkim_checked; /* with n_dkim 0: "dkim=none" */
    const struct dmarc_outcome *dmarc;
    struct slice from_domain;
    const struct arc_verdict *arc;
};

/* "mx.example.org; spf=pass smtp.mailfrom=...; ...", folded; without name and last CRLF. "none"
 * when nothing has been checked. For the null sender spf_sender is printed as that of HELO. */
void results_print(const struct results *results, struct buf *out);

/* Copies a header (with its empty line) without the Authentication-Results fields that bear our
 * authserv-id, however they are written (comments, case, folding; RFC 8601 section 5). Returns how
 * many were left out; with 0 nothing is appended. */
size_t results_remove(struct slice header, struct slice authserv_id, struct buf *out);

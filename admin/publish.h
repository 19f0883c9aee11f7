/* publish.h - what a domain has to have in the DNS, as records.
 *
 *     store, settings, certificate --publication_gather()--> records --> zone file, JSON, or a
 *                                                                        comparison (advice.h)
 *
 * Everything lives in the tool's arena.
 */
#pragma once

#include "admin/tool.h"
#include "storage/keys.h"

enum record_kind {
    RECORD_ADDRESS, /* A and AAAA of the host */
    RECORD_MX,
    RECORD_SPF,
    RECORD_DKIM,
    RECORD_DMARC,
    RECORD_STS,    /* RFC 8461 section 3.1 */
    RECORD_TLSRPT, /* RFC 8460 section 3 */
    RECORD_TLSA,   /* RFC 7672 */
    RECORD_SRV,    /* RFC 6186, 8314 */
};

struct record {
    enum record_kind kind;
    bool needed;        /* mail suffers without it; others are good to have */
    struct slice name;  /* without a last dot */
    const char *type;   /* "TXT" */
    struct slice value; /* TXT: the whole text; else as in a zone file, names with a last dot */
    const char *why;    /* one line for people */
    const struct signing_key *key; /* DKIM */
};

struct publication {
    struct slice domain, host; /* as A-labels */
    struct record *records;
    size_t count;
    struct key_list keys;
    struct slice policy_file; /* what https://mta-sts.DOMAIN/.well-known/mta-sts.txt must say */
    const char *certificate_problem; /* why there is no TLSA record; or NULL */
    int64_t certificate_expires_s;   /* 0: there is none */
    bool certificate_is_for_host;
};

/* `sts_mode`: "testing", "enforce", "none". */
bool publication_gather(struct tool *tool, struct slice domain, const char *sts_mode,
                        struct publication *out) MUST_CHECK;

/* The port of the first address of a listener ([listen] imaps), 0 when there is none. */
unsigned publication_port(const char *addresses);

/* One record as a line of a zone file, TXT in strings of 255 bytes at most (RFC 1035). */
void record_print(const struct record *record, struct buf *out);

/* Prints the DKIM records of the domain's keys in this state, or in all (0); as JSON with --json.
 */
bool publish_keys(struct tool *tool, struct slice domain, enum key_state state) MUST_CHECK;

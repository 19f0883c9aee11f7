/* publish.c - what there is to publish of a domain (see publish.h). */
#include "admin/publish.h"

#include "admin/output.h"
#include "common/crypto.h"
#include "common/tls_certificate.h"
#include "message/proof/dkim.h"
#include "storage/names.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORDS_MAX 300
#define STS_MAX_AGE 604800 /* RFC 8461 section 3.2: weeks; short while it is new */

/* What the pieces below add to. */
struct gathering {
    struct tool *tool;
    struct arena *arena;
    struct publication *out;
};

static void add_record(struct gathering *g, const struct record *record)
{
    if (g->out->count < RECORDS_MAX)
        g->out->records[g->out->count++] = *record;
}

PRINTF_LIKE(2, 3)
static struct slice text_of(struct gathering *g, const char *format, ...)
{
    AUTO(buf_free) struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vfmt(&text, format, args);
    va_end(args);
    return slice_copy(g->arena, buf_slice(&text));
}

/* "prefix.domain" */
static struct slice under(struct gathering *g, const char *prefix, struct slice domain)
{
    return text_of(g, "%s." SLICE_FMT, prefix, SLICE_ARG(domain));
}

/* --- the host --- */

/* Addresses that others can reach: not of the machine itself, its link or a private network. */
static bool is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        uint32_t ip = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);

        return ip >> 24 != 127 && ip >> 24 != 10 && ip >> 20 != 0xac1 && ip >> 16 != 0xc0a8 &&
               ip >> 16 != 0xa9fe && ip >> 22 != 0x191;
    }
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *ip = &((const struct sockaddr_in6 *)address)->sin6_addr;

        return ip->s6_addr[0] >> 5 == 1; /* 2000::/3 */
    }
    return false;
}

static void add_address(struct gathering *g, const struct sockaddr *address)
{
    bool is_v6 = address->sa_family == AF_INET6;
    const void *bytes = is_v6 ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                              : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    char text[INET6_ADDRSTRLEN];

    inet_ntop(address->sa_family, bytes, text, sizeof(text));
    add_record(g, &(struct record){ .kind = RECORD_ADDRESS,
                                    .needed = true,
                                    .name = g->out->host,
                                    .type = is_v6 ? "AAAA" : "A",
                                    .value = text_of(g, "%s", text),
                                    .why = "the host's address; its reverse name (PTR) must be the "
                                           "host's name" });
}

static void add_addresses(struct gathering *g)
{
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
        if (one->ifa_addr != NULL && (one->ifa_flags & IFF_UP) != 0 && is_public(one->ifa_addr))
            add_address(g, one->ifa_addr);
    freeifaddrs(all);
}

/* --- who may send --- */

static void add_spf(struct gathering *g)
{
    add_record(g, &(struct record){ .kind = RECORD_SPF,
                                    .needed = true,
                                    .name = g->out->domain,
                                    .type = "TXT",
                                    .value = SLICE("v=spf1 mx -all"),
                                    .why = "only this machine sends mail of the domain; add others "
                                           "that do before -all" });
    if (!slice_equal(g->out->host, g->out->domain))
        add_record(g,
                   &(struct record){ .kind = RECORD_SPF,
                                     .name = g->out->host,
                                     .type = "TXT",
                                     .value = SLICE("v=spf1 a -all"),
                                     .why = "the same for the host's name, which bounces bear" });
}

static enum signature_algorithm algorithm_of(const struct signing_key *key)
{
    return slice_is(key->algorithm, "rsa-sha256") ? SIGNATURE_RSA_SHA256 : SIGNATURE_ED25519_SHA256;
}

static bool print_key(const struct signing_key *key, struct buf *out, struct error *err)
{
    AUTO(private_key_free) struct private_key *private_key = NULL;

    return (private_key_read(key->pem, &private_key, err) &&
            dkim_key_record(private_key, algorithm_of(key), out, err)) ||
           error_wrap(err, "key " SLICE_FMT " of " SLICE_FMT, SLICE_ARG(key->selector),
                      SLICE_ARG(key->domain));
}

static const char *why_key(enum key_state state)
{
    switch (state) {
    case KEY_WAITING:
        return "DKIM key, not seen in the DNS yet: signs when it is";
    case KEY_ACTIVE:
        return "DKIM key, signing";
    case KEY_RETIRED:
        return "DKIM key, signs no more: leave it for mail that is under way";
    }
    return "DKIM key";
}

static bool add_key(struct gathering *g, const struct signing_key *key)
{
    AUTO(buf_free) struct buf value = { 0 };

    if (!print_key(key, &value, &g->tool->err))
        return false;
    add_record(g,
               &(struct record){ .kind = RECORD_DKIM,
                                 .needed = key->state != KEY_RETIRED,
                                 .name = text_of(g, SLICE_FMT "._domainkey." SLICE_FMT,
                                                 SLICE_ARG(key->selector), SLICE_ARG(key->domain)),
                                 .type = "TXT",
                                 .value = slice_copy(g->arena, buf_slice(&value)),
                                 .why = why_key(key->state),
                                 .key = key });
    return true;
}

static bool add_keys(struct gathering *g)
{
    struct key_list *keys = &g->out->keys;

    if (!keys_all(g->tool->desk, g->arena, g->out->domain, keys, &g->tool->err))
        return false;
    for (size_t i = 0; i < keys->count; i++)
        if (!add_key(g, &keys->items[i]))
            return false;
    return true;
}

static void add_dmarc(struct gathering *g)
{
    add_record(g, &(struct record){
                      .kind = RECORD_DMARC,
                      .needed = true,
                      .name = under(g, "_dmarc", g->out->domain),
                      .type = "TXT",
                      .value = text_of(g, "v=DMARC1; p=none; rua=mailto:postmaster@" SLICE_FMT,
                                       SLICE_ARG(g->out->domain)),
                      .why = "what others do with mail that is not ours; when `postane dmarc "
                             "report` shows nothing amiss: p=quarantine, then p=reject",
                  });
}

/* --- TLS for mail to us --- */

/* RFC 8461 sections 3.1, 3.2. The id must change with the policy, so it is made of it. */
static void add_sts(struct gathering *g, const char *mode)
{
    unsigned char hash[SHA256_SIZE];
    char id[17];

    g->out->policy_file =
        text_of(g, "version: STSv1\r\nmode: %s\r\nmx: " SLICE_FMT "\r\nmax_age: %d\r\n", mode,
                SLICE_ARG(g->out->host), STS_MAX_AGE);
    sha256(g->out->policy_file, hash);
    for (size_t i = 0; i < 8; i++)
        snprintf(id + 2 * i, 3, "%02x", hash[i]);
    add_record(g, &(struct record){ .kind = RECORD_STS,
                                    .name = under(g, "_mta-sts", g->out->domain),
                                    .type = "TXT",
                                    .value = text_of(g, "v=STSv1; id=%s", id),
                                    .why = "MTA-STS: there is a policy file (below); the id must "
                                           "change when that does" });
    add_record(g, &(struct record){
                      .kind = RECORD_TLSRPT,
                      .name = under(g, "_smtp._tls", g->out->domain),
                      .type = "TXT",
                      .value = text_of(g, "v=TLSRPTv1; rua=mailto:postmaster@" SLICE_FMT,
                                       SLICE_ARG(g->out->domain)),
                      .why = "others tell when TLS to this machine does not work for them",
                  });
}

static void add_tlsa(struct gathering *g)
{
    AUTO(buf_free) struct buf value = { 0 };
    struct publication *out = g->out;
    struct certificate certificate;
    struct error err;

    if (g->tool->settings.certificate[0] == '\0') {
        out->certificate_problem = "no certificate is configured ([tls] certificate)";
        return;
    }
    if (!certificate_read(g->tool->settings.certificate, slice_text(g->arena, out->host),
                          &certificate, &err)) {
        out->certificate_problem = slice_text(g->arena, slice_of(err.text));
        return;
    }
    out->certificate_expires_s = certificate.expires_s;
    out->certificate_is_for_host = certificate.is_for_host;
    buf_add_text(&value, "3 1 1 ");
    for (size_t i = 0; i < sizeof(certificate.key_sha256); i++)
        buf_fmt(&value, "%02x", certificate.key_sha256[i]);
    add_record(g, &(struct record){ .kind = RECORD_TLSA,
                                    .name = under(g, "_25._tcp", out->host),
                                    .type = "TLSA",
                                    .value = slice_copy(g->arena, buf_slice(&value)),
                                    .why = "DANE: only in a zone signed with DNSSEC; keep the "
                                           "certificate's key when it is renewed" });
}

/* --- for mail programs --- */

unsigned publication_port(const char *addresses)
{
    struct slice rest = slice_trim(slice_of(addresses)), first = { 0 };
    uint64_t port;

    if (rest.len == 0 || !slice_split(&rest, ' ', &first) ||
        !slice_number(slice_from(first, (size_t)(slice_find_last(first, ':') + 1)), 65535, &port))
        return 0;
    return (unsigned)port;
}

static void add_service(struct gathering *g, const char *name, const char *addresses,
                        const char *why)
{
    unsigned port = publication_port(addresses);

    if (port != 0)
        add_record(g, &(struct record){ .kind = RECORD_SRV,
                                        .name = under(g, name, g->out->domain),
                                        .type = "SRV",
                                        .value = text_of(g, "0 1 %u " SLICE_FMT ".", port,
                                                         SLICE_ARG(g->out->host)),
                                        .why = why });
}

static void add_services(struct gathering *g)
{
    const struct settings *settings = &g->tool->settings;

    add_service(g, "_submissions._tcp", settings->submissions,
                "where mail programs send, TLS from the start (RFC 8314)");
    add_service(g, "_submission._tcp", settings->submission,
                "where mail programs send, STARTTLS (RFC 6186)");
    add_service(g, "_imaps._tcp", settings->imaps, "where mail programs read (RFC 6186)");
    add_service(g, "_pop3s._tcp", settings->pop3s, "the same with POP3");
}

bool publication_gather(struct tool *tool, struct slice domain, const char *sts_mode,
                        struct publication *out)
{
    AUTO(buf_free) struct buf host = { 0 };
    struct gathering g = { tool, &tool->arena, out };

    *out = (struct publication){ .domain = domain };
    if (!name_domain(slice_of(tool->settings.hostname), &host) ||
        slice_find(buf_slice(&host), '.') < 0)
        return error_set(&tool->err, ERROR_INVALID,
                         "[postane] hostname is \"%s\": others need a full name, like "
                         "mail." SLICE_FMT,
                         tool->settings.hostname, SLICE_ARG(domain));
    out->host = slice_copy(g.arena, buf_slice(&host));
    out->records = ARENA_ARRAY(g.arena, struct record, RECORDS_MAX);
    add_record(&g,
               &(struct record){ .kind = RECORD_MX,
                                 .needed = true,
                                 .name = domain,
                                 .type = "MX",
                                 .value = text_of(&g, "10 " SLICE_FMT ".", SLICE_ARG(out->host)),
                                 .why = "mail for the domain comes to this machine" });
    add_addresses(&g);
    add_spf(&g);
    if (!add_keys(&g))
        return false;
    add_dmarc(&g);
    add_sts(&g, sts_mode);
    add_tlsa(&g);
    add_services(&g);
    return true;
}

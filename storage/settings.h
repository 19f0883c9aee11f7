/* settings.h - everything an operator can set in postane.conf, for all daemons and tools.
 *
 * The table of keys is in settings.c: names, defaults, ranges and help stand there once, and
 * `postane config show` prints them. Defaults are right for a small domain.
 *
 * Threads: read-only after settings_load(). Ownership: settings_free() frees the texts.
 */
#pragma once

#include "common/config.h"
#include "common/daemon.h"
#include "common/log.h"
#include "storage/guard.h"
#include "storage/login.h"
#include "storage/store.h"

struct settings {
    /* [postane] */
    char *data, *hostname, *default_domain, *user;
    uint64_t log_level, log_format, confine;
    /* [listen] */
    char *smtp, *submission, *submissions, *lmtp, *lmtp_unix, *imap, *imaps, *pop3, *pop3s;
    char *proxy_hosts;
    /* [tls] */
    char *certificate, *key, *certificates, *authorities;
    uint64_t outgoing_tls, sts_port;
    bool dane, mta_sts;
    /* [limits] */
    uint64_t workers, memory, handles, sessions, sessions_per_address, idle_imap, idle_pop3;
    uint64_t login_time;
    uint64_t stall, stop, input, quota_bytes, quota_messages, quota_mailboxes, quota_annotations;
    uint64_t recipients_per_hour, recipients_per_day;
    /* [auth] */
    bool plaintext;
    uint64_t hash_memory, hash_passes, hash_workers, scram_iterations, cache, failure_delay;
    uint64_t failures, wait_max, wait_after, ban_after, ban_time, known, forgive, login_history;
    char *exempt;
    /* [smtp] */
    uint64_t message_size, recipients, errors, hops, command_timeout, data_timeout, backlog;
    uint64_t bare_newline, retry_first, retry_last, give_up, deliveries, deliveries_per_site;
    uint64_t connect_timeout, reply_timeout, data_reply_timeout, end_reply_timeout, send_rate;
    uint64_t delay_warning, report_wait;
    char *subaddress_separator, *trusted_networks, *routes, *relay_login, *relay_password;
    uint64_t remote_port, ip_families;
    bool channel_binding;
    /* [dns] */
    char *resolver, *trust_anchor;
    uint64_t dns_timeout;
    /* [door] */
    char *door_dnsbl, *door_dnswl;
    uint64_t door_dnsbl_refuse, door_iprev, door_early_talkers, door_greeting_delay;
    uint64_t door_address_rate, door_network_rate, door_error_rate;
    uint64_t door_greylist_delay, door_greylist_keep;
    bool door_greylist;
    /* [milter] */
    char *milter_servers, *milter_services;
    uint64_t milter_timeout, milter_on_failure;
    /* [proof] */
    bool verify, sign;
    uint64_t dmarc_reject, dmarc_quarantine, spf_fail;
    char *trusted_sealers;
    /* [reports] */
    bool report_dmarc, report_tls;
    char *report_sender;
    uint64_t report_delay;
    /* [imap] */
    uint64_t literal, command_size, search_slice, sort_memory, change_slice, snapshots, annotation,
        progress;
    uint64_t shared_seen;
    uint64_t message_limit, save_limit;
    bool relaxed_flags, literal_minus, search_index;
    char *admin, *comment, *operators;
    /* [pop3] */
    uint64_t pop3_expire;
    /* [storage] */
    uint64_t inline_max;
};

enum { BARE_NEWLINE_REFUSE, BARE_NEWLINE_FIX };
enum { CONFINE_YES, CONFINE_FATAL, CONFINE_NO };
enum { OUTGOING_TLS_ANY, OUTGOING_TLS_ENCRYPT, OUTGOING_TLS_VERIFY };
enum { DOOR_IPREV_OFF, DOOR_IPREV_LOG, DOOR_IPREV_TEMPFAIL, DOOR_IPREV_REFUSE };
enum { DOOR_TALKERS_LOG, DOOR_TALKERS_REFUSE };
enum { MILTER_FAILURE_TEMPFAIL, MILTER_FAILURE_ACCEPT };
enum { SHARED_SEEN_SHARED, SHARED_SEEN_PRIVATE };
enum { PROOF_ACTION_ACCEPT, PROOF_ACTION_JUNK, PROOF_ACTION_REFUSE };

/* `path` NULL: $POSTANE_CONFIG, else /etc/postane/postane.conf if it exists, else defaults. */
bool settings_load(const char *path, struct settings *settings, struct error *err) MUST_CHECK;
void settings_print(const struct settings *settings, bool json, struct buf *out);
void settings_free(struct settings *settings);

/* The parts of it that the libraries take. */
struct store_options settings_store(const struct settings *settings, const char *daemon);
struct guard_options settings_guard(const struct settings *settings);
struct login_options settings_login(const struct settings *settings, struct login_cache *cache);

/* Fills what all daemons have alike: TLS files, workers, limits, timeouts. `idle_ms`: the
 * protocol's own. */
void settings_daemon(const struct settings *settings, uint64_t idle_ms, struct daemon *daemon);

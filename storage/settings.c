/* settings.c - the table of all keys. A new setting is a field in settings.h and a row here. */
#include "storage/settings.h"

#include "common/networks.h"
#include "storage/names.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define KEY_(section, name, type, field, fallback, min, max, choices, help)                        \
    {                                                                                              \
        section, name, type, offsetof(struct settings, field), fallback, min, max, choices, help   \
    }
#define TEXT(section, name, field, fallback, help)                                                 \
    KEY_(section, name, CONFIG_TEXT, field, fallback, 0, 0, NULL, help)
#define SECRET(section, name, field, help)                                                         \
    KEY_(section, name, CONFIG_SECRET, field, "", 0, 0, NULL, help)
#define BOOL(section, name, field, fallback, help)                                                 \
    KEY_(section, name, CONFIG_BOOL, field, fallback, 0, 0, NULL, help)
#define NUMBER(section, name, field, fallback, min, max, help)                                     \
    KEY_(section, name, CONFIG_NUMBER, field, fallback, min, max, NULL, help)
#define SIZE(section, name, field, fallback, min, max, help)                                       \
    KEY_(section, name, CONFIG_SIZE, field, fallback, min, max, NULL, help)
#define DURATION(section, name, field, fallback, min, max, help)                                   \
    KEY_(section, name, CONFIG_DURATION, field, fallback, min, max, NULL, help)
#define CHOICE(section, name, field, fallback, choices, help)                                      \
    KEY_(section, name, CONFIG_CHOICE, field, fallback, 0, 0, choices, help)

#define KB      1024ull
#define MB      (1024 * KB)
#define GB      (1024 * MB)
#define SECONDS 1000ull
#define MINUTES (60 * SECONDS)
#define HOURS   (60 * MINUTES)
#define DAYS    (24 * HOURS)

/* Of one open account: three databases with their logs and locks; and of all else but sessions. */
#define HANDLE_DESCRIPTORS 8
#define OTHER_DESCRIPTORS  256

static const struct config_key keys[] = {
    TEXT("postane", "data", data, "/var/lib/postane", "Directory of all mail and accounts."),
    TEXT("postane", "hostname", hostname, "",
         "Name in greetings and trace headers; empty: the machine's own."),
    TEXT("postane", "default_domain", default_domain, "",
         "Domain of logins that are a bare local part; empty: logins are full addresses."),
    TEXT("postane", "user", user, "postane",
         "System user of the daemons, when `postane serve` is started as root."),
    CHOICE("postane", "log_level", log_level, "info", "error|warn|info|debug",
           "How much is logged."),
    CHOICE("postane", "log_format", log_format, "logfmt", "logfmt|json",
           "Form of the log's lines."),
    CHOICE("postane", "confine", confine, "yes", "yes|fatal|no",
           "Whether the daemons give up what they do not need: system calls that are not on their "
           "list (they fail, or end the daemon with fatal), and all files but their data, their "
           "certificates and the system's libraries and tables."),

    TEXT("listen", "smtp", smtp, "0.0.0.0:25 [::]:25",
         "Addresses for mail from other servers; blanks between several, empty for none."),
    TEXT("listen", "submission", submission, "0.0.0.0:587 [::]:587",
         "Addresses for mail from users, STARTTLS."),
    TEXT("listen", "submissions", submissions, "0.0.0.0:465 [::]:465",
         "Addresses for mail from users, TLS from the start."),
    TEXT("listen", "lmtp", lmtp, "", "Addresses for LMTP; it trusts whoever may connect."),
    TEXT("listen", "lmtp_unix", lmtp_unix, "", "Path of a unix socket for LMTP."),
    TEXT("listen", "imap", imap, "0.0.0.0:143 [::]:143", "Addresses for IMAP, STARTTLS."),
    TEXT("listen", "imaps", imaps, "0.0.0.0:993 [::]:993", "Addresses for IMAP over TLS."),
    TEXT("listen", "pop3", pop3, "0.0.0.0:110 [::]:110", "Addresses for POP3, STLS."),
    TEXT("listen", "pop3s", pop3s, "0.0.0.0:995 [::]:995", "Addresses for POP3 over TLS."),
    TEXT("listen", "proxy_hosts", proxy_hosts, "",
         "Networks of proxies (HAProxy): their connections begin with a PROXY header, version 1 or "
         "2, that says whose they are."),

    TEXT("tls", "certificate", certificate, "",
         "PEM file with the certificate chain; empty: no TLS is offered."),
    TEXT("tls", "key", key, "", "PEM file with the certificate's private key."),
    TEXT("tls", "certificates", certificates, "",
         "Folder with NAME.crt and NAME.key for further host names (SNI)."),
    TEXT("tls", "authorities", authorities, "",
         "PEM file with the authorities that other servers' certificates may come from; empty: "
         "those of the system."),
    CHOICE("tls", "outgoing", outgoing_tls, "any", "any|encrypt|verify",
           "What mail to other servers needs, where neither they nor a route ask for more: any "
           "(TLS where there is some), encrypt, or verify (a trusted certificate for the host)."),
    BOOL("tls", "dane", dane, "yes", "Follow the TLSA records of other servers (RFC 7672)."),
    BOOL("tls", "mta_sts", mta_sts, "yes",
         "Follow the MTA-STS policies of other domains (RFC 8461)."),
    NUMBER("tls", "sts_port", sts_port, "443", 1, 65535, "Port where MTA-STS policies are."),

    NUMBER("limits", "workers", workers, "8", 1, 256,
           "Worker threads of each daemon; jobs of one account share one."),
    SIZE("limits", "memory", memory, "512M", 32 * MB, 1024 * GB,
         "Memory of one daemon. From three quarters of it on caches and buffers shrink; from seven "
         "eighths on new connections and what would take much are refused with \"later\"."),
    NUMBER("limits", "handles", handles, "256", 8, 65536,
           "Account stores that one daemon keeps open."),
    NUMBER("limits", "sessions", sessions, "20000", 1, 1000000, "Connections to one daemon."),
    NUMBER("limits", "sessions_per_address", sessions_per_address, "200", 1, 1000000,
           "Connections from one address (IPv6: one /64 network) to one daemon."),
    DURATION("limits", "idle_imap", idle_imap, "30m", 30 * MINUTES, DAYS,
             "Silence after which an IMAP session is ended (RFC 3501 asks for 30 minutes)."),
    DURATION("limits", "idle_pop3", idle_pop3, "10m", 10 * MINUTES, DAYS,
             "Silence after which a POP3 session is ended (RFC 1939 asks for 10 minutes)."),
    DURATION("limits", "login_time", login_time, "3m", 1 * SECONDS, HOURS,
             "How long an IMAP or POP3 client may be there without having logged in."),
    DURATION("limits", "stall", stall, "1m", 5 * SECONDS, HOURS,
             "How long a client may take nothing of what we send, or need for a handshake."),
    DURATION("limits", "stop", stop, "10s", 1 * SECONDS, 10 * MINUTES,
             "How long sessions may take to end when the daemon stops."),
    SIZE("limits", "input", input, "64K", 16 * KB, 16 * MB,
         "Input that is read ahead of a session's work."),
    SIZE("limits", "quota_bytes", quota_bytes, "0", 0, UINT64_MAX,
         "Mail one account may keep, where it has no limit of its own; 0: any."),
    NUMBER("limits", "quota_messages", quota_messages, "0", 0, UINT64_MAX,
           "Messages one account may keep, where it has no limit of its own; 0: any."),
    NUMBER("limits", "quota_mailboxes", quota_mailboxes, "10000", 6, 10000,
           "Mailboxes one account may have, where it has no limit of its own."),
    SIZE("limits", "quota_annotations", quota_annotations, "10M", 0, UINT64_MAX,
         "Annotations (IMAP METADATA) one account may keep, where it has no limit of its own; 0: "
         "any."),
    NUMBER("limits", "recipients_per_hour", recipients_per_hour, "300", 0, 100000000,
           "Recipients one account may send to in an hour; past it mail is refused for now and the "
           "log warns of a stolen password; 0: any."),
    NUMBER("limits", "recipients_per_day", recipients_per_day, "1500", 0, 100000000,
           "The same for 24 hours."),

    BOOL("auth", "plaintext", plaintext, "no", "Allow logins without TLS: for tests only."),
    SIZE("auth", "hash_memory", hash_memory, "32M", 8 * KB, 4 * GB,
         "Memory of one Argon2id password check."),
    NUMBER("auth", "hash_passes", hash_passes, "3", 1, 100, "Passes of Argon2id over its memory."),
    NUMBER("auth", "hash_workers", hash_workers, "1", 1, 64,
           "Password checks at the same time: each takes hash_memory."),
    NUMBER("auth", "scram_iterations", scram_iterations, "10000", 4096, 10000000,
           "Iterations of SCRAM-SHA-256 for new passwords."),
    NUMBER("auth", "cache", cache, "4096", 0, 1000000,
           "Right passwords remembered (under a secret that dies with the process)."),
    DURATION("auth", "failure_delay", failure_delay, "2s", 0, MINUTES,
             "How long the answer to a wrong password is held back."),
    NUMBER("auth", "failures", failures, "5", 1, 1000,
           "Wrong passwords after which a connection is closed."),
    NUMBER("auth", "wait_after", wait_after, "3", 1, 1000,
           "Different wrong passwords for one account from one network after which a login there "
           "has to wait before its password is looked at: 1 s, 2 s, 4 s..."),
    DURATION("auth", "wait_max", wait_max, "15s", 0, MINUTES, "The longest such wait; 0: none."),
    NUMBER("auth", "ban_after", ban_after, "20", 0, 10000,
           "Different wrong passwords from one address (IPv6: one /64), or ten times as many from "
           "one network (/24, /48), after which it is banned, unless somebody has logged in from "
           "there lately; 0: nobody is banned."),
    DURATION("auth", "ban_time", ban_time, "1h", MINUTES, 7 * DAYS,
             "How long, the first time; it doubles up to 7 days."),
    DURATION("auth", "known", known, "30d", HOURS, 365 * DAYS,
             "How long it is remembered where somebody has logged in: nobody there is banned, and "
             "what others do to the account makes no login there wait."),
    DURATION("auth", "forgive", forgive, "1h", MINUTES, 7 * DAYS,
             "After so much time one wrong password less counts."),
    TEXT("auth", "exempt", exempt, "127.0.0.0/8 ::1",
         "Networks that are not banned by themselves: those of a webmail server, for example."),
    DURATION("auth", "login_history", login_history, "90d", DAYS, 3650 * DAYS,
             "How long the logins of an account are listed (`postane account logins`)."),

    SIZE("smtp", "message_size", message_size, "50M", 64 * KB, 4 * GB - 1,
         "Largest message taken."),
    NUMBER("smtp", "recipients", recipients, "1000", 100, 100000, "Recipients of one message."),
    NUMBER("smtp", "errors", errors, "20", 1, 10000,
           "Refused or wrong commands after which a connection is closed."),
    NUMBER("smtp", "hops", hops, "50", 10, 1000, "Received lines that make a loop."),
    BOOL("smtp", "channel_binding", channel_binding, "no",
         "Offer SCRAM-SHA-256-PLUS to users who send mail; mutt and neomutt choose it and fail."),
    DURATION("smtp", "command_timeout", command_timeout, "5m", 10 * SECONDS, HOURS,
             "Silence between commands."),
    DURATION("smtp", "data_timeout", data_timeout, "3m", 10 * SECONDS, HOURS,
             "Silence within a message."),
    NUMBER("smtp", "backlog", backlog, "100000", 100, 100000000,
           "Recipients that may wait in the queue; past it mail is refused for now."),
    CHOICE("smtp", "bare_newline", bare_newline, "refuse", "refuse|fix",
           "What to do with a bare CR or LF in a message."),
    TEXT("smtp", "subaddress_separator", subaddress_separator, "+",
         "Character between user and tag in user+tag@domain; empty: none."),
    TEXT("smtp", "trusted_networks", trusted_networks, "127.0.0.0/8 ::1",
         "Clients that need not prove who they are: no SPF, DKIM, DMARC and no lists for them."),
    NUMBER("smtp", "deliveries", deliveries, "100", 1, 10000,
           "Connections to other servers at the same time."),
    NUMBER("smtp", "deliveries_per_site", deliveries_per_site, "5", 1, 1000,
           "Connections to the servers of one domain at the same time."),
    DURATION("smtp", "retry_first", retry_first, "1m", 1 * SECONDS, DAYS,
             "Wait before the second try for another server; doubles each time."),
    DURATION("smtp", "retry_last", retry_last, "4h", 1 * SECONDS, 10 * DAYS,
             "Longest wait between tries."),
    DURATION("smtp", "give_up", give_up, "5d", 1 * SECONDS, 30 * DAYS,
             "How long a message that cannot be delivered is tried before it is returned."),
    DURATION("smtp", "connect_timeout", connect_timeout, "30s", 1 * SECONDS, 10 * MINUTES,
             "How long a connection to another server may take to open."),
    DURATION("smtp", "reply_timeout", reply_timeout, "5m", 1 * SECONDS, HOURS,
             "How long another server may need to answer a command (RFC 5321 asks for 5 minutes)."),
    DURATION("smtp", "data_reply_timeout", data_reply_timeout, "2m", 1 * SECONDS, HOURS,
             "The same for DATA (RFC 5321 asks for 2 minutes)."),
    DURATION("smtp", "end_reply_timeout", end_reply_timeout, "10m", 1 * SECONDS, HOURS,
             "The same for the end of the message: giving up early makes duplicates (RFC 5321 asks "
             "for 10 minutes)."),
    SIZE("smtp", "send_rate", send_rate, "1K", 0, MB,
         "A server that takes a message at fewer bytes a second is left, and tried again later; 0: "
         "none is too slow."),
    DURATION("smtp", "delay_warning", delay_warning, "4h", 0, 30 * DAYS,
             "How long it is tried before its sender is told, once, of the delay; 0: never."),
    DURATION("smtp", "report_wait", report_wait, "30s", 0, HOURS,
             "How long a report waits for other recipients of the same message to fail."),
    TEXT("smtp", "routes", routes, "",
         "Where mail for a domain goes, other than to its own servers: "
         "domain=relay:host:port[,encrypt|"
         ",verify][,auth], =lmtp:host:port, =lmtp:/path, =discard, =reject or =direct; blanks "
         "between several, * for any other; "
         "without effect for domains of our own."),
    TEXT("smtp", "relay_login", relay_login, "", "Login at relays whose route says auth."),
    SECRET("smtp", "relay_password", relay_password,
           "The password to it; it is given over TLS only, and only who may read this file knows "
           "it."),
    NUMBER("smtp", "remote_port", remote_port, "25", 1, 65535, "Port of other servers."),
    CHOICE("smtp", "ip_families", ip_families, "auto", "auto|prefer4|only4|only6",
           "How other servers are reached; auto: over IPv6 first, if this machine has an address."),

    TEXT("dns", "resolver", resolver, "",
         "DNS servers to ask (address[@port], blanks between); empty: those of the machine; root: "
         "none, the DNS is asked from its root down."),
    TEXT("dns", "trust_anchor", trust_anchor, "",
         "File with the DS or DNSKEY records that DNSSEC is checked by; empty: those of the root; "
         "none: nothing is checked, and DANE is not used."),
    DURATION("dns", "timeout", dns_timeout, "10s", 1 * SECONDS, MINUTES,
             "How long answers are waited for."),

    TEXT("door", "dnsbl", door_dnsbl, "",
         "DNS lists of bad clients: zone[=127.0.0.2][*weight], blanks between."),
    NUMBER("door", "dnsbl_refuse", door_dnsbl_refuse, "1", 0, 1000000,
           "Sum of weights from which a listed client's mail is refused; 0: never."),
    TEXT("door", "dnswl", door_dnswl, "",
         "DNS lists of good clients, in the same form: whoever is in one is let in."),
    CHOICE("door", "iprev", door_iprev, "off", "off|log|tempfail|refuse",
           "What to do with clients whose address has no name that leads back to it."),
    CHOICE("door", "early_talkers", door_early_talkers, "log", "log|refuse",
           "What to do with clients that speak before the greeting, or before a reply."),
    DURATION("door", "greeting_delay", door_greeting_delay, "0", 0, MINUTES,
             "How long the greeting is held back, to find those."),
    NUMBER("door", "address_rate", door_address_rate, "0", 0, 1000000,
           "Connections a minute from one address; 0: any number."),
    NUMBER("door", "network_rate", door_network_rate, "0", 0, 1000000,
           "Connections a minute from one network (IPv4: /24, IPv6: /64); 0: any number."),
    NUMBER("door", "error_rate", door_error_rate, "0", 0, 1000000,
           "Refused commands a minute after which an address may not connect; 0: any number."),
    BOOL("door", "greylist", door_greylist, "no",
         "Let clients that look bad try again later, once for each sender and recipient."),
    DURATION("door", "greylist_delay", door_greylist_delay, "5m", 1 * SECONDS, DAYS,
             "How long they have to wait."),
    DURATION("door", "greylist_keep", door_greylist_keep, "35d", HOURS, 365 * DAYS,
             "How long it is remembered that they have."),

    TEXT("milter", "servers", milter_servers, "",
         "Filters that messages pass, one after the other: inet:ADDRESS:PORT or unix:/PATH."),
    TEXT("milter", "services", milter_services, "smtp submission",
         "Whose messages pass them: smtp (from other servers), submission, lmtp."),
    DURATION("milter", "timeout", milter_timeout, "30s", 1 * SECONDS, 10 * MINUTES,
             "How long a filter may take for one answer; for all of them, and to look at the whole "
             "message, ten times as long."),
    CHOICE("milter", "on_failure", milter_on_failure, "tempfail", "tempfail|accept",
           "What becomes of a message when a filter cannot be asked or breaks off."),

    BOOL("proof", "verify", verify, "yes",
         "Check SPF, DKIM, ARC and DMARC of mail from other servers."),
    BOOL("proof", "sign", sign, "yes", "Sign mail of our domains with their DKIM keys."),
    CHOICE("proof", "dmarc_reject", dmarc_reject, "refuse", "accept|junk|refuse",
           "What to do with mail that its domain's DMARC policy wants rejected."),
    CHOICE("proof", "dmarc_quarantine", dmarc_quarantine, "junk", "accept|junk|refuse",
           "The same for a policy of quarantine."),
    CHOICE("proof", "spf_fail", spf_fail, "accept", "accept|junk|refuse",
           "The same for mail that SPF forbids and DMARC does not speak for."),
    TEXT("proof", "trusted_sealers", trusted_sealers, "",
         "Domains whose ARC seal counts where mail has changed on its way (blanks between)."),

    BOOL("reports", "dmarc", report_dmarc, "yes",
         "Tell domains that ask for it in their DMARC record what came in their name, once a day."),
    BOOL("reports", "tls", report_tls, "yes",
         "Tell domains that ask for it (TLSRPT) how TLS to their servers went, once a day."),
    TEXT("reports", "sender", report_sender, "",
         "Address that reports come from; empty: postmaster of the first domain here."),
    DURATION("reports", "delay", report_delay, "4h", 0, 12 * HOURS,
             "A day's reports go out at a random moment of so much time after midnight UTC."),

    SIZE("imap", "literal", literal, "50M", 64 * KB, 4 * GB - 1, "Largest message in APPEND."),
    SIZE("imap", "command_size", command_size, "1M", 16 * KB, 64 * MB,
         "Longest command without APPEND's message."),
    NUMBER("imap", "search_slice", search_slice, "2000", 1, 1000000,
           "Messages a SEARCH looks at before others get their turn."),
    SIZE("imap", "sort_memory", sort_memory, "1M", KB, 64 * MB,
         "Keys that a SORT or THREAD holds in memory; of more messages they are in a file without "
         "a name in the data directory's tmp/ while it works."),
    NUMBER("imap", "change_slice", change_slice, "8192", 1, 1000000,
           "Messages that STORE, COPY, MOVE and EXPUNGE change before others have their "
           "turn; of COPY and MOVE at most 2000 are."),
    BOOL("imap", "literal_minus", literal_minus, "no",
         "Announce LITERAL- instead of LITERAL+: what clients send unasked ends at 4096 bytes."),
    BOOL("imap", "search_index", search_index, "yes",
         "Index mail for searching, in the background; takes about a third of its text on disk. "
         "Without it a search reads all messages."),
    DURATION("imap", "progress", progress, "10s", 0, HOURS,
             "How often the client of a long command is told how far it has come (INPROGRESS, RFC "
             "9585)."),
    NUMBER("imap", "message_limit", message_limit, "10000000", 1000, UINT32_MAX,
           "Messages one command works on, except EXPUNGE; of more it takes the newest and says so "
           "(MESSAGELIMIT, RFC 9738)."),
    NUMBER("imap", "save_limit", save_limit, "1000000", 1000, UINT32_MAX,
           "Messages one COPY adds, and one APPEND up to 10000; more are refused. SAVELIMIT "
           "announces the lower of the two."),
    BOOL("imap", "relaxed_flags", relaxed_flags, "no",
         "Answer flag changes before they are synced to disk."),
    CHOICE(
        "imap", "shared_seen", shared_seen, "shared", "shared|private",
        "Whose \\Seen is in mailboxes that are shared: one for all who read them, or everybody's "
        "own."),
    SIZE("imap", "snapshots", snapshots, "48M", 0, 1 * GB,
         "Memory of each worker for what it knows of mailboxes (about 12 bytes a message), so that "
         "SELECT of one again need not read it again. 0: none is kept."),
    SIZE("imap", "annotation", annotation, "64K", 1 * KB, 16 * MB,
         "Longest value of an annotation (METADATA)."),
    TEXT("imap", "admin", admin, "",
         "How users reach you, as a URI such as mailto:postmaster@example.org (METADATA's "
         "/shared/admin)."),
    TEXT("imap", "comment", comment, "", "A note for all users (METADATA's /shared/comment)."),
    TEXT("imap", "operators", operators, "",
         "Addresses of accounts that may see and set everybody's quota (SETQUOTA)."),

    NUMBER("pop3", "expire", pop3_expire, "0", 0, 100000,
           "Days announced as EXPIRE; 0: NEVER. Nothing is removed by it."),

    SIZE("storage", "inline_max", inline_max, "128K", 1 * KB, 1 * MB,
         "Largest body kept inside an account's database; larger ones are files."),
};

/* The machine's name, when the operator gave none. */
static void fill_hostname(struct settings *settings)
{
    char name[256] = "";

    if (settings->hostname[0] != '\0')
        return;
    if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
        strcpy(name, "localhost");
    free(settings->hostname);
    settings->hostname = slice_strdup(slice_of(name));
}

static bool check_hostname(const char *path, const char *hostname, struct error *err)
{
    AUTO(buf_free) struct buf name = { 0 };

    return hostname[0] == '\0' || name_domain(slice_of(hostname), &name) ||
           error_set(err, ERROR_INVALID, "%s: [postane] hostname: \"%s\" is no host name",
                     path != NULL ? path : "defaults", hostname);
}

bool settings_load(const char *path, struct settings *settings, struct error *err)
{
    if (path == NULL)
        path = getenv("POSTANE_CONFIG");
    if (path == NULL && access("/etc/postane/postane.conf", F_OK) == 0)
        path = "/etc/postane/postane.conf";
    if (!config_load(keys, COUNT_OF(keys), path, settings, err))
        return false;
    if (!check_hostname(path, settings->hostname, err))
        return false;
    fill_hostname(settings);
    if ((settings->certificate[0] == '\0') != (settings->key[0] == '\0'))
        return error_set(err, ERROR_INVALID, "%s: [tls] certificate and key need each other",
                         path != NULL ? path : "defaults");
    if (!networks_check(slice_of(settings->proxy_hosts), err))
        return error_wrap(err, "%s: [listen] proxy_hosts", path != NULL ? path : "defaults");
    if (!networks_check(slice_of(settings->trusted_networks), err))
        return error_wrap(err, "%s: [smtp] trusted_networks", path != NULL ? path : "defaults");
    if (!networks_check(slice_of(settings->exempt), err))
        return error_wrap(err, "%s: [auth] exempt", path != NULL ? path : "defaults");
    if (strlen(settings->subaddress_separator) > 1)
        return error_set(err, ERROR_INVALID, "%s: [smtp] subaddress_separator: one character",
                         path != NULL ? path : "defaults");
    return true;
}

void settings_print(const struct settings *settings, bool json, struct buf *out)
{
    config_print(keys, COUNT_OF(keys), settings, json, out);
}

void settings_free(struct settings *settings)
{
    config_free(keys, COUNT_OF(keys), settings);
}

struct store_options settings_store(const struct settings *settings, const char *daemon)
{
    return (struct store_options){
        .path = settings->data,
        .log = { .daemon = daemon },
        .inline_max_bytes = settings->inline_max,
        .handles_per_desk = MAX(settings->handles / settings->workers, 2),
        .limits = { settings->quota_bytes, settings->quota_messages, settings->quota_mailboxes,
                    settings->quota_annotations },
        .relaxed_flags = settings->relaxed_flags,
    };
}

struct guard_options settings_guard(const struct settings *settings)
{
    return (struct guard_options){
        .delay_max_ms = settings->wait_max,
        .free = settings->wait_after,
        .ban_after = settings->ban_after,
        .ban_ms = settings->ban_time,
        .known_ms = settings->known,
        .forgive_ms = settings->forgive,
        .exempt = settings->exempt,
    };
}

struct login_options settings_login(const struct settings *settings, struct login_cache *cache)
{
    return (struct login_options){
        .cache = cache,
        .cost = {
            .memory_bytes = settings->hash_memory,
            .passes = settings->hash_passes,
            .scram_iterations = settings->scram_iterations,
        },
        .default_domain = settings->default_domain,
    };
}

void settings_daemon(const struct settings *settings, uint64_t idle_ms, struct daemon *daemon)
{
    bool has_tls = settings->certificate[0] != '\0';

    daemon->tls = (struct tls_files){
        .certificate = has_tls ? settings->certificate : NULL,
        .key = has_tls ? settings->key : NULL,
        .folder = settings->certificates[0] != '\0' ? settings->certificates : NULL,
    };
    daemon->workers = (unsigned)settings->workers;
    daemon->slow_workers = (unsigned)settings->hash_workers;
    daemon->idle_ms = idle_ms;
    daemon->stall_ms = settings->stall;
    daemon->connect_ms = settings->connect_timeout;
    daemon->stop_ms = settings->stop;
    daemon->input_max = settings->input;
    daemon->descriptors = HANDLE_DESCRIPTORS * settings->handles + OTHER_DESCRIPTORS;
    daemon->max_sessions = settings->sessions;
    daemon->max_per_address = settings->sessions_per_address;
    daemon->proxy_hosts = settings->proxy_hosts;
}

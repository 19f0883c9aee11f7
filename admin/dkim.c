/* dkim.c - `postane dkim`: the signing keys of our domains (see dkim.h).
 *
 * Nothing here asks the DNS: smtpd looks for the keys that wait, and begins to sign with them when
 * it sees them there.
 */
#include "admin/dkim.h"

#include "admin/commands.h"
#include "admin/output.h"
#include "admin/publish.h"
#include "common/clock.h"
#include "common/signature.h"
#include "storage/directory.h"
#include "storage/keys.h"

#include <stdio.h>
#include <time.h>

/* --- making --- */

static bool make_key(enum signature_algorithm algorithm, struct buf *pem_out, struct error *err)
{
    AUTO(private_key_free) struct private_key *key = NULL;

    return private_key_new(algorithm, &key, err) && private_key_print(key, pem_out, err);
}

bool new_keys_make(struct new_keys *keys, struct error *err)
{
    keys->rsa.secret = keys->ed25519.secret = true;
    return make_key(SIGNATURE_RSA_SHA256, &keys->rsa, err) &&
           make_key(SIGNATURE_ED25519_SHA256, &keys->ed25519, err);
}

void new_keys_free(struct new_keys *keys)
{
    buf_free(&keys->rsa);
    buf_free(&keys->ed25519);
}

/* Tries the letters of the day until one is free. */
static bool store_key(struct desk *desk, const struct signing_key *key, char kind, int64_t now_ms,
                      struct error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    time_t now = (time_t)(now_ms / 1000);
    struct signing_key named = *key;
    char selector[48];
    struct tm day;

    gmtime_r(&now, &day);
    for (const char *letter = letters; *letter != '\0'; letter++) {
        snprintf(selector, sizeof(selector), "%c%04d%02d%02d%.*s", kind, day.tm_year + 1900,
                 day.tm_mon + 1, day.tm_mday, letter > letters, letter);
        named.selector = slice_of(selector);
        if (keys_add(desk, &named, err))
            return true;
        if (err->kind != ERROR_EXISTS)
            return false;
    }
    return false;
}

bool new_keys_store(struct desk *desk, struct slice domain, const struct new_keys *keys,
                    int64_t now_ms, struct error *err)
{
    struct signing_key rsa = { .domain = domain,
                               .algorithm = SLICE("rsa-sha256"),
                               .pem = buf_slice(&keys->rsa) };
    struct signing_key ed25519 = { .domain = domain,
                                   .algorithm = SLICE("ed25519-sha256"),
                                   .pem = buf_slice(&keys->ed25519) };

    return store_key(desk, &rsa, 'r', now_ms, err) && store_key(desk, &ed25519, 'e', now_ms, err);
}

/* --- list --- */

static json_t *key_object(const struct signing_key *key)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:I, s:I}", "domain", output_text(key->domain),
                     "selector", output_text(key->selector), "algorithm",
                     output_text(key->algorithm), "state", key_state_name(key->state), "changed_ms",
                     (json_int_t)key->changed_ms, "created_ms", (json_int_t)key->created_ms);
}

enum outcome dkim_list_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "domain", "DOMAIN", COLUMN_PLAIN },         { "selector", "SELECTOR", COLUMN_PLAIN },
        { "algorithm", "ALGORITHM", COLUMN_PLAIN },   { "state", "STATE", COLUMN_PLAIN },
        { "changed_ms", "SINCE (UTC)", COLUMN_TIME },
    };
    struct slice domain = { 0 };
    struct key_list list;
    json_t *rows;

    if (tool_has_argument(tool) && !tool_argument(tool, "DOMAIN", &domain))
        return OUTCOME_USAGE;
    if (!tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || (domain.len > 0 && !tool_domain(tool, domain, &domain)) ||
        !keys_all(tool->desk, &tool->arena, domain, &list, &tool->err))
        return OUTCOME_FAILED;
    rows = json_array();
    for (size_t i = 0; i < list.count; i++)
        json_array_append_new(rows, key_object(&list.items[i]));
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}

/* --- rotate, remove --- */

/* False: keys wait already, and more of them would only be more to publish. */
static bool none_waits(struct tool *tool, struct slice domain)
{
    struct key_list list;

    if (!keys_all(tool->desk, &tool->arena, domain, &list, &tool->err))
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].state == KEY_WAITING)
            return error_set(&tool->err, ERROR_EXISTS,
                             "key " SLICE_FMT " of " SLICE_FMT
                             " still waits to be published (`postane dkim dns " SLICE_FMT
                             "`); --force makes more",
                             SLICE_ARG(list.items[i].selector), SLICE_ARG(domain),
                             SLICE_ARG(domain));
    return true;
}

enum outcome dkim_rotate_command(struct tool *tool)
{
    AUTO(new_keys_free) struct new_keys keys = { 0 };
    bool force = tool_flag(tool, "--force");
    struct slice domain;

    if (!tool_argument(tool, "DOMAIN", &domain) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_domain(tool, domain, &domain) ||
        (!force && !none_waits(tool, domain)) || !new_keys_make(&keys, &tool->err) ||
        !new_keys_store(tool->desk, domain, &keys, time_ms(), &tool->err))
        return OUTCOME_FAILED;
    if (!tool->json)
        printf(
            "Made two new keys. They sign when they have been seen in the DNS; until then the old\n"
            "ones do. Leave the old records where they are. Publish:\n\n");
    return publish_keys(tool, domain, KEY_WAITING) ? OUTCOME_DONE : OUTCOME_FAILED;
}

enum outcome dkim_remove_command(struct tool *tool)
{
    struct slice domain, selector;

    if (!tool_argument(tool, "DOMAIN", &domain) || !tool_argument(tool, "SELECTOR", &selector) ||
        !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_domain(tool, domain, &domain))
        return OUTCOME_FAILED;
    if (!keys_remove(tool->desk, domain, selector, &tool->err)) {
        tool_not_found(tool, "key", selector, "dkim list");
        return OUTCOME_FAILED;
    }
    printf("Removed. Take " SLICE_FMT "._domainkey." SLICE_FMT
           " out of the DNS in a week, when no mail that it has signed is under way any more.\n",
           SLICE_ARG(selector), SLICE_ARG(domain));
    return OUTCOME_DONE;
}

enum outcome dkim_dns_command(struct tool *tool)
{
    struct slice domain;

    if (!tool_argument(tool, "DOMAIN", &domain) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_domain(tool, domain, &domain) || !publish_keys(tool, domain, 0))
        return OUTCOME_FAILED;
    return OUTCOME_DONE;
}

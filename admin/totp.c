/* totp.c - `postane totp`: codes beside the main password (common/totp.h). */
#include "common/totp.h"
#include "admin/commands.h"
#include "admin/output.h"
#include "common/crypto.h"
#include "storage/directory.h"

#include <stdio.h>

static bool find(struct tool *tool, struct slice address, struct account_info *account)
{
    if (!tool_open(tool) || !tool_account(tool, address, account))
        return false;
    return account->argon.len > 0 ||
           error_set(&tool->err, ERROR_DENIED, "the account has no password: nobody logs in");
}

static struct slice domain_of(struct slice address)
{
    return slice_from(address, (size_t)(slice_find_last(address, '@') + 1));
}

/* The URI alone goes to standard output: it may be piped into a program that draws it. */
static void show_key(struct slice key, const struct account_info *account)
{
    AUTO(buf_free) struct buf uri = { .secret = true };

    totp_uri(key, domain_of(account->address), account->address, &uri);
    printf("%s\n", buf_text(&uri));
    fflush(stdout);
    fprintf(stderr, "Show it to an authenticator (as a QR code: | qrencode -t ansiutf8). From now "
                    "on the password\nis the main one with the six digits behind it.\n");
}

enum outcome totp_enable_command(struct tool *tool)
{
    unsigned char key[TOTP_KEY_SIZE];
    struct account_info account;
    struct slice address;
    bool ok;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!find(tool, address, &account))
        return OUTCOME_FAILED;
    if (account.totp_key.len > 0) {
        error_set(&tool->err, ERROR_EXISTS, "it is on already; `postane totp disable` comes first");
        return OUTCOME_FAILED;
    }
    random_bytes(key, sizeof(key));
    ok = account_set_totp(tool->desk, account.id, slice_make(key, sizeof(key)), &tool->err);
    if (ok)
        show_key(slice_make(key, sizeof(key)), &account);
    mem_wipe(key, sizeof(key));
    return ok ? OUTCOME_DONE : OUTCOME_FAILED;
}

enum outcome totp_disable_command(struct tool *tool)
{
    struct account_info account;
    struct slice address;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!find(tool, address, &account) ||
        !account_set_totp(tool->desk, account.id, SLICE(""), &tool->err))
        return OUTCOME_FAILED;
    printf("The main password is enough now.\n");
    return OUTCOME_DONE;
}

enum outcome totp_status_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "enabled", "enabled", COLUMN_PLAIN },
        { "used_ms", "last code of", COLUMN_TIME },
    };
    struct account_info account;
    struct slice address;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &account))
        return OUTCOME_FAILED;
    output_object(tool, columns, COUNT_OF(columns),
                  json_pack("{s:o, s:b, s:o}", "address", output_text(account.address), "enabled",
                            (int)(account.totp_key.len > 0), "used_ms",
                            output_time((int64_t)account.totp_step * TOTP_STEP_S * 1000)));
    return OUTCOME_DONE;
}

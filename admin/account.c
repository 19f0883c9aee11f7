/* account.c - `postane account`: add, list, show, passwd, quota, disable, enable, remove. */
#include "storage/account.h"
#include "admin/commands.h"
#include "admin/output.h"
#include "admin/password.h"
#include "storage/directory.h"

#include <inttypes.h>
#include <stdio.h>

/* Asks for a password and makes of it what is stored. */
static bool ask_and_hash(struct tool *tool, bool from_stdin, struct buf *argon, struct buf *scram)
{
    AUTO(buf_free) struct buf password = { 0 };
    struct login_options login = settings_login(&tool->settings, NULL);
    bool ok;

    if (!password_ask(tool, from_stdin, &password))
        return false;
    ok = password_hash(buf_slice(&password), &login.cost, argon, scram, &tool->err);
    mem_wipe(password.data, password.len);
    return ok;
}

struct quota_options {
    const char *bytes, *messages; /* NULL: not given */
};

static bool take_quota(struct tool *tool, struct quota_options *options)
{
    *options = (struct quota_options){ 0 };
    return tool_option(tool, "--bytes", &options->bytes) &&
           tool_option(tool, "--messages", &options->messages);
}

/* The account's limits, changed by what was given. */
static bool set_quota(struct tool *tool, const struct account_info *account,
                      const struct quota_options *options)
{
    uint64_t bytes = account->quota_bytes, messages = account->quota_messages;

    if (options->bytes != NULL && !tool_number(tool, "--bytes", options->bytes, &bytes))
        return false;
    if (options->messages != NULL && !tool_number(tool, "--messages", options->messages, &messages))
        return false;
    return account_set_quota(tool->desk, account->id, bytes, messages, &tool->err);
}

static bool add(struct tool *tool, struct slice address, const char *name, bool from_stdin,
                const struct quota_options *quota)
{
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    struct account_info account = { 0 };

    if (!ask_and_hash(tool, from_stdin, &argon, &scram))
        return false;
    if (!account_add(tool->desk, address, slice_of(name), buf_slice(&argon), buf_slice(&scram),
                     &account.id, &tool->err))
        return false;
    if (quota->bytes == NULL && quota->messages == NULL)
        return true;
    return set_quota(tool, &account, quota);
}

enum outcome account_add_command(struct tool *tool)
{
    const char *name = "";
    bool from_stdin = tool_flag(tool, "--stdin");
    struct quota_options quota;
    struct slice address;
    uint64_t ignored;

    if (!tool_option(tool, "--name", &name) || !take_quota(tool, &quota) ||
        !tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    /* Wrong limits are found before there is an account. */
    if ((quota.bytes != NULL && !tool_number(tool, "--bytes", quota.bytes, &ignored)) ||
        (quota.messages != NULL && !tool_number(tool, "--messages", quota.messages, &ignored)))
        return OUTCOME_USAGE;
    if (!tool_open(tool))
        return OUTCOME_FAILED;
    if (!add(tool, address, name, from_stdin, &quota)) {
        if (tool->err.kind == ERROR_NOT_FOUND)
            error_wrap(&tool->err, "`postane domain add` comes first");
        return OUTCOME_FAILED;
    }
    printf("Added " SLICE_FMT ".\n", SLICE_ARG(address));
    return OUTCOME_DONE;
}

static json_t *account_object(const struct account_info *account)
{
    char id[17];

    snprintf(id, sizeof(id), "%016" PRIx64, account->id);
    return json_pack(
        "{s:o, s:o, s:s, s:b, s:I, s:I, s:I}", "address", output_text(account->address), "name",
        output_text(account->name), "id", id, "disabled", (int)account->disabled, "quota_bytes",
        (json_int_t)account->quota_bytes, "quota_messages", (json_int_t)account->quota_messages,
        "created_ms", (json_int_t)account->created_ms);
}

static bool is_in_domain(struct slice address, struct slice domain)
{
    return slice_equal_case(slice_from(address, (size_t)(slice_find_last(address, '@') + 1)),
                            domain);
}

enum outcome account_list_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "address", "ADDRESS", COLUMN_PLAIN },       { "name", "NAME", COLUMN_PLAIN },
        { "disabled", "DISABLED", COLUMN_PLAIN },     { "quota_bytes", "QUOTA", COLUMN_LIMIT },
        { "created_ms", "SINCE (UTC)", COLUMN_TIME },
    };
    struct slice domain = { 0 };
    struct account_list list;
    json_t *rows;

    if (tool_has_argument(tool) && !tool_argument(tool, "DOMAIN", &domain))
        return OUTCOME_USAGE;
    if (!tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !account_all(tool->desk, &tool->arena, &list, &tool->err))
        return OUTCOME_FAILED;
    rows = json_array();
    for (size_t i = 0; i < list.count; i++)
        if (domain.len == 0 || is_in_domain(list.items[i].address, domain))
            json_array_append_new(rows, account_object(&list.items[i]));
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}

enum outcome account_show_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "address", "address", COLUMN_PLAIN },
        { "name", "name", COLUMN_PLAIN },
        { "id", "id", COLUMN_PLAIN },
        { "disabled", "disabled", COLUMN_PLAIN },
        { "created_ms", "created (UTC)", COLUMN_TIME },
        { "messages", "messages", COLUMN_PLAIN },
        { "messages_max", "messages limit", COLUMN_PLAIN },
        { "bytes", "size", COLUMN_SIZE },
        { "bytes_max", "size limit", COLUMN_LIMIT },
    };
    struct account_info info;
    struct account *account;
    struct slice address;
    struct quota quota;
    json_t *object;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &info) ||
        !desk_account(tool->desk, info.id, &account, &tool->err) ||
        !account_quota(account, &quota, &tool->err))
        return OUTCOME_FAILED;
    object = account_object(&info);
    json_object_set_new(object, "messages", json_integer((json_int_t)quota.messages));
    json_object_set_new(object, "messages_max", json_integer((json_int_t)quota.messages_max));
    json_object_set_new(object, "bytes", json_integer((json_int_t)quota.bytes));
    json_object_set_new(object, "bytes_max", json_integer((json_int_t)quota.bytes_max));
    output_object(tool, columns, COUNT_OF(columns), object);
    return OUTCOME_DONE;
}

enum outcome account_passwd_command(struct tool *tool)
{
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    bool from_stdin = tool_flag(tool, "--stdin");
    struct account_info account;
    struct slice address;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &account) ||
        !ask_and_hash(tool, from_stdin, &argon, &scram) ||
        !account_set_password(tool->desk, account.id, buf_slice(&argon), buf_slice(&scram),
                              &tool->err))
        return OUTCOME_FAILED;
    printf("The new password is in use.\n");
    return OUTCOME_DONE;
}

enum outcome account_quota_command(struct tool *tool)
{
    struct account_info account;
    struct quota_options quota;
    struct slice address;

    if (!take_quota(tool, &quota) || !tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (quota.bytes == NULL && quota.messages == NULL) {
        error_set(&tool->err, ERROR_INVALID, "say --bytes, --messages, or both");
        return OUTCOME_USAGE;
    }
    if (!tool_open(tool) || !tool_account(tool, address, &account) ||
        !set_quota(tool, &account, &quota))
        return OUTCOME_FAILED;
    printf("The new limits are in use.\n");
    return OUTCOME_DONE;
}

static enum outcome set_disabled(struct tool *tool, bool disabled)
{
    struct account_info account;
    struct slice address;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &account) ||
        !account_set_disabled(tool->desk, account.id, disabled, &tool->err))
        return OUTCOME_FAILED;
    printf(SLICE_FMT " is %s now.\n", SLICE_ARG(address), disabled ? "disabled" : "enabled");
    return OUTCOME_DONE;
}

enum outcome account_disable_command(struct tool *tool)
{
    return set_disabled(tool, true);
}

enum outcome account_enable_command(struct tool *tool)
{
    return set_disabled(tool, false);
}

enum outcome account_remove_command(struct tool *tool)
{
    bool yes = tool_flag(tool, "--yes");
    struct account_info account;
    struct slice address;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &account))
        return OUTCOME_FAILED;
    if (!yes && !tool_confirm(tool, "Remove the account and all its mail for good?"))
        return OUTCOME_FAILED;
    if (!account_remove(tool->desk, account.id, &tool->err))
        return OUTCOME_FAILED;
    printf("Removed " SLICE_FMT " and its mail.\n", SLICE_ARG(address));
    return OUTCOME_DONE;
}

/* account.c - `postane account`: add, list, show, passwd, quota, disable, enable, remove. */
#include "storage/account.h"
#include "admin/commands.h"
#include "admin/output.h"
#include "admin/password.h"
#include "storage/directory.h"
#include "storage/logbook.h"

#include <inttypes.h>
#include <stdio.h>

/* Asks for a password and makes of it what is stored. `like`: the account's SCRAM keys, whose salt
 * and iterations stay because its app passwords are made with them; empty: new ones. */
static bool ask_and_hash(struct tool *tool, bool from_stdin, struct slice like, struct buf *argon,
                         struct buf *scram)
{
    AUTO(buf_free) struct buf password = { .secret = true };
    struct login_options login = settings_login(&tool->settings, NULL);

    if (!password_ask(tool, from_stdin, &password) ||
        !password_hash(buf_slice(&password), &login.cost, argon, scram, &tool->err))
        return false;
    if (like.len == 0)
        return true;
    buf_clear(scram);
    return scram_hash_like(buf_slice(&password), like, scram, &tool->err);
}

static const struct {
    const char *option;
    size_t offset; /* in struct account_limits */
} quota_options[] = {
    { "--bytes", offsetof(struct account_limits, bytes) },
    { "--messages", offsetof(struct account_limits, messages) },
    { "--mailboxes", offsetof(struct account_limits, mailboxes) },
    { "--annotations", offsetof(struct account_limits, annotation_bytes) },
};

struct quota_values {
    const char *texts[COUNT_OF(quota_options)]; /* NULL: not given */
    bool any;
};

static bool take_quota(struct tool *tool, struct quota_values *values)
{
    *values = (struct quota_values){ 0 };
    for (size_t i = 0; i < COUNT_OF(quota_options); i++) {
        if (!tool_option(tool, quota_options[i].option, &values->texts[i]))
            return false;
        values->any = values->any || values->texts[i] != NULL;
    }
    return true;
}

/* The limits, changed by what was given. */
static bool change_limits(struct tool *tool, const struct quota_values *values,
                          struct account_limits *limits)
{
    for (size_t i = 0; i < COUNT_OF(quota_options); i++) {
        uint64_t *limit = (uint64_t *)((char *)limits + quota_options[i].offset);

        if (values->texts[i] != NULL &&
            !tool_number(tool, quota_options[i].option, values->texts[i], limit))
            return false;
    }
    return true;
}

static bool set_quota(struct tool *tool, const struct account_info *account,
                      const struct quota_values *values)
{
    struct account_limits limits = account->limits;

    return change_limits(tool, values, &limits) &&
           account_set_limits(tool->desk, account->id, &limits, &tool->err);
}

struct new_account {
    struct slice address;
    const char *name;
    bool from_stdin, shared;
    struct quota_values quota;
};

/* A shared account has no password, so nobody can log in. */
static bool add(struct tool *tool, const struct new_account *new)
{
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    struct account_info account = { 0 };

    if (!new->shared && !ask_and_hash(tool, new->from_stdin, SLICE(""), &argon, &scram))
        return false;
    if (!account_add(tool->desk, new->address, slice_of(new->name), buf_slice(&argon),
                     buf_slice(&scram), &account.id, &tool->err) ||
        (new->shared && !account_set_shared(tool->desk, account.id, true, &tool->err)))
        return false;
    return !new->quota.any || set_quota(tool, &account, &new->quota);
}

enum outcome account_add_command(struct tool *tool)
{
    struct new_account new = { .name = "" };
    struct account_limits ignored;

    new.from_stdin = tool_flag(tool, "--stdin");
    new.shared = tool_flag(tool, "--shared");
    if (!tool_option(tool, "--name", &new.name) || !take_quota(tool, &new.quota) ||
        !tool_argument(tool, "ADDRESS", &new.address) || !tool_end(tool))
        return OUTCOME_USAGE;
    /* Wrong limits are found before there is an account. */
    if (!change_limits(tool, &new.quota, &ignored))
        return OUTCOME_USAGE;
    if (!tool_open(tool))
        return OUTCOME_FAILED;
    if (!add(tool, &new)) {
        if (tool->err.kind == ERROR_NOT_FOUND)
            error_wrap(&tool->err, "`postane domain add` comes first");
        return OUTCOME_FAILED;
    }
    printf("Added " SLICE_FMT ".\n", SLICE_ARG(new.address));
    return OUTCOME_DONE;
}

static json_t *account_object(const struct account_info *account)
{
    char id[17];

    snprintf(id, sizeof(id), "%016" PRIx64, account->id);
    return json_pack(
        "{s:o, s:o, s:s, s:b, s:I, s:I, s:I}", "address", output_text(account->address), "name",
        output_text(account->name), "id", id, "disabled", (int)account->disabled, "quota_bytes",
        (json_int_t)account->limits.bytes, "quota_messages", (json_int_t)account->limits.messages,
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
        { "mailboxes", "mailboxes", COLUMN_PLAIN },
        { "mailboxes_max", "mailboxes limit", COLUMN_PLAIN },
        { "annotation_bytes", "annotations", COLUMN_SIZE },
        { "annotation_bytes_max", "annotations limit", COLUMN_LIMIT },
    };
    struct account_info info;
    struct account *account;
    struct slice address;
    struct quota quota;
    struct quota_rest rest;
    json_t *object;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &info) ||
        !desk_account(tool->desk, info.id, &account, &tool->err) ||
        !account_quota(account, &quota, &tool->err) ||
        !account_quota_rest(account, &rest, &tool->err))
        return OUTCOME_FAILED;
    object = account_object(&info);
    json_object_set_new(object, "mailboxes", json_integer((json_int_t)rest.mailboxes));
    json_object_set_new(object, "mailboxes_max", json_integer((json_int_t)rest.mailboxes_max));
    json_object_set_new(object, "annotation_bytes",
                        json_integer((json_int_t)rest.annotation_bytes));
    json_object_set_new(object, "annotation_bytes_max",
                        json_integer((json_int_t)rest.annotation_bytes_max));
    json_object_set_new(object, "messages", json_integer((json_int_t)quota.messages));
    json_object_set_new(object, "messages_max", json_integer((json_int_t)quota.messages_max));
    json_object_set_new(object, "bytes", json_integer((json_int_t)quota.bytes));
    json_object_set_new(object, "bytes_max", json_integer((json_int_t)quota.bytes_max));
    output_object(tool, columns, COUNT_OF(columns), object);
    return OUTCOME_DONE;
}

static bool salt_to_keep(struct tool *tool, const struct account_info *account,
                         struct slice *like_out)
{
    struct app_password_list apps;

    if (!app_password_all(tool->desk, account->id, &tool->arena, &apps, &tool->err))
        return false;
    *like_out = apps.count > 0 ? account->scram : (struct slice){ 0 };
    return true;
}

enum outcome account_passwd_command(struct tool *tool)
{
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    bool from_stdin = tool_flag(tool, "--stdin");
    struct account_info account;
    struct slice address, like;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &account) ||
        !salt_to_keep(tool, &account, &like) ||
        !ask_and_hash(tool, from_stdin, like, &argon, &scram) ||
        !account_set_password(tool->desk, account.id, buf_slice(&argon), buf_slice(&scram),
                              &tool->err))
        return OUTCOME_FAILED;
    printf("The new password is in use.\n");
    return OUTCOME_DONE;
}

enum outcome account_quota_command(struct tool *tool)
{
    struct account_info account;
    struct quota_values quota;
    struct slice address;

    if (!take_quota(tool, &quota) || !tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!quota.any) {
        error_set(&tool->err, ERROR_INVALID,
                  "say --bytes, --messages, --mailboxes or --annotations");
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

/* Ids are not given again; what stays would go by itself. */
static void forget_logins(struct tool *tool, uint64_t account)
{
    AUTO(logbook_close) struct logbook *logbook = NULL;
    struct error ignored;

    if (logbook_open(tool->store, true, &logbook, &ignored))
        (void)!logbook_forget(logbook, account, &ignored);
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
    forget_logins(tool, account.id);
    printf("Removed " SLICE_FMT " and its mail.\n", SLICE_ARG(address));
    return OUTCOME_DONE;
}

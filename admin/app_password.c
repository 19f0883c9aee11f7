/* app_password.c - `postane app-password`: add, list, revoke (storage/app_password.h). */
#include "storage/app_password.h"
#include "admin/commands.h"
#include "admin/output.h"
#include "common/clock.h"
#include "storage/directory.h"

#include <stdio.h>

#define DAY_MS   (24 * 60 * 60 * 1000LL)
#define DAYS_MAX 36500

static const struct {
    const char *name;
    unsigned scope;
} protocols[] = { { "imap", LOGIN_IMAP }, { "pop3", LOGIN_POP3 }, { "smtp", LOGIN_SMTP } };

/* "imap,smtp"; without the option all. */
static bool take_scope(struct tool *tool, unsigned *scope_out)
{
    const char *text = "imap,pop3,smtp";
    struct slice rest, word;

    *scope_out = 0;
    if (!tool_option(tool, "--for", &text))
        return false;
    rest = slice_of(text);
    do {
        unsigned known = *scope_out;

        slice_split(&rest, ',', &word);
        for (size_t i = 0; i < COUNT_OF(protocols); i++)
            if (slice_is(word, protocols[i].name))
                *scope_out |= protocols[i].scope;
        if (*scope_out == known)
            return error_set(&tool->err, ERROR_INVALID,
                             "--for takes imap, pop3, smtp, with commas between");
    } while (rest.len > 0);
    return true;
}

static bool take_expiry(struct tool *tool, int64_t *expires_ms_out)
{
    const char *text = NULL;
    uint64_t days;

    *expires_ms_out = 0;
    if (!tool_option(tool, "--days", &text))
        return false;
    if (text == NULL)
        return true;
    if (!tool_number(tool, "--days", text, &days))
        return false;
    if (days == 0 || days > DAYS_MAX)
        return error_set(&tool->err, ERROR_INVALID, "--days takes 1 to %d", DAYS_MAX);
    *expires_ms_out = time_ms() + (int64_t)days * DAY_MS;
    return true;
}

static json_t *scope_array(unsigned scope)
{
    json_t *array = json_array();

    for (size_t i = 0; i < COUNT_OF(protocols); i++)
        if ((scope & protocols[i].scope) != 0)
            json_array_append_new(array, json_string(protocols[i].name));
    return array;
}

static void show_new(struct tool *tool, struct slice address, const struct app_password *app,
                     struct buf *password)
{
    static const struct column columns[] = { { "password", "password", COLUMN_PLAIN } };

    if (tool->json) {
        output_object(tool, columns, COUNT_OF(columns),
                      json_pack("{s:o, s:o, s:o}", "name", output_text(app->name), "protocols",
                                scope_array(app->scope), "password",
                                output_text(buf_slice(password))));
        return;
    }
    printf("%s\n", buf_text(password));
    fflush(stdout);
    fprintf(stderr,
            "This is the password of " SLICE_FMT " on this device, with its dashes. It is shown "
            "only now.\n",
            SLICE_ARG(address));
}

/* Makes the password and stores what it leaves behind. */
static bool make(struct tool *tool, const struct account_info *account, struct app_password *app,
                 struct buf *password)
{
    AUTO(buf_free) struct buf scram = { 0 };
    unsigned char verifier[HASH_SIZE];

    app_password_make(password);
    app_password_verify(buf_slice(password), verifier);
    if (!scram_hash_like(buf_slice(password), account->scram, &scram, &tool->err))
        return error_set(&tool->err, ERROR_DENIED,
                         "an account without a password has no app passwords: nobody logs in");
    app->verifier = slice_make(verifier, sizeof(verifier));
    app->scram = buf_slice(&scram);
    return app_password_add(tool->desk, account->id, app, &tool->err);
}

enum outcome app_password_add_command(struct tool *tool)
{
    AUTO(buf_free) struct buf password = { .secret = true };
    struct app_password app = { 0 };
    struct account_info account;
    struct slice address;

    if (!take_scope(tool, &app.scope) || !take_expiry(tool, &app.expires_ms) ||
        !tool_argument(tool, "ADDRESS", &address) || !tool_argument(tool, "NAME", &app.name) ||
        !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &account) ||
        !make(tool, &account, &app, &password))
        return OUTCOME_FAILED;
    show_new(tool, account.address, &app, &password);
    return OUTCOME_DONE;
}

static json_t *row_of(const struct app_password *app)
{
    bool used = app->used_ms != 0;

    return json_pack("{s:o, s:o, s:I, s:o, s:b, s:o, s:o, s:o}", "name", output_text(app->name),
                     "protocols", scope_array(app->scope), "created_ms",
                     (json_int_t)app->created_ms, "expires_ms", output_time(app->expires_ms),
                     "expired", app_password_expired(app), "used_ms", output_time(app->used_ms),
                     "used_with", used ? scope_array(app->used_scope) : json_null(), "used_from",
                     used ? output_text(app->used_address) : json_null());
}

enum outcome app_password_list_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "name", "NAME", COLUMN_PLAIN },         { "protocols", "FOR", COLUMN_PLAIN },
        { "created_ms", "CREATED", COLUMN_TIME }, { "expires_ms", "EXPIRES", COLUMN_TIME },
        { "used_ms", "LAST USED", COLUMN_TIME },  { "used_with", "WITH", COLUMN_PLAIN },
        { "used_from", "FROM", COLUMN_PLAIN },
    };
    struct app_password_list list;
    struct account_info account;
    struct slice address;
    json_t *rows;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &account) ||
        !app_password_all(tool->desk, account.id, &tool->arena, &list, &tool->err))
        return OUTCOME_FAILED;
    rows = json_array();
    for (size_t i = 0; i < list.count; i++)
        json_array_append_new(rows, row_of(&list.items[i]));
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}

enum outcome app_password_revoke_command(struct tool *tool)
{
    struct account_info account;
    struct slice address, name;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_argument(tool, "NAME", &name) ||
        !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &account) ||
        !app_password_revoke(tool->desk, account.id, name, &tool->err))
        return OUTCOME_FAILED;
    printf("The app password is revoked; its sessions end.\n");
    return OUTCOME_DONE;
}

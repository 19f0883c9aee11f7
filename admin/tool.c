/* tool.c - arguments, settings and the store of one run of `postane`. */
#include "admin/tool.h"

#include "admin/user.h"
#include "storage/directory.h"
#include "storage/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void tool_init(struct tool *tool, int argc, char **argv)
{
    *tool = (struct tool){ .args = argv + 1, .n_args = argc > 0 ? (size_t)argc - 1 : 0 };
}

void tool_deinit(struct tool *tool)
{
    desk_close(&tool->desk);
    store_close(&tool->store);
    settings_free(&tool->settings);
    arena_free(&tool->arena);
}

static void drop_args(struct tool *tool, size_t at, size_t count)
{
    memmove(tool->args + at, tool->args + at + count,
            (tool->n_args - at - count) * sizeof(*tool->args));
    tool->n_args -= count;
}

bool tool_flag(struct tool *tool, const char *name)
{
    for (size_t i = 0; i < tool->n_args; i++) {
        if (strcmp(tool->args[i], name) == 0) {
            drop_args(tool, i, 1);
            return true;
        }
    }
    return false;
}

bool tool_option(struct tool *tool, const char *name, const char **value_out)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < tool->n_args; i++) {
        const char *arg = tool->args[i];

        if (strncmp(arg, name, len) != 0 || (arg[len] != '\0' && arg[len] != '='))
            continue;
        if (arg[len] == '=') {
            *value_out = arg + len + 1;
            drop_args(tool, i, 1);
            return true;
        }
        if (i + 1 == tool->n_args)
            return error_set(&tool->err, ERROR_INVALID, "%s needs a value", name);
        *value_out = tool->args[i + 1];
        drop_args(tool, i, 2);
        return true;
    }
    return true;
}

/* Options have been taken by now: one that is left is unknown. "-" and "*@domain" are arguments. */
static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0';
}

bool tool_argument(struct tool *tool, const char *what, struct slice *value_out)
{
    if (tool->n_args == 0)
        return error_set(&tool->err, ERROR_INVALID, "%s is missing", what);
    if (is_option(tool->args[0]))
        return error_set(&tool->err, ERROR_INVALID, "unknown option %s", tool->args[0]);
    *value_out = slice_of(tool->args[0]);
    drop_args(tool, 0, 1);
    return true;
}

bool tool_has_argument(const struct tool *tool)
{
    return tool->n_args > 0;
}

bool tool_end(struct tool *tool)
{
    if (tool->n_args == 0)
        return true;
    return error_set(
        &tool->err, ERROR_INVALID, "%s %s",
        is_option(tool->args[0]) ? "unknown option" : "one argument too many:", tool->args[0]);
}

/* The factor of a size's suffix, 0 if there is no such suffix. */
static uint64_t unit_factor(char unit)
{
    switch (unit) {
    case 'K':
    case 'k':
        return 1ull << 10;
    case 'M':
    case 'm':
        return 1ull << 20;
    case 'G':
    case 'g':
        return 1ull << 30;
    case 'T':
    case 't':
        return 1ull << 40;
    default:
        return 0;
    }
}

bool tool_number(struct tool *tool, const char *what, const char *text, uint64_t *number_out)
{
    struct slice digits = slice_of(text);
    uint64_t factor = digits.len > 0 ? unit_factor(digits.data[digits.len - 1]) : 0;

    if (factor != 0)
        digits.len--;
    else
        factor = 1;
    /* The databases keep signed 64-bit numbers. */
    if (!slice_number(digits, INT64_MAX / factor, number_out))
        return error_set(&tool->err, ERROR_INVALID,
                         "%s: \"%s\" is no number; try something like 20, 500M or 10G", what, text);
    *number_out *= factor;
    return true;
}

bool tool_open(struct tool *tool)
{
    struct store_options options = settings_store(&tool->settings, "postane");

    if (!user_become(tool->settings.user, &tool->err))
        return false;
    if (!store_open(&options, &tool->store, &tool->err)) {
        if (tool->err.kind == ERROR_NOT_FOUND)
            return error_set(&tool->err, ERROR_NOT_FOUND,
                             "there is no mail store in %s: run `postane init` first, or name "
                             "another configuration with -c FILE",
                             tool->settings.data);
        return false;
    }
    return desk_open(tool->store, &tool->desk, &tool->err);
}

bool tool_confirm(struct tool *tool, const char *question)
{
    char answer[8] = "";

    if (!isatty(STDIN_FILENO))
        return error_set(&tool->err, ERROR_DENIED, "%s Say --yes to do it without being asked",
                         question);
    printf("%s [y/N] ", question);
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    return error_set(&tool->err, ERROR_DENIED, "nothing was changed");
}

bool tool_not_found(struct tool *tool, const char *what, struct slice name, const char *list)
{
    if (tool->err.kind == ERROR_NOT_FOUND)
        error_set(&tool->err, ERROR_NOT_FOUND, "no %s " SLICE_FMT ": `postane %s` shows all", what,
                  SLICE_ARG(name), list);
    return false;
}

bool tool_domain(struct tool *tool, struct slice name, struct slice *domain_out)
{
    AUTO(buf_free) struct buf domain = { 0 };
    bool is_local;

    if (!domain_is_local(tool->desk, name, &is_local, &tool->err))
        return false;
    if (!is_local || !name_domain(name, &domain)) {
        error_set(&tool->err, ERROR_NOT_FOUND, "not ours");
        return tool_not_found(tool, "domain", name, "domain list");
    }
    *domain_out = slice_copy(&tool->arena, buf_slice(&domain));
    return true;
}

bool tool_account(struct tool *tool, struct slice address, struct account_info *info_out)
{
    return account_by_address(tool->desk, &tool->arena, address, info_out, &tool->err) ||
           tool_not_found(tool, "account", address, "account list");
}

/* tool.h - one run of the `postane` command: its arguments, its settings, its desk in the store.
 *
 * A handler takes its options first, then its arguments in the order of its usage line, then calls
 * tool_end(); what these return false for has been explained in tool->err already:
 *
 *     if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
 *         return OUTCOME_USAGE;
 *     if (!tool_open(tool) || !account_by_address(tool->desk, ..., &tool->err))
 *         return OUTCOME_FAILED;
 *
 * Threads: one. Lifetime: the whole process.
 */
#pragma once

#include "common/mem.h"
#include "storage/settings.h"

/* The exit code of the process. */
enum outcome {
    OUTCOME_DONE = 0,
    OUTCOME_FAILED = 1, /* tool->err says why */
    OUTCOME_USAGE = 2,  /* tool->err says what is wrong with the command line */
    OUTCOME_FOUND = 3,  /* `check`, `domain check`: something is wrong, and still is */
};

struct tool {
    char **args; /* what has not been taken yet; points into argv */
    size_t n_args;
    const char *config_path; /* as given with -c, or NULL */
    bool json;
    struct settings settings;
    struct store *store; /* after tool_open() */
    struct desk *desk;
    struct arena arena;
    struct error err;
};

struct command {
    const char *group, *verb; /* "account", "add"; verb is NULL where the group is all */
    enum outcome (*run)(struct tool *tool);
    const char *arguments; /* as in the usage line */
    const char *summary;   /* one line */
    const char *details;   /* more for --help; may be NULL */
};

void tool_init(struct tool *tool, int argc, char **argv);
void tool_deinit(struct tool *tool);

/* Take "--flag" or "--name VALUE" ("--name=VALUE" too), wherever it stands. tool_option() is false
 * only when the value is missing; *value_out keeps its value when the option is not there. */
bool tool_flag(struct tool *tool, const char *name);
bool tool_option(struct tool *tool, const char *name, const char **value_out) MUST_CHECK;

/* The next argument; false when there is none. `what` is for the message. */
bool tool_argument(struct tool *tool, const char *what, struct slice *value_out) MUST_CHECK;
bool tool_has_argument(const struct tool *tool);
bool tool_end(struct tool *tool) MUST_CHECK; /* nothing is left */

/* A number, or a size with K, M, G, T (1024). */
bool tool_number(struct tool *tool, const char *what, const char *text,
                 uint64_t *number_out) MUST_CHECK;

/* Opens the store that the settings name, as the service user if we are root: what we write there
 * must stay the daemons' to write. Errors: ERROR_NOT_FOUND. */
bool tool_open(struct tool *tool) MUST_CHECK;

/* Asks before something that cannot be undone. False without a terminal. */
bool tool_confirm(struct tool *tool, const char *question) MUST_CHECK;

/* Says which thing was not found and where to look; other errors stay as they are. False. */
bool tool_not_found(struct tool *tool, const char *what, struct slice name, const char *list);

/* The domain as it is stored, in the tool's arena. Errors: ERROR_NOT_FOUND when it is not ours. */
bool tool_domain(struct tool *tool, struct slice name, struct slice *domain_out) MUST_CHECK;

/* Finds the account by its address. Errors: ERROR_NOT_FOUND. */
struct account_info;
bool tool_account(struct tool *tool, struct slice address,
                  struct account_info *info_out) MUST_CHECK;

/* serve.c - `postane serve`: opens the ports, gives up root, runs the daemons.
 *
 *     sockets_open() as root --> service user --> is there a good store? --> supervisor_run()
 */
#include "admin/commands.h"
#include "admin/supervisor.h"
#include "common/systemd.h"

#include <stdio.h>
#include <stdlib.h>

static void on_ready(void *context)
{
    const struct sockets *sockets = context;

    printf("ready:");
    for (size_t i = 0; i < sockets->count; i++)
        printf("%s %s %s", i > 0 ? "," : "", sockets->items[i].name, sockets->items[i].address);
    printf("\n");
    fflush(stdout);
    systemd_tell("READY=1");
}

/* Better one clear message now than one from each daemon. The handles are closed again: they must
 * not be shared with children. */
static bool store_is_good(struct tool *tool)
{
    if (!tool_open(tool))
        return false;
    desk_close(&tool->desk);
    store_close(&tool->store);
    return true;
}

enum outcome serve_command(struct tool *tool)
{
    AUTO(sockets_close) struct sockets sockets = { 0 };
    const struct supervisor_options options = {
        .sockets = &sockets,
        .config_path = tool->config_path,
        .data = tool->settings.data,
        .stop_ms = tool->settings.stop,
        .on_ready = on_ready,
        .context = &sockets,
    };

    if (!tool_end(tool))
        return OUTCOME_USAGE;
    log_setup((enum log_level)tool->settings.log_level, tool->settings.log_format == 1);
    if (!sockets_open(&tool->settings, &sockets, &tool->err) || !store_is_good(tool))
        return OUTCOME_FAILED;
    return supervisor_run(&options, &tool->err) ? OUTCOME_DONE : OUTCOME_FAILED;
}

/* config.c - `postane config show`: all settings with their help, as a config file or JSON. */
#include "admin/commands.h"

#include <stdio.h>

enum outcome config_show_command(struct tool *tool)
{
    AUTO(buf_free) struct buf out = { 0 };

    if (!tool_end(tool))
        return OUTCOME_USAGE;
    settings_print(&tool->settings, tool->json, &out);
    fwrite(out.data, 1, out.len, stdout);
    return OUTCOME_DONE;
}

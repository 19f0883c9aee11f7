/* acl.c - `postane acl`: who may do what in whose mailboxes (storage/acl.h). */
#include "storage/acl.h"
#include "admin/commands.h"
#include "admin/output.h"
#include "storage/directory.h"

#include <stdio.h>

struct where {
    struct account *account;
    struct mailbox_info mailbox;
};

static bool open_mailbox(struct tool *tool, struct slice address, struct slice name,
                         struct where *where)
{
    struct account_info info;

    if (!tool_open(tool) || !tool_account(tool, address, &info) ||
        !desk_account(tool->desk, info.id, &where->account, &tool->err))
        return false;
    if (mailbox_by_name(where->account, &tool->arena, name, &where->mailbox, &tool->err))
        return true;
    tool_not_found(tool, "mailbox", name, "mailbox list ADDRESS");
    return false;
}

/* "bob@example.org" or "anyone"; "!" in front, for "-" would be an option: what is taken away. */
static bool find_who(struct tool *tool, struct slice who, struct acl_entry *entry)
{
    struct account_info info;

    entry->negative = who.len > 0 && who.data[0] == '!';
    if (entry->negative)
        who = slice_from(who, 1);
    entry->who = ACL_ANYONE;
    if (slice_is(who, "anyone"))
        return true;
    if (!tool_account(tool, who, &info))
        return false;
    entry->who = info.id;
    return true;
}

static json_t *entry_object(struct tool *tool, const struct acl_entry *entry)
{
    struct account_info info = { .address = SLICE("anyone") };
    AUTO(buf_free) struct buf who = { 0 };
    char rights[RIGHTS_TEXT_MAX];
    struct error err;

    if (entry->who != ACL_ANYONE &&
        !account_by_id(tool->desk, &tool->arena, entry->who, &info, &err))
        info.address = SLICE("(an account that was removed)");
    rights_print(entry->rights, rights);
    buf_fmt(&who, "%s" SLICE_FMT, entry->negative ? "!" : "", SLICE_ARG(info.address));
    return json_pack("{s:o, s:s}", "who", output_text(buf_slice(&who)), "rights", rights);
}

enum outcome acl_list_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "who", "WHO", COLUMN_PLAIN },
        { "rights", "RIGHTS", COLUMN_PLAIN },
    };
    struct slice address, name;
    struct acl_list list;
    struct where where;
    json_t *rows;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_argument(tool, "MAILBOX", &name) ||
        !tool_end(tool))
        return OUTCOME_USAGE;
    if (!open_mailbox(tool, address, name, &where) ||
        !acl_list(where.account, where.mailbox.id, &tool->arena, &list, &tool->err))
        return OUTCOME_FAILED;
    rows = json_array();
    for (size_t i = 0; i < list.count; i++)
        json_array_append_new(rows, entry_object(tool, &list.items[i]));
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}

static enum outcome change(struct tool *tool, struct slice address, struct slice name,
                           struct slice who, unsigned rights)
{
    struct acl_entry entry = { .rights = rights };
    struct where where;

    if (!open_mailbox(tool, address, name, &where) || !find_who(tool, who, &entry) ||
        !acl_change(where.account, where.mailbox.id, &entry, ACL_REPLACE, &tool->err))
        return OUTCOME_FAILED;
    printf("Rights of " SLICE_FMT " are changed.\n", SLICE_ARG(who));
    return OUTCOME_DONE;
}

enum outcome acl_set_command(struct tool *tool)
{
    struct slice address, name, who, text;
    unsigned rights;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_argument(tool, "MAILBOX", &name) ||
        !tool_argument(tool, "WHO", &who) || !tool_argument(tool, "RIGHTS", &text) ||
        !tool_end(tool))
        return OUTCOME_USAGE;
    if (!rights_parse(text, &rights)) {
        error_set(&tool->err, ERROR_INVALID, "rights are letters of lrswipkxtea");
        return OUTCOME_USAGE;
    }
    return change(tool, address, name, who, rights);
}

enum outcome acl_delete_command(struct tool *tool)
{
    struct slice address, name, who;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_argument(tool, "MAILBOX", &name) ||
        !tool_argument(tool, "WHO", &who) || !tool_end(tool))
        return OUTCOME_USAGE;
    return change(tool, address, name, who, 0);
}

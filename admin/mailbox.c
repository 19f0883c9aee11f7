/* mailbox.c - `postane mailbox`: list, status. */
#include "admin/commands.h"
#include "admin/output.h"
#include "storage/account.h"
#include "storage/directory.h"

static const char *special_name(enum special_use special_use)
{
    switch (special_use) {
    case SPECIAL_NONE:
        return "";
    case SPECIAL_DRAFTS:
        return "Drafts";
    case SPECIAL_SENT:
        return "Sent";
    case SPECIAL_TRASH:
        return "Trash";
    case SPECIAL_JUNK:
        return "Junk";
    case SPECIAL_ARCHIVE:
        return "Archive";
    case SPECIAL_ALL:
        return "All";
    case SPECIAL_FLAGGED:
        return "Flagged";
    case SPECIAL_IMPORTANT:
        return "Important";
    }
    return "";
}

static json_t *mailbox_object(const struct mailbox_info *mailbox)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b}", "name",
                     output_text(mailbox->name), "messages", (json_int_t)mailbox->n_total, "unseen",
                     (json_int_t)mailbox->n_unseen, "deleted", (json_int_t)mailbox->n_deleted,
                     "bytes", (json_int_t)mailbox->bytes, "uidvalidity",
                     (json_int_t)mailbox->uidvalidity, "uidnext", (json_int_t)mailbox->uidnext,
                     "modseq", (json_int_t)mailbox->modseq, "special_use",
                     special_name(mailbox->special_use), "subscribed", (int)mailbox->subscribed);
}

static bool open_account(struct tool *tool, struct slice address, struct account **account_out)
{
    struct account_info info;

    return tool_open(tool) && tool_account(tool, address, &info) &&
           desk_account(tool->desk, info.id, account_out, &tool->err);
}

enum outcome mailbox_list_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "name", "MAILBOX", COLUMN_PLAIN },    { "messages", "MESSAGES", COLUMN_PLAIN },
        { "unseen", "UNSEEN", COLUMN_PLAIN },   { "bytes", "SIZE", COLUMN_SIZE },
        { "special_use", "USE", COLUMN_PLAIN },
    };
    struct mailbox_list list;
    struct account *account;
    struct slice address;
    json_t *rows;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!open_account(tool, address, &account) ||
        !mailbox_all(account, &tool->arena, &list, &tool->err))
        return OUTCOME_FAILED;
    rows = json_array();
    for (size_t i = 0; i < list.count; i++)
        json_array_append_new(rows, mailbox_object(&list.items[i]));
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}

enum outcome mailbox_status_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "name", "mailbox", COLUMN_PLAIN },
        { "messages", "messages", COLUMN_PLAIN },
        { "unseen", "unseen", COLUMN_PLAIN },
        { "deleted", "marked deleted", COLUMN_PLAIN },
        { "bytes", "size", COLUMN_SIZE },
        { "uidvalidity", "UIDVALIDITY", COLUMN_PLAIN },
        { "uidnext", "UIDNEXT", COLUMN_PLAIN },
        { "modseq", "HIGHESTMODSEQ", COLUMN_PLAIN },
        { "special_use", "special use", COLUMN_PLAIN },
        { "subscribed", "subscribed", COLUMN_PLAIN },
    };
    struct slice address, name = SLICE("INBOX");
    struct mailbox_info mailbox;
    struct account *account;

    if (!tool_argument(tool, "ADDRESS", &address))
        return OUTCOME_USAGE;
    if (tool_has_argument(tool) && !tool_argument(tool, "MAILBOX", &name))
        return OUTCOME_USAGE;
    if (!tool_end(tool))
        return OUTCOME_USAGE;
    if (!open_account(tool, address, &account))
        return OUTCOME_FAILED;
    if (!mailbox_by_name(account, &tool->arena, name, &mailbox, &tool->err)) {
        tool_not_found(tool, "mailbox", name, "mailbox list ADDRESS");
        return OUTCOME_FAILED;
    }
    output_object(tool, columns, COUNT_OF(columns), mailbox_object(&mailbox));
    return OUTCOME_DONE;
}

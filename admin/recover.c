/* recover.c - `postane recover`: the messages of an account whose mail.db is damaged. */
#include "storage/recover.h"

#include "admin/commands.h"
#include "admin/maildir.h"
#include "admin/output.h"
#include "storage/directory.h"
#include "storage/mail.h"

#include <inttypes.h>
#include <stdio.h>

/* Where messages go, and how many there were. */
struct rescue {
    struct tool *tool;
    struct recovery *recovery;
    struct maildir *maildir; /* or NULL, and then: */
    uint64_t account;
    uint64_t whole, damaged, gone;
};

static struct slice keyword_name(const void *context, unsigned bit)
{
    return recovery_keyword(context, bit);
}

static bool write_out(struct rescue *rescue, const struct recovered *item, struct slice bytes)
{
    return maildir_add(rescue->maildir,
                       &(struct maildir_mail){ .mailbox = item->mailbox,
                                               .flags = item->flags,
                                               .received_ms = item->received_ms,
                                               .bytes = bytes },
                       keyword_name, rescue->recovery, &rescue->tool->err);
}

/* The flags as bits of the account that gets the message; a keyword that is one too many is left
 * out. */
static bool translate_flags(struct rescue *rescue, struct account *account, uint64_t flags,
                            uint64_t *flags_out)
{
    struct error *err = &rescue->tool->err;
    unsigned bit;

    *flags_out = flags & ((1ull << MAIL_KEYWORD_FIRST) - 1);
    for (unsigned i = MAIL_KEYWORD_FIRST; i <= MAIL_KEYWORD_LAST; i++) {
        struct slice name = recovery_keyword(rescue->recovery, i);

        if ((flags >> i & 1) == 0 || name.len == 0)
            continue;
        if (keyword_bit(account, name, &bit, err))
            *flags_out |= 1ull << bit;
        else if (err->kind != ERROR_LIMIT && err->kind != ERROR_INVALID)
            return false;
    }
    return true;
}

/* The mailbox of that name, made if need be; one whose name cannot be is RECOVERY_LOST. */
static bool find_mailbox(struct tool *tool, struct account *account, struct slice name,
                         uint64_t *id_out)
{
    struct mailbox_info info;
    struct error *err = &tool->err;

    if (mailbox_by_name(account, &tool->arena, name, &info, err)) {
        *id_out = info.id;
        return true;
    }
    if (err->kind != ERROR_NOT_FOUND && err->kind != ERROR_INVALID)
        return false;
    if (mailbox_create(account, name, SPECIAL_NONE, id_out, err))
        return true;
    return err->kind == ERROR_INVALID && !slice_is(name, RECOVERY_LOST) &&
           find_mailbox(tool, account, SLICE(RECOVERY_LOST), id_out);
}

static bool put_back(struct rescue *rescue, const struct recovered *item, struct slice bytes)
{
    AUTO(body_free) struct body *body = body_new(rescue->tool->store);
    struct append append = { .body = body,
                             .received_ms = item->received_ms,
                             .summary_later = true };
    struct error *err = &rescue->tool->err;
    uint32_t uidvalidity;
    struct account *account;
    uint64_t mailbox;

    return desk_account(rescue->tool->desk, rescue->account, &account, err) &&
           find_mailbox(rescue->tool, account, item->mailbox, &mailbox) &&
           translate_flags(rescue, account, item->flags, &append.flags) &&
           body_add(body, bytes, err) && body_finish(body, err) &&
           mailbox_append(account, mailbox, &append, 1, true, &uidvalidity, err);
}

static bool rescue_item(struct rescue *rescue, size_t index)
{
    const struct recovered *item = recovery_item(rescue->recovery, index);
    AUTO(buf_free) struct buf bytes = { 0 };

    switch (recovery_read(rescue->recovery, index, &bytes)) {
    case RECOVERY_GONE:
        rescue->gone++;
        fprintf(stderr, "gone: " SLICE_FMT ", UID %" PRIu32 "\n", SLICE_ARG(item->mailbox),
                item->uid);
        return true;
    case RECOVERY_DAMAGED:
        rescue->damaged++;
        fprintf(stderr, "damaged: " SLICE_FMT ", UID %" PRIu32 "\n", SLICE_ARG(item->mailbox),
                item->uid);
        break;
    case RECOVERY_WHOLE:
        rescue->whole++;
        break;
    }
    return rescue->maildir != NULL ? write_out(rescue, item, buf_slice(&bytes))
                                   : put_back(rescue, item, buf_slice(&bytes));
}

static bool rescue_all(struct rescue *rescue)
{
    for (size_t i = 0; i < recovery_count(rescue->recovery); i++)
        if (!rescue_item(rescue, i))
            return false;
    return rescue->maildir == NULL || maildir_finish(rescue->maildir, &rescue->tool->err);
}

static void tell(const struct rescue *rescue)
{
    static const struct column columns[] = {
        { "whole", "Whole", COLUMN_PLAIN },
        { "damaged", "Damaged", COLUMN_PLAIN },
        { "gone", "Gone", COLUMN_PLAIN },
    };

    output_object(rescue->tool, columns, COUNT_OF(columns),
                  json_pack("{s:I, s:I, s:I}", "whole", (json_int_t)rescue->whole, "damaged",
                            (json_int_t)rescue->damaged, "gone", (json_int_t)rescue->gone));
}

struct target {
    const char *folder, *address;
    bool replace;
};

static bool open_target(struct rescue *rescue, const struct target *target, uint64_t source)
{
    struct tool *tool = rescue->tool;
    struct account_info info;

    if (target->folder != NULL)
        return maildir_open(target->folder, &rescue->maildir, &tool->err);
    rescue->account = source;
    if (target->replace)
        return recovery_start_anew(tool->store, source, &tool->err);
    if (!tool_account(tool, slice_of(target->address), &info))
        return false;
    rescue->account = info.id;
    return info.id != source ||
           error_set(&tool->err, ERROR_INVALID, "that is the damaged account; see --replace");
}

static bool take_target(struct tool *tool, struct target *target)
{
    if (!tool_option(tool, "--to", &target->folder) ||
        !tool_option(tool, "--into", &target->address))
        return false;
    target->replace = tool_flag(tool, "--replace");
    return (target->folder != NULL) + (target->address != NULL) + target->replace == 1 ||
           error_set(&tool->err, ERROR_INVALID, "one of --to, --into and --replace is needed");
}

enum outcome recover_command(struct tool *tool)
{
    struct target target = { 0 };
    struct account_info info;
    struct rescue rescue = { .tool = tool };
    struct slice address;
    bool ok;

    if (!take_target(tool, &target) || !tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !tool_account(tool, address, &info))
        return OUTCOME_FAILED;
    ok = recovery_open(tool->store, info.id, &rescue.recovery, &tool->err) &&
         open_target(&rescue, &target, info.id) && rescue_all(&rescue);
    if (ok)
        tell(&rescue);
    maildir_free(&rescue.maildir);
    recovery_free(&rescue.recovery);
    return ok ? OUTCOME_DONE : OUTCOME_FAILED;
}

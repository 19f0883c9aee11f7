/* cmd_quota.c - GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). One root, named "", for the account.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/reply.h"

/* STORAGE counts in units of 1024 bytes (section 5.1). Resources without a limit are left out. */
static bool add_quota(struct call *call, struct error *err)
{
    struct buf *out = &call->out;
    struct quota quota;

    if (!account_quota(client_of(call)->account, &quota, err))
        return false;
    buf_add_text(out, "* QUOTA \"\" (");
    if (quota.bytes_max != 0)
        buf_fmt(out, "STORAGE %llu %llu", (unsigned long long)(quota.bytes + 1023) / 1024,
                (unsigned long long)quota.bytes_max / 1024);
    if (quota.bytes_max != 0 && quota.messages_max != 0)
        buf_add_byte(out, ' ');
    if (quota.messages_max != 0)
        buf_fmt(out, "MESSAGE %llu %llu", (unsigned long long)quota.messages,
                (unsigned long long)quota.messages_max);
    buf_add_text(out, ")\r\n");
    return true;
}

enum next imap_getquota(struct call *call, struct args *args)
{
    struct slice root;
    struct error err;

    if (!args_space(args) || !args_astring(args, &root) || !args_end(args))
        return reply_syntax(call, args);
    if (root.len > 0)
        return reply_no(call, "NONEXISTENT", "There is no such quota root");
    if (!add_quota(call, &err))
        return reply_error(call, &err);
    return reply_ok(call, "GETQUOTA completed");
}

enum next imap_getquotaroot(struct call *call, struct args *args)
{
    struct slice name;
    struct error err;

    if (!args_space(args) || !args_mailbox(args, &name) || !args_end(args))
        return reply_syntax(call, args);
    buf_add_text(&call->out, "* QUOTAROOT ");
    reply_mailbox(client_of(call), &call->out, name);
    buf_add_text(&call->out, " \"\"\r\n");
    if (!add_quota(call, &err))
        return reply_error(call, &err);
    return reply_ok(call, "GETQUOTAROOT completed");
}

/* setquota = "SETQUOTA" SP quota-root-name SP "(" [name SP limit *(SP name SP limit)] ")" */
static bool take_limits(struct args *args)
{
    struct slice name;
    uint64_t limit;

    if (!args_open(args))
        return false;
    if (args_try_byte(args, ')'))
        return true;
    do {
        if (!args_atom(args, &name) || !args_space(args) || !args_number64(args, &limit))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

/* Quotas are the operator's business. */
enum next imap_setquota(struct call *call, struct args *args)
{
    struct slice root;

    if (!args_space(args) || !args_astring(args, &root) || !args_space(args) ||
        !take_limits(args) || !args_end(args))
        return reply_syntax(call, args);
    return reply_no(call, "NOPERM", "Quotas are set by the operator");
}

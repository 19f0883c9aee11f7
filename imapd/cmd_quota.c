/* cmd_quota.c - GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208).
 *
 * Each account is a quota root. To its user it is "", to others its address: to those who can read
 * a mailbox of it that is shared, and to operators (setting [imap] operators), who may set limits.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/place.h"
#include "imapd/reply.h"
#include "storage/directory.h"

struct root {
    struct account *account;
    struct account_info info;
    bool own;
};

/* Is one of the words the user's address? */
static bool is_operator(struct call *call, bool *yes_out, struct error *err)
{
    const struct client *client = client_of(call);
    struct slice left = slice_of(client->imap->settings->operators), word;
    struct account_info user;

    *yes_out = false;
    if (!account_by_id(call->desk, &call->arena, client->account_id, &user, err))
        return false;
    while (slice_split(&left, ' ', &word))
        *yes_out = *yes_out || slice_equal_case(slice_trim(word), user.address);
    return true;
}

static bool open_root(struct call *call, struct root *root, struct error *err)
{
    root->own = root->info.id == client_of(call)->account_id;
    root->account = client_of(call)->account;
    return root->own || desk_account(call->desk, root->info.id, &root->account, err);
}

/* Does the account share a mailbox that the user may read? */
static bool may_read_some(struct call *call, uint64_t owner, bool *may_out, struct error *err)
{
    uint64_t user = client_of(call)->account_id;
    struct rights_list rights;
    struct account *account;

    *may_out = owner == user;
    if (owner == user)
        return true;
    if (!share_is(call->desk, owner, user, may_out, err))
        return false;
    if (!*may_out)
        return true;
    if (!place_account(call, owner, &account, err) ||
        !acl_rights_all(account, user, &call->arena, &rights, err))
        return false;
    *may_out = false;
    for (size_t i = 0; i < rights.count; i++)
        *may_out = *may_out || (rights.items[i].rights & RIGHT_READ) != 0;
    return true;
}

/* By its name. Errors: ERROR_NOT_FOUND, also for who may not see it. */
static bool find_root(struct call *call, struct slice name, struct root *root, struct error *err)
{
    bool allowed;

    if (name.len == 0)
        return account_by_id(call->desk, &call->arena, client_of(call)->account_id, &root->info,
                             err) &&
               open_root(call, root, err);
    if (!account_by_address(call->desk, &call->arena, name, &root->info, err) ||
        !is_operator(call, &allowed, err) ||
        (!allowed && !may_read_some(call, root->info.id, &allowed, err)))
        return false;
    if (!allowed)
        return error_set(err, ERROR_NOT_FOUND, "there is no such quota root");
    return open_root(call, root, err);
}

static struct slice root_name(const struct root *root)
{
    return root->own ? SLICE("") : root->info.address;
}

struct resource {
    const char *name;
    uint64_t used, max; /* max 0: no limit */
};

#define RESOURCES 4

/* What is counted in bytes is told in units of 1024 of them (section 5.1). A limit that is less
 * than one unit is told as the one above, not as none at all. */
static bool read_resources(const struct root *root, struct resource *resources, struct error *err)
{
    struct quota_rest rest;
    struct quota quota;

    if (!account_quota(root->account, &quota, err) ||
        !account_quota_rest(root->account, &rest, err))
        return false;
    resources[0] = (struct resource){ "STORAGE", (quota.bytes + 1023) / 1024,
                                      (quota.bytes_max + 1023) / 1024 };
    resources[1] = (struct resource){ "MESSAGE", quota.messages, quota.messages_max };
    resources[2] = (struct resource){ "MAILBOX", rest.mailboxes, rest.mailboxes_max };
    resources[3] = (struct resource){ "ANNOTATION-STORAGE", (rest.annotation_bytes + 1023) / 1024,
                                      (rest.annotation_bytes_max + 1023) / 1024 };
    return true;
}

/* Resources without a limit are left out (section 4.2.1). */
static bool tell_quota(struct call *call, const struct root *root, struct error *err)
{
    struct resource resources[RESOURCES];
    struct buf *out = &call->out;
    char before = '(';

    if (!read_resources(root, resources, err))
        return false;
    buf_add_text(out, "* QUOTA ");
    reply_string(out, root_name(root));
    buf_add_byte(out, ' ');
    for (size_t i = 0; i < RESOURCES; i++) {
        if (resources[i].max == 0)
            continue;
        buf_fmt(out, "%c%s %llu %llu", before, resources[i].name,
                (unsigned long long)resources[i].used, (unsigned long long)resources[i].max);
        before = ' ';
    }
    buf_add_text(out, before == '(' ? "()\r\n" : ")\r\n");
    return true;
}

enum next imap_getquota(struct call *call, struct args *args)
{
    struct slice name;
    struct root root;
    struct error err;

    if (!args_space(args) || !args_astring(args, &name) || !args_end(args))
        return reply_syntax(call, args);
    if (!find_root(call, name, &root, &err) || !tell_quota(call, &root, &err))
        return reply_error(call, &err);
    return reply_ok(call, "GETQUOTA completed");
}

/* The mailbox need not exist (section 4.1.2): it would be one of the user's. */
static bool find_root_of(struct call *call, struct slice mailbox, struct root *root,
                         struct error *err)
{
    uint64_t id = client_of(call)->account_id;
    struct place place;

    if (place_find(call, mailbox, RIGHT_READ, &place, err))
        id = account_id(place.account);
    else if (err->kind != ERROR_NOT_FOUND)
        return false;
    return account_by_id(call->desk, &call->arena, id, &root->info, err) &&
           open_root(call, root, err);
}

enum next imap_getquotaroot(struct call *call, struct args *args)
{
    struct slice name;
    struct root root;
    struct error err;

    if (!args_space(args) || !args_mailbox(args, &name) || !args_end(args))
        return reply_syntax(call, args);
    if (!find_root_of(call, name, &root, &err))
        return reply_error(call, &err);
    buf_add_text(&call->out, "* QUOTAROOT ");
    reply_mailbox(client_of(call), &call->out, name);
    buf_add_byte(&call->out, ' ');
    reply_string(&call->out, root_name(&root));
    buf_add_text(&call->out, "\r\n");
    if (!tell_quota(call, &root, &err))
        return reply_error(call, &err);
    return reply_ok(call, "GETQUOTAROOT completed");
}

/* A limit as the directory has it: bytes, and 0 is not for "nothing", so the least is one unit. */
static bool take_limit(struct args *args, struct account_limits *limits)
{
    struct slice name;
    uint64_t limit, unit;

    if (!args_atom(args, &name) || !args_space(args) || !args_number64(args, &limit))
        return false;
    unit = slice_is(name, "STORAGE") || slice_is(name, "ANNOTATION-STORAGE") ? 1024 : 1;
    limit = MIN(MAX(limit, 1), (LIMIT_NONE - 1) / unit) * unit;
    if (slice_is(name, "STORAGE"))
        limits->bytes = limit;
    else if (slice_is(name, "MESSAGE"))
        limits->messages = limit;
    else if (slice_is(name, "MAILBOX"))
        limits->mailboxes = limit;
    else if (slice_is(name, "ANNOTATION-STORAGE"))
        limits->annotation_bytes = limit;
    else
        return args_fail(args, "there is no such resource");
    return true;
}

/* setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")": what is not in it has no
 * limit any more (section 4.1.3). */
static bool take_limits(struct args *args, struct account_limits *limits)
{
    *limits = (struct account_limits){ LIMIT_NONE, LIMIT_NONE, LIMIT_NONE, LIMIT_NONE };
    if (!args_open(args))
        return false;
    if (args_try_byte(args, ')'))
        return true;
    do {
        if (!take_limit(args, limits))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

enum next imap_setquota(struct call *call, struct args *args)
{
    struct account_limits limits;
    struct slice name;
    struct root root;
    struct error err;
    bool allowed;

    if (!args_space(args) || !args_astring(args, &name) || !args_space(args) ||
        !take_limits(args, &limits) || !args_end(args))
        return reply_syntax(call, args);
    if (!is_operator(call, &allowed, &err))
        return reply_error(call, &err);
    if (!allowed)
        return reply_no(call, "NOPERM", "Quotas are set by the operator");
    if (!find_root(call, name, &root, &err) ||
        !account_set_limits(call->desk, root.info.id, &limits, &err) ||
        !tell_quota(call, &root, &err))
        return reply_error(call, &err);
    return reply_ok(call, "SETQUOTA completed");
}

/* cmd_acl.c - SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314).
 *
 * An identifier is the address of an account, or "anyone", which is everybody who can log in: there
 * is no anonymous login here, and so no other name for it; with "-" before it, the rights are taken
 * away. The owner has all rights for ever, and is told so.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/place.h"
#include "imapd/reply.h"

#include <stdlib.h>

struct acl_args {
    struct slice mailbox, identifier;
    enum acl_change change;
    unsigned rights;
};

/* Section 3: SASLprep has to leave something. An address has no characters that it would map, but
 * for case, which the directory sees to. */
static bool take_identifier(struct args *args, struct slice *identifier_out)
{
    if (!args_space(args) || !args_astring(args, identifier_out))
        return false;
    if (identifier_out->len == 0 || slice_is(*identifier_out, "-"))
        return args_fail(args, "an identifier was expected");
    return true;
}

/* mod-rights = astring: [+-] and letters */
static bool take_rights(struct args *args, struct acl_args *acl)
{
    struct slice text;

    if (!args_space(args) || !args_astring(args, &text))
        return false;
    acl->change = ACL_REPLACE;
    if (text.len > 0 && (text.data[0] == '+' || text.data[0] == '-')) {
        acl->change = text.data[0] == '+' ? ACL_ADD : ACL_REMOVE;
        text = slice_from(text, 1);
    }
    return rights_parse(text, &acl->rights) || args_fail(args, "there is no such right");
}

static bool take_head(struct args *args, struct acl_args *acl)
{
    *acl = (struct acl_args){ 0 };
    return args_space(args) && args_mailbox(args, &acl->mailbox) &&
           take_identifier(args, &acl->identifier);
}

/* Whom an identifier stands for. Errors: ERROR_NOT_FOUND. */
static bool find_identifier(struct call *call, struct slice identifier, struct acl_entry *entry_out,
                            struct error *err)
{
    const char *domain = client_of(call)->imap->login.default_domain;
    AUTO(buf_free) struct buf address = { 0 };
    struct account_info info;

    *entry_out = (struct acl_entry){ .who = ACL_ANYONE, .negative = identifier.data[0] == '-' };
    if (entry_out->negative)
        identifier = slice_from(identifier, 1);
    if (slice_equal(identifier, SLICE("anyone")))
        return true;
    buf_add_slice(&address, identifier);
    if (slice_find(identifier, '@') < 0 && domain != NULL && *domain != '\0')
        buf_fmt(&address, "@%s", domain);
    if (!account_by_address(call->desk, &call->arena, buf_slice(&address), &info, err))
        return false;
    entry_out->who = info.id;
    return true;
}

static enum next refuse_identifier(struct call *call, const struct error *err)
{
    if (err->kind == ERROR_NOT_FOUND)
        return reply_no(call, NULL, "There is no such user");
    return reply_error(call, err);
}

static bool asks_for_nothing(const struct acl_entry *entry, enum acl_change change)
{
    switch (change) {
    case ACL_REPLACE:
        return !entry->negative && entry->rights == RIGHTS_ALL;
    case ACL_ADD:
        return !entry->negative;
    case ACL_REMOVE:
        return entry->negative;
    }
    abort();
}

static enum next change_acl(struct call *call, const struct acl_args *acl, const char *done)
{
    struct acl_entry entry;
    struct place place;
    struct error err;

    if (!place_find(call, acl->mailbox, RIGHT_ADMIN, &place, &err))
        return reply_error(call, &err);
    if (!find_identifier(call, acl->identifier, &entry, &err))
        return refuse_identifier(call, &err);
    entry.rights = acl->rights;
    if (entry.who == account_id(place.account))
        return asks_for_nothing(&entry, acl->change)
                   ? reply_ok(call, done)
                   : reply_no(call, "CANNOT", "The owner has all rights");
    if (!acl_change(place.account, place.info.id, &entry, acl->change, &err))
        return reply_error(call, &err);
    return reply_ok(call, done);
}

/* setacl = "SETACL" SP mailbox SP identifier SP mod-rights */
enum next imap_setacl(struct call *call, struct args *args)
{
    struct acl_args acl;

    if (!take_head(args, &acl) || !take_rights(args, &acl) || !args_end(args))
        return reply_syntax(call, args);
    return change_acl(call, &acl, "SETACL completed");
}

/* deleteacl = "DELETEACL" SP mailbox SP identifier */
enum next imap_deleteacl(struct call *call, struct args *args)
{
    struct acl_args acl;

    if (!take_head(args, &acl) || !args_end(args))
        return reply_syntax(call, args);
    acl.change = ACL_REPLACE;
    return change_acl(call, &acl, "DELETEACL completed");
}

static void print_entry(struct buf *out, const char *sign, struct slice identifier, unsigned rights)
{
    AUTO(buf_free) struct buf whole = { 0 };
    char text[RIGHTS_TEXT_MAX];

    rights_print(rights, text);
    buf_add_text(&whole, sign);
    buf_add_slice(&whole, identifier);
    buf_add_byte(out, ' ');
    reply_string(out, buf_slice(&whole));
    buf_fmt(out, " \"%s\"", text);
}

/* Of an account that was removed there is nothing to tell. */
static bool print_acl(struct call *call, const struct place *place, struct error *err)
{
    struct account_info info;
    struct acl_list list;

    if (!acl_list(place->account, place->info.id, &call->arena, &list, err) ||
        !account_by_id(call->desk, &call->arena, account_id(place->account), &info, err))
        return false;
    buf_add_text(&call->out, "* ACL ");
    reply_mailbox(client_of(call), &call->out, place->info.name);
    print_entry(&call->out, "", info.address, RIGHTS_ALL);
    for (size_t i = 0; i < list.count; i++) {
        const struct acl_entry *entry = &list.items[i];

        info.address = SLICE("anyone");
        if (entry->who == ACL_ANYONE ||
            account_by_id(call->desk, &call->arena, entry->who, &info, err))
            print_entry(&call->out, entry->negative ? "-" : "", info.address, entry->rights);
        else if (err->kind != ERROR_NOT_FOUND)
            return false;
    }
    buf_add_text(&call->out, "\r\n");
    return true;
}

/* getacl = "GETACL" SP mailbox */
enum next imap_getacl(struct call *call, struct args *args)
{
    size_t start = call->out.len;
    struct slice name;
    struct place place;
    struct error err;

    if (!args_space(args) || !args_mailbox(args, &name) || !args_end(args))
        return reply_syntax(call, args);
    if (!place_find(call, name, RIGHT_ADMIN, &place, &err))
        return reply_error(call, &err);
    if (!print_acl(call, &place, &err)) {
        buf_truncate(&call->out, start);
        return reply_error(call, &err);
    }
    return reply_ok(call, "GETACL completed");
}

/* listrights = "LISTRIGHTS" SP mailbox SP identifier. No rights are tied together. */
enum next imap_listrights(struct call *call, struct args *args)
{
    struct acl_entry entry;
    struct acl_args acl;
    struct place place;
    struct error err;

    if (!take_head(args, &acl) || !args_end(args))
        return reply_syntax(call, args);
    if (!place_find(call, acl.mailbox, RIGHT_ADMIN, &place, &err))
        return reply_error(call, &err);
    if (!find_identifier(call, acl.identifier, &entry, &err))
        return refuse_identifier(call, &err);
    buf_add_text(&call->out, "* LISTRIGHTS ");
    reply_mailbox(client_of(call), &call->out, place.info.name);
    buf_add_byte(&call->out, ' ');
    reply_string(&call->out, acl.identifier);
    if (entry.who == account_id(place.account))
        buf_add_text(&call->out, " lrswipkxteacd\r\n");
    else
        buf_add_text(&call->out, " \"\" l r s w i p k x t e a c d\r\n");
    return reply_ok(call, "LISTRIGHTS completed");
}

/* Section 4. */
#define ANY_OF                                                                                     \
    (RIGHT_LOOKUP | RIGHT_READ | RIGHT_INSERT | RIGHT_CREATE | RIGHT_DELETE_MAILBOX | RIGHT_ADMIN)

/* myrights = "MYRIGHTS" SP mailbox */
enum next imap_myrights(struct call *call, struct args *args)
{
    struct slice name;
    struct place place;
    struct error err;

    if (!args_space(args) || !args_mailbox(args, &name) || !args_end(args))
        return reply_syntax(call, args);
    if (!place_find(call, name, 0, &place, &err))
        return reply_error(call, &err);
    if ((place.rights & ANY_OF) == 0)
        return reply_no(call, "NONEXISTENT", "There is no such mailbox");
    reply_rights(call, place.info.name, place.rights);
    return reply_ok(call, "MYRIGHTS completed");
}

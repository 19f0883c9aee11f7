/* cmd_mailbox.c - CREATE (with USE, RFC 6154 section 3), DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE
 * (RFC 3501 section 6.3), NAMESPACE (RFC 2342). */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/list_reply.h"
#include "imapd/objectid.h"
#include "imapd/place.h"
#include "imapd/reply.h"
#include "imapd/special_use.h"

/* "foo/" asks for a mailbox that will have inferiors: all of ours can (RFC 3501 section 6.3.3). */
static struct slice without_delimiter(struct slice name)
{
    if (name.len > 1 && name.data[name.len - 1] == '/')
        name.len--;
    return name;
}

struct create_args {
    struct slice name;
    enum special_use use;
    bool use_refused; /* more than one, unknown, or one that needs a virtual mailbox */
};

static bool take_use(struct args *args, struct create_args *create)
{
    struct slice word;
    const char *start = args->rest.data;
    enum special_use use = SPECIAL_NONE;

    if (!args_try_byte(args, '\\') || !args_atom(args, &word))
        return args_fail(args, "a special use was expected");
    if (create->use != SPECIAL_NONE ||
        !special_use_by_name(slice_make(start, word.len + 1), &use) || !special_use_is_given(use))
        create->use_refused = true;
    create->use = use;
    return true;
}

/* "USE" SP "(" [use-attr *(SP use-attr)] ")" */
static bool take_uses(struct args *args, struct create_args *create)
{
    if (!args_try_word(args, "USE"))
        return args_fail(args, "there is no such parameter");
    if (!args_space(args) || !args_open(args))
        return false;
    if (args_try_byte(args, ')'))
        return true;
    do {
        if (!take_use(args, create))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

static bool take_create(struct args *args, struct create_args *create)
{
    *create = (struct create_args){ 0 };
    if (!args_space(args) || !args_mailbox(args, &create->name))
        return false;
    if (!args_at_end(args) &&
        (!args_space(args) || !args_open(args) || !take_uses(args, create) || !args_close(args)))
        return false;
    create->name = without_delimiter(create->name);
    return args_end(args);
}

/* The right to make `name` there. Who may not is told the same of accounts that there are not. */
static bool may_create(struct call *call, struct slice name, struct place_name *where,
                       struct error *err)
{
    unsigned rights;

    if (!place_of(call, name, where, err))
        return err->kind != ERROR_NOT_FOUND ? false
                                            : error_set(err, ERROR_DENIED, "no such account");
    if (where->before.len == 0 &&
        (slice_starts(name, OTHER_USERS) || slice_is(name, "Other Users")))
        return error_set(err, ERROR_INVALID, "this level is for other accounts");
    return place_rights_above(call, where, &rights, err) &&
           ((rights & RIGHT_CREATE) != 0 || error_set(err, ERROR_DENIED, "no right to create"));
}

/* Has the client written the name otherwise than it is spelt? Then IMAP4rev2 tells how (RFC 9051
 * section 6.3.9.7). */
static bool is_spelt_otherwise(struct call *call, struct slice name, struct slice written,
                               struct place *place_out)
{
    struct error err;

    return client_of(call)->rev2 && place_find(call, name, 0, place_out, &err) &&
           !slice_equal(place_out->info.name, written);
}

enum next imap_create(struct call *call, struct args *args)
{
    struct place_name where;
    AUTO(buf_free) struct buf code = { 0 };
    struct create_args create;
    struct slice written;
    struct place place;
    struct error err;
    uint64_t id;

    if (!take_create(args, &create))
        return reply_syntax(call, args);
    if (!may_create(call, create.name, &where, &err))
        return reply_error(call, &err);
    if (create.use_refused || (create.use != SPECIAL_NONE && where.before.len > 0))
        return reply_no(call, "USEATTR", "Mailbox cannot have this special use");
    if (mailbox_create(where.account, where.local, create.use, &id, &err)) {
        written = without_delimiter(args->written_name);
        if (is_spelt_otherwise(call, create.name, written, &place))
            list_reply_one(call, &place.info, written);
        buf_add_text(&code, "MAILBOXID (");
        objectid_mailbox(&code, where.account, id);
        buf_add_byte(&code, ')');
        return reply_ok_code(call, buf_text(&code), "CREATE completed");
    }
    if (err.kind == ERROR_DENIED && create.use != SPECIAL_NONE)
        return reply_no(call, "USEATTR", "Another mailbox has this special use");
    return reply_error(call, &err);
}

/* INBOX stays, and so does what is there only by its inferiors (RFC 9051 section 6.3.5). */
static enum next refuse_delete(struct call *call, struct slice name, const struct error *err)
{
    struct place_name where;
    struct mailbox_list all;
    struct error ignored;

    if (err->kind == ERROR_DENIED && place_of(call, name, &where, &ignored) &&
        slice_is(where.local, "INBOX"))
        return reply_no(call, "CANNOT", "INBOX cannot be deleted");
    if (err->kind != ERROR_NOT_FOUND || !place_of(call, name, &where, &ignored) ||
        where.before.len > 0 || !mailbox_all(where.account, &call->arena, &all, &ignored))
        return reply_error(call, err);
    for (size_t i = 0; i < all.count; i++)
        if (mailbox_is_below(all.items[i].name, name))
            return reply_no(call, "HASCHILDREN", "There are mailboxes below this name only");
    return reply_error(call, err);
}

enum next imap_delete(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct place_name where;
    struct place place;
    struct slice name;
    struct error err;

    if (!args_space(args) || !args_mailbox(args, &name) || !args_end(args))
        return reply_syntax(call, args);
    if (!place_find(call, name, RIGHT_DELETE_MAILBOX, &place, &err) ||
        !place_of(call, name, &where, &err) || !mailbox_delete(where.account, where.local, &err))
        return refuse_delete(call, name, &err);
    if (client->rev2 && !slice_equal(place.info.name, args->written_name))
        list_reply_gone(call, place.info.name, args->written_name);
    if (client->state == CLIENT_SELECTED && client->selected == place.account &&
        client->view.mailbox == place.info.id) {
        client_unselect(client);
        reply_untagged(call, "OK [CLOSED] Selected mailbox is deleted");
    }
    return reply_ok(call, "DELETE completed");
}

/* One's own may exist by its inferiors only; what another shares is a mailbox. */
static bool find_source(struct call *call, struct slice name, struct place_name *where,
                        struct error *err)
{
    struct place place;

    return place_of(call, name, where, err) &&
           (where->before.len == 0 || place_find(call, name, RIGHT_DELETE_MAILBOX, &place, err));
}

/* Messages of INBOX are what moves when it is renamed, so another's is no mailbox to rename. */
enum next imap_rename(struct call *call, struct args *args)
{
    struct place_name source, target;
    struct slice from, to, old;
    struct place place;
    bool other;
    struct error err;

    if (!args_space(args) || !args_mailbox(args, &from) || !args_space(args))
        return reply_syntax(call, args);
    old = args->written_name;
    if (!args_mailbox(args, &to) || !args_end(args))
        return reply_syntax(call, args);
    to = without_delimiter(to);
    if (!find_source(call, from, &source, &err) || !may_create(call, to, &target, &err))
        return reply_error(call, &err);
    if (source.account != target.account)
        return reply_no(call, "CANNOT", "A mailbox cannot be renamed into another account");
    if (source.before.len > 0 && slice_is(source.local, "INBOX"))
        return reply_no(call, "NOPERM", "Another user's INBOX cannot be renamed");
    other = is_spelt_otherwise(call, from, old, &place);
    if (!mailbox_rename(source.account, source.local, target.local, &err))
        return reply_error(call, &err);
    if (client_of(call)->rev2 && place_find(call, to, 0, &place, &err) &&
        (other || !slice_equal(place.info.name, without_delimiter(args->written_name))))
        list_reply_one(call, &place.info, old);
    return reply_ok(call, "RENAME completed");
}

static enum next subscribe(struct call *call, struct args *args, bool subscribed)
{
    struct slice name;
    struct error err;

    if (!args_space(args) || !args_mailbox(args, &name) || !args_end(args))
        return reply_syntax(call, args);
    if (!mailbox_subscribe(client_of(call)->account, without_delimiter(name), subscribed, &err))
        return reply_error(call, &err);
    return reply_ok(call, "Subscriptions are changed");
}

enum next imap_subscribe(struct call *call, struct args *args)
{
    return subscribe(call, args, true);
}

enum next imap_unsubscribe(struct call *call, struct args *args)
{
    return subscribe(call, args, false);
}

enum next imap_namespace(struct call *call, struct args *args)
{
    if (!args_end(args))
        return reply_syntax(call, args);
    reply_untagged(call, "NAMESPACE ((\"\" \"/\")) ((\"" OTHER_USERS "\" \"/\")) ((\"" SHARED
                         "\" \"/\"))");
    return reply_ok(call, "NAMESPACE completed");
}

/* cmd_mailbox.c - CREATE (with USE, RFC 6154 section 3), DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE
 * (RFC 3501 section 6.3), NAMESPACE (RFC 2342). */
#include "imapd/args.h"
#include "imapd/command.h"
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

enum next imap_create(struct call *call, struct args *args)
{
    struct create_args create;
    struct error err;
    uint64_t id;

    if (!take_create(args, &create))
        return reply_syntax(call, args);
    if (create.use_refused)
        return reply_no(call, "USEATTR", "Mailbox cannot have this special use");
    if (mailbox_create(client_of(call)->account, create.name, create.use, &id, &err))
        return reply_ok(call, "CREATE completed");
    if (err.kind == ERROR_DENIED && create.use != SPECIAL_NONE)
        return reply_no(call, "USEATTR", "Another mailbox has this special use");
    return reply_error(call, &err);
}

static bool is_selected(struct call *call, struct slice name)
{
    const struct client *client = client_of(call);
    struct mailbox_info info;
    struct error err;

    return client->state == CLIENT_SELECTED &&
           mailbox_by_name(client->account, &call->arena, name, &info, &err) &&
           info.id == client->view.mailbox;
}

enum next imap_delete(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct slice name;
    struct error err;
    bool selected;

    if (!args_space(args) || !args_mailbox(args, &name) || !args_end(args))
        return reply_syntax(call, args);
    selected = is_selected(call, name);
    if (!mailbox_delete(client->account, name, &err))
        return reply_error(call, &err);
    if (selected) {
        client_unselect(client);
        reply_untagged(call, "OK [CLOSED] Selected mailbox is deleted");
    }
    return reply_ok(call, "DELETE completed");
}

enum next imap_rename(struct call *call, struct args *args)
{
    struct slice from, to;
    struct error err;

    if (!args_space(args) || !args_mailbox(args, &from) || !args_space(args) ||
        !args_mailbox(args, &to) || !args_end(args))
        return reply_syntax(call, args);
    if (!mailbox_rename(client_of(call)->account, from, without_delimiter(to), &err))
        return reply_error(call, &err);
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
    reply_untagged(call, "NAMESPACE ((\"\" \"/\")) NIL NIL");
    return reply_ok(call, "NAMESPACE completed");
}

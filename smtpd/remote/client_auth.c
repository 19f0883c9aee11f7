/* client_auth.c - logs in to a relay (RFC 4954):
 *
 *     AUTH PLAIN base64("\0login\0password") --> 235        (RFC 4616)
 *     AUTH LOGIN --> 334 --> login --> 334 --> password --> 235
 *
 * LOGIN, which no RFC describes, only where PLAIN is not offered: some relays know nothing else.
 */
#include "common/codec.h"
#include "smtpd/remote/client.h"

void client_learn_auth(struct client *client, struct slice mechanisms)
{
    struct slice name;

    while (slice_split(&mechanisms, ' ', &name)) {
        if (slice_is(name, "PLAIN"))
            client->extensions |= EXTENSION_AUTH_PLAIN;
        else if (slice_is(name, "LOGIN"))
            client->extensions |= EXTENSION_AUTH_LOGIN;
    }
}

static void say_plain(struct client *client)
{
    AUTO(buf_free) struct buf plain = { 0 };
    struct buf *out = &client->call->out;

    buf_add_byte(&plain, '\0');
    buf_add_text(&plain, client->task->login);
    buf_add_byte(&plain, '\0');
    buf_add_text(&plain, client->task->password);
    buf_add_text(out, "AUTH PLAIN ");
    base64_encode(buf_slice(&plain), out);
    buf_add_text(out, "\r\n");
}

void client_say_auth(struct client *client)
{
    const unsigned both = EXTENSION_AUTH_PLAIN | EXTENSION_AUTH_LOGIN;

    client->n_auth_parts = 0;
    client->n_unanswered++;
    if ((client->extensions & both) != EXTENSION_AUTH_LOGIN) {
        say_plain(client);
        return;
    }
    client->n_auth_parts = 2;
    buf_add_text(&client->call->out, "AUTH LOGIN\r\n");
}

bool client_go_on_auth(struct client *client, const struct answer *answer)
{
    const struct client_task *task = client->task;

    if (answer->code != 334 || client->n_auth_parts == 0)
        return false;
    client->n_auth_parts--;
    base64_encode(slice_of(client->n_auth_parts == 1 ? task->login : task->password),
                  &client->call->out);
    buf_add_text(&client->call->out, "\r\n");
    client->n_unanswered++;
    return true;
}

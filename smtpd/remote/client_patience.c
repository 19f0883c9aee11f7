/* client_patience.c - how long the client waits for replies, and for its message to be taken.
 *
 * The time for a reply counts from when it was asked for, so bytes that drip in win none. The
 * session ends a silence (call->idle_ms is what is left); a server that goes on to drip is ended
 * here.
 */
#include "smtpd/remote/client.h"

#include "common/clock.h"

#include <stdlib.h>

#define GOODBYE_MS (10 * 1000u)     /* at QUIT: everything is decided */
#define SLOWLY_MS  (5 * 60 * 1000u) /* so long no message is taken too slowly */

static uint64_t patience_ms(const struct client *client)
{
    const struct client_patience *patience = &client->task->patience;

    switch (client->phase) {
    case CLIENT_DATA:
        return patience->data_ms;
    case CLIENT_SENT:
        return patience->sent_ms;
    case CLIENT_QUIT:
        return MIN(GOODBYE_MS, patience->command_ms);
    case CLIENT_GREETING:
    case CLIENT_EHLO:
    case CLIENT_HELO:
    case CLIENT_STARTTLS:
    case CLIENT_SHAKING:
    case CLIENT_AUTH:
    case CLIENT_MAIL:
    case CLIENT_RCPT:
    case CLIENT_BODY:
    case CLIENT_DRAIN:
    case CLIENT_RSET:
        return patience->command_ms;
    case CLIENT_IDLE:
        return client->task->idle_ms;
    }
    abort();
}

bool client_wait(struct client *client)
{
    uint64_t patience = patience_ms(client), now = clock_ms();

    if (!client->waits)
        client->since_ms = now;
    client->waits = true;
    client->call->idle_ms = 0;
    if (patience == 0)
        return true;
    if (now - client->since_ms >= patience)
        return false;
    client->call->idle_ms = patience - (now - client->since_ms);
    return true;
}

static uint64_t unsent(const struct client *client)
{
    return client->parts[0].len + client->parts[1].len;
}

void client_time_body(struct client *client)
{
    client->since_ms = clock_ms();
    client->body_len = unsent(client);
}

/* What is still on the way counts as taken, for that is little; the session bounds its time. */
bool client_is_too_slow(const struct client *client)
{
    uint64_t rate = client->task->patience.rate;
    uint64_t sent = client->body_len - unsent(client);

    return rate > 0 && clock_ms() - client->since_ms > SLOWLY_MS + sent * 1000 / rate;
}

/* accept.h - DATA, and from the end of the data to the reply: the message enters the queue.
 *
 *     end of data --> stations, one after the other --> STEP_COMMIT --queue committed--> 250
 *                        |      ^                 '--refused, discarded--> reply
 *                        '-wait-'
 *
 * A station looks at the message, or changes it; it may wait as often as it likes. A new one is a
 * function and a line in accept.c's table. When the client goes away meanwhile the message is
 * dropped: nobody has heard 250.
 *
 * The reply is given when the queue's commit is on disk, and not before. LMTP has one reply for
 * each accepted recipient (RFC 2033 section 4.2).
 */
#pragma once

#include "smtpd/session.h"

enum next cmd_data(struct smtp *smtp, struct slice arguments);

enum station_result {
    STATION_PASS, /* on to the next */
    STATION_WAIT, /* call_resume() will come; then the same station is called again */
    STATION_REFUSE,
    STATION_DISCARD, /* 250, and the message is gone */
};

/* *reply_out: the refusal, without CRLF; as long-lived as the transaction. */
typedef enum station_result station(struct smtp *smtp, const char **reply_out);

enum next accept_data(struct smtp *smtp);      /* STEP_DATA: input has come */
enum next accept_go_on(struct smtp *smtp);     /* STEP_STATIONS: what was waited for is there */
enum next accept_committed(struct smtp *smtp); /* STEP_COMMIT: the queue has answered */

/* The client went away while the queue wrote: what was committed is delivered all the same. */
void accept_late(struct smtp *smtp);

/* In STEP_COMMIT: takes accept_committed() no more than a lock for a moment? */
bool accept_ends_lightly(const struct smtp *smtp);

/* Shared with BDAT: before the first byte of the message, and after its last. */
void accept_begin(struct smtp *smtp);
enum next accept_message(struct smtp *smtp);

/* The reply to a message that has a fault; NULL when it has none. */
const char *accept_fault(const struct content *content);

/* filter.h - the milters a message passes, one after the other, between the end of its data and the
 * queue.
 *
 *     ask --milter's verdict, its changes made--> ask the next ... --> PASS
 *                        '--> REFUSE, DISCARD
 *
 * Each milter sees what the one before has made of the message, without the trace lines that we put
 * on top. A milter that cannot be asked, or breaks off, is passed over or makes the message wait,
 * by the setting [milter] on_failure; what it wanted to change until then is forgotten.
 *
 * A recipient that a milter adds may be anybody: milters are the operator's. Parameters of ADDRCPT
 * and CHGFROM are not used.
 *
 * Threads: the session's worker.
 */
#pragma once

#include "smtpd/accept.h"

struct filter;

/* The station: passes at once where no milters are wanted. */
enum station_result filter_station(struct smtp *smtp, const char **reply_out);
void filter_free(struct filter **filter);

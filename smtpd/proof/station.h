/* station.h - proof of origin on a message's way into the queue (smtpd/accept.h).
 *
 *     check: mail from other servers gets Authentication-Results, and what its domain wants
 *     sign:  mail of our users gets DKIM signatures, mail that is forwarded an ARC seal
 *
 * Filters stand between the two: what is refused here they need not look at, and what they change
 * is signed. They see the message without the fields that we add.
 *
 * Threads: the session's worker.
 */
#pragma once

#include "smtpd/accept.h"

station proof_station_check;
station proof_station_sign;

/* station.h - proof of origin on a message's way into the queue (smtpd/accept.h).
 *
 *     check: mail from other servers gets Authentication-Results, and what its domain wants
 *     sign:  mail of our users gets DKIM signatures, mail that is forwarded an ARC seal
 *
 * Filters stand between the two: they see what was found, and what they change is signed.
 *
 * Threads: the session's worker.
 */
#pragma once

#include "smtpd/accept.h"

station proof_station_check;
station proof_station_sign;

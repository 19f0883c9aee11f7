/* confinement.h - what a daemon keeps for itself: its data, its certificates, the system's tables.
 *
 * Made from the settings, since they say where all that is (common/confine.h does the rest).
 *
 * Threads: the main thread, before it makes others.
 */
#pragma once

#include "common/log.h"
#include "storage/settings.h"

/* Does what [postane] confine says, and logs it. `connects`: to other machines. False: the daemon
 * must not serve. */
bool confinement_begin(const struct settings *settings, bool connects, const struct log *log,
                       struct error *err) MUST_CHECK;

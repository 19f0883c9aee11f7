/* systemd.h - tells systemd how we are (sd_notify(3)), where it started us.
 *
 * Threads: any.
 */
#pragma once

/* "READY=1" and the like: one datagram to the socket that the environment names; without one,
 * nothing happens. */
void systemd_tell(const char *state);

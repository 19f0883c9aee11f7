/* report.h - asks a running daemon how it is, on its status socket (daemon_report()). */
#pragma once

#include "common/buf.h"
#include "common/error.h"

/* Reads the one line of JSON. Errors: ERROR_NOT_FOUND when it does not run, ERROR_TEMPORARY. */
bool report_read(const char *data, const char *daemon, struct buf *out,
                 struct error *err) MUST_CHECK;

/* Does it serve? Waits while it starts, for seconds at most. */
bool report_answers(const char *data, const char *daemon);

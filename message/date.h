/* date.h - dates of mail (RFC 5322 section 3.3, obsolete forms of 4.3) and of IMAP (RFC 3501).
 *
 * Pure. Times are milliseconds of Unix time, UTC; printing may be given a zone in minutes.
 */
#pragma once

#include "common/buf.h"

/* Also gives the calendar day and zone as written, since IMAP's SENTON ignores the zone. */
struct date {
    int64_t unix_ms;
    int zone_minutes;
    int year, month, day; /* as written; month and day count from 1 */
};

bool date_parse(struct slice text, struct date *date_out) MUST_CHECK;
void date_print(int64_t unix_ms, int zone_minutes,
                struct buf *out); /* "Mon, 2 Mar 2026 10:00:00 +0000" */

bool imap_date_time_parse(struct slice text, int64_t *unix_ms_out) MUST_CHECK; /* without quotes */
void imap_date_time_print(int64_t unix_ms,
                          struct buf *out); /* " 2-Mar-2026 10:00:00 +0000", no quotes */

/* "2-Mar-2026" as a number of days since 1970-01-01. */
bool imap_date_parse(struct slice text, int64_t *day_out) MUST_CHECK;
int64_t day_of(int year, int month, int day);

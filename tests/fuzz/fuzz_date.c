/* fuzz_date.c - dates: what is understood can be printed and read again. */
#include "message/date.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_mail_date(const struct date *date)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct date again;

    if (date->month < 1 || date->month > 12 || date->day < 1 || date->day > 31)
        abort();
    date_print(date->unix_ms, date->zone_minutes, &text);
    if (date->year < 9999 && date->year > 0 &&
        (!date_parse(buf_slice(&text), &again) || again.unix_ms != date->unix_ms))
        abort();
}

static void check_imap_date_time(int64_t ms)
{
    AUTO(buf_free) struct buf text = { 0 };
    int64_t again;

    imap_date_time_print(ms, &text);
    if (ms > -INT64_C(62000000000000) && ms < INT64_C(253000000000000) &&
        (!imap_date_time_parse(buf_slice(&text), &again) || again != ms))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size);
    struct date date;
    int64_t number;

    if (date_parse(text, &date))
        check_mail_date(&date);
    if (imap_date_time_parse(text, &number))
        check_imap_date_time(number);
    if (imap_date_parse(text, &number) && (number < -800000 || number > 3000000))
        abort();
    return 0;
}

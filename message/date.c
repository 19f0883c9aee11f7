/* date.c - dates of mail and of IMAP, both ways.
 *
 * A mail date is cut into words first, comments and commas dropped; what the words mean is decided
 * by their look, so that the forms of old and broken programs ("Mon Mar  2 10:00:00 2026",
 * "2-Mar-26 10:00 EST") are read by the same code as the right one.
 */
#include "message/date.h"

#include <time.h>

#define WORDS_MAX 10

static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

struct words {
    struct slice item[WORDS_MAX];
    size_t count;
};

/* Proleptic Gregorian calendar; counts years from March, so that the leap day is the last. */
int64_t day_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static int days_in_month(int year, int month)
{
    return (int)(month == 12 ? 31 : day_of(year, month + 1, 1) - day_of(year, month, 1));
}

static bool date_exists(int year, int month, int day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month);
}

static bool parse_number(struct slice text, int max, int *number_out)
{
    uint64_t number;

    if (!slice_number(text, (uint64_t)max, &number))
        return false;
    *number_out = (int)number;
    return true;
}

/* Full names too: the first three letters tell. */
static bool parse_month(struct slice word, int *month_out)
{
    for (int i = 0; i < 12; i++)
        if (slice_starts(word, month_names[i])) {
            *month_out = i + 1;
            return true;
        }
    return false;
}

static bool is_day_name(struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(day_names); i++)
        if (slice_starts(word, day_names[i]))
            return true;
    return false;
}

/* RFC 5322 section 4.3: two digits are 1950 to 2049, three count from 1900. */
static bool parse_year(struct slice word, int *year_out)
{
    if (word.len < 2 || word.len > 4 || !parse_number(word, 9999, year_out))
        return false;
    if (word.len == 3 || (word.len == 2 && *year_out >= 50))
        *year_out += 1900;
    else if (word.len == 2)
        *year_out += 2000;
    return true;
}

/* hh:mm or hh:mm:ss; a fraction of seconds is ignored. */
static bool parse_time(struct slice word, int *seconds_out)
{
    struct slice rest = word;
    struct slice part;
    int hour, minute, second = 0;

    if (!slice_split(&rest, ':', &part) || !parse_number(part, 23, &hour))
        return false;
    if (!slice_split(&rest, ':', &part) || !parse_number(part, 59, &minute))
        return false;
    if (slice_split(&rest, '.', &part) && !parse_number(part, 60, &second))
        return false;
    *seconds_out = hour * 3600 + minute * 60 + second;
    return true;
}

static bool parse_numeric_zone(struct slice word, int *minutes_out)
{
    int number;

    if (word.len != 5 || (word.data[0] != '+' && word.data[0] != '-') ||
        !parse_number(slice_from(word, 1), 9999, &number) || number % 100 > 59)
        return false;
    *minutes_out = (number / 100 * 60 + number % 100) * (word.data[0] == '-' ? -1 : 1);
    return true;
}

/* RFC 5322 section 4.3: names that are not known, military ones among them, mean -0000. */
static int named_zone(struct slice word)
{
    static const struct {
        const char *name;
        int hours;
    } zones[] = { { "EDT", -4 }, { "EST", -5 }, { "CDT", -5 }, { "CST", -6 },
                  { "MDT", -6 }, { "MST", -7 }, { "PDT", -7 }, { "PST", -8 } };

    for (size_t i = 0; i < COUNT_OF(zones); i++)
        if (slice_is(word, zones[i].name))
            return zones[i].hours * 60;
    return 0;
}

/* Position behind the comment at text[at]. Comments nest and hold quoted pairs. */
static size_t skip_comment(struct slice text, size_t at)
{
    size_t depth = 0;

    for (; at < text.len; at++) {
        if (text.data[at] == '\\')
            at++;
        else if (text.data[at] == '(')
            depth++;
        else if (text.data[at] == ')' && --depth == 0)
            return at + 1;
    }
    return text.len;
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

/* A dash separates within a date ("2-Mar-2026") but starts a zone. */
static bool ends_word(struct slice text, size_t start, size_t at)
{
    char c = text.data[at];

    if (c == '-' || c == '+')
        return at > start;
    return is_separator(c) || c == '(';
}

static size_t word_end(struct slice text, size_t start)
{
    size_t at = start + 1;

    while (at < text.len && !ends_word(text, start, at))
        at++;
    return at;
}

/* A dash between the parts of a date: what stood before it is no time, so no zone can follow. */
static bool is_date_dash(const struct words *words, struct slice text, size_t at)
{
    return text.data[at] == '-' && words->count > 0 &&
           slice_find(words->item[words->count - 1], ':') < 0 && !is_separator(text.data[at - 1]);
}

static void split_words(struct slice text, struct words *words)
{
    size_t at = 0;

    while (at < text.len && words->count < WORDS_MAX) {
        if (text.data[at] == '(') {
            at = skip_comment(text, at);
        } else if (is_separator(text.data[at]) || is_date_dash(words, text, at)) {
            at++;
        } else {
            size_t end = word_end(text, at);

            words->item[words->count++] = slice_part(text, at, end - at);
            at = end;
        }
    }
}

static struct slice word_at(const struct words *words, size_t i)
{
    return i < words->count ? words->item[i] : (struct slice){ NULL, 0 };
}

/* What comes behind the month and day: time and year in either order, then the zone. */
static bool parse_year_time_zone(const struct words *words, size_t i, struct date *date,
                                 int *seconds_out)
{
    bool time_first = slice_find(word_at(words, i), ':') >= 0;
    struct slice zone;

    *seconds_out = 0;
    if (time_first && (!parse_time(word_at(words, i), seconds_out)))
        return false;
    if (time_first && !parse_year(word_at(words, i + 1), &date->year)) {
        /* asctime() with a zone before the year */
        if (!parse_year(word_at(words, i + 2), &date->year))
            return false;
        zone = word_at(words, i + 1);
    } else if (time_first) {
        zone = word_at(words, i + 2);
    } else {
        if (!parse_year(word_at(words, i), &date->year))
            return false;
        if (i + 1 < words->count && !parse_time(word_at(words, i + 1), seconds_out))
            return false;
        zone = word_at(words, i + 2);
    }
    if (!parse_numeric_zone(zone, &date->zone_minutes))
        date->zone_minutes = named_zone(zone);
    return true;
}

bool date_parse(struct slice text, struct date *date_out)
{
    struct words words = { .count = 0 };
    struct date date = { 0 };
    size_t i = 0;
    int seconds;

    split_words(text, &words);
    if (is_day_name(word_at(&words, 0)))
        i++;
    if (parse_month(word_at(&words, i), &date.month)) {
        if (!parse_number(word_at(&words, i + 1), 31, &date.day))
            return false;
    } else if (!parse_number(word_at(&words, i), 31, &date.day) ||
               !parse_month(word_at(&words, i + 1), &date.month)) {
        return false;
    }
    if (!parse_year_time_zone(&words, i + 2, &date, &seconds) ||
        !date_exists(date.year, date.month, date.day))
        return false;
    date.unix_ms =
        (day_of(date.year, date.month, date.day) * 86400 + seconds - date.zone_minutes * 60) * 1000;
    *date_out = date;
    return true;
}

/* Calendar time of a zone; division that rounds down, for times before 1970. */
static struct tm calendar(int64_t unix_ms, int zone_minutes)
{
    int64_t second = unix_ms / 1000 - (unix_ms % 1000 < 0 ? 1 : 0) + (int64_t)zone_minutes * 60;
    time_t t = (time_t)second;
    struct tm tm = { 0 };

    gmtime_r(&t, &tm);
    return tm;
}

void date_print(int64_t unix_ms, int zone_minutes, struct buf *out)
{
    struct tm tm = calendar(unix_ms, zone_minutes);
    int zone = zone_minutes < 0 ? -zone_minutes : zone_minutes;

    buf_fmt(out, "%s, %d %s %04d %02d:%02d:%02d %c%02d%02d", day_names[tm.tm_wday], tm.tm_mday,
            month_names[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
            zone_minutes < 0 ? '-' : '+', zone / 60, zone % 60);
}

/* date-text = date-day "-" date-month "-" date-year, the day with one digit or two. */
static bool parse_imap_day(struct slice text, int64_t *day_out)
{
    struct slice rest = text;
    struct slice part;
    int day, month, year;

    if (!slice_split(&rest, '-', &part) || part.len > 2 || !parse_number(part, 31, &day))
        return false;
    if (!slice_split(&rest, '-', &part) || part.len != 3 || !parse_month(part, &month))
        return false;
    if (rest.len != 4 || !parse_number(rest, 9999, &year) || !date_exists(year, month, day))
        return false;
    *day_out = day_of(year, month, day);
    return true;
}

bool imap_date_parse(struct slice text, int64_t *day_out)
{
    return parse_imap_day(text, day_out);
}

/* date-time = date-day-fixed "-" date-month "-" date-year SP time SP zone; RFC 3501 section 9. */
bool imap_date_time_parse(struct slice text, int64_t *unix_ms_out)
{
    struct slice rest = text.len > 0 && text.data[0] == ' ' ? slice_from(text, 1) : text;
    struct slice part;
    int64_t day;
    int seconds, zone;

    if (!slice_split(&rest, ' ', &part) || !parse_imap_day(part, &day))
        return false;
    if (!slice_split(&rest, ' ', &part) || part.len != 8 || !parse_time(part, &seconds))
        return false;
    if (!parse_numeric_zone(rest, &zone))
        return false;
    *unix_ms_out = (day * 86400 + seconds - zone * 60) * 1000;
    return true;
}

void imap_date_time_print(int64_t unix_ms, struct buf *out)
{
    struct tm tm = calendar(unix_ms, 0);

    buf_fmt(out, "%2d-%s-%04d %02d:%02d:%02d +0000", tm.tm_mday, month_names[tm.tm_mon],
            tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

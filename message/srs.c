/* srs.c - see srs.h. */
#include "message/srs.h"

#include "common/buf.h"
#include "common/crypto.h"
#include "common/mem.h"

#define DAY_MS    (24 * 60 * 60 * 1000)
#define DAYS_MAX  1024 /* two digits of base 32 */
#define HASH_TEXT 4    /* characters: 20 bits; guessing costs a refusal each */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* Without case: some servers change it. */
static void hash_of(const unsigned char secret[32], struct slice text, char hash_out[HASH_TEXT])
{
    AUTO(buf_free) struct buf lower = { 0 };
    unsigned char hash[HASH_SIZE];

    buf_add_lower(&lower, text);
    hash_keyed(secret, buf_slice(&lower), hash);
    for (size_t i = 0; i < HASH_TEXT; i++)
        hash_out[i] = digits[hash[i] % 32];
}

static bool hash_is(const unsigned char secret[32], struct slice text, struct slice hash)
{
    char right[HASH_TEXT];

    hash_of(secret, text, right);
    return slice_equal_case(hash, slice_make(right, sizeof(right)));
}

static unsigned today(int64_t now_ms)
{
    return (unsigned)(now_ms / DAY_MS % DAYS_MAX);
}

static bool day_parse(struct slice text, unsigned *day_out)
{
    *day_out = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i] >= 'a' && text.data[i] <= 'z' ? (char)(text.data[i] - 'a' + 'A')
                                                            : text.data[i];
        const char *digit = c == '\0' ? NULL : strchr(digits, c);

        if (digit == NULL)
            return false;
        *day_out = *day_out * 32 + (unsigned)(digit - digits);
    }
    return text.len == 2;
}

/* "SRS0=hash=" and what is hashed. */
static struct slice sign(const unsigned char secret[32], const char *tag, struct slice rest,
                         struct arena *arena)
{
    AUTO(buf_free) struct buf text = { 0 };
    char hash[HASH_TEXT];

    hash_of(secret, rest, hash);
    buf_fmt(&text, "%s=%.*s=", tag, HASH_TEXT, hash);
    buf_add_slice(&text, rest);
    return slice_copy(arena, buf_slice(&text));
}

/* What follows "SRS0=": the separator may also be + or -. */
static bool take_tag(struct slice *local, const char *tag)
{
    if (!slice_starts(*local, tag) || local->len < 6 || strchr("=+-", local->data[4]) == NULL)
        return false;
    *local = slice_from(*local, 5);
    return true;
}

/* The rest of an SRS1 address: "two.example==hash=day=..."; the separator of the SRS0 behind the
 * domain is the other server's, kept as it is. */
static struct slice rest_of_second(struct arena *arena, struct slice local, struct slice domain)
{
    AUTO(buf_free) struct buf rest = { 0 };
    struct slice inner = local, ignored;

    if (take_tag(&inner, "SRS1")) {
        (void)slice_split(&inner, '=', &ignored); /* that server's hash; ours takes its place */
        return slice_copy(arena, inner);
    }
    buf_add_slice(&rest, domain);
    buf_add_byte(&rest, '=');
    buf_add_slice(&rest, slice_from(local, 4));
    return slice_copy(arena, buf_slice(&rest));
}

static struct slice rest_of_first(int64_t now_ms, struct arena *arena, struct slice local,
                                  struct slice domain)
{
    AUTO(buf_free) struct buf rest = { 0 };
    unsigned day = today(now_ms);

    buf_fmt(&rest, "%c%c=", digits[day / 32], digits[day % 32]);
    buf_add_slice(&rest, domain);
    buf_add_byte(&rest, '=');
    buf_add_slice(&rest, local);
    return slice_copy(arena, buf_slice(&rest));
}

enum srs_result srs_forward(const unsigned char secret[32], int64_t now_ms, struct arena *arena,
                            struct slice local, struct slice domain, struct slice *local_out)
{
    struct slice tag = local;
    bool is_second = take_tag(&tag, "SRS0") || take_tag(&tag, "SRS1");
    struct slice rest = is_second ? rest_of_second(arena, local, domain)
                                  : rest_of_first(now_ms, arena, local, domain);

    *local_out = sign(secret, is_second ? "SRS1" : "SRS0", rest, arena);
    return local_out->len <= SRS_LOCAL_MAX ? SRS_GOOD : SRS_NONE;
}

/* "day=domain=local" */
static enum srs_result reverse_first(int64_t now_ms, struct slice rest, struct slice *local_out,
                                     struct slice *domain_out)
{
    struct slice day_text;
    unsigned day, age;

    if (!slice_split(&rest, '=', &day_text) || !day_parse(day_text, &day) ||
        !slice_split(&rest, '=', domain_out) || domain_out->len == 0 || rest.len == 0)
        return SRS_BAD;
    *local_out = rest;
    age = (today(now_ms) + DAYS_MAX - day) % DAYS_MAX;
    /* a day ahead: the clock was set back */
    return age <= SRS_DAYS || age == DAYS_MAX - 1 ? SRS_GOOD : SRS_EXPIRED;
}

/* "two.example==hash=day=...": to SRS0=hash=day=...@two.example. */
static enum srs_result reverse_second(struct arena *arena, struct slice rest,
                                      struct slice *local_out, struct slice *domain_out)
{
    AUTO(buf_free) struct buf local = { 0 };

    if (!slice_split(&rest, '=', domain_out) || domain_out->len == 0 || rest.len < 2)
        return SRS_BAD;
    buf_add_text(&local, "SRS0");
    buf_add_slice(&local, rest);
    *local_out = slice_copy(arena, buf_slice(&local));
    return SRS_GOOD;
}

enum srs_result srs_reverse(const unsigned char secret[32], int64_t now_ms, struct arena *arena,
                            struct slice local, struct slice *local_out, struct slice *domain_out)
{
    bool is_first = take_tag(&local, "SRS0");
    struct slice hash;

    if (!is_first && !take_tag(&local, "SRS1"))
        return SRS_NONE;
    if (!slice_split(&local, '=', &hash) || !hash_is(secret, local, hash))
        return SRS_BAD;
    return is_first ? reverse_first(now_ms, local, local_out, domain_out)
                    : reverse_second(arena, local, local_out, domain_out);
}

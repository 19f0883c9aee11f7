/* report_address.c - see report_address.h. */
#include "smtpd/report/report_address.h"

#include "common/codec.h"
#include "message/address.h"

/* The limit behind "!": digits, and k, m, g or t. What cannot be read is no limit. */
static uint64_t size_limit(struct slice text)
{
    static const char units[] = "kmgt";
    unsigned shift = 0;
    uint64_t number;

    text = slice_trim(text);
    if (text.len > 0) {
        const char *unit = strchr(units, text.data[text.len - 1] | 0x20);

        if (unit != NULL && *unit != '\0') {
            shift = 10 * (unsigned)(unit - units + 1);
            text.len--;
        }
    }
    if (!slice_number(text, UINT64_MAX >> shift, &number))
        return 0;
    return number << shift;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* A URI writes "!" and "," in an address as %21 and %2C. */
static struct slice percent_decode(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = i + 2 < text.len && text.data[i] == '%' ? hex_digit(text.data[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;

        out[len++] = low >= 0 ? (char)(high << 4 | low) : text.data[i];
        i += low >= 0 ? 2 : 0;
    }
    return slice_make(out, len);
}

static struct slice lower(struct arena *arena, struct slice text)
{
    char *out = slice_text(arena, text);

    for (size_t i = 0; i < text.len; i++)
        if (out[i] >= 'A' && out[i] <= 'Z')
            out[i] |= 0x20;
    return slice_make(out, text.len);
}

/* ASCII only: the other server need not know SMTPUTF8, and no header of ours has to. */
static bool take_address(struct arena *arena, struct slice uri, struct report_address *out)
{
    struct slice address, limit;
    struct path path;

    if (!slice_starts(uri, "mailto:"))
        return false;
    limit = slice_from(uri, strlen("mailto:"));
    if (!slice_split(&limit, '!', &address) ||
        !slice_split(&address, '?', &uri)) /* "?subject=..." */
        return false;
    address = percent_decode(arena, uri);
    if (!path_parse_bare(arena, address, &path) || path.domain.len == 0 || path.utf8 ||
        path.domain.data[0] == '[')
        return false;
    *out = (struct report_address){ slice_copy(arena, address), lower(arena, path.domain),
                                    size_limit(limit) };
    return true;
}

size_t report_addresses(struct arena *arena, struct slice uris,
                        struct report_address addresses_out[REPORT_ADDRESSES], size_t *n_others_out)
{
    struct slice uri;
    size_t count = 0;

    *n_others_out = 0;
    while (count < REPORT_ADDRESSES && slice_split(&uris, ',', &uri)) {
        if (take_address(arena, slice_trim(uri), &addresses_out[count]))
            count++;
        else
            ++*n_others_out;
    }
    return count;
}

bool tls_report_record(struct slice text, struct slice *rua_out)
{
    struct slice field, name;
    bool is_first = true;

    *rua_out = (struct slice){ 0 };
    while (slice_split(&text, ';', &field)) {
        if (!slice_split(&field, '=', &name))
            name = (struct slice){ 0 };
        name = slice_trim(name);
        if (is_first &&
            (!slice_is(name, "v") || !slice_equal(slice_trim(field), SLICE("TLSRPTv1"))))
            return false;
        is_first = false;
        if (slice_is(name, "rua") && rua_out->len == 0)
            *rua_out = slice_trim(field);
    }
    return rua_out->len > 0;
}

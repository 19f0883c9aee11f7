/* totp.c - see totp.h. */
#include "common/totp.h"

#include "common/codec.h"
#include "common/crypto.h"
#include "common/mem.h"

/* RFC 4226 section 5.3: the low bits of the last byte say where the 31 bits are taken from. */
uint32_t hotp(struct slice key, uint64_t counter, unsigned digits)
{
    unsigned char text[8], mac[SHA1_SIZE];
    uint32_t number = 0, modulus = 1;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (unsigned char)(counter >> (8 * (sizeof(text) - 1 - i)));
    hmac_sha1(key, slice_make(text, sizeof(text)), mac);
    for (size_t i = 0; i < 4; i++)
        number = number << 8 | mac[(mac[SHA1_SIZE - 1] & 15) + i];
    while (digits-- > 0)
        modulus *= 10;
    mem_wipe(mac, sizeof(mac));
    return (number & 0x7FFFFFFF) % modulus;
}

bool totp_matches(struct slice key, uint32_t code, int64_t now_s, uint64_t *step_out)
{
    uint64_t now = (uint64_t)MAX(now_s, (int64_t)TOTP_STEP_S) / TOTP_STEP_S;
    bool found = false;

    for (uint64_t step = now - 1; step <= now + 1; step++) {
        if (hotp(key, step, TOTP_DIGITS) == code) {
            *step_out = step;
            found = true;
        }
    }
    return found;
}

bool totp_split(struct slice text, struct slice *password_out, uint32_t *code_out)
{
    uint64_t number;

    if (text.len <= TOTP_DIGITS)
        return false;
    *password_out = slice_part(text, 0, text.len - TOTP_DIGITS);
    if (!slice_number(slice_from(text, text.len - TOTP_DIGITS), 999999, &number))
        return false;
    *code_out = (uint32_t)number;
    return true;
}

static void add_escaped(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if ((byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
            byte == '.' || byte == '-')
            buf_add_byte(out, (char)byte);
        else
            buf_fmt(out, "%%%02X", byte);
    }
}

void totp_uri(struct slice key, struct slice issuer, struct slice account, struct buf *out)
{
    AUTO(buf_free) struct buf secret = { .secret = true };

    base32_encode(key, &secret);
    for (size_t i = 0; i < secret.len; i++)
        if (secret.data[i] >= 'a')
            secret.data[i] -= 'a' - 'A'; /* the letters of RFC 4648: some programs know no others */
    buf_add_text(out, "otpauth://totp/");
    add_escaped(issuer, out);
    buf_add_byte(out, ':');
    add_escaped(account, out);
    buf_add_text(out, "?secret=");
    buf_add_slice(out, buf_slice(&secret));
    buf_add_text(out, "&issuer=");
    add_escaped(issuer, out);
    buf_fmt(out, "&algorithm=SHA1&digits=%d&period=%d", TOTP_DIGITS, TOTP_STEP_S);
}

/* results.c - writes Authentication-Results (RFC 8601 section 2.2).
 *
 *     mx.example.org;
 *      spf=pass smtp.mailfrom=joe@example.com;
 *      dkim=fail reason="body hash did not verify" header.d=example.com header.s=a
 *      header.a=rsa-sha256 header.b="dGVzdCBv";
 *      dmarc=pass (p=reject) header.from=example.com
 *
 * One result a line, folded further where it gets long. Values come from clients and messages:
 * what is no token and no plain address is quoted, and nothing in it can end the line.
 */
#include "message/proof/results.h"

#include "common/codec.h"

#define LINE_WIDTH 78
#define VALUE_MAX  400 /* bytes of a value; quoted they stay below the 998 of a line */

struct printer {
    struct buf *out;
    size_t line_at; /* where the line starts in out */
    bool any;       /* a result */
};

static bool is_atom(struct slice text, const char *specials)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || strchr(specials, text.data[i]) != NULL)
            return false;
    return text.len > 0;
}

/* The token of RFC 2045 section 5.1. */
static bool is_token(struct slice text)
{
    return is_atom(text, "()<>@,;:\\\"/[]?=");
}

static bool has_empty_part(struct slice text)
{
    return text.data[0] == '.' || text.data[text.len - 1] == '.' ||
           slice_search(text, SLICE("..")) >= 0;
}

/* [ [ local-part ] "@" ] domain-name */
static bool is_plain_address(struct slice text)
{
    ptrdiff_t at = slice_find_last(text, '@');
    struct slice local = slice_part(text, 0, (size_t)MAX(at, 0));
    struct slice domain = slice_from(text, (size_t)(at + 1));

    if (at < 0 || !is_token(domain) || has_empty_part(domain))
        return false;
    return local.len == 0 || (is_atom(local, "()<>[]:;@\\,\"") && !has_empty_part(local));
}

static void add_quoted(struct slice text, struct buf *word)
{
    buf_add_byte(word, '"');
    while (text.len > 0) {
        uint32_t code;
        size_t len = utf8_next(text, &code);

        if (len == 0 || code < ' ' || (code >= 0x7F && code < 0xA0)) {
            buf_add_byte(word, '?');
            len = MAX(len, 1);
        } else {
            if (code == '"' || code == '\\')
                buf_add_byte(word, '\\');
            buf_add(word, text.data, len);
        }
        text = slice_from(text, len);
    }
    buf_add_byte(word, '"');
}

static void add_value(struct slice value, struct buf *word)
{
    value = slice_part(value, 0, VALUE_MAX);
    if (is_token(value) || is_plain_address(value))
        buf_add_slice(word, value);
    else
        add_quoted(value, word);
}

static void fold(struct printer *printer)
{
    buf_add_text(printer->out, "\r\n");
    printer->line_at = printer->out->len;
}

static void add_word(struct printer *printer, struct slice word)
{
    size_t width = printer->out->len - printer->line_at;

    if (width > 1 && width + 1 + word.len > LINE_WIDTH)
        fold(printer);
    buf_add_byte(printer->out, ' ');
    buf_add_slice(printer->out, word);
}

static void start(struct printer *printer, const char *method, const char *result)
{
    AUTO(buf_free) struct buf word = { 0 };

    buf_add_byte(printer->out, ';');
    fold(printer);
    buf_fmt(&word, "%s=%s", method, result);
    add_word(printer, buf_slice(&word));
    printer->any = true;
}

/* "ptype.property=value", or "reason=value"; nothing without a value. */
static void property(struct printer *printer, const char *name, struct slice value)
{
    AUTO(buf_free) struct buf word = { 0 };

    if (value.len == 0)
        return;
    buf_add_text(&word, name);
    buf_add_byte(&word, '=');
    add_value(value, &word);
    add_word(printer, buf_slice(&word));
}

static void add_comment(struct printer *printer, const char *name, const char *value)
{
    AUTO(buf_free) struct buf word = { 0 };

    buf_fmt(&word, "(%s=%s)", name, value);
    add_word(printer, buf_slice(&word));
}

/* Section 2.7.2. */
static void print_spf(struct printer *printer, const struct spf_outcome *spf, const char *name,
                      struct slice value)
{
    if (spf == NULL)
        return;
    start(printer, "spf", spf_result_name(spf->result));
    if (spf->result != SPF_PASS && spf->result != SPF_NONE)
        property(printer, "reason", spf->reason);
    property(printer, name, value);
}

/* Sections 2.7.1 and 2.3, and RFC 6008 for header.b. */
static void print_dkim(struct printer *printer, const struct dkim_verdict *dkim)
{
    bool has_identity = dkim->identity.len != dkim->domain.len + 1 ||
                        !slice_equal_case(slice_from(dkim->identity, 1), dkim->domain);

    start(printer, "dkim", dkim_result_name(dkim->result));
    if (dkim->result != DKIM_PASS)
        property(printer, "reason", slice_of(dkim->reason));
    property(printer, "header.d", dkim->domain);
    if (has_identity)
        property(printer, "header.i", dkim->identity);
    property(printer, "header.s", dkim->selector);
    property(printer, "header.a", dkim->algorithm);
    property(printer, "header.b", dkim->start);
}

/* RFC 8617 section 10.2. */
static void print_arc(struct printer *printer, const struct arc_verdict *arc, const char *address)
{
    AUTO(buf_free) struct buf number = { 0 };

    start(printer, "arc", arc_result_name(arc->result));
    if (arc->result == ARC_FAIL)
        property(printer, "reason", slice_of(arc->reason));
    if (arc->result == ARC_PASS) {
        buf_add_number(&number, arc->oldest_pass);
        property(printer, "header.oldest-pass", buf_slice(&number));
    }
    property(printer, "smtp.remote-ip", slice_of(address));
}

/* RFC 7489 section 11.1: policy.dmarc is what is done after pct= and sp=. */
static void print_dmarc(struct printer *printer, const struct dmarc_outcome *dmarc,
                        struct slice from_domain)
{
    start(printer, "dmarc", dmarc_result_name(dmarc->result));
    if (dmarc->result == DMARC_PASS || dmarc->result == DMARC_FAIL)
        add_comment(printer, "p", dmarc_policy_name(dmarc->policy));
    property(printer, "header.from", from_domain);
    if (dmarc->result == DMARC_FAIL)
        property(printer, "policy.dmarc", slice_of(dmarc_policy_name(dmarc->disposition)));
}

void results_print(const struct results *results, struct buf *out)
{
    struct printer printer = { .out = out, .line_at = out->len };
    bool is_null = results->sender.len == 0; /* then it is HELO that SPF has checked */

    add_value(results->authserv_id, out);
    if (results->login.len > 0) {
        start(&printer, "auth", "pass");
        property(&printer, "smtp.auth", results->login);
    }
    if (results->iprev != NULL) {
        start(&printer, "iprev", results->iprev);
        property(&printer, "policy.iprev", slice_of(results->address));
    }
    print_spf(&printer, results->spf_helo, "smtp.helo", results->helo);
    print_spf(&printer, results->spf_sender, is_null ? "smtp.helo" : "smtp.mailfrom",
              is_null ? results->helo : results->sender);
    for (size_t i = 0; i < results->n_dkim; i++)
        print_dkim(&printer, &results->dkim[i]);
    if (results->n_dkim == 0 && results->dkim_checked)
        start(&printer, "dkim", dkim_result_name(DKIM_NONE));
    if (results->dmarc != NULL)
        print_dmarc(&printer, results->dmarc, results->from_domain);
    if (results->arc != NULL)
        print_arc(&printer, results->arc, results->address);
    if (!printer.any)
        buf_add_text(out, "; none");
}

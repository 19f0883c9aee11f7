/* prooftool.c - DKIM and ARC by request, for comparing with published vectors and with others.
 *
 * A request is a line of words, an answer a line of JSON; binary words are in base64. DNS answers
 * are words NAME=RECORD (TXT, base64; several make a set), NAME=!nothing or NAME=!failed; names
 * that are not given do not exist.
 *
 *     dkim NOW MESSAGE DNS...                          verdicts
 *     arc NOW MESSAGE DNS...                           verdict on the chain
 *     sign KEY DOMAIN SELECTOR NOW EXPIRES MESSAGE     DKIM-Signature
 *     seal KEY DOMAIN SELECTOR NOW MESSAGE RESULTS DNS...   the three fields of ARC
 *     record KEY                                       key record
 */
#include "common/codec.h"
#include "message/header.h"
#include "message/proof/arc.h"

#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 64

struct request {
    struct arena arena;
    struct slice words[WORDS_MAX];
    size_t count;
    struct buf answer;
};

static struct slice word(const struct request *request, size_t at)
{
    return at < request->count ? request->words[at] : (struct slice){ 0 };
}

static struct slice bytes(struct request *request, size_t at)
{
    AUTO(buf_free) struct buf out = { 0 };

    if (!base64_decode(word(request, at), &out))
        fprintf(stderr, "word %zu is not base64\n", at);
    /* of just its size, so that AddressSanitizer sees one byte too far */
    return slice_make(memcpy(malloc(out.len + (out.len == 0)), out.len ? out.data : "", out.len),
                      out.len);
}

static int64_t number(const struct request *request, size_t at)
{
    uint64_t value = 0;

    return slice_number(word(request, at), INT64_MAX, &value) ? (int64_t)value : 0;
}

/* A record as TXT rdata: strings of up to 255 bytes, each behind its length. */
static struct slice rdata_of(struct arena *arena, struct slice text)
{
    AUTO(buf_free) struct buf out = { 0 };

    do {
        struct slice part = slice_part(text, 0, 255);

        buf_add_byte(&out, (char)part.len);
        buf_add_slice(&out, part);
        text = slice_from(text, part.len);
    } while (text.len > 0);
    return slice_copy(arena, buf_slice(&out));
}

static void put(struct request *request, struct dns_table *table, struct slice name)
{
    struct slice records[WORDS_MAX];
    struct dns_answer answer = { .name = name, .type = DNS_TXT, .state = DNS_FOUND };

    answer.records = records;
    for (size_t i = 1; i < request->count; i++) {
        struct slice rest = request->words[i], key;
        AUTO(buf_free) struct buf text = { 0 };

        if (slice_find(rest, '=') < 0 || !slice_split(&rest, '=', &key) ||
            !slice_equal_case(key, name))
            continue;
        if (slice_starts(rest, "!"))
            answer.state = slice_equal(rest, SLICE("!failed")) ? DNS_FAILED : DNS_NOTHING;
        else if (base64_decode(rest, &text))
            records[answer.count++] = rdata_of(&request->arena, buf_slice(&text));
    }
    if (answer.count == 0 && answer.state == DNS_FOUND)
        answer.state = DNS_NO_NAME;
    dns_put(table, &answer);
}

/* Answers what is missing, as a resolver would. False: nothing was. */
static bool fetch(struct request *request, struct dns_table *table)
{
    size_t before = table->n_missing;

    for (struct dns_answer *answer = table->first; answer != NULL; answer = answer->next)
        if (answer->state == DNS_MISSING)
            put(request, table, answer->name);
    return before > 0;
}

static void add_text(struct buf *out, const char *key, struct slice text)
{
    buf_fmt(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", key);
    json_quote(text, out);
}

static void verify(struct request *request)
{
    struct slice message = bytes(request, 2);
    size_t header = header_length(message), count = 0;
    AUTO(dkim_verifier_free)
    struct dkim_verifier *verifier = dkim_verifier_new(
        slice_part(message, 0, header), slice_from(message, header), number(request, 1));
    struct dns_table table = { 0 };
    const struct dkim_verdict *verdicts = NULL;

    while (!dkim_verify(verifier, &table, &verdicts, &count))
        if (!fetch(request, &table))
            abort();
    buf_add_byte(&request->answer, '[');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&request->answer, i > 0 ? ",{" : "{");
        add_text(&request->answer, "result", slice_of(dkim_result_name(verdicts[i].result)));
        add_text(&request->answer, "domain", verdicts[i].domain);
        add_text(&request->answer, "selector", verdicts[i].selector);
        add_text(&request->answer, "identity", verdicts[i].identity);
        add_text(&request->answer, "algorithm", verdicts[i].algorithm);
        add_text(&request->answer, "start", verdicts[i].start);
        add_text(&request->answer, "reason",
                 slice_of(verdicts[i].reason != NULL ? verdicts[i].reason : ""));
        buf_fmt(&request->answer, ",\"test\":%s}", verdicts[i].is_test ? "true" : "false");
    }
    buf_add_byte(&request->answer, ']');
    dns_table_free(&table);
    free((char *)message.data);
}

static void add_outcome(struct request *request, bool done, const struct buf *out,
                        const struct error *err)
{
    buf_add_byte(&request->answer, '{');
    if (done)
        add_text(&request->answer, "text", buf_slice(out));
    else
        add_text(&request->answer, "error", slice_of(err->text));
    buf_add_byte(&request->answer, '}');
}

static bool read_signer(struct request *request, struct private_key **key_out,
                        struct dkim_signer *signer_out, struct error *err)
{
    struct slice pem = bytes(request, 1);
    bool done = private_key_read(pem, key_out, err);

    free((char *)pem.data);
    *signer_out = (struct dkim_signer){ .key = *key_out,
                                        .domain = word(request, 2),
                                        .selector = word(request, 3),
                                        .now_s = number(request, 4) };
    if (done)
        signer_out->algorithm = private_key_algorithm(*key_out);
    return done;
}

static void sign(struct request *request)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(buf_free) struct buf field = { 0 };
    struct slice message = bytes(request, 6);
    size_t header = header_length(message);
    struct dkim_signer signer;
    struct error err;
    bool done = read_signer(request, &key, &signer, &err);

    signer.expires_s = number(request, 5);
    done = done && dkim_sign(&signer, slice_part(message, 0, header), slice_from(message, header),
                             &field, &err);
    add_outcome(request, done, &field, &err);
    free((char *)message.data);
}

static void record(struct request *request)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(buf_free) struct buf text = { 0 };
    struct dkim_signer signer;
    struct error err;
    bool done = read_signer(request, &key, &signer, &err) &&
                dkim_key_record(key, signer.algorithm, &text, &err);

    add_outcome(request, done, &text, &err);
}

static void run_arc(struct request *request, struct slice message, int64_t now_s,
                    struct arc_verifier **verifier_out, struct arc_verdict *verdict_out)
{
    size_t header = header_length(message);
    struct dns_table table = { 0 };

    *verifier_out =
        arc_verifier_new(slice_part(message, 0, header), slice_from(message, header), now_s);
    while (!arc_verify(*verifier_out, &table, verdict_out))
        if (!fetch(request, &table))
            abort();
    dns_table_free(&table);
}

static void arc(struct request *request)
{
    AUTO(arc_verifier_free) struct arc_verifier *verifier = NULL;
    struct slice message = bytes(request, 2);
    struct arc_verdict verdict;

    run_arc(request, message, number(request, 1), &verifier, &verdict);
    buf_add_byte(&request->answer, '{');
    add_text(&request->answer, "result", slice_of(arc_result_name(verdict.result)));
    add_text(&request->answer, "reason", slice_of(verdict.reason != NULL ? verdict.reason : ""));
    add_text(&request->answer, "sealer", verdict.sealer);
    add_text(&request->answer, "results", verdict.results);
    buf_fmt(&request->answer, ",\"sets\":%u,\"oldest_pass\":%u,\"temporary\":%s}", verdict.sets,
            verdict.oldest_pass, verdict.temporary ? "true" : "false");
    free((char *)message.data);
}

static void seal(struct request *request)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(arc_verifier_free) struct arc_verifier *verifier = NULL;
    AUTO(buf_free) struct buf fields = { 0 };
    struct slice message = bytes(request, 5), results = bytes(request, 6);
    size_t header = header_length(message);
    struct arc_verdict verdict;
    struct dkim_signer signer;
    struct error err;
    bool done = read_signer(request, &key, &signer, &err);

    run_arc(request, message, number(request, 4), &verifier, &verdict);
    done = done && arc_seal(&signer, &verdict, results, slice_part(message, 0, header),
                            slice_from(message, header), &fields, &err);
    add_outcome(request, done, &fields, &err);
    free((char *)message.data);
    free((char *)results.data);
}

static const struct {
    const char *name;
    void (*run)(struct request *);
} commands[] = {
    { "arc", arc }, { "dkim", verify }, { "sign", sign }, { "record", record }, { "seal", seal },
};

static void answer(struct slice line)
{
    struct request request = { 0 };
    struct slice part;

    while (request.count < WORDS_MAX && slice_split(&line, ' ', &part))
        request.words[request.count++] = slice_trim(part);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (slice_is(word(&request, 0), commands[i].name))
            commands[i].run(&request);
    puts(buf_text(&request.answer));
    fflush(stdout);
    buf_free(&request.answer);
    arena_free(&request.arena);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    while ((len = getline(&line, &room, stdin)) > 0)
        answer(slice_make(line, (size_t)len));
    free(line);
    return 0;
}

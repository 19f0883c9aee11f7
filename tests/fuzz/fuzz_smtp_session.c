/* fuzz_smtp_session.c - whole sessions in memory, with a store, a queue and a courier behind them.
 *
 * The first byte chooses the service and whether somebody is logged in. Every line of output must
 * be a reply, and whatever was accepted must be delivered in the end.
 */
#include "tests/unit/smtpd/post.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define START "EHLO x\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<bob@example.test>\r\n"

static struct post *the_post(void)
{
    static struct post post;
    static bool is_open;

    if (!is_open)
        post_open(&post);
    is_open = true;
    return &post;
}

static void check_replies(struct slice answer)
{
    struct slice line;

    while (slice_split(&answer, '\n', &line)) {
        uint64_t code = 0;
        if (line.len < 5 || line.data[line.len - 1] != '\r' ||
            !slice_number(slice_part(line, 0, 3), 599, &code) || code < 200) {
            fprintf(stderr, "bad reply: " SLICE_FMT "\n", SLICE_ARG(line));
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum smtp_service services[] = { SERVICE_MX, SERVICE_SUBMISSION, SERVICE_LMTP };
    struct post *post = the_post();

    if (size == 0)
        return 0;
    post->settings.failure_delay = 0;
    post_start(post, services[data[0] % COUNT_OF(services)]);
    if ((data[0] & 0x40) != 0)
        post_log_in(post);
    if ((data[0] & 0x80) != 0)
        check_replies(slice_of(post_say(post, START)));
    check_replies(slice_of(post_say_bytes(post, slice_make(data + 1, size - 1))));
    post_stop(post);
    return 0;
}

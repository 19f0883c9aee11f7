/* fuzz_milter_frame.c - packets of a milter; what a reply says goes into a header. */
#include "smtpd/milter/changes.h"

#include <stdlib.h>

#define HEADER "Subject: x\r\nA: 1\r\n 2\r\n\r\n"

/* Every line of the result is a field or goes on with one. */
static void check_header(struct slice header)
{
    struct slice line;

    while (slice_split(&header, '\n', &line))
        if (line.len == 0 || line.data[line.len - 1] != '\r' || (line.len == 1 && header.len > 0))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size);
    struct milter_task task = { .last_change = &task.first_change };
    struct buf out = { 0 };
    struct frame frame;

    while (frame_parse(rest, &frame) == PARSE_OK) {
        struct milter_change *change = ARENA_NEW(&task.arena, struct milter_change);

        rest = slice_from(rest, FRAME_HEAD + frame.data.len);
        if (!frame_read(&frame, &change->reply))
            continue;
        *task.last_change = change;
        task.last_change = &change->next;
    }
    changes_apply(&task, SLICE(HEADER), true, &out);
    check_header(buf_slice(&out));
    buf_free(&out);
    milter_task_free(&task);
    return 0;
}

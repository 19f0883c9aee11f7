/* milter_play.c - see milter_play.h. */
#include "tests/unit/smtpd/milter_play.h"

#include "tests/unit/support/check.h"

#include <stdlib.h>

static void add_data(struct slice data, struct buf *out)
{
    for (size_t i = 0; i < data.len; i++)
        buf_add_byte(out, data.data[i] == '|' ? '\0' : data.data[i] == '_' ? ' ' : data.data[i]);
}

static void add_optneg(struct slice options, struct buf *out)
{
    char text[16] = "";

    memcpy(text, options.data, MIN(options.len, sizeof(text) - 1));
    frame_add_u32(out, FRAME_VERSION);
    frame_add_u32(out, FRAME_ACTIONS);
    frame_add_u32(out, (uint32_t)strtoul(text, NULL, 16));
}

static void add_packet(struct slice word, struct buf *out)
{
    struct slice data = slice_from(word, 1), index;
    size_t at = frame_begin(out, (enum frame_command)word.data[0]);

    switch (word.data[0]) {
    case SMFIR_OPTNEG:
        add_optneg(data, out);
        break;
    case SMFIR_INSHEADER:
    case SMFIR_CHGHEADER:
        slice_split(&data, ',', &index);
        frame_add_u32(out, (uint32_t)(index.data[0] - '0'));
        add_data(data, out);
        break;
    default:
        add_data(data, out);
    }
    frame_end(out, at);
}

void milter_play_script(const char *script, struct buf *out)
{
    struct slice rest = slice_of(script), word;

    while (slice_split(&rest, ' ', &word))
        if (word.len > 0)
            add_packet(word, out);
}

static enum next run(const struct protocol *protocol, struct call *call, enum why why,
                     struct buf *heard)
{
    enum next next;

    call->why = why;
    do {
        next = protocol->run(call);
        if (heard != NULL)
            buf_add_slice(heard, buf_slice(&call->out));
        buf_clear(&call->out);
        call->why = WHY_AGAIN;
    } while (next == NEXT_AGAIN);
    return next;
}

void milter_play(const struct protocol *protocol, void *context, struct slice bytes, size_t step,
                 struct buf *heard)
{
    struct call call = { .tls_name = "", .log = { .daemon = "test" } };
    enum next next;

    call.state = protocol->open(&call, context);
    next = run(protocol, &call, WHY_START, heard);
    while (next != NEXT_CLOSE && bytes.len > 0) {
        buf_add_slice(&call.in, slice_part(bytes, 0, step));
        bytes = slice_from(bytes, step);
        next = run(protocol, &call, WHY_INPUT, heard);
    }
    if (next != NEXT_CLOSE)
        run(protocol, &call, WHY_ENDED, heard);
    buf_free(&call.in);
    buf_free(&call.out);
    protocol->close(&call);
    arena_free(&call.arena);
}

void milter_play_commands(struct slice heard, struct buf *out)
{
    struct frame frame;

    while (frame_parse(heard, &frame) == PARSE_OK) {
        buf_add_byte(out, frame.command);
        heard = slice_from(heard, FRAME_HEAD + frame.data.len);
    }
    assert_int_equal(heard.len, 0);
}

/* fuzz_milter.c - whole conversations with a milter that says anything, in pieces of any size. */
#include "common/log.h"
#include "tests/unit/smtpd/milter_play.h"
#include "tests/unit/support/rig.h"

#include <stdlib.h>

static const struct slice recipients[] = { { "a@b.test", 8 }, { "c@d.test", 8 } };
static const struct protocol protocol = {
    .name = "milter", .open = milter_open, .run = milter_run, .close = milter_close
};
static unsigned n_ended;

static void on_ended(struct milter_task *task)
{
    n_ended++;
}

static struct milter_task make_task(struct store *store)
{
    static const struct conn_peer peer = { "2001:db8::1", 4000 };

    return (struct milter_task){
        .facts = { .hostname = "mx.test",
                   .peer = &peer,
                   .client_name = "",
                   .helo = SLICE("client.test"),
                   .login_method = "",
                   .tls_name = "",
                   .sender = SLICE("a@far.test"),
                   .recipients = recipients,
                   .n_recipients = 2,
                   .header = SLICE("From: x\r\nTo: y\r\n\r\n"),
                   .body = SLICE("Hello\r\n") },
        .timeout_ms = 600000,
        .size_max = 4096,
        .store = store,
        .ended = on_ended,
    };
}

/* The first byte: how much comes at a time. */
static void play(struct store *store, struct slice bytes)
{
    struct milter_task task = make_task(store);
    size_t step = bytes.len > 0 ? (unsigned char)bytes.data[0] + 1u : 1;

    n_ended = 0;
    milter_play(&protocol, &task, slice_from(bytes, 1), step, NULL);
    if (n_ended != 1 || task.n_changes > MILTER_CHANGES_MAX + 1)
        abort();
    if (task.verdict == MILTER_REFUSE && task.text[0] != '4' && task.text[0] != '5')
        abort();
    milter_task_free(&task);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rig rig;
    struct buf opening = { 0 };

    if (rig.store == NULL) {
        log_setup(LOG_ERROR, false);
        rig_open(&rig);
    }
    /* With the negotiation done, or not. */
    if (size > 0 && data[0] % 2 == 0) {
        buf_add_byte(&opening, (char)data[0]);
        milter_play_script("O0", &opening);
        buf_add(&opening, data + 1, size - 1);
        play(rig.store, buf_slice(&opening));
    } else {
        play(rig.store, slice_make(data, size));
    }
    buf_free(&opening);
    return 0;
}

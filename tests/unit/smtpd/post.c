/* post.c - see post.h. */
#include "tests/unit/smtpd/post.h"

#include "smtpd/allowance.h"
#include "smtpd/proof/keyring.h"
#include "smtpd/reporter.h"
#include "smtpd/room.h"
#include "tests/unit/message/zone.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>
#include <unistd.h>

static const struct protocol protocol = {
    .name = "smtp",
    .open = smtp_open,
    .run = smtp_run,
    .close = smtp_close,
    .is_light = smtp_is_light,
};

static const struct settings small = {
    .hostname = "mx.test",
    .default_domain = "",
    .subaddress_separator = "+",
    .trusted_networks = "127.0.0.0/8 ::1",
    .routes = "",
    .door_dnsbl = "",
    .door_dnswl = "",
    .plaintext = true,
    .failures = 3,
    .message_size = 64 * 1024,
    .recipients = 5,
    .errors = 20,
    .hops = 10,
    .command_timeout = 300000,
    .data_timeout = 180000,
    .backlog = 1000,
    .retry_first = 50,
    .retry_last = 100,
    .give_up = 3600000,
};

/* The resume of a session: the test waits for it in post_say_bytes(). */
static void on_resume(struct call *call)
{
    sem_post(&CONTAINER_OF(call, struct post, rig.call)->resumed);
}

/* The resolver is the test itself. */
static void on_fetch(struct resolver *resolver, struct dns_table *table, void (*done)(void *),
                     void *context)
{
    struct post *post = (struct post *)resolver;

    post->n_fetches++;
    for (struct dns_answer *known = post->zone.first; known != NULL; known = known->next)
        for (struct dns_answer *a = table->first; a != NULL; a = a->next)
            if (a->type == known->type && slice_equal_case(a->name, known->name))
                dns_put(table, known);
    zone_close(table);
    done(context);
}

static void on_remote(void *context, struct letter *letter)
{
    atomic_fetch_add(&((struct post *)context)->n_remote, 1);
}

static bool open_desk(void *context, void **desk_out, struct error *err)
{
    return desk_open(context, (struct desk **)desk_out, err);
}

static void close_desk(void *desk)
{
    struct desk *mine = desk;

    desk_close(&mine);
}

void post_open(struct post *post)
{
    struct error err = { 0 };

    *post = (struct post){ .settings = small };
    rig_open(&post->rig);
    sem_init(&post->resumed, 0, 0);
    uv_loop_init(&post->loop);
    post->smtpd = (struct smtpd){ .settings = &post->settings,
                                  .store = post->rig.store,
                                  .login = post->rig.login,
                                  .room = room_new(),
                                  .keyring = keyring_new(),
                                  .resolver = (struct resolver *)post,
                                  .allowance = allowance_new(),
                                  .resume = on_resume,
                                  .fetch = on_fetch };

    const struct pool_desk desk = { open_desk, NULL, NULL, close_desk, post->rig.store };
    const struct queue_options queue = { post->rig.store, post->settings.backlog };
    if (!pool_new(&post->loop, 2, &desk, &post->pool, &err) ||
        !queue_open(&queue, &post->smtpd.queue, &err))
        fail_msg("%s", err.text);
    post->smtpd.reporter =
        reporter_new(&post->smtpd, post->pool, &(struct log){ .daemon = "test" });
    post->smtpd.courier = courier_new(&(struct courier_options){ .smtpd = &post->smtpd,
                                                                 .pool = post->pool,
                                                                 .log = { .daemon = "test" },
                                                                 .remote_due = on_remote,
                                                                 .remote_context = post });
}

void post_close(struct post *post)
{
    courier_stop(post->smtpd.courier);
    reporter_stop(post->smtpd.reporter);
    queue_close(&post->smtpd.queue);
    pool_free(&post->pool);
    uv_run(&post->loop, UV_RUN_DEFAULT);
    uv_loop_close(&post->loop);
    courier_free(&post->smtpd.courier);
    reporter_free(&post->smtpd.reporter);
    room_free(&post->smtpd.room);
    allowance_free(&post->smtpd.allowance);
    keyring_free(&post->smtpd.keyring);
    rig_close(&post->rig);
    buf_free(&post->answer);
    dns_table_free(&post->zone);
    sem_destroy(&post->resumed);
}

void post_start(struct post *post, enum smtp_service service)
{
    post->door = (struct smtp_door){ &post->smtpd, service };
    rig_start(&post->rig, &protocol, &post->door);
    post->rig.call.tls_offered = true;
}

void post_stop(struct post *post)
{
    rig_stop(&post->rig);
}

const char *post_say_bytes(struct post *post, struct slice bytes)
{
    buf_clear(&post->answer);
    rig_say_bytes(&post->rig, bytes);
    buf_add_text(&post->answer, rig_text(&post->rig));
    while (post->rig.waits_resume) {
        while (sem_wait(&post->resumed) != 0) /* interrupted */
            ;
        rig_event(&post->rig, WHY_AGAIN);
        buf_add_text(&post->answer, rig_text(&post->rig));
    }
    return buf_text(&post->answer);
}

const char *post_say(struct post *post, const char *text)
{
    return post_say_bytes(post, slice_of(text));
}

void post_log_in(struct post *post)
{
    ((struct smtp *)post->rig.call.state)->account = post->rig.bob;
}

void post_settle(struct post *post)
{
    while (courier_in_hand(post->smtpd.courier) > 0 || queue_backlog(post->smtpd.queue) > 0)
        usleep(1000);
}

static bool open_inbox(struct post *post, struct arena *arena, uint64_t id,
                       struct account **account_out, struct mailbox_info *info_out)
{
    struct error err;

    return desk_account(post->rig.desk, id, account_out, &err) &&
           mailbox_by_name(*account_out, arena, SLICE("INBOX"), info_out, &err);
}

void post_read(struct post *post, uint64_t id, uint32_t uid, struct buf *out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct changes changes = { 0 };
    struct mailbox_info info;
    struct account *account;
    struct error err;

    buf_clear(out);
    assert_true(open_inbox(post, &arena, id, &account, &info));
    assert_true(mailbox_changes(account, info.id, 0, NULL, &changes, &err));
    for (size_t i = 0; i < changes.count; i++)
        if (changes.mails[i].uid == uid)
            assert_true(
                account_read(account, changes.mails[i].msg, 0, changes.mails[i].size, out, &err));
    changes_free(&changes);
}

size_t post_count(struct post *post, uint64_t id)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct mailbox_info info;
    struct account *account;

    assert_true(open_inbox(post, &arena, id, &account, &info));
    return (size_t)info.n_total;
}

/* rig.c - see rig.h. */
#include "tests/unit/support/rig.h"
#include "tests/unit/support/check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PACKED_PIECE 4096 /* inflated at once */

static const struct password_cost cheap = { .memory_bytes = 8192,
                                            .passes = 1,
                                            .scram_iterations = 4096 };

static uint64_t add_account(struct rig *rig, const char *address)
{
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    struct error err = { 0 };
    uint64_t id = 0;

    if (!password_hash(SLICE("secret"), &cheap, &argon, &scram, &err) ||
        !account_add(rig->desk, slice_of(address), SLICE(""), buf_slice(&argon), buf_slice(&scram),
                     &id, &err))
        fail_msg("%s: %s", address, err.text);
    return id;
}

void rig_open(struct rig *rig)
{
    struct error err = { 0 };
    struct store_options options = {
        .path = rig->path,
        .log = { .daemon = "test" },
        .inline_max_bytes = 128 * 1024,
        .handles_per_desk = 8,
    };

    *rig = (struct rig){ 0 };
    crypto_init();
    log_setup(LOG_ERROR, false);
    strcpy(rig->path, "/tmp/postane-rig-XXXXXX");
    assert_non_null(mkdtemp(rig->path));
    if (!store_create(rig->path, &err) || !store_open(&options, &rig->store, &err) ||
        !desk_open(rig->store, &rig->desk, &err) ||
        !domain_add(rig->desk, SLICE("example.test"), &err))
        fail_msg("%s", err.text);
    rig->bob = add_account(rig, "bob@example.test");
    rig->eve = add_account(rig, "eve@example.test");
    rig->cache = login_cache_new(16);
    rig->login = (struct login_options){ .cache = rig->cache,
                                         .cost = cheap,
                                         .default_domain = "example.test" };
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    return remove(path);
}

void rig_close(struct rig *rig)
{
    login_cache_free(&rig->cache);
    desk_close(&rig->desk);
    store_close(&rig->store);
    nftw(rig->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    buf_free(&rig->answer);
}

static void set_compression(struct rig *rig, bool on)
{
    rig->call.compressed = on;
    if (on) {
        rig->inflater = inflater_new();
        buf_move(&rig->packed, &rig->call.in);
    } else {
        rig->unpacks_no_more = true;
    }
}

/* After a wait, as session.c does it: on the loop thread, which has no desk. */
static bool is_light(struct rig *rig)
{
    bool light = rig->call.why == WHY_AGAIN && rig->waits_resume &&
                 rig->protocol.is_light != NULL && rig->protocol.is_light(&rig->call);

    rig->n_light += light;
    return light;
}

/* Runs the protocol until it waits for something that has not happened. */
static void run(struct rig *rig, enum why why)
{
    struct call *call = &rig->call;

    call->why = why;
    call->desk = is_light(rig) ? NULL : rig->desk;
    rig->turns = 0;
    while (!rig->closed) {
        enum next next = rig->protocol.run(call);

        rig->turns++;
        buf_move(&rig->answer, &call->out);
        rig->waits_notice = next == NEXT_NOTICE;
        rig->waits_resume = next == NEXT_WAIT;
        rig->may_hear = next == NEXT_NOTICE || (next == NEXT_COMMAND && call->hears);
        switch (next) {
        case NEXT_COMMAND:
            arena_reset(&call->arena);
            if (call->in.len == 0)
                return;
            call->why = WHY_INPUT;
            break;
        case NEXT_AGAIN:
            if (rig->between != NULL)
                rig->between(rig);
            call->why = WHY_AGAIN;
            call->desk = rig->desk;
            break;
        case NEXT_SLOW:
            call->why = WHY_AGAIN;
            call->desk = NULL;
            break;
        case NEXT_COMPRESS:
        case NEXT_UNCOMPRESS:
            set_compression(rig, next == NEXT_COMPRESS);
            arena_reset(&call->arena);
            if (call->in.len == 0)
                return;
            call->why = WHY_INPUT;
            break;
        case NEXT_TLS:
            rig->wants_tls = true;
            buf_clear(&call->in);
            return;
        case NEXT_CLOSE:
            rig->closed = true;
            return;
        case NEXT_INPUT:
        case NEXT_NOTICE:
        case NEXT_WAIT:
            return;
        }
    }
}

void rig_start(struct rig *rig, const struct protocol *protocol, void *context)
{
    rig->protocol = *protocol;
    rig->peer = (struct conn_peer){ .address = "192.0.2.1", .port = 40000 };
    rig->local = (struct conn_peer){ .address = "192.0.2.2", .port = 110 };
    rig->call = (struct call){ .peer = &rig->peer,
                               .local = &rig->local,
                               .tls_name = "",
                               .key = 1,
                               .desk = rig->desk,
                               .log = { .daemon = "test", .session = 1 } };
    rig->closed = rig->wants_tls = rig->waits_notice = rig->waits_resume = false;
    rig->may_hear = false;
    rig->call.state = protocol->open(&rig->call, context);
    buf_clear(&rig->answer);
    run(rig, WHY_START);
}

static enum parse unpack(struct rig *rig)
{
    enum parse result;

    if (!rig->unpacks_no_more)
        return inflater_run(rig->inflater, &rig->packed, &rig->call.in, PACKED_PIECE);
    result = inflater_finish(rig->inflater, &rig->packed);
    if (result != PARSE_OK)
        return result;
    rig->unpacks_no_more = false;
    inflater_free(&rig->inflater);
    buf_move(&rig->call.in, &rig->packed);
    return rig->call.in.len > 0 ? PARSE_OK : PARSE_MORE;
}

static void say_packed(struct rig *rig)
{
    while (rig->inflater != NULL && rig->packed.len > 0 && !rig->closed) {
        switch (unpack(rig)) {
        case PARSE_OK:
            run(rig, WHY_INPUT);
            break;
        case PARSE_MORE:
            return;
        case PARSE_BAD:
            rig->closed = true;
        }
    }
}

void rig_say_bytes(struct rig *rig, struct slice bytes)
{
    buf_clear(&rig->answer);
    if (rig->inflater != NULL) {
        buf_add_slice(&rig->packed, bytes);
    } else {
        buf_add_slice(&rig->call.in, bytes);
        run(rig, WHY_INPUT);
    }
    say_packed(rig);
}

void rig_say(struct rig *rig, const char *text)
{
    rig_say_bytes(rig, slice_of(text));
}

void rig_event(struct rig *rig, enum why why)
{
    buf_clear(&rig->answer);
    run(rig, why);
}

void rig_secure(struct rig *rig)
{
    assert_true(rig->wants_tls);
    rig->wants_tls = false;
    rig->call.secure = true;
    rig->call.tls_name = "TLS1.3";
    rig_event(rig, WHY_SECURED);
}

const char *rig_text(struct rig *rig)
{
    return buf_text(&rig->answer);
}

void rig_stop(struct rig *rig)
{
    if (rig->call.state == NULL)
        return;
    rig->call.desk = rig->desk;
    rig->protocol.close(&rig->call);
    rig->call.state = NULL;
    arena_free(&rig->call.arena);
    call_watch(&rig->call, NULL, 0);
    buf_free(&rig->call.in);
    buf_free(&rig->call.out);
    inflater_free(&rig->inflater);
    buf_free(&rig->packed);
}

uint32_t rig_append(struct rig *rig, uint64_t id, const char *mailbox, const char *message)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(body_free) struct body *body = body_new(rig->store);
    struct error err = { 0 };
    struct account *account;
    struct mailbox_info info;
    struct append item = { .body = body };
    uint32_t uidvalidity;

    if (!body_add(body, slice_of(message), &err) || !body_finish(body, &err) ||
        !desk_account(rig->desk, id, &account, &err) ||
        !mailbox_by_name(account, &arena, slice_of(mailbox), &info, &err) ||
        !mailbox_append(account, info.id, &item, 1, false, &uidvalidity, &err))
        fail_msg("append to %s: %s", mailbox, err.text);
    return item.uid_out;
}

/* keywatch.c - see keywatch.h. */
#include "smtpd/proof/keywatch.h"

#include "common/daemon.h"
#include "common/resolver.h"
#include "message/proof/dkim.h"
#include "smtpd/proof/keyring.h"

#include <stdlib.h>

/* The key of our job: no account has it. */
#define WATCH_KEY 0

struct keywatch {
    struct keywatch_options options;
    struct job job;
    atomic_bool busy, stopping;
    atomic_bool wanted; /* a key waits, or nobody has looked since a change */

    /* The job's, while busy. */
    struct dns_table table;
    size_t n_waiting, n_missing;
};

static void run(struct job *job, void *desk);

struct keywatch *keywatch_new(const struct keywatch_options *options)
{
    struct keywatch *keywatch = NEW(struct keywatch);

    keywatch->options = *options;
    atomic_init(&keywatch->wanted, true);
    return keywatch;
}

void keywatch_free(struct keywatch **keywatch)
{
    struct keywatch *old = TAKE(*keywatch);

    if (old == NULL)
        return;
    dns_table_free(&old->table);
    free(old);
}

static void submit(struct keywatch *keywatch)
{
    keywatch->job = (struct job){ .work = run };
    pool_submit(keywatch->options.pool, WATCH_KEY, &keywatch->job);
}

static void on_fetched(void *context)
{
    struct keywatch *keywatch = context;

    if (!atomic_load(&keywatch->stopping))
        submit(keywatch);
}

/* The value of p=, without blanks. */
static void public_part(struct slice record, struct buf *out)
{
    struct slice tag, name;

    while (slice_split(&record, ';', &tag)) {
        if (!slice_split(&tag, '=', &name) || !slice_equal(slice_trim(name), SLICE("p")))
            continue;
        for (size_t i = 0; i < tag.len; i++)
            if (tag.data[i] != ' ' && tag.data[i] != '\t')
                buf_add_byte(out, tag.data[i]);
        return;
    }
}

bool keywatch_is_same(struct slice published, struct slice record)
{
    AUTO(buf_free) struct buf theirs = { 0 };
    AUTO(buf_free) struct buf ours = { 0 };

    public_part(published, &theirs);
    public_part(record, &ours);
    return ours.len > 0 && slice_equal(buf_slice(&ours), buf_slice(&theirs));
}

static bool record_of(const struct signing_key *stored, struct buf *out, struct error *err)
{
    AUTO(private_key_free) struct private_key *key = NULL;

    return private_key_read(stored->pem, &key, err) &&
           dkim_key_record(key, private_key_algorithm(key), out, err);
}

/* Looks for the key's record. False: it has not been asked for yet. */
static bool look(struct keywatch *keywatch, const struct signing_key *key, bool *is_there_out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf name = { 0 };
    AUTO(buf_free) struct buf record = { 0 };
    const struct dns_answer *answer;
    struct slice text;
    struct error err;

    *is_there_out = false;
    buf_fmt(&name, SLICE_FMT "._domainkey." SLICE_FMT, SLICE_ARG(key->selector),
            SLICE_ARG(key->domain));
    answer = dns_get(&keywatch->table, buf_slice(&name), DNS_TXT);
    if (answer == NULL)
        return false;
    if (!record_of(key, &record, &err)) {
        log_warn(&keywatch->options.log, "key unusable", F_TEXT("domain", key->domain),
                 F_TEXT("selector", key->selector), F_ERR(&err));
        return true;
    }
    for (size_t i = 0; i < answer->count && !*is_there_out; i++)
        *is_there_out = dns_text(&arena, answer->records[i], &text) &&
                        keywatch_is_same(text, buf_slice(&record));
    return true;
}

/* The new one signs from here on, the older ones of its kind no more. */
static bool activate(struct keywatch *keywatch, struct desk *desk, const struct key_list *keys,
                     const struct signing_key *key, struct error *err)
{
    if (!keys_set_state(desk, key->domain, key->selector, KEY_ACTIVE, err))
        return false;
    log_info(&keywatch->options.log, "key active", F_TEXT("domain", key->domain),
             F_TEXT("selector", key->selector));
    for (size_t i = 0; i < keys->count; i++) {
        const struct signing_key *other = &keys->items[i];

        if (other == key || other->state != KEY_ACTIVE || other->created_ms > key->created_ms ||
            !slice_equal(other->domain, key->domain) ||
            !slice_equal(other->algorithm, key->algorithm))
            continue;
        if (!keys_set_state(desk, other->domain, other->selector, KEY_RETIRED, err))
            return false;
    }
    return true;
}

static bool watch(struct keywatch *keywatch, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct key_list keys;
    bool is_there;

    keywatch->n_waiting = keywatch->n_missing = 0;
    if (!keys_all(desk, &arena, (struct slice){ 0 }, &keys, err))
        return false;
    for (size_t i = 0; i < keys.count; i++) {
        if (keys.items[i].state != KEY_WAITING)
            continue;
        if (!look(keywatch, &keys.items[i], &is_there))
            keywatch->n_missing++;
        else if (!is_there)
            keywatch->n_waiting++;
        else if (!activate(keywatch, desk, &keys, &keys.items[i], err))
            return false;
    }
    return true;
}

static void run(struct job *job, void *desk)
{
    struct keywatch *keywatch = CONTAINER_OF(job, struct keywatch, job);
    struct smtpd *smtpd = keywatch->options.smtpd;
    struct error err;

    atomic_store(&keywatch->wanted, false);
    if (!watch(keywatch, desk, &err)) {
        log_failure(&keywatch->options.log, &err);
        keywatch->n_missing = 0;
    }
    if (keywatch->n_missing > 0) {
        resolver_fetch(smtpd->resolver, &keywatch->table, on_fetched, keywatch);
        return;
    }
    if (keywatch->n_waiting > 0)
        atomic_store(&keywatch->wanted, true);
    dns_table_free(&keywatch->table);
    atomic_store(&keywatch->busy, false);
}

void keywatch_change(struct keywatch *keywatch)
{
    atomic_store(&keywatch->wanted, true);
}

void keywatch_tick(struct keywatch *keywatch)
{
    if (atomic_load(&keywatch->stopping) || !atomic_load(&keywatch->wanted) ||
        atomic_exchange(&keywatch->busy, true))
        return;
    submit(keywatch);
}

void keywatch_stop(struct keywatch *keywatch)
{
    atomic_store(&keywatch->stopping, true);
}

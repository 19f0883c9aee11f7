/* search_fill.c - fills search.db in pieces: messages are read and taken in first, then their
 * blocks are changed in one transaction.
 *
 * Reads of mail.db are short, of a few messages, so that no snapshot holds up a checkpoint for long
 * while a process of low priority waits for its turn.
 */
#include "storage/sqlite/search_private.h"

#include "message/envelope_text.h"
#include "message/header.h"
#include "message/text.h"

#include <stdlib.h>

#define PIECE_MESSAGES 512
#define HELD_MESSAGES  16
#define PIECE_BYTES    (4u << 20) /* ends a piece; one message more than that is one of its own */

struct signed_message {
    uint64_t msg;
    bool is_read; /* false: it could not be, and is in no block */
    struct {
        size_t keys_end; /* in the part's keys */
        uint16_t size;   /* of its texts, as a block has it */
        size_t at, len;  /* in `signatures`; 0: listed */
    } parts[BLOCK_PARTS];
};

struct indexer {
    struct trigrams *trigrams;
    struct trigram_keys keys[BLOCK_PARTS];
    struct buf bytes, text, folded, signatures;
    struct arena tree;
    struct signed_message messages[PIECE_MESSAGES];
    size_t count, n_envelopes;
    struct buf last_hash;
    uint64_t last; /* what was indexed before this piece */
    int lock;      /* search.lock of the account at hand */
};

struct indexer *indexer_new(void)
{
    struct indexer *indexer = NEW(struct indexer);

    indexer->trigrams = trigrams_new();
    return indexer;
}

void indexer_free(struct indexer **indexer)
{
    if (*indexer == NULL)
        return;
    trigrams_free(&(*indexer)->trigrams);
    for (size_t part = 0; part < BLOCK_PARTS; part++)
        trigram_keys_free(&(*indexer)->keys[part]);
    buf_free(&(*indexer)->bytes);
    buf_free(&(*indexer)->text);
    buf_free(&(*indexer)->folded);
    buf_free(&(*indexer)->signatures);
    buf_free(&(*indexer)->last_hash);
    arena_free(&(*indexer)->tree);
    free(TAKE(*indexer));
}

/* Signing one message. */

/* Adds what is in `text`, and empties it. */
static void add_text(struct indexer *indexer)
{
    buf_clear(&indexer->folded);
    text_fold(buf_slice(&indexer->text), &indexer->folded);
    trigrams_add(indexer->trigrams, buf_slice(&indexer->folded));
    buf_clear(&indexer->text);
}

/* Lists or signs the part whose texts were added. */
static void end_part(struct indexer *indexer, struct signed_message *message, size_t part)
{
    struct trigram_keys *keys = &indexer->keys[part];
    uint32_t number = message->msg % BLOCK_TEXTS;

    message->parts[part].at = indexer->signatures.len;
    message->parts[part].size = block_size_of(trigrams_bytes(indexer->trigrams));
    if (!trigrams_list(indexer->trigrams, number, keys))
        trigrams_sign(indexer->trigrams, number, keys, &indexer->signatures);
    message->parts[part].len = indexer->signatures.len - message->parts[part].at;
    message->parts[part].keys_end = keys->count;
}

static void add_envelope_texts(struct indexer *indexer, struct slice envelope)
{
    envelope_subject(envelope, &indexer->text);
    add_text(indexer);
    for (int place = ENVELOPE_FROM; place <= ENVELOPE_BCC; place++) {
        envelope_addresses(envelope, (enum envelope_place)place, &indexer->text);
        add_text(indexer);
    }
}

/* Called for each message, in order. */
static void sign_envelope(const struct cached *cached, void *context)
{
    struct indexer *indexer = context;
    struct signed_message *message = &indexer->messages[indexer->n_envelopes++];

    if (message->is_read && cached->envelope.len > 0)
        add_envelope_texts(indexer, cached->envelope);
    end_part(indexer, message, 0);
}

static void sign_header(struct indexer *indexer, struct signed_message *message)
{
    struct slice bytes = buf_slice(&indexer->bytes);

    text_of_header(slice_part(bytes, 0, header_length(bytes)), &indexer->text);
    add_text(indexer);
    end_part(indexer, message, 1);
}

static void sign_body(struct indexer *indexer, struct signed_message *message)
{
    struct slice bytes = buf_slice(&indexer->bytes);
    struct text_walk walk;

    arena_reset(&indexer->tree);
    text_walk_start(&walk, bytes, mime_parse(&indexer->tree, bytes));
    while (text_walk_next(&walk, &indexer->text))
        add_text(indexer);
    end_part(indexer, message, 2);
}

/* A message that cannot be read is passed over: whoever searches finds out for himself. */
static bool sign_message(struct account *account, struct indexer *indexer, uint64_t msg,
                         struct error *err)
{
    struct signed_message *message = &indexer->messages[indexer->count++];

    *message = (struct signed_message){ .msg = msg };
    for (size_t part = 1; part < BLOCK_PARTS; part++)
        message->parts[part].keys_end = indexer->keys[part].count;
    buf_clear(&indexer->bytes);
    buf_clear(&indexer->text);
    if (!account_read(account, msg, 0, SIZE_MAX, &indexer->bytes, err))
        return err->kind != ERROR_TEMPORARY;
    message->is_read = true;
    sign_header(indexer, message);
    sign_body(indexer, message);
    return true;
}

/* The process has died over it: it is in no block. */
static void pass_over(struct account *account, struct indexer *indexer, uint64_t msg)
{
    indexer->messages[indexer->count++] = (struct signed_message){ .msg = msg };
    log_warn(&account->store->options.log, "message is not indexed",
             F_NUM("account", (int64_t)account->id), F_NUM("msg", (int64_t)msg));
}

static bool sign_all(struct account *account, struct indexer *indexer, const uint64_t *msgs,
                     size_t count, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < count;) {
        if (!account_hold_reads(account, err))
            return false;
        do
            ok = sign_message(account, indexer, msgs[i++], err);
        while (ok && i < count && i % HELD_MESSAGES != 0);
        account_release_reads(account);
    }
    return ok &&
           account_summaries(account, CACHED_ENVELOPE, msgs, count, sign_envelope, indexer, err);
}

/* Which messages come next; their sizes decide how many. Where no number is missing they end with a
 * block. */
static bool find_next(struct account *account, uint64_t last, bool one, struct indexer *indexer,
                      uint64_t *msgs, size_t *count_out, struct error *err)
{
    uint64_t bytes = 0, limit = one ? 1 : PIECE_MESSAGES - (last + 1) % BLOCK_TEXTS;
    struct sql_row row;

    *count_out = 0;
    if (!sql_query(&account->db, SQL_SEARCH_NEXT, &row, err, "uu", last, limit))
        return false;
    while (sql_next(&row, err)) {
        bytes += sql_u64(&row, 1);
        msgs[(*count_out)++] = sql_u64(&row, 0);
        buf_clear(&indexer->last_hash);
        buf_add_slice(&indexer->last_hash, sql_slice(&row, 2));
        if (bytes < PIECE_BYTES)
            continue;
        sql_end(&row);
        break;
    }
    return !row.failed;
}

/* Changing the blocks. */

/* What messages, of one block, bring into one of its parts. */
static void make_change(struct indexer *indexer, size_t part, size_t first, size_t count,
                        struct block_change *change_out)
{
    const struct signed_message *messages = indexer->messages + first;
    size_t start = first > 0 ? messages[-1].parts[part].keys_end : 0;

    *change_out = (struct block_change){
        .keys = indexer->keys[part].keys + start,
        .n_keys = messages[count - 1].parts[part].keys_end - start,
    };
    for (size_t i = 0; i < count; i++) {
        uint64_t number = messages[i].msg % BLOCK_TEXTS, bit = 1ull << number;
        size_t len = messages[i].parts[part].len;

        if (!messages[i].is_read)
            change_out->gone |= bit;
        else if (len == 0)
            change_out->listed |= bit;
        else
            change_out->is_signed |= bit;
        change_out->sizes[number] = messages[i].parts[part].size;
        change_out->signatures[number] =
            slice_part(buf_slice(&indexer->signatures), messages[i].parts[part].at, len);
    }
}

/* The block of the last piece, when this one goes on behind it. */
static bool close_last(struct sql_db *db, struct indexer *indexer, struct error *err)
{
    uint64_t number = indexer->last / BLOCK_TEXTS;
    const struct block_change nothing[BLOCK_PARTS] = { { 0 } };
    uint64_t last = indexer->messages[indexer->count - 1].msg;

    if (number == indexer->messages[0].msg / BLOCK_TEXTS || (indexer->last + 1) % BLOCK_TEXTS == 0)
        return true;
    return search_change(db, number, nothing, last, err);
}

static bool put_all(struct sql_db *db, struct indexer *indexer, struct error *err)
{
    struct block_change changes[BLOCK_PARTS];
    uint64_t last = indexer->messages[indexer->count - 1].msg;

    if (!close_last(db, indexer, err))
        return false;
    for (size_t i = 0, n; i < indexer->count; i += n) {
        const struct signed_message *first = &indexer->messages[i];

        for (n = 1;
             i + n < indexer->count && first[n].msg / BLOCK_TEXTS == first->msg / BLOCK_TEXTS; n++)
            continue;
        for (size_t part = 0; part < BLOCK_PARTS; part++)
            make_change(indexer, part, i, n, &changes[part]);
        if (!search_change(db, first->msg / BLOCK_TEXTS, changes, last, err))
            return false;
    }
    return sql_run(db, SEARCH_STATE_SET, NULL, err, "ub", last, buf_slice(&indexer->last_hash));
}

static bool put_piece(struct sql_db *db, struct indexer *indexer, struct error *err)
{
    if (!sql_begin(db, err))
        return false;
    if (put_all(db, indexer, err))
        return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

static bool fill_piece(struct account *account, struct sql_db *db, struct indexer *indexer,
                       bool *more_out, struct error *err)
{
    uint64_t msgs[PIECE_MESSAGES], last;
    struct search_attempt attempt;
    size_t count;
    bool ok;

    buf_clear(&indexer->last_hash);
    buf_clear(&indexer->signatures);
    indexer->count = indexer->n_envelopes = 0;
    for (size_t part = 0; part < BLOCK_PARTS; part++)
        indexer->keys[part].count = 0;
    if (!search_last(db, &last, &indexer->last_hash, err))
        return false;
    indexer->last = last;
    search_attempt_begin(indexer->lock, last, &attempt);
    if (!find_next(account, last, search_attempt_is_careful(&attempt), indexer, msgs, &count, err))
        return false;
    *more_out = count > 0;
    if (count == 0)
        return true;
    if (search_attempt_is_enough(&attempt)) {
        pass_over(account, indexer, msgs[0]);
        return put_piece(db, indexer, err);
    }
    search_attempt_note(indexer->lock, &attempt, msgs[count - 1]);
    ok = sign_all(account, indexer, msgs, count, err) && put_piece(db, indexer, err);
    search_attempt_end(indexer->lock, &attempt);
    return ok;
}

/* Opens it and sees whether it is of use. */
static bool open_fitting(struct account *account, struct sql_db **db_out, bool *fits_out,
                         struct error *err)
{
    return search_open(account, true, db_out, err) && search_fits(account, *db_out, fits_out, err);
}

/* Under the lock. */
static bool fill(struct account *account, struct indexer *indexer, bool *more_out,
                 struct error *err)
{
    struct sql_db *db = NULL;
    bool fits = true;
    bool ok = open_fitting(account, &db, &fits, err) && fits &&
              fill_piece(account, db, indexer, more_out, err);

    if (ok || (fits && err->kind != ERROR_INTERNAL && err->kind != ERROR_NEWER))
        return ok;
    if (!fits)
        error_set(err, ERROR_INTERNAL, "it is of another mail.db");
    log_warn(&account->store->options.log, "search index made anew",
             F_NUM("account", (int64_t)account->id), F_ERR(err));
    return search_remove_files(account, err) && open_fitting(account, &db, &fits, err) &&
           fill_piece(account, db, indexer, more_out, err);
}

bool account_index(struct account *account, struct indexer *indexer, bool *more_out,
                   struct error *err)
{
    int lock;
    bool ok;

    *more_out = false;
    if (!search_lock(account, false, &lock, err))
        return false;
    if (lock < 0)
        return true;
    indexer->lock = lock;
    ok = fill(account, indexer, more_out, err);
    search_unlock(lock);
    return ok;
}

bool account_index_progress(struct account *account, struct index_progress *progress_out,
                            struct error *err)
{
    AUTO(buf_free) struct buf hash = { 0 };
    struct sql_db *db = NULL;
    struct sql_row row;
    uint64_t last = 0;

    if (search_open(account, false, &db, err) && db != NULL && !search_last(db, &last, &hash, err))
        last = 0; /* a damaged one has nothing */
    if (!sql_query(&account->db, SQL_SEARCH_COUNT, &row, err, "u", last))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no answer");
    *progress_out = (struct index_progress){
        .messages = sql_u64(&row, 0),
        .indexed = sql_u64(&row, 0) - sql_u64(&row, 1),
    };
    sql_end(&row);
    return true;
}

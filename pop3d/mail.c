/* mail.c - the commands on the maildrop: STAT, LIST, UIDL, RETR, TOP, DELE, RSET, QUIT.
 *
 * Messages go out in chunks: each call reads one, stuffs dots and returns, so that a client that
 * reads slowly holds no worker and no memory.
 */
#include "pop3d/pop3.h"

#define CHUNK_BYTES (64 * 1024)

static struct account *account_of(struct call *call, struct error *err)
{
    struct account *account = NULL;

    return desk_account(call->desk, call->key, &account, err) ? account : NULL;
}

/* One or two decimal arguments; what is left must be nothing. */
static bool take_number(struct slice *args, uint64_t *number_out)
{
    struct slice word;

    return slice_split(args, ' ', &word) && slice_number(word, UINT32_MAX, number_out);
}

/* The message that the argument names, or NULL after the reply. */
static struct maildrop_item *named_item(struct call *call, struct slice *args, uint64_t *number_out)
{
    struct pop3 *pop = call->state;
    struct maildrop_item *item;

    if (!take_number(args, number_out)) {
        pop3_err(call, "Which message? Give its number");
        return NULL;
    }
    item = maildrop_item(&pop->drop, *number_out);
    if (item == NULL)
        pop3_err(call, "There is no such message");
    return item;
}

enum next pop3_stat(struct call *call, struct slice args)
{
    struct pop3 *pop = call->state;
    uint64_t count, bytes;

    maildrop_sum(&pop->drop, &count, &bytes);
    buf_fmt(&call->out, "+OK %llu %llu\r\n", (unsigned long long)count, (unsigned long long)bytes);
    return NEXT_COMMAND;
}

enum next pop3_list(struct call *call, struct slice args)
{
    struct pop3 *pop = call->state;
    struct maildrop_item *item;
    uint64_t number;

    if (args.len > 0) {
        item = named_item(call, &args, &number);
        if (item != NULL)
            buf_fmt(&call->out, "+OK %u %u\r\n", (unsigned)number, item->size);
        return NEXT_COMMAND;
    }
    pop3_ok(call, "Messages and their sizes:");
    for (size_t i = 0; i < pop->drop.count; i++) {
        if (pop->drop.items[i].deleted)
            continue;
        buf_add_number(&call->out, i + 1);
        buf_add_byte(&call->out, ' ');
        buf_add_number(&call->out, pop->drop.items[i].size);
        buf_add_text(&call->out, "\r\n");
    }
    buf_add_text(&call->out, ".\r\n");
    return NEXT_COMMAND;
}

static void add_uidl(struct call *call, struct account *account, uint64_t number,
                     const struct maildrop_item *item)
{
    buf_add_number(&call->out, number);
    buf_add_byte(&call->out, ' ');
    maildrop_uidl(account, item, &call->out);
    buf_add_text(&call->out, "\r\n");
}

enum next pop3_uidl(struct call *call, struct slice args)
{
    struct pop3 *pop = call->state;
    struct maildrop_item *item;
    struct error err;
    struct account *account = account_of(call, &err);
    uint64_t number;

    if (account == NULL)
        return pop3_failure(call, &err);
    if (args.len > 0) {
        item = named_item(call, &args, &number);
        if (item != NULL) {
            buf_add_text(&call->out, "+OK ");
            add_uidl(call, account, number, item);
        }
        return NEXT_COMMAND;
    }
    pop3_ok(call, "Messages and their unique names:");
    for (size_t i = 0; i < pop->drop.count; i++)
        if (!pop->drop.items[i].deleted)
            add_uidl(call, account, i + 1, &pop->drop.items[i]);
    buf_add_text(&call->out, ".\r\n");
    return NEXT_COMMAND;
}

/* TOP: are all lines out that were asked for? */
static bool has_enough(const struct pop3 *pop)
{
    return pop->in_body && pop->lines_left == 0;
}

/* Adds a piece of the message, with dots stuffed (RFC 1939 section 3), up to the last line that is
 * wanted. A bare LF starts a line too: some clients take it for one, and must find no lone dot. */
static void add_stuffed(struct pop3 *pop, struct slice piece, struct buf *out)
{
    while (piece.len > 0 && !has_enough(pop)) {
        ptrdiff_t end = slice_find(piece, '\n');
        struct slice line = end < 0 ? piece : slice_part(piece, 0, (size_t)end + 1);
        bool empty = pop->line_start && (slice_is(line, "\r\n") || slice_is(line, "\n"));

        if (pop->line_start && line.data[0] == '.')
            buf_add_byte(out, '.');
        buf_add_slice(out, line);
        if (pop->in_body && end >= 0 && pop->lines_left != UINT64_MAX)
            pop->lines_left--;
        /* "\r" at the end of one chunk and "\n" at the start of the next are an empty line too. */
        if (!pop->in_body && (empty || (pop->after_cr && slice_is(line, "\n"))))
            pop->in_body = true;
        pop->after_cr = pop->line_start && slice_is(line, "\r");
        pop->line_start = end >= 0;
        piece = slice_from(piece, line.len);
    }
}

static enum next end_message(struct call *call)
{
    struct pop3 *pop = call->state;

    if (!pop->line_start)
        buf_add_text(&call->out, "\r\n");
    buf_add_text(&call->out, ".\r\n");
    pop->sending = NULL;
    return NEXT_COMMAND;
}

static enum next send_chunk(struct call *call)
{
    AUTO(buf_free) struct buf chunk = { 0 };
    struct pop3 *pop = call->state;
    struct error err;
    struct account *account = account_of(call, &err);

    if (account == NULL ||
        !account_read(account, pop->sending->msg, pop->sent, CHUNK_BYTES, &chunk, &err)) {
        if (pop->sent == 0)
            return pop3_failure(call, &err);
        log_failure(&call->log, &err);
        return NEXT_CLOSE; /* too late for -ERR: the client is inside the message */
    }
    if (pop->sent == 0)
        pop3_ok(call, "Here it is");
    pop->sent += chunk.len;
    add_stuffed(pop, buf_slice(&chunk), &call->out);
    if (chunk.len < CHUNK_BYTES || has_enough(pop))
        return end_message(call);
    pop->then = send_chunk;
    return NEXT_AGAIN;
}

static enum next send_message(struct call *call, struct maildrop_item *item, uint64_t lines)
{
    struct pop3 *pop = call->state;

    pop->sending = item;
    pop->sent = 0;
    pop->lines_left = lines;
    pop->in_body = false;
    pop->line_start = true;
    pop->after_cr = false;
    return send_chunk(call);
}

enum next pop3_retr(struct call *call, struct slice args)
{
    uint64_t number;
    struct maildrop_item *item = named_item(call, &args, &number);

    if (item == NULL)
        return NEXT_COMMAND;
    item->retrieved = true;
    return send_message(call, item, UINT64_MAX);
}

/* TOP msg n: the header, the empty line, and n lines of the body. */
enum next pop3_top(struct call *call, struct slice args)
{
    uint64_t number, lines;
    struct maildrop_item *item = named_item(call, &args, &number);

    if (item == NULL)
        return NEXT_COMMAND;
    if (!take_number(&args, &lines) || args.len > 0)
        return pop3_err(call, "How many lines?");
    return send_message(call, item, lines);
}

enum next pop3_dele(struct call *call, struct slice args)
{
    uint64_t number;
    struct maildrop_item *item = named_item(call, &args, &number);

    if (item == NULL)
        return NEXT_COMMAND;
    item->deleted = true;
    return pop3_ok(call, "Marked; QUIT removes it");
}

enum next pop3_rset(struct call *call, struct slice args)
{
    struct pop3 *pop = call->state;

    maildrop_reset(&pop->drop);
    return pop3_ok(call, "No message is marked any more");
}

enum next pop3_update(struct call *call)
{
    struct pop3 *pop = call->state;
    struct error err;
    struct account *account = account_of(call, &err);
    uint64_t removed = 0;

    if (account == NULL || !maildrop_update(&pop->drop, account, &removed, &err)) {
        pop3_failure(call, &err);
        return NEXT_CLOSE;
    }
    if (removed > 0)
        log_info(&call->log, "removed", F_NUM("messages", (int64_t)removed));
    pop3_ok(call, "Goodbye");
    return NEXT_CLOSE;
}

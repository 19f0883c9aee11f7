/* fetch_item.c - see fetch_item.h. */
#include "imapd/fetch_item.h"

#include "imapd/args.h"
#include "imapd/objectid.h"
#include "imapd/reply.h"
#include "message/date.h"
#include "message/header.h"
#include "storage/mail_part.h"

#define STREAM_BYTES      (128 * 1024) /* of a message, per call */
#define HEADER_READ_BYTES (8 * 1024)   /* enough for most headers */
#define KEPT_BYTES        (512 * 1024) /* of a message that is read, from turn to turn */
#define KEPT_TIGHT        (16 * 1024)  /* ... while memory is short */

static enum fetch_result write_flags(struct fetch *fetch, const struct fetch_item *item,
                                     size_t index, struct error *err)
{
    const struct view *view = &fetch->client->view;

    flags_print(&fetch->client->keywords, view_flags(view, index), view_is_recent(view, index),
                &fetch->call->out);
    return FETCH_DONE;
}

static enum fetch_result write_uid(struct fetch *fetch, const struct fetch_item *item, size_t index,
                                   struct error *err)
{
    buf_add_number(&fetch->call->out, view_uid(&fetch->client->view, index));
    return FETCH_DONE;
}

static enum fetch_result write_size(struct fetch *fetch, const struct fetch_item *item,
                                    size_t index, struct error *err)
{
    buf_add_number(&fetch->call->out, view_size(&fetch->client->view, index));
    return FETCH_DONE;
}

static enum fetch_result write_modseq(struct fetch *fetch, const struct fetch_item *item,
                                      size_t index, struct error *err)
{
    buf_add_byte(&fetch->call->out, '(');
    buf_add_number(&fetch->call->out, view_modseq(&fetch->client->view, index));
    buf_add_byte(&fetch->call->out, ')');
    return FETCH_DONE;
}

static enum fetch_result write_time(struct fetch *fetch, int64_t unix_ms)
{
    buf_add_byte(&fetch->call->out, '"');
    imap_date_time_print(unix_ms, &fetch->call->out);
    buf_add_byte(&fetch->call->out, '"');
    return FETCH_DONE;
}

static enum fetch_result write_internaldate(struct fetch *fetch, const struct fetch_item *item,
                                            size_t index, struct error *err)
{
    return write_time(fetch, view_received_ms(&fetch->client->view, index));
}

/* RFC 8514 section 4.2. */
static enum fetch_result write_savedate(struct fetch *fetch, const struct fetch_item *item,
                                        size_t index, struct error *err)
{
    return write_time(fetch, view_saved_ms(&fetch->client->view, index));
}

/* The stored texts of the message at hand. */
static const struct fetch_cached *cached_of(const struct fetch *fetch, size_t index)
{
    for (size_t i = fetch->at; i < fetch->n_cached; i++)
        if (fetch->cached[i].index == index)
            return &fetch->cached[i];
    return NULL;
}

static enum fetch_result write_text(struct fetch *fetch, const struct fetch_cached *cached,
                                    size_t at, size_t len)
{
    if (cached == NULL || len == 0) {
        buf_add_text(&fetch->call->out, "NIL");
        fetch->missed = true;
    } else {
        buf_add(&fetch->call->out, fetch->texts.data + at, len);
    }
    return FETCH_DONE;
}

static enum fetch_result write_envelope(struct fetch *fetch, const struct fetch_item *item,
                                        size_t index, struct error *err)
{
    const struct fetch_cached *cached = cached_of(fetch, index);

    return write_text(fetch, cached, cached != NULL ? cached->envelope_at : 0,
                      cached != NULL ? cached->envelope_len : 0);
}

static enum fetch_result write_structure(struct fetch *fetch, const struct fetch_item *item,
                                         size_t index, struct error *err)
{
    const struct fetch_cached *cached = cached_of(fetch, index);

    return write_text(fetch, cached, cached != NULL ? cached->structure_at : 0,
                      cached != NULL ? cached->structure_len : 0);
}

static enum fetch_result write_body(struct fetch *fetch, const struct fetch_item *item,
                                    size_t index, struct error *err)
{
    const struct fetch_cached *cached = cached_of(fetch, index);

    return write_text(fetch, cached, cached != NULL ? cached->body_at : 0,
                      cached != NULL ? cached->body_len : 0);
}

/* RFC 8474 section 5.3. The message at hand is the slice's next. */
static const struct object_ids *objects_of(struct fetch *fetch)
{
    const struct object_ids *ids = &fetch->objects[fetch->at];

    fetch->missed |= !ids->exists;
    return ids;
}

static enum fetch_result write_emailid(struct fetch *fetch, const struct fetch_item *item,
                                       size_t index, struct error *err)
{
    buf_add_byte(&fetch->call->out, '(');
    objectid_email(&fetch->call->out, objects_of(fetch),
                   view_received_ms(&fetch->client->view, index));
    buf_add_byte(&fetch->call->out, ')');
    return FETCH_DONE;
}

static enum fetch_result write_threadid(struct fetch *fetch, const struct fetch_item *item,
                                        size_t index, struct error *err)
{
    const struct object_ids *ids = objects_of(fetch);

    if (!ids->exists) {
        buf_add_text(&fetch->call->out, "NIL");
        return FETCH_DONE;
    }
    buf_add_byte(&fetch->call->out, '(');
    objectid_thread(&fetch->call->out, ids);
    buf_add_byte(&fetch->call->out, ')');
    return FETCH_DONE;
}

/* RFC 8970: what was made when the message came, so LAZY makes no difference. */
static enum fetch_result write_preview(struct fetch *fetch, const struct fetch_item *item,
                                       size_t index, struct error *err)
{
    const struct fetch_cached *cached = cached_of(fetch, index);
    struct slice preview = SLICE("");

    if (cached != NULL)
        preview = slice_part(buf_slice(&fetch->texts), cached->preview_at, cached->preview_len);
    reply_string(&fetch->call->out, preview);
    return FETCH_DONE;
}

/* Reads the message up to `len` bytes into fetch->bytes. False with ERROR_NOT_FOUND: it is gone. */
static bool load(struct fetch *fetch, size_t index, uint64_t len, struct error *err)
{
    uint64_t msg = view_msg(&fetch->client->view, index);

    if (fetch->loaded != msg) {
        buf_clear(&fetch->bytes);
        arena_reset(&fetch->tree_arena);
        fetch->tree = NULL;
        fetch->loaded = msg;
    }
    len = MIN(len, view_size(&fetch->client->view, index));
    if (fetch->bytes.len >= len)
        return true;
    len -= fetch->bytes.len;
    fetch->n_read += len;
    return account_read(fetch->client->selected, msg, fetch->bytes.len, (size_t)len, &fetch->bytes,
                        err);
}

void fetch_unload(struct fetch *fetch)
{
    if (fetch->bytes.room <= (ceiling_state() == CEILING_PLENTY ? KEPT_BYTES : KEPT_TIGHT))
        return;
    buf_free(&fetch->bytes);
    arena_free(&fetch->tree_arena);
    fetch->tree = NULL;
    fetch->loaded = 0;
}

bool fetch_load_all(struct fetch *fetch, size_t index, struct error *err)
{
    if (!load(fetch, index, UINT64_MAX, err))
        return false;
    if (fetch->tree == NULL)
        fetch->tree = mime_parse(&fetch->tree_arena, buf_slice(&fetch->bytes));
    return true;
}

/* Reads the whole header, and as little more as may be. */
static bool load_header(struct fetch *fetch, size_t index, struct slice *header_out,
                        struct error *err)
{
    const struct fetch_cached *cached = cached_of(fetch, index);
    uint64_t size = view_size(&fetch->client->view, index);
    size_t len;

    if (cached != NULL && cached->header_len > 0) {
        if (!load(fetch, index, cached->header_len, err))
            return false;
        *header_out = slice_part(buf_slice(&fetch->bytes), 0, (size_t)cached->header_len);
        return true;
    }
    for (uint64_t want = HEADER_READ_BYTES;; want *= 4) {
        if (!load(fetch, index, want, err))
            return false;
        len = header_length(buf_slice(&fetch->bytes));
        /* A header that ends where the piece ends may go on behind it. */
        if (len < fetch->bytes.len || fetch->bytes.len >= size)
            break;
    }
    *header_out = slice_part(buf_slice(&fetch->bytes), 0, len);
    return true;
}

static void write_literal(struct fetch *fetch, const struct section *section, struct slice bytes)
{
    struct buf *out = &fetch->call->out;
    size_t at;

    if (section->partial)
        bytes = slice_part(bytes, section->from, section->length);
    buf_fmt(out, "{%zu}\r\n", bytes.len);
    at = out->len;
    buf_add_slice(out, bytes);
    mail_hide_nuls(out, at);
}

/* The next piece of a literal that goes straight from the store to the client. */
static enum fetch_result stream(struct fetch *fetch, size_t index, struct error *err)
{
    struct buf *out = &fetch->call->out;
    size_t len = (size_t)MIN(fetch->to - fetch->from, STREAM_BYTES), at = out->len;

    if (len > 0 && !account_read(fetch->client->selected, view_msg(&fetch->client->view, index),
                                 fetch->from, len, out, err))
        return FETCH_FAILED;
    if (out->len - at < len) {
        error_set(err, ERROR_INTERNAL, "message is shorter than its row says");
        return FETCH_FAILED;
    }
    mail_hide_nuls(out, at);
    fetch->from += len;
    fetch->streaming = fetch->from < fetch->to;
    return fetch->streaming ? FETCH_MORE : FETCH_DONE;
}

static enum fetch_result begin_stream(struct fetch *fetch, const struct section *section,
                                      size_t index, uint64_t at, uint64_t len, struct error *err)
{
    uint64_t skip = section->partial ? MIN(section->from, len) : 0;
    uint64_t take = section->partial ? MIN(section->length, len - skip) : len - skip;
    size_t mark = fetch->call->out.len;
    enum fetch_result result;

    fetch->from = at + skip;
    fetch->to = fetch->from + take;
    buf_fmt(&fetch->call->out, "{%llu}\r\n", (unsigned long long)take);
    result = stream(fetch, index, err);
    if (result == FETCH_FAILED)
        buf_truncate(&fetch->call->out, mark); /* nothing of the literal is out yet */
    return result;
}

/* HEADER and HEADER.FIELDS of the message itself: only its header is read. */
static enum fetch_result write_header(struct fetch *fetch, const struct section *section,
                                      size_t index, struct error *err)
{
    AUTO(buf_free) struct buf picked = { 0 };
    struct slice header;

    if (!load_header(fetch, index, &header, err))
        return FETCH_FAILED;
    if (section->what == SECTION_HEADER && header.len > STREAM_BYTES)
        return begin_stream(fetch, section, index, 0, header.len, err);
    if (section->what != SECTION_HEADER) {
        section_pick(section, header, &picked);
        header = buf_slice(&picked);
    }
    write_literal(fetch, section, header);
    return FETCH_DONE;
}

/* A client that downloads a big part in pieces asks for the same section again and again: where it
 * lies is remembered, so that only the first piece costs a parse. */
static bool find_section(struct fetch *fetch, const struct section *section, size_t index,
                         size_t *at_out, size_t *len_out, struct error *err)
{
    struct section_memo *memo = &fetch->client->memo;
    uint64_t msg = view_msg(&fetch->client->view, index);

    if (memo->msg == msg && memo->what == section->what && memo->depth == section->depth &&
        memcmp(memo->path, section->path, section->depth * sizeof(section->path[0])) == 0) {
        *at_out = memo->at;
        *len_out = memo->len;
        return true;
    }
    if (!fetch_load_all(fetch, index, err))
        return false;
    if (!section_find(section, fetch->tree, at_out, len_out))
        return error_set(err, ERROR_NOT_FOUND, "no such part");
    if (section->depth <= COUNT_OF(memo->path)) {
        *memo = (struct section_memo){ .msg = msg,
                                       .what = section->what,
                                       .depth = section->depth,
                                       .at = *at_out,
                                       .len = *len_out };
        memcpy(memo->path, section->path, section->depth * sizeof(section->path[0]));
    }
    return true;
}

static enum fetch_result write_found(struct fetch *fetch, const struct section *section,
                                     size_t index, struct error *err)
{
    AUTO(buf_free) struct buf picked = { 0 };
    size_t at, len;

    if (!find_section(fetch, section, index, &at, &len, err))
        return FETCH_FAILED;
    if (section->what != SECTION_FIELDS && section->what != SECTION_FIELDS_NOT)
        return begin_stream(fetch, section, index, at, len, err);
    if (!fetch_load_all(fetch, index, err))
        return FETCH_FAILED;
    section_pick(section, slice_part(buf_slice(&fetch->bytes), at, len), &picked);
    write_literal(fetch, section, buf_slice(&picked));
    return FETCH_DONE;
}

static enum fetch_result write_section(struct fetch *fetch, const struct fetch_item *item,
                                       size_t index, struct error *err)
{
    const struct section *section = &item->section;
    enum fetch_result result;

    if (fetch->streaming)
        return stream(fetch, index, err);
    if (section_is_whole(section))
        result =
            begin_stream(fetch, section, index, 0, view_size(&fetch->client->view, index), err);
    else if (section_is_header(section))
        result = write_header(fetch, section, index, err);
    else
        result = write_found(fetch, section, index, err);
    if (result == FETCH_FAILED && err->kind == ERROR_NOT_FOUND) {
        buf_add_text(&fetch->call->out, "NIL"); /* no such part, or the message is gone */
        return FETCH_DONE;
    }
    return result;
}

static const struct fetch_kind kinds[] = {
    { "FLAGS", "FLAGS", 0, write_flags, SECTION_ALL },
    { "UID", "UID", 0, write_uid, SECTION_ALL },
    { "RFC822.SIZE", "RFC822.SIZE", 0, write_size, SECTION_ALL },
    { "INTERNALDATE", "INTERNALDATE", 0, write_internaldate, SECTION_ALL },
    { "SAVEDATE", "SAVEDATE", 0, write_savedate, SECTION_ALL },
    { "MODSEQ", "MODSEQ", 0, write_modseq, SECTION_ALL },
    { "ENVELOPE", "ENVELOPE", FETCH_NEEDS_ENVELOPE, write_envelope, SECTION_ALL },
    { "EMAILID", "EMAILID", FETCH_NEEDS_OBJECTS, write_emailid, SECTION_ALL },
    { "THREADID", "THREADID", FETCH_NEEDS_OBJECTS, write_threadid, SECTION_ALL },
    { "PREVIEW", "PREVIEW", FETCH_NEEDS_PREVIEW, write_preview, SECTION_ALL },
    { "BODYSTRUCTURE", "BODYSTRUCTURE", FETCH_NEEDS_STRUCTURE, write_structure, SECTION_ALL },
    { "BODY", NULL, FETCH_NEEDS_SECTION | FETCH_NEEDS_BYTES | FETCH_SETS_SEEN, write_section,
      SECTION_ALL },
    { "BODY.PEEK", NULL, FETCH_NEEDS_SECTION | FETCH_NEEDS_BYTES, write_section, SECTION_ALL },
    { "BODY", "BODY", FETCH_NEEDS_BODY, write_body, SECTION_ALL },
    { "RFC822", "RFC822", FETCH_NEEDS_BYTES | FETCH_SETS_SEEN, write_section, SECTION_ALL },
    { "RFC822.HEADER", "RFC822.HEADER", FETCH_NEEDS_BYTES, write_section, SECTION_HEADER },
    { "RFC822.TEXT", "RFC822.TEXT", FETCH_NEEDS_BYTES | FETCH_SETS_SEEN, write_section,
      SECTION_TEXT },
    { "BINARY", NULL, FETCH_NEEDS_SECTION | FETCH_NEEDS_BYTES | FETCH_SETS_SEEN | FETCH_BINARY,
      fetch_write_binary, SECTION_ALL },
    { "BINARY.PEEK", NULL, FETCH_NEEDS_SECTION | FETCH_NEEDS_BYTES | FETCH_BINARY,
      fetch_write_binary, SECTION_ALL },
    { "BINARY.SIZE", NULL,
      FETCH_NEEDS_SECTION | FETCH_NEEDS_BYTES | FETCH_BINARY | FETCH_BINARY_SIZE,
      fetch_write_binary_size, SECTION_ALL },
};

static const struct {
    const char *name, *items[6];
} macros[] = {
    { "FAST", { "FLAGS", "INTERNALDATE", "RFC822.SIZE" } },
    { "ALL", { "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE" } },
    { "FULL", { "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY" } },
};

static const struct fetch_kind *kind_find(struct slice name, bool section)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_is(name, kinds[i].name) &&
            section == ((kinds[i].needs & FETCH_NEEDS_SECTION) != 0))
            return &kinds[i];
    return NULL;
}

/* What stands before each value is the same for all messages: made once. */
static struct slice answer_of(struct fetch *fetch, const struct fetch_kind *kind,
                              const struct section *section)
{
    AUTO(buf_free) struct buf answer = { 0 };

    if (kind->answer != NULL)
        buf_add_text(&answer, kind->answer);
    else
        section_print((kind->needs & FETCH_BINARY_SIZE) != 0 ? "BINARY.SIZE"
                      : (kind->needs & FETCH_BINARY) != 0    ? "BINARY"
                                                             : "BODY",
                      section, &answer);
    buf_add_byte(&answer, ' ');
    return slice_copy(&fetch->call->arena, buf_slice(&answer));
}

static void add_kind(struct fetch *fetch, const struct fetch_kind *kind, struct section section)
{
    fetch->items[fetch->n_items++] = (struct fetch_item){
        .kind = kind, .answer = answer_of(fetch, kind, &section), .section = section
    };
    fetch->needs |= kind->needs;
}

void fetch_add_item(struct fetch *fetch, const char *name)
{
    const struct fetch_kind *kind = kind_find(slice_of(name), false);

    for (size_t i = 0; i < fetch->n_items; i++)
        if (fetch->items[i].kind == kind)
            return;
    add_kind(fetch, kind, (struct section){ .what = kind->what });
}

/* section-binary = "[" [section-part] "]" */
static bool fits_section(struct args *args, const struct fetch_kind *kind,
                         const struct section *section)
{
    if ((kind->needs & FETCH_BINARY) == 0)
        return true;
    if (section->what != SECTION_ALL)
        return args_fail(args, "expected: the number of a part");
    return (kind->needs & FETCH_BINARY_SIZE) == 0 || !section->partial ||
           args_fail(args, "BINARY.SIZE is of the whole part");
}

/* [SP "(" "LAZY" ")"], RFC 8970 section 6; what else stands in parentheses is FETCH's own. */
static bool take_preview_modifiers(struct args *args)
{
    if (!slice_starts(args->rest, " (LAZY"))
        return true;
    return args_space(args) && args_open(args) && args_try_word(args, "LAZY") && args_close(args);
}

static bool take_item(struct fetch *fetch, struct args *args)
{
    const struct fetch_kind *kind;
    struct section section;
    struct slice word;
    bool bracket;

    if (fetch->n_items == FETCH_ITEMS_MAX)
        return args_fail(args, "too many items");
    if (!args_word(args, &word))
        return false;
    bracket = args_try_byte(args, '[');
    kind = kind_find(word, bracket);
    if (kind == NULL)
        return args_fail(args, "I don't know this item");
    if ((kind->needs & FETCH_NEEDS_PREVIEW) != 0 && !take_preview_modifiers(args))
        return false;
    section = (struct section){ .what = kind->what };
    if (bracket && (!section_parse(args, &section) || !fits_section(args, kind, &section)))
        return false;
    add_kind(fetch, kind, section);
    return true;
}

static bool take_macro(struct fetch *fetch, struct args *args)
{
    for (size_t i = 0; i < COUNT_OF(macros); i++) {
        if (!args_try_word(args, macros[i].name))
            continue;
        for (size_t k = 0; k < COUNT_OF(macros[i].items) && macros[i].items[k] != NULL; k++)
            fetch_add_item(fetch, macros[i].items[k]);
        return true;
    }
    return false;
}

bool fetch_take_items(struct fetch *fetch, struct args *args)
{
    /* Room for the two that FETCH adds by itself. */
    fetch->items = ARENA_ARRAY(args->arena, struct fetch_item, FETCH_ITEMS_MAX + 2);
    if (take_macro(fetch, args))
        return true;
    if (!args_try_byte(args, '('))
        return take_item(fetch, args);
    do {
        if (!take_item(fetch, args))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

enum fetch_result fetch_write_item(struct fetch *fetch, const struct fetch_item *item, size_t index,
                                   struct error *err)
{
    if (!fetch->streaming)
        buf_add_slice(&fetch->call->out, item->answer);
    return item->kind->write(fetch, item, index, err);
}

void fetch_free(struct fetch *fetch)
{
    uidset_free(&fetch->uids);
    uidset_free(&fetch->seen);
    buf_free(&fetch->texts);
    buf_free(&fetch->bytes);
    arena_free(&fetch->tree_arena);
}

bool fetch_items_text(struct call *call, struct args *args, struct slice *items_out)
{
    struct fetch *fetch = ARENA_NEW(&call->arena, struct fetch);

    *items_out = args->rest;
    fetch->call = call;
    fetch->client = client_of(call);
    if (!fetch_take_items(fetch, args))
        return false;
    items_out->len -= args->rest.len;
    return true;
}

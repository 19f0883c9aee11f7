/* fetch_item.h - the data items of FETCH (RFC 3501 section 6.4.5) and how each is written.
 *
 * A new item is a row in fetch_item.c: its name, what it needs, and the function that writes it.
 * Items of one message are written one after the other; bytes of a big message may need several
 * calls (FETCH_MORE), so that a reply never grows beyond what the client takes.
 */
#pragma once

#include "imapd/client.h"
#include "imapd/partial.h"
#include "imapd/section.h"

struct fetch;
struct fetch_item;

enum fetch_needs {
    FETCH_NEEDS_ENVELOPE = 1, /* the stored ones */
    FETCH_NEEDS_SECTION = 2,  /* "[...]" follows the name */
    FETCH_SETS_SEEN = 4,
    FETCH_NEEDS_BYTES = 8, /* of the message */
    FETCH_NEEDS_STRUCTURE = 16,
    FETCH_NEEDS_BODY = 32,
    FETCH_BINARY = 64,       /* the section is a part's number only */
    FETCH_BINARY_SIZE = 128, /* ... and there is no partial */
    FETCH_NEEDS_PREVIEW = 256,
    FETCH_NEEDS_OBJECTS = 512,
    FETCH_NEEDS_CACHE =
        FETCH_NEEDS_ENVELOPE | FETCH_NEEDS_STRUCTURE | FETCH_NEEDS_BODY | FETCH_NEEDS_PREVIEW,
};

enum fetch_result {
    FETCH_DONE,
    FETCH_MORE, /* call again: send what is there first */
    FETCH_FAILED,
};

struct fetch_kind {
    const char *name;   /* as the client says it */
    const char *answer; /* as we answer; NULL: by the section */
    unsigned needs;
    enum fetch_result (*write)(struct fetch *fetch, const struct fetch_item *item, size_t index,
                               struct error *err);
    enum section_what what; /* of the old RFC822.* items */
};

struct fetch_item {
    const struct fetch_kind *kind;
    struct slice answer; /* its name, as we answer */
    struct section section;
};

/* The stored texts of the messages of one slice, in order; see fetch_load(). */
struct fetch_cached {
    size_t index; /* in the view */
    size_t envelope_at, envelope_len, structure_at, structure_len, body_at, body_len, preview_at,
        preview_len; /* in fetch->texts */
    uint64_t header_len;
};

#define FETCH_ITEMS_MAX 100
#define FETCH_SLICE_MAX 256 /* messages whose stored texts are read at once */

struct fetch {
    struct call *call;
    struct client *client;
    struct uidset uids;
    bool backwards;
    struct view_walk walk;
    struct fetch_item *items; /* in the arena */
    size_t n_items;
    unsigned needs;         /* of all items together */
    struct partial partial; /* RFC 9394 section 3.3 */
    bool changed_only, vanished;
    uint64_t changed_since;
    size_t n_marked;    /* of those that come next: \Seen is set where it has to be */
    struct uidset seen; /* whose \Seen this command has set: their FLAGS are told */

    size_t slice[FETCH_SLICE_MAX]; /* indexes of the messages of this slice */
    size_t n_slice, at;            /* the next one */
    struct fetch_cached cached[FETCH_SLICE_MAX];
    size_t n_cached;
    struct object_ids *objects; /* of the slice; in the arena, NULL if no item wants them */
    struct buf texts;

    size_t item;    /* the next item of the message at hand */
    bool inside;    /* its line is begun */
    bool streaming; /* an item's literal is begun: bytes from `from` to `to` are still to come */
    uint64_t from, to;

    uint64_t loaded; /* the msg whose bytes are in `bytes` */
    uint64_t n_read; /* bytes of messages that this call has read into `bytes` */
    struct buf bytes;
    struct arena tree_arena;
    const struct mime_part *tree;
    bool missed;      /* a message was gone already: EXPUNGEISSUED */
    bool unknown_cte; /* a part is encoded in a way that nobody knows: UNKNOWN-CTE */

    bool unasked; /* it is no command: `then` is what was in hand before, or NULL */
    enum next (*then)(struct call *call);
};

/* fetch-att, or ALL, FAST, FULL, or a list of items. Adds FETCH's own needs. */
bool fetch_take_items(struct fetch *fetch, struct args *args);
/* The same for items that are to be fetched later (fetch_tell()): as they came, where they lie. */
bool fetch_items_text(struct call *call, struct args *args, struct slice *items_out);
/* Adds an item by its name, unless it is there. */
void fetch_add_item(struct fetch *fetch, const char *name);

/* Writes one item, without the blank before it. */
enum fetch_result fetch_write_item(struct fetch *fetch, const struct fetch_item *item, size_t index,
                                   struct error *err);
/* All of the message at hand in fetch->bytes, and its tree. */
bool fetch_load_all(struct fetch *fetch, size_t index, struct error *err) MUST_CHECK;
/* At the end of a turn: the client may take its time before the next one. */
void fetch_unload(struct fetch *fetch);
void fetch_free(struct fetch *fetch);

/* fetch_binary.c */
enum fetch_result fetch_write_binary(struct fetch *fetch, const struct fetch_item *item,
                                     size_t index, struct error *err);
enum fetch_result fetch_write_binary_size(struct fetch *fetch, const struct fetch_item *item,
                                          size_t index, struct error *err);

/* Tells items of messages that are new, without a command or within IDLE; goes on by
 * client->resume. Takes `uids`. Ends with NEXT_COMMAND, or by what was in hand before. */
enum next fetch_tell(struct call *call, struct args *items, struct uidset *uids);

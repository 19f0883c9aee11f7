/* recovery_private.h - between the two files of recovery: rows out of pages, messages out of rows.
 */
#pragma once

#include "storage/recover.h"

#include "common/crypto.h"
#include "common/mem.h"
#include "storage/sqlite/page.h"
#include "storage/sqlite/store_private.h"

struct mailbox_found {
    uint64_t id;
    struct slice name; /* in the arena */
};

struct message_found {
    uint64_t mailbox, uid, modseq, flags, msg;
    int64_t received_ms;
};

struct msg_found {
    uint64_t id, refs, size, inline_bytes;
    unsigned char hash[HASH_SIZE];
    bool used; /* there is a row in a mailbox */
};

struct body_found {
    uint64_t id, len;
    uint32_t page;
    size_t cell;
    bool used;
};

/* Rows of one kind, and room for more. */
#define ROWS(type)                                                                                 \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, room;                                                                        \
    }
#define ADD_ROW(rows)                                                                              \
    ((rows)->items =                                                                               \
         mem_grow((rows)->items, &(rows)->room, (rows)->count + 1, sizeof(*(rows)->items)),        \
     &(rows)->items[(rows)->count++])

struct recovery {
    struct arena arena;
    struct page_file file;
    int big; /* the folder of large bodies, or -1 */
    unsigned char *roles;
    ROWS(struct mailbox_found) mailboxes;
    ROWS(struct message_found) messages;
    ROWS(struct msg_found) msgs;
    ROWS(struct body_found) bodies;
    ROWS(struct recovered) items;
    struct slice keywords[64];
};

/* recovery_rows.c: fills mailboxes, keywords, messages, msgs and bodies from recovery->file. */
void recovery_read_rows(struct recovery *recovery);

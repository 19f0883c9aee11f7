/* metadata.h - entries of METADATA (RFC 5464): their names on the wire, and the response.
 *
 * Used by GETMETADATA and SETMETADATA, by LIST-METADATA (RFC 9590), and for the news that ENABLE
 * METADATA asks for. Server entries, of the mailbox "", are those of the user's account; the shared
 * ones are the operator's settings and read-only.
 */
#pragma once

#include "imapd/place.h"
#include "storage/metadata.h"

struct args;

/* Who may read or write annotations has "l" and one of these (section 3.3). */
#define METADATA_RIGHTS (RIGHT_READ | RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_POST)

#define METADATA_ASKED_MAX 100 /* entries of one command */

/* The names one command asks for, in lower case, in the call's arena. */
struct metadata_names {
    struct slice items[METADATA_ASKED_MAX];
    size_t count;
};

/* entry = astring. Bytes and slashes are checked (section 3.2). */
bool metadata_take_name(struct args *args, struct slice *name_out);
/* entries = entry / "(" entry *(SP entry) ")"; also, as examples of section 4.4.1 have them,
 * several without parentheses. */
bool metadata_take_names(struct args *args, struct metadata_names *names_out);

/* Where server entries are, and mailbox entries of a place. Errors: those of place_find(). */
struct metadata_where {
    struct account *account;
    uint64_t mailbox; /* 0: the server */
    struct slice name;
    const struct mailbox_info *info; /* NULL for the server */
};

enum metadata_depth { DEPTH_ENTRY, DEPTH_CHILDREN, DEPTH_INFINITY };

struct metadata_query {
    struct metadata_where where;
    const struct metadata_names *names;
    enum metadata_depth depth;
    bool has_max;
    uint64_t max_size;
    uint64_t longest_out; /* size of the greatest value beyond max_size; 0: none */
    size_t n_told;        /* of the names */
};

/* Writes "* METADATA name (entry value ...)"; NIL for an entry that is asked for by its name and
 * has no value. Nothing when there is nothing to tell. Stops when it is enough for one turn: call
 * it again until all names are told. */
bool metadata_print(struct call *call, struct metadata_query *query, struct error *err) MUST_CHECK;

/* Entries that the server itself has: settings, and the special use (RFC 6154 section 4). False:
 * it is none of them. */
bool metadata_computed(const struct client *client, const struct metadata_where *where,
                       struct slice name, struct slice *value_out);

/* Once ENABLE METADATA came: names of what others have changed since it was told last. */
bool metadata_news(struct call *call, struct error *err) MUST_CHECK;

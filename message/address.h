/* address.h - addresses: lists of them in a header (RFC 5322 section 3.4, with RFC 6532 UTF-8 and
 * the obsolete forms of section 4.4), and the single paths of SMTP (RFC 5321 section 4.1.2, 6531).
 *
 * Pure. Results live in the arena. Broken lists give what can be understood of them.
 */
#pragma once

#include "common/buf.h"
#include "common/mem.h"

enum address_kind {
    ADDRESS_MAILBOX,
    ADDRESS_GROUP_START, /* name is the group's */
    ADDRESS_GROUP_END,
};

struct address {
    enum address_kind kind;
    struct slice name;   /* display name, unquoted, encoded words left as they are; may be empty.
                            Where there is none, the last comment ("joe@x (Joe)") */
    struct slice route;  /* obsolete source route, "@a,@b"; empty in our days */
    struct slice local;  /* unquoted */
    struct slice domain; /* empty if there was none */
};

struct address_list {
    struct address *items;
    size_t count;
};

/* `value`: an unfolded or folded field value. At most `max` items; the rest is dropped. */
void address_list_parse(struct arena *arena, struct slice value, size_t max,
                        struct address_list *list_out);

/* A mailbox as SMTP has it. `local` is unquoted, `domain` as sent ("[192.0.2.1]" for literals). */
struct path {
    struct slice local, domain;
    bool null; /* "<>" */
    bool utf8; /* has a non-ASCII character: needs SMTPUTF8 */
};

/* Takes "<...>" (source routes are accepted and dropped) off the front of *rest, and "<>" or
 * "<Postmaster>" where allowed by the caller looking at null and an empty domain. */
enum parse path_parse(struct arena *arena, struct slice *rest, struct path *path_out);

/* The same for a bare "local@domain", whole slice: for config, admin commands, logins. */
bool path_parse_bare(struct arena *arena, struct slice text, struct path *path_out) MUST_CHECK;

/* local@domain, quoting the local part where it must be. */
void path_print(struct slice local, struct slice domain, struct buf *out);

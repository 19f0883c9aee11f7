/* search.h - a SEARCH program (RFC 3501 section 6.4.4) and its evaluation.
 *
 * A program is a tree of keys. It is evaluated with what is known of a message: first the view
 * only, then the search index, the stored ENVELOPE, header and body. So the answer has three
 * values, and a message is read only when cheaper keys leave it open. A new key is a row in
 * search_key.c.
 */
#pragma once

#include "imapd/args.h"
#include "imapd/view.h"
#include "message/mime.h"

enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_OPEN /* needs more of the message */ };

#define SEARCH_DEPTH_MAX  200
#define SEARCH_KEYS_MAX   5000
#define SEARCH_FUZZY_COST 16 /* of looking for words like these, against looking for a string */

/* What is known of one message. */
struct search_data {
    const struct view *view;
    size_t index;
    bool has_index; /* search_index_look() has just asked for it, as number `place` */
    size_t place;
    const struct object_ids *objects; /* NULL unless some key needs them */
    bool has_envelope, has_message;
    struct slice envelope;        /* as stored */
    struct slice message, header; /* with has_message */
    const struct mime_part *tree;
    struct buf *scratch; /* for decoding */
    uint64_t *left;      /* with has_message: bytes that may be looked at in this turn */
    unsigned *score;     /* of a fuzzy key that matches: raised to how well, up to 100 */
};

struct search_kind;

/* What keys look at beyond the view. */
enum search_needs {
    SEARCH_NEEDS_ENVELOPE = 1,
    SEARCH_NEEDS_HEADER = 2,
    SEARCH_NEEDS_BODY = 4, /* and its tree */
    SEARCH_NEEDS_OBJECTS = 8,
};

struct search_node {
    const struct search_kind *kind;
    struct search_node *child, *next; /* children of AND, OR, NOT; next sibling */
    uint64_t number;                  /* flag mask, size, day, modseq */
    uint32_t seconds;                 /* OLDER, YOUNGER */
    struct slice field;               /* HEADER's name */
    struct slice needle;              /* UTF-8, folded */
    struct slice keyword;             /* as the client wrote it */
    struct seqset set;                /* the same */
    struct uidset uids;               /* what the set names where the program is bound */
    uint64_t *has, *cannot;           /* with has_index: a bit set: a match, none; may be NULL */
    uint64_t known_of;                /* the message that the answer is known of; 0: none */
    enum search_answer known;
    bool fuzzy;         /* a needle within FUZZY (RFC 6203) */
    uint64_t scored_of; /* the message that the score is of; 0: none */
    unsigned score;     /* 0: did not match */
};

/* Where the values of named filters are (RFC 5466). */
struct search_filters {
    /* In the arena. Errors: ERROR_NOT_FOUND. NULL: there are none. */
    bool (*find)(void *context, struct arena *arena, struct slice name, struct slice *value_out,
                 struct error *err);
    void *context;
};

struct search_program {
    struct search_node *root;
    struct search_node **bound; /* nodes whose meaning search_bind() finds */
    size_t n_keys, n_bound;
    size_t n_reads;            /* keys that look into the message */
    unsigned needs;            /* enum search_needs of all keys */
    bool has_modseq, has_seqs; /* MODSEQ; sequence numbers, not counting "$" */
    bool has_fuzzy;
    bool lenient;         /* set before: a sequence number that is not there names nothing */
    struct slice charset; /* empty: UTF-8 */
    struct search_filters filters;
    struct slice undefined; /* parsing failed at this filter: NO [UNDEFINED-FILTER] */
    unsigned n_filters, filter_depth, fuzzy_depth;
};

/* ["CHARSET" SP charset SP]. One that is not known: args->bad_charset. */
bool search_take_charset(struct args *args, struct search_program *program);
/* search-key *(SP search-key), to the end of the arguments; in their arena. The charset is set. */
bool search_parse(struct args *args, struct search_program *program);

/* Says what sets, keywords and intervals mean in one mailbox, at this time; binds anew each time.
 * False: a sequence number that is not there (BAD). Free with search_free(). */
bool search_bind(struct search_program *program, const struct view *view,
                 const struct keywords *keywords) MUST_CHECK;
/* The same at a later time, for a program that is bound: message numbers and "$" stay what they
 * were (RFC 5267 section 4.3). */
void search_rebind(struct search_program *program, const struct view *view,
                   const struct keywords *keywords);
void search_free(struct search_program *program);
/* The UIDs that keys of a bound program leave open: no others can match. Free `uids_out`. */
void search_among(const struct search_program *program, struct uidset *uids_out);

/* SEARCH_OPEN although the message is there: *data->left is used up. The nodes keep what they know
 * of the message, so the next call goes on from there. */
enum search_answer search_evaluate(struct search_node *node, const struct search_data *data);

/* How relevant is a message that matched, 1 to 100? Of keys that must all match the mean counts, of
 * others the best; 100 where no fuzzy key had a part in it. */
unsigned search_score(const struct search_program *program, uint64_t msg);

/* search_text.c: the matches that look into the message. */
enum search_answer search_subject(const struct search_node *node, const struct search_data *data);
enum search_answer search_addresses(const struct search_node *node, const struct search_data *data);
enum search_answer search_sent(const struct search_node *node, const struct search_data *data,
                               int64_t *day_out); /* SEARCH_YES: *day_out is the Date's day */
enum search_answer search_header(const struct search_node *node, const struct search_data *data);
enum search_answer search_body(const struct search_node *node, const struct search_data *data);
enum search_answer search_whole_text(const struct search_node *node,
                                     const struct search_data *data);

/* search_private.h - between the table of SEARCH keys (search_key.c) and the parser. */
#pragma once

#include "imapd/search.h"

enum argument {
    ARG_NONE,
    ARG_DATE,
    ARG_NUMBER,
    ARG_INTERVAL, /* seconds, over zero */
    ARG_KEYWORD,
    ARG_STRING,
    ARG_HEADER, /* name and string */
    ARG_FILTER,
    ARG_MODSEQ,
    ARG_UIDS,
    ARG_UID,      /* one */
    ARG_OBJECT,   /* objectid */
    ARG_ONE_KEY,  /* NOT */
    ARG_FUZZY,    /* a key that is meant so */
    ARG_TWO_KEYS, /* OR */
};

/* RFC 3501 section 9, RFC 7162 section 3.1.5, RFC 5032, RFC 5466, RFC 6203, RFC 8474, RFC 9738. */
struct search_kind {
    const char *name;
    enum argument argument;
    uint64_t number; /* preset of node->number: flags, or the envelope's field */
    enum search_answer (*match)(const struct search_node *node, const struct search_data *data);
    unsigned needs;
};

/* NULL: there is no such key. */
const struct search_kind *search_kind_find(struct slice name);

extern const struct search_kind search_kind_and; /* "(" key key ... ")" */
extern const struct search_kind search_kind_set; /* a bare sequence set */

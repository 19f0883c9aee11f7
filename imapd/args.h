/* args.h - the arguments of a command through a typed cursor, in the words of RFC 3501 section 9.
 *
 * Every function takes its thing off the front of args->rest and returns true; or returns false,
 * leaves in args->error what was expected, and the cursor where the trouble is. So a handler reads
 * like the grammar: a chain of && and one reply_syntax(). Functions named args_try_*() return false
 * quietly when the next thing is something else.
 *
 * Slices point into the command, or into the arena where a quoted string had escapes. Pure.
 */
#pragma once

#include "common/mem.h"
#include "imapd/flags.h"
#include "imapd/input.h"
#include "imapd/seqset.h"

struct args {
    struct slice rest;
    struct arena *arena;
    bool utf8;                 /* client_utf8(): quoted strings are UTF-8, names not mUTF-7 */
    bool utf8_accept;          /* enabled: SEARCH has no CHARSET, RFC 6855 section 3 */
    bool uidonly;              /* enabled: no sequence numbers, RFC 9586 section 3.2 */
    const char *error;         /* of the first failure; NULL */
    const char *code;          /* response code for BAD; NULL: none */
    bool bad_charset;          /* it was a charset that is not known: NO [BADCHARSET] */
    struct slice written_name; /* the last mailbox's, before INBOX became capitals */
    bool bad_name; /* it was a string, but cannot name a mailbox: NO [CANNOT], not BAD */
};

bool args_fail(struct args *args, const char *error); /* false */
/* For a sequence set that is none of UIDs: false with UIDONLY. */
bool args_may_name_seqs(struct args *args);

bool args_space(struct args *args); /* exactly one SP */
bool args_end(struct args *args);   /* nothing may follow */
bool args_open(struct args *args);  /* "(" */
bool args_close(struct args *args); /* ")" */
bool args_try_byte(struct args *args, char byte);
bool args_try_word(struct args *args, const char *word); /* case does not matter; whole atom */
bool args_at_end(const struct args *args);
char args_peek(const struct args *args); /* next byte, 0 at the end */

bool args_atom(struct args *args, struct slice *atom_out);
bool args_word(struct args *args, struct slice *word_out);     /* up to SP, "(", ")", "[", "<", end:
                                                                  item names such as BODY.PEEK */
bool args_string(struct args *args, struct slice *string_out); /* quoted or literal */
bool args_astring(struct args *args, struct slice *string_out);
bool args_nstring(struct args *args, bool *nil_out, struct slice *string_out);
bool args_number(struct args *args, uint32_t *number_out);
bool args_nz_number(struct args *args, uint32_t *number_out);
bool args_number64(struct args *args, uint64_t *number_out); /* 63 bits: mod-sequence-valzer */
bool args_nz_number64(struct args *args, uint64_t *number_out);
bool args_tag(struct args *args, struct slice *tag_out);

bool args_seqset(struct args *args, struct seqset *set_out); /* in the arena; "$" and "*" too */

/* Full name, UTF-8, from mUTF-7 (or UTF-8 once enabled); INBOX in capitals. Bytes that are no
 * mUTF-7 fail, as do control characters and names over MAILBOX_NAME_MAX. */
bool args_mailbox(struct args *args, struct slice *name_out);
/* The same for LIST: "%" and "*" may stand in it, also bare. */
bool args_list_mailbox(struct args *args, struct slice *pattern_out);

bool args_flag(struct args *args, struct flag_list *list);
bool args_flag_list(struct args *args, struct flag_list *list_out); /* "(" ... ")" */
/* STORE also takes them without parentheses. */
bool args_store_flags(struct args *args, struct flag_list *list_out);

bool args_date(struct args *args, int64_t *day_out);          /* days since 1970, quoted or not */
bool args_date_time(struct args *args, int64_t *unix_ms_out); /* quoted */

/* "{n}", "{n+}", "~{n}" with CRLF, but not the bytes: for a literal that was streamed. */
bool args_literal_head(struct args *args, struct literal *literal_out);

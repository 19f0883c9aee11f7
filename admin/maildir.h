/* maildir.h - writes messages into a Maildir++ (https://www.courier-mta.org/maildir.html), as other
 * servers and mail programs read it.
 *
 *     FOLDER/cur/1795616965000.M7.recovered:2,FS       INBOX
 *     FOLDER/.Sent.2026/cur/...                        Sent/2026
 *     FOLDER/dovecot-keywords                          "0 $Forwarded": letter a behind the flags
 *
 * Threads: one.
 */
#pragma once

#include "common/error.h"
#include "common/slice.h"

struct maildir;

/* The folder is made; it must be new or empty. Errors: ERROR_EXISTS. */
bool maildir_open(const char *path, struct maildir **maildir_out, struct error *err) MUST_CHECK;
void maildir_free(struct maildir **maildir);

struct maildir_mail {
    struct slice mailbox; /* as in IMAP, "/" between levels, UTF-8 */
    uint64_t flags;       /* as in struct mail */
    int64_t received_ms;  /* 0: not known */
    struct slice bytes;
};

/* `keyword` gives the names of flags from MAIL_KEYWORD_FIRST on. */
bool maildir_add(struct maildir *maildir, const struct maildir_mail *mail,
                 struct slice (*keyword)(const void *context, unsigned bit), const void *context,
                 struct error *err) MUST_CHECK;

/* Writes the lists of keywords, and makes all durable. */
bool maildir_finish(struct maildir *maildir, struct error *err) MUST_CHECK;

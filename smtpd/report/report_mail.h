/* report_mail.h - the mail that takes a report to another domain: some text, and a gzip file.
 *
 * Threads: a worker with its desk.
 */
#pragma once

#include "smtpd/letter.h"
#include "smtpd/report/report_address.h"
#include "smtpd/smtpd.h"

/* What became of the report of one domain and day. */
enum report_mail_state {
    REPORT_MAIL_AGAIN,    /* the table lacks an answer */
    REPORT_MAIL_READY,    /* the letter is made */
    REPORT_MAIL_UNWANTED, /* the domain asks for none, or not by mail */
    REPORT_MAIL_LATER,    /* err says why not now */
};

/* Who we are in a report. */
struct report_sender {
    struct slice address; /* [reports] sender, else postmaster of our first domain */
    struct slice domain;  /* of it: the submitter of RFC 8460, the receiver of RFC 7489 */
};

struct report_mail {
    const struct report_sender *sender;
    struct slice domain; /* whom it is about */
    struct report_address to[REPORT_ADDRESSES];
    size_t n_to;
    struct slice id;     /* of the report; unique, letters and digits */
    const char *headers; /* more fields, with CRLF; may be "" */
    bool tls_optional;   /* goes even where TLS is not as the domain wants it */
    const char *type;    /* of the message: "multipart/mixed" */
    const char *text;    /* for people */
    const char *file_type;
    const char *file_end; /* "xml.gz" */
    int64_t day;          /* that it is about */
    struct slice report;  /* not packed yet */
};

/* In the arena. Errors: ERROR_NOT_FOUND when there is no domain of ours to speak for. */
bool report_sender(struct smtpd *smtpd, struct desk *desk, struct arena *arena,
                   struct report_sender *sender_out, struct error *err) MUST_CHECK;

/* "tls0123456789abcdef": a new id for a report. */
struct slice report_id(struct arena *arena, const char *kind);

/* *letter_out is NULL when nobody can send to any of the addresses, or it is too large for all. */
bool report_mail_make(struct smtpd *smtpd, struct desk *desk, const struct report_mail *mail,
                      struct letter **letter_out, struct error *err) MUST_CHECK;

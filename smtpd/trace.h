/* trace.h - the lines a message gets on its way (RFC 5321 section 4.4).
 *
 * Pure. Whatever a client said of itself is cleaned first: it cannot add lines or comments.
 */
#pragma once

#include "common/buf.h"

struct trace {
    struct slice helo;
    const char *address;   /* of the client */
    struct slice hostname; /* ours */
    const char *tls_name;  /* "" in clear text */
    bool esmtp, lmtp, secure, authenticated, utf8;
    bool hide_client;       /* submission: where our users are is nobody's business */
    struct slice recipient; /* empty when there were several */
    uint64_t id;
    int64_t now_ms;
};

/* "ESMTPSA": RFC 3848 and RFC 6531 section 4.3. */
void trace_protocol(const struct trace *trace, struct buf *out);
void trace_received(const struct trace *trace, struct buf *out);

/* "mx.example.org ([192.0.2.1])": the client, for reports. */
void trace_client(struct slice helo, const char *address, struct buf *out);

/* What the final delivery adds for one recipient: Return-Path, Delivered-To. */
void trace_delivery(struct slice sender, struct slice address, struct buf *out);

/* Whether the header says that it was delivered to this address before. */
bool trace_was_delivered_to(struct slice header, struct slice address);

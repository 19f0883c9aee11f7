/* sasl_private.h - what the mechanisms share. */
#pragma once

#include "common/sasl.h"

#define SASL_TEXT_MAX 1024 /* user, password, authzid: bytes */

/* The message is not the mechanism's language. */
enum sasl_result sasl_malformed(struct sasl *sasl);

/* Takes a user name; false when it is empty, too long, no UTF-8, or holds NUL. */
bool sasl_take_user(struct sasl *sasl, struct slice user) MUST_CHECK;

/* Takes an authorisation identity, which may be empty; false as above. */
bool sasl_take_authzid(struct sasl *sasl, struct slice authzid) MUST_CHECK;

/* Nobody may act for somebody else: the authzid is empty or the user. */
bool sasl_authzid_allowed(const struct sasl *sasl);

void scram_start(struct sasl *sasl);
void scram_free(struct sasl *sasl); /* wipes the keys */

/* sasl->nonce holds the server's half until the client's first message is in, then both: a test
 * may set it in between. */
enum sasl_result scram_step(struct sasl *sasl, struct slice answer, struct buf *out);

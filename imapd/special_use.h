/* special_use.h - the attributes of RFC 6154 and RFC 8457, between wire and store. */
#pragma once

#include "storage/account.h"

const char *special_use_name(enum special_use use); /* "\\Drafts"; NULL for SPECIAL_NONE */
bool special_use_by_name(struct slice name, enum special_use *use_out) MUST_CHECK;
/* Can a mailbox be given it? The others would be views of all there is. */
bool special_use_is_given(enum special_use use);

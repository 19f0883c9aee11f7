/* config_private.h - one value of the table: from text, to text. */
#pragma once

#include "common/config.h"

/* Puts a value in its place in `settings`; the error says what it should look like. */
bool config_value_set(const struct config_key *key, struct slice text, void *settings,
                      struct error *err) MUST_CHECK;

/* In the same form as in a file, in the largest unit that fits. */
void config_value_print(const struct config_key *key, const void *settings, struct buf *out);

bool config_is_text(enum config_type type); /* it is kept as one */
const char *config_type_name(enum config_type type);

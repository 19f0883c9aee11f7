/* order.h - the order of a SORT that is kept up to date for its client (RFC 5267, CONTEXT=SORT).
 *
 * Positions are found by the keys that the messages had when they came in; the keys of a message do
 * not change. Scores (RELEVANCY) are not known here: such an order is not kept.
 */
#pragma once

#include "imapd/search_context.h"
#include "imapd/sort/criteria.h"

#define SORT_ORDER_MAX 200000 /* messages; more are not watched */

/* An order without messages, which are then added as they follow one another; `key` is of
 * sort_key_add(). */
struct search_order *sort_order_new(const struct sort_criteria *criteria);
void sort_order_add(struct search_order *order, uint32_t uid, struct slice key);

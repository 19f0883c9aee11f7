/* order.h - the order of a SORT that is kept up to date for its client (RFC 5267, CONTEXT=SORT).
 *
 * Positions are found by the keys that the messages had when they came in; the keys of a message do
 * not change. Scores (RELEVANCY) are not known here: such an order is not kept.
 */
#pragma once

#include "imapd/search_context.h"
#include "imapd/sort/criteria.h"

#define SORT_ORDER_MAX 200000 /* messages; more are not watched */

/* Takes the table over; uids[i] is of row rows[i], in their order. */
struct search_order *sort_order_new(struct sort_table *table, const uint32_t *rows,
                                    const uint32_t *uids, size_t count);

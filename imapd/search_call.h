/* search_call.h - a SEARCH program among the arguments of the command in hand: SEARCH, ESEARCH,
 * SORT, THREAD.
 */
#pragma once

#include "imapd/search.h"
#include "imapd/search_return.h"

/* RELEVANCY is for FUZZY only (RFC 6203 section 4). After search_parse(). */
bool search_call_check(struct args *args, const struct search_return *ret,
                       const struct search_program *program);

/* What parsing needs to know of this session: where its filters are. Before search_parse(). */
void search_call_prepare(struct call *call, struct search_program *program);

/* Ends the command whose arguments are wrong: NO for a charset or a filter that is not known, which
 * also empties "$" if it was to be saved there, else BAD. `ret` may be NULL. */
enum next search_call_refuse(struct call *call, const struct search_program *program,
                             const struct search_return *ret, const struct args *args);

/* Ends it when search_bind() found a sequence number that is not there. */
enum next search_call_bad_number(struct call *call);

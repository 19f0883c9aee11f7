/* status.h - the STATUS response (RFC 3501 section 7.2.4), for STATUS and for LIST-STATUS. */
#pragma once

#include "imapd/client.h"

struct args;
struct place;

/* "(" status-att *(SP status-att) ")", as bits. */
bool status_take_items(struct args *args, unsigned *items_out);

/* HIGHESTMODSEQ is among them: that enables CONDSTORE (RFC 7162 section 3.1). */
bool status_wants_modseq(unsigned items);

/* Writes "* STATUS name (...)". */
bool status_print(struct call *call, const struct place *place, unsigned items,
                  struct error *err) MUST_CHECK;

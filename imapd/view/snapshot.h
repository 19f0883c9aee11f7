/* snapshot.h - what the sessions of a worker know of mailboxes, kept so that they share it and that
 * the next SELECT need not read what has not changed.
 *
 *     SELECT: snapshot, brought up to date by what changed since --> view     cold: all rows
 *     news:   view, as far as its client knows all --> snapshot               both share all chunks
 *
 * A snapshot is the state of one mailbox at one modseq. Those not used for some minutes go when the
 * worker is idle, the least recently used when all of a worker take more than [imap] snapshots;
 * one that a session shares costs nearly nothing of its own.
 *
 * Threads: each desk has its own; sessions of one account run on one worker.
 */
#pragma once

#include "imapd/view.h"

#define SNAPSHOT_KEEP_MS (5 * 60 * 1000)

/* What changed since a modseq. Errors: ERROR_NOT_FOUND. Free `changes_out`. */
bool view_changes_read(struct account *account, uint64_t mailbox, uint64_t since,
                       struct view_changes *changes_out, struct error *err) MUST_CHECK;

/* Fills an empty view with the mailbox as it is; view->mailbox is set. Errors: ERROR_NOT_FOUND. */
bool view_open(struct view *view, struct desk *desk, struct account *account, size_t bytes_max,
               struct error *err) MUST_CHECK;

/* After view_apply(): shares what is the same, and keeps what is new. */
void view_offer(struct view *view, struct desk *desk, const struct account *account,
                size_t bytes_max);

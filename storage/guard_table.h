/* guard_table.h - what is known of addresses, networks and users that log in: a file of counters
 * that the daemons share, <data>/guard.
 *
 *     header | set 0: GUARD_WAYS rows | set 1: ... |        a row is found by its key's hash
 *
 * The file has a fixed number of rows, and holes where none was written yet. When a set is full the
 * row that is worth least makes room. Processes do not lock each other out: of two changes of one
 * row in the same microseconds one may be lost, and a row that is damaged or half written counts as
 * empty. After a restart it goes on; if the file is lost everybody is new.
 *
 * Threads: any. Errors: reading and writing fail silently, as if there were no row:
 * guard_table_fault() tells.
 */
#pragma once

#include "common/error.h"

#define GUARD_SETS  32768
#define GUARD_WAYS  8
#define GUARD_MARKS 15

struct guard_row {
    uint64_t key;               /* 0: empty */
    uint32_t counted_s, good_s; /* Unix time: `wrong` is of then; the last right password */
    uint32_t banned_s;          /* the last ban ended or ends */
    uint32_t proved_s;          /* `proofs` is of then */
    uint16_t wrong;             /* distinct wrong passwords, less what was forgiven */
    uint16_t proofs;            /* wrong proofs of SCRAM, which do not tell of which password */
    uint8_t bans, n_marks;
    uint16_t marks[GUARD_MARKS]; /* of the last distinct wrong passwords, the latest first */
    uint32_t check;              /* the table's */
};

struct guard_table;

bool guard_table_open(const char *path, struct guard_table **table_out,
                      struct error *err) MUST_CHECK;
void guard_table_close(struct guard_table **table);

/* A key for `parts`, which are told apart, under the table's secret; never 0. */
uint64_t guard_table_key(const struct guard_table *table, const char *kind, const void *subject,
                         size_t size);

/* Zeroed but for its key when there is none. */
void guard_table_read(struct guard_table *table, uint64_t key, struct guard_row *row_out);

/* `change` sees the row as it is, and what it leaves is written; the rows of one process are
 * changed one after the other. `now_s` decides what is out of date. */
void guard_table_change(struct guard_table *table, uint64_t key, uint32_t now_s,
                        void (*change)(struct guard_row *row, void *context), void *context);

/* The first failure since this was asked last; false: none. */
bool guard_table_fault(struct guard_table *table, struct error *fault_out);

/* guard.h - slows down whoever guesses passwords, and says whom to ban.
 *
 * What counts is the number of DISTINCT wrong passwords: a phone with an old one tries it for ever
 * and is one. They are counted, in the table that all daemons share (guard_table.h), for
 *
 *     the pair      of the network (/24, /48) and the user
 *     the address   IPv4, or the /64 of IPv6, which is what one customer has
 *     the network   /24 or /48
 *     the user      over all networks, whether there is such a user or not
 *
 * A login whose pair is known, because the right password came from there in the last weeks, waits
 * only for what its pair has done wrong; any other for the worst of the four. The wait comes before
 * the password is looked at, so that guesses cost us nothing and the answer tells nothing early; a
 * right one is always taken after it. Only addresses and networks from which nobody has logged in
 * for weeks are banned.
 *
 * Of a wrong password 16 bits of a hash under the table's secret are kept. SCRAM shows no password:
 * there every wrong proof counts that comes faster than a machine with an old password tries.
 *
 * Threads: any.
 */
#pragma once

#include "common/networks.h"

struct guard;

struct guard_options {
    const char *path;        /* of the table */
    uint64_t delay_max_ms;   /* 0: nobody waits */
    uint64_t free;           /* wrong passwords of a pair before it has to wait */
    uint64_t ban_after;      /* wrong passwords of an address; 0: nobody is banned */
    uint64_t ban_ms;         /* the first time; twice as long each further time */
    uint64_t known_ms;       /* how long a right password is remembered */
    uint64_t forgive_ms;     /* then a wrong password less counts */
    uint32_t (*now_s)(void); /* Unix time; NULL: the machine's */
    const char *exempt;      /* networks whose addresses are not counted: their users still are; it
                                has to stay */
};

struct guard_visit {
    const char *address;
    uint64_t account;  /* 0: there is none, then... */
    struct slice user; /* as claimed */
};

bool guard_open(const struct guard_options *options, struct guard **guard_out,
                struct error *err) MUST_CHECK;
void guard_close(struct guard **guard);

/* How long this login has to wait before its password is looked at. */
uint64_t guard_delay(struct guard *guard, const struct guard_visit *visit);

/* Stands for a password of this user; keep it instead of the password. Never GUARD_PROOF. */
#define GUARD_PROOF 0 /* a wrong proof of SCRAM */
uint32_t guard_mark(const struct guard *guard, const struct guard_visit *visit,
                    struct slice password);

/* Whom to ban after it. */
#define GUARD_BANS 2
struct guard_ban {
    struct network network;
    uint64_t for_ms, wrong;
};

/* Counts; returns how many bans there are. */
size_t guard_wrong(struct guard *guard, const struct guard_visit *visit, uint32_t mark,
                   struct guard_ban bans_out[GUARD_BANS]);
void guard_right(struct guard *guard, const struct guard_visit *visit);

/* An operator takes a ban back: the address or network begins anew. */
void guard_pardon(struct guard *guard, const struct network *network);

bool guard_fault(struct guard *guard, struct error *fault_out); /* guard_table_fault() */

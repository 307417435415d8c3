/* SPDX-License-Identifier: MIT
 *
 * race: which address of a server is tried next, and when (RFC 8305, "Happy Eyeballs version 2").
 * Opens nothing itself: it has a clock, learns of answers and failures, and asks for attempts.
 * Neighbours: dial tells it what resolver and connect have found out, and makes the attempts it
 * asks for.
 * Invariant: no address is asked for twice; over is called once, when none is left that could still
 * succeed.
 */
#ifndef WSPLEX_DAEMON_RACE_H
#define WSPLEX_DAEMON_RACE_H

#include <stdbool.h>

#include "daemon/clock.h"

enum race_family { RACE_IPV6, RACE_IPV4, RACE_N_FAMILIES }; /* RFC 8305 prefers IPv6 */

/*  what happens                        | what the race does
 *  the first addresses are IPv6        | first attempt at once
 *  the first addresses are IPv4        | first attempt after the resolution delay (section 3)
 *  the other family's answer, any      | a resolution delay that runs is over
 *  250 ms since the last attempt began | next attempt, of the other family where it has one (sections 4 and 5)
 *  an attempt failed                   | next attempt at once
 *  addresses come late                 | next attempt at once if one is due or every attempt so far has failed
 *  both answers here, all have failed  | over
 */
struct race {
    void (*attempt)(void *owner, enum race_family family, unsigned index);
    void (*over)(void *owner);
    void *owner;
    struct timer timer; /* whichever delay runs */
    struct race_side {
        unsigned n_addresses, n_tried;
        bool has_answered;
    } sides[RACE_N_FAMILIES];
    enum race_family last; /* tried */
    unsigned n_running;
    bool has_begun, is_over;
    bool is_due; /* the last attempt has had its 250 ms */
};

/* 0, -ENOMEM. attempt begins to connect to the address with that index of its family, and calls
 * back into race only after it has returned; the attempt that succeeds ends the race by
 * race_deinit. */
int race_init(struct race *race, struct clock *clock,
              void (*attempt)(void *owner, enum race_family family, unsigned index),
              void (*over)(void *owner), void *owner);
void race_deinit(struct race *race); /* takes a zeroed one */

/* All addresses of one family are known: n of them, 0 if there are none. Once per family. */
void race_answer(struct race *race, enum race_family family, unsigned n_addresses);

/* One of the attempts has failed. */
void race_failed(struct race *race);

#endif

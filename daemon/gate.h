/* SPDX-License-Identifier: MIT
 *
 * gate: a user opens one connection at a time to a place, and the others wait for their turn
 * (RFC 6455, section 4.1, item 2). There is one gate for each user and place, over all channels of
 * that user. Whoever has the place keeps it through TLS and the upgrade, until the connection is open,
 * has failed or is given up.
 * Neighbours: connect and dial enter, upstream holds the pass until the server has answered.
 * Invariant: a gate has at most one pass that is granted; it exists while it has any pass.
 *
 * The client that the standard speaks of is a user here: one who waited for another's connection would
 * learn of it by the time it takes, and could be kept waiting by anybody who knows a name at the same
 * address that does not answer.
 * A line is as long as the user's quota allows: whoever waits is an attempt of an upstream that is charged.
 * A gate has no deadline of its own: whoever waits is told when somebody last got through, so that
 * a crowd before a server that works waits in peace, and one before a server that is dead does not.
 */
#ifndef WSPLEX_DAEMON_GATE_H
#define WSPLEX_DAEMON_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/clock.h"
#include "daemon/turn.h"

/*  what happens                       | what the gate does
 *  entered, and nobody is in it       | granted
 *  entered otherwise                  | waits, behind the others
 *  the pass that was granted is freed | in the next turn the first in the line gets the place
 *  a pass that waits is freed         | it is out of the line
 */
struct gates {
    struct clock *clock;
    struct turn *turn;
    void *tree; /* tsearch(3) by user and place */
};

struct pass;

void gates_init(struct gates *gates, struct clock *clock, struct turn *turn);
void gates_deinit(struct gates *gates); /* no pass may be left */

/* Asks for the place, which is copied and compared byte by byte: an address and port
 * ("192.0.2.1:443"), a host name and port where a proxy resolves it, or a Unix socket's path. 0
 * with *ret_pass, which is the caller's, granted at once or later; -ENOMEM. granted is called when
 * a pass that had to wait gets the place: once, from the loop, never from within gate_enter or
 * pass_free; it may free the pass. */
int gate_enter(struct gates *gates, const char *place, uid_t uid, void (*granted)(void *owner),
               void *owner, struct pass **ret_pass);

/* Gives the place back, or leaves the line. Takes NULL; returns NULL. */
struct pass *pass_free(struct pass *pass);

bool pass_is_granted(const struct pass *pass);
const char *pass_place(const struct pass *pass); /* valid as long as the pass */

/* The server has answered, in whatever sense: the line moves. Takes NULL, and only a granted pass. */
void pass_answered(struct pass *pass);

/* Since when this one waits in a line that does not move. */
uint64_t pass_waits_since_ms(const struct pass *pass);

#endif

/* SPDX-License-Identifier: MIT
 *
 * opening: an upstream's way to its server, from the dial to the answer to the upgrade: the connect
 * timeout, and the place among those who connect to the same server.
 * Neighbours: dial does what takes time, upstream gets the transport and upgrades.
 * Invariant: at most one of dialed and failed is called, and failed once more at most if the upgrade
 * takes too long.
 *
 * RFC 6455, section 4.1: one connection to a server at a time is being opened. The time for which
 * others have to be waited for is not ours, so it does not count, as long as one of them gets an
 * answer within the same time.
 */
#ifndef WSPLEX_DAEMON_OPENING_H
#define WSPLEX_DAEMON_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/clock.h"
#include "daemon/dial.h"

/*  phase     | event                                    | next      | what happens
 *  dialing   | a transport                              | upgrading | dialed
 *            | none                                     | over      | failed
 *            | the dial rests                           | resting   | the connect timeout stands still
 *  resting   | it is our turn                           | dialing   | the connect timeout goes on
 *            | no answer to the others for as long      | over      | failed
 *  upgrading | the server has answered                  | over      | the next may connect
 *  dialing, upgrading | the connect timeout is over     | over      | failed
 */
struct opening {
    struct clock *clock;
    struct dialer *dialer;
    const struct target *target;
    void (*dialed)(void *owner, struct transport *transport); /* the owner's from now on */
    void (*failed)(void *owner, const struct failure *failure);
    void *owner;
    struct dial *dial; /* dialing, resting */
    struct pass *pass; /* upgrading */
    struct timer deadline;
    uint64_t started_ms;
    /* Of the connect timeout: when it is over; while the dial rests, what is left of it. */
    uint64_t due_ms, left_ms;
    bool is_resting;
    /* What was reached; empty before. */
    char address[sizeof(((struct dial_result *)NULL)->address)];
    char tls[sizeof(((struct dial_result *)NULL)->tls)];
};

/* Sets nothing off. The target outlives the opening. 0, -ENOMEM. */
int opening_init(struct opening *opening, struct clock *clock, struct dialer *dialer,
                 const struct target *target,
                 void (*dialed)(void *owner, struct transport *transport),
                 void (*failed)(void *owner, const struct failure *failure), void *owner);

/* Given up, or over long ago. Takes a zeroed one; what was reached stays readable. */
void opening_deinit(struct opening *opening);

/* Begins to dial. 0, -ENOMEM. */
int opening_start(struct opening *opening);

/* The server has answered the upgrade request: there is no deadline any more, and the next may connect. */
void opening_answered(struct opening *opening);

/* The server has hung up instead (NULL), or the stream has failed: as answered, and failed says so. */
void opening_lost(struct opening *opening, const struct failure *why);

/* How far it has come: as a dial describes itself, or "192.0.2.1:443 has not answered the upgrade
 * request"; empty when it is over. Cut to fit. */
void opening_describe(const struct opening *opening, char *to, size_t len);

#endif

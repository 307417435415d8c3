/* SPDX-License-Identifier: MIT
 *
 * detour: from a target to a socket that leads there through its proxy; what connect is for the
 * straight way.
 * Neighbours: resolver, gate, connect and tunnel do the steps; dial above.
 * Invariant: done is called exactly once, from the loop, unless the detour is freed before.
 *
 * The proxy is connected to as often as is wanted; it is the target at whose gate one waits (RFC 6455,
 * section 4.1, item 2): its address where the daemon knows it, its name where the proxy resolves it.
 */
#ifndef WSPLEX_DAEMON_DETOUR_H
#define WSPLEX_DAEMON_DETOUR_H

#include "daemon/connect.h"
#include "daemon/target.h"

struct detour;

/* The request is the one that connect would get: its host and port are the target's. done gets the
 * proxy's address and the target's pass. 0 with *ret_detour, which is the caller's; -ENOMEM. rests may
 * be called from within. */
int detour_new(struct loop *loop, struct resolver *resolver, const struct connect_request *request,
               const struct target *target, struct detour **ret_detour);

/* How far it has come: "the proxy 127.0.0.1:3128 has not answered". Cut to fit. */
void detour_describe(const struct detour *detour, char *to, size_t len);

/* While it rests: see gate.h. */
uint64_t detour_waits_since_ms(const struct detour *detour);

/* At any time. Takes NULL; returns NULL. */
struct detour *detour_free(struct detour *detour);

#endif

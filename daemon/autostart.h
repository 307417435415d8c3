/* SPDX-License-Identifier: MIT
 *
 * autostart: endpoints that are connected without being asked for.
 * Neighbours: server starts and reloads; reload says what has become of the shares that stand, open_request makes targets.
 * Invariant: each endpoint of the configuration with autostart has one item, whose anchor keeps its
 * share as long as that has not ended for good.
 *
 *  a reload finds an endpoint  | and its share           | what happens
 *  as before                   | stands                  | nothing
 *                              | has ended for good      | it is begun anew
 *  with other policy           | stands                  | what holds at once does, the rest from the next connection on
 *                              | is open without channels | if some of it does not hold at once, it is closed and begun anew
 *  another one (RELOAD_ANEW)   | is open, with channels  | it goes on, but does not come back when it is lost
 *                              | is open without         | it is closed, and begun anew
 *                              | is away                 | its channels fail, as nobody would know which of both comes
 *  gone                        |                         | likewise, and nothing is begun anew
 *
 * Ended for good: in a way that does not heal (reconnect.h), or as somebody has closed it by name. Shares of endpoints
 * without autostart that persist are treated likewise, but begun anew by programs alone.
 */
#ifndef WSPLEX_DAEMON_AUTOSTART_H
#define WSPLEX_DAEMON_AUTOSTART_H

#include "daemon/config.h"
#include "daemon/list.h"
#include "daemon/turn.h"

struct server;

struct autostart {
    struct list items;
    struct task again; /* TURN_CHECK: some have ended that are to begin anew */
};

/* Allocates nothing. Nothing is connected before autostart_apply. */
void autostart_init(struct autostart *autostart, struct server *server);
void autostart_deinit(struct autostart *autostart); /* takes a zeroed one; after shares_deinit */

/* Why the endpoint is not connected, if it has ended for good, and what begins it anew; NULL: it has not, or has no
 * autostart. Valid until the loop goes on. */
const char *autostart_ended(const struct autostart *autostart, const char *endpoint);

/* The configuration has been read: before is what held until now; NULL at the start of the daemon. */
void autostart_apply(struct server *server, const struct config *before);

#endif

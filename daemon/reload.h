/* SPDX-License-Identifier: MIT
 *
 * reload: what a new configuration means for the shares that stand.
 * Neighbours: autostart calls it before it begins what is new; options.def says of each option since when its value holds,
 * renewal changes a share.
 * Invariant: a share that has something else in an option of RELOAD_ANEW does not come back; every other one has what
 * its endpoint says, as soon as the option's class allows.
 */
#ifndef WSPLEX_DAEMON_RELOAD_H
#define WSPLEX_DAEMON_RELOAD_H

#include <stdbool.h>

#include "daemon/config.h"

struct server;

/* Whether connections of that endpoint are others by now: it is gone, or an option of RELOAD_ANEW has changed, of its own or
 * of the daemon's. */
bool reload_makes_anew(const struct config *before, const struct config *now, const char *endpoint);

/* server->config holds from now on, and before did until now. */
void reload_apply(struct server *server, const struct config *before);

#endif

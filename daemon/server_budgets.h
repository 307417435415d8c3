/* SPDX-License-Identifier: MIT
 *
 * server_budgets: the budgets of the daemon, as its configuration wants them and its journal tells of them.
 * Neighbours: server, which has them; budgets, which keeps them.
 * Invariant: the state directory is that of the start, whatever a later configuration says.
 */
#ifndef WSPLEX_DAEMON_SERVER_BUDGETS_H
#define WSPLEX_DAEMON_SERVER_BUDGETS_H

struct server;

/* Once there is a configuration and a loop. 0, or a negative errno; the next is due in any case. */
int server_budgets_init(struct server *server);

/* A disk that hangs holds this up for LEDGER_END_MS. Takes a zeroed server. */
void server_budgets_deinit(struct server *server);

/* The configuration is another one. */
void server_budgets_configure(struct server *server);

#endif

/* SPDX-License-Identifier: MIT
 *
 * server_budgets: the budgets of the daemon, as its configuration wants them and its journal tells of them.
 * Neighbours: server, which has them; budgets, which keeps them.
 * Invariant: the state directory is that of the start, whatever a later configuration says.
 */
#ifndef WSPLEX_DAEMON_SERVER_BUDGETS_H
#define WSPLEX_DAEMON_SERVER_BUDGETS_H

struct server;

/* Once there is a configuration and a clock. 0, -ENOMEM; budgets_deinit is due in any case. */
int server_budgets_init(struct server *server);

/* The configuration is another one. */
void server_budgets_configure(struct server *server);

#endif

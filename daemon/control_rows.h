/* SPDX-License-Identifier: MIT
 *
 * control_rows: the daemon's objects as JSON, one row each, as wsplexctl(1) documents the members.
 * Neighbours: control walks the lists and decides who may see a row.
 * Invariant: no payload, credential or URL's query is in a row, nor what a server answered in details
 * for others than the owner. Every function returns a new
 * reference, or NULL: no memory.
 */
#ifndef WSPLEX_DAEMON_CONTROL_ROWS_H
#define WSPLEX_DAEMON_CONTROL_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/config.h"
#include "daemon/list.h"

struct budgets;
struct client;
struct server;

/* Times in rows are ages: milliseconds before now_ms. */
json_t *upstream_row(struct list *node, uint64_t now_ms);
json_t *client_row(struct list *node, uint64_t now_ms);
json_t *channel_row(struct list *node, uint64_t now_ms);

/* What show adds to the row. What a server answered instead of 101 is shown to the owner of the
 * object alone, whoever else may see it. */
json_t *upstream_details(struct list *node, bool is_owner);
json_t *client_details(struct list *node, bool is_owner);
json_t *channel_details(struct list *node, bool is_owner);

/* An upstream that has failed and is gone; the node is of a history_record. */
json_t *failed_row(struct list *node, uint64_t now_ms);
json_t *failed_details(struct list *node, bool is_owner);

/* The URL is the administrators' to see. */
json_t *endpoint_row(const struct endpoint *endpoint, const struct budgets *budgets,
                     const char *ended, unsigned rights, bool is_admin);

/* For an administrator of the whole daemon, else of what is the client's user's. */
json_t *status_row(struct server *server, const struct client *client, bool is_admin);

/* The lists that the nodes above are of, and whose a node is. */
struct list *upstreams_head(struct server *server);
struct list *clients_head(struct server *server);
struct list *channels_head(struct server *server);
struct list *failed_head(struct server *server);
uint64_t upstream_number(struct list *node);
uint64_t client_number(struct list *node);
uint64_t channel_number(struct list *node);
uint64_t failed_number(struct list *node); /* in the history; not the id that failed_row shows */
uid_t upstream_uid(struct list *node);
struct share *upstream_share(struct list *node);
const struct target *upstream_target(struct list *node);
const struct target *channel_target(struct list *node); /* NULL: it is on no upstream */
uid_t client_uid(struct list *node);
uid_t channel_uid(struct list *node);
uid_t failed_uid(struct list *node);

#endif

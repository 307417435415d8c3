/* SPDX-License-Identifier: MIT
 *
 * metrics: what the daemon does, as numbers: OpenMetrics 1.0 text of the table in metrics.def.
 * Neighbours: server tells of shares that have ended; control asks for the text.
 * Invariant: there are as many time series as the configuration makes endpoints, whatever programs do;
 * and a counter never falls.
 */
#ifndef WSPLEX_DAEMON_METRICS_H
#define WSPLEX_DAEMON_METRICS_H

#include "daemon/list.h"
#include "proto/buffer.h"

struct server;
struct share;

struct metrics {
    struct list tallies; /* of endpoints: what their shares that have ended had counted */
};

void metrics_init(struct metrics *metrics);
void metrics_deinit(struct metrics *metrics);

/* The share has ENDED, and is counted for the last time. */
void metrics_share_ended(struct metrics *metrics, const struct share *share);

/* Appends the whole text. 0, -ENOMEM. */
int metrics_write(struct server *server, struct wsp_buffer *text);

#endif

/*
 * follow: what `wsplexctl connect` does to follow a feed for days: it tells of interruptions and of what is
 * missing, keeps its position in a file, and leaves subscriptions with the daemon.
 *
 * Neighbours: connect.c, which parses the options and runs the loop; libwsplex below. Invariant: the
 * position in the file is never ahead of what has been written to stdout.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_CTL_FOLLOW_H
#define WSPLEX_CTL_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "client-lib/wsplex.h"

enum {
    FOLLOW_MAX_SUBSCRIPTIONS = 64,
};

struct follow {
    const char *file; /* of --resume; NULL: none */
    struct {
        const char *on_connect, *on_leave; /* on_leave may be NULL */
    } subscriptions[FOLLOW_MAX_SUBSCRIPTIONS];
    size_t n_subscriptions;
    struct wsplex_position kept; /* what the file says; once has_kept */
    bool has_kept;
    bool has_lost; /* something that was to be sent was not, or perhaps not */
};

/* Reads the position, if the file is there, and sets it. 0; -1 when it cannot be read, and stderr has it. */
int follow_begin(struct follow *follow, struct wsplex_options *options);

/* Listens and subscribes. 0, or a negative error of the library. */
int follow_attach(struct follow *follow, struct wsplex_websocket *websocket);

/* Writes down what has come and has been flushed. 0; -1 when it cannot be written, and stderr has it. */
int follow_keep(struct follow *follow, const struct wsplex_websocket *websocket);

#endif

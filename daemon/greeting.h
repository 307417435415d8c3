/* SPDX-License-Identifier: MIT
 *
 * greeting: the messages that an endpoint has for each new connection, in their order and one by one.
 * Neighbours: the target has the texts; sending asks for the next one whenever the upstream can take
 * something, and lets nothing else pass before the greeting is through.
 * Invariant: each message is given once per connection, and none when no connection is open.
 */
#ifndef WSPLEX_DAEMON_GREETING_H
#define WSPLEX_DAEMON_GREETING_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/pace.h"
#include "daemon/target.h"

struct greeting {
    const struct strings *messages;
    struct pace *pace; /* shared with the subscriptions */
    size_t n_said;
    bool is_open;
};

/* Both are borrowed for as long as it lives. */
void greeting_init(struct greeting *greeting, const struct strings *messages, struct pace *pace);

/* A connection has opened; or it closes, and no more is said to it. */
void greeting_begin(struct greeting *greeting);
void greeting_end(struct greeting *greeting);

/* All of it has been said to the connection that there is, or was last. */
bool greeting_is_through(const struct greeting *greeting);

/* What may be said now; NULL: nothing, or not yet. */
const char *greeting_next(const struct greeting *greeting);

/* That has been said. */
void greeting_said(struct greeting *greeting);

#endif

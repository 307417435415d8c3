/* SPDX-License-Identifier: MIT
 *
 * control: what wsplexctl asks for. A table of verb and handler; answers are JSON, made piece by
 * piece as the client reads them, so that a long list neither stalls the loop nor fills memory.
 * Neighbours: client_requests brings a REQUEST, client_output asks for the next piece when it has
 * room.
 * Invariant: a user sees what is that user's; root, the daemon's own user and the admin group see
 * all.
 */
#ifndef WSPLEX_DAEMON_CONTROL_H
#define WSPLEX_DAEMON_CONTROL_H

#include "proto/local/message.h"

struct client;

/* A REQUEST has come. It is kept until it is its turn; refused with a REPLY if it cannot be. 0,
 * -ENOMEM, -ENOBUFS. */
int control_request(struct client *client, const struct wsp_local_request *request);

/* The next piece of the answer to the oldest request goes to the client's lane. There must be one.
 * 0, -ENOMEM, -ENOBUFS. */
int control_answer(struct client *client);

/* The client has gone: its requests are forgotten. */
void control_forget(struct client *client);

#endif

/* SPDX-License-Identifier: MIT
 *
 * client_requests: what each frame of a client asks for. A table of type and handler.
 * Neighbours: client brings frames; channels, assembly, open_request and control do what they ask.
 * Invariant: every frame is acted on, ignored by a rule of proto/PROTOCOL.md, or ends the client
 * with one ERROR.
 */
#ifndef WSPLEX_DAEMON_CLIENT_REQUESTS_H
#define WSPLEX_DAEMON_CLIENT_REQUESTS_H

#include "proto/local/wire.h"

struct client;

/* One frame. The client may be PARTING after it. 0; -ENOMEM, -ENOBUFS: the client must go. */
int client_request(struct client *client, const struct wsp_wire_frame *frame);

#endif

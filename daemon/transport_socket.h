/* SPDX-License-Identifier: MIT
 *
 * transport_socket: a transport over a connected stream socket as it is: TCP to a ws server, or a
 * local Unix socket.
 * Neighbours: connect or the listener make the descriptor; upstream or client reads and writes.
 * Invariant: see transport.h; the descriptor lives exactly as long as the transport.
 */
#ifndef WSPLEX_DAEMON_TRANSPORT_SOCKET_H
#define WSPLEX_DAEMON_TRANSPORT_SOCKET_H

#include "daemon/loop.h"
#include "daemon/transport.h"

/* The descriptor (connected, non-blocking, close-on-exec) belongs to the transport from now on; on
 * failure it stays the caller's. 0, -ENOMEM. */
int transport_socket_new(struct loop *loop, int fd, struct transport **ret_transport);

#endif

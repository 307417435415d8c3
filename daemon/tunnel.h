/* SPDX-License-Identifier: MIT
 *
 * tunnel: moves the bytes of the exchange with a proxy, from a socket that is connected to it to one
 * that leads to the server.
 * Neighbours: proto/websocket/tunnel knows what is said; detour connects, and gets the socket back.
 * Invariant: the socket is read exactly up to the end of the proxy's answer, so that TLS can go on
 * with the descriptor itself.
 */
#ifndef WSPLEX_DAEMON_TUNNEL_H
#define WSPLEX_DAEMON_TUNNEL_H

#include <stdbool.h>

#include "daemon/address.h"
#include "daemon/failure.h"
#include "daemon/loop.h"
#include "daemon/proxy.h"

struct tunnel;

/* The socket that was given, which now leads to the server; or -1 and why not. The failure is about
 * the address when another one of the same server might do. Called from the loop; the tunnel may be
 * freed in it. */
typedef void (*tunnel_done_fn)(void *owner, int fd, const struct failure *failure,
                               bool is_about_address);

/* Asks for a tunnel to the URL's host, or to that address of it (NULL: none; only SOCKS5 can). The
 * proxy and the URL stay valid until it is freed. The descriptor (connected, non-blocking) belongs to
 * the tunnel from now on; on failure it stays the caller's. 0; -ENOMEM; 1 when this cannot be asked
 * of such a proxy, with ret_failure set. */
int tunnel_new(struct loop *loop, int fd, const struct proxy *proxy, const struct wsp_url *url,
               const union address *address, tunnel_done_fn done, void *owner,
               struct tunnel **ret_tunnel, struct failure *ret_failure);

/* At any time. Takes NULL; returns NULL. */
struct tunnel *tunnel_free(struct tunnel *tunnel);

#endif

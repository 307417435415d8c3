/* SPDX-License-Identifier: MIT
 *
 * transport_tls: a transport over TLS on a connected TCP socket. OpenSSL works on the descriptor
 * itself, as kernel TLS will need it.
 * Neighbours: dial makes it of a socket and a session of tls; upstream reads and writes.
 * Invariant: nothing is read or written before the handshake has verified the server.
 */
#ifndef WSPLEX_DAEMON_TRANSPORT_TLS_H
#define WSPLEX_DAEMON_TRANSPORT_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/loop.h"
#include "daemon/tls.h"
#include "daemon/transport.h"

/* The handshake is over, well (failure NULL: the transport may be used) or not. Called from the
 * loop; the transport may be freed in it. */
typedef void (*transport_tls_done_fn)(void *owner, const struct failure *failure);

/* Begins a handshake as client with the target's host; the target as in tls_session_init. The
 * descriptor (connected, non-blocking, close-on-exec) belongs to the transport from now on; on
 * failure it stays the caller's. 0; -ENOMEM; 1 when what the target's tls names cannot be used, with
 * ret_failure set. */
int transport_tls_new(struct loop *loop, struct tls *tls, const struct target *target, int fd,
                      transport_tls_done_fn done, void *owner, struct transport **ret_transport,
                      struct failure *ret_failure);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384" and, where it goes on with the session of an earlier connection,
 * ", resumed"; once the handshake is done. */
void transport_tls_format(const struct transport *transport, char *to, size_t len);

#endif

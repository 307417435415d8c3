/* SPDX-License-Identifier: MIT
 *
 * connect: from a host name to a connected TCP socket: asks resolver, tries the addresses as race
 * says, and can tell what each of them answered.
 * Neighbours: resolver and race beside it, dial above.
 * Invariant: done is called exactly once, from the loop, unless the connect is freed before.
 */
#ifndef WSPLEX_DAEMON_CONNECT_H
#define WSPLEX_DAEMON_CONNECT_H

#include <stddef.h>

#include "daemon/address.h"
#include "daemon/failure.h"
#include "daemon/loop.h"
#include "daemon/resolver.h"

struct connect;

/* A socket (non-blocking, close-on-exec, without Nagle's delay) that is the receiver's, and the
 * address it reached; or -1 and why there is none. The connect may be freed in it. */
typedef void (*connect_done_fn)(void *owner, int fd, const union address *address,
                                const struct failure *failure);

/* host is a name in ASCII or an address without brackets; it stays valid until the connect is
 * freed. 0 with *ret_connect, which is the caller's; -ENOMEM. */
int connect_new(struct loop *loop, struct resolver *resolver, const char *host, uint16_t port,
                connect_done_fn done, void *owner, struct connect **ret_connect);

/* How far it has come: "connecting; 192.0.2.1:443: no answer yet". Cut to fit. */
void connect_describe(const struct connect *connect, char *to, size_t len);

/* At any time. Takes NULL; returns NULL. */
struct connect *connect_free(struct connect *connect);

#endif

/* SPDX-License-Identifier: MIT
 *
 * connect_unix: from the path of a Unix socket to a connected one; what connect is for hosts.
 * Neighbours: gate says whose turn it is, the kernel answers; dial above.
 * Invariant: done is called exactly once, from the loop, unless it is freed before.
 */
#ifndef WSPLEX_DAEMON_CONNECT_UNIX_H
#define WSPLEX_DAEMON_CONNECT_UNIX_H

#include "daemon/connect.h"

struct connect_unix;

/* The request is one of connect; its host is the path, which fits into an address. done gets no
 * address. A server that has its hands full is asked again until the caller gives up. 0 with
 * *ret_connect, which is the caller's; -ENOMEM. rests may be called from within. */
int connect_unix_new(struct loop *loop, const struct connect_request *request,
                     struct connect_unix **ret_connect);

/* How far it has come: "waiting until the server accepts the connection". Cut to fit. */
void connect_unix_describe(const struct connect_unix *connect, char *to, size_t len);

/* While it rests: see gate.h. */
uint64_t connect_unix_waits_since_ms(const struct connect_unix *connect);

/* At any time. Takes NULL; returns NULL. */
struct connect_unix *connect_unix_free(struct connect_unix *connect);

#endif

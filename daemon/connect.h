/* SPDX-License-Identifier: MIT
 *
 * connect: from a host name to a connected TCP socket: asks resolver, tries the addresses as race
 * says, each when its gate lets it, and can tell what each of them answered.
 * Neighbours: resolver, race and gate beside it, dial above.
 * Invariant: done is called exactly once, from the loop, unless the connect is freed before.
 */
#ifndef WSPLEX_DAEMON_CONNECT_H
#define WSPLEX_DAEMON_CONNECT_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/address.h"
#include "daemon/destination.h"
#include "daemon/failure.h"
#include "daemon/gate.h"
#include "daemon/loop.h"
#include "daemon/resolver.h"

struct connect;

/* A socket (non-blocking, close-on-exec, without Nagle's delay) that is the receiver's, the address
 * it reached, lent, and the pass of that address, the receiver's as well, NULL without gates; or -1
 * and why there is none. The connect may be freed in it, and with it the address. */
typedef void (*connect_done_fn)(void *owner, int fd, const union address *address,
                                struct pass *pass, const struct failure *failure);

struct connect_request {
    const char *host; /* a name in ASCII or an address without brackets; outlives the connect */
    uint16_t port;
    /* Which of the host's addresses may be connected to; destination NULL: all. The host is the URL's, which is a
     * proxy's own where is_proxy. */
    const struct destination *destination;
    const struct wsp_url *url;
    bool is_proxy;
    struct gates *gates; /* NULL: many may connect to one address at once, as to a proxy */
    uid_t uid;           /* whose turn it is at a gate */
    /* See target.h. */
    uint64_t tcp_keepalive_ms, tcp_user_timeout_ms;
    connect_done_fn done;
    /* All that it does from now on is to wait at gates; or no longer. May be NULL. From the loop. */
    void (*rests)(void *owner, bool is_resting);
    void *owner;
};

/* 0 with *ret_connect, which is the caller's; -ENOMEM. */
int connect_new(struct loop *loop, struct resolver *resolver, const struct connect_request *request,
                struct connect **ret_connect);

/* Whether the rules of the request let this address be connected to. */
bool connect_may_reach(const struct connect_request *request, const union address *address);

/* How far it has come: "connecting; 192.0.2.1:443: no answer yet", "waiting for another connection
 * to 192.0.2.1:443 to open". Cut to fit. */
void connect_describe(const struct connect *connect, char *to, size_t len);

/* While it rests: since when none of the lines in which it waits has moved. */
uint64_t connect_waits_since_ms(const struct connect *connect);

/* At any time. Takes NULL; returns NULL. */
struct connect *connect_free(struct connect *connect);

#endif

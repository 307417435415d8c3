/* SPDX-License-Identifier: MIT
 *
 * dial: from a target to a transport on which the upgrade request can be written: a socket, straight
 * (RFC 8305), through a proxy or on this machine, then TLS with verification. An interface, so that
 * tests can hand out transports of memory.
 * Neighbours: opening asks; connect, detour, connect_unix and transport_tls do it.
 * Invariant: done is called exactly once unless the dial is cancelled, from the loop, never from
 * within dialer_dial.
 */
#ifndef WSPLEX_DAEMON_DIAL_H
#define WSPLEX_DAEMON_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/failure.h"
#include "daemon/gate.h"
#include "daemon/target.h"
#include "daemon/transport.h"

struct dial;

/* What was reached, for ctl and logs. */
struct dial_result {
    struct transport *transport; /* the receiver becomes its owner; NULL on failure */
    struct failure failure;      /* when transport is NULL */
    /* The place among those who connect there, to be given back when the server has answered the
     * upgrade request or the connection is over; the receiver becomes its owner; may be NULL. */
    struct pass *pass;
    char address
        [128];    /* "192.0.2.1:443", "[2001:db8::1]:443", "unix:/run/server.sock"; with a proxy,
                          the proxy's */
    char tls[64]; /* "TLSv1.3 TLS_AES_256_GCM_SHA384", empty for ws */
};

typedef void (*dial_done_fn)(void *owner, struct dial_result *result);

/* All that the dial does from now on is to wait until others have opened their connections to the
 * same server (RFC 6455, section 4.1); or no longer. May come from within dialer_dial. */
typedef void (*dial_rests_fn)(void *owner, bool is_resting);

/* There is no deadline here: whoever dials has one for the whole of its opening and cancels. */
struct dialer {
    /* 0 with *ret_dial, or -ENOMEM. The target stays valid until done or cancel; the dial is gone
     * after either. */
    int (*dial)(struct dialer *dialer, const struct target *target, dial_done_fn done,
                dial_rests_fn rests, void *owner, struct dial **ret_dial);
    /* How far it has come, for whoever is about to cancel: "connecting; 192.0.2.1:443: no answer
     * yet", "waiting for another connection to 192.0.2.1:443 to open". Cut to fit. */
    void (*describe)(const struct dial *dial, char *to, size_t len);
    /* While it rests: since when none of those for whom it waits has got an answer. */
    uint64_t (*waits_since_ms)(const struct dial *dial);
    void (*cancel)(struct dial *dial); /* takes NULL */
};

struct loop;

/* The real one: c-ares, sockets and OpenSSL in the loop. 0; -ENOMEM, or another negative errno when
 * c-ares or OpenSSL cannot be set up. Every dial must be over before dialer_free, which takes NULL
 * and returns NULL. */
int dialer_new(struct loop *loop, struct dialer **ret_dialer);
struct dialer *dialer_free(struct dialer *dialer);

/* The real one reads the files of TLS again when they are needed next. */
void dialer_forget(struct dialer *dialer);

#endif

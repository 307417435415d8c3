/* SPDX-License-Identifier: MIT
 *
 * upstream: one remote WebSocket connection: dials, upgrades, turns bytes into messages for its
 * share and the share's outgoing messages into bytes, answers pings, does the closing handshake
 * with its deadlines.
 * Neighbours: dial and transport above, proto/websocket beside it, share below. It knows neither
 * libevent nor OpenSSL.
 * Invariant: its share hears share_ended exactly once, and nothing after it.
 */
#ifndef WSPLEX_DAEMON_UPSTREAM_H
#define WSPLEX_DAEMON_UPSTREAM_H

#include "daemon/clock.h"
#include "daemon/dial.h"
#include "daemon/opening.h"
#include "daemon/share.h"
#include "daemon/turn.h"

/* What every upstream of a daemon uses. */
struct upstream_context {
    struct clock *clock;
    struct turn *turn;
    struct dialer *dialer;
    uint8_t *scratch; /* the loop's; its contents live until the reader returns */
    size_t scratch_len;
    void (*random)(void *to, size_t len); /* unpredictable: keys and masks */
    int (*sha1)(const void *data, size_t len, uint8_t ret_digest[20]); /* 0, -ENOMEM */
};

/* The real remote side; its context is a struct upstream_context. */
const struct upstream_ops *upstream_remote_ops(void);

/* For ctl and the log: how far it has come, what was reached, and the TLS in force. */
const struct opening *upstream_opening(const struct upstream *upstream);

/* What the last answered ping took; false: there was none. */
bool upstream_round_trip(const struct upstream *upstream, uint64_t *ret_ms);

#endif

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

/*  state     | event                            | next      | what happens
 *  DIALING   | a transport                      | UPGRADING | the request goes out
 *            | none                             | ENDED     | the dialer's failure
 *  UPGRADING | 101, and every rule holds        | OPEN      | share_opened; what follows the answer is frames
 *            | another status than 101          | REFUSED   | what comes of its body goes to the excerpt
 *            | another answer                   | ENDED     | handshake
 *            | the stream ends or fails         | ENDED     | handshake
 *  (both)    | connect timeout, see opening.h   | ENDED     | timeout, with how far it came
 *  REFUSED   | no more to wait for, the stream  | ENDED     | handshake, with the status
 *            | ends or fails, EXCERPT_WAIT_MS   |           |
 *  (all)     | close asked                      | ENDED     | given up
 *  OPEN      | message                          | OPEN      | share_received
 *            | ping                             | OPEN      | pong, before the next message
 *            | Close                            | CLOSING   | share_closing; the same code goes back (see parting.h)
 *            | silence; yet more, see pulse.h   | OPEN; ENDED | ping; lost
 *            | close asked                      | CLOSING   | Close, after the message that is being written
 *            | a rule is broken                 | CLOSING   | as after a Close, with the right code
 *            | we are in trouble ourselves      | CLOSING   | as after a Close, with 1011
 *            | the stream ends or fails         | ENDED     | lost
 *  CLOSING   | message, ping (no Close yet)     | CLOSING   | share_received; pong while ours has not gone
 *            | Close                            | CLOSING   | deaf; from now the server has close timeout to end the
 *            |                                  |           | stream (RFC 6455, section 7.1.1: it goes first)
 *            | a rule is broken                 | CLOSING   | deaf
 *            | the stream ends, or close timeout| ENDED     | by what was exchanged, see closing_ending
 */

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

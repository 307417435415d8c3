/* SPDX-License-Identifier: MIT
 *
 * pulse: whether a server is still there: a ping when it has been silent, and the end of the
 * connection when it then goes on being silent.
 * Neighbours: upstream tells what comes and goes; outflow sends the ping.
 * Invariant: one ping is under way at a time, and the timer runs exactly while the pulse beats and
 * does not rest.
 *
 * Any byte counts as life, not only the pong. What a ping shall find out is whether the path and the
 * server still stand, and a server that sends a long message cannot put a pong into the middle of
 * one of its frames: over a slow line it would be cut off for being busy. The pong alone tells the
 * round trip; it must have the payload of the last ping, which cannot be guessed (RFC 6455, section
 * 5.5.3), so an unsolicited or a late one tells nothing.
 */
#ifndef WSPLEX_DAEMON_PULSE_H
#define WSPLEX_DAEMON_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/clock.h"
#include "daemon/failure.h"
#include "proto/buffer.h"

enum { PULSE_PAYLOAD = 8 };

enum pulse_state { PULSE_STOPPED, PULSE_QUIET, PULSE_QUEUED, PULSE_SENT };

/*  state   | event                             | next    | what happens
 *  STOPPED | started                           | QUIET   |
 *  QUIET   | nothing has come for the interval | QUEUED  | ping
 *  QUEUED  | bytes have been taken             | QUEUED  | the deadline begins anew: a long message goes before the ping
 *          | the ping has been taken           | SENT    | the deadline begins anew
 *          | something has come                | QUIET   |
 *  SENT    | something has come                | QUIET   |
 *  QUEUED, SENT | deadline                     | STOPPED | lost
 *  any     | tuned                             |         | interval or deadline go on with their new length
 *          | rest: the server is not read      |         | the timer stands still: what has come lies unseen
 *          | no longer                         |         | interval or deadline begins anew
 *          | stopped                           | STOPPED |
 */
struct pulse {
    struct clock *clock;
    uint64_t interval_ms;                 /* 0: never a ping */
    uint64_t deadline_ms;                 /* for the answer */
    void (*random)(void *to, size_t len); /* for payloads */
    void (*ping)(void *owner,
                 struct wsp_view payload); /* of PULSE_PAYLOAD bytes, valid for the call */
    void (*lost)(void *owner, const struct failure *failure);
    void *owner;
    struct timer timer;
    enum pulse_state state;
    bool is_resting;
    uint64_t since_ms; /* of the interval or the deadline that runs */
    uint64_t sent_ms;  /* the last ping */
    uint8_t payload[PULSE_PAYLOAD];
    bool has_sent, has_round_trip;
    uint64_t round_trip_ms;
};

/* A pulse that is STOPPED. 0, -ENOMEM. */
int pulse_init(struct pulse *pulse, struct clock *clock, uint64_t interval_ms, uint64_t deadline_ms,
               void (*random)(void *to, size_t len),
               void (*ping)(void *owner, struct wsp_view payload),
               void (*lost)(void *owner, const struct failure *failure), void *owner);
void pulse_deinit(struct pulse *pulse); /* takes a zeroed one */

void pulse_start(struct pulse *pulse);
void pulse_stop(struct pulse *pulse);

/* Another interval and deadline, for the silence that lasts already too. is_open: it is to beat, unless interval_ms
 * is 0. */
void pulse_tune(struct pulse *pulse, uint64_t interval_ms, uint64_t deadline_ms, bool is_open);

/* The server is not read for now, or is again. */
void pulse_rest(struct pulse *pulse, bool is_resting);

void pulse_heard(struct pulse *pulse);                           /* bytes have come */
void pulse_ponged(struct pulse *pulse, struct wsp_view payload); /* among them a pong */
void pulse_wrote(struct pulse *pulse, bool has_ping_gone);       /* the transport has taken bytes */

/* Of the last ping that was answered; false: none was yet. */
bool pulse_round_trip(const struct pulse *pulse, uint64_t *ret_ms);

#endif

/*
 * reconnect: how a client comes back by itself when the daemon has gone away.
 *
 * Between connection, which is lost and made, and the WebSocket objects that are to outlive that.
 * Their channels wait here without a number, AWAY, with what had not gone up. Invariant: a channel is
 * either in a connection or here; what the daemon had whole is never sent again, and what becomes of
 * it is told by `unsent`.
 *
 *   lost: take each channel that may come back               waits for a random part of the delay
 *   the delay is over: connect                               refused: a longer delay
 *                                                            connected: OPEN for each channel
 *   max_ms have passed since the loss                        `error` and `close` for each channel
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_RECONNECT_H
#define WSP_CLIENT_LIB_RECONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/chain.h"

struct wsplex;
struct wsp_channel;
struct wsp_wait;

struct wsp_reconnect {
    int max_ms;             /* how long an object waits for a daemon; 0: not at all, -1: for ever */
    size_t max_queued;      /* bytes that may wait in an object meanwhile */
    struct wsp_chain away;  /* channels: `away_link` */
    int64_t retry_ms;       /* when to connect again */
    int64_t give_up_ms;     /* when to wait no longer; 0: nothing is away, or for ever */
    unsigned int n_retries; /* since a connection was good for something */
};

void wsp_reconnect_init(struct wsp_reconnect *reconnect);

/* Frees the channels. */
void wsp_reconnect_deinit(struct wsp_reconnect *reconnect);

bool wsp_reconnect_is_on(const struct wsp_reconnect *reconnect);

/* The channel's object may wait for the next daemon. */
bool wsp_reconnect_can_keep(const struct wsplex *client, const struct wsp_channel *channel);

/*
 * Takes a channel that has let its number go. Its object will be told in the next turn: why, and
 * what is not known of its messages; or, where is_lost is false, what is known not to have gone.
 */
void wsp_reconnect_take(struct wsplex *client, struct wsp_channel *channel, bool is_lost, int cause,
                        const char *text);

/* There is a connection: sends OPEN for the channels. Those that it cannot hold fail. */
void wsp_reconnect_open(struct wsplex *client);

/* A channel has opened: the daemon is good for something. */
void wsp_reconnect_succeed(struct wsplex *client);

/* Tries, or gives up, when it is time. Calls no handler. */
void wsp_reconnect_turn(struct wsplex *client);

/* Sets what a loop should wait for, if that is earlier. */
void wsp_reconnect_get_wait(const struct wsp_reconnect *reconnect, struct wsp_wait *wait);

#endif

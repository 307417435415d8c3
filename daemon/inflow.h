/* SPDX-License-Identifier: MIT
 *
 * inflow: what an upstream has read, as messages and control frames: the reader of proto/websocket,
 * and the bytes that wait for it while the share does not want more.
 * Neighbours: upstream feeds it from the loop's scratch, and takes the events out.
 * Invariant: reception knows what is held (a message under way, bytes that wait) after each settle;
 * the waiting bytes are at most one scratch full.
 */
#ifndef WSPLEX_DAEMON_INFLOW_H
#define WSPLEX_DAEMON_INFLOW_H

#include <stdbool.h>

#include "daemon/share.h"
#include "proto/buffer.h"
#include "proto/websocket/message.h"

struct inflow {
    struct share *share;
    struct wsp_ws_reader reader;
    struct wsp_buffer tail; /* where the reader's window is, when it is not in the scratch */
    struct slice_waiter its_turn;
    size_t allowed; /* to come out of compressed messages in this turn */
    bool is_spent;  /* that: more may come out without further input */
};

/* Allocates nothing. max_fed: the most that is ever fed at once. go_on: see inflow_has_turn. */
void inflow_init(struct inflow *inflow, struct share *share, size_t max_fed,
                 void (*go_on)(void *owner), void *owner);
void inflow_deinit(struct inflow *inflow);

/* Messages may come compressed from now on, before anything was fed. */
void inflow_inflate(struct inflow *inflow, struct wsp_deflate_mode mode);

/* A new turn: so many bytes may come out of compressed messages. */
void inflow_allow(struct inflow *inflow, size_t len);

/* True: something may be read, or understood, now. False: the user whose upstream it is has had its slice of this turn;
 * go_on is called in a later one. */
bool inflow_has_turn(struct inflow *inflow);

/* Lends bytes, until inflow_settle. Only when nothing waits. */
void inflow_feed(struct inflow *inflow, struct wsp_view bytes);

/* The next event, as wsp_ws_reader_next; after WSP_WS_SPENT something waits. */
int inflow_next(struct inflow *inflow, struct wsp_ws_event *ret_event);

/* After WSP_BROKEN: what the server has done wrong, and the code to close with. */
uint16_t inflow_describe(const struct inflow *inflow, struct failure *ret_failure);

/* Hands a message that inflow_next has just given to the share. 0 or -ENOMEM. */
int inflow_deliver(struct inflow *inflow, const struct wsp_ws_event *event);

/* No more events for now: keeps what is left of the bytes that were lent, and tells reception what is held.
 * 0 or -ENOMEM. */
int inflow_settle(struct inflow *inflow);

/* Bytes wait from an earlier turn, or what they unpack to. */
bool inflow_has_waiting(const struct inflow *inflow);

/* Throws away what waits. */
void inflow_discard(struct inflow *inflow);

#endif

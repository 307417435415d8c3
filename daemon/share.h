/* SPDX-License-Identifier: MIT
 *
 * share: one upstream and the channels that use it. Here the promises of sharing are kept: who meets whom, what a
 * joining channel sees, who waits for whom, what a slow one gets, when the upstream closes.
 * Neighbours: upstream above (through struct upstream_ops, so that tests can script a peer), channel below.
 * Invariant: a share is in the tree of joinable shares exactly while it is shared and CONNECTING or OPEN.
 */
#ifndef WSPLEX_DAEMON_SHARE_H
#define WSPLEX_DAEMON_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/channel.h"
#include "daemon/clock.h"
#include "daemon/list.h"
#include "daemon/log.h"
#include "daemon/quota.h"
#include "daemon/target.h"
#include "daemon/turn.h"

struct upstream;

/* What share asks of the remote side. All but start and free are called with a started upstream; none calls back
 * into share before it has returned. */
struct upstream_ops {
    /* Begins to connect for share->target. 0 with *ret_upstream, or -ENOMEM. */
    int (*start)(void *context, struct share *share, struct upstream **ret_upstream);
    /* share_next_outgoing has something. */
    void (*wake)(struct upstream *upstream);
    /* Stop or resume reading from the network. */
    void (*pause)(struct upstream *upstream, bool is_paused);
    /* Start the closing handshake (code 0: without one); before open, give up connecting. share_ended follows. */
    void (*close)(struct upstream *upstream, uint16_t code, struct wsp_view reason);
    /* Gone at once, whatever its state; nothing is called back any more. Takes NULL. */
    void (*free)(struct upstream *upstream);
};

/*  state      | event               | next       | what happens
 *  CONNECTING | opened              | OPEN       | every channel OPENED
 *  CONNECTING | last channel left   | ENDED      | connecting is given up
 *  OPEN       | last channel left   | OPEN       | linger timer; joined meanwhile: it stops
 *  OPEN       | linger over         | CLOSING    | close 1000
 *  OPEN       | closing (peer's)    | CLOSING    | every channel CLOSING
 *  OPEN       | drain               | CLOSING    | close 1001
 *  any        | ended               | ENDED      | every channel gets the ending; freed when the last has left
 */
enum share_state { SHARE_CONNECTING, SHARE_OPEN, SHARE_CLOSING, SHARE_ENDED };
const char *share_state_to_string(enum share_state state);

/* Why the upstream is not read at the moment. */
enum share_pause { SHARE_PAUSE_LAG = 1, SHARE_PAUSE_QUOTA = 2 };

struct share {
    struct shares *shares;
    struct list link; /* in shares->all */
    uint64_t id;
    bool is_shared;
    enum share_state state;
    struct target *target;
    struct user *owner;
    struct charge charge; /* one UPSTREAMS */
    struct upstream *upstream;
    struct log log;
    struct list channels;
    unsigned n_channels;
    struct list senders; /* channels with messages to send, the next one first: fair */
    struct timer linger;
    struct timer block; /* the first block-timeout that runs out */
    struct task check;  /* TURN_CHECK: who lags too far */
    struct task burial;
    unsigned pauses;             /* bits of enum share_pause */
    void *key;                   /* share_key, NULL while not joinable */
    char *protocol, *extensions; /* in force, once OPEN */
    struct ending ending;        /* once ENDED */
    /* counters */
    uint64_t created_ms, opened_ms;
    uint64_t n_in, n_in_bytes, n_out, n_out_bytes;
};

/* All shares of the daemon. */
struct shares {
    struct clock *clock;
    struct turn *turn;
    const struct upstream_ops *ops;
    void *ops_context;
    void (*random)(void *to, size_t len); /* for epochs */
    void (*on_change)(struct shares *shares,
                      struct share *share); /* state changed: log line, status; may be NULL */
    struct list all;
    void *joinable;       /* tsearch(3) tree by share key */
    unsigned n_upstreams; /* not ENDED */
    uint64_t next_id;
    bool is_draining;
};

void shares_init(struct shares *shares, struct clock *clock, struct turn *turn,
                 const struct upstream_ops *ops, void *ops_context,
                 void (*random)(void *to, size_t len));
void shares_deinit(struct shares *shares); /* cuts what is left */

/* Attaches the channel to a new upstream or, shared, to the one that stands with the same share key. The target is
 * taken in every case. 0; -ENOMEM; a positive value, with failure filled in, when policy refuses (quota, conflict,
 * draining). */
int shares_open(struct shares *shares, struct target *target, bool is_shared,
                struct channel *channel, struct failure *ret_failure);

/* Every upstream closes with 1001; new ones are refused. Done when n_upstreams is 0. */
void shares_drain(struct shares *shares);

/* The administrator's or owner's close of one upstream, with a code for server. */
void share_close(struct share *share, uint16_t code, struct wsp_view reason);

/* --- for the upstream --- */
void share_opened(struct share *share, struct wsp_view protocol, struct wsp_view extensions);
/* A message has come; the second form takes the buffer. 0 or -ENOMEM (the upstream then fails). */
int share_received(struct share *share, bool is_binary, struct wsp_view payload);
int share_received_take(struct share *share, bool is_binary, struct wsp_buffer *payload);
/* The closing handshake has started from the peer's side, or was started by us on the peer's violation. */
void share_closing(struct share *share);
/* The connection is over. The upstream calls nothing after this; share frees it at the end of the turn. */
void share_ended(struct share *share, const struct ending *ending);
/* The next message to write, fair between channels; in flight until outgoing_done or outgoing_drop. NULL: none.
 * None is given before OPEN or after CLOSING. */
struct outgoing *share_next_outgoing(struct share *share);

/* --- for channel --- */
void share_leave(struct share *share, struct channel *channel);
void share_has_outgoing(struct share *share, struct channel *channel);
/* The channel asked for close and its outbox is empty (promise 4). */
void share_channel_leaving(struct share *share, struct channel *channel);
/* The channel's cursor has moved: a pause may be over. */
void share_cursor_moved(struct share *share, struct channel *channel);

#endif

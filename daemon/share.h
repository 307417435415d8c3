/* SPDX-License-Identifier: MIT
 *
 * share: one upstream and the channels that use it. Here the promises of sharing are kept: who
 * meets whom, what a joining channel sees, who waits for whom, what a slow one gets, when the
 * upstream closes.
 * Neighbours: upstream above (through struct upstream_ops, so that tests can script a peer),
 * channel below.
 * Invariant: a shared one stands in the tree of shares until it has ended or has a successor, which
 * then stands in its place.
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
#include "daemon/reception.h"
#include "daemon/reconnect.h"
#include "daemon/routing.h"
#include "daemon/sending.h"
#include "daemon/target.h"
#include "daemon/turn.h"

struct share_key;
struct shares;
struct upstream;

/* What share asks of the remote side. All but start and free are called with a started upstream;
 * none calls back into share before it has returned. None but wake is ever called from within a
 * call of the upstream (share_opened, share_received and so on, outgoing_*): what follows from
 * these is done in TURN_CHECK, and free in TURN_BURY. */
struct upstream_ops {
    /* Begins to connect for share->target. 0 with *ret_upstream, or -ENOMEM. */
    int (*start)(void *context, struct share *share, struct upstream **ret_upstream);
    /* share_next_outgoing has something. */
    void (*wake)(struct upstream *upstream);
    /* Stop or resume reading from the network. */
    void (*pause)(struct upstream *upstream, bool is_paused);
    /* share->target says otherwise by now how often to ping, and how long to wait for the answer. Harmless in any state. */
    void (*tune)(struct upstream *upstream);
    /* Start the closing handshake (code 0: without one), once; before open, give up connecting; where share_closing has
     * said true, go on with it, whatever the code. share_ended follows. Not called when it has ended. */
    void (*close)(struct upstream *upstream, uint16_t code, struct wsp_view reason);
    /* The connection is over, with this failure; share_ended follows. Harmless when it has ended. */
    void (*break_off)(struct upstream *upstream, const struct failure *failure);
    /* Gone at once, whatever its state; drops what is in flight, calls nothing else back. Takes
     * NULL. */
    void (*free)(struct upstream *upstream);
};

/*  state        | event               | next         | what happens
 *  CONNECTING   | opened              | OPEN         | every channel OPENED
 *               | last holder left    | CLOSING      | connecting is given up
 *               | drain, share_close  | CLOSING      | every channel fails; connecting is given up
 *               | ended, comes back   | CONNECTING   | another attempt later; abandoned channels go
 *  OPEN         | last holder left    | OPEN         | shared: linger timer; joined meanwhile: it stops
 *               | linger over         | CLOSING      | close 1000
 *               | private: sends gone | CLOSING      | close as asked, 1001 for an abandoned channel
 *               | drain, share_close  | CLOSING      | close 1001, or the code given; every channel CLOSING
 *               | time to renew it    | RECONNECTING | close 1000
 *               | closing (peer's)    | CLOSING      | every channel CLOSING; a private one may still answer: parting
 *               |    persistent       | RECONNECTING | nothing yet: what it ends with is not known
 *               | ended, comes back   | RECONNECTING | every channel is interrupted; another attempt later
 *  RECONNECTING | opened              | OPEN         | a new epoch; channels that joined OPENED, others resumed
 *               |    otherwise than before | CLOSING  | every channel fails: another subprotocol than they have been told
 *               | ended, comes back   | RECONNECTING | another attempt later; abandoned channels that never opened go
 *               | last holder left    | RECONNECTING | shared: linger timer, as OPEN
 *               | linger over; private: channel leaves; drain, share_close
 *               |                     | CLOSING      | every channel fails; connecting is given up
 *  CLOSING      | parting is over     | CLOSING      | the upstream goes on with its Close: the channel has sent CLOSE and
 *               |                     |              | nothing of it waits, it has ended, or PARTING_MS have passed
 *               | there is no upstream| ENDED        |
 *  any          | ended otherwise     | ENDED        | every channel gets the ending; freed when the last has left
 *
 * Whether it comes back when its upstream has ended: see reconnect.h. In CONNECTING and RECONNECTING there is an upstream only
 * while an attempt goes on, or as long as the one that was open closes.
 *
 * Who joins finds it CONNECTING, OPEN or RECONNECTING. While it is CLOSING a new one is made, its successor, which can be
 * joined at once, but begins to connect only when this one has ended: a server may allow one connection.
 *
 * A holder is who the upstream stays open for: a channel that is in the share and not ENDED, or its anchor. An ENDED channel
 * stays in the share until its client has fetched what stands before the end.
 */
enum share_state { SHARE_CONNECTING, SHARE_OPEN, SHARE_RECONNECTING, SHARE_CLOSING, SHARE_ENDED };
const char *share_state_to_string(enum share_state state);

/* What share->upstream is at; OVER: it has ended, and is freed at the end of the turn. */
enum share_remote { REMOTE_NONE, REMOTE_CONNECTING, REMOTE_OPEN, REMOTE_CLOSING, REMOTE_OVER };

/* Why the upstream is not read at the moment.
 *   LAG    a channel whose policy is block is over its bound; until none is over half of it
 *   QUOTA  private, and its owner has more queued bytes than allowed; until that is over or its own log is empty.
 *          (Of a shared one, the channels that lag most lose what they wait for instead.)
 *   TURN   the message that arrives is long, and waits until its owner has room for it; see reception.h */
enum share_pause { SHARE_PAUSE_LAG = 1, SHARE_PAUSE_QUOTA = 2, SHARE_PAUSE_TURN = 4 };

/* Who wants the upstream to stay open without a channel: an endpoint with autostart. */
struct anchor {
    struct share *share; /* NULL: none */
    /* The share has ended, as ending says; the anchor has none from now on. */
    void (*ended)(struct anchor *anchor, const struct ending *ending);
};
/* It may end for the anchor's sake from now on. Takes one that has no share. Calls nothing. */
void anchor_let_go(struct anchor *anchor);

struct share {
    struct shares *shares;
    struct list link; /* in shares->all */
    uint64_t id;
    bool is_shared;
    enum share_state state;
    enum share_remote remote;
    struct target *target;
    struct target *renewed;    /* what the next connection takes over of it; NULL: nothing */
    struct user *owner;        /* a reference */
    struct charge charge;      /* one UPSTREAMS, until ENDED */
    struct upstream *upstream; /* NULL: there is none at the moment */
    struct reconnect reconnect;
    struct share *predecessor; /* CLOSING, and to end before this one begins to connect */
    struct share *successor;
    struct anchor *anchor; /* NULL: channels alone hold it */
    struct log log;
    struct reception reception; /* of the message that arrives */
    struct routing routing;
    struct list channels;
    unsigned n_channels; /* in that list */
    unsigned n_holders;  /* of these, not ENDED; and the anchor */
    struct sending sending;
    struct list senders; /* channels with messages to send that may go, the next one first: fair */
    /* Channels whose policy is block and that are over their bound, the longest first. */
    struct list blocking;
    struct timer linger;
    uint64_t linger_ms; /* the longest that a channel asked for */
    struct timer block; /* the first block-timeout that runs out */
    /* While channels are LEAVING: is what was sent taken at all? n_out_bytes when that was last looked at. */
    struct timer leaving;
    uint64_t leaving_mark;
    bool is_leaving_watched;
    bool was_held_back;   /* since then by what is not the server's doing: see sending_holds_back */
    struct timer parting; /* while is_parting */
    uint64_t parting_mark,
        parting_since_ms; /* n_out_bytes when that was last looked at; when it began */
    bool is_parting;      /* CLOSING, and the private channel may still answer */
    bool is_drained;      /* CLOSING or ENDED because the daemon stops */
    struct task check; /* TURN_CHECK: who lags too far, and whether the upstream is still wanted */
    /* TURN_BURY: upstream once it is OVER, the share once it is ENDED and the last channel has left. */
    struct task burial;
    bool is_lingering;
    bool is_given_up;      /* CLOSING, and ending says why: everybody has been told */
    bool is_outdated;      /* the configuration says otherwise by now: it does not come back */
    unsigned pauses;       /* bits of enum share_pause */
    bool is_paused;        /* as the upstream was told last */
    struct share_key *key; /* shared: until ENDED; in the tree, or its successor's in its place */
    char *protocol, *extensions; /* in force once OPEN, NULL before */
    struct ending
        ending; /* how the last upstream ended; once ENDED, how all of it did. All zero: none has */
    struct failure interruption; /* how the connection ended that was interrupted last */
    /* What the server answered instead of 101, in its own words; NULL: nothing. For the channels and their user. */
    char *excerpt;
    /* counters */
    uint64_t created_ms, opened_ms;
    uint64_t n_unsent, n_unsent_bytes; /* given by channels, and told them as not sent */
    uint64_t n_in, n_in_bytes, n_out, n_out_bytes;
    uint64_t n_dropped; /* messages that channels which have left did not get */
};

/* The administrator's or owner's close of one upstream, with a code for the server. Harmless when
 * it is closing. */
void share_close(struct share *share, uint16_t code, struct wsp_view reason);

/* The configuration has another one in its place by now: if it is lost it does not come back, and if it is, it ends. An attempt that
 * is its first goes on. */
void share_outdate(struct share *share);

/* --- for the upstream --- */
/* 0 or -ENOMEM (the upstream then fails). */
int share_opened(struct share *share, struct wsp_view protocol, struct wsp_view extensions);
/* A message has come; the second form takes the buffer. 0 or -ENOMEM (the upstream then fails). */
int share_received(struct share *share, bool is_binary, struct wsp_view payload);
int share_received_take(struct share *share, bool is_binary, struct wsp_buffer *payload);
/* The closing handshake has started from the peer's side, or is to be started by us on the peer's violation. True: our
 * Close waits for upstream_ops.close, as there is somebody who may still answer what came before; share_next_outgoing
 * gives what he says. */
bool share_closing(struct share *share);
/* The connection is over, and what was in flight has been dropped. The upstream calls nothing after
 * this; share frees it at the end of the turn. Channels that had not opened get the ending too, so
 * before OPEN it must have a failure. */
void share_ended(struct share *share, const struct ending *ending);
/* Before share_ended: how the body of the answer that refused begins (excerpt.h; NULL: nothing is
 * known). It is taken. */
void share_excerpt_take(struct share *share, char *excerpt);
/* The next message to write, fair between channels; in flight until outgoing_done or outgoing_drop.
 * NULL: none. None is given before OPEN, nor in CLOSING but while it is parting. */
struct outgoing *share_next_outgoing(struct share *share);

/* --- for shares --- */
/* CONNECTING, OPEN or RECONNECTING. */
bool share_is_joinable(const struct share *share);
/* At once, whatever its state. No channel is in it any more. */
void share_free(struct share *share);
/* The channel, fresh from channel_init, is in it from now on; target is what it asked for. Joinable shares only. Ends
 * in an op: an open one opens it at once. */
void share_attach(struct share *share, struct channel *channel, const struct target *target);
/* The same for an anchor; a share has one at most. */
void share_attach_anchor(struct share *share, struct anchor *anchor, const struct target *target);
/* The daemon stops: closes with 1001, gives up connecting. */
void share_drain(struct share *share);

/* What its tasks and its linger timer call; the owner is a share. */
void share_review(void *owner);
void share_bury(void *owner);
void share_linger_over(void *owner);
void share_review_later(struct share *share); /* in TURN_CHECK */

/* --- for shares and reconnect --- */
/* The one place where the state changes. */
void share_set_state(struct share *share, enum share_state state);
/* Its upstream, if it has one that is not closing yet, closes; without one the share ends. Never within a call of the
 * upstream. */
void share_close_upstream(struct share *share, uint16_t code, struct wsp_view reason);
void share_free_upstream(struct share *share); /* that is OVER */
/* Calls tell for every channel, which may do anything, to other channels too. */
void share_tell_all(struct share *share,
                    void (*tell)(struct channel *channel, struct share *share));

/* --- for who tells of the end of a channel --- */
/* What the server answered instead of 101, if it was that answer which the channel has ended with;
 * else "". share may be NULL. */
const char *share_excerpt(const struct share *share, const struct ending *ending);

/* --- for parting --- */
/* That of a private share, while it has one; NULL for a shared one. */
struct channel *share_only_channel(const struct share *share);

/* --- for channel --- */
/* Not in the share any more: its place in the log is given up, and so is what it has not sent.
 * Calls no op. */
void share_leave(struct share *share, struct channel *channel);
/* The upstream is away, and what is sent is not to wait for it. */
bool share_refuses_sends(const struct share *share);
/* Its outbox has something. */
void share_has_outgoing(struct share *share, struct channel *channel);
/* It is LEAVING, and nothing of it is left to send (promise 4). Ends in an op, as channel_end. */
void share_sends_gone(struct share *share, struct channel *channel);
/* It is ENDED: the upstream stays open no longer for its sake, and nothing of it is sent any more.
 * Calls no op. */
void share_let_go(struct share *share, struct channel *channel);

#endif

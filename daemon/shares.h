/* SPDX-License-Identifier: MIT
 *
 * shares: all shares of the daemon: who asks for an upstream gets a new one, or joins the one that
 * stands with the same share key.
 * Neighbours: client_requests and server, who ask; share, which it makes and frees.
 * Invariant: for a share key at most one share can be joined, and at most one more is CLOSING: the
 * predecessor of that one.
 */
#ifndef WSPLEX_DAEMON_SHARES_H
#define WSPLEX_DAEMON_SHARES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/share.h"

struct budgets;

/* All shares of the daemon. */
struct shares {
    struct clock *clock;
    struct turn *turn;
    const struct upstream_ops *ops;
    void *ops_context;
    void (*random)(void *to, size_t len); /* for epochs */
    void (*on_change)(struct shares *shares,
                      struct share *share); /* state changed: log line, status; may be NULL */
    /* A persistent share's attempt has failed, or its upstream has ended, and it comes back: share->ending says why,
     * share->reconnect when; may be NULL. */
    void (*on_trouble)(struct shares *shares, struct share *share);
    struct budgets *budgets; /* NULL: nothing has one */
    struct list all;
    void *keys;           /* tsearch(3) tree by share key: the shared ones that have not ended */
    unsigned n_upstreams; /* not ENDED */
    uint64_t *last_id;    /* the daemon's, for clients, channels and shares alike */
    bool is_draining;
};

/* last_id: the number given last to any object of the daemon, so that a number names one thing. */
void shares_init(struct shares *shares, struct clock *clock, struct turn *turn,
                 const struct upstream_ops *ops, void *ops_context,
                 void (*random)(void *to, size_t len), uint64_t *last_id);
/* Frees every upstream and share at once. Channels that are left stay their owners', in no share
 * and ENDED; no op is called. */
void shares_deinit(struct shares *shares);

/* Attaches the channel (fresh from channel_init) to a new upstream or, shared, to the one that
 * stands with the same share key. The target is taken in every case. 0; -ENOMEM; when policy
 * refuses, failure filled in (QUOTA, SHUTDOWN) and its cause returned. May call ops->wake of the
 * channel: joining an open upstream opens it at once. */
int shares_open(struct shares *shares, struct target *target, bool is_shared,
                struct channel *channel, struct failure *ret_failure);

/* The same without a channel: the share stays for the anchor (autostart), until it lets go. It is always shared. The
 * target is taken in every case. Errors as shares_open. */
int shares_anchor(struct shares *shares, struct target *target, struct user *owner,
                  struct anchor *anchor, struct failure *ret_failure);

/* For share: it has ended, so it stands in no tree, and who waited for that begins. */
void shares_give_place_back(struct share *share);

/* Every upstream closes with 1001; new ones are refused. Done when n_upstreams is 0, as on_change
 * may look up. */
void shares_drain(struct shares *shares);

#endif

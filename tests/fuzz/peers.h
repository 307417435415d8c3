/*
 * peers: servers that do what a target says, in the place of daemon/upstream: a target that links this has no real
 * upstreams.
 *
 * Between a target's script and daemon/share. What they say is written down in a feed; of what they get, the target
 * hears.
 *
 * Invariant: the contract of struct upstream_ops holds in both directions, or the target aborts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_FUZZ_PEERS_H
#define WSP_TESTS_FUZZ_PEERS_H

#include "daemon/shares.h"
#include "tests/fuzz/feed.h"

/* A server, seen through the upstream that was started to reach it. */
struct upstream {
    struct peers *peers;
    struct list link;
    struct share *share;
    struct feed_run *run;
    struct list in_flight; /* struct peer_hold, the oldest first */
    bool is_opened, is_paused, is_close_asked, is_closing;
    bool is_ended;  /* has told so, and waits to be freed */
    bool has_said;  /* a message; the target forgets it */
    uint8_t topics; /* bits: what it has been told and not untold */
};

struct peers {
    struct list all; /* that are not freed, the oldest first */
    struct feed *feed;
    unsigned n_calls; /* of upstreams into their shares, under way */
    size_t n_said;    /* bytes of messages, and something for each */
    /* A message of that channel is taken, then so many bytes of it are written. */
    void (*taken)(void *owner, uint64_t channel_id, bool is_binary, struct wsp_view payload);
    void (*written)(void *owner, uint64_t channel_id, size_t len);
    void *owner;
};

void peers_init(struct peers *peers, struct feed *feed, void *owner);

/* The index-th of those that have not ended, counted round and round; NULL: there is none. */
struct upstream *peers_pick(const struct peers *peers, unsigned index);

/* Each does nothing where a real upstream could not do it now. */
void peer_opens(struct upstream *peer, struct wsp_view protocol);
void peer_says(struct upstream *peer, bool is_binary, size_t len);
void peer_starts_closing(struct upstream *peer);
void peer_ends(struct upstream *peer, uint16_t code, struct wsp_view reason);
void peer_fails(struct upstream *peer, uint16_t cause);
void peer_takes(struct upstream *peer, unsigned n_messages);
void peer_writes(struct upstream *peer, size_t len);

#endif

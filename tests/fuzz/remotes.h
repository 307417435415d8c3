/*
 * remotes: hostile servers in memory behind the daemon's real upstreams: the dialer and the transports that these get,
 * a server's ear for what they write, and a witness of what they tell their shares.
 *
 * Between a target's script and daemon/upstream. A target that links this gives the linker's flags WRAPPED_SHARE of
 * Makefile.am, so that what an upstream tells its share comes by here.
 *
 * Invariant: each remote is one upstream's, from its start to the end of the input.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_FUZZ_REMOTES_H
#define WSP_TESTS_FUZZ_REMOTES_H

#include "daemon/dial.h"
#include "daemon/shares.h"
#include "daemon/upstream.h"
#include "proto/websocket/handshake.h"
#include "proto/websocket/message.h"
#include "proto/websocket/offer.h"
#include "tests/fuzz/pipe.h"

/* A message that an upstream has given to its share. */
struct remote_message {
    bool is_binary;
    size_t len;
    uint8_t *bytes;
};

struct remote {
    struct list link;
    struct remotes *remotes;
    struct dial *dial;         /* under way; NULL before and after */
    struct share *share;       /* may be gone once the upstream is */
    struct upstream *upstream; /* NULL once it is freed */
    uint64_t max_message;
    bool has_protocols;               /* asked for "p" */
    char offer[WSP_DEFLATE_TEXT_LEN]; /* empty: no compression */
    struct wsp_deflate_params offered;
    struct pipe pipe; /* has an owner once it was given out */
    /* what came to the upstream, and what it made of it */
    struct wsp_buffer came;
    struct remote_message *messages; /* by number less one */
    size_t n_messages;
    unsigned n_opened, n_closing, n_ended;
    struct ending ending;
    /* what the share asked of it */
    bool is_paused, is_close_asked;
    uint16_t close_code;
    /* what came from the upstream */
    struct wsp_request_reader request;
    struct wsp_ws_reader reader;
    bool is_asked; /* the request has come */
    bool is_close_heard;
    uint16_t close_heard;
    struct wsp_buffer pongs; /* their payloads, each behind its length in a byte */
};

struct remotes {
    struct upstream_context context;
    struct upstream_ops ops; /* what the shares are given */
    struct dialer dialer;
    struct list all; /* the oldest first */
    unsigned n_remotes;
    struct share *starting;
    unsigned n_calls; /* of upstreams into their shares, under way */
    /* A whole message of a program has arrived. */
    void (*heard)(void *owner, bool is_binary, struct wsp_view payload);
    void *owner;
};

/* The transports' reads are of scratch_len bytes at most. */
void remotes_init(struct remotes *remotes, struct clock *clock, struct turn *turn, uint8_t *scratch,
                  size_t scratch_len, void *owner);

/* Judges each: what it was given to read, at once, and what became of it. */
void remotes_deinit(struct remotes *remotes);

/* The index-th of those whose upstream stands, counted round and round; NULL: there is none. */
struct remote *remotes_pick(const struct remotes *remotes, unsigned index);

/* The one behind that share, which is there. */
struct remote *remotes_find(const struct remotes *remotes, const struct share *share);

/* The dial ends: with a transport, or without one. Does nothing when none is under way. */
void remote_is_reached(struct remote *remote);
void remote_is_not_reached(struct remote *remote);

/* The answer that fits every request, as the upstreams' randomness is none. */
void remote_accepts(struct remote *remote, struct wsp_view protocol, struct wsp_view extensions);

/* Bytes on their way to the upstream; nothing before there is a transport, or after its end. */
void remote_says(struct remote *remote, struct wsp_view bytes);
bool remote_can_say(const struct remote *remote);

#endif

/*
 * silent_peer: an upstream of which nothing is heard, for stories that are about programs.
 *
 * Neighbours: share, which drives it through silent_peer_ops; a test, which speaks for it by share_opened and the like.
 * Invariant: it does nothing by itself, and every op is there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_SILENT_PEER_H
#define WSPLEX_TESTS_HARNESS_SILENT_PEER_H

#include <errno.h>
#include <stdlib.h>

#include "daemon/share.h"

struct upstream {
    struct share *share;
};

static int silent_peer_start(void *context, struct share *share, struct upstream **ret_upstream)
{
    struct upstream *upstream = malloc(sizeof(*upstream));

    (void)context;
    if (upstream == NULL)
        return -ENOMEM;
    upstream->share = share;
    *ret_upstream = upstream;
    return 0;
}

static void silent_peer_hears(struct upstream *upstream)
{
    (void)upstream;
}

static void silent_peer_pause(struct upstream *upstream, bool is_paused)
{
    (void)upstream;
    (void)is_paused;
}

static void silent_peer_close(struct upstream *upstream, uint16_t code, struct wsp_view reason)
{
    (void)upstream;
    (void)code;
    (void)reason;
}

static void silent_peer_break_off(struct upstream *upstream, const struct failure *failure)
{
    (void)upstream;
    (void)failure;
}

static void silent_peer_free(struct upstream *upstream)
{
    free(upstream);
}

static const struct upstream_ops silent_peer_ops = {
    .start = silent_peer_start,
    .wake = silent_peer_hears,
    .pause = silent_peer_pause,
    .tune = silent_peer_hears,
    .close = silent_peer_close,
    .break_off = silent_peer_break_off,
    .free = silent_peer_free,
};

#endif

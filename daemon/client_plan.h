/* SPDX-License-Identifier: MIT
 *
 * client_plan: what one write to a client is made of.
 * Neighbours: channels with something to tell are asked, one after the other, for as much as the
 * write can take; client_output writes it and moves on what was taken.
 * Invariant: planning changes nothing that is told: the same plan could be made again.
 *
 * A write is made of steps, one for each frame or run of shared frames, in this order: what is left of a frame that the
 * last write began; the client's own lane; then channel after channel of the ready list, each with
 * what is due before its next message and then with messages, up to its part of the budget.
 */
#ifndef WSPLEX_DAEMON_CLIENT_PLAN_H
#define WSPLEX_DAEMON_CLIENT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "daemon/channel.h"
#include "daemon/shared_frames.h"
#include "proto/buffer.h"

struct client;
struct client_channel;

enum { MAX_PLAN_STEPS = 4096, MAX_PLAN_PARTS = 512 };

enum step_kind {
    STEP_HALF,
    STEP_REST,
    STEP_LANE,
    STEP_ABORT,
    STEP_CREDIT,
    STEP_NOTICE,
    STEP_DATA,
    STEP_RUN
};

struct step {
    enum step_kind kind;
    enum channel_notice notice;
    struct client_channel *channel; /* NULL: REST and LANE */
    size_t len;
    const uint8_t *bytes; /* ABORT, CREDIT and NOTICE: in scratch */
    size_t payload_len;   /* HALF and DATA */
    bool is_last;
    struct frames_run run; /* RUN */
};

/* Where every client plans its write, one after the other; scratch is the loop's. */
struct output {
    uint8_t *scratch;
    size_t scratch_len, scratch_used;
    size_t planned_len;
    unsigned n_steps;
    int n_parts;
    struct wsp_buffer frame; /* one control frame while it is encoded */
    struct shared_frames shared;
    struct step steps[MAX_PLAN_STEPS];
    struct iovec parts[MAX_PLAN_PARTS];
};

/* The plan of the client's next write; it is valid until anything of the client or its channels
 * changes. Channels that turn out to have nothing to tell leave the ready list. 0, -ENOMEM. */
int client_plan(struct client *client, struct output *output);

/* The channel has something to tell, or to tell now that it could not before for want of credit. */
bool client_plan_has_more(const struct client_channel *channel);

#endif

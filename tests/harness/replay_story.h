/*
 * replay_story: what stories of kept messages and of positions have in common.
 *
 * Between tests/harness/sharing_story and a scenario test.
 *
 * Invariant: a message of a server says which number it has, the first of each upstream being 1.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_REPLAY_STORY_H
#define WSPLEX_TESTS_HARNESS_REPLAY_STORY_H

#include <stdio.h>

#include "tests/harness/sharing_story.h"

/* Upstreams keep the last n messages, and those who join want them all. */
static inline void keep(uint64_t n_messages)
{
    stage.retention = (struct retention){n_messages, 1 << 20};
    stage.replay = stage.retention;
}

/* Joins where it was. */
static inline void resumes(struct program *program, const struct position *after)
{
    stage.resume = *after;
    opens(program, STAGE_SHARED);
    stage.resume = (struct position){.is_given = false};
}

static inline void peer_counts(struct upstream *server, unsigned first, unsigned last)
{
    char text[16];

    for (unsigned i = first; i <= last; i++) {
        snprintf(text, sizeof(text), "%u", i);
        peer_sends(server, text);
    }
}

#endif

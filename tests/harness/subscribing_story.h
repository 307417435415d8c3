/*
 * subscribing_story: what stories of subscriptions, greetings and heartbeats have in common.
 *
 * Between tests/harness/sharing_story and a scenario test.
 *
 * Invariant: "-x" withdraws what "+x" asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_SUBSCRIBING_STORY_H
#define WSPLEX_TESTS_HARNESS_SUBSCRIBING_STORY_H

#include <stdio.h>

#include "tests/harness/sharing_story.h"

/* Milliseconds: between messages of a greeting, between heartbeats, and until the answer to one must have come. */
enum { PACE = 500, BEAT = 20000, PATIENCE = 5000 };

static inline void subscribes(struct program *program, const char *topic)
{
    char on_leave[80];

    snprintf(on_leave, sizeof(on_leave), "-%s", topic + 1);
    ck_assert_int_eq(program_subscribes(program, topic, on_leave), 0);
}

/* What the server has been sent by the end of a turn. */
static inline const char *receives(void)
{
    stage_turn(&stage);
    return peer_receives(peer);
}

/* Every BEAT; NULL: no answer is expected. */
static inline void with_heartbeat(const char *answer)
{
    stage.heartbeat = (struct heartbeat_settings){.text = (char *)(uintptr_t) "ping",
                                                  .answer = (char *)(uintptr_t)answer,
                                                  .interval_ms = BEAT,
                                                  .timeout_ms = PATIENCE};
}

#endif

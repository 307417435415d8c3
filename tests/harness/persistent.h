/*
 * persistent: a stage whose shares are persistent, with random bits that the test gives.
 *
 * Between the tests of reconnection and tests/harness/stage.
 *
 * Invariant: what is random is what the test says, but for epochs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_PERSISTENT_H
#define WSP_TESTS_HARNESS_PERSISTENT_H

#include "tests/harness/stage.h"

#define PERSISTENT_URL "wss://feed.example/live"

/* Of all targets: the bounds of the delays, and the uptime after which they begin anew. Final are 1008 and 4000 to 4002. */
enum { MIN_MS = 1000, MAX_MS = 8000, UPTIME_MS = 20000 };

struct persistent {
    struct stage stage;
    struct program a, b, c;
    uint64_t bits; /* what the random function gives */
    bool is_persistent;
    uint64_t rotate_ms;
    enum offline offline;
};

/* The one stage of a test. */
struct persistent *persistent_init(void);
void persistent_deinit(void);

/* Programs of it, with PERSISTENT_URL. */
void persistent_opens(struct program *program, enum stage_sharing sharing);

/* The program a is open, with the subprotocol v1, and has been told so. */
struct upstream *persistent_a_is_open(enum stage_sharing sharing);

/* The connection is lost. */
void persistent_cut(struct upstream *peer);

/* The next attempt comes after exactly that long; again: at once, as the random bits allow it. */
void persistent_attempt_after(uint64_t ms);
struct upstream *persistent_again(void);

enum share_state persistent_state_of(const struct program *program);

#endif

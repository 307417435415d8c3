/*
 * sharing_story: what stories of the stage have in common: the programs a, b and c of one user, who open the same URL, and the
 * server that they reach.
 *
 * Between tests/harness/stage and a scenario test, which includes it once: the story has its own stage.
 *
 * Invariant: peer is the server's side of the connection that had been begun last when a program opened last.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_SHARING_STORY_H
#define WSPLEX_TESTS_HARNESS_SHARING_STORY_H

#include "tests/harness/stage.h"
#include "tests/harness/unit.h"

#define URL "wss://feed.example/live"

static struct stage stage;
static struct program a, b, c;
static struct upstream *peer;

static inline void story_begins(void)
{
    stage_init(&stage);
}

static inline void story_ends(void)
{
    stage_deinit(&stage);
}

/* A case whose tests are stories each on an empty stage. */
static inline TCase *story_case(Suite *suite, const char *name)
{
    TCase *tcase = unit_case(suite, name);

    tcase_add_checked_fixture(tcase, story_begins, story_ends);
    return tcase;
}

static inline void opens(struct program *program, enum stage_sharing sharing)
{
    ck_assert_int_eq(program_opens(program, &stage, STAGE_UID, URL, sharing), 0);
    if (stage.n_peers > 0)
        peer = stage_peer(&stage);
}

/* On an open upstream, which is peer; it has been told so, and nothing else yet. */
static inline struct upstream *a_is_open(enum stage_sharing sharing)
{
    opens(&a, sharing);
    peer_opens(peer, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open");
    return peer;
}

/* The same of two, or three. */
static inline struct upstream *a_and_b_share(void)
{
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    ck_assert_ptr_eq(a.channel.share, b.channel.share);
    peer_opens(peer, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open");
    ck_assert_str_eq(program_heard(&b), "open");
    return peer;
}

static inline void all_share(void)
{
    a_and_b_share();
    opens(&c, STAGE_SHARED);
    ck_assert_ptr_eq(c.channel.share, a.channel.share);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "open");
}

static inline void sends(struct program *program, const char *text)
{
    ck_assert_int_eq(program_sends(program, text), 0);
}

static inline void is_lost(void)
{
    peer_fails(peer, WSP_CAUSE_LOST);
}

/* The daemon begins the next connection of a persistent upstream. */
static inline void tries_again(void)
{
    unsigned n_peers = stage.n_peers;

    while (stage.n_peers == n_peers)
        stage_wait(&stage, 10);
    peer = stage_peer(&stage);
}

/* The connection is lost, and the next one begins. */
static inline void comes_back(void)
{
    peer->share->target->is_persistent = true;
    is_lost();
    tries_again();
}

#endif

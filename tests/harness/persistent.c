/*
 * persistent: persistent shares on a stage; see persistent.h.
 *
 * Between the tests of reconnection and tests/harness/stage.
 *
 * Invariant: see persistent.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/persistent.h"

#include <check.h>
#include <string.h>

static struct persistent p;

static void fixed_bits(void *to, size_t len)
{
    static uint8_t n_epochs;

    if (len == sizeof(p.bits))
        memcpy(to, &p.bits, len);
    else
        memset(to, ++n_epochs, len);
}

static void adjust(struct target *target)
{
    target->is_persistent = p.is_persistent;
    target->backoff_min_ms = MIN_MS;
    target->backoff_max_ms = MAX_MS;
    target->min_uptime_ms = UPTIME_MS;
    target->rotate_ms = p.rotate_ms;
    target->offline = p.offline;
    ck_assert_int_eq(strings_add(&target->final_codes, "4000-4002", 9), 0);
    ck_assert_int_eq(strings_add(&target->final_codes, "1008", 4), 0);
}

struct persistent *persistent_init(void)
{
    p = (struct persistent){.is_persistent = true, .offline = OFFLINE_QUEUE};
    stage_init(&p.stage);
    p.stage.adjust = adjust;
    p.stage.shares.random = fixed_bits;
    return &p;
}

void persistent_deinit(void)
{
    stage_deinit(&p.stage);
}

void persistent_opens(struct program *program, enum stage_sharing sharing)
{
    ck_assert_int_eq(program_opens(program, &p.stage, STAGE_UID, PERSISTENT_URL, sharing), 0);
}

struct upstream *persistent_a_is_open(enum stage_sharing sharing)
{
    persistent_opens(&p.a, sharing);
    peer_opens(stage_peer(&p.stage), "v1");
    stage_turn(&p.stage);
    ck_assert_str_eq(program_heard(&p.a), "open(v1)");
    return stage_peer(&p.stage);
}

void persistent_cut(struct upstream *peer)
{
    peer_fails(peer, WSP_CAUSE_LOST);
    stage_turn(&p.stage);
}

void persistent_attempt_after(uint64_t ms)
{
    unsigned n_peers = p.stage.n_peers;

    if (ms > 0) {
        stage_wait(&p.stage, ms - 1);
        ck_assert_uint_eq(p.stage.n_peers, n_peers);
    }
    stage_wait(&p.stage, ms > 0 ? 1 : 0);
    ck_assert_uint_eq(p.stage.n_peers, n_peers + 1);
}

struct upstream *persistent_again(void)
{
    p.bits = 0;
    persistent_attempt_after(0);
    return stage_peer(&p.stage);
}

enum share_state persistent_state_of(const struct program *program)
{
    return program->channel.share->state;
}

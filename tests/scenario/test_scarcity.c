/*
 * test_scarcity: a story in which every allocation fails in turn: only the channel or the upstream concerned suffers,
 * and nothing is left behind.
 *
 * Between the scripted programs and the scripted server of tests/harness/stage, and tests/harness/allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "tests/harness/allocation.h"
#include "tests/harness/stage.h"
#include "tests/harness/unit.h"

#define URL "wss://feed.example/live"

enum { N_STEPS = 7 };

static struct stage stage;
static struct program a, b, c;

static void fails(struct program *program)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_INTERNAL, 0, "out of memory");
    channel_fail(&program->channel, &failure);
}

static int receive_take(struct share *share)
{
    struct wsp_buffer buffer;
    int r;

    wsp_buffer_init(&buffer, 1000);
    r = wsp_buffer_append(&buffer, "taken", 5);
    if (r == 0)
        r = share_received_take(share, false, &buffer);
    wsp_buffer_deinit(&buffer);
    return r;
}

/* One step of the story: 0 or -ENOMEM. */
static int step(int i)
{
    struct share *share = a.channel.share;

    switch (i) {
    case 0: return program_opens(&a, &stage, STAGE_UID, URL, STAGE_SHARED);
    case 1: return share_opened(share, WSP_VIEW_LITERAL("p"), WSP_VIEW_LITERAL("e"));
    case 2: return program_opens(&b, &stage, STAGE_UID, URL, STAGE_SHARED);
    case 3: return share_received(share, false, WSP_VIEW_LITERAL("copied"));
    case 4: return receive_take(share);
    case 5: return program_sends(&a, "sent");
    default: return program_opens(&c, &stage, STAGE_UID + 1, URL, STAGE_PRIVATE);
    }
}

/* Allocation n of step `where` fails. False if it has no such allocation: then the story is told to its end. */
static bool story(int where, size_t n)
{
    int r;

    stage_init(&stage);
    stage.routing = (struct routing_settings){.is_on = true, .timeout_ms = 1000, .max_pending = 1};
    for (int i = 0; i < N_STEPS; i++) {
        if (i == where)
            allocation_fail_after(n);
        r = step(i);
        if (allocation_disarm() && i == where) {
            ck_assert_int_eq(r, -ENOMEM);
            return true;
        }
        ck_assert_int_eq(r, 0);
        if (i >= 2)
            stage_turn(&stage);
    }
    stage_turn(&stage);
    return false;
}

/* As the daemon does when a program's or an upstream's part fails. */
static void heed_failure(int where)
{
    if (where == 5)
        fails(&a);
    else if (where == 1 || where == 3 || where == 4)
        peer_fails(stage_peer(&stage), WSP_CAUSE_INTERNAL);
    stage_turn(&stage);
}

static void assert_only_the_concerned_suffer(int where)
{
    switch (where) {
    case 1: ck_assert_str_eq(program_heard(&a), "error(internal) close(1006)"); break;
    case 3: ck_assert_str_eq(program_heard(&b), "open(p) error(internal) close(1006)"); break;
    case 4:
        ck_assert_str_eq(program_heard(&b), "open(p) copied error(internal) close(1006)");
        break;
    case 5:
        ck_assert_str_eq(program_heard(&a), "open(p) copied taken error(internal) close(1006)");
        ck_assert_int_eq(b.channel.state, CHANNEL_OPEN);
        break;
    case 2:
    case 6: ck_assert_int_eq(a.channel.state, CHANNEL_OPEN); break;
    default: ck_assert_uint_eq(stage.shares.n_upstreams, 0);
    }
}

/* Loop test over the steps: the first, second and so on allocation of each, until it has no more. */
START_TEST(only_what_is_concerned_suffers)
{
    size_t n = 0;

    for (; story(_i, n); n++) {
        heed_failure(_i);
        assert_only_the_concerned_suffer(_i);
        stage_deinit(&stage);
    }
    ck_assert_uint_gt(n, 0);
    ck_assert_str_eq(program_heard(&a), "open(p) copied taken");
    ck_assert_str_eq(program_heard(&b), "open(p) copied taken");
    ck_assert_str_eq(peer_receives(stage.peers[0]), "sent");
    stage_deinit(&stage);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("scarcity");
    TCase *memory = unit_case(suite, "memory");

    tcase_add_loop_test(memory, only_what_is_concerned_suffers, 0, N_STEPS);
    return suite;
}

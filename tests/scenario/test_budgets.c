/*
 * test_budgets: programs whose connections and messages are held to rates: who waits, for how long, and in which order.
 *
 * Between the scripted programs and the scripted server of tests/harness/stage. What budgets themselves promise is in
 * tests/unit/test_budget.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/stage.h"
#include "tests/harness/unit.h"

#include <stdlib.h>
#include <string.h>

#define URL "wss://feed.example/live"

/* What "per second" takes until it is back. */
enum { BACK_MS = 1050 };

static struct stage stage;
static struct program a, b, c;
static struct upstream *peer;

static void setup(void)
{
    stage_init(&stage);
}

static void teardown(void)
{
    stage_deinit(&stage);
}

static void rate(enum budget_kind kind, const char *text)
{
    struct strings list = {0};

    ck_assert_int_eq(strings_add(&list, text, strlen(text)), 0);
    budgets_set_free(&stage.budgets, kind, &list);
    strings_deinit(&list);
}

static void no_rate(enum budget_kind kind)
{
    budgets_set_free(&stage.budgets, kind, &(struct strings){0});
}

static void opens(struct program *program, enum stage_sharing sharing)
{
    ck_assert_int_eq(program_opens(program, &stage, STAGE_UID, URL, sharing), 0);
}

static struct upstream *is_open(struct program *program, enum stage_sharing sharing)
{
    opens(program, sharing);
    peer = stage_peer(&stage);
    if (peer->share->state != SHARE_OPEN)
        peer_opens(peer, "");
    stage_turn(&stage);
    program_heard(program);
    return peer;
}

static void sends(struct program *program, const char *text)
{
    ck_assert_int_eq(program_sends(program, text), 0);
}

/* As the real upstream does: when it is woken it asks for all there is, at the end of the turn. */
static const char *receives(struct upstream *from)
{
    stage_turn(&stage);
    from->n_wakes = 0;
    return peer_receives(from);
}

/* --- messages --- */

START_TEST(messages_over_the_rate_wait)
{
    rate(BUDGET_SEND, "2 per s");
    is_open(&a, STAGE_PRIVATE);
    sends(&a, "1");
    sends(&a, "2");
    sends(&a, "333");
    sends(&a, "4");
    sends(&a, "5");
    ck_assert_str_eq(receives(peer), "1 2");
    ck_assert_uint_eq(a.channel.outbox_bytes, 5);
    stage_wait(&stage, BACK_MS - 1);
    ck_assert_uint_eq(peer->n_wakes, 0);
    ck_assert_str_eq(receives(peer), "");
    stage_wait(&stage, 1);
    ck_assert_uint_eq(peer->n_wakes, 1);
    ck_assert_str_eq(receives(peer), "333 4");
    ck_assert_uint_eq(a.channel.outbox_bytes, 1);
    stage_wait(&stage, BACK_MS);
    ck_assert_str_eq(receives(peer), "5");
    ck_assert_uint_eq(a.channel.outbox_bytes, 0);
    program_deinit(&a);
}
END_TEST

START_TEST(channels_take_turns)
{
    static const char *const turns[] = {"b1", "a2", "b2", "a3"};

    rate(BUDGET_SEND, "1 per s");
    is_open(&a, STAGE_SHARED);
    is_open(&b, STAGE_SHARED);
    sends(&a, "a1");
    sends(&a, "a2");
    sends(&a, "a3");
    sends(&b, "b1");
    sends(&b, "b2");
    ck_assert_str_eq(receives(peer), "a1");
    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
        stage_wait(&stage, BACK_MS);
        ck_assert_str_eq(receives(peer), turns[i]);
    }
    program_deinit(&a);
    program_deinit(&b);
}
END_TEST

START_TEST(connections_take_turns)
{
    struct upstream *to_a, *to_b;

    rate(BUDGET_SEND, "1 per s");
    to_a = is_open(&a, STAGE_PRIVATE);
    to_b = is_open(&b, STAGE_PRIVATE);
    for (int i = 0; i < 3; i++) {
        sends(&a, "a");
        sends(&b, "b");
    }
    /* The first asks on, and so stands in the line before the second. */
    ck_assert_str_eq(receives(to_a), "a");
    ck_assert_str_eq(receives(to_b), "");
    for (int i = 0; i < 2; i++) {
        stage_wait(&stage, BACK_MS);
        ck_assert_uint_eq(to_b->n_wakes, 0);
        ck_assert_str_eq(receives(to_a), "a");
        stage_wait(&stage, BACK_MS);
        ck_assert_uint_eq(to_a->n_wakes, 0);
        ck_assert_str_eq(receives(to_b), "b");
    }
    program_deinit(&a);
    program_deinit(&b);
}
END_TEST

START_TEST(a_program_that_leaves_has_its_messages_sent)
{
    rate(BUDGET_SEND, "1 per min");
    is_open(&a, STAGE_SHARED);
    is_open(&b, STAGE_SHARED);
    sends(&a, "a1");
    sends(&a, "a2");
    sends(&a, "a3");
    program_closes(&a, 1000, "");
    ck_assert_str_eq(receives(peer), "a1");
    /* Much longer than a server that takes nothing is given. */
    stage_wait(&stage, 61000);
    ck_assert_str_eq(receives(peer), "a2");
    ck_assert_str_eq(program_heard(&a), "");
    stage_wait(&stage, 61000);
    ck_assert_str_eq(receives(peer), "a3");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1000)");
    program_deinit(&a);
    program_deinit(&b);
}
END_TEST

/* Its message may go, and the server takes nothing: that is not the rate's doing any more. */
START_TEST(a_program_that_leaves_waits_for_the_rate_and_not_for_the_server)
{
    rate(BUDGET_SEND, "1 per min");
    is_open(&a, STAGE_SHARED);
    is_open(&b, STAGE_SHARED);
    sends(&a, "a1");
    sends(&a, "a2");
    ck_assert_str_eq(receives(peer), "a1");
    program_closes(&a, 1000, "");
    stage_wait(&stage, 61000);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "");
    stage_wait(&stage, 2 * (uint64_t)TARGET_DEFAULT_CLOSE_TIMEOUT_MS);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(timeout) close(1006)");
    program_deinit(&a);
    program_deinit(&b);
}
END_TEST

START_TEST(a_connection_that_ends_leaves_the_line)
{
    struct upstream *to_a, *to_b;

    rate(BUDGET_SEND, "1 per s");
    to_a = is_open(&a, STAGE_PRIVATE);
    to_b = is_open(&b, STAGE_PRIVATE);
    sends(&a, "a1");
    sends(&a, "a2");
    sends(&b, "b1");
    ck_assert_str_eq(receives(to_a), "a1");
    ck_assert_str_eq(receives(to_b), "");
    peer_fails(to_a, WSP_CAUSE_LOST);
    stage_wait(&stage, BACK_MS);
    ck_assert_str_eq(receives(to_b), "b1");
    program_deinit(&a);
    program_deinit(&b);
}
END_TEST

START_TEST(what_the_connection_itself_says_is_counted)
{
    rate(BUDGET_SEND, "3 per s");
    is_open(&a, STAGE_PRIVATE);
    sending_control(peer->share);
    sending_control(peer->share);
    for (int i = 0; i < 3; i++)
        sends(&a, "m");
    ck_assert_str_eq(receives(peer), "m");
    program_deinit(&a);
}
END_TEST

START_TEST(greeting_and_heartbeat_are_counted_and_do_not_wait)
{
    rate(BUDGET_SEND, "1 per min");
    stage.greeting[0] = "login";
    stage.greeting[1] = "start";
    stage.heartbeat =
        (struct heartbeat_settings){.text = (char *)(uintptr_t) "beat", .interval_ms = 10000};
    is_open(&a, STAGE_PRIVATE);
    sends(&a, "m");
    ck_assert_str_eq(receives(peer), "login start");
    stage_wait(&stage, 10000);
    ck_assert_str_eq(receives(peer), "beat");
    stage_wait(&stage, 61000 - 10000);
    /* The beats have been spent since. */
    ck_assert(strstr(receives(peer), "m") == NULL);
    program_deinit(&a);
}
END_TEST

START_TEST(a_rate_that_goes_lets_all_go)
{
    rate(BUDGET_SEND, "1 per day");
    is_open(&a, STAGE_PRIVATE);
    for (int i = 0; i < 3; i++)
        sends(&a, "m");
    ck_assert_str_eq(receives(peer), "m");
    no_rate(BUDGET_SEND);
    stage_wait(&stage, 1);
    ck_assert_uint_eq(peer->n_wakes, 1);
    ck_assert_str_eq(receives(peer), "m m");
    program_deinit(&a);
}
END_TEST

/* --- connections --- */

START_TEST(a_connection_over_the_rate_waits)
{
    rate(BUDGET_CONNECT, "1 per min");
    is_open(&a, STAGE_PRIVATE);
    opens(&b, STAGE_PRIVATE);
    opens(&c, STAGE_PRIVATE);
    ck_assert_uint_eq(stage.n_peers, 1);
    ck_assert_int_eq(b.channel.share->state, SHARE_CONNECTING);
    ck_assert_uint_eq(budget_wait_ms(&b.channel.share->reconnect.attempt), 61000);
    ck_assert_uint_eq(budget_wait_ms(&c.channel.share->reconnect.attempt), 122000);
    stage_wait(&stage, 60999);
    ck_assert_uint_eq(stage.n_peers, 1);
    stage_wait(&stage, 1);
    ck_assert_uint_eq(stage.n_peers, 2);
    ck_assert_ptr_eq(stage_peer(&stage)->share, b.channel.share);
    peer_opens(stage_peer(&stage), "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open");
    stage_wait(&stage, 61000);
    ck_assert_uint_eq(stage.n_peers, 3);
    peer_fails(stage_peer(&stage), WSP_CAUSE_CONNECT);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "error(connect) close(1006)");
    program_deinit(&a);
    program_deinit(&b);
    program_deinit(&c);
}
END_TEST

START_TEST(who_joins_waits_with_it)
{
    rate(BUDGET_CONNECT, "1 per min");
    is_open(&a, STAGE_PRIVATE);
    opens(&b, STAGE_SHARED);
    opens(&c, STAGE_SHARED);
    stage_wait(&stage, 61000);
    ck_assert_uint_eq(stage.n_peers, 2);
    peer_opens(stage_peer(&stage), "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open");
    ck_assert_str_eq(program_heard(&c), "open");
    program_deinit(&a);
    program_deinit(&b);
    program_deinit(&c);
}
END_TEST

START_TEST(who_gives_up_waiting_spends_nothing)
{
    rate(BUDGET_CONNECT, "1 per min");
    is_open(&a, STAGE_PRIVATE);
    opens(&b, STAGE_PRIVATE);
    opens(&c, STAGE_PRIVATE);
    stage_turn(&stage);
    program_closes(&b, 0, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "error(cancelled) close(1006)");
    stage_wait(&stage, 61000);
    ck_assert_uint_eq(stage.n_peers, 2);
    ck_assert_ptr_eq(stage_peer(&stage)->share, c.channel.share);
    program_deinit(&a);
    program_deinit(&b);
    program_deinit(&c);
}
END_TEST

START_TEST(the_daemon_stops_while_one_waits)
{
    rate(BUDGET_CONNECT, "1 per min");
    is_open(&a, STAGE_PRIVATE);
    opens(&b, STAGE_PRIVATE);
    stage_turn(&stage);
    shares_drain(&stage.shares);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "error(shutdown) close(1006)");
    peer_ends(peer, true, 1001, "");
    stage_turn(&stage);
    ck_assert_uint_eq(stage.shares.n_upstreams, 0);
    stage_wait(&stage, 61000);
    ck_assert_uint_eq(stage.n_peers, 1);
    program_deinit(&a);
    program_deinit(&b);
}
END_TEST

START_TEST(one_that_comes_back_waits_after_its_delay)
{
    rate(BUDGET_CONNECT, "2 per min");
    is_open(&a, STAGE_SHARED);
    peer->share->target->is_persistent = true;
    peer_fails(peer, WSP_CAUSE_LOST);
    stage_wait(&stage, 2000);
    ck_assert_uint_eq(stage.n_peers, 2);
    peer_fails(stage_peer(&stage), WSP_CAUSE_CONNECT);
    stage_wait(&stage, 30000);
    ck_assert_uint_eq(stage.n_peers, 2);
    ck_assert_uint_gt(budget_wait_ms(&a.channel.share->reconnect.attempt), 20000);
    ck_assert_int_eq(a.channel.share->state, SHARE_RECONNECTING);
    stage_wait(&stage, 61000 - 30000);
    ck_assert_uint_eq(stage.n_peers, 3);
    program_deinit(&a);
}
END_TEST

START_TEST(no_connection_is_given_up_for_one_that_would_have_to_wait)
{
    rate(BUDGET_CONNECT, "1 per h");
    opens(&a, STAGE_SHARED);
    peer = stage_peer(&stage);
    peer->share->target->is_persistent = true;
    peer->share->target->rotate_ms = 60000;
    peer_opens(peer, "");
    stage_wait(&stage, 3600000);
    ck_assert(!peer->is_close_asked);
    stage_wait(&stage, 1000);
    ck_assert(peer->is_close_asked);
    peer_ends(peer, true, 1000, "");
    stage_wait(&stage, 1);
    ck_assert_uint_eq(stage.n_peers, 2);
    program_deinit(&a);
}
END_TEST

/* Loop test: whatever is forgotten of a share that waits shows at the end of the stage. */
START_TEST(a_share_that_waits_is_freed)
{
    rate(BUDGET_CONNECT, "1 per min");
    rate(BUDGET_SEND, "1 per min");
    is_open(&a, STAGE_PRIVATE);
    opens(&b, STAGE_PRIVATE);
    sends(&a, "1");
    sends(&a, "2");
    ck_assert_str_eq(receives(peer), "1");
    if (_i == 0)
        stage_wait(&stage, 30000);
    if (_i == 1)
        peer_ends(peer, true, 1000, "");
    program_deinit(&b);
    program_deinit(&a);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("budgets");
    TCase *messages = unit_case(suite, "messages");
    TCase *connections = unit_case(suite, "connections");

    tcase_add_checked_fixture(messages, setup, teardown);
    tcase_add_checked_fixture(connections, setup, teardown);
    tcase_add_test(messages, messages_over_the_rate_wait);
    tcase_add_test(messages, channels_take_turns);
    tcase_add_test(messages, connections_take_turns);
    tcase_add_test(messages, a_program_that_leaves_has_its_messages_sent);
    tcase_add_test(messages, a_program_that_leaves_waits_for_the_rate_and_not_for_the_server);
    tcase_add_test(messages, a_connection_that_ends_leaves_the_line);
    tcase_add_test(messages, what_the_connection_itself_says_is_counted);
    tcase_add_test(messages, greeting_and_heartbeat_are_counted_and_do_not_wait);
    tcase_add_test(messages, a_rate_that_goes_lets_all_go);
    tcase_add_test(connections, a_connection_over_the_rate_waits);
    tcase_add_test(connections, who_joins_waits_with_it);
    tcase_add_test(connections, who_gives_up_waiting_spends_nothing);
    tcase_add_test(connections, the_daemon_stops_while_one_waits);
    tcase_add_test(connections, one_that_comes_back_waits_after_its_delay);
    tcase_add_test(connections, no_connection_is_given_up_for_one_that_would_have_to_wait);
    tcase_add_loop_test(connections, a_share_that_waits_is_freed, 0, 3);
    return suite;
}

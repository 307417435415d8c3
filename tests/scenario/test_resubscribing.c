/*
 * test_resubscribing: what is said to a server that comes back, and that it has what the channels want whatever happens.
 *
 * Between the scripted programs and the scripted server of tests/harness/stage. Promise 8 of sharing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/subscribing_story.h"

START_TEST(all_is_said_anew_before_anything_else)
{
    with_heartbeat("pong");
    stage.greeting[0] = "login";
    a_and_b_share();
    program_sends(&a, "a1");
    subscribes(&a, "+x");
    subscribes(&b, "+y");
    subscribes(&a, "+y");
    ck_assert_str_eq(receives(), "login +y a1 +x");
    comes_back();
    program_sends(&b, "b2");
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "login +x +y b2");
    /* One heartbeat, and that of this connection. */
    stage_wait(&stage, BEAT);
    ck_assert_str_eq(receives(), "ping");
}
END_TEST

START_TEST(said_anew_at_the_pace_while_all_messages_wait)
{
    with_heartbeat(NULL);
    stage.heartbeat.interval_ms = 3 * PACE / 2;
    stage.greeting[0] = "login";
    stage.greeting_interval_ms = PACE;
    a_and_b_share();
    subscribes(&a, "+x");
    subscribes(&a, "+y");
    stage_wait(&stage, 0);
    for (int i = 0; i < 3; i++) {
        receives();
        stage_wait(&stage, PACE);
    }
    comes_back();
    program_sends(&b, "b1");
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "login");
    stage_wait(&stage, PACE);
    ck_assert_str_eq(receives(), "+x");
    stage_wait(&stage, PACE / 2);
    ck_assert_str_eq(receives(), "ping");
    stage_wait(&stage, PACE / 2);
    ck_assert_str_eq(receives(), "+y b1");
}
END_TEST

/* The new one has not been told anything yet. */
START_TEST(the_pace_of_a_connection_ends_with_it)
{
    stage.greeting[0] = "login";
    stage.greeting_interval_ms = 3600000;
    a_and_b_share();
    ck_assert_str_eq(receives(), "login");
    comes_back();
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "login");
}
END_TEST

START_TEST(what_has_changed_while_it_was_away)
{
    a_and_b_share();
    subscribes(&a, "+x");
    subscribes(&b, "+y");
    ck_assert_str_eq(receives(), "+x +y");
    comes_back();
    subscribes(&b, "+z");
    program_deinit(&a);
    opens(&c, STAGE_SHARED);
    subscribes(&c, "+w");
    program_unsubscribes(&b, "+y");
    stage_turn(&stage);
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "+z +w");
}
END_TEST

/* It is not known whether it has arrived. */
START_TEST(what_was_on_its_way_is_said_again)
{
    a_and_b_share();
    subscribes(&a, "+x");
    peer_takes(peer);
    comes_back();
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "+x");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SENDING_BYTES), 0);
}
END_TEST

START_TEST(a_withdrawal_that_was_due_is_not_owed_to_the_next)
{
    stage.greeting_interval_ms = PACE;
    a_and_b_share();
    subscribes(&a, "+x");
    ck_assert_str_eq(receives(), "+x");
    program_unsubscribes(&a, "+x");
    ck_assert_str_eq(receives(), "");
    comes_back();
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "");
    stage_wait(&stage, PACE);
    ck_assert_str_eq(receives(), "");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SUBSCRIPTION_BYTES), 0);
}
END_TEST

/* What it sent before has been refused; it still wants what it asked for behind that. */
START_TEST(refused_messages_do_not_hold_up_what_was_asked_for_behind_them)
{
    a_and_b_share();
    peer->share->target->offline = OFFLINE_REFUSE;
    program_sends(&a, "a1");
    subscribes(&a, "+x");
    comes_back();
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "+x");
    ck_assert_uint_eq(a.channel.n_unsent, 1);
}
END_TEST

START_TEST(messages_that_come_back_stay_before_what_was_asked_for_behind_them)
{
    a_and_b_share();
    program_sends(&a, "a1");
    program_sends(&a, "a2");
    subscribes(&a, "+x");
    program_sends(&a, "a3");
    peer_takes(peer);
    comes_back();
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "a1 a2 +x a3");
}
END_TEST

START_TEST(a_private_channel_comes_back_with_what_it_holds)
{
    a_is_open(STAGE_PRIVATE);
    subscribes(&a, "+x");
    ck_assert_str_eq(receives(), "+x");
    comes_back();
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "+x");
}
END_TEST

START_TEST(a_lost_heartbeat_brings_it_back)
{
    with_heartbeat("pong");
    a_and_b_share();
    peer->share->target->is_persistent = true;
    stage_wait(&stage, BEAT);
    ck_assert_str_eq(receives(), "ping");
    stage_wait(&stage, PATIENCE);
    ck_assert_uint_eq(peer->failed, WSP_CAUSE_LOST);
    comes_back();
    peer_opens(peer, "");
    peer_sends(peer, "pong"); /* to the old one's heartbeat, from nobody */
    stage_turn(&stage);
    ck_assert_ptr_nonnull(strstr(program_heard(&a), "resumed pong"));
}
END_TEST

/* --- any order of everything, with a server that minds --- */

enum { N_PROGRAMS = 4, N_TOPICS = 5, N_STEPS = 1500 };

static struct program crowd[N_PROGRAMS];
static bool is_there[N_PROGRAMS], wants[N_PROGRAMS][N_TOPICS], server_has[N_TOPICS];
static bool is_server_up;
static unsigned chance_state, n_given[N_PROGRAMS], n_arrived[N_PROGRAMS];

static unsigned chance(unsigned n)
{
    chance_state = chance_state * 1103515245 + 12345;
    return (chance_state >> 16) % n;
}

/* "+0", "-0", or "0 1": the first message of program 0. */
static void server_is_told(const char *text, size_t len)
{
    unsigned who, number;

    if (text[0] == '+' || text[0] == '-') {
        ck_assert_uint_eq(len, 2);
        ck_assert_int_eq(server_has[text[1] - '0'], text[0] == '-');
        server_has[text[1] - '0'] = text[0] == '+';
        return;
    }
    ck_assert_int_eq(sscanf(text, "%u %u", &who, &number), 2);
    /* In order, and none twice; programs that died have taken theirs along. */
    ck_assert_uint_gt(number, n_arrived[who]);
    n_arrived[who] = number;
}

static bool server_takes_one(void)
{
    struct outgoing *outgoing = peer_takes(peer);
    char text[40];
    size_t len;

    if (outgoing == NULL)
        return false;
    len = wsp_buffer_len(&outgoing->payload);
    memcpy(text, wsp_buffer_peek(&outgoing->payload), len);
    text[len] = '\0';
    server_is_told(text, len);
    peer_writes(peer, outgoing);
    return true;
}

static void server_takes_all(void)
{
    do {
        stage_turn(&stage);
        while (server_takes_one())
            ;
        if (!pace_is_free(&peer->share->sending.pace))
            stage_wait(&stage, stage.greeting_interval_ms);
    } while (peer->n_wakes > 0 && (peer->n_wakes = 0, true));
}

static void server_has_the_union(void)
{
    server_takes_all();
    for (unsigned topic = 0; topic < N_TOPICS; topic++) {
        bool has = false;

        for (unsigned i = 0; i < N_PROGRAMS; i++)
            has = has || wants[i][topic];
        ck_assert_msg(server_has[topic] == has, "topic %u: has %d, wanted %d", topic,
                      server_has[topic], has);
    }
    for (unsigned i = 0; i < N_PROGRAMS; i++)
        if (is_there[i])
            ck_assert_uint_eq(n_arrived[i], n_given[i]);
}

static void server_changes(void)
{
    memset(server_has, 0, sizeof(server_has));
    if (is_server_up)
        comes_back();
    else
        peer_opens(peer, "");
    is_server_up = !is_server_up;
}

static void program_comes_or_goes(unsigned i)
{
    memset(wants[i], 0, sizeof(wants[i]));
    if (!is_there[i]) {
        opens(&crowd[i], STAGE_SHARED);
        n_given[i] = n_arrived[i] = 0;
    } else {
        program_deinit(&crowd[i]);
    }
    is_there[i] = !is_there[i];
}

static void program_does_something(unsigned i)
{
    char topic[3] = {'+', (char)('0' + chance(N_TOPICS))}, text[40];

    if (!is_there[i])
        return;
    switch (chance(4)) {
    case 0:
    case 1:
        subscribes(&crowd[i], topic);
        wants[i][topic[1] - '0'] = true;
        break;
    case 2:
        program_unsubscribes(&crowd[i], topic);
        wants[i][topic[1] - '0'] = false;
        break;
    default: snprintf(text, sizeof(text), "%u %u", i, ++n_given[i]); program_sends(&crowd[i], text);
    }
}

/* The first program stays, so that there is an upstream all the time. */
START_TEST(the_server_has_the_union_whatever_happens)
{
    chance_state = (unsigned)_i;
    stage.greeting_interval_ms = _i % 2 == 0 ? 0 : PACE;
    program_comes_or_goes(0);
    peer = stage_peer(&stage);
    server_changes();
    for (int n = 0; n < N_STEPS; n++) {
        switch (chance(30)) {
        case 0: server_changes(); break;
        case 1:
        case 2:
            if (is_server_up)
                server_has_the_union();
            break;
        case 3:
        case 4:
        case 5: program_comes_or_goes(1 + chance(N_PROGRAMS - 1)); break;
        case 6:
        case 7:
        case 8:
        case 9: stage_turn(&stage); break;
        case 10:
        case 11:
        case 12:
        case 13:
            if (is_server_up)
                server_takes_one();
            break;
        default: program_does_something(chance(N_PROGRAMS));
        }
    }
    if (!is_server_up)
        server_changes();
    server_has_the_union();
    for (unsigned i = 0; i < N_PROGRAMS; i++)
        if (is_there[i])
            program_comes_or_goes(i);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("resubscribing");
    TCase *again = story_case(suite, "again"), *walk = story_case(suite, "walk");

    tcase_add_test(again, all_is_said_anew_before_anything_else);
    tcase_add_test(again, said_anew_at_the_pace_while_all_messages_wait);
    tcase_add_test(again, the_pace_of_a_connection_ends_with_it);
    tcase_add_test(again, what_has_changed_while_it_was_away);
    tcase_add_test(again, what_was_on_its_way_is_said_again);
    tcase_add_test(again, a_withdrawal_that_was_due_is_not_owed_to_the_next);
    tcase_add_test(again, refused_messages_do_not_hold_up_what_was_asked_for_behind_them);
    tcase_add_test(again, messages_that_come_back_stay_before_what_was_asked_for_behind_them);
    tcase_add_test(again, a_private_channel_comes_back_with_what_it_holds);
    tcase_add_test(again, a_lost_heartbeat_brings_it_back);
    tcase_add_loop_test(walk, the_server_has_the_union_whatever_happens, 0, 10);
    return suite;
}

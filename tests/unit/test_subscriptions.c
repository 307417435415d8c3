/*
 * test_subscriptions: what channels want said, and what is said of it, as daemon/subscriptions.h has it.
 *
 * The server of these tests keeps what it has been told, and minds being told twice or untold what it was not told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/limits.h"
#include "daemon/subscriptions.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SUBSCRIBERS = 4, N_TOPICS = 6 };

static struct quota quota;
static struct user *user, *other;
static struct subscriptions subscriptions;
static struct subscriber subscribers[N_SUBSCRIBERS];
static struct subscriber *const a = &subscribers[0], *const b = &subscribers[1];
static unsigned n_wakes, n_reviews, n_released;

static void note_wake(void *owner)
{
    ck_assert_ptr_eq(owner, &subscriptions);
    n_wakes++;
}

static void note_review(void *owner)
{
    ck_assert_ptr_eq(owner, &subscriptions);
    n_reviews++;
}

static void note_released(struct subscriber *subscriber)
{
    ck_assert(!subscriber_is_waiting(subscriber));
    n_released++;
}

static void setup(void)
{
    quota_init(&quota);
    ck_assert_int_eq(quota_user_ref(&quota, 1000, &user), 0);
    ck_assert_int_eq(quota_user_ref(&quota, 1001, &other), 0);
    n_wakes = n_reviews = n_released = 0;
    subscriptions_init(&subscriptions, note_wake, note_review, &subscriptions);
    for (int i = 0; i < N_SUBSCRIBERS; i++)
        subscriber_init(&subscribers[i], note_released);
}

static void teardown(void)
{
    for (int i = 0; i < N_SUBSCRIBERS; i++) {
        subscriptions_leave(&subscriptions, &subscribers[i]);
        ck_assert_uint_eq(subscribers[i].n_holds, 0);
        ck_assert_uint_eq(subscribers[i].bytes, 0);
        ck_assert(!subscriber_is_waiting(&subscribers[i]));
    }
    subscriptions_deinit(&subscriptions);
    ck_assert_uint_eq(subscriptions.n_all, 0);
    ck_assert_ptr_null(subscriptions.by_text);
    user_unref(user);
    user_unref(other);
    quota_deinit(&quota); /* nothing is charged any more */
}

static int add_after(struct subscriber *subscriber, const char *on_connect, const char *on_leave,
                     uint64_t after)
{
    return subscriptions_add(&subscriptions, subscriber, user, wsp_view_of_string(on_connect),
                             wsp_view_of_string(on_leave), after);
}

static int add(struct subscriber *subscriber, const char *topic)
{
    char on_leave[80];

    snprintf(on_leave, sizeof(on_leave), "-%s", topic + 1);
    return add_after(subscriber, topic, on_leave, 0);
}

static void gives_up(struct subscriber *subscriber, const char *topic)
{
    subscriptions_remove(&subscriptions, subscriber, wsp_view_of_string(topic), 0);
}

/* All that is due, said; the texts, separated by blanks. */
static const char *said(void)
{
    static char text[1000];
    struct wsp_view next;
    size_t len = 0;

    text[0] = '\0';
    while (subscriptions_next(&subscriptions, &next)) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", len > 0 ? " " : "",
                                (int)next.len, (const char *)next.data);
        ck_assert_uint_lt(len, sizeof(text));
        subscriptions_said(&subscriptions);
    }
    return text;
}

static const char *said_after_review(void)
{
    subscriptions_review(&subscriptions);
    return said();
}

START_TEST(nothing_is_said_before_a_connection_is_open)
{
    ck_assert_int_eq(add(a, "+x"), 0);
    ck_assert_str_eq(said_after_review(), "");
    subscriptions_begin(&subscriptions);
    ck_assert_uint_eq(n_wakes, 1);
    ck_assert(subscriptions_are_beginning(&subscriptions));
    ck_assert_str_eq(said(), "+x");
    ck_assert(!subscriptions_are_beginning(&subscriptions));
}
END_TEST

START_TEST(the_first_says_it_and_the_last_withdraws_it)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    ck_assert_str_eq(said(), "+x");
    add(b, "+x");
    add(b, "+y");
    ck_assert_str_eq(said_after_review(), "+y");
    subscriptions_leave(&subscriptions, a);
    ck_assert_str_eq(said_after_review(), "");
    gives_up(b, "+x");
    ck_assert_str_eq(said(), ""); /* not before the end of the turn */
    ck_assert_uint_eq(n_reviews, 1);
    ck_assert_str_eq(said_after_review(), "-x");
    subscriptions_leave(&subscriptions, b);
    ck_assert_str_eq(said_after_review(), "-y");
    ck_assert_uint_eq(subscriptions.n_all, 0);
}
END_TEST

START_TEST(twice_of_one_channel_is_once)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    add(a, "+x");
    ck_assert_str_eq(said(), "+x");
    add(a, "+x");
    gives_up(a, "+x");
    gives_up(a, "+x");
    ck_assert_str_eq(said_after_review(), "-x");
}
END_TEST

START_TEST(what_was_never_asked_for_cannot_be_given_up)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    gives_up(b, "+x");
    gives_up(a, "+y");
    ck_assert_str_eq(said_after_review(), "+x");
}
END_TEST

START_TEST(the_last_leaves_and_another_comes_in_the_same_turn)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    said();
    subscriptions_leave(&subscriptions, a);
    add(b, "+x");
    ck_assert_str_eq(said_after_review(), "");
    gives_up(b, "+x");
    add(b, "+x");
    ck_assert_str_eq(said_after_review(), "");
}
END_TEST

/* Withdrawing is paced, perhaps: as long as it has not been said it can be spared. */
START_TEST(another_comes_before_it_is_withdrawn)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    said();
    subscriptions_leave(&subscriptions, a);
    subscriptions_review(&subscriptions);
    add(b, "+x");
    ck_assert_str_eq(said_after_review(), "");
    gives_up(b, "+x");
    ck_assert_str_eq(said_after_review(), "-x");
}
END_TEST

START_TEST(what_has_not_been_said_is_not_withdrawn)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    ck_assert(subscriber_is_waiting(a));
    gives_up(a, "+x");
    ck_assert(!subscriber_is_waiting(a));
    ck_assert_uint_eq(n_released, 1);
    ck_assert_str_eq(said_after_review(), "");
    ck_assert_uint_eq(subscriptions.n_all, 0);
}
END_TEST

START_TEST(each_connection_is_told_in_the_order_of_the_first_asking)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    add(a, "+y");
    add(b, "+z");
    add(b, "+x");
    said();
    gives_up(a, "+x");
    gives_up(a, "+y");
    said_after_review();
    add(a, "+y");
    subscriptions_end(&subscriptions);
    ck_assert_str_eq(said_after_review(), "");
    add(a, "+w");
    gives_up(b, "+z");
    subscriptions_begin(&subscriptions);
    ck_assert_str_eq(said_after_review(), "+x +y +w");
}
END_TEST

/* on_leave is not owed to a connection that is gone. */
START_TEST(what_waits_to_be_withdrawn_goes_with_the_connection)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    add(b, "+y");
    said();
    subscriptions_leave(&subscriptions, a);
    subscriptions_review(&subscriptions);
    subscriptions_leave(&subscriptions, b);
    subscriptions_end(&subscriptions);
    ck_assert_uint_eq(subscriptions.n_all, 0);
    subscriptions_begin(&subscriptions);
    ck_assert_str_eq(said_after_review(), "");
}
END_TEST

START_TEST(without_on_leave_it_is_forgotten)
{
    subscriptions_begin(&subscriptions);
    add_after(a, "+x", "", 0);
    ck_assert_str_eq(said(), "+x");
    subscriptions_leave(&subscriptions, a);
    ck_assert_str_eq(said_after_review(), "");
    ck_assert_uint_eq(subscriptions.n_all, 0);
    add_after(b, "+x", "", 0);
    ck_assert_str_eq(said(), "+x");
}
END_TEST

START_TEST(texts_are_bytes)
{
    struct wsp_view x = {(const uint8_t *)"+x\0y", 4}, leave = {(const uint8_t *)"-\0", 2}, text;

    subscriptions_begin(&subscriptions);
    add(a, "+x");
    said();
    ck_assert_int_eq(subscriptions_add(&subscriptions, b, user, x, leave, 0), 0);
    ck_assert(subscriptions_next(&subscriptions, &text));
    unit_assert_bytes(text.data, text.len, x.data, x.len);
    subscriptions_said(&subscriptions);
    subscriptions_leave(&subscriptions, b);
    subscriptions_review(&subscriptions);
    ck_assert(subscriptions_next(&subscriptions, &text));
    unit_assert_bytes(text.data, text.len, leave.data, leave.len);
    subscriptions_said(&subscriptions);
}
END_TEST

/* --- who disagrees, and bounds --- */

START_TEST(another_on_leave_of_ones_own_is_refused)
{
    subscriptions_begin(&subscriptions);
    add_after(a, "+x", "-x", 0);
    ck_assert_int_eq(add_after(a, "+x", "-X", 0), SUBSCRIPTIONS_CONFLICT);
    ck_assert_int_eq(add_after(a, "+x", "", 0), SUBSCRIPTIONS_CONFLICT);
    ck_assert_str_eq(said(), "+x");
    subscriptions_leave(&subscriptions, a);
    ck_assert_str_eq(said_after_review(), "-x");
}
END_TEST

/* Nobody is kept from a topic, and nobody's is taken away while it is wanted, however others would take it back. */
START_TEST(who_wanted_it_last_says_how_it_is_taken_back)
{
    subscriptions_begin(&subscriptions);
    ck_assert_int_eq(add_after(a, "+x", "-y", 0), 0);
    ck_assert_int_eq(add_after(b, "+x", "-x", 0), 0);
    ck_assert_str_eq(said(), "+x");
    subscriptions_leave(&subscriptions, a);
    ck_assert_str_eq(said_after_review(), "");
    subscriptions_leave(&subscriptions, b);
    ck_assert_str_eq(said_after_review(), "-x");
    /* The other way round, and while another one waits to want it. */
    ck_assert_int_eq(add_after(a, "+x", "-y", 0), 0);
    ck_assert_int_eq(add_after(b, "+x", "-x", 0), 0);
    ck_assert_str_eq(said(), "+x");
    subscriptions_leave(&subscriptions, b);
    ck_assert_int_eq(add_after(b, "+x", "", 7), 0);
    subscriptions_leave(&subscriptions, a);
    ck_assert_str_eq(said_after_review(), "-y");
    subscriptions_passed(&subscriptions, b, 7);
    ck_assert_str_eq(said(), "+x");
    subscriptions_leave(&subscriptions, b);
    ck_assert_str_eq(said_after_review(), "");
    ck_assert_uint_eq(subscriptions.n_all, 0);
    ck_assert_uint_eq(user->used[QUOTA_SUBSCRIPTION_BYTES], 0);
}
END_TEST

START_TEST(who_comes_when_nobody_holds_it_says_how_it_is_withdrawn)
{
    subscriptions_begin(&subscriptions);
    add_after(a, "+x", "-x", 0);
    said();
    subscriptions_leave(&subscriptions, a);
    ck_assert_int_eq(add_after(b, "+x", "-X!", 0), 0);
    ck_assert_str_eq(said_after_review(), "");
    subscriptions_leave(&subscriptions, b);
    ck_assert_str_eq(said_after_review(), "-X!");
}
END_TEST

START_TEST(a_channel_has_so_many)
{
    char topic[20];

    for (int i = 0; i < MAX_SUBSCRIPTIONS_PER_CHANNEL; i++) {
        snprintf(topic, sizeof(topic), "+%d", i);
        ck_assert_int_eq(add(a, topic), 0);
    }
    ck_assert_int_eq(add(a, "+more"), SUBSCRIPTIONS_TOO_MANY);
    ck_assert_int_eq(add(a, "+7"), 0); /* which it has */
    ck_assert_int_eq(add(b, "+more"), 0);
    gives_up(a, "+7");
    ck_assert_int_eq(add(a, "+more"), 0);
}
END_TEST

START_TEST(a_channel_has_so_many_bytes)
{
    static char topic[60001];
    int n = 0;

    memset(topic, 'x', sizeof(topic) - 1);
    for (; n < 100; n++) {
        snprintf(topic, 3, "%02d", n);
        topic[2] = 'x';
        if (add_after(a, topic, "", 0) == SUBSCRIPTIONS_TOO_MANY)
            break;
    }
    ck_assert_int_eq(n, MAX_SUBSCRIPTION_BYTES_PER_CHANNEL / 60000);
    ck_assert_uint_le(a->bytes, MAX_SUBSCRIPTION_BYTES_PER_CHANNEL);
    ck_assert_uint_eq(user->used[QUOTA_SUBSCRIPTION_BYTES], a->bytes);
    ck_assert_int_eq(add(a, "+short"), 0);
}
END_TEST

START_TEST(a_user_has_so_many_bytes)
{
    add(a, "+x");
    quota.limits[QUOTA_SUBSCRIPTION_BYTES] = 2 * a->bytes;
    ck_assert_int_eq(add(b, "+x"), 0);
    ck_assert_uint_eq(user->used[QUOTA_SUBSCRIPTION_BYTES], 2 * a->bytes);
    ck_assert_int_eq(add(b, "+y"), SUBSCRIPTIONS_QUOTA);
    ck_assert_int_eq(subscriptions_add(&subscriptions, b, other, WSP_VIEW_LITERAL("+y"),
                                       WSP_VIEW_LITERAL("-y"), 0),
                     0);
    gives_up(a, "+x");
    ck_assert_int_eq(add(a, "+z"), 0);
}
END_TEST

/* Or a program could leave behind, where withdrawing is paced, what nobody pays for. */
START_TEST(what_waits_to_be_withdrawn_is_charged_to_the_last_that_held_it)
{
    uint64_t cost;

    subscriptions_begin(&subscriptions);
    add(a, "+x");
    cost = a->bytes;
    quota.limits[QUOTA_SUBSCRIPTION_BYTES] = cost;
    said();
    gives_up(a, "+x");
    ck_assert_uint_eq(user->used[QUOTA_SUBSCRIPTION_BYTES], cost);
    subscriptions_review(&subscriptions);
    ck_assert_int_eq(add(a, "+y"), SUBSCRIPTIONS_QUOTA);
    /* One who takes it up again pays for it once, another user instead. */
    ck_assert_int_eq(add_after(a, "+x", "-X!", 0), SUBSCRIPTIONS_QUOTA); /* is longer */
    ck_assert_uint_eq(user->used[QUOTA_SUBSCRIPTION_BYTES], cost);
    ck_assert_int_eq(add_after(a, "+x", "-", 0), 0);
    ck_assert_uint_eq(user->used[QUOTA_SUBSCRIPTION_BYTES], cost - 1);
    gives_up(a, "+x");
    ck_assert_int_eq(subscriptions_add(&subscriptions, b, other, WSP_VIEW_LITERAL("+x"),
                                       WSP_VIEW_LITERAL("-x"), 0),
                     0);
    ck_assert_uint_eq(user->used[QUOTA_SUBSCRIPTION_BYTES], 0);
    ck_assert_uint_eq(other->used[QUOTA_SUBSCRIPTION_BYTES], cost);
    subscriptions_leave(&subscriptions, b);
    ck_assert_str_eq(said_after_review(), "-x");
    ck_assert_uint_eq(other->used[QUOTA_SUBSCRIPTION_BYTES], 0);
}
END_TEST

START_TEST(no_memory)
{
    int r = -ENOMEM;

    subscriptions_begin(&subscriptions);
    for (size_t n = 0; r == -ENOMEM; n++) {
        allocation_fail_after(n);
        r = add(a, "+x");
        ck_assert_int_eq(allocation_disarm(), r == -ENOMEM);
        ck_assert_uint_eq(subscriptions.n_all, r == 0);
        ck_assert_uint_eq(user->used[QUOTA_SUBSCRIPTION_BYTES], a->bytes);
    }
    ck_assert_str_eq(said(), "+x");
    subscriptions_leave(&subscriptions, a);
    r = -ENOMEM;
    for (size_t n = 0; r == -ENOMEM; n++) {
        allocation_fail_after(n);
        r = add_after(a, "+x", "-X", 0);
        ck_assert_int_eq(allocation_disarm(), r == -ENOMEM);
    }
    subscriptions_leave(&subscriptions, a);
    ck_assert_str_eq(said_after_review(), "-X");
}
END_TEST

/* --- places among messages --- */

START_TEST(what_was_sent_before_goes_before)
{
    subscriptions_begin(&subscriptions);
    add_after(a, "+x", "-x", 3);
    ck_assert(!subscriber_is_waiting(a));
    ck_assert_str_eq(said(), "");
    subscriptions_passed(&subscriptions, a, 2);
    ck_assert_str_eq(said(), "");
    subscriptions_passed(&subscriptions, a, 3);
    ck_assert(subscriber_is_waiting(a));
    ck_assert_str_eq(said(), "+x");
    ck_assert(!subscriber_is_waiting(a));
    ck_assert_uint_eq(n_released, 1);
}
END_TEST

START_TEST(nobody_waits_for_what_another_waits_for)
{
    subscriptions_begin(&subscriptions);
    add_after(a, "+x", "-x", 3);
    add(b, "+x");
    ck_assert_str_eq(said(), "+x");
    subscriptions_passed(&subscriptions, a, 3);
    ck_assert(!subscriber_is_waiting(a)); /* it has been said */
    subscriptions_leave(&subscriptions, b);
    ck_assert_str_eq(said_after_review(), "");
}
END_TEST

START_TEST(all_that_wait_for_the_same_are_released)
{
    subscriptions_begin(&subscriptions);
    add(a, "+w");
    add(a, "+x");
    add(b, "+x");
    subscriptions_said(&subscriptions);
    ck_assert(subscriber_is_waiting(a) && subscriber_is_waiting(b));
    subscriptions_said(&subscriptions);
    ck_assert(!subscriber_is_waiting(a) && !subscriber_is_waiting(b));
    ck_assert_uint_eq(n_released, 2);
}
END_TEST

START_TEST(given_up_behind_messages)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    said();
    subscriptions_remove(&subscriptions, a, WSP_VIEW_LITERAL("+x"), 5);
    subscriptions_passed(&subscriptions, a, 4);
    ck_assert_str_eq(said_after_review(), "");
    subscriptions_passed(&subscriptions, a, 5);
    ck_assert_str_eq(said_after_review(), "-x");
}
END_TEST

START_TEST(given_up_behind_messages_and_then_kept)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    said();
    subscriptions_remove(&subscriptions, a, WSP_VIEW_LITERAL("+x"), 5);
    add_after(a, "+x", "-x", 6);
    subscriptions_passed(&subscriptions, a, UINT64_MAX);
    ck_assert_str_eq(said_after_review(), "");
}
END_TEST

START_TEST(asked_for_behind_messages_and_then_given_up)
{
    subscriptions_begin(&subscriptions);
    add_after(a, "+x", "-x", 5);
    subscriptions_remove(&subscriptions, a, WSP_VIEW_LITERAL("+x"), 6);
    ck_assert_uint_eq(subscriptions.n_all, 0);
    subscriptions_passed(&subscriptions, a, UINT64_MAX);
    ck_assert_str_eq(said_after_review(), "");
}
END_TEST

START_TEST(what_waits_for_messages_is_not_said_to_a_new_connection_before_them)
{
    add(a, "+x");
    add_after(a, "+y", "-y", 1);
    subscriptions_begin(&subscriptions);
    ck_assert_str_eq(said(), "+x");
    subscriptions_passed(&subscriptions, a, 1);
    ck_assert_str_eq(said(), "+y");
}
END_TEST

START_TEST(nothing_has_to_wait_when_the_connection_is_gone)
{
    subscriptions_begin(&subscriptions);
    add(a, "+x");
    add(b, "+x");
    subscriptions_end(&subscriptions);
    ck_assert(!subscriber_is_waiting(a) && !subscriber_is_waiting(b));
    ck_assert_uint_eq(n_released, 2);
}
END_TEST

/* --- any order of everything, with a server that minds --- */

static unsigned chance_state;

static unsigned chance(unsigned n)
{
    chance_state = chance_state * 1103515245 + 12345;
    return (chance_state >> 16) % n;
}

static bool server_has[N_TOPICS], is_wanted[N_SUBSCRIBERS][N_TOPICS];

static void server_is_told(void)
{
    struct wsp_view text;
    int topic;

    if (!subscriptions_next(&subscriptions, &text))
        return;
    ck_assert_uint_eq(text.len, 2);
    topic = text.data[1] - '0';
    ck_assert_int_eq(server_has[topic], text.data[0] == '-');
    server_has[topic] = !server_has[topic];
    subscriptions_said(&subscriptions);
}

static void server_has_what_is_wanted(void)
{
    struct wsp_view text;

    for (int i = 0; i < N_SUBSCRIBERS; i++)
        subscriptions_passed(&subscriptions, &subscribers[i], UINT64_MAX);
    subscriptions_review(&subscriptions);
    while (subscriptions_next(&subscriptions, &text))
        server_is_told();
    for (int topic = 0; topic < N_TOPICS; topic++) {
        bool has = false;

        for (int i = 0; i < N_SUBSCRIBERS; i++)
            has = has || is_wanted[i][topic];
        ck_assert_int_eq(server_has[topic], has && subscriptions.is_open);
    }
    for (int i = 0; i < N_SUBSCRIBERS; i++)
        ck_assert(!subscriber_is_waiting(&subscribers[i]));
}

static void step(void)
{
    unsigned i = chance(N_SUBSCRIBERS), topic = chance(N_TOPICS), after = chance(3);
    char on_connect[3] = {'+', (char)('0' + topic)}, on_leave[3] = {'-', (char)('0' + topic)};

    switch (chance(12)) {
    case 0:
    case 1:
    case 2:
        ck_assert_int_eq(add_after(&subscribers[i], on_connect, on_leave, after), 0);
        is_wanted[i][topic] = true;
        break;
    case 3:
    case 4:
        subscriptions_remove(&subscriptions, &subscribers[i], wsp_view_of_string(on_connect),
                             after);
        is_wanted[i][topic] = false;
        break;
    case 5:
        subscriptions_leave(&subscriptions, &subscribers[i]);
        memset(is_wanted[i], 0, sizeof(is_wanted[i]));
        break;
    case 6: subscriptions_passed(&subscriptions, &subscribers[i], after); break;
    case 7: subscriptions_review(&subscriptions); break;
    case 8:
    case 9: server_is_told(); break;
    case 10:
        memset(server_has, 0, sizeof(server_has));
        if (subscriptions.is_open)
            subscriptions_end(&subscriptions);
        else
            subscriptions_begin(&subscriptions);
        break;
    case 11: server_has_what_is_wanted(); break;
    default: break;
    }
}

START_TEST(the_server_has_what_is_wanted_whatever_happens)
{
    chance_state = (unsigned)_i;
    subscriptions_begin(&subscriptions);
    for (int n = 0; n < 3000; n++)
        step();
    server_has_what_is_wanted();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("subscriptions");
    TCase *counting = unit_case(suite, "counting"), *bounds = unit_case(suite, "bounds");
    TCase *places = unit_case(suite, "places"), *walk = unit_case(suite, "walk");

    tcase_add_checked_fixture(counting, setup, teardown);
    tcase_add_test(counting, nothing_is_said_before_a_connection_is_open);
    tcase_add_test(counting, the_first_says_it_and_the_last_withdraws_it);
    tcase_add_test(counting, twice_of_one_channel_is_once);
    tcase_add_test(counting, what_was_never_asked_for_cannot_be_given_up);
    tcase_add_test(counting, the_last_leaves_and_another_comes_in_the_same_turn);
    tcase_add_test(counting, another_comes_before_it_is_withdrawn);
    tcase_add_test(counting, what_has_not_been_said_is_not_withdrawn);
    tcase_add_test(counting, each_connection_is_told_in_the_order_of_the_first_asking);
    tcase_add_test(counting, what_waits_to_be_withdrawn_goes_with_the_connection);
    tcase_add_test(counting, without_on_leave_it_is_forgotten);
    tcase_add_test(counting, texts_are_bytes);
    tcase_add_checked_fixture(bounds, setup, teardown);
    tcase_add_test(bounds, another_on_leave_of_ones_own_is_refused);
    tcase_add_test(bounds, who_wanted_it_last_says_how_it_is_taken_back);
    tcase_add_test(bounds, who_comes_when_nobody_holds_it_says_how_it_is_withdrawn);
    tcase_add_test(bounds, a_channel_has_so_many);
    tcase_add_test(bounds, a_channel_has_so_many_bytes);
    tcase_add_test(bounds, a_user_has_so_many_bytes);
    tcase_add_test(bounds, what_waits_to_be_withdrawn_is_charged_to_the_last_that_held_it);
    tcase_add_test(bounds, no_memory);
    tcase_add_checked_fixture(places, setup, teardown);
    tcase_add_test(places, what_was_sent_before_goes_before);
    tcase_add_test(places, nobody_waits_for_what_another_waits_for);
    tcase_add_test(places, all_that_wait_for_the_same_are_released);
    tcase_add_test(places, given_up_behind_messages);
    tcase_add_test(places, given_up_behind_messages_and_then_kept);
    tcase_add_test(places, asked_for_behind_messages_and_then_given_up);
    tcase_add_test(places, what_waits_for_messages_is_not_said_to_a_new_connection_before_them);
    tcase_add_test(places, nothing_has_to_wait_when_the_connection_is_gone);
    tcase_add_checked_fixture(walk, setup, teardown);
    tcase_add_loop_test(walk, the_server_has_what_is_wanted_whatever_happens, 0, 20);
    return suite;
}

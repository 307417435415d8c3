/*
 * test_assembly: the contract of daemon/assembly.h: pieces to messages, and credit that always lets a message that was
 * begun be finished, within the user's quota.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/assembly.h"
#include "daemon/channel.h"
#include "proto/limits.h"
#include "proto/local/wire.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <string.h>

enum { WINDOW = WSP_INITIAL_CREDIT, HEADER = WSP_WIRE_HEADER_LEN, MAX_MESSAGE = 1 << 20 };

static struct quota quota;
static struct user *user;
static struct assembly a, b, c;
static unsigned n_grants;
static uint8_t bytes[WSP_MAX_LOCAL_PAYLOAD];

static void granted_more(struct assembly *assembly)
{
    ck_assert_uint_le(assembly->granted - assembly->cost_received, WINDOW);
    n_grants++;
}

static void setup(void)
{
    memset(bytes, 'x', sizeof(bytes));
    quota_init(&quota);
    ck_assert_int_eq(quota_user_ref(&quota, 1000, &user), 0);
    assembly_init(&a, user, MAX_MESSAGE, granted_more);
    assembly_init(&b, user, MAX_MESSAGE, granted_more);
    assembly_init(&c, user, MAX_MESSAGE, granted_more);
}

static void teardown(void)
{
    assembly_deinit(&a);
    assembly_deinit(&a);
    assembly_deinit(&b);
    assembly_deinit(&c);
    ck_assert_uint_eq(user->used[QUOTA_SENDING_BYTES], 0);
    user_unref(user);
    quota_deinit(&quota);
}

static int feed(struct assembly *assembly, size_t len, bool is_last)
{
    return assembly_feed(assembly, true, is_last, (struct wsp_view){bytes, len});
}

static int feed_text(struct assembly *assembly, const char *text, bool is_last)
{
    return assembly_feed(assembly, false, is_last, wsp_view_of_string(text));
}

static uint64_t left(const struct assembly *assembly)
{
    return assembly->granted - assembly->cost_received;
}

static void assert_whole(struct assembly *assembly, const char *text)
{
    unit_assert_bytes(wsp_buffer_peek(&assembly->payload), wsp_buffer_len(&assembly->payload), text,
                      strlen(text));
}

/* As channel_send_take does. */
static void take(struct assembly *assembly)
{
    charge_release(&assembly->charge);
    wsp_buffer_deinit(&assembly->payload);
    wsp_buffer_init(&assembly->payload, MAX_MESSAGE);
}

/* --- pieces --- */

START_TEST(pieces_become_a_message)
{
    ck_assert_int_eq(feed_text(&a, "he", false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed_text(&a, "", false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed_text(&a, "llo", true), 0);
    assert_whole(&a, "hello");
    ck_assert_uint_eq(a.cost, 5 + 3 * HEADER);
    ck_assert_uint_eq(a.charge.amount, a.payload.capacity + outgoing_overhead());
    ck_assert_uint_eq(user->used[QUOTA_SENDING_BYTES], a.charge.amount);
    take(&a);
    ck_assert_int_eq(feed_text(&a, "", true), 0);
    assert_whole(&a, "");
    ck_assert_uint_eq(a.cost, HEADER);
    ck_assert_uint_eq(a.charge.amount, outgoing_overhead());
}
END_TEST

START_TEST(what_is_not_taken_is_dropped)
{
    ck_assert_int_eq(feed_text(&a, "one", true), 0);
    ck_assert_int_eq(feed_text(&a, "two", true), 0);
    assert_whole(&a, "two");
    ck_assert_uint_eq(user->used[QUOTA_SENDING_BYTES], a.payload.capacity + outgoing_overhead());
}
END_TEST

START_TEST(a_message_has_one_type)
{
    ck_assert_int_eq(feed_text(&a, "he", false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&a, 3, true), ASSEMBLY_OUT_OF_TURN);
}
END_TEST

/* Loop test over where a character of four bytes is cut. */
START_TEST(text_is_checked_across_pieces)
{
    static const char text[] = "\xf0\x9f\x99\x82";
    struct wsp_view head = {(const uint8_t *)text, (size_t)_i};
    struct wsp_view tail = {(const uint8_t *)text + _i, sizeof(text) - 1 - (size_t)_i};

    ck_assert_int_eq(assembly_feed(&a, false, false, head), ASSEMBLY_MORE);
    ck_assert_int_eq(assembly_feed(&a, false, true, tail), 0);
    assert_whole(&a, text);
    take(&a);
    ck_assert_int_eq(assembly_feed(&a, false, true, head),
                     _i == 0 || _i == 4 ? 0 : ASSEMBLY_NOT_UTF8);
}
END_TEST

START_TEST(wrong_text_is_found_at_once)
{
    ck_assert_int_eq(feed_text(&a, "x\xc0", false), ASSEMBLY_NOT_UTF8);
    ck_assert_int_eq(feed_text(&b, "ok", true), 0);
}
END_TEST

START_TEST(binary_is_not_text)
{
    ck_assert_int_eq(
        assembly_feed(&a, true, true, (struct wsp_view){(const uint8_t *)"\xff\xfe", 2}), 0);
}
END_TEST

START_TEST(max_message_is_exact)
{
    struct assembly fits, exceeds;

    assembly_init(&fits, user, 10, granted_more);
    ck_assert_int_eq(feed(&fits, 4, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&fits, 6, true), 0);
    assembly_deinit(&fits);
    assembly_init(&exceeds, user, 10, granted_more);
    ck_assert_int_eq(feed(&exceeds, 4, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&exceeds, 7, true), ASSEMBLY_TOO_BIG);
    assembly_deinit(&exceeds);
}
END_TEST

START_TEST(abort_forgets_and_counts_as_done)
{
    ck_assert_int_eq(assembly_abort(&a), ASSEMBLY_OUT_OF_TURN);
    ck_assert_int_eq(feed(&a, 1000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(assembly_abort(&a), 0);
    ck_assert_uint_eq(n_grants, 1);
    ck_assert_uint_eq(left(&a), WINDOW);
    ck_assert_uint_eq(user->used[QUOTA_SENDING_BYTES], 0);
    ck_assert_int_eq(assembly_abort(&a), ASSEMBLY_OUT_OF_TURN);
    ck_assert_int_eq(feed_text(&a, "next", true), 0);
    assert_whole(&a, "next");
    ck_assert_uint_eq(a.cost, 4 + HEADER);
}
END_TEST

/* --- credit --- */

START_TEST(credit_is_exact)
{
    ck_assert_int_eq(feed(&a, WINDOW - HEADER, true), 0);
    ck_assert_uint_eq(left(&a), 0);
    ck_assert_int_eq(feed(&a, 0, true), ASSEMBLY_OVER_CREDIT);
    ck_assert_int_eq(feed(&b, WINDOW - 2 * HEADER, true), 0);
    ck_assert_int_eq(feed(&b, 0, true), 0);
    ck_assert_int_eq(feed(&b, 0, true), ASSEMBLY_OVER_CREDIT);
}
END_TEST

START_TEST(credit_comes_back_as_messages_are_done)
{
    ck_assert_int_eq(feed(&a, 20, true), 0);
    take(&a);
    ck_assert_uint_eq(n_grants, 0);
    assembly_regrant(&a, 20 + HEADER);
    ck_assert_uint_eq(n_grants, 1);
    ck_assert_uint_eq(left(&a), WINDOW);
    assembly_regrant(&a, 20 + HEADER);
    ck_assert_uint_eq(n_grants, 1);
}
END_TEST

START_TEST(little_by_little_waits)
{
    uint64_t done = 0;

    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(feed(&a, 100, true), 0);
        take(&a);
    }
    for (int i = 0; i < 99; i++)
        assembly_regrant(&a, done += 100 + HEADER);
    ck_assert_uint_eq(n_grants, 0);
    assembly_regrant(&a, done + 100 + HEADER);
    ck_assert_uint_eq(n_grants, 1);
}
END_TEST

/* A message of any length goes through with no other one done: loop test over the length of its pieces. */
START_TEST(whoever_has_begun_can_finish)
{
    static const size_t lens[] = {1000, 4096, 30000, 65535, 65536};
    size_t len = lens[_i], sent = 0;

    while (sent < MAX_MESSAGE) {
        size_t room = left(&a) > HEADER ? left(&a) - HEADER : 0;
        size_t piece = len < MAX_MESSAGE - sent ? len : MAX_MESSAGE - sent;

        if (piece > room)
            piece = room;
        ck_assert_uint_gt(piece, 0);
        sent += piece;
        ck_assert_int_eq(feed(&a, piece, sent == MAX_MESSAGE),
                         sent == MAX_MESSAGE ? 0 : ASSEMBLY_MORE);
    }
    ck_assert_uint_eq(wsp_buffer_len(&a.payload), MAX_MESSAGE);
    ck_assert_uint_eq(a.charge.amount, a.payload.capacity + outgoing_overhead());
    ck_assert(!a.waiter.has_turn);
    take(&a);
    assembly_regrant(&a, a.cost);
    ck_assert_uint_eq(left(&a), WINDOW);
}
END_TEST

START_TEST(a_long_message_waits_for_the_earlier_ones_of_its_channel)
{
    uint64_t first;

    ck_assert_int_eq(feed(&a, 60000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&a, 60000, true), 0);
    first = a.cost;
    ck_assert_uint_gt(first, WINDOW);
    take(&a);
    ck_assert_uint_gt(left(&a), HEADER + 1000);
    n_grants = 0;
    ck_assert_int_eq(feed(&a, left(&a) - HEADER, false), ASSEMBLY_MORE);
    ck_assert_uint_eq(left(&a), 0);
    ck_assert_uint_eq(n_grants, 0);
    assembly_regrant(&a, first);
    ck_assert_uint_eq(n_grants, 1);
    ck_assert_uint_eq(left(&a), WINDOW - a.cost);
    ck_assert(!a.waiter.has_turn);
    ck_assert_int_eq(feed(&a, 30000, false), ASSEMBLY_MORE);
    ck_assert(a.waiter.has_turn);
    ck_assert_uint_eq(left(&a), WINDOW);
}
END_TEST

/* --- quota --- */

START_TEST(a_turn_is_charged_for_the_longest_message)
{
    ck_assert_int_eq(feed(&a, 60000, false), ASSEMBLY_MORE);
    ck_assert(a.waiter.has_turn);
    ck_assert_uint_eq(user->used[QUOTA_SENDING_BYTES], MAX_MESSAGE + outgoing_overhead());
    ck_assert_int_eq(feed(&a, 10, true), 0);
    ck_assert_uint_eq(user->used[QUOTA_SENDING_BYTES], a.payload.capacity + outgoing_overhead());
}
END_TEST

START_TEST(long_messages_take_turns_when_the_quota_is_small)
{
    quota.limits[QUOTA_SENDING_BYTES] = MAX_MESSAGE;
    ck_assert_int_eq(feed(&a, 60000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(a.waiter.has_turn, true);
    quota.limits[QUOTA_SENDING_BYTES] = 2 * (MAX_MESSAGE + outgoing_overhead());
    ck_assert_int_eq(feed(&b, 60000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(b.waiter.has_turn, false);
    ck_assert_uint_lt(left(&b), WINDOW / 2);
    ck_assert_int_eq(feed(&a, 0, true), 0);
    ck_assert_int_eq(b.waiter.has_turn, false); /* a's message waits to be sent, and counts */
    take(&a);
    ck_assert_int_eq(b.waiter.has_turn, true);
    ck_assert_uint_eq(left(&b), WINDOW);
}
END_TEST

/* Both have begun before either is long enough to wait. Loop test over the limit, in messages of the longest kind: what
 * one of them holds must not keep the other one from its turn for ever, nor must what waits to be sent. */
START_TEST(two_long_messages_do_not_wait_for_each_other)
{
    quota.limits[QUOTA_SENDING_BYTES] = (uint64_t)_i * MAX_MESSAGE / 2;
    ck_assert_int_eq(feed_text(&c, "unsent", true), 0);
    ck_assert_int_eq(feed(&a, 20000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&b, 20000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&a, 20000, false), ASSEMBLY_MORE);
    ck_assert(a.waiter.has_turn);
    ck_assert_int_eq(feed(&b, 20000, false), ASSEMBLY_MORE);
    ck_assert(_i < 9 ? !b.waiter.has_turn : b.waiter.has_turn);
    ck_assert_int_eq(feed(&a, 40000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&a, 10, true), 0);
    take(&a);
    ck_assert(b.waiter.has_turn);
    ck_assert_int_eq(feed(&b, 40000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&b, 40000, true), 0);
    ck_assert_uint_eq(user->lines[QUOTA_SENDING_BYTES].n_turns, 0);
    ck_assert_uint_eq(user->lines[QUOTA_SENDING_BYTES].waiting_bytes, 0);
}
END_TEST

/* While the longest one is under way, short ones have the other half of the limit. */
START_TEST(short_messages_go_beside_one_that_is_longer_than_the_limit)
{
    quota.limits[QUOTA_SENDING_BYTES] = MAX_MESSAGE / 2;
    ck_assert_int_eq(feed(&a, 60000, false), ASSEMBLY_MORE);
    ck_assert(a.waiter.has_turn);
    ck_assert_int_eq(feed_text(&b, "short", true), 0);
}
END_TEST

/* Loop test: whoever has the turn finishes, aborts or dies; the next one is let in. */
START_TEST(a_turn_passes_on)
{
    quota.limits[QUOTA_SENDING_BYTES] = 2 * MAX_MESSAGE;
    ck_assert_int_eq(feed(&a, 60000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&b, 60000, false), ASSEMBLY_MORE);
    ck_assert(a.waiter.has_turn && !b.waiter.has_turn);
    if (_i == 0)
        assembly_deinit(&a);
    else
        ck_assert_int_eq(assembly_abort(&a), 0);
    ck_assert(b.waiter.has_turn);
}
END_TEST

START_TEST(who_finishes_without_a_turn_waits_no_more)
{
    quota.limits[QUOTA_SENDING_BYTES] = 2 * MAX_MESSAGE;
    ck_assert_int_eq(feed(&a, 60000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&b, 60000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&b, 100, true), 0);
    ck_assert(list_is_empty(&user->lines[QUOTA_SENDING_BYTES].waiting));
    assembly_deinit(&a);
    ck_assert(!b.waiter.has_turn);
    ck_assert_uint_eq(b.charge.amount, b.payload.capacity + outgoing_overhead());
}
END_TEST

START_TEST(short_messages_past_the_limit_are_refused)
{
    ck_assert_int_eq(feed(&a, 100, true), 0);
    quota.limits[QUOTA_SENDING_BYTES] = 2 * a.charge.amount;
    ck_assert_int_eq(feed(&b, 100, true), 0);
    ck_assert_uint_eq(user_room(user, QUOTA_SENDING_BYTES), 0);
    take(&b);
    quota.limits[QUOTA_SENDING_BYTES]--;
    ck_assert_int_eq(feed(&b, 100, true), ASSEMBLY_OVER_QUOTA);
}
END_TEST

/* However small the limit, one that is alone gets through, as its turn is its own. */
START_TEST(one_alone_in_its_turn_is_never_refused)
{
    size_t sent = 60000;

    ck_assert_int_eq(feed(&a, 60000, false), ASSEMBLY_MORE);
    quota.limits[QUOTA_SENDING_BYTES] = 1000;
    for (; sent < MAX_MESSAGE - 60000; sent += 60000)
        ck_assert_int_eq(feed(&a, 60000, false), ASSEMBLY_MORE);
    ck_assert_int_eq(feed(&a, 1, true), 0);
}
END_TEST

START_TEST(no_memory_for_a_piece)
{
    int r;

    allocation_fail_after(0);
    r = feed(&a, 1000, true);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("assembly");
    TCase *pieces = unit_case(suite, "pieces");
    TCase *credit = unit_case(suite, "credit");
    TCase *quotas = unit_case(suite, "quota");

    tcase_add_checked_fixture(pieces, setup, teardown);
    tcase_add_checked_fixture(credit, setup, teardown);
    tcase_add_checked_fixture(quotas, setup, teardown);
    tcase_add_test(pieces, pieces_become_a_message);
    tcase_add_test(pieces, what_is_not_taken_is_dropped);
    tcase_add_test(pieces, a_message_has_one_type);
    tcase_add_loop_test(pieces, text_is_checked_across_pieces, 0, 5);
    tcase_add_test(pieces, wrong_text_is_found_at_once);
    tcase_add_test(pieces, binary_is_not_text);
    tcase_add_test(pieces, max_message_is_exact);
    tcase_add_test(pieces, abort_forgets_and_counts_as_done);
    tcase_add_test(pieces, no_memory_for_a_piece);
    tcase_add_test(credit, credit_is_exact);
    tcase_add_test(credit, credit_comes_back_as_messages_are_done);
    tcase_add_test(credit, little_by_little_waits);
    tcase_add_loop_test(credit, whoever_has_begun_can_finish, 0, 5);
    tcase_add_test(credit, a_long_message_waits_for_the_earlier_ones_of_its_channel);
    tcase_add_test(quotas, a_turn_is_charged_for_the_longest_message);
    tcase_add_test(quotas, long_messages_take_turns_when_the_quota_is_small);
    tcase_add_loop_test(quotas, two_long_messages_do_not_wait_for_each_other, 1, 10);
    tcase_add_test(quotas, short_messages_go_beside_one_that_is_longer_than_the_limit);
    tcase_add_loop_test(quotas, a_turn_passes_on, 0, 2);
    tcase_add_test(quotas, who_finishes_without_a_turn_waits_no_more);
    tcase_add_test(quotas, short_messages_past_the_limit_are_refused);
    tcase_add_test(quotas, one_alone_in_its_turn_is_never_refused);
    return suite;
}

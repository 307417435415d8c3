/*
 * test_log: the contract of daemon/log.h: entries, cursors, lag and what is charged for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/log.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <string.h>

static const uint8_t epoch[LOG_EPOCH_LEN] = "0123456789abcdef";

static struct quota quota;
static struct user *user;
static struct log messages;
static unsigned n_wakes;
static uint64_t last_cursor_id;

static void woken(struct cursor *cursor)
{
    ck_assert_ptr_nonnull(cursor->at);
    n_wakes++;
}

static void setup(void)
{
    quota_init(&quota);
    ck_assert_int_eq(quota_user_ref(&quota, 1000, &user), 0);
    ck_assert_int_eq(log_init(&messages, epoch, user), 0);
    last_cursor_id = 0;
}

static void teardown(void)
{
    log_deinit(&messages);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], 0);
    user_unref(user);
    quota_deinit(&quota);
}

static void append(const char *text)
{
    ck_assert_int_eq(log_append(&messages, false, wsp_view_of_string(text)), 0);
}

static void joins(struct cursor *cursor)
{
    cursor_init(cursor, ++last_cursor_id, woken);
    cursor_join(cursor, &messages);
}

static void assert_at(const struct cursor *cursor, uint64_t number, const char *text)
{
    ck_assert_ptr_nonnull(cursor->at);
    ck_assert_uint_eq(cursor->at->number, number);
    ck_assert_uint_eq(cursor_number(cursor), number);
    unit_assert_bytes(cursor->at->data, cursor->at->len, text, strlen(text));
}

static uint64_t cost_of(const char *text)
{
    struct entry entry = {.len = strlen(text)};

    return entry_cost(&entry);
}

static unsigned n_entries(void)
{
    unsigned n = 0;

    for (const struct entry *entry = messages.first; entry != NULL; entry = entry->next) {
        ck_assert(n == 0 || entry->number > messages.first->number);
        n++;
    }
    return n;
}

START_TEST(a_message_that_nobody_reads_only_counts)
{
    struct wsp_buffer buffer;

    ck_assert_uint_eq(messages.next_number, 1);
    unit_assert_bytes(messages.epoch->id, LOG_EPOCH_LEN, epoch, LOG_EPOCH_LEN);
    append("one");
    wsp_buffer_init(&buffer, 10);
    ck_assert_int_eq(wsp_buffer_append(&buffer, "two", 3), 0);
    ck_assert_int_eq(log_append_take(&messages, true, &buffer), 0);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(buffer.max, 10);
    ck_assert_ptr_null(messages.first);
    ck_assert_uint_eq(messages.next_number, 3);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], 0);
}
END_TEST

START_TEST(a_cursor_reads_what_comes_after_it_joined)
{
    struct cursor a;

    append("before");
    joins(&a);
    ck_assert_uint_eq(cursor_number(&a), 2);
    append("one");
    append("two");
    ck_assert_uint_eq(n_wakes, 1);
    assert_at(&a, 2, "one");
    cursor_advance(&a);
    assert_at(&a, 3, "two");
    ck_assert_uint_eq(n_entries(), 1);
    cursor_advance(&a);
    ck_assert_ptr_null(a.at);
    ck_assert_ptr_null(messages.first);
    ck_assert_ptr_null(messages.last);
    append("three");
    ck_assert_uint_eq(n_wakes, 2);
    assert_at(&a, 4, "three");
    cursor_leave(&a);
    cursor_leave(&a);
}
END_TEST

START_TEST(an_entry_is_held_as_long_as_one_stands_at_or_before_it)
{
    struct cursor a, b;

    joins(&a);
    joins(&b);
    append("one");
    append("two");
    append("three");
    ck_assert_uint_eq(n_wakes, 2);
    cursor_advance(&a);
    cursor_advance(&a);
    ck_assert_uint_eq(n_entries(), 3);
    cursor_advance(&b);
    ck_assert_uint_eq(n_entries(), 2);
    cursor_leave(&b);
    ck_assert_uint_eq(n_entries(), 1);
    assert_at(&a, 3, "three");
    cursor_leave(&a);
    ck_assert_uint_eq(n_entries(), 0);
}
END_TEST

START_TEST(who_leaves_in_the_middle_frees_nothing)
{
    struct cursor a, b;

    joins(&a);
    joins(&b);
    append("one");
    append("two");
    cursor_advance(&b);
    cursor_leave(&b);
    ck_assert_uint_eq(n_entries(), 2);
    cursor_leave(&a);
}
END_TEST

START_TEST(lag_is_arithmetic)
{
    struct cursor a, b;

    joins(&a);
    joins(&b);
    ck_assert_uint_eq(cursor_lag_messages(&a), 0);
    ck_assert_uint_eq(cursor_lag_cost(&a), 0);
    ck_assert_uint_eq(cursor_lag_beyond(&a), 0);
    append("one");
    append("three");
    append("");
    cursor_advance(&b);
    ck_assert_uint_eq(cursor_lag_messages(&a), 3);
    ck_assert_uint_eq(cursor_lag_cost(&a), cost_of("one") + cost_of("three") + cost_of(""));
    ck_assert_uint_eq(cursor_lag_beyond(&a), cost_of("three") + cost_of(""));
    ck_assert_uint_eq(cursor_lag_messages(&b), 2);
    ck_assert_uint_eq(cursor_lag_cost(&b), cost_of("three") + cost_of(""));
    ck_assert_uint_eq(cursor_lag_cost(&a), cost_of("one") + cost_of("three") + cost_of(""));
    cursor_leave(&a);
    cursor_leave(&b);
    ck_assert_uint_eq(cursor_lag_messages(&a), 0);
    ck_assert_uint_eq(cursor_lag_cost(&a), 0);
}
END_TEST

START_TEST(an_entry_is_charged_once_and_empty_ones_are_not_free)
{
    struct cursor cursors[10];

    for (int i = 0; i < 10; i++)
        joins(&cursors[i]);
    append("12345");
    append("");
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], cost_of("12345") + cost_of(""));
    ck_assert_uint_ge(cost_of(""), sizeof(struct entry));
    for (int i = 0; i < 9; i++)
        cursor_advance(&cursors[i]);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], cost_of("12345") + cost_of(""));
    cursor_advance(&cursors[9]);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], cost_of(""));
    for (int i = 0; i < 10; i++)
        cursor_leave(&cursors[i]);
}
END_TEST

START_TEST(what_came_is_held_past_the_limit)
{
    struct cursor a;

    quota.limits[QUOTA_QUEUED_BYTES] = 0;
    joins(&a);
    append("one");
    ck_assert(user_is_over(user, QUOTA_QUEUED_BYTES));
    cursor_leave(&a);
}
END_TEST

/* Loop test over lengths around those at which a block is shrunk, with bytes consumed at the front. */
START_TEST(a_taken_buffer_is_not_copied)
{
    static const size_t lens[] = {0, 1, 255, 4096, 65536, 100000};
    size_t len = lens[_i];
    struct wsp_buffer buffer;
    struct cursor a;
    uint8_t *room;

    joins(&a);
    wsp_buffer_init(&buffer, 1 << 20);
    ck_assert_int_eq(wsp_buffer_reserve(&buffer, len + 3, &room), 0);
    memset(room, 'x', len + 3);
    wsp_buffer_commit(&buffer, len + 3);
    wsp_buffer_consume(&buffer, 3);
    ck_assert_int_eq(log_append_take(&messages, true, &buffer), 0);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(buffer.max, 1 << 20);
    ck_assert(a.at->is_binary);
    ck_assert_uint_eq(a.at->len, len);
    for (size_t i = 0; i < len; i += 97)
        ck_assert_uint_eq(a.at->data[i], 'x');
    ck_assert(len == 0 || a.at->data[len - 1] == 'x');
    cursor_leave(&a);
}
END_TEST

START_TEST(no_memory_for_an_entry)
{
    struct wsp_buffer buffer;
    struct cursor a;
    int r;

    joins(&a);
    allocation_fail_after(0);
    r = log_append(&messages, false, wsp_view_of_string("lost"));
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    wsp_buffer_init(&buffer, 10);
    ck_assert_int_eq(wsp_buffer_append(&buffer, "lost", 4), 0);
    allocation_fail_after(0);
    r = log_append_take(&messages, true, &buffer);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_ptr_null(buffer.data);
    ck_assert_ptr_null(messages.first);
    append("kept");
    assert_at(&a, 1, "kept");
    cursor_leave(&a);
}
END_TEST

/* A buffer that cannot be shrunk is taken as it is. */
START_TEST(no_memory_to_shrink)
{
    struct wsp_buffer buffer;
    struct cursor a;
    int r;

    joins(&a);
    wsp_buffer_init(&buffer, 1 << 20);
    for (int i = 0; i < 70000; i++)
        ck_assert_int_eq(wsp_buffer_append_u8(&buffer, 'x'), 0);
    ck_assert_uint_gt(buffer.capacity, 70000 + 4096);
    allocation_fail_after(1);
    r = log_append_take(&messages, true, &buffer);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(a.at->len, 70000);
    cursor_leave(&a);
}
END_TEST

/* --- wakers that do things --- */

static struct cursor first, second, third;

static void takes_second_along(struct cursor *cursor)
{
    cursor_leave(&second);
    cursor_leave(cursor);
}

static void reads_for_second(struct cursor *cursor)
{
    n_wakes++;
    if (second.at != NULL)
        cursor_advance(&second);
    cursor_advance(cursor);
}

static void brings_third(struct cursor *cursor)
{
    n_wakes++;
    if (third.log == NULL)
        cursor_join(&third, cursor->log);
}

START_TEST(a_waker_may_take_others_out)
{
    cursor_init(&first, ++last_cursor_id, takes_second_along);
    cursor_join(&first, &messages);
    joins(&second);
    joins(&third);
    append("one");
    ck_assert_uint_eq(n_wakes, 1);
    assert_at(&third, 1, "one");
    ck_assert_ptr_null(second.log);
    cursor_leave(&third);
}
END_TEST

START_TEST(a_waker_may_move_others)
{
    cursor_init(&first, ++last_cursor_id, reads_for_second);
    cursor_join(&first, &messages);
    joins(&second);
    append("one");
    ck_assert_ptr_null(messages.first);
    append("two");
    ck_assert_ptr_null(messages.first);
    cursor_leave(&first);
    cursor_leave(&second);
}
END_TEST

START_TEST(a_waker_may_bring_others)
{
    cursor_init(&first, ++last_cursor_id, brings_third);
    cursor_join(&first, &messages);
    cursor_init(&third, ++last_cursor_id, woken);
    append("one");
    ck_assert_ptr_null(third.at);
    ck_assert_uint_eq(n_wakes, 1);
    append("two");
    assert_at(&third, 2, "two");
    ck_assert_uint_eq(n_wakes, 2);
    cursor_leave(&first);
    cursor_leave(&third);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *entries = unit_case(suite, "entries");
    TCase *wakers = unit_case(suite, "wakers");

    tcase_add_checked_fixture(entries, setup, teardown);
    tcase_add_checked_fixture(wakers, setup, teardown);
    tcase_add_test(entries, a_message_that_nobody_reads_only_counts);
    tcase_add_test(entries, a_cursor_reads_what_comes_after_it_joined);
    tcase_add_test(entries, an_entry_is_held_as_long_as_one_stands_at_or_before_it);
    tcase_add_test(entries, who_leaves_in_the_middle_frees_nothing);
    tcase_add_test(entries, lag_is_arithmetic);
    tcase_add_test(entries, an_entry_is_charged_once_and_empty_ones_are_not_free);
    tcase_add_test(entries, what_came_is_held_past_the_limit);
    tcase_add_loop_test(entries, a_taken_buffer_is_not_copied, 0, 6);
    tcase_add_test(entries, no_memory_for_an_entry);
    tcase_add_test(entries, no_memory_to_shrink);
    tcase_add_test(wakers, a_waker_may_take_others_out);
    tcase_add_test(wakers, a_waker_may_move_others);
    tcase_add_test(wakers, a_waker_may_bring_others);
    return suite;
}

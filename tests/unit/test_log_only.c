/*
 * test_log_only: messages that are for one reader alone: he reads them like any other, the others pass over them, and
 * nobody who comes later ever sees them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/log.h"
#include "proto/local/errors.h"
#include "tests/harness/allocation.h"
#include "tests/harness/log_story.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void keep(uint64_t n_messages)
{
    log_retain(&messages, &(struct retention){n_messages, 1 << 20});
}

static void append(unsigned n)
{
    while (n-- > 0)
        ck_assert_int_eq(log_append(&messages, false, WSP_VIEW_LITERAL("for all")), 0);
}

static void append_for(struct cursor *reader)
{
    struct wsp_buffer buffer;

    wsp_buffer_init(&buffer, 10);
    ck_assert_int_eq(wsp_buffer_append(&buffer, "for one", 7), 0);
    ck_assert_int_eq(log_append_only(&messages, reader, false, &buffer), 0);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(buffer.max, 10);
}

/* From here on the cursor reads all numbers without a hole. */
static void assert_reads_from(uint64_t number)
{
    for (; cursor.at != NULL; number++) {
        ck_assert_uint_eq(cursor.at->number, number);
        cursor_advance(&cursor);
    }
    ck_assert_uint_eq(number, messages.next_number);
}

START_TEST(a_message_for_one_wakes_one)
{
    struct cursor others[3];

    for (int i = 0; i < 3; i++) {
        cursor_init(&others[i], ++last_cursor_id, woken);
        cursor_join(&others[i], &messages);
    }
    cursor_join(&cursor, &messages);
    append_for(&cursor);
    ck_assert_uint_eq(n_wakes, 1);
    ck_assert_uint_eq(cursor.at->number, 1);
    append(1);
    ck_assert_uint_eq(n_wakes, 4);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(others[i].at->number, 2);
        cursor_leave(&others[i]);
    }
    assert_reads_from(1);
}
END_TEST

/* Loop test over all patterns of six messages, each for all, for the reader or for another; from behind each of them. */
START_TEST(what_is_for_another_is_passed_over)
{
    enum { N = 6 };
    struct cursor other, reader;
    unsigned pattern = (unsigned)_i;
    bool is_mine[N + 1];

    cursor_init(&other, ++last_cursor_id, woken);
    cursor_init(&reader, ++last_cursor_id, woken);
    cursor_join(&other, &messages);
    cursor_join(&reader, &messages);
    for (unsigned i = 1; i <= N; i++, pattern /= 3) {
        is_mine[i] = pattern % 3 != 2;
        if (pattern % 3 == 0)
            append(1);
        else
            append_for(pattern % 3 == 1 ? &reader : &other);
    }
    for (unsigned i = 1; i <= N; i++) {
        if (!is_mine[i])
            continue;
        ck_assert_ptr_nonnull(reader.at);
        ck_assert_uint_eq(reader.at->number, i);
        cursor_advance(&reader);
    }
    ck_assert_ptr_null(reader.at);
    ck_assert_uint_eq(cursor_number(&reader), N + 1);
    cursor_leave(&reader);
    cursor_leave(&other);
    ck_assert_uint_eq(n_entries(), 0);
}
END_TEST

START_TEST(who_is_not_there_gets_nothing_and_no_number)
{
    keep(10);
    append_for(&cursor);
    ck_assert_uint_eq(messages.next_number, 1);
    ck_assert_uint_eq(n_entries(), 0);
}
END_TEST

/* Of what is kept only what was for all counts, and nobody else ever sees the rest. */
START_TEST(what_was_for_one_is_not_replayed)
{
    struct cursor late;

    keep(3);
    cursor_join(&cursor, &messages);
    append(2);
    append_for(&cursor);
    append(1);
    append_for(&cursor);
    append_for(&cursor);
    assert_reads_from(1);
    ck_assert_uint_eq(n_entries(), 6); /* 1, 2 and 4 were for all */
    cursor_init(&late, ++last_cursor_id, woken);
    cursor_join_replay(&late, &messages, &everything);
    ck_assert_uint_eq(late.at->number, 1);
    cursor_advance(&late);
    ck_assert_uint_eq(late.at->number, 2);
    cursor_advance(&late);
    ck_assert_uint_eq(late.at->number, 4);
    cursor_advance(&late);
    ck_assert_ptr_null(late.at);
    cursor_leave(&late);
    append(2);
    ck_assert_uint_eq(messages.first->number, 4);
    append(1);
    ck_assert_uint_eq(messages.first->number, 7); /* 5 and 6 have gone with 4 */
    cursor_join_after(&late, &messages, epoch_id(1), 4, &everything, &gap, &place);
    assert_gap(WSP_GAP_NOT_KEPT, false, 0); /* how many of 5 and 6 were for others is not known */
    ck_assert_uint_eq(late.at->number, 7);
    cursor_leave(&late);
}
END_TEST

START_TEST(a_hole_makes_no_gap)
{
    struct cursor late;

    keep(10);
    cursor_join(&cursor, &messages);
    append(1);
    append_for(&cursor);
    append(1);
    cursor_init(&late, ++last_cursor_id, woken);
    cursor_join_after(&late, &messages, epoch_id(1), 1, &everything, &gap, &place);
    assert_gap(0, false, 0);
    ck_assert_uint_eq(cursor_number(&late), 3);
    cursor_leave(&late);
    cursor_leave(&cursor);
    ck_assert_int_eq(log_begin_epoch(&messages, epoch_id(2)), 0);
    append(1);
    cursor_join_after(&late, &messages, epoch_id(2), 3, &everything, &gap, &place);
    assert_gap(0, false, 0);
    ck_assert(!messages.epoch->has_holes);
    cursor_leave(&late);
}
END_TEST

START_TEST(no_memory_for_a_message_for_one)
{
    struct wsp_buffer buffer;
    int r;

    cursor_join(&cursor, &messages);
    wsp_buffer_init(&buffer, 10);
    ck_assert_int_eq(wsp_buffer_append(&buffer, "lost", 4), 0);
    allocation_fail_after(0);
    r = log_append_only(&messages, &cursor, true, &buffer);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(messages.next_number, 1);
}
END_TEST

static void leaves(struct cursor *leaving)
{
    cursor_leave(leaving);
}

START_TEST(who_leaves_when_woken_holds_nothing)
{
    struct cursor shy;

    cursor_init(&shy, ++last_cursor_id, leaves);
    cursor_join(&shy, &messages);
    append_for(&shy);
    ck_assert_uint_eq(n_entries(), 0);
    ck_assert_uint_eq(messages.next_number, 2);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("log_only");
    TCase *only = unit_case(suite, "only");

    tcase_add_checked_fixture(only, story_begins, story_ends);
    tcase_add_test(only, a_message_for_one_wakes_one);
    tcase_add_loop_test(only, what_is_for_another_is_passed_over, 0, 729);
    tcase_add_test(only, who_is_not_there_gets_nothing_and_no_number);
    tcase_add_test(only, what_was_for_one_is_not_replayed);
    tcase_add_test(only, a_hole_makes_no_gap);
    tcase_add_test(only, no_memory_for_a_message_for_one);
    tcase_add_test(only, who_leaves_when_woken_holds_nothing);
    return suite;
}

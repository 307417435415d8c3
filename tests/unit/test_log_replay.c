/*
 * test_log_replay: what a log keeps, where readers can come in again, and what they are told is missing: every promise of
 * daemon/log.h about retention, epochs and positions.
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

static void keep(uint64_t n_messages, uint64_t bytes)
{
    log_retain(&messages, &(struct retention){n_messages, bytes});
}

/* Each message says which number it has. */
static void append(unsigned n)
{
    char text[24];

    while (n-- > 0) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)messages.next_number);
        ck_assert_int_eq(log_append(&messages, false, wsp_view_of_string(text)), 0);
    }
}

static void begin_epoch(unsigned n)
{
    log_interrupt(&messages);
    ck_assert(messages.is_interrupted);
    ck_assert_int_eq(log_begin_epoch(&messages, epoch_id(n)), 0);
    ck_assert(!messages.is_interrupted);
}

static unsigned n_epochs(void)
{
    unsigned n = 0;

    LIST_FOR_EACH (node, &messages.epochs) {
        ck_assert_ptr_nonnull(node);
        n++;
    }
    return n;
}

/* From here on the cursor reads all numbers without a hole, each with its own message. */
static void assert_reads_from(uint64_t number)
{
    char text[24];

    ck_assert_uint_eq(cursor_number(&cursor), number);
    while (cursor.at != NULL) {
        ck_assert_uint_eq(cursor.at->number, number);
        snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
        unit_assert_bytes(cursor.at->data, cursor.at->len, text, strlen(text));
        cursor_advance(&cursor);
        number++;
    }
    ck_assert_uint_eq(number, messages.next_number);
}

static uint64_t cost_of_one(void)
{
    struct entry entry = {.len = 1};

    return entry_cost(&entry);
}

/* --- retention --- */

START_TEST(the_last_messages_are_kept_with_no_reader_at_all)
{
    keep(3, 1 << 20);
    append(2);
    ck_assert_uint_eq(n_entries(), 2);
    append(5);
    ck_assert_uint_eq(n_entries(), 3);
    ck_assert_uint_eq(messages.first->number, 5);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], 3 * cost_of_one());
}
END_TEST

START_TEST(as_many_as_fit_into_the_bytes)
{
    keep(100, 3 * cost_of_one());
    append(9);
    ck_assert_uint_eq(n_entries(), 3);
    ck_assert_int_eq(log_append(&messages, false,
                                (struct wsp_view){(const uint8_t *)"xxxxxxxxxxxxxxxxxxxxxxxx", 24}),
                     0);
    ck_assert_uint_eq(n_entries(), 2); /* the longer one pushes two out */
    ck_assert_uint_eq(messages.last->number, 10);
}
END_TEST

START_TEST(one_that_does_not_fit_is_not_kept)
{
    keep(100, cost_of_one());
    append(9);
    ck_assert_uint_eq(n_entries(), 1);
    append(1);
    ck_assert_uint_eq(n_entries(), 0); /* "10" is a byte too long */
    ck_assert_uint_eq(messages.next_number, 11);
    join_after(1, 9);
    assert_gap(WSP_GAP_NOT_KEPT, true, 1);
}
END_TEST

/* Loop test over which of the two is missing. */
START_TEST(nothing_is_kept_where_one_bound_is_0)
{
    keep(_i == 0 ? 100 : 0, _i == 0 ? 0 : 1 << 20);
    append(3);
    ck_assert_uint_eq(n_entries(), 0);
    ck_assert_uint_eq(messages.next_number, 4);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], 0);
}
END_TEST

START_TEST(the_most_generous_bounds_hold)
{
    keep(5, 1000);
    keep(2, 1 << 20);
    keep(0, 0);
    append(9);
    ck_assert_uint_eq(n_entries(), 5);
    keep(7, 1);
    append(9);
    ck_assert_uint_eq(n_entries(), 7);
}
END_TEST

START_TEST(a_reader_may_hold_more_than_is_kept)
{
    keep(2, 1 << 20);
    cursor_join(&cursor, &messages);
    append(6);
    ck_assert_uint_eq(n_entries(), 6);
    cursor_advance(&cursor);
    ck_assert_uint_eq(n_entries(), 5);
    cursor_leave(&cursor);
    ck_assert_uint_eq(n_entries(), 2);
}
END_TEST

START_TEST(what_is_kept_gives_way_to_the_quota)
{
    keep(100, 1 << 20);
    append(9);
    quota.limits[QUOTA_QUEUED_BYTES] = 4 * cost_of_one();
    user_give_way(user);
    ck_assert_uint_eq(n_entries(), 4);
    append(1);
    ck_assert_uint_eq(n_entries(), 3);
    ck_assert(!user_is_over(user, QUOTA_QUEUED_BYTES));
    join_after(1, 2);
    assert_gap(WSP_GAP_NOT_KEPT, true, 5);
    assert_reads_from(8);
}
END_TEST

/* Of several logs of one user those that have kept something longest go first, whichever of them wants more. */
START_TEST(what_others_keep_gives_way_too)
{
    struct log others[2];

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(log_init(&others[i], epoch_id(7), user), 0);
        log_retain(&others[i], &everything);
        for (int n = 0; n < 4; n++)
            ck_assert_int_eq(log_append(&others[i], false, wsp_view_of_string("x")), 0);
    }
    cursor_join(&cursor, &messages);
    append(5);
    quota.limits[QUOTA_QUEUED_BYTES] = 8 * cost_of_one();
    user_give_way(user);
    ck_assert_ptr_null(others[0].first);
    ck_assert_uint_eq(others[1].first->number, 2);
    quota.limits[QUOTA_QUEUED_BYTES] = 3 * cost_of_one();
    user_give_way(user);
    ck_assert_ptr_null(others[1].first);
    ck_assert_uint_eq(n_entries(), 5);
    for (int i = 0; i < 2; i++)
        log_deinit(&others[i]);
}
END_TEST

START_TEST(what_a_reader_needs_does_not_give_way)
{
    keep(100, 1 << 20);
    append(2);
    cursor_join(&cursor, &messages);
    append(2);
    quota.limits[QUOTA_QUEUED_BYTES] = 0;
    user_give_way(user);
    ck_assert_uint_eq(n_entries(), 2);
    assert_reads_from(3);
    ck_assert_uint_eq(n_entries(), 0);
}
END_TEST

/* --- replay --- */

/* Loop test over what is asked for, of 9 messages of which 5 are kept. */
START_TEST(a_replay_is_the_last_messages_and_then_what_comes)
{
    uint64_t n = (uint64_t)_i;

    keep(5, 1 << 20);
    append(9);
    cursor_join_replay(&cursor, &messages, &(struct retention){n, UINT64_MAX});
    append(2);
    assert_reads_from(10 - (n < 5 ? n : 5));
}
END_TEST

START_TEST(a_replay_may_be_bounded_by_bytes)
{
    keep(5, 1 << 20);
    append(9);
    cursor_join_replay(&cursor, &messages, &(struct retention){100, 2 * cost_of_one()});
    assert_reads_from(8);
    cursor_leave(&cursor);
    cursor_join_replay(&cursor, &messages, &(struct retention){100, 2 * cost_of_one() - 1});
    assert_reads_from(9);
    cursor_leave(&cursor);
    cursor_join_replay(&cursor, &messages, &(struct retention){100, 1});
    assert_reads_from(10);
}
END_TEST

/* What is only there because another lags is not part of a replay. */
START_TEST(a_replay_is_not_more_than_what_is_kept)
{
    struct cursor slow;

    cursor_init(&slow, ++last_cursor_id, woken);
    cursor_join(&slow, &messages);
    append(4);
    cursor_join_replay(&cursor, &messages, &everything);
    ck_assert_ptr_null(cursor.at);
    cursor_leave(&cursor);
    keep(2, 1 << 20);
    cursor_join_replay(&cursor, &messages, &everything);
    assert_reads_from(3);
    cursor_leave(&slow);
}
END_TEST

START_TEST(nobody_is_slow_because_of_what_he_was_given_to_begin_with)
{
    keep(5, 1 << 20);
    append(5);
    cursor_join_replay(&cursor, &messages, &everything);
    ck_assert_uint_eq(cursor_lag_messages(&cursor), 5);
    ck_assert_uint_eq(cursor_lag_beyond(&cursor), 0);
    append(3);
    ck_assert_uint_eq(cursor_lag_beyond(&cursor), 3 * cost_of_one());
    for (int i = 0; i < 4; i++)
        cursor_advance(&cursor);
    ck_assert_uint_eq(cursor.at->number, 5);
    ck_assert_uint_eq(cursor_lag_beyond(&cursor), 3 * cost_of_one());
    cursor_advance(&cursor);
    ck_assert_uint_eq(cursor_lag_beyond(&cursor), 2 * cost_of_one());
}
END_TEST

/* --- positions --- */

/* Loop test over every number of a log of which the last 5 of 9 are kept, the one before the first and the last. */
START_TEST(who_resumes_gets_the_rest_or_the_exact_count)
{
    uint64_t number = (uint64_t)_i;

    keep(5, 1 << 20);
    append(9);
    join_after(1, number);
    if (number < 4)
        assert_gap(WSP_GAP_NOT_KEPT, true, 4 - number);
    else
        assert_gap(0, false, 0);
    ck_assert_ptr_eq(place, messages.epoch);
    append(3);
    assert_reads_from(number < 4 ? 5 : number + 1);
}
END_TEST

/* Loop test over logs that keep nothing, with and without a reader that holds something. */
START_TEST(who_resumes_gets_what_others_hold)
{
    struct cursor slow;
    uint64_t held = (uint64_t)_i;

    cursor_init(&slow, ++last_cursor_id, woken);
    append((unsigned)(9 - held));
    cursor_join(&slow, &messages);
    append((unsigned)held);
    join_after(1, 5);
    if (held < 4)
        assert_gap(WSP_GAP_NOT_KEPT, true, 4 - held);
    else
        assert_gap(0, false, 0);
    assert_reads_from(held < 4 ? 10 - held : 6);
    cursor_leave(&slow);
}
END_TEST

/* Loop test over positions that are none. */
START_TEST(a_position_that_never_was_is_unknown)
{
    static const struct {
        unsigned epoch;
        uint64_t number;
    } positions[] = {{1, 10}, {1, 11}, {1, UINT64_MAX}, {1, UINT64_MAX - 1}, {2, 3}, {0, 0}};

    keep(5, 1 << 20);
    append(9);
    join_after(positions[_i].epoch, positions[_i].number);
    assert_gap(WSP_GAP_UNKNOWN_EPOCH, false, 0);
    ck_assert_ptr_eq(place, messages.epoch);
    assert_reads_from(5);
    cursor_leave(&cursor);
    cursor_join_after(&cursor, &messages, epoch_id(positions[_i].epoch), positions[_i].number,
                      &(struct retention){2, UINT64_MAX}, &gap, &place);
    assert_gap(WSP_GAP_UNKNOWN_EPOCH, false, 0);
    assert_reads_from(8);
}
END_TEST

START_TEST(an_empty_log_has_one_position)
{
    join_after(1, 0);
    assert_gap(0, false, 0);
    ck_assert_uint_eq(cursor_number(&cursor), 1);
    join_after(1, 1);
    assert_gap(WSP_GAP_UNKNOWN_EPOCH, false, 0);
    ck_assert_uint_eq(cursor_number(&cursor), 1);
}
END_TEST

/* Loop test over places in a log of many milestones, from which much has gone. */
START_TEST(one_finds_ones_place_in_a_long_log)
{
    enum { N = 5000, GONE = 700 };
    static const unsigned offsets[] = {0,   1,    2,    126,  127,  128, 129,
                                       130, 1000, 4200, 4297, 4298, 4299};
    uint64_t number = GONE + offsets[_i];

    keep(N - GONE, 1 << 30);
    append(N);
    ck_assert_uint_eq(n_entries(), N - GONE);
    join_after(1, number);
    assert_gap(0, false, 0);
    assert_reads_from(number + 1);
    cursor_leave(&cursor);
    cursor_join_replay(&cursor, &messages, &(struct retention){N - number, UINT64_MAX});
    assert_reads_from(number + 1);
}
END_TEST

/* --- epochs --- */

/* E1: 1 to 3, E2: 4 to 7, E3: none, E4: 8 and 9. */
static void four_epochs(void)
{
    append(3);
    begin_epoch(2);
    append(4);
    begin_epoch(3);
    begin_epoch(4);
    append(2);
}

START_TEST(numbers_go_on_through_epochs)
{
    keep(100, 1 << 20);
    four_epochs();
    ck_assert_uint_eq(n_entries(), 9);
    ck_assert_uint_eq(n_epochs(), 3); /* the empty one is forgotten */
    for (const struct entry *entry = messages.first; entry != NULL; entry = entry->next) {
        unsigned epoch = entry->number <= 3 ? 1 : entry->number <= 7 ? 2 : 4;

        unit_assert_bytes(entry->epoch->id, LOG_EPOCH_LEN, epoch_id(epoch), LOG_EPOCH_LEN);
    }
    ck_assert_uint_eq(messages.epoch->first_number, 8);
}
END_TEST

/* Loop test over all positions that there are. */
START_TEST(an_old_epoch_that_is_held_is_resumed)
{
    static const struct {
        unsigned epoch;
        uint64_t first, last;
    } parts[] = {{1, 0, 3}, {2, 3, 7}, {4, 7, 9}};

    keep(100, 1 << 20);
    four_epochs();
    for (uint64_t number = parts[_i].first; number <= parts[_i].last; number++) {
        join_after(parts[_i].epoch, number);
        assert_gap(0, false, 0);
        unit_assert_bytes(place->id, LOG_EPOCH_LEN, epoch_id(parts[_i].epoch), LOG_EPOCH_LEN);
        assert_reads_from(number + 1);
    }
}
END_TEST

/* Loop test: a number of one epoch is none of another, though the log has it. */
START_TEST(never_into_another_epoch)
{
    static const struct {
        unsigned epoch;
        uint64_t number;
    } wrong[] = {{1, 4}, {1, 5}, {1, 9}, {2, 2}, {2, 8}, {2, 0}, {3, 7}, {4, 6}, {4, 3}, {4, 10}};

    keep(4, 1 << 20);
    four_epochs();
    ck_assert_uint_eq(n_epochs(), 2);
    join_after(wrong[_i].epoch, wrong[_i].number);
    assert_gap(WSP_GAP_UNKNOWN_EPOCH, false, 0);
    unit_assert_bytes(place->id, LOG_EPOCH_LEN, epoch_id(2), LOG_EPOCH_LEN); /* where 6 is */
    assert_reads_from(6);
}
END_TEST

START_TEST(an_epoch_is_forgotten_with_its_last_entry)
{
    keep(4, 1 << 20);
    append(3);
    begin_epoch(2);
    append(1);
    join_after(1, 2);
    assert_gap(0, false, 0);
    cursor_leave(&cursor);
    append(2);
    join_after(1, 2);
    assert_gap(0, false, 0); /* 3 is there, the first of the four */
    ck_assert_uint_eq(n_epochs(), 2);
    cursor_leave(&cursor);
    append(1);
    ck_assert_uint_eq(n_epochs(), 1);
    join_after(1, 3);
    assert_gap(WSP_GAP_UNKNOWN_EPOCH, false, 0);
    assert_reads_from(4);
}
END_TEST

START_TEST(what_is_missing_of_an_old_epoch_is_counted_too)
{
    keep(5, 1 << 20);
    append(5);
    begin_epoch(2);
    append(2);
    join_after(1, 0);
    assert_gap(WSP_GAP_NOT_KEPT, true, 2);
    unit_assert_bytes(place->id, LOG_EPOCH_LEN, epoch_id(1), LOG_EPOCH_LEN);
    assert_reads_from(3);
}
END_TEST

START_TEST(who_refers_to_an_epoch_keeps_its_name)
{
    struct epoch *epoch = epoch_ref(messages.epoch);

    for (unsigned i = 2; i < 100; i++)
        begin_epoch(i);
    ck_assert_uint_eq(n_epochs(), 1);
    unit_assert_bytes(epoch->id, LOG_EPOCH_LEN, epoch_id(1), LOG_EPOCH_LEN);
    ck_assert_ptr_ne(epoch, messages.epoch);
    epoch_unref(epoch);
    ck_assert_ptr_null(epoch_unref(NULL));
}
END_TEST

START_TEST(readers_that_have_caught_up_are_in_the_new_epoch)
{
    cursor_join(&cursor, &messages);
    append(1);
    begin_epoch(2);
    ck_assert_ptr_ne(cursor_epoch(&cursor), messages.epoch);
    cursor_advance(&cursor);
    ck_assert_ptr_eq(cursor_epoch(&cursor), messages.epoch);
    ck_assert_uint_eq(n_epochs(), 1);
}
END_TEST

START_TEST(no_memory_for_an_epoch)
{
    struct log none;
    int r;

    keep(9, 1 << 20);
    append(2);
    log_interrupt(&messages);
    allocation_fail_after(0);
    r = log_begin_epoch(&messages, epoch_id(2));
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert(messages.is_interrupted);
    join_after(1, 1);
    assert_gap(0, false, 0);
    allocation_fail_after(0);
    r = log_init(&none, epoch_id(1), user);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    log_deinit(&none);
    none = (struct log){.next_number = 0};
    log_deinit(&none);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("log_replay");
    TCase *retention = unit_case(suite, "retention");
    TCase *replay = unit_case(suite, "replay");
    TCase *positions = unit_case(suite, "positions");
    TCase *epochs = unit_case(suite, "epochs");

    tcase_add_checked_fixture(retention, story_begins, story_ends);
    tcase_add_checked_fixture(replay, story_begins, story_ends);
    tcase_add_checked_fixture(positions, story_begins, story_ends);
    tcase_add_checked_fixture(epochs, story_begins, story_ends);
    tcase_add_test(retention, the_last_messages_are_kept_with_no_reader_at_all);
    tcase_add_test(retention, as_many_as_fit_into_the_bytes);
    tcase_add_test(retention, one_that_does_not_fit_is_not_kept);
    tcase_add_loop_test(retention, nothing_is_kept_where_one_bound_is_0, 0, 2);
    tcase_add_test(retention, the_most_generous_bounds_hold);
    tcase_add_test(retention, a_reader_may_hold_more_than_is_kept);
    tcase_add_test(retention, what_is_kept_gives_way_to_the_quota);
    tcase_add_test(retention, what_others_keep_gives_way_too);
    tcase_add_test(retention, what_a_reader_needs_does_not_give_way);
    tcase_add_loop_test(replay, a_replay_is_the_last_messages_and_then_what_comes, 0, 8);
    tcase_add_test(replay, a_replay_may_be_bounded_by_bytes);
    tcase_add_test(replay, a_replay_is_not_more_than_what_is_kept);
    tcase_add_test(replay, nobody_is_slow_because_of_what_he_was_given_to_begin_with);
    tcase_add_loop_test(positions, who_resumes_gets_the_rest_or_the_exact_count, 0, 10);
    tcase_add_loop_test(positions, who_resumes_gets_what_others_hold, 0, 6);
    tcase_add_loop_test(positions, a_position_that_never_was_is_unknown, 0, 6);
    tcase_add_test(positions, an_empty_log_has_one_position);
    tcase_add_loop_test(positions, one_finds_ones_place_in_a_long_log, 0, 13);
    tcase_add_test(epochs, numbers_go_on_through_epochs);
    tcase_add_loop_test(epochs, an_old_epoch_that_is_held_is_resumed, 0, 3);
    tcase_add_loop_test(epochs, never_into_another_epoch, 0, 10);
    tcase_add_test(epochs, an_epoch_is_forgotten_with_its_last_entry);
    tcase_add_test(epochs, what_is_missing_of_an_old_epoch_is_counted_too);
    tcase_add_test(epochs, who_refers_to_an_epoch_keeps_its_name);
    tcase_add_test(epochs, readers_that_have_caught_up_are_in_the_new_epoch);
    tcase_add_test(epochs, no_memory_for_an_epoch);
    return suite;
}

/*
 * test_history: the contract of daemon/history.h: the latest failures, so many of each user and of all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/history.h"

#include "daemon/limits.h"
#include "daemon/share.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <string.h>

static struct history history;
static struct user owner;
static char excerpt[] = "secret";
static struct target target = {
    .url = {.origin = (char[]){"ws://h"}, .path = (char[]){"/p"}, .socket_path = (char[]){""}}};
static struct share share = {.owner = &owner, .target = &target, .excerpt = excerpt};

static void setup(void)
{
    history_init(&history);
}

static void teardown(void)
{
    history_deinit(&history);
}

static void add(uint64_t id, uid_t uid)
{
    share.id = id;
    owner.uid = uid;
    history_add(&history, &share, 1000 + id);
}

START_TEST(a_record_has_what_was)
{
    const struct history_record *record;

    share.created_ms = 900;
    failure_set(&share.ending.failure, 19, 404, "why");
    add(7, 42);
    record = history_find(&history, 7);
    ck_assert_ptr_nonnull(record);
    ck_assert_uint_eq(record->id, 7);
    ck_assert_uint_eq(record->uid, 42);
    ck_assert_uint_eq(record->ended_ms, 1007);
    ck_assert_uint_eq(record->lasted_ms, 107);
    ck_assert_uint_eq(record->ending.failure.http_status, 404);
    ck_assert_str_eq(record->ending.failure.text, "why");
    ck_assert_str_eq(record->excerpt, "secret");
    ck_assert_ptr_ne(record->excerpt, excerpt);
    ck_assert_str_eq(record->display, "ws://h/p");
    ck_assert_ptr_null(history_find(&history, 6));
}
END_TEST

START_TEST(a_user_pushes_out_his_own_only)
{
    add(1, 42);
    for (uint64_t i = 0; i < 10 * MAX_HISTORY_PER_USER; i++)
        add(100 + i, 7);
    ck_assert_uint_eq(history.n_records, MAX_HISTORY_PER_USER + 1);
    ck_assert_ptr_nonnull(history_find(&history, 1));
    ck_assert_ptr_null(history_find(&history, 100 + 9 * MAX_HISTORY_PER_USER - 1));
    for (uint64_t i = 9 * MAX_HISTORY_PER_USER; i < 10 * MAX_HISTORY_PER_USER; i++)
        ck_assert_ptr_nonnull(history_find(&history, 100 + i));
}
END_TEST

START_TEST(all_together_are_bounded)
{
    for (uint64_t i = 0; i < MAX_HISTORY + 10; i++)
        add(i, (uid_t)i);
    ck_assert_uint_eq(history.n_records, MAX_HISTORY);
    ck_assert_ptr_null(history_find(&history, 9));
    ck_assert_ptr_nonnull(history_find(&history, 10));
    ck_assert_ptr_nonnull(history_find(&history, MAX_HISTORY + 9));
}
END_TEST

START_TEST(records_stand_in_the_order_of_their_numbers)
{
    uint64_t last = 0;

    for (uint64_t i = 100; i > 0; i--)
        add(i, (uid_t)(i % 3));
    LIST_FOR_EACH (node, &history.records) {
        const struct history_record *record = LIST_ENTRY(node, struct history_record, link);

        ck_assert_uint_gt(record->number, last);
        last = record->number;
    }
    ck_assert_uint_eq(last, 100);
}
END_TEST

START_TEST(without_memory_it_is_not_remembered)
{
    add(1, 42);
    allocation_fail_after(0);
    add(2, 42);
    ck_assert(allocation_disarm());
    ck_assert_ptr_nonnull(history_find(&history, 1));
    ck_assert_ptr_null(history_find(&history, 2));
    allocation_fail_after(1);
    add(3, 42);
    ck_assert(allocation_disarm());
    ck_assert_ptr_nonnull(history_find(&history, 3));
    ck_assert_ptr_null(history_find(&history, 3)->excerpt);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("history");
    TCase *records = unit_case(suite, "records");

    tcase_add_checked_fixture(records, setup, teardown);
    tcase_add_test(records, a_record_has_what_was);
    tcase_add_test(records, a_user_pushes_out_his_own_only);
    tcase_add_test(records, all_together_are_bounded);
    tcase_add_test(records, records_stand_in_the_order_of_their_numbers);
    tcase_add_test(records, without_memory_it_is_not_remembered);
    return suite;
}

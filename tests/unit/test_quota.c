/*
 * test_quota: the contract of daemon/quota.h: charges, users that come and go with them, and who waits for room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/quota.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>

static struct quota quota;
static struct user *user;
static struct charge x, y, z;

static void setup(void)
{
    quota_init(&quota);
    ck_assert_int_eq(quota_user_ref(&quota, 1000, &user), 0);
}

static void teardown(void)
{
    charge_release(&x);
    charge_release(&y);
    charge_release(&z);
    user = user_unref(user);
    ck_assert_ptr_null(user);
    quota_deinit(&quota);
}

/* Loop test over the resources. */
START_TEST(limit_is_exact)
{
    enum quota_resource resource = (enum quota_resource)_i;

    quota.limits[resource] = 10;
    ck_assert_uint_eq(user_room(user, resource), 10);
    ck_assert_int_eq(charge_take(&x, user, resource, 7), 0);
    ck_assert_int_eq(charge_take(&y, user, resource, 4), QUOTA_EXCEEDED);
    ck_assert_uint_eq(y.amount, 0);
    ck_assert_uint_eq(user->used[resource], 7);
    ck_assert_int_eq(charge_take(&y, user, resource, 3), 0);
    ck_assert(!user_is_over(user, resource));
    ck_assert_uint_eq(user_room(user, resource), 0);
    ck_assert_int_eq(charge_take(&x, user, resource, UINT64_MAX), QUOTA_EXCEEDED);
    ck_assert_int_eq(charge_take(&x, user, resource, 0), 0);
    for (int i = 0; i < QUOTA_N_RESOURCES; i++)
        ck_assert_uint_eq(user->used[i], i == _i ? 10 : 0);
    ck_assert_str_ne(quota_resource_to_string(resource), "unknown");
}
END_TEST

START_TEST(force_goes_past_the_limit)
{
    quota.limits[QUOTA_QUEUED_BYTES] = 10;
    charge_force(&x, user, QUOTA_QUEUED_BYTES, 10);
    ck_assert(!user_is_over(user, QUOTA_QUEUED_BYTES));
    charge_force(&x, user, QUOTA_QUEUED_BYTES, 1);
    ck_assert(user_is_over(user, QUOTA_QUEUED_BYTES));
    ck_assert_uint_eq(user_room(user, QUOTA_QUEUED_BYTES), 0);
    charge_shrink(&x, 1);
    ck_assert(!user_is_over(user, QUOTA_QUEUED_BYTES));
    quota.limits[QUOTA_QUEUED_BYTES] = 9; /* by a reload */
    ck_assert(user_is_over(user, QUOTA_QUEUED_BYTES));
}
END_TEST

START_TEST(release_gives_back_once)
{
    charge_force(&x, user, QUOTA_CLIENTS, 5);
    charge_force(&y, user, QUOTA_CLIENTS, 1);
    charge_shrink(&x, 2);
    ck_assert_uint_eq(user->used[QUOTA_CLIENTS], 4);
    charge_release(&x);
    charge_release(&x);
    charge_shrink(&x, 0);
    ck_assert_uint_eq(user->used[QUOTA_CLIENTS], 1);
    ck_assert_ptr_null(x.user);
}
END_TEST

START_TEST(move_changes_the_owner_of_a_charge_only)
{
    charge_force(&x, user, QUOTA_SENDING_BYTES, 5);
    charge_move(&y, &x);
    ck_assert_uint_eq(x.amount, 0);
    ck_assert_uint_eq(y.amount, 5);
    ck_assert_uint_eq(user->used[QUOTA_SENDING_BYTES], 5);
    charge_release(&x);
    ck_assert_uint_eq(user->used[QUOTA_SENDING_BYTES], 5);
}
END_TEST

START_TEST(users_are_found_by_uid)
{
    struct user *same, *other;

    ck_assert_int_eq(quota_user_ref(&quota, 1000, &same), 0);
    ck_assert_int_eq(quota_user_ref(&quota, (uid_t)-2, &other), 0);
    ck_assert_ptr_eq(same, user);
    ck_assert_ptr_ne(other, user);
    user_unref(same);
    user_unref(other);
    user_unref(NULL);
}
END_TEST

START_TEST(a_charge_keeps_its_user)
{
    struct user *again;

    charge_force(&x, user, QUOTA_CHANNELS, 1);
    user_unref(user);
    ck_assert_int_eq(quota_user_ref(&quota, 1000, &again), 0);
    ck_assert_ptr_eq(again, user);
    ck_assert_uint_eq(again->used[QUOTA_CHANNELS], 1);
    user_unref(again);
    charge_release(&x);
    ck_assert_ptr_null(quota.users);
    ck_assert_int_eq(quota_user_ref(&quota, 1000, &user), 0); /* for the teardown */
    ck_assert_uint_eq(user->used[QUOTA_CHANNELS], 0);
}
END_TEST

START_TEST(no_memory_for_a_user)
{
    struct user *none = NULL;
    size_t n = 0;
    int r;

    for (;; n++) {
        allocation_fail_after(n);
        r = quota_user_ref(&quota, 7, &none);
        if (!allocation_disarm())
            break;
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_ptr_null(none);
    }
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(r, 0);
    user_unref(none);
}
END_TEST

/* --- waiters --- */

static char admissions[16];
static struct waiter p, q;

static void admitted(struct waiter *waiter)
{
    size_t n = 0;

    while (admissions[n] != '\0')
        n++;
    admissions[n] = waiter == &p ? 'p' : 'q';
}

static void setup_waiters(void)
{
    setup();
    quota.limits[QUOTA_SENDING_BYTES] = 100;
    waiter_init(&p, &x, QUOTA_SENDING_BYTES, 30, admitted);
    waiter_init(&q, &y, QUOTA_SENDING_BYTES, 15, admitted);
}

START_TEST(admitted_at_once_where_there_is_room)
{
    charge_force(&z, user, QUOTA_SENDING_BYTES, 20);
    waiter_wait(&p, user);
    ck_assert_str_eq(admissions, "p");
    ck_assert_uint_eq(x.amount, 30);
    ck_assert_uint_eq(user->used[QUOTA_SENDING_BYTES], 50);
}
END_TEST

START_TEST(half_of_the_limit_is_for_what_cannot_wait)
{
    charge_force(&z, user, QUOTA_SENDING_BYTES, 21);
    waiter_wait(&p, user);
    waiter_wait(&p, user);
    ck_assert_str_eq(admissions, "");
    ck_assert_int_eq(charge_take(&z, user, QUOTA_SENDING_BYTES, 79), 0);
    charge_shrink(&z, 79);
    ck_assert_str_eq(admissions, "");
    charge_shrink(&z, 1);
    ck_assert_str_eq(admissions, "p");
}
END_TEST

START_TEST(first_come_first_served)
{
    charge_force(&z, user, QUOTA_SENDING_BYTES, 40);
    waiter_wait(&p, user);
    waiter_wait(&q, user); /* would have room earlier, and waits nevertheless */
    charge_shrink(&z, 6);
    ck_assert_str_eq(admissions, "");
    charge_release(&z);
    ck_assert_str_eq(admissions, "pq");
}
END_TEST

START_TEST(who_leaves_lets_the_next_one_in)
{
    charge_force(&z, user, QUOTA_SENDING_BYTES, 35);
    waiter_leave(&p);
    waiter_wait(&p, user);
    waiter_wait(&q, user);
    ck_assert_str_eq(admissions, "");
    waiter_leave(&p);
    ck_assert_str_eq(admissions, "q");
    waiter_leave(&p);
}
END_TEST

START_TEST(alone_it_is_admitted_however_small_the_limit)
{
    quota.limits[QUOTA_SENDING_BYTES] = 1;
    charge_force(&x, user, QUOTA_SENDING_BYTES, 10); /* its own */
    waiter_wait(&p, user);
    ck_assert_str_eq(admissions, "p");
    ck_assert_uint_eq(x.amount, 10); /* there is nothing to be reserved */
    waiter_wait(&q, user);
    ck_assert_str_eq(admissions, "p");
    charge_release(&x);
    ck_assert_str_eq(admissions, "p");
    waiter_leave(&p);
    ck_assert_str_eq(admissions, "pq");
}
END_TEST

START_TEST(what_waiters_hold_keeps_none_of_them_waiting)
{
    charge_force(&x, user, QUOTA_SENDING_BYTES, 25);
    charge_force(&y, user, QUOTA_SENDING_BYTES, 10);
    charge_force(&z, user, QUOTA_SENDING_BYTES, 21);
    waiter_wait(&p, user);
    charge_force(&y, user, QUOTA_SENDING_BYTES, 4);
    waiter_wait(&q, user);
    charge_force(&x, user, QUOTA_SENDING_BYTES, 1);
    waiter_recount(&p);
    ck_assert_str_eq(admissions, "");
    ck_assert_uint_eq(user->lines[QUOTA_SENDING_BYTES].waiting_bytes, 40);
    charge_shrink(&z, 1);
    ck_assert_str_eq(admissions, "p");
    ck_assert_uint_eq(user->lines[QUOTA_SENDING_BYTES].waiting_bytes, 14);
    charge_release(&x);
    ck_assert_str_eq(admissions, "pq");
    ck_assert_uint_eq(user->lines[QUOTA_SENDING_BYTES].waiting_bytes, 0);
    ck_assert_uint_eq(user->lines[QUOTA_SENDING_BYTES].n_turns, 2);
}
END_TEST

/* More than the half that waiters may have: one after the other, and each reserves that half. */
START_TEST(the_longest_take_turns)
{
    p.amount = q.amount = 51;
    charge_force(&z, user, QUOTA_SENDING_BYTES, 51);
    waiter_wait(&p, user);
    waiter_wait(&q, user);
    ck_assert_str_eq(admissions, "");
    charge_shrink(&z, 1);
    ck_assert_str_eq(admissions, "p");
    ck_assert_uint_eq(x.amount, 50);
    charge_release(&x);
    ck_assert_str_eq(admissions, "p");
    waiter_leave(&p);
    ck_assert_str_eq(admissions, "pq");
}
END_TEST

START_TEST(other_resources_admit_nobody)
{
    struct charge other = {0};

    charge_force(&z, user, QUOTA_SENDING_BYTES, 21);
    charge_force(&other, user, QUOTA_QUEUED_BYTES, 1000);
    waiter_wait(&p, user);
    charge_release(&other);
    ck_assert_str_eq(admissions, "");
    waiter_leave(&p);
}
END_TEST

START_TEST(nothing_is_received_while_too_much_is_queued)
{
    quota.limits[QUOTA_RESERVED_BYTES] = quota.limits[QUOTA_QUEUED_BYTES] = 100;
    p.resource = QUOTA_RESERVED_BYTES;
    charge_force(&z, user, QUOTA_QUEUED_BYTES, 101);
    waiter_wait(&p, user);
    waiter_wait(&q, user); /* for another resource: stands in another line */
    ck_assert_str_eq(admissions, "q");
    ck_assert_ptr_null(waiter_first(user, QUOTA_RESERVED_BYTES));
    charge_shrink(&z, 1);
    ck_assert_str_eq(admissions, "qp");
    ck_assert_uint_eq(user->used[QUOTA_RESERVED_BYTES], 30);
}
END_TEST

START_TEST(the_first_that_waits)
{
    charge_force(&z, user, QUOTA_SENDING_BYTES, 40);
    ck_assert_ptr_null(waiter_first(user, QUOTA_SENDING_BYTES));
    waiter_wait(&q, user);
    waiter_wait(&p, user);
    ck_assert_ptr_eq(waiter_first(user, QUOTA_SENDING_BYTES), &q);
    waiter_leave(&q);
    ck_assert_ptr_eq(waiter_first(user, QUOTA_SENDING_BYTES), &p);
    waiter_leave(&p);
}
END_TEST

START_TEST(a_raised_limit_admits)
{
    charge_force(&z, user, QUOTA_SENDING_BYTES, 40);
    waiter_wait(&p, user);
    quota.limits[QUOTA_SENDING_BYTES] = 139;
    quota_limits_changed(&quota);
    ck_assert_str_eq(admissions, "");
    quota.limits[QUOTA_SENDING_BYTES] = 140;
    quota_limits_changed(&quota);
    ck_assert_str_eq(admissions, "p");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("quota");
    TCase *charges = unit_case(suite, "charges");
    TCase *waiters = unit_case(suite, "waiters");

    tcase_add_checked_fixture(charges, setup, teardown);
    tcase_add_checked_fixture(waiters, setup_waiters, teardown);
    tcase_add_loop_test(charges, limit_is_exact, 0, QUOTA_N_RESOURCES);
    tcase_add_test(charges, force_goes_past_the_limit);
    tcase_add_test(charges, release_gives_back_once);
    tcase_add_test(charges, move_changes_the_owner_of_a_charge_only);
    tcase_add_test(charges, users_are_found_by_uid);
    tcase_add_test(charges, a_charge_keeps_its_user);
    tcase_add_test(charges, no_memory_for_a_user);
    tcase_add_test(waiters, admitted_at_once_where_there_is_room);
    tcase_add_test(waiters, half_of_the_limit_is_for_what_cannot_wait);
    tcase_add_test(waiters, first_come_first_served);
    tcase_add_test(waiters, who_leaves_lets_the_next_one_in);
    tcase_add_test(waiters, alone_it_is_admitted_however_small_the_limit);
    tcase_add_test(waiters, what_waiters_hold_keeps_none_of_them_waiting);
    tcase_add_test(waiters, the_longest_take_turns);
    tcase_add_test(waiters, other_resources_admit_nobody);
    tcase_add_test(waiters, nothing_is_received_while_too_much_is_queued);
    tcase_add_test(waiters, the_first_that_waits);
    tcase_add_test(waiters, a_raised_limit_admits);
    return suite;
}

/*
 * test_slice: the contract of daemon/slice.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/slice.h"

#include <string.h>

#include "daemon/limits.h"
#include "tests/harness/unit.h"

static struct turn turn;
static struct slice slice, other;
static char story[64];

static struct actor {
    struct slice_waiter waiter;
    char name[2];
    uint64_t work;
    int n_again;                /* enters once more as soon as it has done its work */
    struct slice_waiter *frees; /* who leaves then */
} a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"};

static void act(struct actor *actor)
{
    strcat(story, actor->name);
    slice_spend(&slice, &turn, actor->work);
    if (actor->frees != NULL)
        slice_waiter_leave(actor->frees);
    if (actor->n_again-- > 0)
        slice_enter(&slice, &turn, &actor->waiter);
}

static void goes_on(void *owner)
{
    act(owner);
}

static void comes(struct actor *actor)
{
    if (slice_enter(&slice, &turn, &actor->waiter))
        act(actor);
}

static void setup(void)
{
    turn_init(&turn);
    slice_init(&slice);
    slice_init(&other);
    slice_waiter_init(&a.waiter, goes_on, &a);
    slice_waiter_init(&b.waiter, goes_on, &b);
    slice_waiter_init(&c.waiter, goes_on, &c);
}

static void teardown(void)
{
    slice_deinit(&slice);
    slice_deinit(&other);
}

/* What has happened since the last call. */
static const char *told(void)
{
    static char copy[sizeof(story)];

    strcpy(copy, story);
    story[0] = '\0';
    return copy;
}

static void turn_over(void)
{
    turn_end(&turn);
    turn_begin(&turn);
}

START_TEST(nobody_waits_while_something_is_left)
{
    a.work = MAX_WORK_PER_TURN - 1;
    comes(&a);
    ck_assert(!slice_is_spent(&slice, &turn));
    comes(&b);
    comes(&c);
    ck_assert_str_eq(told(), "abc");
    ck_assert(!turn_has_next(&turn));
}
END_TEST

START_TEST(what_is_spent_at_the_bound_lasts_for_the_turn)
{
    a.work = MAX_WORK_PER_TURN;
    comes(&a);
    ck_assert(slice_is_spent(&slice, &turn));
    ck_assert(!slice_is_spent(&other, &turn));
    comes(&b);
    ck_assert_str_eq(told(), "a");
    ck_assert(turn_has_next(&turn));
    turn_over();
    ck_assert_str_eq(told(), "b");
    ck_assert(!turn_has_next(&turn) && !slice_is_spent(&slice, &turn));
}
END_TEST

START_TEST(who_has_waited_longest_goes_first)
{
    a.work = b.work = c.work = MAX_WORK_PER_TURN;
    comes(&a);
    comes(&b);
    comes(&b);
    comes(&c);
    a.n_again = 1;
    comes(&a);
    ck_assert_str_eq(told(), "a");
    turn_over();
    ck_assert_str_eq(told(), "b");
    comes(&b);
    turn_over();
    ck_assert_str_eq(told(), "c");
    turn_over();
    ck_assert_str_eq(told(), "a");
    turn_over();
    ck_assert_str_eq(told(), "b");
    turn_over();
    ck_assert_str_eq(told(), "a");
    turn_over();
    ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(who_comes_anew_stands_behind_those_who_wait)
{
    a.work = MAX_WORK_PER_TURN;
    comes(&a);
    comes(&b);
    turn_end(&turn);
    comes(&c);
    ck_assert_str_eq(told(), "a");
    turn_begin(&turn);
    ck_assert_str_eq(told(), "bc");
}
END_TEST

START_TEST(who_was_in_the_midst_goes_on_first)
{
    a.work = MAX_WORK_PER_TURN;
    comes(&a);
    comes(&b);
    slice_wait_first(&slice, &turn, &a.waiter);
    turn_over();
    ck_assert_str_eq(told(), "aa");
    turn_over();
    ck_assert_str_eq(told(), "b");
}
END_TEST

START_TEST(who_leaves_is_not_called)
{
    a.work = MAX_WORK_PER_TURN;
    comes(&a);
    comes(&b);
    comes(&c);
    b.frees = &c.waiter;
    turn_over();
    ck_assert_str_eq(told(), "ab");
    turn_over();
    slice_waiter_leave(&c.waiter);
    ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(a_slice_may_go_while_its_turn_is_marked)
{
    a.work = MAX_WORK_PER_TURN;
    comes(&a);
    comes(&b);
    slice_waiter_leave(&b.waiter);
    slice_deinit(&slice);
    ck_assert(!turn_has_next(&turn));
    slice_init(&slice);
}
END_TEST

/* Someone who does much in one piece has had it all; nothing is owed for it in the next turn. */
START_TEST(what_was_too_much_is_not_owed)
{
    a.work = UINT64_C(1) << 60;
    comes(&a);
    turn_over();
    comes(&a);
    comes(&b);
    turn_over();
    ck_assert_str_eq(told(), "aab");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("slice");
    TCase *tcase = unit_case(suite, "slice");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nobody_waits_while_something_is_left);
    tcase_add_test(tcase, what_is_spent_at_the_bound_lasts_for_the_turn);
    tcase_add_test(tcase, who_has_waited_longest_goes_first);
    tcase_add_test(tcase, who_comes_anew_stands_behind_those_who_wait);
    tcase_add_test(tcase, who_was_in_the_midst_goes_on_first);
    tcase_add_test(tcase, who_leaves_is_not_called);
    tcase_add_test(tcase, a_slice_may_go_while_its_turn_is_marked);
    tcase_add_test(tcase, what_was_too_much_is_not_owed);
    suite_add_tcase(suite, tcase);
    return suite;
}

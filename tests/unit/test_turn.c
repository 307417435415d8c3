/*
 * test_turn: the contract of daemon/turn.h and of daemon/list.h, on which every walk over channels rests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/turn.h"
#include "tests/harness/unit.h"

#include <stdlib.h>
#include <string.h>

static struct turn turn;
static char story[64];

struct actor {
    struct task task;
    const char *name;
    enum turn_phase again; /* schedules itself for this phase when it runs, n_again times */
    int n_again;
    struct task *cancels;
    struct actor *schedules;
    enum turn_phase phase;
};

static void acts(void *owner)
{
    struct actor *actor = owner;

    strcat(story, actor->name);
    if (actor->n_again-- > 0)
        turn_schedule(&turn, actor->again, &actor->task);
    if (actor->cancels != NULL)
        task_cancel(actor->cancels);
    if (actor->schedules != NULL)
        turn_schedule(&turn, actor->phase, &actor->schedules->task);
}

static struct actor a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"}, d = {.name = "d"};

static void setup(void)
{
    turn_init(&turn);
    task_init(&a.task, acts, &a);
    task_init(&b.task, acts, &b);
    task_init(&c.task, acts, &c);
    task_init(&d.task, acts, &d);
}

static const char *told(void)
{
    static char copy[sizeof(story)];

    strcpy(copy, story);
    story[0] = '\0';
    return copy;
}

START_TEST(phases_run_in_their_order)
{
    turn_schedule(&turn, TURN_BURY, &a.task);
    turn_schedule(&turn, TURN_CHECK, &b.task);
    turn_schedule(&turn, TURN_NEXT, &c.task);
    turn_schedule(&turn, TURN_WRITE, &d.task);
    turn_end(&turn);
    ck_assert_str_eq(told(), "dba");
    ck_assert(turn_has_next(&turn));
    turn_end(&turn);
    ck_assert_str_eq(told(), "");
    turn_begin(&turn);
    ck_assert_str_eq(told(), "c");
    ck_assert(!turn_has_next(&turn));
}
END_TEST

START_TEST(first_scheduled_runs_first_and_once)
{
    turn_schedule(&turn, TURN_WRITE, &b.task);
    turn_schedule(&turn, TURN_WRITE, &a.task);
    turn_schedule(&turn, TURN_WRITE, &c.task);
    turn_schedule(&turn, TURN_WRITE, &b.task);
    turn_end(&turn);
    ck_assert_str_eq(told(), "acb");
}
END_TEST

START_TEST(one_that_is_scheduled_moves_to_the_later_call)
{
    turn_schedule(&turn, TURN_WRITE, &a.task);
    turn_schedule(&turn, TURN_NEXT, &a.task);
    turn_end(&turn);
    ck_assert_str_eq(told(), "");
    turn_begin(&turn);
    ck_assert_str_eq(told(), "a");
}
END_TEST

START_TEST(what_a_later_phase_schedules_earlier_runs_before_it_goes_on)
{
    b.schedules = &c;
    b.phase = TURN_WRITE;
    turn_schedule(&turn, TURN_CHECK, &b.task);
    turn_schedule(&turn, TURN_CHECK, &d.task);
    turn_schedule(&turn, TURN_BURY, &a.task);
    turn_end(&turn);
    ck_assert_str_eq(told(), "bcda");
}
END_TEST

START_TEST(a_task_may_schedule_itself_again)
{
    a.again = TURN_WRITE;
    a.n_again = 3;
    turn_schedule(&turn, TURN_WRITE, &a.task);
    turn_end(&turn);
    ck_assert_str_eq(told(), "aaaa");
}
END_TEST

START_TEST(what_is_left_over_again_waits_for_the_turn_after)
{
    a.again = TURN_NEXT;
    a.n_again = 2;
    turn_schedule(&turn, TURN_NEXT, &a.task);
    turn_begin(&turn);
    ck_assert_str_eq(told(), "a");
    turn_end(&turn);
    ck_assert_str_eq(told(), "");
    turn_begin(&turn);
    turn_begin(&turn);
    ck_assert_str_eq(told(), "aa");
    ck_assert(!turn_has_next(&turn));
}
END_TEST

/* Loop test over the phases. */
START_TEST(a_cancelled_task_does_not_run)
{
    enum turn_phase phase = (enum turn_phase)_i;

    a.cancels = &b.task;
    turn_schedule(&turn, phase, &a.task);
    turn_schedule(&turn, phase, &b.task);
    turn_schedule(&turn, phase, &c.task);
    task_cancel(&c.task);
    task_cancel(&c.task);
    turn_end(&turn);
    turn_begin(&turn);
    ck_assert_str_eq(told(), "a");
}
END_TEST

static void frees(void *owner)
{
    free(owner);
    strcat(story, "f");
}

START_TEST(a_task_may_free_itself)
{
    struct task *task = malloc(sizeof(*task));

    ck_assert_ptr_nonnull(task);
    task_init(task, frees, task);
    turn_schedule(&turn, TURN_BURY, task);
    turn_end(&turn);
    ck_assert_str_eq(told(), "f");
}
END_TEST

/* --- list --- */

START_TEST(splice_moves_all_in_order)
{
    struct list to, from, nodes[4];

    list_init(&to);
    list_init(&from);
    for (int i = 0; i < 4; i++)
        list_init(&nodes[i]);
    list_splice(&to, &from);
    ck_assert(list_is_empty(&to) && list_is_empty(&from));
    list_append(&to, &nodes[0]);
    list_splice(&to, &from);
    list_append(&from, &nodes[1]);
    list_append(&from, &nodes[2]);
    list_splice(&to, &from);
    ck_assert(list_is_empty(&from));
    list_append(&from, &nodes[3]);
    list_splice(&to, &from);
    for (int i = 0; i < 4; i++) {
        ck_assert_ptr_eq(list_first(&to), &nodes[i]);
        ck_assert_ptr_eq(list_take_first(&to), &nodes[i]);
        ck_assert(!list_is_linked(&nodes[i]));
    }
    ck_assert_ptr_null(list_first(&to));
    ck_assert_ptr_null(list_take_first(&to));
}
END_TEST

START_TEST(prepend_and_append_take_a_node_out_first)
{
    struct list head, other, x, y;

    list_init(&head);
    list_init(&other);
    list_init(&x);
    list_init(&y);
    list_append(&other, &x);
    list_append(&head, &y);
    list_prepend(&head, &x);
    ck_assert(list_is_empty(&other));
    ck_assert_ptr_eq(list_first(&head), &x);
    list_prepend(&head, &x);
    ck_assert_ptr_eq(list_first(&head), &x);
    ck_assert_ptr_eq(x.next, &y);
    ck_assert_ptr_eq(head.prev, &y);
    list_append(&head, &x);
    ck_assert_ptr_eq(list_first(&head), &y);
    list_append(&head, &x);
    ck_assert_ptr_eq(head.prev, &x);
    list_remove(&x);
    list_remove(&x);
    ck_assert_ptr_eq(head.next, head.prev);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("turn");
    TCase *phases = unit_case(suite, "phases");
    TCase *list = unit_case(suite, "list");

    tcase_add_checked_fixture(phases, setup, NULL);
    tcase_add_test(phases, phases_run_in_their_order);
    tcase_add_test(phases, first_scheduled_runs_first_and_once);
    tcase_add_test(phases, one_that_is_scheduled_moves_to_the_later_call);
    tcase_add_test(phases, what_a_later_phase_schedules_earlier_runs_before_it_goes_on);
    tcase_add_test(phases, a_task_may_schedule_itself_again);
    tcase_add_test(phases, what_is_left_over_again_waits_for_the_turn_after);
    tcase_add_loop_test(phases, a_cancelled_task_does_not_run, 0, TURN_N_PHASES);
    tcase_add_test(phases, a_task_may_free_itself);
    tcase_add_test(list, splice_moves_all_in_order);
    tcase_add_test(list, prepend_and_append_take_a_node_out_first);
    return suite;
}

/*
 * test_loop: the contract of daemon/loop.h over the real libevent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/loop.h"
#include "tests/harness/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A string as the owner of a callback. */
#define WORD(text) ((void *)(uintptr_t)(text))

static struct loop *loop;
static int pair[2];
static char story[200];

static void tell(const char *what)
{
    ck_assert_uint_lt(strlen(story) + strlen(what) + 2, sizeof(story));
    if (story[0] != '\0')
        strncat(story, " ", sizeof(story) - strlen(story) - 1);
    strncat(story, what, sizeof(story) - strlen(story) - 1);
}

static void setup(void)
{
    story[0] = '\0';
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
}

static void teardown(void)
{
    loop = loop_free(loop);
    ck_assert_ptr_null(loop);
    close(pair[0]);
    close(pair[1]);
}

static void stop(void *owner)
{
    (void)owner;
    loop_stop(loop);
}

static void run_for(uint64_t ms)
{
    struct timer timer;

    ck_assert_int_eq(timer_init(&timer, loop_clock(loop), stop, NULL), 0);
    timer_start(&timer, ms);
    ck_assert_int_eq(loop_run(loop), 0);
    timer_deinit(&timer);
}

/* The story comes to that, however slow the machine is, and stays so. */
static void run_until(const char *expected)
{
    for (int i = 0; i < 500 && strcmp(story, expected) != 0; i++)
        run_for(10);
    run_for(5);
    ck_assert_str_eq(story, expected);
}

static void tell_owner(void *owner)
{
    tell(owner);
}

START_TEST(timers_fire_in_time_once_and_not_when_stopped)
{
    struct timer early, late, stopped, never = {0};
    uint64_t begin_ms = clock_now_ms(loop_clock(loop));

    ck_assert_int_eq(timer_init(&early, loop_clock(loop), tell_owner, WORD("early")), 0);
    ck_assert_int_eq(timer_init(&late, loop_clock(loop), tell_owner, WORD("late")), 0);
    ck_assert_int_eq(timer_init(&stopped, loop_clock(loop), tell_owner, WORD("stopped")), 0);
    timer_start(&late, 1);
    timer_start(&late, 30);
    timer_start(&stopped, 10);
    timer_start(&early, 10);
    timer_stop(&stopped);
    timer_stop(&never);
    ck_assert_str_eq(story, "");
    run_until("early late");
    ck_assert_uint_ge(clock_now_ms(loop_clock(loop)), begin_ms + 30);
    timer_deinit(&early);
    timer_deinit(&late);
    timer_deinit(&stopped);
    timer_deinit(&never);
}
END_TEST

static uint64_t fired_ms;

static void note_time(void *owner)
{
    fired_ms = clock_now_ms(loop_clock(loop));
    stop(owner);
}

/* Not even by the tick of the kernel's coarse clock. */
START_TEST(timers_are_never_early)
{
    struct timer timer;

    ck_assert_int_eq(timer_init(&timer, loop_clock(loop), note_time, NULL), 0);
    for (uint64_t delay_ms = 0; delay_ms < 25; delay_ms++) {
        uint64_t begin_ms = clock_now_ms(loop_clock(loop));

        timer_start(&timer, delay_ms);
        ck_assert_int_eq(loop_run(loop), 0);
        ck_assert_uint_ge(fired_ms, begin_ms + delay_ms);
    }
    timer_deinit(&timer);
}
END_TEST

static void on_ready(void *owner, unsigned events)
{
    struct watch *watch = owner;
    char byte;

    if (events & WATCH_READABLE) {
        tell("readable");
        if (read(watch->fd, &byte, 1) == 0)
            watch_want(watch, 0);
    }
    if (events & WATCH_WRITABLE) {
        tell("writable");
        watch_want(watch, WATCH_READABLE);
    }
}

START_TEST(watch_tells_what_is_wanted_and_is_level_triggered)
{
    struct watch watch, never = {0};

    ck_assert_int_eq(watch_init(&watch, loop, pair[0], on_ready, &watch), 0);
    ck_assert_int_eq(write(pair[1], "ab", 2), 2);
    run_for(5);
    ck_assert_str_eq(story, "");
    watch_want(&watch, WATCH_READABLE);
    run_until("readable readable");
    watch_want(&watch, WATCH_READABLE | WATCH_WRITABLE);
    run_until("readable readable writable");
    shutdown(pair[1], SHUT_WR);
    run_until("readable readable writable readable");
    watch_deinit(&watch);
    watch_deinit(&watch);
    watch_deinit(&never);
}
END_TEST

static struct watch both[2];

static void drop_both(void *owner, unsigned events)
{
    (void)owner;
    (void)events;
    tell("one");
    watch_deinit(&both[0]);
    watch_deinit(&both[1]);
}

START_TEST(watch_that_is_gone_is_not_told)
{
    ck_assert_int_eq(watch_init(&both[0], loop, pair[0], drop_both, NULL), 0);
    ck_assert_int_eq(watch_init(&both[1], loop, pair[1], drop_both, NULL), 0);
    watch_want(&both[0], WATCH_READABLE | WATCH_WRITABLE);
    watch_want(&both[1], WATCH_READABLE | WATCH_WRITABLE);
    ck_assert_int_eq(write(pair[0], "a", 1), 1);
    ck_assert_int_eq(write(pair[1], "a", 1), 1);
    run_until("one");
}
END_TEST

/* epoll refuses a regular file, as it refuses a socket when there is no room for it. */
START_TEST(refused_watch_is_tried_again)
{
    struct watch watch;
    int fd = dup(STDERR_FILENO);
    FILE *file = tmpfile();

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dup2(fileno(file), fd), fd);
    ck_assert_int_eq(watch_init(&watch, loop, fd, on_ready, &watch), 0);
    watch_want(&watch, WATCH_READABLE);
    run_for(5);
    ck_assert_str_eq(story, "");
    ck_assert_int_eq(dup2(pair[0], fd), fd);
    ck_assert_int_eq(write(pair[1], "a", 1), 1);
    run_until("readable");
    watch_deinit(&watch);
    fclose(file);
    close(fd);
}
END_TEST

static struct task written, left_over;

static void leave_over(void *owner, unsigned events)
{
    char byte;

    (void)events;
    ck_assert_int_eq(read(pair[0], &byte, 1), 1);
    tell("event");
    turn_schedule(loop_turn(owner), TURN_NEXT, &left_over);
    turn_schedule(loop_turn(owner), TURN_WRITE, &written);
}

static void work_left_over(void *owner)
{
    tell("left-over");
    turn_schedule(loop_turn(owner), TURN_WRITE, &written);
}

/* Nothing else would wake the loop: a turn that slept with work left over would never end this test. */
START_TEST(turns_end_with_writes_and_do_not_sleep_on_work)
{
    struct watch watch;

    task_init(&written, tell_owner, WORD("write"));
    task_init(&left_over, work_left_over, loop);
    ck_assert_int_eq(watch_init(&watch, loop, pair[0], leave_over, loop), 0);
    watch_want(&watch, WATCH_READABLE);
    ck_assert_int_eq(write(pair[1], "a", 1), 1);
    run_until("event write left-over write");
    watch_deinit(&watch);
}
END_TEST

START_TEST(task_from_before_the_first_turn_runs)
{
    struct task task;

    task_init(&task, stop, NULL);
    turn_schedule(loop_turn(loop), TURN_NEXT, &task);
    ck_assert_int_eq(loop_run(loop), 0);
    turn_schedule(loop_turn(loop), TURN_WRITE, &task);
    ck_assert_int_eq(loop_run(loop), 0);
}
END_TEST

static void on_signal(void *owner, int signal)
{
    ck_assert_int_eq(signal, SIGUSR1);
    tell(owner);
    loop_stop(loop);
}

START_TEST(signal_is_told_in_the_loop)
{
    ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, on_signal, WORD("signal")), 0);
    raise(SIGUSR1);
    ck_assert_str_eq(story, "");
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_str_eq(story, "signal");
}
END_TEST

START_TEST(scratch_is_all_there)
{
    size_t len;
    uint8_t *scratch = loop_scratch(loop, &len);

    ck_assert_uint_eq(len, 256 * 1024);
    memset(scratch, 1, len);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *tcase = unit_case(suite, "loop");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, timers_fire_in_time_once_and_not_when_stopped);
    tcase_add_test(tcase, timers_are_never_early);
    tcase_add_test(tcase, watch_tells_what_is_wanted_and_is_level_triggered);
    tcase_add_test(tcase, watch_that_is_gone_is_not_told);
    tcase_add_test(tcase, refused_watch_is_tried_again);
    tcase_add_test(tcase, turns_end_with_writes_and_do_not_sleep_on_work);
    tcase_add_test(tcase, task_from_before_the_first_turn_runs);
    tcase_add_test(tcase, signal_is_told_in_the_loop);
    tcase_add_test(tcase, scratch_is_all_there);
    return suite;
}

/*
 * test_budget_memory: the contract of daemon/budget.h over several lives of the daemon: what the next one knows, however
 * the one before has ended, and whatever was done to the machine's clocks and to the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/budget.h"
#include "tests/harness/spenders.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct spenders s;

static void setup(void)
{
    spenders_init(&s);
}

static void teardown(void)
{
    spenders_deinit(&s);
}

/* What servers publish, roughly. */
static const char *const published[] = {"5 per s", "1 per s", "300 per 5min", "7 per s,20 per min",
                                        "1000 per day"};

/* Kills, ends in order, clocks that are set, boots of the machine: loop test over seeds. */
START_TEST(no_window_has_more_over_all_lives)
{
    enum budget_kind kind = _i % 2 == 0 ? BUDGET_CONNECT : BUDGET_SEND;
    const char *texts = published[_i % 5];
    uint64_t step_ms = _i % 5 == 4 ? 200000 : _i % 5 == 2 ? 2000 : 60;
    unsigned n_lives = 0;
    bool knows_boot = _i % 3 != 0;

    if (!knows_boot)
        spenders_hide_boot(&s);
    srandom((unsigned)_i);
    spenders_begin(&s, true);
    spenders_have(&s, kind, texts);
    for (int i = 0; i < 1500; i++) {
        s.disk.delay_ms = _i < 15 ? 0 : spenders_random(UINT64_C(20) << spenders_random(8));
        spenders_some_time(&s, step_ms, 60);
        switch (spenders_random(40)) {
        case 0: spenders_kill(&s); break;
        case 1: spenders_end(&s); break;
        default: continue;
        }
        n_lives++;
        /* While it is down, or while the machine is. A clock that runs ahead over a boot is the exception. */
        switch (spenders_random(6)) {
        case 0: s.wall_offset_ms -= (int64_t)spenders_random(3 * (uint64_t)DAY_MS); break;
        case 1:
            s.wall_offset_ms += knows_boot ? (int64_t)spenders_random(3 * (uint64_t)DAY_MS) : 0;
            break;
        case 2:
            spenders_pass(&s, spenders_random(10000));
            spenders_reboot(&s);
            break;
        default: break;
        }
        spenders_pass(&s, spenders_random(3));
        spenders_begin(&s, true);
        spenders_have(&s, kind, texts);
    }
    ck_assert_uint_gt(n_lives, 20);
    ck_assert_uint_gt(s.n_spent, 10);
    ck_assert_uint_eq(s.n_news[BUDGET_UNKNOWN] + s.n_news[BUDGET_STUCK], 0);
    spenders_observe(&s, texts);
    spenders_end(&s);
}
END_TEST

/* The clock on the wall is set while the daemon runs, too. */
START_TEST(set_clocks_are_of_no_matter_in_one_boot)
{
    srandom((unsigned)_i);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "20 per min");
    for (int i = 0; i < 1000; i++) {
        spenders_some_time(&s, 2000, 60);
        s.wall_offset_ms = INT64_C(1700000000000) + (int64_t)spenders_random(1000) * DAY_MS;
        if (spenders_random(20) == 0) {
            spenders_kill(&s);
            s.wall_offset_ms = INT64_C(1700000000000) + (int64_t)spenders_random(1000) * DAY_MS;
            spenders_begin(&s, true);
            spenders_have(&s, BUDGET_CONNECT, "20 per min");
        }
    }
    spenders_observe(&s, "20 per min");
    /* And it has cost nothing either. */
    ck_assert_uint_gt(s.n_spent, 200);
    spenders_end(&s);
}
END_TEST

/* ---- what a later life knows ---- */

START_TEST(a_crash_loop_burns_one_at_a_time)
{
    for (int i = 0; i < 30; i++) {
        spenders_begin(&s, true);
        spenders_have(&s, BUDGET_CONNECT, "10 per day");
        spender_asks(&s, 0);
        spenders_kill(&s);
        spenders_pass(&s, 1000);
    }
    ck_assert_uint_eq(s.n_spent, 10);
}
END_TEST

START_TEST(a_crash_loop_burns_messages_one_at_a_time)
{
    for (int i = 0; i < 1500; i++) {
        spenders_begin(&s, true);
        spenders_have(&s, BUDGET_SEND, "1000 per day");
        spender_asks(&s, 0);
        spenders_kill(&s);
        spenders_pass(&s, 1500);
    }
    ck_assert_uint_eq(s.n_spent, 1000);
}
END_TEST

/* Loop test: killed when it is written down and before it is used, or when not even that. */
START_TEST(what_was_written_down_is_spent)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "10 per day");
    for (int i = 0; i < 4; i++)
        ck_assert(spender_asks(&s, 0));
    s.disk.delay_ms = 10;
    ck_assert(!spender_asks(&s, 1));
    spenders_pass(&s, 9);
    ck_assert(!s.all[1].is_ready);
    if (_i == 1)
        fake_disk_runs(&s.disk);
    s.disk.is_dead = true;
    spenders_end(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "10 per day");
    ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), 4 + (unsigned)_i);
    spenders_end(&s);
}
END_TEST

START_TEST(an_end_in_order_gives_back_what_was_reserved)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "1000 per day");
    ck_assert_uint_eq(spender_asks_for(&s, 0, 40), 40);
    spenders_end(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "1000 per day");
    ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), 40);
    spenders_kill(&s);
}
END_TEST

START_TEST(a_crash_counts_what_was_reserved)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "1000 per day");
    ck_assert_uint_eq(spender_asks_for(&s, 0, 40), 40);
    spenders_kill(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "1000 per day");
    ck_assert_uint_ge(budget_used(s.all[0].claim.budget, 0), 40);
    ck_assert_uint_le(budget_used(s.all[0].claim.budget, 0), 40 + 1000 / 32);
    spenders_end(&s);
}
END_TEST

/* What was sent of a block late counts from then on, and not from when the block was written down. */
START_TEST(a_crash_counts_it_as_spent_at_the_end_of_its_block)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "1000 per h");
    ck_assert_uint_eq(spender_asks_for(&s, 0, 2), 2);
    spenders_pass(&s, 900);
    ck_assert(spender_asks(&s, 0));
    spenders_kill(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "1000 per h");
    ck_assert_uint_eq(spending_last(&s.all[0].claim.budget->spending), budgets_now(&s.budgets));
    spenders_end(&s);
}
END_TEST

static unsigned lines_of_file(void)
{
    FILE *from = fopen(s.file, "r");
    unsigned n = 0;
    int c;

    ck_assert_ptr_nonnull(from);
    while ((c = getc(from)) != EOF)
        n += c == '\n';
    fclose(from);
    return n;
}

/* A busy one does not write for each message, and the file does not grow with what was sent. */
START_TEST(the_file_stays_small)
{
    unsigned n_lines;

    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "10000 per s");
    spender_asks_for(&s, 0, 10000);
    n_lines = lines_of_file();
    ck_assert_uint_lt(n_lines, 90);
    for (int i = 0; i < 60000; i++) {
        spender_asks(&s, 0);
        spenders_pass(&s, 40);
    }
    ck_assert_uint_lt(lines_of_file(), 2500);
    spenders_end(&s);
    ck_assert_uint_lt(lines_of_file(), 60);
}
END_TEST

START_TEST(what_has_come_back_goes_from_the_file)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "5 per s");
    ck_assert_uint_eq(spender_asks_for(&s, 0, 9), 5);
    budget_rest(&s.all[0].claim);
    spenders_pass(&s, 2000);
    spenders_end(&s);
    ck_assert_uint_eq(lines_of_file(), 3);
}
END_TEST

START_TEST(a_budget_survives_its_endpoint)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "3 per day");
    ck_assert(spender_asks(&s, 0) && spender_asks(&s, 0));
    spenders_end(&s);
    spenders_begin(&s, true);
    spenders_rates(&s, "other", BUDGET_CONNECT, "1 per day");
    spenders_end(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "3 per day");
    ck_assert(spender_asks(&s, 0));
    ck_assert(!spender_asks(&s, 0));
    spenders_end(&s);
}
END_TEST

START_TEST(free_budgets_are_remembered)
{
    spenders_begin(&s, true);
    spenders_rates(&s, NULL, BUDGET_SEND, "2 per day");
    spenders_claim_free(&s, 0, 1000, "a.example");
    ck_assert(spender_asks(&s, 0));
    spenders_kill(&s);
    spenders_begin(&s, true);
    spenders_rates(&s, NULL, BUDGET_SEND, "2 per day");
    spenders_claim_free(&s, 0, 1000, "a.example");
    spenders_claim_free(&s, 1, 1000, "b.example");
    ck_assert_uint_eq(spender_asks_for(&s, 0, 9), 1);
    ck_assert_uint_eq(spender_asks_for(&s, 1, 9), 2);
    spenders_end(&s);
}
END_TEST

START_TEST(a_clock_set_back_over_a_boot_waits_a_period_at_most)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "2 per h");
    ck_assert(spender_asks(&s, 0) && spender_asks(&s, 0));
    spenders_end(&s);
    s.wall_offset_ms -= 400 * (int64_t)DAY_MS;
    spenders_reboot(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "2 per h");
    ck_assert(!spender_asks(&s, 0));
    ck_assert_uint_le(budget_wait_ms(&s.all[0].claim), 3601000);
    spender_waits(&s, 0);
    ck_assert(spender_asks(&s, 0));
    spenders_end(&s);
}
END_TEST

START_TEST(a_machine_that_was_off_has_waited)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "2 per h");
    ck_assert(spender_asks(&s, 0) && spender_asks(&s, 0));
    spenders_kill(&s);
    spenders_pass(&s, 3603000);
    spenders_reboot(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "2 per h");
    ck_assert(spender_asks(&s, 0) && spender_asks(&s, 0));
    ck_assert(!spender_asks(&s, 0));
    spenders_end(&s);
}
END_TEST

/* ---- files that are not as they should be ---- */

static void writes_file(const char *text, size_t len)
{
    FILE *to = fopen(s.file, "w");

    ck_assert_ptr_nonnull(to);
    ck_assert_uint_eq(fwrite(text, 1, len, to), len);
    ck_assert_int_eq(fclose(to), 0);
}

static const struct strange {
    const char *text, *problem;
    size_t len; /* 0: of the text */
} strangers[] = {
    {"", "it is empty", 0},
    {"\n", "it is not a ledger", 0},
    {"hello\n", "it is not a ledger", 0},
    {"wsplex-ledger 1 b007-0 1700000000000", "it is not a ledger", 36},
    {"wsplex-ledger 1 b007-0 17000000x\n", "it is not a ledger", 0},
    {"wsplex-ledger 2 and now for something else\n", "another version", 0},
    {"wsplex-ledger 10\n", "another version", 0},
    {"wsplex-ledger 1 b007-0 1700000000000\n2023-11-14T22:13:20.000Z endpoint a connect\n",
     "a line of it", 0},
    {"wsplex-ledger 1 b007-0 1700000000000\nnonsense\n", "a line of it", 0},
    {"wsplex-ledger 1 b007-0 1700000000000\n2023-11-14T22:13:20.000Z user a connect 1\n",
     "cannot be remembered", 0},
    {"wsplex-ledger 1 b007-0 1700000000000\n# \0\n\0\0\0\0\0\0", "a line of it", 48},
};

/* Loop test: all counts as spent, for one period, and people are told why; the stranger is kept. */
START_TEST(a_strange_file_is_set_aside)
{
    const struct strange *strange = &strangers[_i];
    bool is_line = strstr(strange->problem, "remembered") != NULL;
    char aside[100];

    snprintf(aside, sizeof(aside), "%s.unreadable", s.file);
    s.wall_offset_ms = INT64_C(1700000100000) - (int64_t)s.clock.now_ms;
    writes_file(strange->text, strange->len > 0 ? strange->len : strlen(strange->text));
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "3 per min");
    if (strcmp(strange->problem, "it is not a ledger") == 0 && strange->len == 36) {
        /* Whole but for its newline: nothing else can be missing. */
        ck_assert_uint_eq(s.n_news[BUDGET_UNKNOWN], 0);
        spenders_end(&s);
        return;
    }
    ck_assert_uint_eq(s.n_news[BUDGET_UNKNOWN], 1);
    ck_assert_msg(strstr(s.news[BUDGET_UNKNOWN], strange->problem) != NULL, "%s",
                  s.news[BUDGET_UNKNOWN]);
    if (!is_line) {
        ck_assert_int_eq(access(aside, F_OK), 0);
        ck_assert(!spender_asks(&s, 0));
        ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), 3);
        /* Killed now, the next life knows that it does not know. */
        spenders_kill(&s);
        spenders_pass(&s, 30000);
        spenders_begin(&s, true);
        spenders_have(&s, BUDGET_CONNECT, "3 per min");
        ck_assert_uint_eq(s.n_news[BUDGET_UNKNOWN], 1);
        ck_assert(!spender_asks(&s, 0));
        ck_assert_uint_le(budget_wait_ms(&s.all[0].claim), 31000);
    } else {
        ck_assert(!spender_asks(&s, 0));
    }
    spender_waits(&s, 0);
    ck_assert(spender_asks(&s, 0));
    spenders_end(&s);
}
END_TEST

START_TEST(a_line_that_was_cut_off_was_never_done)
{
    static const char text[] = "wsplex-ledger 1 b007-0 1700000000000\n"
                               "2023-11-14T22:15:00.000Z endpoint quotes connect 1\n"
                               "2023-11-14T22:15:00.000Z endpoint quotes conn";

    s.wall_offset_ms = INT64_C(1700000100000) - (int64_t)s.clock.now_ms;
    writes_file(text, sizeof(text) - 1);
    spenders_begin(&s, true);
    spenders_hide_boot(&s);
    spenders_have(&s, BUDGET_CONNECT, "3 per min");
    ck_assert_uint_eq(s.n_news[BUDGET_UNKNOWN], 0);
    ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), 1);
    spenders_end(&s);
}
END_TEST

/* ---- when nothing can be written ---- */

START_TEST(what_cannot_be_written_down_waits)
{
    char locked[80];
    struct ledger *other;
    struct ledger_sheet found;
    char problem[LEDGER_PROBLEM_LEN];

    snprintf(locked, sizeof(locked), "%s", s.directory);
    ledger_sheet_init(&found);
    ck_assert_int_eq(ledger_open(locked, &s.machine, &found, &other, problem), 0);
    ledger_sheet_deinit(&found);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "3 per min");
    ck_assert_uint_eq(s.n_news[BUDGET_STUCK], 1);
    ck_assert_ptr_nonnull(strstr(s.news[BUDGET_STUCK], "another wsplexd"));
    ck_assert(!spender_asks(&s, 0));
    ck_assert(!spender_asks(&s, 1));
    ck_assert_uint_le(budget_wait_ms(&s.all[0].claim), LEDGER_RETRY_MS);
    /* What never waits does not wait for this either. */
    budget_charge(&s.all[2].claim, 1);
    spenders_pass(&s, 10 * LEDGER_RETRY_MS);
    ck_assert(!s.all[0].is_ready && !spender_asks(&s, 0));
    ck_assert_uint_eq(s.n_news[BUDGET_STUCK], 1);
    ledger_close(other);
    ck_assert_uint_le(spender_waits(&s, 0), LEDGER_RETRY_MS);
    ck_assert(spender_asks(&s, 0));
    ck_assert_uint_eq(s.n_news[BUDGET_WORKS], 1);
    ck_assert(s.all[1].is_ready && spender_asks(&s, 1));
    ck_assert(!spender_asks(&s, 1));
    spenders_end(&s);
}
END_TEST

START_TEST(the_directory_is_made)
{
    struct stat is;

    strcpy(s.directory + strlen(s.directory), "/a/b");
    snprintf(s.file, sizeof(s.file), "%s/budgets", s.directory);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "3 per min");
    ck_assert(spender_asks(&s, 0));
    ck_assert_int_eq(stat(s.directory, &is), 0);
    ck_assert_uint_eq(is.st_mode & 07777, 0700);
    ck_assert_int_eq(stat(s.file, &is), 0);
    ck_assert_uint_eq(is.st_mode & 07777, 0600);
    spenders_end(&s);
    s.directory[strlen(s.directory) - 4] = '\0';
}
END_TEST

START_TEST(what_cannot_be_begun_is_tried_again)
{
    spenders_begin(&s, true);
    s.disk.refusal = -EAGAIN;
    spenders_have(&s, BUDGET_SEND, "3 per min");
    ck_assert(!spender_asks(&s, 0));
    ck_assert_uint_eq(s.n_news[BUDGET_STUCK], 1);
    s.disk.refusal = 0;
    ck_assert_uint_le(spender_waits(&s, 0), LEDGER_RETRY_MS);
    ck_assert(spender_asks(&s, 0));
    ck_assert_uint_eq(s.n_news[BUDGET_WORKS], 1);
    spenders_end(&s);
}
END_TEST

/* The file is longer than the process may write: what was begun of a line is cut off again. */
START_TEST(a_full_disk_costs_nothing)
{
    struct stat is;

    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "3 per h");
    ck_assert(spender_asks(&s, 0));
    ck_assert_int_eq(stat(s.file, &is), 0);
    s.disk.max_file = (uint64_t)is.st_size + 10;
    for (int i = 0; i < 5; i++) {
        ck_assert(!spender_asks(&s, 0));
        spenders_pass(&s, LEDGER_RETRY_MS);
    }
    ck_assert_uint_eq(s.n_news[BUDGET_STUCK], 1);
    ck_assert_ptr_nonnull(strstr(s.news[BUDGET_STUCK], strerror(EFBIG)));
    s.disk.max_file = 0;
    spender_waits(&s, 0);
    ck_assert(spender_asks(&s, 0));
    spenders_kill(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "3 per h");
    ck_assert_uint_eq(s.n_news[BUDGET_UNKNOWN], 0);
    ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), 2);
    spenders_end(&s);
}
END_TEST

/* ---- slow disks ---- */

START_TEST(a_slow_disk_delays_and_loses_nothing)
{
    enum budget_kind kind = _i == 0 ? BUDGET_CONNECT : BUDGET_SEND;

    spenders_begin(&s, true);
    s.disk.delay_ms = 700;
    spenders_have(&s, kind, "20 per h");
    for (int i = 0; i < 20; i++) {
        ck_assert(!spender_asks(&s, 0));
        /* What is under way, perhaps, and then its own. */
        ck_assert_uint_le(spender_waits(&s, 0), 2 * 700 + 2);
        ck_assert(spender_asks(&s, 0));
    }
    ck_assert(!spender_asks(&s, 0));
    ck_assert_uint_gt(budget_wait_ms(&s.all[0].claim), 3500000);
    ck_assert_uint_eq(s.n_news[BUDGET_STUCK], 0);
    spenders_end(&s);
}
END_TEST

/* Many that arrive while the disk is at work have the next turn of it together. */
START_TEST(those_that_wait_are_written_down_together)
{
    unsigned n_jobs;

    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "100 per h");
    s.disk.delay_ms = 50;
    n_jobs = s.disk.n_jobs;
    for (unsigned i = 0; i < N_SPENDERS; i++) {
        ck_assert(!spender_asks(&s, i));
        spenders_pass(&s, 1);
    }
    spender_waits(&s, 0);
    ck_assert(spender_asks(&s, 0));
    spenders_pass(&s, 50);
    ck_assert_uint_eq(s.disk.n_jobs, n_jobs + 2);
    for (unsigned i = 1; i < N_SPENDERS; i++)
        ck_assert(s.all[i].is_ready && spender_asks(&s, i));
    ck_assert_uint_eq(s.disk.n_jobs, n_jobs + 2);
    spenders_end(&s);
}
END_TEST

/* As many messages go as with a fast disk: what is asked for at once grows with what it takes. */
START_TEST(a_slow_disk_does_not_slow_who_sends_much)
{
    unsigned n[2];

    for (int i = 0; i < 2; i++) {
        spenders_begin(&s, true);
        spenders_have(&s, BUDGET_SEND, "1000 per s");
        s.disk.delay_ms = i == 0 ? 0 : 200;
        n[i] = 0;
        for (uint64_t end_ms = s.clock.now_ms + 20000; s.clock.now_ms < end_ms;) {
            n[i] += spender_asks_for(&s, 0, 1000);
            spenders_pass(&s, 1);
        }
        spenders_observe(&s, "1000 per s");
        spenders_end(&s);
        spenders_pass(&s, 10000);
    }
    ck_assert_uint_ge(n[0], 18000);
    ck_assert_uint_ge(n[1], n[0] * 7 / 10);
}
END_TEST

/* Loop test. What is written down as if it were spent before it can be is written down anew. */
START_TEST(what_is_late_on_the_disk_counts_from_when_it_was_made)
{
    static const uint64_t delays_ms[] = {500, 999, 1001, 5000, 60000, 7200000};

    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "10 per day");
    s.disk.delay_ms = delays_ms[_i];
    ck_assert(!spender_asks(&s, 0));
    spender_waits(&s, 0);
    ck_assert(spender_asks(&s, 0));
    s.disk.is_dead = true;
    spenders_end(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "10 per day");
    ck_assert_uint_eq(spending_last(&s.all[0].claim.budget->spending), budgets_now(&s.budgets));
    /* Twice for what was late the first time. */
    ck_assert_uint_le(budget_used(s.all[0].claim.budget, 0), delays_ms[_i] > 1000 ? 2 : 1);
    spenders_end(&s);
}
END_TEST

START_TEST(a_disk_that_hangs_is_told_of_and_waited_for)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "10 per h");
    ck_assert(spender_asks(&s, 0));
    s.disk.is_hanging = true;
    ck_assert(!spender_asks(&s, 0));
    ck_assert(!spender_asks(&s, 1));
    spenders_pass(&s, LEDGER_SLOW_MS - 1);
    ck_assert_uint_eq(s.n_news[BUDGET_STUCK], 0);
    ck_assert_uint_ge(budget_wait_ms(&s.all[0].claim), 1);
    spenders_pass(&s, 1);
    ck_assert_uint_eq(s.n_news[BUDGET_STUCK], 1);
    ck_assert_ptr_nonnull(strstr(s.news[BUDGET_STUCK], "the disk has not answered for 5 s"));
    /* Nobody gives up something for what would have to wait. */
    ck_assert_uint_ge(budget_would_wait_ms(&s.all[2].claim), 1);
    spenders_pass(&s, MINUTE_MS);
    ck_assert(!s.all[0].is_ready && !s.all[1].is_ready);
    fake_disk_heals(&s.disk);
    spender_waits(&s, 0);
    ck_assert(spender_asks(&s, 0) && spender_asks(&s, 1));
    ck_assert_uint_eq(s.n_news[BUDGET_STUCK], 1);
    ck_assert_uint_eq(s.n_news[BUDGET_WORKS], 1);
    spenders_end(&s);
}
END_TEST

START_TEST(what_never_waits_is_written_down_when_the_disk_answers)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "1000 per h");
    s.disk.is_hanging = true;
    for (int i = 0; i < 500; i++)
        budget_charge(&s.all[0].claim, 1);
    spenders_pass(&s, MINUTE_MS);
    for (int i = 0; i < 100; i++)
        budget_charge(&s.all[0].claim, 1);
    ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), 600);
    fake_disk_heals(&s.disk);
    spenders_pass(&s, 0);
    ck_assert_uint_eq(s.all[0].claim.budget->n_owed, 0);
    s.disk.is_dead = true;
    spenders_end(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "1000 per h");
    ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), 600);
    spenders_end(&s);
}
END_TEST

/* It hangs as the file of the life before is read. */
START_TEST(before_it_is_known_what_was_spent_all_waits)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, "5 per h");
    ck_assert_uint_eq(spender_asks_for(&s, 0, 2), 2);
    spenders_end(&s);
    spenders_begin(&s, true);
    s.disk.is_hanging = true;
    spenders_have(&s, BUDGET_SEND, "5 per h");
    ck_assert(!spender_asks(&s, 0));
    budget_charge(&s.all[1].claim, 1);
    spenders_pass(&s, 1800000);
    fake_disk_heals(&s.disk);
    spender_waits(&s, 0);
    ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), 3);
    ck_assert_uint_eq(spender_asks_for(&s, 0, 5), 2);
    spenders_observe(&s, "5 per h");
    /* What the life before has spent counts from then, and not from when it was read. */
    ck_assert_uint_lt(budget_wait_ms(&s.all[0].claim), 1802000);
    spenders_end(&s);
}
END_TEST

/* Loop test: at the end the disk hangs with the file unread, with something under way, or with nothing. */
START_TEST(an_end_does_not_wait_for_a_disk_that_hangs)
{
    spenders_begin(&s, true);
    s.disk.is_hanging = _i == 0;
    spenders_have(&s, BUDGET_CONNECT, "10 per h");
    if (_i > 0)
        ck_assert(spender_asks(&s, 0));
    s.disk.is_hanging = true;
    if (_i < 2)
        ck_assert(!spender_asks(&s, 0));
    budget_charge(&s.all[1].claim, 1);
    spenders_end(&s);
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "10 per h");
    ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), _i > 0);
    spenders_end(&s);
}
END_TEST

/* Who gives up while it is being written down has spent nothing; the next one has what was reserved. */
START_TEST(what_is_reserved_is_for_whoever_comes)
{
    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_CONNECT, "10 per h");
    s.disk.delay_ms = 100;
    ck_assert(!spender_asks(&s, 0));
    budget_rest(&s.all[0].claim);
    spenders_pass(&s, 100);
    ck_assert_uint_eq(s.all[0].n_ready, 0);
    s.disk.is_hanging = true;
    ck_assert(spender_asks(&s, 1));
    ck_assert(!spender_asks(&s, 2));
    ck_assert_uint_eq(budget_used(s.all[0].claim.budget, 0), 1);
    spenders_end(&s);
}
END_TEST

/* Loop test: only what matters after a boot has to be on the disk itself. */
START_TEST(what_no_boot_outlives_is_not_synced)
{
    static const struct {
        const char *rates;
        bool is_synced;
    } rows[] = {
        {"5 per s", false}, {"5 per 58s", false}, {"5 per min", true}, {"5 per s,9 per h", true}};
    unsigned n_synced;

    spenders_begin(&s, true);
    spenders_have(&s, BUDGET_SEND, rows[_i].rates);
    n_synced = s.disk.n_synced;
    ck_assert(spender_asks(&s, 0));
    ck_assert_uint_eq(s.disk.n_synced > n_synced, rows[_i].is_synced);
    spenders_end(&s);
}
END_TEST

/* A line that says more than any rate allows is as good as that, and two of them are not less. */
START_TEST(huge_counts_do_not_overflow)
{
    static const char text[] =
        "wsplex-ledger 1 b007-0 1700000000000\n"
        "2023-11-14T22:15:00.000Z endpoint quotes connect 18446744073709551615\n"
        "2023-11-14T22:15:00.000Z endpoint quotes connect 9\n";

    s.wall_offset_ms = INT64_C(1700000100000) - (int64_t)s.clock.now_ms;
    writes_file(text, sizeof(text) - 1);
    spenders_begin(&s, true);
    spenders_hide_boot(&s);
    spenders_have(&s, BUDGET_CONNECT, "10 per h");
    ck_assert_uint_eq(s.n_news[BUDGET_UNKNOWN], 0);
    ck_assert(!spender_asks(&s, 0));
    ck_assert_uint_ge(budget_used(s.all[0].claim.budget, 0), 10);
    spenders_end(&s);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("budget_memory");
    TCase *memory = unit_case(suite, "memory");
    TCase *trouble = unit_case(suite, "trouble");
    TCase *disk = unit_case(suite, "disk");
    TCase *cases[] = {memory, trouble, disk};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tcase_add_checked_fixture(cases[i], setup, teardown);
        tcase_set_timeout(cases[i], 120);
    }
    tcase_add_loop_test(memory, no_window_has_more_over_all_lives, 0, 30);
    tcase_add_loop_test(memory, set_clocks_are_of_no_matter_in_one_boot, 0, 4);
    tcase_add_test(memory, a_crash_loop_burns_one_at_a_time);
    tcase_add_test(memory, a_crash_loop_burns_messages_one_at_a_time);
    tcase_add_loop_test(memory, what_was_written_down_is_spent, 0, 2);
    tcase_add_test(memory, an_end_in_order_gives_back_what_was_reserved);
    tcase_add_test(memory, a_crash_counts_what_was_reserved);
    tcase_add_test(memory, a_crash_counts_it_as_spent_at_the_end_of_its_block);
    tcase_add_test(memory, the_file_stays_small);
    tcase_add_test(memory, what_has_come_back_goes_from_the_file);
    tcase_add_test(memory, a_budget_survives_its_endpoint);
    tcase_add_test(memory, free_budgets_are_remembered);
    tcase_add_test(memory, a_clock_set_back_over_a_boot_waits_a_period_at_most);
    tcase_add_test(memory, a_machine_that_was_off_has_waited);
    tcase_add_loop_test(trouble, a_strange_file_is_set_aside, 0,
                        (int)(sizeof(strangers) / sizeof(strangers[0])));
    tcase_add_test(trouble, a_line_that_was_cut_off_was_never_done);
    tcase_add_test(trouble, what_cannot_be_written_down_waits);
    tcase_add_test(trouble, the_directory_is_made);
    tcase_add_test(trouble, what_cannot_be_begun_is_tried_again);
    tcase_add_test(trouble, a_full_disk_costs_nothing);
    tcase_add_test(trouble, huge_counts_do_not_overflow);
    tcase_add_loop_test(disk, a_slow_disk_delays_and_loses_nothing, 0, 2);
    tcase_add_test(disk, those_that_wait_are_written_down_together);
    tcase_add_test(disk, a_slow_disk_does_not_slow_who_sends_much);
    tcase_add_loop_test(disk, what_is_late_on_the_disk_counts_from_when_it_was_made, 0, 6);
    tcase_add_test(disk, a_disk_that_hangs_is_told_of_and_waited_for);
    tcase_add_test(disk, what_never_waits_is_written_down_when_the_disk_answers);
    tcase_add_test(disk, before_it_is_known_what_was_spent_all_waits);
    tcase_add_loop_test(disk, an_end_does_not_wait_for_a_disk_that_hangs, 0, 3);
    tcase_add_test(disk, what_is_reserved_is_for_whoever_comes);
    tcase_add_loop_test(disk, what_no_boot_outlives_is_not_synced, 0, 4);
    return suite;
}

/*
 * test_ledger: the contract of daemon/ledger.h: files and directories that are not as they should be, clocks that are
 * not, and what is written in spite of them. What several lives of the daemon make of it is in test_budget_memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/ledger.h"
#include "daemon/limits.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "wsplex-ledger 1 b007 1700000000000\n"

/* The boot was at the 1,700,000,000th second. */
static int64_t elapsed_ms, wall_ms;
static char top[64], directory[80], file[100], aside[120];
static struct ledger_sheet found;
static struct ledger *ledger;
static char problem[LEDGER_PROBLEM_LEN];

static int64_t clock_elapsed(void *context)
{
    (void)context;
    return elapsed_ms;
}

static int64_t clock_wall(void *context)
{
    (void)context;
    return wall_ms;
}

static void clock_boot(void *context, char ret_boot[LEDGER_BOOT_LEN])
{
    (void)context;
    strcpy(ret_boot, "b007");
}

static const struct ledger_clock machine = {clock_elapsed, clock_wall, clock_boot, NULL};

static void setup(void)
{
    snprintf(top, sizeof(top), "%s/ledger.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(top));
    snprintf(directory, sizeof(directory), "%s/state", top);
    snprintf(file, sizeof(file), "%s/budgets", directory);
    snprintf(aside, sizeof(aside), "%s.unreadable", file);
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    elapsed_ms = 100000;
    wall_ms = INT64_C(1700000100000);
    ledger_sheet_init(&found);
    ledger = NULL;
}

static void teardown(void)
{
    char command[100];

    ledger_close(ledger);
    ledger_sheet_deinit(&found);
    snprintf(command, sizeof(command), "rm -rf %s", top);
    ck_assert_int_eq(system(command), 0);
}

static int opens(void)
{
    ledger = ledger_close(ledger);
    ledger_sheet_deinit(&found);
    ledger_sheet_init(&found);
    return ledger_open(directory, &machine, &found, &ledger, problem);
}

static void has(const char *text, size_t len)
{
    FILE *to = fopen(file, "w");

    ck_assert_ptr_nonnull(to);
    ck_assert_uint_eq(fwrite(text, 1, len, to), len);
    ck_assert_int_eq(fclose(to), 0);
}

static int spends(int64_t at_ms, uint64_t count)
{
    struct ledger_sheet sheet;
    int r;

    ledger_sheet_init(&sheet);
    ledger_sheet_spent(&sheet, BUDGET_SEND, "endpoint a", at_ms, count);
    ledger_sheet_spent(&sheet, BUDGET_CONNECT, "endpoint b", at_ms, 1);
    r = ledger_append(ledger, &sheet);
    ledger_sheet_deinit(&sheet);
    return r;
}

static int begins_anew(void)
{
    struct ledger_sheet sheet;
    int r;

    ledger_sheet_init(&sheet);
    r = ledger_rewrite(ledger, &sheet);
    ledger_sheet_deinit(&sheet);
    return r;
}

/* The directory is the daemon's, and what stood there has been renamed. */
static void is_set_aside(const char *why)
{
    struct stat is;

    ck_assert_int_eq(opens(), 0);
    ck_assert_msg(strstr(problem, why) != NULL, "%s", problem);
    ck_assert(found.is_unknown);
    ck_assert_int_eq(found.unknown_ms, elapsed_ms);
    ck_assert_int_eq(lstat(aside, &is), 0);
    ck_assert_int_ne(lstat(file, &is), 0);
    ck_assert(ledger_wants_rewriting(ledger));
    ck_assert_int_eq(begins_anew(), 0);
    ck_assert(!ledger_wants_rewriting(ledger));
}

/* ---- what stands there ---- */

START_TEST(what_is_written_is_found)
{
    ck_assert_int_eq(opens(), 0);
    ck_assert_str_eq(problem, "");
    ck_assert_uint_eq(found.n_items, 0);
    ck_assert_int_eq(spends(elapsed_ms, 1), -EBADF);
    ck_assert_int_eq(begins_anew(), 0);
    ck_assert_int_eq(spends(elapsed_ms - 7, 5), 0);
    ck_assert_int_eq(spends(elapsed_ms + 1000, UINT64_MAX), 0);
    ck_assert_int_eq(ledger_sync(ledger), 0);
    elapsed_ms += 2000;
    wall_ms += 2000;
    ck_assert_int_eq(opens(), 0);
    ck_assert_uint_eq(found.n_items, 4);
    ck_assert_int_eq(found.items[0].elapsed_ms, elapsed_ms - 2007);
    ck_assert_uint_eq(found.items[0].count, 5);
    ck_assert_int_eq(found.items[0].kind, BUDGET_SEND);
    ck_assert_str_eq(ledger_sheet_owner(&found, &found.items[0]), "endpoint a");
    ck_assert_str_eq(ledger_sheet_owner(&found, &found.items[1]), "endpoint b");
    ck_assert_int_eq(found.items[2].elapsed_ms, elapsed_ms - 1000);
    ck_assert_uint_eq(found.items[2].count, UINT64_MAX);
}
END_TEST

/* Zeros as far as the eye reaches: no disk has to hold them. */
static void is_so_long(off_t len)
{
    has(HEAD, strlen(HEAD));
    ck_assert_int_eq(truncate(file, len), 0);
}

START_TEST(a_file_has_a_bound)
{
    is_so_long((off_t)MAX_LEDGER_LEN + 1);
    is_set_aside("it is too long");
    is_so_long((off_t)1 << 30);
    is_set_aside("it is too long");
    is_so_long(MAX_LEDGER_LEN);
    is_set_aside("a line of it is not understood");
}
END_TEST

/* A last line that was not written to its end is no longer than a line. */
START_TEST(what_is_cut_off_has_a_bound)
{
    char text[sizeof(HEAD) + LEDGER_LINE_LEN] = HEAD;

    memset(text + strlen(HEAD), 'x', LEDGER_LINE_LEN);
    has(text, strlen(HEAD) + LEDGER_LINE_LEN - 1);
    ck_assert_int_eq(opens(), 0);
    ck_assert_str_eq(problem, "");
    has(text, strlen(HEAD) + LEDGER_LINE_LEN);
    is_set_aside("a line of it is not understood");
}
END_TEST

/* Loop test: cut off anywhere, as a kill or a power cut leaves it. */
START_TEST(cut_off_anywhere)
{
    static const char text[] = HEAD "# so it begins\n"
                                    "2023-11-14T22:15:00.000Z endpoint a send 3\n"
                                    "2023-11-14T22:15:00.000Z endpoint b connect 1\n";
    size_t len = (size_t)_i;
    unsigned n_lines = 0;

    for (size_t i = 0; i < len; i++)
        n_lines += text[i] == '\n';
    has(text, len);
    ck_assert_int_eq(opens(), 0);
    if (len >= strlen(HEAD) - 1)
        ck_assert_str_eq(problem, "");
    else if (problem[0] == '\0') /* a shorter number is a number, too */
        ck_assert_uint_eq(n_lines, 0);
    if (len > strlen(HEAD))
        ck_assert_uint_eq(found.n_items, n_lines > 2 ? n_lines - 2 : 0);
}
END_TEST

START_TEST(what_is_no_file)
{
    char elsewhere[100];

    ck_assert_int_eq(mkfifo(file, 0600), 0);
    is_set_aside("it is not a regular file");
    unlink(file);
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", top);
    ck_assert_int_eq(symlink(elsewhere, file), 0);
    is_set_aside(strerror(ELOOP));
    ck_assert_int_ne(access(elsewhere, F_OK), 0);
    unlink(file);
    ck_assert_int_eq(unlink(aside), 0);
    ck_assert_int_eq(mkdir(file, 0700), 0);
    is_set_aside("it is not a regular file");
}
END_TEST

/* Loop test. Who could write it could say that nothing was spent; root may. */
START_TEST(whose_file)
{
    if (geteuid() != 0)
        return;
    has(HEAD, strlen(HEAD));
    ck_assert_int_eq(chown(file, 65534, (gid_t)-1), 0);
    if (_i == 0) {
        is_set_aside("it is another user's");
        return;
    }
    ck_assert_int_eq(chown(file, 0, (gid_t)-1), 0);
    ck_assert_int_eq(chmod(file, 0644), 0);
    ck_assert_int_eq(chown(directory, 65534, (gid_t)-1), 0);
    ck_assert_int_eq(chmod(top, 0755), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(opens(), 0);
    ck_assert_str_eq(problem, "");
    ck_assert_int_eq(begins_anew(), 0);
    ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* systemd's state directory of a dynamic user is one. */
START_TEST(a_directory_behind_a_link)
{
    char real[100];

    snprintf(real, sizeof(real), "%s/real", top);
    ck_assert_int_eq(rename(directory, real), 0);
    ck_assert_int_eq(symlink(real, directory), 0);
    ck_assert_int_eq(opens(), 0);
    ck_assert_int_eq(begins_anew(), 0);
    ck_assert_int_eq(access(file, F_OK), 0);
    ledger = ledger_close(ledger);
    /* One that leads nowhere is not made. */
    ck_assert_int_eq(unlink(directory), 0);
    ck_assert_int_eq(symlink("nowhere", directory), 0);
    ck_assert_int_eq(opens(), -ENOENT);
    ck_assert_ptr_nonnull(strstr(problem, "state directory"));
}
END_TEST

START_TEST(no_directory)
{
    char text[sizeof(directory)];

    strcpy(text, directory);
    ck_assert_int_eq(rmdir(directory), 0);
    snprintf(file, sizeof(file), "%s", text);
    has("", 0);
    ck_assert_int_eq(opens(), -ENOTDIR);
    ck_assert_int_eq(unlink(file), 0);
    snprintf(directory, sizeof(directory), "/proc/wsplex");
    ck_assert_int_lt(opens(), 0);
    strcpy(directory, text);
}
END_TEST

START_TEST(two_daemons)
{
    struct ledger *other = NULL;

    ck_assert_int_eq(opens(), 0);
    ck_assert_int_eq(ledger_open(directory, &machine, &found, &other, problem), -EWOULDBLOCK);
    ck_assert_ptr_nonnull(strstr(problem, "another wsplexd's"));
    ledger = ledger_close(ledger);
    ck_assert_int_eq(ledger_open(directory, &machine, &found, &other, problem), 0);
    ledger_close(other);
}
END_TEST

/* The directory is removed, or made read-only, while it is open. */
START_TEST(the_directory_goes)
{
    ck_assert_int_eq(opens(), 0);
    ck_assert_int_eq(begins_anew(), 0);
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(rmdir(directory), 0);
    ck_assert_int_eq(begins_anew(), -ENOENT);
    ck_assert(!ledger_wants_rewriting(ledger));
    /* It can still be written to, but nobody will find it: that is whoever removed it to mind. */
    ck_assert_int_eq(spends(elapsed_ms, 1), 0);
}
END_TEST

/* ---- clocks ---- */

/* Loop test: before 1970, far ahead, and beyond what a line can say: within one boot it is of no matter. */
START_TEST(clocks_on_the_wall)
{
    static const int64_t clocks[] = {
        0, -1, INT64_MIN / 4, 1, INT64_C(253402300799999), INT64_C(253402300800000), INT64_MAX / 4};

    wall_ms = clocks[_i];
    ck_assert_int_eq(opens(), 0);
    ck_assert_int_eq(begins_anew(), 0);
    ck_assert(!ledger_wants_rewriting(ledger));
    ck_assert_int_eq(spends(elapsed_ms - 500, 5), 0);
    wall_ms = INT64_C(1700000100000);
    ck_assert(ledger_wants_rewriting(ledger));
    ck_assert_int_eq(opens(), 0);
    ck_assert_str_eq(problem, "");
    ck_assert_uint_eq(found.n_items, 2);
    ck_assert_int_eq(found.items[0].elapsed_ms, elapsed_ms - 500);
}
END_TEST

START_TEST(a_clock_that_drifts_is_no_clock_that_was_set)
{
    ck_assert_int_eq(opens(), 0);
    ck_assert_int_eq(begins_anew(), 0);
    for (int sign = -1; sign <= 1; sign += 2) {
        wall_ms = INT64_C(1700000100000) + sign * LEDGER_DRIFT_MS;
        ck_assert(!ledger_wants_rewriting(ledger));
        wall_ms += sign;
        ck_assert(ledger_wants_rewriting(ledger));
    }
}
END_TEST

/* ---- writing ---- */

START_TEST(it_wants_rewriting_when_it_has_grown)
{
    ck_assert_int_eq(opens(), 0);
    ck_assert_int_eq(begins_anew(), 0);
    for (unsigned i = 0; i < MIN_LEDGER_LINES; i += 2)
        ck_assert_int_eq(spends(elapsed_ms, 1), 0);
    ck_assert(!ledger_wants_rewriting(ledger));
    ck_assert_int_eq(spends(elapsed_ms, 1), 0);
    ck_assert(ledger_wants_rewriting(ledger));
    ck_assert_int_eq(begins_anew(), 0);
    ck_assert(!ledger_wants_rewriting(ledger));
}
END_TEST

/* No file of the process may be longer; check's own neither, so nothing is to be asserted meanwhile. */
static void limit_files(rlim_t len)
{
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){len, RLIM_INFINITY});
}

/* Loop test: a disk with room for so many bytes more. All lines of a sheet are there, or none. */
START_TEST(a_full_disk_takes_all_or_nothing)
{
    struct stat before, after;
    int added, made;

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(opens(), 0);
    ck_assert_int_eq(begins_anew(), 0);
    ck_assert_int_eq(spends(elapsed_ms, 1), 0);
    ck_assert_int_eq(stat(file, &before), 0);
    limit_files((rlim_t)(before.st_size + _i));
    added = spends(elapsed_ms, 2);
    limit_files(10);
    made = begins_anew();
    limit_files(RLIM_INFINITY);
    ck_assert_int_eq(added, -EFBIG);
    ck_assert_int_eq(made, -EFBIG);
    ck_assert_int_eq(stat(file, &after), 0);
    ck_assert_int_eq(after.st_size, before.st_size);
    ck_assert_int_eq(spends(elapsed_ms, 3), 0);
    ck_assert_int_eq(opens(), 0);
    ck_assert_uint_eq(found.n_items, 4);
    ck_assert_uint_eq(found.items[2].count, 3);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ledger");
    TCase *files = unit_case(suite, "files");
    TCase *clocks = unit_case(suite, "clocks");
    TCase *writing = unit_case(suite, "writing");
    TCase *cases[] = {files, clocks, writing};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_add_test(files, what_is_written_is_found);
    tcase_add_test(files, a_file_has_a_bound);
    tcase_add_test(files, what_is_cut_off_has_a_bound);
    tcase_add_loop_test(files, cut_off_anywhere, 1, 138);
    tcase_add_test(files, what_is_no_file);
    tcase_add_loop_test(files, whose_file, 0, 2);
    tcase_add_test(files, a_directory_behind_a_link);
    tcase_add_test(files, no_directory);
    tcase_add_test(files, two_daemons);
    tcase_add_test(files, the_directory_goes);
    tcase_add_loop_test(clocks, clocks_on_the_wall, 0, 7);
    tcase_add_test(clocks, a_clock_that_drifts_is_no_clock_that_was_set);
    tcase_add_test(writing, it_wants_rewriting_when_it_has_grown);
    tcase_add_loop_test(writing, a_full_disk_takes_all_or_nothing, 0, 88);
    return suite;
}

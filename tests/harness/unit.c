/*
 * unit: main() and common checks of the test programs; see unit.h.
 *
 * Between a test file, which gives a Suite, and automake's TAP driver.
 *
 * Invariant: a test ends with as many open descriptors as it began with, or it has failed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/unit.h"

#include "tests/harness/allocation.h"

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

static int n_descriptors;

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void before_test(void)
{
    /* In fork mode a test is a process of its own, which would live on (and spin, if that is what is wrong with it)
     * when its runner is killed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Also what links the wrapped allocators into a test that makes none of them fail: libcheck's own
     * calls go through them. */
    allocation_disarm();
    n_descriptors = count_descriptors();
}

static void after_test(void)
{
    /* A test that forgot to disarm makes no trouble for check, whose allocations are wrapped as well. */
    allocation_disarm();
    ck_assert_msg(count_descriptors() == n_descriptors,
                  "the test began with %d open descriptors and ended with %d", n_descriptors,
                  count_descriptors());
}

TCase *unit_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, before_test, after_test);
    suite_add_tcase(suite, tcase);
    return tcase;
}

const char *unit_bytes_difference(const void *actual, size_t actual_len, const void *expected,
                                  size_t expected_len)
{
    static char text[100];
    const uint8_t *a = actual;
    const uint8_t *e = expected;

    for (size_t i = 0; i < actual_len && i < expected_len; i++) {
        if (a[i] != e[i]) {
            snprintf(text, sizeof(text), "byte %zu is 0x%02x, not 0x%02x", i, a[i], e[i]);
            return text;
        }
    }
    if (actual_len == expected_len)
        return NULL;
    snprintf(text, sizeof(text), "%zu bytes, not %zu", actual_len, expected_len);
    return text;
}

int main(void)
{
    SRunner *runner = srunner_create(unit_suite());
    int n_failed;

    srunner_set_fork_status(runner, CK_FORK);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

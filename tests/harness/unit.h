/*
 * unit: what every test program of tests/unit and tests/scenario has in common.
 *
 * Between a test file, which gives a Suite, and automake's TAP driver, which reads the output:
 * the harness has main(). Each test runs in a process of its own.
 *
 * Invariant: a test ends with as many open descriptors as it began with, or it has failed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_UNIT_H
#define WSPLEX_TESTS_HARNESS_UNIT_H

#include <check.h>
#include <stddef.h>

/* The rows of a table. */
#define N_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Given by the test file: the suite with its cases. */
Suite *unit_suite(void);

/* A new case in the suite, with the count of descriptors around each of its tests. */
TCase *unit_case(Suite *suite, const char *name);

/* Fails the test, with the line of the caller, unless both have the same bytes. */
#define unit_assert_bytes(actual, actual_len, expected, expected_len)                     \
    do {                                                                                  \
        const char *difference_ =                                                         \
            unit_bytes_difference((actual), (actual_len), (expected), (expected_len));    \
        ck_assert_msg(difference_ == NULL, "%s", difference_ == NULL ? "" : difference_); \
    } while (0)

/* NULL, or where two runs of bytes first differ; valid until the next call. */
const char *unit_bytes_difference(const void *actual, size_t actual_len, const void *expected,
                                  size_t expected_len);

#endif

/*
 * allocation: makes the n-th allocation of a test fail, to walk every path of -ENOMEM.
 *
 * Between a test and malloc: test programs are linked with --wrap for the allocating functions.
 *
 * Invariant: when not armed, every call goes through.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_ALLOCATION_H
#define WSPLEX_TESTS_HARNESS_ALLOCATION_H

#include <stdbool.h>
#include <stddef.h>

/* From now on n allocations succeed and the next one fails, once. What libcheck needs itself does not count. */
void allocation_fail_after(size_t n);

/* Disarms. Whether an allocation has failed since arming: if not, n was past the last one. */
bool allocation_disarm(void);

/* The hook, if not NULL, sees each block that is freed from now on, while it still is what it was. */
void allocation_on_free(void (*hook)(const void *block));

/* What the test's own side allocates in between counts for nothing and does not fail. May be nested. */
void allocation_suspend(void);
void allocation_resume(void);

#endif

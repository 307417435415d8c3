/*
 * guard: test input that ends at an unmapped page, so that reading one byte too far is a crash.
 *
 * Between a test or a fuzz corpus and the code that reads the bytes.
 *
 * Invariant: the byte behind the input is never mapped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_GUARD_H
#define WSPLEX_TESTS_HARNESS_GUARD_H

#include <stddef.h>
#include <stdint.h>

struct guard {
    uint8_t *data; /* the input; may be written as well */
    size_t len;
    void *mapping;
    size_t mapping_len;
};

/* Copies len bytes to the end of a mapping. Aborts if there is no memory: nothing can be tested then. */
void guard_init(struct guard *guard, const void *data, size_t len);

/* Unmaps; NULL is allowed, and so is a second call. */
void guard_deinit(struct guard *guard);

#endif

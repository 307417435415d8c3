/*
 * script: an input that says what happens, one operation after the other, in few bytes each.
 *
 * Between libFuzzer's bytes and a target that plays a whole conversation. An input that is too short goes
 * on with zeros, so that every input means something and a cut one means nearly the same.
 *
 * Invariant: nothing behind the input is read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_FUZZ_SCRIPT_H
#define WSP_TESTS_FUZZ_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"

/* What is left of the input. */
struct script {
    struct wsp_view rest;
};

bool script_is_over(const struct script *script);

/* The next byte. */
uint8_t script_u8(struct script *script);

/* At most so many bytes, as they are. */
struct wsp_view script_bytes(struct script *script, size_t max_len);

/*
 * A size from two bytes, at most max: the high bits of the first say whether it is a small number, one at the
 * edge of something in the protocols, or one from all over the range.
 */
size_t script_size(struct script *script, size_t max);

#endif

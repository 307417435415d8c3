/*
 * local_samples: one frame of each type of the local protocol, as a struct and as bytes.
 *
 * Between messages.def and the tests of local/wire and local/message, which want each type.
 *
 * Invariant: the bytes are written by hand, never made by the code under test.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_LOCAL_SAMPLES_H
#define WSP_TESTS_HARNESS_LOCAL_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buffer.h"
#include "proto/local/message.h"

struct local_sample {
    enum wsp_side from;
    struct wsp_message message;
    struct wsp_view bytes; /* header and payload */
};

/* The sample at an index, or NULL behind the last one. The first is a client's HELLO. */
const struct local_sample *local_sample_get(size_t index);

/* The number of samples, as a constant for loop tests. */
enum {
    LOCAL_N_SAMPLES = 30,
};

/* Whether header and all fields are equal. */
bool local_message_equals(const struct wsp_message *a, const struct wsp_message *b);

#endif

/*
 * chunks: an input that says itself how it is cut, for targets that compare cut with whole.
 *
 * Between libFuzzer's bytes and a codec. An input is
 *
 *     1 byte         low half: how many sizes follow (0: all in one piece); high half: flags
 *     n bytes        sizes less one, used in turn and again from the first
 *     the rest       the wire
 *
 * Invariant: each piece is a block of its own of exactly its length, and the one before is gone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_FUZZ_CHUNKS_H
#define WSP_TESTS_FUZZ_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"

struct chunks {
    unsigned flags; /* 0 to 15 */
    struct wsp_view sizes;
    struct wsp_view wire; /* what is left of it */
    size_t n_given;
    uint8_t *piece;
};

/* False when the input is too short to be one. */
bool chunks_init(struct chunks *chunks, const uint8_t *data, size_t len);

/* The same input as one piece. */
void chunks_join(struct chunks *chunks);

/* The next piece, which lives until the following call; false when there is none. */
bool chunks_next(struct chunks *chunks, struct wsp_view *ret_piece);

void chunks_deinit(struct chunks *chunks);

/* What a run tells, to be compared with another run's: text, appended to a buffer. Aborts without
 * memory. */
void story_tell(struct wsp_buffer *story, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void story_tell_bytes(struct wsp_buffer *story, struct wsp_view bytes);

/* Runs the input cut and as one piece, and aborts unless both tell the same story. run ends with
 * chunks_deinit. Nothing happens when the input is too short to be one. */
void chunks_compare(const uint8_t *data, size_t len,
                    void (*run)(struct wsp_buffer *story, struct chunks *chunks));

/* Aborts unless it holds; also where assert() would be compiled out. */
void require(bool holds);

#endif

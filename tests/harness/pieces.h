/*
 * pieces: one input, cut in every way that matters, each piece at the end of a page of its own.
 *
 * Between a unit test and a codec that is fed.
 *
 * Invariant: only the piece given last is mapped, so that a view into an earlier one is a crash, and
 * so is a byte read behind the end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_PIECES_H
#define WSP_TESTS_HARNESS_PIECES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buffer.h"
#include "tests/harness/guard.h"

struct pieces {
    struct wsp_view input;
    size_t first; /* bytes of the piece that comes next */
    size_t step;  /* bytes of each piece after it */
    struct guard guard;
};

/* How many ways there are to cut len bytes; loop over them with pieces_init(). */
size_t pieces_n_cuts(size_t len);

/*
 * Way 0 is the whole input in one piece, way 1 is byte by byte, and the others are one for each split
 * into two. data stays the caller's.
 */
void pieces_init(struct pieces *pieces, const void *data, size_t len, size_t cut);

/* The next piece, which lives until the following call; false when there is none. */
bool pieces_next(struct pieces *pieces, struct wsp_view *ret_piece);

void pieces_deinit(struct pieces *pieces);

#endif

/*
 * pieces: one input, cut in every way that matters; see pieces.h.
 *
 * Between a unit test and a codec that is fed.
 *
 * Invariant: only the piece given last is mapped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/pieces.h"

size_t pieces_n_cuts(size_t len)
{
    return len < 2 ? 1 : len + 1;
}

void pieces_init(struct pieces *pieces, const void *data, size_t len, size_t cut)
{
    *pieces = (struct pieces){
        .input = {data, len},
        .first = cut == 0   ? len
                 : cut == 1 ? 1
                            : cut - 1,
        .step = cut == 1 ? 1 : len,
    };
}

bool pieces_next(struct pieces *pieces, struct wsp_view *ret_piece)
{
    size_t len = pieces->first < pieces->input.len ? pieces->first : pieces->input.len;

    guard_deinit(&pieces->guard);
    if (len == 0)
        return false;
    guard_init(&pieces->guard, pieces->input.data, len);
    pieces->input.data += len;
    pieces->input.len -= len;
    pieces->first = pieces->step;
    *ret_piece = (struct wsp_view){pieces->guard.data, len};
    return true;
}

void pieces_deinit(struct pieces *pieces)
{
    guard_deinit(&pieces->guard);
}

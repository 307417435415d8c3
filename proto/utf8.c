/*
 * utf8: UTF-8, checked as it arrives; see utf8.h.
 *
 * Between websocket/message and local/message, whose texts it checks.
 *
 * Invariant: a byte that no continuation could make right is found when it is fed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/utf8.h"

#include <string.h>

/* Any continuation byte; what the first one after E0, ED, F0 and F4 may be is narrower. */
#define CONTINUATION_MIN 0x80
#define CONTINUATION_MAX 0xBF

void wsp_utf8_init(struct wsp_utf8 *utf8)
{
    *utf8 = (struct wsp_utf8){0};
}

/* How many bytes at the beginning of data are ASCII; eight at a time while that many are left. */
static size_t ascii_run(const uint8_t *data, size_t len)
{
    size_t i = 0;

    while (len - i >= sizeof(uint64_t)) {
        uint64_t eight;

        memcpy(&eight, data + i, sizeof(eight));
        if ((eight & UINT64_C(0x8080808080808080)) != 0)
            break;
        i += sizeof(eight);
    }
    while (i < len && data[i] < 0x80)
        i++;
    return i;
}

/*
 * The Unicode Standard, table 3-7, from the row of a byte that is not ASCII:
 *
 *   C2..DF  80..BF
 *   E0      A0..BF  80..BF            80..9F would be overlong
 *   E1..EC  80..BF  80..BF
 *   ED      80..9F  80..BF            A0..BF would be a surrogate
 *   EE..EF  80..BF  80..BF
 *   F0      90..BF  80..BF  80..BF    80..8F would be overlong
 *   F1..F3  80..BF  80..BF  80..BF
 *   F4      80..8F  80..BF  80..BF    90..BF would be above U+10FFFF
 *
 * 80..C1 and F5..FF begin nothing.
 */
static bool sequence_begin(struct wsp_utf8 *utf8, uint8_t lead)
{
    if (lead < 0xC2 || lead > 0xF4)
        return false;
    utf8->n_missing = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    utf8->min = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : CONTINUATION_MIN;
    utf8->max = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : CONTINUATION_MAX;
    return true;
}

static bool sequence_continue(struct wsp_utf8 *utf8, uint8_t byte)
{
    if (byte < utf8->min || byte > utf8->max)
        return false;
    utf8->n_missing--;
    utf8->min = CONTINUATION_MIN;
    utf8->max = CONTINUATION_MAX;
    return true;
}

size_t wsp_utf8_feed(struct wsp_utf8 *utf8, const uint8_t *data, size_t len)
{
    /* A copy, because bytes may alias the caller's object and would keep it out of registers. */
    struct wsp_utf8 state = *utf8;
    size_t i = 0;

    while (i < len && !state.is_broken) {
        if (state.n_missing > 0) {
            state.is_broken = !sequence_continue(&state, data[i]);
        } else {
            i += ascii_run(data + i, len - i);
            if (i == len)
                break;
            state.is_broken = !sequence_begin(&state, data[i]);
        }
        if (!state.is_broken)
            i++;
    }
    *utf8 = state;
    return i;
}

bool wsp_utf8_is_broken(const struct wsp_utf8 *utf8)
{
    return utf8->is_broken;
}

bool wsp_utf8_is_complete(const struct wsp_utf8 *utf8)
{
    return !utf8->is_broken && utf8->n_missing == 0;
}

bool wsp_utf8_is_valid(const void *data, size_t len)
{
    struct wsp_utf8 utf8;

    wsp_utf8_init(&utf8);
    wsp_utf8_feed(&utf8, data, len);
    return wsp_utf8_is_complete(&utf8);
}

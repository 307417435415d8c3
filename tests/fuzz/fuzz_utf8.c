/*
 * fuzz_utf8: text in pieces, compared with the one-shot run and with a naive reading.
 *
 * The first byte of the input is the length of the pieces less one; the rest is the text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/utf8.h"
#include "tests/harness/utf8_naive.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct wsp_utf8 utf8;
    size_t piece;
    size_t expected;
    size_t accepted = 0;

    if (len == 0)
        return 0;
    piece = (size_t)data[0] + 1;
    data++;
    len--;
    expected = utf8_naive_accepted(data, len);
    wsp_utf8_init(&utf8);
    for (size_t fed = 0; fed < len; fed += piece) {
        if (piece > len - fed)
            piece = len - fed;
        accepted += wsp_utf8_feed(&utf8, data + fed, piece);
        require(accepted == (expected < fed + piece ? expected : fed + piece));
    }
    require(wsp_utf8_is_broken(&utf8) == (expected < len));
    require(wsp_utf8_is_complete(&utf8) == utf8_naive_is_valid(data, len));
    require(wsp_utf8_is_valid(data, len) == utf8_naive_is_valid(data, len));
    return 0;
}

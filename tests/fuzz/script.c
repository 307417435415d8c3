/*
 * script: an input that says what happens; see script.h.
 *
 * Between libFuzzer's bytes and a target.
 *
 * Invariant: nothing behind the input is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/script.h"

#include "proto/local/wire.h"

/* Where something changes: lengths of frames, buffers and credit. */
static const size_t edges[] = {
    WSP_WIRE_HEADER_LEN,
    125,
    126,
    1024,
    4096,
    16 * 1024,
    32 * 1024,
    WSP_MAX_LOCAL_PAYLOAD - WSP_WIRE_HEADER_LEN,
    65535,
    WSP_MAX_LOCAL_PAYLOAD,
    WSP_MAX_LOCAL_PAYLOAD + WSP_WIRE_HEADER_LEN,
    128 * 1024,
    200 * 1024,
    256 * 1024,
};

bool script_is_over(const struct script *script)
{
    return script->rest.len == 0;
}

uint8_t script_u8(struct script *script)
{
    uint8_t value;

    return wsp_view_take_u8(&script->rest, &value) ? value : 0;
}

struct wsp_view script_bytes(struct script *script, size_t max_len)
{
    size_t len = script->rest.len < max_len ? script->rest.len : max_len;
    struct wsp_view bytes = {0};

    wsp_view_take(&script->rest, len, &bytes);
    return bytes;
}

size_t script_size(struct script *script, size_t max)
{
    size_t high = script_u8(script), low = script_u8(script), value = high & 0x1f, size;

    switch (high >> 5) {
    case 0: size = value; break;
    case 1: size = low; break;
    case 2:
    case 3: size = edges[value % (sizeof(edges) / sizeof(*edges))] + low % 3 - 1; break;
    case 4:
    case 5: size = value << 8 | low; break;
    default: size = value << 13 | low; break;
    }
    return size < max ? size : max;
}

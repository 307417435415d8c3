/*
 * basic: user name and password as HTTP's Basic authentication writes them; see basic.h.
 *
 * Between handshake or tunnel, which have the two, and the request that carries them as one word.
 *
 * Invariant: nothing is kept, and no copy of the credentials is made but the encoded one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/basic.h"

#include <string.h>

/* One to three bytes become four characters. */
static void encode_group(const uint8_t *bytes, size_t n_bytes, char ret[4])
{
    static const char alphabet[64] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0;

    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < n_bytes ? bytes[i] : 0);
    for (size_t i = 0; i < 4; i++)
        ret[i] = i <= n_bytes ? alphabet[bits >> (18 - 6 * i) & 0x3f] : '=';
}

void wsp_base64_encode(const uint8_t *bytes, size_t len, char *ret_text)
{
    for (size_t i = 0; i < len; i += 3, ret_text += 4)
        encode_group(bytes + i, len - i < 3 ? len - i : 3, ret_text);
}

static bool has_control(struct wsp_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            return true;
    }
    return false;
}

bool wsp_basic_is_valid(struct wsp_view username, struct wsp_view password)
{
    return !has_control(username) && !has_control(password) &&
           (username.len == 0 || memchr(username.data, ':', username.len) == NULL);
}

/* The byte at index of "username:password", which stands nowhere as a whole. */
static uint8_t byte_at(struct wsp_view username, struct wsp_view password, size_t index)
{
    if (index < username.len)
        return username.data[index];
    index -= username.len;
    return index == 0 ? ':' : password.data[index - 1];
}

int wsp_basic_append(struct wsp_buffer *to, struct wsp_view username, struct wsp_view password)
{
    size_t len = username.len + 1 + password.len;
    int r = wsp_buffer_append(to, "Basic ", strlen("Basic "));

    for (size_t i = 0; i < len && r == 0; i += 3) {
        uint8_t group[3];
        char text[4];
        size_t n = 0;

        for (; n < 3 && i + n < len; n++)
            group[n] = byte_at(username, password, i + n);
        encode_group(group, n, text);
        r = wsp_buffer_append(to, text, sizeof(text));
    }
    return r;
}

/*
 * percent: percent-encoding, as the WHATWG URL standard section 1.3 defines it; see percent.h.
 *
 * Between url, which encodes what it serialises, and url_host, which decodes a domain.
 *
 * Invariant: what was encoded with a set is printable ASCII, and encoding it again with the same
 * set changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/percent.h"

#include <stdbool.h>
#include <stdint.h>

#include "proto/ascii.h"

#define F WSP_PERCENT_FRAGMENT
#define Q WSP_PERCENT_QUERY
#define P WSP_PERCENT_PATH
#define U WSP_PERCENT_USERINFO

/* The printable characters that some set contains; all sets contain everything not printable. */
static const uint8_t sets_of_character[0x7F] = {
    [' '] = F | Q | P | U,
    ['"'] = F | Q | P | U,
    ['<'] = F | Q | P | U,
    ['>'] = F | Q | P | U,
    ['`'] = F | P | U,
    ['#'] = Q | P | U,
    ['\''] = Q,
    ['?'] = P | U,
    ['^'] = P | U,
    ['{'] = P | U,
    ['}'] = P | U,
    ['/'] = U,
    [':'] = U,
    [';'] = U,
    ['='] = U,
    ['@'] = U,
    ['['] = U,
    ['\\'] = U,
    [']'] = U,
    ['|'] = U,
};

#undef F
#undef Q
#undef P
#undef U

static bool is_in_set(uint8_t byte, enum wsp_percent_set set)
{
    return byte < 0x20 || byte >= 0x7F || (sets_of_character[byte] & set) != 0;
}

int wsp_percent_encode(struct wsp_buffer *to, const char *text, size_t len,
                       enum wsp_percent_set set)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t done = 0;

    while (done < len) {
        size_t i = done;
        int r;

        while (i < len && !is_in_set((uint8_t)text[i], set))
            i++;
        r = wsp_buffer_append(to, text + done, i - done);
        if (r == 0 && i < len) {
            uint8_t byte = (uint8_t)text[i];
            char encoded[3] = {'%', digits[byte >> 4], digits[byte & 15]};

            r = wsp_buffer_append(to, encoded, sizeof(encoded));
            i++;
        }
        if (r != 0)
            return r;
        done = i;
    }
    return 0;
}

size_t wsp_percent_decode(char *to, const char *text, size_t len)
{
    size_t n_written = 0;

    for (size_t i = 0; i < len; i++) {
        char byte = text[i];

        if (byte == '%' && len - i > 2) {
            unsigned int high = wsp_ascii_hex_value(text[i + 1]);
            unsigned int low = wsp_ascii_hex_value(text[i + 2]);

            if (high < 16 && low < 16) {
                byte = (char)(high << 4 | low);
                i += 2;
            }
        }
        to[n_written++] = byte;
    }
    return n_written;
}

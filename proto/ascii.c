/*
 * ascii: what the C library says of characters, without the locale; see ascii.h.
 *
 * Between every codec of proto that reads text and the bytes it reads.
 *
 * Invariant: a byte from 0x80 is no letter and no digit, and equals itself only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/ascii.h"

#include <string.h>

bool wsp_ascii_has_prefix(const char *text, size_t len, const char *prefix)
{
    size_t i = 0;

    while (prefix[i] != '\0') {
        if (i == len || wsp_ascii_to_lower(text[i]) != wsp_ascii_to_lower(prefix[i]))
            return false;
        i++;
    }
    return true;
}

bool wsp_ascii_equals(const char *text, size_t len, const char *string)
{
    return len == strlen(string) && wsp_ascii_has_prefix(text, len, string);
}

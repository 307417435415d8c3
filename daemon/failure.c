/* SPDX-License-Identifier: MIT
 *
 * failure: makes one line for people of what may quote a hostile peer.
 * Between whoever finds that something failed and those who show it: log line, FAILED frame, ctl.
 * Invariant: the text is valid UTF-8, has no control or format character that could make a terminal do something, and
 * ends in NUL.
 */
#include "daemon/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/utf8.h"

/* The length of the well-formed character at the start of text, or 0. */
static size_t character_len(const char *text, size_t len)
{
    for (size_t n = 1; n <= 4 && n <= len; n++) {
        if (wsp_utf8_is_valid(text, n))
            return n;
    }
    return 0;
}

static uint32_t code_point(const char *text, size_t len)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (uint8_t)text[0] & masks[len];

    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((uint8_t)text[i] & 0x3f);
    return c;
}

/* Control characters, and those that end a line or turn its direction. */
static bool is_printable(uint32_t c)
{
    return c >= 0x20 && !(c >= 0x7f && c <= 0x9f) && c != 0x061c && !(c >= 0x200e && c <= 0x200f) &&
           !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

void failure_set(struct failure *failure, uint16_t cause, uint16_t http_status, const char *format,
                 ...)
{
    /* Longer than the result, so that a character at its end can be seen to be whole. */
    char raw[sizeof(failure->text) + 4];
    size_t raw_len, len = 0;
    va_list arguments;

    va_start(arguments, format);
    if (vsnprintf(raw, sizeof(raw), format, arguments) < 0)
        raw[0] = '\0';
    va_end(arguments);

    raw_len = strlen(raw);
    for (size_t i = 0, n; i < raw_len; i += n) {
        size_t whole = character_len(raw + i, raw_len - i);
        bool is_good = whole > 0 && is_printable(code_point(raw + i, whole));

        n = whole > 0 ? whole : 1;
        if (len + (is_good ? n : 1) >= sizeof(failure->text))
            break;
        if (is_good)
            memcpy(failure->text + len, raw + i, n);
        else
            failure->text[len] = '?';
        len += is_good ? n : 1;
    }
    failure->text[len] = '\0';
    failure->cause = cause;
    failure->http_status = http_status;
    failure->retry_after = 0;
    failure->is_lasting = false;
}

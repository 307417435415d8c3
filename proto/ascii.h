/*
 * ascii: what the C library says of characters, without the locale.
 *
 * Between every codec of proto that reads text and the bytes it reads. A program may have set any
 * locale; in some, tolower('I') is no i.
 *
 * Invariant: a byte from 0x80 is no letter and no digit, and equals itself only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_ASCII_H
#define WSP_PROTO_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline bool wsp_ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool wsp_ascii_is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A capital letter's small one; every other character itself. */
static inline char wsp_ascii_to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* The value of a hexadecimal digit in either case, or 16 for any other character. */
static inline unsigned int wsp_ascii_hex_value(char c)
{
    if (wsp_ascii_is_digit(c))
        return (unsigned int)(c - '0');
    c = wsp_ascii_to_lower(c);
    return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a' + 10) : 16;
}

/* Whether the text begins with the string, whatever the case of letters in either. */
bool wsp_ascii_has_prefix(const char *text, size_t len, const char *prefix);

/* Whether the text is the string, whatever the case of letters in either. */
bool wsp_ascii_equals(const char *text, size_t len, const char *string);

#endif

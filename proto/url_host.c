/*
 * url_host: the host of a URL; see url_host.h.
 *
 * Between url, which cuts the host out of a URL, and the to-ASCII function that the program brings.
 *
 * Invariant: a host that was parsed is printable ASCII, and parsing it again gives the same host.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/url_host.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ascii.h"
#include "proto/percent.h"
#include "proto/utf8.h"

#define N_IPV6_PIECES 8

static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)text[i] >= 0x80)
            return false;
    }
    return true;
}

/* Section 3.2: what no domain may contain. */
static bool is_forbidden_in_domain(char c)
{
    return (uint8_t)c <= 0x20 || (uint8_t)c >= 0x7F || strchr("#%/:<>?@[\\]^|", c) != NULL;
}

/* Writes a number without leading zeros and returns the end of what was written. */
static char *write_number(char *to, unsigned int value, unsigned int base)
{
    char digits[8];
    size_t n_digits = 0;

    do {
        digits[n_digits++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    while (n_digits > 0)
        *to++ = digits[--n_digits];
    return to;
}

/* --- IPv4 --- */

/* The "IPv4 number parser". Values above 32 bits are all the same to the caller: too large. */
static bool ipv4_number_parse(const char *text, size_t len, uint64_t *ret_value)
{
    const uint64_t too_large = (uint64_t)UINT32_MAX + 1;
    unsigned int base = 10;
    size_t i = 0;
    uint64_t value = 0;

    if (len == 0)
        return false;
    if (len >= 2 && text[0] == '0') {
        base = wsp_ascii_to_lower(text[1]) == 'x' ? 16 : 8;
        i = base == 16 ? 2 : 1;
    }
    for (; i < len; i++) {
        unsigned int digit = wsp_ascii_hex_value(text[i]);

        if (digit >= base)
            return false;
        value = value * base + digit;
        if (value > too_large)
            value = too_large;
    }
    *ret_value = value;
    return true;
}

/* A dot at the end of a domain makes no further part. */
static size_t len_without_last_dot(const char *domain, size_t len)
{
    return len > 0 && domain[len - 1] == '.' ? len - 1 : len;
}

/* The "ends in a number checker": whether this must be an IPv4 address or nothing. */
static bool ends_in_number(const char *domain, size_t len)
{
    size_t end = len_without_last_dot(domain, len);
    size_t start = end;
    size_t n_digits = 0;
    uint64_t value;

    while (start > 0 && domain[start - 1] != '.')
        start--;
    while (start + n_digits < end && wsp_ascii_is_digit(domain[start + n_digits]))
        n_digits++;
    if (n_digits > 0 && n_digits == end - start)
        return true;
    return ipv4_number_parse(domain + start, end - start, &value);
}

/* The "IPv4 parser": one to four numbers, of which the last one fills all bytes that are left. */
static bool ipv4_parse(const char *domain, size_t len, uint32_t *ret_address)
{
    size_t end = len_without_last_dot(domain, len);
    uint64_t address = 0;
    unsigned int n_parts = 0;
    size_t start = 0;

    while (start <= end) {
        const char *dot = memchr(domain + start, '.', end - start);
        size_t part_len = dot == NULL ? end - start : (size_t)(dot - domain) - start;
        unsigned int n_bytes = dot == NULL ? 4 - n_parts : 1;
        uint64_t value;

        /* Before the last part there must be room for one more, so the fourth has to be the last. */
        if (n_parts == 4 || (dot != NULL && n_parts == 3))
            return false;
        if (!ipv4_number_parse(domain + start, part_len, &value) || value >= UINT64_C(1)
                                                                                 << (8 * n_bytes))
            return false;
        address = address << (8 * n_bytes) | value;
        n_parts++;
        start += part_len + 1;
    }
    *ret_address = (uint32_t)address;
    return true;
}

static int ipv4_append(struct wsp_buffer *to, uint32_t address)
{
    char text[sizeof("255.255.255.255")];
    char *end = text;

    for (int shift = 24; shift >= 0; shift -= 8) {
        if (shift < 24)
            *end++ = '.';
        end = write_number(end, address >> shift & 0xFF, 10);
    }
    return wsp_buffer_append(to, text, (size_t)(end - text));
}

/* --- IPv6 --- */

/* One number of the dotted tail: decimal, at most 255, no leading zero. */
static bool ipv6_tail_number_parse(const char *text, size_t len, size_t *at,
                                   unsigned int *ret_value)
{
    size_t start = *at;
    unsigned int value = 0;

    while (*at < len && wsp_ascii_is_digit(text[*at])) {
        value = value * 10 + (unsigned int)(text[*at] - '0');
        if (value > 255 || (*at > start && text[start] == '0'))
            return false;
        (*at)++;
    }
    if (*at == start)
        return false;
    *ret_value = value;
    return true;
}

/* The dotted IPv4 address that the last two pieces may be written as; it ends the text. */
static bool ipv6_tail_parse(const char *text, size_t len, uint16_t pieces[2])
{
    size_t at = 0;
    unsigned int numbers[4];

    for (size_t i = 0; i < 4; i++) {
        if (i > 0 && (at == len || text[at++] != '.'))
            return false;
        if (!ipv6_tail_number_parse(text, len, &at, &numbers[i]))
            return false;
    }
    pieces[0] = (uint16_t)(numbers[0] << 8 | numbers[1]);
    pieces[1] = (uint16_t)(numbers[2] << 8 | numbers[3]);
    return at == len;
}

/* Up to four hexadecimal digits; returns how many there are. */
static size_t ipv6_piece_parse(const char *text, size_t len, uint16_t *ret_piece)
{
    size_t n_digits = 0;
    unsigned int value = 0;

    while (n_digits < 4 && n_digits < len && wsp_ascii_hex_value(text[n_digits]) < 16)
        value = value << 4 | wsp_ascii_hex_value(text[n_digits++]);
    *ret_piece = (uint16_t)value;
    return n_digits;
}

/*
 * The pieces as they are written, without the zeros that :: stands for. *ret_gap is the index of the
 * piece before which it stands, or -1. Where "::" was taken, that piece may be missing; everywhere
 * else a colon must be followed by one.
 */
static bool ipv6_pieces_parse(const char *text, size_t len, uint16_t pieces[N_IPV6_PIECES],
                              size_t *ret_n_pieces, int *ret_gap)
{
    size_t n_pieces = 0;
    int gap = -1;
    size_t at = 0;
    bool needs_piece = true;

    if (len >= 2 && text[0] == ':' && text[1] == ':') {
        gap = 0;
        needs_piece = false;
        at = 2;
    }
    while (at < len) {
        uint16_t piece;
        size_t n_digits = ipv6_piece_parse(text + at, len - at, &piece);

        if (n_digits == 0 || n_pieces == N_IPV6_PIECES)
            return false;
        if (at + n_digits < len && text[at + n_digits] == '.') {
            if (n_pieces > N_IPV6_PIECES - 2 ||
                !ipv6_tail_parse(text + at, len - at, pieces + n_pieces))
                return false;
            n_pieces += 2;
            needs_piece = false;
            break;
        }
        pieces[n_pieces++] = piece;
        at += n_digits;
        needs_piece = false;
        if (at == len)
            break;
        if (text[at++] != ':')
            return false;
        needs_piece = true;
        if (at < len && text[at] == ':') {
            if (gap >= 0)
                return false;
            gap = (int)n_pieces;
            needs_piece = false;
            at++;
        }
    }
    *ret_n_pieces = n_pieces;
    *ret_gap = gap;
    return !needs_piece;
}

/* The "IPv6 parser" without the brackets. :: stands for at least one zero. */
static bool ipv6_parse(const char *text, size_t len, uint16_t address[N_IPV6_PIECES])
{
    uint16_t pieces[N_IPV6_PIECES];
    size_t n_pieces;
    int gap;
    size_t n_before;
    size_t n_after;

    if (!ipv6_pieces_parse(text, len, pieces, &n_pieces, &gap))
        return false;
    if (gap < 0 ? n_pieces != N_IPV6_PIECES : n_pieces >= N_IPV6_PIECES)
        return false;
    n_before = gap < 0 ? n_pieces : (size_t)gap;
    n_after = n_pieces - n_before;
    memset(address, 0, N_IPV6_PIECES * sizeof(*address));
    memcpy(address, pieces, n_before * sizeof(*address));
    memcpy(address + N_IPV6_PIECES - n_after, pieces + n_before, n_after * sizeof(*address));
    return true;
}

/* The first of the longest runs of two zero pieces or more; a length of 0 when there is none. */
static size_t ipv6_longest_zeros(const uint16_t address[N_IPV6_PIECES], size_t *ret_len)
{
    size_t best = 0;
    size_t best_len = 0;

    for (size_t start = 0; start < N_IPV6_PIECES; start++) {
        size_t end = start;

        while (end < N_IPV6_PIECES && address[end] == 0)
            end++;
        if (end - start >= 2 && end - start > best_len) {
            best = start;
            best_len = end - start;
        }
    }
    *ret_len = best_len;
    return best;
}

static int ipv6_append(struct wsp_buffer *to, const uint16_t address[N_IPV6_PIECES])
{
    char text[sizeof("[1111:2222:3333:4444:5555:6666:7777:8888]")];
    char *end = text;
    size_t zeros_len;
    size_t zeros = ipv6_longest_zeros(address, &zeros_len);

    *end++ = '[';
    for (size_t i = 0; i < N_IPV6_PIECES; i++) {
        if (zeros_len > 0 && i == zeros) {
            *end++ = ':';
            *end++ = ':';
            i += zeros_len - 1;
            continue;
        }
        if (i > 0 && end[-1] != ':')
            *end++ = ':';
        end = write_number(end, address[i], 16);
    }
    *end++ = ']';
    return wsp_buffer_append(to, text, (size_t)(end - text));
}

/* --- domains --- */

/* The "domain parser" for ASCII: lower case and nothing else, valid Punycode or not. */
static int ascii_domain_parse(char *domain, size_t len, struct wsp_buffer *to,
                              enum wsp_host_kind *ret_kind)
{
    uint32_t address;
    int r;

    if (len == 0)
        return WSP_URL_NO_HOST;
    for (size_t i = 0; i < len; i++) {
        if (is_forbidden_in_domain(domain[i]))
            return WSP_URL_BAD_HOST;
        domain[i] = wsp_ascii_to_lower(domain[i]);
    }
    if (ends_in_number(domain, len)) {
        if (!ipv4_parse(domain, len, &address))
            return WSP_URL_BAD_IPV4;
        r = ipv4_append(to, address);
        if (r == 0)
            *ret_kind = WSP_HOST_IPV4;
        return r;
    }
    r = wsp_buffer_append(to, domain, len);
    if (r == 0)
        *ret_kind = WSP_HOST_DOMAIN;
    return r;
}

/* The "domain parser" for anything else: what IDNA makes of it has to pass as ASCII. */
static int unicode_domain_parse(const char *domain, size_t len, wsp_to_ascii_fn to_ascii,
                                struct wsp_buffer *to, enum wsp_host_kind *ret_kind)
{
    char *ascii = NULL;
    int r;

    if (!wsp_utf8_is_valid(domain, len))
        return WSP_URL_BAD_DOMAIN;
    if (to_ascii == NULL)
        return -ENOSYS;
    r = to_ascii(domain, len, &ascii);
    if (r > 0)
        return WSP_URL_BAD_DOMAIN;
    if (r < 0)
        return r;
    /* The mapping may leave nothing at all, as of a soft hyphen. */
    r = *ascii == '\0' ? WSP_URL_BAD_DOMAIN
                       : ascii_domain_parse(ascii, strlen(ascii), to, ret_kind);
    free(ascii);
    return r;
}

int wsp_url_host_parse(const char *text, size_t len, wsp_to_ascii_fn to_ascii,
                       struct wsp_buffer *to, enum wsp_host_kind *ret_kind)
{
    char *domain;
    size_t domain_len;
    int r;

    if (len == 0)
        return WSP_URL_NO_HOST;
    if (text[0] == '[') {
        uint16_t address[N_IPV6_PIECES];

        if (text[len - 1] != ']' || !ipv6_parse(text + 1, len - 2, address))
            return WSP_URL_BAD_IPV6;
        r = ipv6_append(to, address);
        if (r == 0)
            *ret_kind = WSP_HOST_IPV6;
        return r;
    }
    domain = malloc(len);
    if (domain == NULL)
        return -ENOMEM;
    domain_len = wsp_percent_decode(domain, text, len);
    if (is_ascii(domain, domain_len))
        r = ascii_domain_parse(domain, domain_len, to, ret_kind);
    else
        r = unicode_domain_parse(domain, domain_len, to_ascii, to, ret_kind);
    free(domain);
    return r;
}

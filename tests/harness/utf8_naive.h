/*
 * utf8_naive: UTF-8 as slowly and plainly as it can be checked, to compare proto/utf8 with.
 *
 * Between test_utf8 and fuzz_utf8, which both ask it for the right answer.
 *
 * Invariant: it decodes to code points and judges those; it shares no thought with proto/utf8.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_UTF8_NAIVE_H
#define WSP_TESTS_HARNESS_UTF8_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the well-formed sequence at the beginning of data, or 0. len is at least 1. */
static inline size_t utf8_naive_sequence(const uint8_t *data, size_t len)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n_ones = 0;
    uint32_t code_point;

    while (n_ones < 8 && (data[0] & (0x80 >> n_ones)) != 0)
        n_ones++;
    if (n_ones == 0)
        return 1;
    if (n_ones == 1 || n_ones > 4 || n_ones > len)
        return 0;
    code_point = data[0] & (0x7Fu >> n_ones);
    for (size_t i = 1; i < n_ones; i++) {
        if ((data[i] & 0xC0) != 0x80)
            return 0;
        code_point = code_point << 6 | (data[i] & 0x3F);
    }
    if (code_point < smallest[n_ones] || code_point > 0x10FFFF ||
        (code_point >= 0xD800 && code_point <= 0xDFFF))
        return 0;
    return n_ones;
}

/* How many bytes at the beginning of data are whole well-formed sequences. */
static inline size_t utf8_naive_whole(const uint8_t *data, size_t len)
{
    size_t i = 0;

    while (i < len) {
        size_t sequence_len = utf8_naive_sequence(data + i, len - i);

        if (sequence_len == 0)
            break;
        i += sequence_len;
    }
    return i;
}

static inline bool utf8_naive_is_valid(const uint8_t *data, size_t len)
{
    return utf8_naive_whole(data, len) == len;
}

/* Whether some bytes behind the 1 to 3 of data would make one well-formed sequence of them all. */
static inline bool utf8_naive_is_begun(const uint8_t *data, size_t len)
{
    /* One byte from each range that a row of the Unicode Standard's table 3-7 tells apart. */
    static const uint8_t choices[] = {0x80, 0x90, 0xA0};
    const size_t n_choices = sizeof(choices);
    uint8_t sequence[4] = {0};

    for (size_t i = 0; i < len; i++)
        sequence[i] = data[i];
    for (size_t total = len + 1; total <= 4; total++) {
        for (size_t pick = 0; pick < n_choices; pick++) {
            for (size_t i = len; i < total; i++)
                sequence[i] = choices[pick];
            if (utf8_naive_sequence(sequence, total) == total)
                return true;
        }
    }
    return false;
}

/* How many bytes could still become valid text: the index of the first wrong byte, or len. */
static inline size_t utf8_naive_accepted(const uint8_t *data, size_t len)
{
    size_t whole = utf8_naive_whole(data, len);
    size_t n_begun = 0;

    while (n_begun < 3 && whole + n_begun < len && utf8_naive_is_begun(data + whole, n_begun + 1))
        n_begun++;
    return whole + n_begun;
}

#endif

/*
 * test_utf8: the contract of proto/utf8.h, against a naive reading of the same bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/utf8.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"
#include "tests/harness/utf8_naive.h"

#include <string.h>

/* Feeds the bytes in pieces that end at the two splits; the answers must be those of the reference. */
static void assert_as_naive(const uint8_t *data, size_t len, size_t split, size_t second_split)
{
    const size_t ends[] = {split, second_split, len};
    const size_t expected = utf8_naive_accepted(data, len);
    struct wsp_utf8 utf8;
    size_t fed = 0;
    size_t accepted = 0;

    wsp_utf8_init(&utf8);
    for (size_t i = 0; i < 3; i++) {
        accepted += wsp_utf8_feed(&utf8, data + fed, ends[i] - fed);
        fed = ends[i];
        ck_assert_uint_eq(accepted, expected < fed ? expected : fed);
        ck_assert(wsp_utf8_is_broken(&utf8) == (expected < fed));
        ck_assert(wsp_utf8_is_complete(&utf8) == utf8_naive_is_valid(data, fed));
    }
    ck_assert(wsp_utf8_is_valid(data, len) == utf8_naive_is_valid(data, len));
}

/* Without check's macros, which are slow: for loops over millions. */
static bool is_as_naive(const uint8_t *data, size_t len)
{
    struct wsp_utf8 utf8;

    wsp_utf8_init(&utf8);
    return wsp_utf8_feed(&utf8, data, len) == utf8_naive_accepted(data, len) &&
           wsp_utf8_is_complete(&utf8) == utf8_naive_is_valid(data, len);
}

START_TEST(every_input_of_up_to_three_bytes)
{
    for (uint32_t n = 0; n < 1u << 24; n++) {
        const uint8_t bytes[3] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

        if (!is_as_naive(bytes, 3) || (bytes[2] == 0 && !is_as_naive(bytes, 2)) ||
            (bytes[1] == 0 && bytes[2] == 0 && !is_as_naive(bytes, 1)))
            ck_abort_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
    }
}
END_TEST

START_TEST(every_class_of_four_bytes)
{
    static const uint8_t classes[] = {
        0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
        0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE, 0xFF,
    };
    const size_t n = sizeof(classes);

    for (size_t i = 0; i < n * n * n * n; i++) {
        const uint8_t bytes[4] = {
            classes[i / (n * n * n)],
            classes[i / (n * n) % n],
            classes[i / n % n],
            classes[i % n],
        };

        if (!is_as_naive(bytes, 4))
            ck_abort_msg("%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
    }
}
END_TEST

/* Writes the code point in n bytes, be that right or not. */
static void encode(uint8_t *to, size_t n, uint32_t code_point)
{
    static const uint8_t leads[] = {0, 0x00, 0xC0, 0xE0, 0xF0};

    for (size_t i = n - 1; i > 0; i--) {
        to[i] = (uint8_t)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    to[0] = (uint8_t)(leads[n] | code_point);
}

START_TEST(every_code_point_in_every_length)
{
    static const uint32_t ends[] = {0, 0x80, 0x800, 0x10000, 0x200000};
    uint8_t bytes[4];

    for (size_t n = 1; n <= 4; n++) {
        for (uint32_t c = 0; c < ends[n]; c++) {
            bool is_right = c >= ends[n - 1] && (c < 0xD800 || c > 0xDFFF) && c <= 0x10FFFF;

            encode(bytes, n, c);
            if (wsp_utf8_is_valid(bytes, n) != is_right)
                ck_abort_msg("U+%04X in %zu bytes", c, n);
        }
    }
}
END_TEST

/* What no continuation could make right is found at its first wrong byte (RFC 6455, section 8.1). */
START_TEST(the_first_wrong_byte_is_found_at_once)
{
    static const struct {
        const char *bytes;
        size_t len;
        size_t accepted;
    } rows[] = {
        {"\x80", 1, 0},
        {"\xBF", 1, 0},
        {"\xC0\x80", 2, 0},
        {"\xC1\xBF", 2, 0},
        {"\xF5", 1, 0},
        {"\xFF", 1, 0},
        {"\xC2\x41", 2, 1},
        {"\xE0\x80", 2, 1},
        {"\xE0\x9F", 2, 1},
        {"\xED\xA0", 2, 1},
        {"\xED\xBF", 2, 1},
        {"\xF0\x80", 2, 1},
        {"\xF0\x8F", 2, 1},
        {"\xF4\x90", 2, 1},
        {"\xF4\xBF", 2, 1},
        {"\xE2\x82\x41", 3, 2},
        {"\xF0\x9F\x92\xC2", 4, 3},
        {"ab\xC3\xA9\xFFzz", 7, 4},
        {"12345678\x80"
         "2345678",
         16, 8},
        {"1234567\x80", 8, 7},
    };
    struct wsp_utf8 utf8;

    for (size_t i = 0; i < N_OF(rows); i++) {
        const uint8_t *bytes = (const uint8_t *)rows[i].bytes;

        wsp_utf8_init(&utf8);
        ck_assert_uint_eq(wsp_utf8_feed(&utf8, bytes, rows[i].len), rows[i].accepted);
        ck_assert(wsp_utf8_is_broken(&utf8));
        ck_assert(!wsp_utf8_is_complete(&utf8));
        /* And it stays so, whatever follows. */
        ck_assert_uint_eq(wsp_utf8_feed(&utf8, (const uint8_t *)"a", 1), 0);
        ck_assert(wsp_utf8_is_broken(&utf8));
        wsp_utf8_init(&utf8);
        ck_assert_uint_eq(wsp_utf8_feed(&utf8, (const uint8_t *)"a", 1), 1);
        ck_assert(wsp_utf8_is_complete(&utf8));
    }
}
END_TEST

static const char *const texts[] = {
    "",
    "plain ASCII of more than sixteen bytes",
    "\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
    "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF",
    "12345678\xE2\x82\xAC"
    "1234567\xF0\x9F\x92\xA9"
    "123456\xC3\xA9",
    "good\xE2\x82\xAC, then bad\xED\xA0\x80 and more",
    "an end in the middle \xF0\x9F\x92",
    "\xEF\xBB\xBF a byte order mark and \xEF\xBF\xBE, which is no character",
};

START_TEST(every_split_gives_the_same)
{
    for (size_t t = 0; t < N_OF(texts); t++) {
        const uint8_t *data = (const uint8_t *)texts[t];
        size_t len = strlen(texts[t]);

        for (size_t split = 0; split <= len; split++) {
            for (size_t second = split; second <= len; second++)
                assert_as_naive(data, len, split, second);
        }
    }
}
END_TEST

START_TEST(byte_by_byte_gives_the_same)
{
    for (size_t t = 0; t < N_OF(texts); t++) {
        const uint8_t *data = (const uint8_t *)texts[t];
        size_t len = strlen(texts[t]);
        size_t expected = utf8_naive_accepted(data, len);
        struct wsp_utf8 utf8;

        wsp_utf8_init(&utf8);
        for (size_t i = 0; i < len; i++)
            ck_assert_uint_eq(wsp_utf8_feed(&utf8, data + i, 1), i < expected ? 1 : 0);
        ck_assert(wsp_utf8_is_complete(&utf8) == utf8_naive_is_valid(data, len));
    }
}
END_TEST

START_TEST(zero_is_text)
{
    ck_assert(wsp_utf8_is_valid("a\0b", 3));
    ck_assert(wsp_utf8_is_valid("\0\0\0\0\0\0\0\0\0", 9));
}
END_TEST

START_TEST(nothing_is_text)
{
    struct wsp_utf8 utf8;

    ck_assert(wsp_utf8_is_valid(NULL, 0));
    wsp_utf8_init(&utf8);
    ck_assert_uint_eq(wsp_utf8_feed(&utf8, NULL, 0), 0);
    ck_assert(wsp_utf8_is_complete(&utf8));
    ck_assert(!wsp_utf8_is_broken(&utf8));
}
END_TEST

/* Every length around the stride of eight, with one byte outside ASCII at every place or nowhere. */
START_TEST(no_byte_behind_the_end_is_read)
{
    uint8_t text[40];

    for (size_t len = 0; len <= sizeof(text); len++) {
        for (size_t wrong = 0; wrong <= len; wrong++) {
            struct guard guard;

            memset(text, 'a', sizeof(text));
            if (wrong < len)
                text[wrong] = 0xFF;
            guard_init(&guard, text, len);
            assert_as_naive(guard.data, len, wrong, wrong);
            guard_deinit(&guard);
        }
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tcase = unit_case(suite, "exhaustive");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_input_of_up_to_three_bytes);
    tcase_add_test(tcase, every_class_of_four_bytes);
    tcase_add_test(tcase, every_code_point_in_every_length);
    tcase = unit_case(suite, "contract");
    tcase_add_test(tcase, the_first_wrong_byte_is_found_at_once);
    tcase_add_test(tcase, every_split_gives_the_same);
    tcase_add_test(tcase, byte_by_byte_gives_the_same);
    tcase_add_test(tcase, zero_is_text);
    tcase_add_test(tcase, nothing_is_text);
    tcase_add_test(tcase, no_byte_behind_the_end_is_read);
    return suite;
}

/*
 * test_mask: proto/websocket/mask.h against the sentence of the standard (RFC 6455, section 5.3).
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/mask.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#include <string.h>

/* Longer than two rounds of the longest stride. */
#define MAX_LEN 200

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

static void mask_naively(uint8_t *to, const uint8_t *from, size_t len, size_t offset)
{
    for (size_t i = 0; i < len; i++)
        to[i] = from[i] ^ key[(offset + i) % 4];
}

static void fill(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
}

/* Loop test over lengths: every offset and both alignments from 0 to 16; nothing beside is touched. */
START_TEST(every_length_offset_and_alignment)
{
    size_t len = (size_t)_i;
    uint8_t from[MAX_LEN + 32];
    uint8_t expected[MAX_LEN];
    uint8_t to[MAX_LEN + 32];

    fill(from, sizeof(from));
    for (size_t offset = 0; offset < 5; offset++) {
        for (size_t at = 0; at <= 16; at++) {
            memset(to, 0xaa, sizeof(to));
            mask_naively(expected, from + at, len, offset);
            wsp_mask(to + 16 - at, from + at, len, key, offset);
            unit_assert_bytes(to + 16 - at, len, expected, len);
            ck_assert_uint_eq(at == 16 ? 0xaa : to[15 - at], 0xaa);
            ck_assert_uint_eq(to[16 - at + len], 0xaa);
        }
    }
}
END_TEST

START_TEST(in_place_up_to_an_unmapped_page)
{
    size_t len = (size_t)_i;
    uint8_t plain[MAX_LEN];
    uint8_t expected[MAX_LEN];
    struct guard guard;

    fill(plain, len);
    for (size_t offset = 0; offset < 4; offset++) {
        mask_naively(expected, plain, len, offset);
        guard_init(&guard, plain, len);
        wsp_mask(guard.data, guard.data, len, key, offset);
        unit_assert_bytes(guard.data, len, expected, len);
        wsp_mask(guard.data, guard.data, len, key, offset);
        unit_assert_bytes(guard.data, len, plain, len);
        guard_deinit(&guard);
    }
}
END_TEST

/* Piece by piece with the right offsets is the same as at once. */
START_TEST(pieces_meet_without_a_seam)
{
    size_t split = (size_t)_i;
    uint8_t plain[MAX_LEN];
    uint8_t expected[MAX_LEN];
    uint8_t masked[MAX_LEN];

    fill(plain, sizeof(plain));
    mask_naively(expected, plain, sizeof(plain), 0);
    wsp_mask(masked, plain, split, key, 0);
    wsp_mask(masked + split, plain + split, sizeof(plain) - split, key, split);
    unit_assert_bytes(masked, sizeof(masked), expected, sizeof(expected));
}
END_TEST

START_TEST(an_offset_beyond_32_bits_counts)
{
    uint8_t plain[5] = "Hello";
    uint8_t masked[5];
    uint8_t expected[5];

    mask_naively(expected, plain, sizeof(plain), 3);
    wsp_mask(masked, plain, sizeof(plain), key, SIZE_MAX - 4 - SIZE_MAX % 4 + 3);
    unit_assert_bytes(masked, sizeof(masked), expected, sizeof(expected));
}
END_TEST

/* The example of section 5.7. */
START_TEST(the_standard_s_hello)
{
    static const uint8_t masked[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58};
    uint8_t plain[sizeof(masked)];

    wsp_mask(plain, masked, sizeof(masked), key, 0);
    unit_assert_bytes(plain, sizeof(plain), "Hello", 5);
}
END_TEST

START_TEST(nothing_is_masked_to_nothing)
{
    wsp_mask(NULL, NULL, 0, key, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("mask");
    TCase *mask = unit_case(suite, "mask");

    tcase_add_loop_test(mask, every_length_offset_and_alignment, 0, MAX_LEN + 1);
    tcase_add_loop_test(mask, in_place_up_to_an_unmapped_page, 0, MAX_LEN + 1);
    tcase_add_loop_test(mask, pieces_meet_without_a_seam, 0, MAX_LEN + 1);
    tcase_add_test(mask, an_offset_beyond_32_bits_counts);
    tcase_add_test(mask, the_standard_s_hello);
    tcase_add_test(mask, nothing_is_masked_to_nothing);
    return suite;
}

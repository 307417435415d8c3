/*
 * test_crypto: the contract of daemon/crypto.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/crypto.h"
#include "tests/harness/unit.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_LEN = 11 };

static int compare_pieces(const void *x, const void *y)
{
    return memcmp(x, y, PIECE_LEN);
}

START_TEST(sha1_is_that_of_rfc_3174)
{
    static const uint8_t expected[20] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
                                         0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
                                         0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    uint8_t digest[20];

    ck_assert_int_eq(crypto_sha1("abc", 3, digest), 0);
    unit_assert_bytes(digest, sizeof(digest), expected, sizeof(expected));
}
END_TEST

/* Past the end of the pool, too, in pieces that do not divide it; a piece of zeros or one that repeats would show. */
START_TEST(random_bytes_are_never_given_twice)
{
    static uint8_t pieces[3000][PIECE_LEN];

    for (size_t i = 0; i < 3000; i++)
        crypto_random(pieces[i], sizeof(pieces[i]));
    qsort(pieces, 3000, PIECE_LEN, compare_pieces);
    for (size_t i = 1; i < 3000; i++)
        ck_assert_int_ne(memcmp(pieces[i - 1], pieces[i], PIECE_LEN), 0);
}
END_TEST

START_TEST(any_length_is_filled)
{
    static const size_t lengths[] = {0, 1, 4, 16, 1024, 1025, 4096, 100000};
    static uint8_t bytes[100002];
    size_t len = lengths[_i], n_zero = 0;

    memset(bytes, 0, sizeof(bytes));
    crypto_random(bytes + 1, len);
    ck_assert_uint_eq(bytes[0], 0);
    ck_assert_uint_eq(bytes[len + 1], 0);
    for (size_t i = 0; i < len; i++)
        n_zero += bytes[i + 1] == 0;
    ck_assert_uint_le(n_zero, 1 + len / 64);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("crypto");
    TCase *tcase = unit_case(suite, "crypto");

    tcase_add_test(tcase, sha1_is_that_of_rfc_3174);
    tcase_add_test(tcase, random_bytes_are_never_given_twice);
    tcase_add_loop_test(tcase, any_length_is_filled, 0, 8);
    return suite;
}

/*
 * test_ascii: the contract of proto/ascii.h, for every character there is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/ascii.h"
#include "tests/harness/unit.h"

#include <string.h>

START_TEST(every_character)
{
    const char *small = "abcdefghijklmnopqrstuvwxyz";
    const char *capital = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *digits = "0123456789abcdef";

    for (int i = 1; i < 256; i++) {
        char c = (char)i;
        const char *in_small = strchr(small, c);
        const char *in_capital = strchr(capital, c);
        char lower = in_capital == NULL ? c : small[in_capital - capital];
        const char *in_digits = strchr(digits, lower);
        unsigned int value = in_digits == NULL ? 16 : (unsigned int)(in_digits - digits);

        ck_assert(wsp_ascii_is_letter(c) == (in_small != NULL || in_capital != NULL));
        ck_assert(wsp_ascii_is_digit(c) == (value < 10));
        ck_assert(wsp_ascii_to_lower(c) == lower);
        ck_assert_uint_eq(wsp_ascii_hex_value(c), value);
    }
    ck_assert(!wsp_ascii_is_letter('\0'));
    ck_assert(!wsp_ascii_is_digit('\0'));
    ck_assert(wsp_ascii_to_lower('\0') == '\0');
    ck_assert_uint_eq(wsp_ascii_hex_value('\0'), 16);
}
END_TEST

START_TEST(texts_are_compared_in_any_case)
{
    ck_assert(wsp_ascii_equals("UPGRADE", 7, "Upgrade"));
    ck_assert(!wsp_ascii_equals("UPGRADE", 6, "Upgrade"));
    ck_assert(!wsp_ascii_equals("Upgrade!", 8, "Upgrade"));
    ck_assert(!wsp_ascii_equals("Upgrad\0", 7, "Upgrade"));
    ck_assert(!wsp_ascii_equals("Upgrad\xE5", 7, "Upgrad\xC5"));
    ck_assert(!wsp_ascii_equals("@", 1, "`"));
    ck_assert(wsp_ascii_equals(NULL, 0, ""));
    ck_assert(wsp_ascii_has_prefix("sec-websocket-key", 17, "Sec-WebSocket-"));
    ck_assert(wsp_ascii_has_prefix("Sec-WebSocket-", 14, "Sec-WebSocket-"));
    ck_assert(!wsp_ascii_has_prefix("Sec-WebSocket-", 13, "Sec-WebSocket-"));
    ck_assert(wsp_ascii_has_prefix(NULL, 0, ""));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ascii");
    TCase *tcase = unit_case(suite, "contract");

    tcase_add_test(tcase, every_character);
    tcase_add_test(tcase, texts_are_compared_in_any_case);
    return suite;
}

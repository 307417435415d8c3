/*
 * test_pin: names of public keys, as people write them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/pin.h"

#include <string.h>

#include "tests/harness/unit.h"

#define BASE64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static const struct {
    const char *text;
    const char *pin; /* NULL: none */
} rows[] = {
    {"sha256/" BASE64, "sha256/" BASE64},
    {"sha256//" BASE64, "sha256/" BASE64},                  /* curl's */
    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", /* a slash of base64 itself */
     "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
    {"sha256/++++/+++++++++++++++++++++++++++++++++++++8=",
     "sha256/++++/+++++++++++++++++++++++++++++++++++++8="},
    {"", NULL},
    {"sha256/", NULL},
    {BASE64, NULL},
    {"sha1/" BASE64, NULL},
    {"SHA256/" BASE64, NULL},
    {"sha256/" BASE64 "=", NULL},
    {"sha256///" BASE64, NULL},
    {"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL}, /* 33 bytes */
    {"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", NULL}, /* 31 bytes */
    {"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", NULL}, /* bits that no byte has */
    {"sha256/AAAAAAAAAAAAAAAAAAAAA-AAAAAAAAAAAAAAAAAAAAA=", NULL}, /* base64url */
    {"sha256/AAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAA=", NULL},
};

START_TEST(each_text_is_a_pin_or_none)
{
    char pin[PIN_LEN + 1] = "untouched";
    bool is_pin = pin_parse(wsp_view_of_string(rows[_i].text), pin);

    ck_assert_int_eq(is_pin, rows[_i].pin != NULL);
    ck_assert_str_eq(pin, is_pin ? rows[_i].pin : "untouched");
}
END_TEST

START_TEST(zero_byte_is_no_letter)
{
    char text[] = "sha256/" BASE64, pin[PIN_LEN + 1];

    text[20] = '\0';
    ck_assert(!pin_parse((struct wsp_view){(const uint8_t *)text, PIN_LEN}, pin));
}
END_TEST

START_TEST(lists_have_separators_of_any_kind)
{
    struct wsp_view list = wsp_view_of_string(" a,b; c\t,;d ");
    struct wsp_view text;
    char got[16] = "";

    while (pin_next(&list, &text))
        strncat(got, (const char *)text.data, text.len);
    ck_assert_str_eq(got, "abcd");
    ck_assert(!pin_next(&list, &text));
    list = wsp_view_of_string(" , ");
    ck_assert(!pin_next(&list, &text));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pin");
    TCase *text = unit_case(suite, "text");

    tcase_add_loop_test(text, each_text_is_a_pin_or_none, 0, N_OF(rows));
    tcase_add_test(text, zero_byte_is_no_letter);
    tcase_add_test(text, lists_have_separators_of_any_kind);
    return suite;
}

/*
 * test_percent: the contract of proto/percent.h; the sets are those of the URL standard, section 1.3.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/percent.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    enum wsp_percent_set set;
    const char *printable; /* what the set has between U+0020 and U+007E */
} sets[] = {
    {WSP_PERCENT_FRAGMENT, " \"<>`"},
    {WSP_PERCENT_QUERY, " \"#<>'"},
    {WSP_PERCENT_PATH, " \"#<>?^`{}"},
    {WSP_PERCENT_USERINFO, " \"#<>?^`{}/:;=@[\\]|"},
};

START_TEST(every_byte_in_every_set)
{
    for (size_t s = 0; s < N_OF(sets); s++) {
        for (int i = 0; i < 256; i++) {
            bool is_in_set = i < 0x20 || i > 0x7E || strchr(sets[s].printable, i) != NULL;
            char expected[4] = {(char)i, '\0'};
            char text = (char)i;
            struct wsp_buffer buffer;

            if (is_in_set)
                snprintf(expected, sizeof(expected), "%%%02X", (unsigned int)i);
            wsp_buffer_init(&buffer, 16);
            ck_assert_int_eq(wsp_percent_encode(&buffer, &text, 1, sets[s].set), 0);
            unit_assert_bytes(wsp_buffer_peek(&buffer), wsp_buffer_len(&buffer), expected,
                              is_in_set ? 3 : 1);
            wsp_buffer_deinit(&buffer);
        }
    }
}
END_TEST

START_TEST(encoding_twice_changes_nothing)
{
    const char *text = "a b%20%zz\xC3\xA9?#{}@:%";
    const char *expected = "a%20b%20%zz%C3%A9%3F%23%7B%7D%40%3A%";
    struct wsp_buffer once;
    struct wsp_buffer twice;

    wsp_buffer_init(&once, 100);
    wsp_buffer_init(&twice, 100);
    ck_assert_int_eq(wsp_percent_encode(&once, text, strlen(text), WSP_PERCENT_USERINFO), 0);
    unit_assert_bytes(wsp_buffer_peek(&once), wsp_buffer_len(&once), expected, strlen(expected));
    ck_assert_int_eq(wsp_percent_encode(&twice, expected, strlen(expected), WSP_PERCENT_USERINFO),
                     0);
    unit_assert_bytes(wsp_buffer_peek(&twice), wsp_buffer_len(&twice), expected, strlen(expected));
    wsp_buffer_deinit(&once);
    wsp_buffer_deinit(&twice);
}
END_TEST

START_TEST(encoding_tells_why_it_cannot)
{
    struct wsp_buffer buffer;

    for (size_t max = 0; max < 5; max++) {
        wsp_buffer_init(&buffer, max);
        ck_assert_int_eq(wsp_percent_encode(&buffer, "a b", 3, WSP_PERCENT_PATH), -ENOBUFS);
        wsp_buffer_deinit(&buffer);
    }
    wsp_buffer_init(&buffer, 5);
    ck_assert_int_eq(wsp_percent_encode(&buffer, "a b", 3, WSP_PERCENT_PATH), 0);
    wsp_buffer_deinit(&buffer);
    wsp_buffer_init(&buffer, 5);
    allocation_fail_after(0);
    ck_assert_int_eq(wsp_percent_encode(&buffer, "a b", 3, WSP_PERCENT_PATH), -ENOMEM);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(wsp_percent_encode(&buffer, NULL, 0, WSP_PERCENT_PATH), 0);
    wsp_buffer_deinit(&buffer);
}
END_TEST

START_TEST(decoding)
{
    static const struct {
        const char *text;
        const char *expected;
        size_t len;
    } rows[] = {
        {"", "", 0},
        {"%25%s%1G", "%%s%1G", 6},
        {"%", "%", 1},
        {"%4", "%4", 2},
        {"%41", "A", 1},
        {"%00", "\0", 1},
        {"%fF%Ff", "\xFF\xFF", 2},
        {"%%41", "%A", 2},
        {"%4%31", "%41", 3},
        {"a%20b%2", "a b%2", 5},
        {"%2541", "%41", 3},
    };

    for (size_t i = 0; i < N_OF(rows); i++) {
        char buffer[20];
        size_t len = strlen(rows[i].text);

        unit_assert_bytes(buffer, wsp_percent_decode(buffer, rows[i].text, len), rows[i].expected,
                          rows[i].len);
        memcpy(buffer, rows[i].text, len);
        unit_assert_bytes(buffer, wsp_percent_decode(buffer, buffer, len), rows[i].expected,
                          rows[i].len);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("percent");
    TCase *tcase = unit_case(suite, "contract");

    tcase_add_test(tcase, every_byte_in_every_set);
    tcase_add_test(tcase, encoding_twice_changes_nothing);
    tcase_add_test(tcase, encoding_tells_why_it_cannot);
    tcase_add_test(tcase, decoding);
    return suite;
}

/*
 * test_words: texts, and the words that they have.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/words.h"

#include <string.h>

#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
    const char *text;
    size_t len;
    const char *words; /* each with a bar behind it */
    size_t words_len;
} rows[] = {
    {TEXT(""), TEXT("")},
    {TEXT(", ,"), TEXT("")},
    {TEXT("one"), TEXT("one|")},
    {TEXT("one,two"), TEXT("one|two|")},
    {TEXT(" ,one, two ,three, "), TEXT("one|two|three|")},
    {TEXT("a;b\tc d"), TEXT("a;b\tc|d|")},
    {TEXT("a\0b c"), TEXT("a\0b|c|")}, /* U+0000 separates nothing */
};

START_TEST(a_text_has_its_words)
{
    struct guard guard;
    struct wsp_view rest, word;
    char words[64];
    size_t len = 0;

    guard_init(&guard, rows[_i].text, rows[_i].len);
    rest = (struct wsp_view){guard.data, guard.len};
    while (word_next(&rest, ", ", &word)) {
        ck_assert_uint_gt(word.len, 0);
        memcpy(words + len, word.data, word.len);
        len += word.len;
        words[len++] = '|';
    }
    ck_assert_uint_eq(word.len, 0);
    ck_assert_uint_eq(rest.len, 0);
    unit_assert_bytes(words, len, rows[_i].words, rows[_i].words_len);
    guard_deinit(&guard);
}
END_TEST

/* As is somebody's who has none. */
START_TEST(no_text_has_no_words)
{
    struct wsp_view rest = {NULL, 0}, word = {(const uint8_t *)"x", 1};

    ck_assert(!word_next(&rest, ",", &word));
    ck_assert_uint_eq(word.len, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("words");
    TCase *words = unit_case(suite, "words");

    tcase_add_loop_test(words, a_text_has_its_words, 0, N_OF(rows));
    tcase_add_test(words, no_text_has_no_words);
    return suite;
}

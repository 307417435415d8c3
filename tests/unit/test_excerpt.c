/*
 * test_excerpt: the contract of daemon/excerpt.h: a text, whatever a hostile server said.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/excerpt.h"

#include "proto/limits.h"
#include "proto/utf8.h"
#include "tests/harness/allocation.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#include <stdlib.h>
#include <string.h>

#define BYTES(literal) literal, sizeof(literal) - 1
#define R              "\xef\xbf\xbd"

static const struct {
    const char *said;
    size_t len;
    const char *text; /* NULL: none */
} rows[] = {
    {BYTES("slow down"), "slow down"},
    {BYTES(""), NULL},
    {BYTES("{\n\t\"a\": \"\033[2J\"\r\n}"), "{\n\t\"a\": \"\033[2J\"\r\n}"},
    {BYTES("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82 \xc2\x9b"),
     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82 \xc2\x9b"},
    {BYTES("a\0b\0"), "a" R "b" R},
    {BYTES("latin \xe9 1"), "latin " R " 1"},
    /* one for each sequence that could not go on: The Unicode Standard, section 3.9 */
    {BYTES("\xc0\xaf."), R R "."},
    {BYTES("\xed\xa0\x80."), R R R "."},
    {BYTES("\xf0\x9f\x99."), R "."},
    {BYTES("\xe2\x82\xe2\x82\xac."), R "\xe2\x82\xac."},
    {BYTES("\xf4\x90\x80\x80."), R R R R "."},
    {BYTES("\x80\xbf\xff."), R R R "."},
    {BYTES("\x1f\x8b\x08\x00"), "\x1f" R "\x08" R},
    /* cut by the end */
    {BYTES("a\xe2\x82"), "a"},
    {BYTES("a\xf0\x9f\x99"), "a"},
    {BYTES("\xc3"), NULL},
};

START_TEST(damage_is_repaired)
{
    struct guard guard;
    char *text;

    guard_init(&guard, rows[_i].said, rows[_i].len);
    text = excerpt_new((struct wsp_view){guard.data, guard.len});
    if (rows[_i].text == NULL)
        ck_assert_ptr_null(text);
    else
        ck_assert_str_eq(text, rows[_i].text);
    free(text);
    guard_deinit(&guard);
}
END_TEST

/* Loop test over what a byte of damage and a character of several bytes do at the bound. */
START_TEST(it_is_bounded)
{
    static const char *const ends[] = {"x", "\xff", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82"};

    for (size_t n = WSP_MAX_ANSWER_EXCERPT - 5; n <= WSP_MAX_ANSWER_EXCERPT; n++) {
        char said[WSP_MAX_ANSWER_EXCERPT + 10];
        char *text;

        memset(said, 'x', n);
        strcpy(said + n, ends[_i]);
        text = excerpt_new(wsp_view_of_string(said));
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_ge(strlen(text), n);
        ck_assert_uint_le(strlen(text), WSP_MAX_ANSWER_EXCERPT);
        ck_assert(wsp_utf8_is_valid(text, strlen(text)));
        free(text);
    }
}
END_TEST

START_TEST(as_much_damage_as_there_may_be)
{
    uint8_t said[WSP_MAX_ANSWER_EXCERPT];
    char *text;

    memset(said, 0xff, sizeof(said));
    text = excerpt_new((struct wsp_view){said, sizeof(said)});
    ck_assert_uint_eq(strlen(text), WSP_MAX_ANSWER_EXCERPT / 3 * 3);
    free(text);
}
END_TEST

static const struct {
    const char *said, *secret, *masked;
} masks[] = {
    {"bad token 0123456789", "Bearer 0123456789", "bad token **********"},
    {"0123456789,0123456789", "0123456789", "**********,**********"},
    {"Bearer 0123456", "Bearer 0123456", "Bearer 0123456"},
    {"Bearer 01234567", "Bearer 01234567", "Bearer ********"},
    {"session=abcdefgh; b=ijklmnop", "session=abcdefgh; b=ijklmnop",
     "session=********; b=********"},
    {"{\"key\":\"abcdefgh\"}", "abcdefgh", "{\"key\":\"********\"}"},
    {"no /hooks/abc?key=abcdefgh", "/hooks/abc?key=abcdefgh", "no **********?key=********"},
    /* cut by the end of what was kept */
    {"it was abcdefgh", "abcdefghijkl", "it was ********"},
    {"it was abcdefg", "abcdefghijkl", "it was abcdefg"},
    {"it was abcdefgh, no", "abcdefghijkl", "it was abcdefgh, no"},
    {"abcdefghabcdefgh", "abcdefgh", "****************"},
    {"aaaaaaaaaaaa", "aaaaaaaa", "********aaaa"},
    {"ABCDEFGH", "abcdefgh", "ABCDEFGH"},
    {"", "abcdefgh", ""},
    {"abc", "abcdefgh", "abc"},
    {"nothing of it", "", "nothing of it"},
    {"nothing of it", "  ,;=&", "nothing of it"},
};

START_TEST(secrets_are_masked)
{
    struct guard guard;

    guard_init(&guard, masks[_i].said, strlen(masks[_i].said));
    excerpt_mask((uint8_t *)guard.data, guard.len, wsp_view_of_string(masks[_i].secret));
    unit_assert_bytes(guard.data, guard.len, masks[_i].masked, strlen(masks[_i].masked));
    guard_deinit(&guard);
}
END_TEST

START_TEST(no_memory_is_no_excerpt)
{
    allocation_fail_after(0);
    ck_assert_ptr_null(excerpt_new(WSP_VIEW_LITERAL("x")));
    ck_assert(allocation_disarm());
}
END_TEST

static const struct {
    const char *said, *value, *text;
} values[] = {
    {"a=b;c d", "b;c", "a=b;c d"}, /* too short to be one */
    {"a=b;c d", "b;c ", "a=****d"},
    {"1234 12345 123", "1234", "**** ****5 123"},
    {"a tok&en=1 2 tok&en", "tok&en=1 2", "a ********** ******"},
    {"xabcabcabcdx", "abcabcd", "xabc*******x"},
};

START_TEST(values_are_covered_delimiters_and_all)
{
    struct guard guard;
    size_t len = strlen(values[_i].said);

    guard_init(&guard, values[_i].said, len);
    excerpt_mask_value((uint8_t *)(uintptr_t)guard.data, len, wsp_view_of_string(values[_i].value));
    unit_assert_bytes(guard.data, len, values[_i].text, len);
    guard_deinit(&guard);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("excerpt");
    TCase *text = unit_case(suite, "text");

    tcase_add_loop_test(text, damage_is_repaired, 0, N_OF(rows));
    tcase_add_loop_test(text, it_is_bounded, 0, 5);
    tcase_add_test(text, as_much_damage_as_there_may_be);
    tcase_add_loop_test(text, secrets_are_masked, 0, N_OF(masks));
    tcase_add_loop_test(text, values_are_covered_delimiters_and_all, 0, N_OF(values));
    tcase_add_test(text, no_memory_is_no_excerpt);
    return suite;
}

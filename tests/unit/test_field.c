/*
 * test_field: the grammar of HTTP field values (RFC 9110, section 5.6; RFC 6455, section 9.1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/field.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#include <stdio.h>
#include <string.h>

/* The elements of a list, each followed by a bar. */
static const struct {
    const char *list;
    const char *elements;
} lists[] = {
    {"", ""},
    {"a", "a|"},
    {"a,b", "a|b|"},
    {"a, b", "a|b|"},
    {" \t a \t , \t b \t ", "a|b|"},
    {"keep-alive, Upgrade", "keep-alive|Upgrade|"},
    {",,a,,b,,", "a|b|"},
    {" , ,", ""},
    {"a b, c", "a b|c|"},
    {"x=\"a,b\", c", "x=\"a,b\"|c|"},
    {"x=\"a\\\",b\", c", "x=\"a\\\",b\"|c|"},
    {"x=\"a\\\\\", c", "x=\"a\\\\\"|c|"},
    {"x=\"never closed, c", "x=\"never closed, c|"},
    {"x=\"ends in a backslash\\", "x=\"ends in a backslash\\|"},
    {"a\\,b", "a\\|b|"},
};

START_TEST(list_gives_its_elements)
{
    char text[256] = "";
    struct guard guard;
    struct wsp_view list;
    struct wsp_view element;

    guard_init(&guard, lists[_i].list, strlen(lists[_i].list));
    list = (struct wsp_view){guard.data, guard.len};
    while (wsp_list_next(&list, &element)) {
        strncat(text, (const char *)element.data, element.len);
        strcat(text, "|");
    }
    ck_assert_str_eq(text, lists[_i].elements);
    ck_assert(!wsp_list_next(&list, &element));
    guard_deinit(&guard);
}
END_TEST

/* The pieces of an extension; "!" for what is none. */
static const struct {
    const char *element;
    const char *pieces;
} elements[] = {
    {"", ""},
    {"  ", ""},
    {"permessage-deflate", "permessage-deflate|"},
    {"pd; client_max_window_bits", "pd|client_max_window_bits|"},
    {"pd;a=10;b", "pd|a=10|b|"},
    {"pd ; a = 10 ; b", "pd|a=10|b|"},
    {"pd;\ta=10", "pd|a=10|"},
    {"pd; a=\"10\"", "pd|a='10'|"},
    {"pd; a=\"\"", "pd|a=''|"},
    {"pd; a=\"x;y\"; b", "pd|a='x;y'|b|"},
    {"pd; a=\"x\\\"y\"", "pd|a='x\\\"y'|"},
    {"pd;", "!"},
    {"pd; ", "!"},
    {"pd;;a", "pd|!"},
    {";a", "!"},
    {"=a", "!"},
    {"pd; =1", "pd|!"},
    {"pd; a=", "pd|!"},
    {"pd; a=;b", "pd|!"},
    {"pd; a=1 2", "pd|!"},
    {"pd a", "!"},
    {"pd; a=\"1", "pd|!"},
    {"pd; a=\"1\\", "pd|!"},
    {"pd; a=\"1\\\"", "pd|!"},
    {"pd; a=\"1\"2", "pd|!"},
    {"pd; a=(1)", "pd|!"},
    {"p\x7f", "!"},
    {"\"pd\"", "!"},
};

START_TEST(element_gives_its_parameters)
{
    char text[256] = "";
    struct guard guard;
    struct wsp_view element;
    struct wsp_param param;
    int r;

    guard_init(&guard, elements[_i].element, strlen(elements[_i].element));
    element = (struct wsp_view){guard.data, guard.len};
    while ((r = wsp_param_next(&element, &param)) == 0) {
        strncat(text, (const char *)param.name.data, param.name.len);
        if (param.has_value) {
            strcat(text, param.is_quoted ? "='" : "=");
            strncat(text, (const char *)param.value.data, param.value.len);
            strcat(text, param.is_quoted ? "'" : "");
        }
        strcat(text, "|");
    }
    if (r == WSP_BROKEN)
        strcat(text, "!");
    else
        ck_assert_int_eq(r, WSP_MORE);
    ck_assert_str_eq(text, elements[_i].pieces);
    guard_deinit(&guard);
}
END_TEST

START_TEST(quoted_string_loses_its_backslashes)
{
    static const struct {
        const char *quoted;
        const char *plain;
    } rows[] = {{"", ""}, {"10", "10"}, {"a\\\"b", "a\"b"}, {"\\a\\b", "ab"}, {"a\\\\", "a\\"}};
    uint8_t room[8];

    for (int i = 0; i < N_OF(rows); i++) {
        struct wsp_view quoted = wsp_view_of_string(rows[i].quoted);
        size_t len = strlen(rows[i].plain);

        memset(room, 0xaa, sizeof(room));
        ck_assert_uint_eq(wsp_unquote(quoted, room, sizeof(room)), len);
        unit_assert_bytes(room, len, rows[i].plain, len);
        ck_assert_uint_eq(wsp_unquote(quoted, NULL, 0), len);
    }
    memset(room, 0xaa, sizeof(room));
    ck_assert_uint_eq(wsp_unquote(WSP_VIEW_LITERAL("1234"), room, 2), 4);
    unit_assert_bytes(room, 3, "12\xaa", 3);
}
END_TEST

START_TEST(tokens_compare_in_any_case)
{
    ck_assert(wsp_token_is(WSP_VIEW_LITERAL("WebSocket"), "websocket"));
    ck_assert(wsp_token_is(WSP_VIEW_LITERAL(""), ""));
    ck_assert(!wsp_token_is(WSP_VIEW_LITERAL("websocket2"), "websocket"));
    ck_assert(!wsp_token_is(WSP_VIEW_LITERAL("websocke"), "websocket"));
    ck_assert(!wsp_token_is(WSP_VIEW_LITERAL("[ebsocket"), "{ebsocket"));
    ck_assert(!wsp_token_is(WSP_VIEW_LITERAL("a\0"), "a"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("field");
    TCase *values = unit_case(suite, "values");

    tcase_add_loop_test(values, list_gives_its_elements, 0, N_OF(lists));
    tcase_add_loop_test(values, element_gives_its_parameters, 0, N_OF(elements));
    tcase_add_test(values, quoted_string_loses_its_backslashes);
    tcase_add_test(values, tokens_compare_in_any_case);
    return suite;
}

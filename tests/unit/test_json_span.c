/*
 * test_json_span: the contract of daemon/json_span.h, judged by jansson where it has an opinion.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/json_span.h"

#include "daemon/limits.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal)                                  \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }

static void assert_text(struct wsp_view view, const char *text)
{
    unit_assert_bytes(view.data, view.len, text, strlen(text));
}

/* --- what is a JSON text --- */

static const struct {
    struct wsp_view text;
    enum span_type type;
} texts[] = {
    {BYTES("{}"), SPAN_OBJECT},
    {BYTES(" \t\r\n[ ] \t\r\n"), SPAN_ARRAY},
    {BYTES("\"\""), SPAN_STRING},
    {BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD834\\udd1e \x7f \xc3\xa9\""), SPAN_STRING},
    {BYTES("\"\\ud834\""), SPAN_STRING},
    {BYTES("0"), SPAN_NUMBER},
    {BYTES("-0.5e+10"), SPAN_NUMBER},
    {BYTES("123456789012345678901234567890.10E-3"), SPAN_NUMBER},
    {BYTES("true"), SPAN_TRUE},
    {BYTES("false"), SPAN_FALSE},
    {BYTES("null"), SPAN_NULL},
    {BYTES("{\"a\":[{\"b\":{}},[[]],1,\"x\",null]}"), SPAN_OBJECT},
    {BYTES(""), SPAN_NONE},
    {BYTES(" "), SPAN_NONE},
    {BYTES("\xef\xbb\xbf{}"), SPAN_NONE},
    {BYTES("{}{}"), SPAN_NONE},
    {BYTES("{} x"), SPAN_NONE},
    {BYTES("{\"a\":1,}"), SPAN_NONE},
    {BYTES("{,}"), SPAN_NONE},
    {BYTES("{a:1}"), SPAN_NONE},
    {BYTES("{1:1}"), SPAN_NONE},
    {BYTES("{\"a\" 1}"), SPAN_NONE},
    {BYTES("{\"a\":}"), SPAN_NONE},
    {BYTES("{\"a\":1 \"b\":2}"), SPAN_NONE},
    {BYTES("{'a':1}"), SPAN_NONE},
    {BYTES("[1,]"), SPAN_NONE},
    {BYTES("[,1]"), SPAN_NONE},
    {BYTES("[1 2]"), SPAN_NONE},
    {BYTES("[1}"), SPAN_NONE},
    {BYTES("{\"a\":1]"), SPAN_NONE},
    {BYTES("]"), SPAN_NONE},
    {BYTES("01"), SPAN_NONE},
    {BYTES("+1"), SPAN_NONE},
    {BYTES(".5"), SPAN_NONE},
    {BYTES("1."), SPAN_NONE},
    {BYTES("1e"), SPAN_NONE},
    {BYTES("1e+-1"), SPAN_NONE},
    {BYTES("-"), SPAN_NONE},
    {BYTES("NaN"), SPAN_NONE},
    {BYTES("True"), SPAN_NONE},
    {BYTES("truex"), SPAN_NONE},
    {BYTES("nul"), SPAN_NONE},
    {BYTES("\"\\x\""), SPAN_NONE},
    {BYTES("\"\\\0\""), SPAN_NONE},
    {BYTES("\"\\u12g4\""), SPAN_NONE},
    {BYTES("\"\n\""), SPAN_NONE},
    {BYTES("\"\0\""), SPAN_NONE},
    {BYTES("\"\\\""), SPAN_NONE},
    {BYTES("/**/1"), SPAN_NONE},
    {BYTES("\0"), SPAN_NONE},
};

START_TEST(texts_have_types)
{
    struct guard guard;

    guard_init(&guard, texts[_i].text.data, texts[_i].text.len);
    ck_assert_int_eq(json_find_members((struct wsp_view){guard.data, guard.len}, NULL, 0),
                     texts[_i].type);
    guard_deinit(&guard);
}
END_TEST

START_TEST(nothing_is_no_text)
{
    struct wsp_view value;

    ck_assert_int_eq(json_find_members((struct wsp_view){NULL, 0}, NULL, 0), SPAN_NONE);
    ck_assert_int_eq(
        json_find_pointer((struct wsp_view){NULL, 0}, (struct wsp_view){NULL, 0}, &value),
        SPAN_NONE);
}
END_TEST

/* As many brackets as are allowed, and one more; of both kinds, as each is a bit. */
static enum span_type nested(unsigned depth, const char *open, const char *close)
{
    struct wsp_buffer text;
    enum span_type type;
    int r = 0;

    wsp_buffer_init(&text, SIZE_MAX);
    for (unsigned i = 0; i < depth; i++)
        r |= wsp_buffer_append(&text, open, strlen(open));
    r |= wsp_buffer_append(&text, "1", 1);
    for (unsigned i = 0; i < depth; i++)
        r |= wsp_buffer_append(&text, close, strlen(close));
    ck_assert_int_eq(r, 0);
    type = json_find_members((struct wsp_view){wsp_buffer_peek(&text), wsp_buffer_len(&text)}, NULL,
                             0);
    wsp_buffer_deinit(&text);
    return type;
}

START_TEST(depth_is_bounded)
{
    ck_assert_int_eq(nested(MAX_JSON_DEPTH, "[", "]"), SPAN_ARRAY);
    ck_assert_int_eq(nested(MAX_JSON_DEPTH + 1, "[", "]"), SPAN_NONE);
    ck_assert_int_eq(nested(MAX_JSON_DEPTH, "{\"\":", "}"), SPAN_OBJECT);
    ck_assert_int_eq(nested(MAX_JSON_DEPTH + 1, "{\"\":", "}"), SPAN_NONE);
    ck_assert_int_eq(nested(MAX_JSON_DEPTH / 2, "[{\"\":", "}]"), SPAN_ARRAY);
    ck_assert_int_eq(nested(MAX_JSON_DEPTH / 2, "[{\"\":", "]}"), SPAN_NONE);
    ck_assert_int_eq(nested(1000000, "[", ""), SPAN_NONE);
}
END_TEST

static void assert_as_jansson(const char *text, size_t len)
{
    json_error_t error;
    json_t *json = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool is_json = json != NULL;
    enum span_type type = json_find_members((struct wsp_view){(const uint8_t *)text, len}, NULL, 0);

    json_decref(json);
    /* It also refuses what it cannot hold. */
    if (!is_json && (json_error_code(&error) == json_error_numeric_overflow ||
                     json_error_code(&error) == json_error_null_byte_in_key))
        return;
    if (is_json != (type != SPAN_NONE))
        ck_abort_msg("\"%.*s\": %s", (int)len, text, is_json ? "is JSON" : error.text);
}

START_TEST(every_short_text_is_judged_as_by_jansson)
{
    static const char alphabet[] = "{}[]\",:10-.e+ ";
    enum { N = sizeof(alphabet) - 1, MAX_LEN = 5 };

    for (size_t len = 1, n = N; len <= MAX_LEN; len++, n *= N)
        for (size_t i = 0; i < n; i++) {
            char text[MAX_LEN];

            for (size_t j = 0, rest = i; j < len; j++, rest /= N)
                text[j] = alphabet[rest % N];
            assert_as_jansson(text, len);
        }
}
END_TEST

/* Without "d", no half of a surrogate pair comes about, which jansson refuses. */
START_TEST(damaged_texts_are_judged_as_by_jansson)
{
    static const char *const seeds[] = {
        "{\"a\":[1,2.5,-3e1],\"b\":{\"c\":true,\"e\":[false,null]},\"\\u0061\\n\":\"x\\\\\"}",
        "[[],{},[{}],{\"\":[]},\"\",0,-0,1E9,\"\\\"\\/\\b\\f\\n\\r\\t\"]",
    };
    static const char alphabet[] = "{}[]\",:\\u0019aetrulfsnbx-+.eE \n";

    srand(1);
    for (unsigned i = 0; i < 300000; i++) {
        const char *seed = seeds[i % N_OF(seeds)];
        size_t len = strlen(seed);
        char text[128];

        memcpy(text, seed, len);
        for (int n = rand() % 3; n >= 0; n--) {
            size_t at = (size_t)rand() % len;

            switch (rand() % 3) {
            case 0: text[at] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)]; break;
            case 1: memmove(text + at, text + at + 1, --len - at); break;
            default:
                memmove(text + at + 1, text + at, len++ - at);
                text[at] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
            }
        }
        assert_as_jansson(text, len);
    }
}
END_TEST

/* --- members --- */

START_TEST(members_are_found_in_one_pass)
{
    struct wsp_view text =
        BYTES(" {\"jsonrpc\":\"2.0\", \"id\" : 17e0 ,\"deep\":{\"id\":1,\"x\":[{}]},"
              "\"list\":[ {\"id\":2} ],\"method\":null}");
    struct json_member members[] = {
        {.name = BYTES("id")},
        {.name = BYTES("deep")},
        {.name = BYTES("list")},
        {.name = BYTES("method")},
        {.name = BYTES("jsonrpc")},
        {.name = BYTES("i")},
        {.name = BYTES("x"), .n = 7, .type = SPAN_TRUE},
    };
    static const char *const values[] = {"17e0", "{\"id\":1,\"x\":[{}]}", "[ {\"id\":2} ]", "null",
                                         "\"2.0\""};
    static const enum span_type types[] = {SPAN_NUMBER, SPAN_OBJECT, SPAN_ARRAY, SPAN_NULL,
                                           SPAN_STRING};

    ck_assert_int_eq(json_find_members(text, members, N_OF(members)), SPAN_OBJECT);
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_eq(members[i].n, 1);
        ck_assert_int_eq(members[i].type, types[i]);
        assert_text(members[i].value, values[i]);
        ck_assert(members[i].value.data > text.data &&
                  members[i].value.data < text.data + text.len);
    }
    for (int i = 5; i < 7; i++) {
        ck_assert_uint_eq(members[i].n, 0);
        ck_assert_int_eq(members[i].type, SPAN_NONE);
    }
}
END_TEST

START_TEST(a_member_that_stands_there_twice_is_counted)
{
    struct wsp_view text = BYTES("{\"id\":1,\"\\u0069\\u0064\":[2],\"x\":{\"id\":4},\"id\":3}");
    struct json_member member = {.name = BYTES("id")};

    ck_assert_int_eq(json_find_members(text, &member, 1), SPAN_OBJECT);
    ck_assert_uint_eq(member.n, 3);
    ck_assert_int_eq(member.type, SPAN_NUMBER);
    assert_text(member.value, "1");
}
END_TEST

static const struct {
    struct wsp_view raw, name;
    bool is_equal;
} names[] = {
    {BYTES(""), BYTES(""), true},
    {BYTES("id"), BYTES("id"), true},
    {BYTES("id"), BYTES("ID"), false},
    {BYTES("id"), BYTES("i"), false},
    {BYTES("i"), BYTES("id"), false},
    {BYTES("\\u0069d"), BYTES("id"), true},
    {BYTES("\\\"\\\\\\/\\b\\f\\n\\r\\t"), BYTES("\"\\/\b\f\n\r\t"), true},
    {BYTES("\\u0000"), BYTES("\0"), true},
    {BYTES("\\u0000x"), BYTES(""), false},
    {BYTES("\\u00e9"), BYTES("\xc3\xa9"), true},
    {BYTES("\\u20AC"), BYTES("\xe2\x82\xac"), true},
    {BYTES("\\ud83d\\uDE42"), BYTES("\xf0\x9f\x99\x82"), true},
    {BYTES("\\udbff\\udfff"), BYTES("\xf4\x8f\xbf\xbf"), true},
    {BYTES("\\ud83d"), BYTES("\xed\xa0\xbd"), true},
    {BYTES("\\ud83d\\u0041"), BYTES("\xed\xa0\xbd\x41"), true},
    {BYTES("\\ude42\\ud83d"), BYTES("\xf0\x9f\x99\x82"), false},
    {BYTES("\xc3\xa9"), BYTES("\xc3\xa9"), true},
    {BYTES("~0"), BYTES("~0"), true},
};

START_TEST(names_are_compared_without_escapes)
{
    struct json_member member = {.name = names[_i].name};
    char text[64] = "{\"";
    struct guard guard;
    size_t len = 2;

    memcpy(text + len, names[_i].raw.data, names[_i].raw.len);
    len += names[_i].raw.len;
    memcpy(text + len, "\":1}", 4);
    guard_init(&guard, text, len + 4);
    ck_assert_int_eq(json_find_members((struct wsp_view){guard.data, guard.len}, &member, 1),
                     SPAN_OBJECT);
    ck_assert_uint_eq(member.n, names[_i].is_equal);
    guard_deinit(&guard);
}
END_TEST

START_TEST(what_is_no_object_has_no_members)
{
    struct wsp_view no_objects[] = {BYTES("[{\"id\":1}]"), BYTES("\"id\""), BYTES("7")};
    struct json_member member = {.name = BYTES("id")};

    for (int i = 0; i < N_OF(no_objects); i++) {
        ck_assert_int_ne(json_find_members(no_objects[i], &member, 1), SPAN_OBJECT);
        ck_assert_uint_eq(member.n, 0);
    }
}
END_TEST

static const char whole[] = " {\"id\":\"\\u0031\\n\",\"a\":[1.5e+3,{\"b\":null}],\"id2\":true} ";

/* Cut anywhere, the text is none, and nothing of it is found. */
START_TEST(a_part_of_a_text_is_none)
{
    for (size_t len = 0; len < sizeof(whole) - 2; len++) {
        struct json_member member = {.name = BYTES("id")};
        struct wsp_view pointer = BYTES("/id"), value = {NULL, 0}, part;
        struct guard guard;

        guard_init(&guard, whole, len);
        part = (struct wsp_view){guard.data, len};
        ck_assert_int_eq(json_find_members(part, &member, 1), SPAN_NONE);
        ck_assert_uint_eq(member.n, 0);
        ck_assert_int_eq(member.type, SPAN_NONE);
        ck_assert_int_eq(json_find_pointer(part, pointer, &value), SPAN_NONE);
        ck_assert_ptr_null(value.data);
        guard_deinit(&guard);
    }
}
END_TEST

/* Whatever byte stands wherever, what is found lies within. */
START_TEST(any_byte_anywhere)
{
    struct guard guard;

    guard_init(&guard, whole, sizeof(whole) - 1);
    for (size_t at = 0; at < guard.len; at++)
        for (unsigned byte = 0; byte < 256; byte++) {
            struct wsp_view text = {guard.data, guard.len}, pointer = BYTES("/a/1/b"), value;
            struct json_member member = {.name = BYTES("a")};

            guard.data[at] = (uint8_t)byte;
            json_find_members(text, &member, 1);
            if (member.n > 0)
                ck_assert(member.value.data > text.data &&
                          member.value.data + member.value.len < text.data + text.len);
            if (json_find_pointer(text, pointer, &value) != SPAN_NONE)
                ck_assert(value.data > member.value.data &&
                          value.data + value.len < member.value.data + member.value.len);
            guard.data[at] = (uint8_t)whole[at];
        }
    guard_deinit(&guard);
}
END_TEST

/* --- pointers --- */

/* RFC 6901, section 5. */
#define RFC_6901                                                                              \
    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5," \
    "\"k\\\"l\":6,\" \":7,\"m~n\":8}"

#define DEEP                                                                                   \
    "{\"a\":[[0,[1]],{\"b\":{\"c\":[2]},\"a\":3},4],\"x\":{\"a\":[5]},\"b\":{\"b\":6,\"1\":7," \
    "\"01\":8,\"-\":9,\"~\":10}}"

static const struct {
    const char *text, *pointer;
    enum span_type type;
    const char *value;
} pointers[] = {
    {RFC_6901, "", SPAN_OBJECT, RFC_6901},
    {RFC_6901, "/foo", SPAN_ARRAY, "[\"bar\",\"baz\"]"},
    {RFC_6901, "/foo/0", SPAN_STRING, "\"bar\""},
    {RFC_6901, "/foo/1", SPAN_STRING, "\"baz\""},
    {RFC_6901, "/", SPAN_NUMBER, "0"},
    {RFC_6901, "/a~1b", SPAN_NUMBER, "1"},
    {RFC_6901, "/c%d", SPAN_NUMBER, "2"},
    {RFC_6901, "/e^f", SPAN_NUMBER, "3"},
    {RFC_6901, "/g|h", SPAN_NUMBER, "4"},
    {RFC_6901, "/i\\j", SPAN_NUMBER, "5"},
    {RFC_6901, "/k\"l", SPAN_NUMBER, "6"},
    {RFC_6901, "/ ", SPAN_NUMBER, "7"},
    {RFC_6901, "/m~0n", SPAN_NUMBER, "8"},
    {RFC_6901, "/foo/2", SPAN_NONE, NULL},
    {RFC_6901, "/foo/-", SPAN_NONE, NULL},
    {RFC_6901, "/foo/00", SPAN_NONE, NULL},
    {RFC_6901, "/foo/", SPAN_NONE, NULL},
    {RFC_6901, "/foo/0/0", SPAN_NONE, NULL},
    {RFC_6901, "//foo", SPAN_NONE, NULL},
    {RFC_6901, "/fo", SPAN_NONE, NULL},
    {RFC_6901, "/foo/18446744073709551616", SPAN_NONE, NULL},
    {DEEP, "/a", SPAN_ARRAY, "[[0,[1]],{\"b\":{\"c\":[2]},\"a\":3},4]"},
    {DEEP, "/a/0/0", SPAN_NUMBER, "0"},
    {DEEP, "/a/0/1/0", SPAN_NUMBER, "1"},
    {DEEP, "/a/1/b/c/0", SPAN_NUMBER, "2"},
    {DEEP, "/a/1/a", SPAN_NUMBER, "3"},
    {DEEP, "/a/2", SPAN_NUMBER, "4"},
    {DEEP, "/a/3", SPAN_NONE, NULL},
    {DEEP, "/x/a/0", SPAN_NUMBER, "5"},
    {DEEP, "/x/a/1", SPAN_NONE, NULL},
    {DEEP, "/x/b", SPAN_NONE, NULL},
    {DEEP, "/b/b", SPAN_NUMBER, "6"},
    {DEEP, "/b/1", SPAN_NUMBER, "7"},
    {DEEP, "/b/01", SPAN_NUMBER, "8"},
    {DEEP, "/b/-", SPAN_NUMBER, "9"},
    {DEEP, "/b/~0", SPAN_NUMBER, "10"},
    {"[10,[20,[30,40]],50]", "/1/1/1", SPAN_NUMBER, "40"},
    {"[10,[20,[30,40]],50]", "/2", SPAN_NUMBER, "50"},
    {"[[],[],{\"k\":[]}]", "/2/k", SPAN_ARRAY, "[]"},
    {"\"s\"", "", SPAN_STRING, "\"s\""},
    {"\"s\"", "/0", SPAN_NONE, NULL},
    {"{\"\\u0061\\/b\":1}", "/a~1b", SPAN_NUMBER, "1"},
    /* twice on the way, or beside it */
    {"{\"a\":1,\"a\":2}", "/a", SPAN_NONE, NULL},
    {"{\"a\":1,\"\\u0061\":2}", "/a", SPAN_NONE, NULL},
    {"{\"a\":{\"b\":1},\"a\":2}", "/a/b", SPAN_NONE, NULL},
    {"{\"a\":2,\"a\":{\"b\":1}}", "/a/b", SPAN_NONE, NULL},
    {"{\"a\":{\"b\":1,\"b\":2}}", "/a/b", SPAN_NONE, NULL},
    {"{\"a\":{\"b\":1,\"c\":2,\"c\":3},\"b\":1,\"b\":1,\"d\":{\"a\":1}}", "/a/b", SPAN_NUMBER, "1"},
};

START_TEST(pointers_name_values)
{
    struct wsp_view pointer = wsp_view_of_string(pointers[_i].pointer), value = {NULL, 0};
    struct guard guard;

    ck_assert(json_pointer_is_valid(pointer));
    guard_init(&guard, pointers[_i].text, strlen(pointers[_i].text));
    ck_assert_int_eq(json_find_pointer((struct wsp_view){guard.data, guard.len}, pointer, &value),
                     pointers[_i].type);
    if (pointers[_i].type == SPAN_NONE)
        ck_assert_ptr_null(value.data);
    else
        assert_text(value, pointers[_i].value);
    guard_deinit(&guard);
}
END_TEST

START_TEST(pointers_are_checked)
{
    static const struct {
        const char *pointer;
        bool is_valid;
    } rows[] = {
        {"", true},     {"/", true},    {"/a/b", true}, {"/~0~1", true},
        {"//", true},   {"a", false},   {"#/a", false}, {"/~", false},
        {"/~2", false}, {"/a~", false}, {"~0", false},  {"/~01~", false},
    };

    for (int i = 0; i < N_OF(rows); i++)
        ck_assert_msg(json_pointer_is_valid(wsp_view_of_string(rows[i].pointer)) ==
                          rows[i].is_valid,
                      "%s", rows[i].pointer);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("json_span");
    TCase *text = unit_case(suite, "text");
    TCase *member = unit_case(suite, "member");
    TCase *pointer = unit_case(suite, "pointer");

    tcase_add_loop_test(text, texts_have_types, 0, N_OF(texts));
    tcase_add_test(text, nothing_is_no_text);
    tcase_add_test(text, depth_is_bounded);
    tcase_add_test(text, every_short_text_is_judged_as_by_jansson);
    tcase_add_test(text, damaged_texts_are_judged_as_by_jansson);
    tcase_add_test(member, members_are_found_in_one_pass);
    tcase_add_test(member, a_member_that_stands_there_twice_is_counted);
    tcase_add_loop_test(member, names_are_compared_without_escapes, 0, N_OF(names));
    tcase_add_test(member, what_is_no_object_has_no_members);
    tcase_add_test(member, a_part_of_a_text_is_none);
    tcase_add_test(member, any_byte_anywhere);
    tcase_add_loop_test(pointer, pointers_name_values, 0, N_OF(pointers));
    tcase_add_test(pointer, pointers_are_checked);
    return suite;
}

/*
 * test_rules: the contract of proto/rules.h, each rule on both sides of each of its edges.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/rules.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#include <stdio.h>
#include <string.h>

/* --- close --- */

START_TEST(every_close_code)
{
    for (unsigned int code = 0; code <= 65536; code++) {
        bool is_ours = code >= 3000 && code <= 4999;
        bool is_wire = is_ours;

        switch (code) {
        case 1000: /* normal */
        case 1001: /* going away */
        case 1002: /* protocol error */
        case 1003: /* unacceptable data */
        case 1007: /* not UTF-8 */
        case 1008: /* policy */
        case 1009: /* too big */
        case 1010: /* extension missing */
        case 1011: /* server failed */
        case 1012: /* server restarts */
        case 1013: /* try again later */
        case 1014: /* bad gateway */ is_wire = true; break;
        default: break;
        }
        ck_assert_msg(wsp_close_code_is_valid_on_wire(code) == is_wire, "%u", code);
        ck_assert_msg(wsp_close_code_is_for_api(code) == (is_ours || code == 1000), "%u", code);
    }
}
END_TEST

START_TEST(close_reasons)
{
    char reason[124];

    memset(reason, 'r', sizeof(reason));
    ck_assert(wsp_close_reason_is_valid(NULL, 0));
    ck_assert(wsp_close_reason_is_valid(reason, 123));
    ck_assert(!wsp_close_reason_is_valid(reason, 124));
    ck_assert(wsp_close_reason_is_valid("\xE2\x82\xAC", 3));
    ck_assert(!wsp_close_reason_is_valid("\xE2\x82", 2));
    ck_assert(!wsp_close_reason_is_valid("\xED\xA0\x80", 3));
    /* Bytes are counted, not characters. */
    for (size_t i = 0; i < 123; i += 3)
        memcpy(reason + i, "\xE2\x82\xAC", 3);
    ck_assert(wsp_close_reason_is_valid(reason, 123));
    memcpy(reason + 121, "\xC3\xA9", 2);
    ck_assert(!wsp_close_reason_is_valid(reason, 123));
}
END_TEST

/* --- tokens --- */

/* RFC 2616 section 2.2, spelled as there: what is no control and no separator. */
static bool is_rfc2616_token_character(int c)
{
    return c > 31 && c < 127 && strchr("()<>@,;:\\\"/[]?={} \t", c) == NULL;
}

START_TEST(every_character_of_a_token)
{
    for (int i = 0; i < 256; i++) {
        char text[3] = {'a', (char)i, 'b'};
        bool expected = i != 0 && is_rfc2616_token_character(i);

        ck_assert_msg(wsp_subprotocol_is_valid(text, 3) == expected, "%d", i);
        ck_assert_msg(wsp_header_name_is_valid(text, 3) == expected, "%d", i);
        ck_assert_msg(wsp_subprotocol_is_valid(text + 1, 1) == expected, "%d", i);
        ck_assert_msg(wsp_header_name_is_valid(text + 1, 1) == expected, "%d", i);
    }
}
END_TEST

START_TEST(lengths_of_tokens)
{
    static char text[WSP_MAX_SUBPROTOCOL + 1];

    memset(text, 't', sizeof(text));
    ck_assert(!wsp_subprotocol_is_valid(NULL, 0));
    ck_assert(!wsp_header_name_is_valid(NULL, 0));
    ck_assert(wsp_subprotocol_is_valid(text, WSP_MAX_SUBPROTOCOL));
    ck_assert(!wsp_subprotocol_is_valid(text, WSP_MAX_SUBPROTOCOL + 1));
    ck_assert(wsp_header_name_is_valid(text, WSP_MAX_HEADER_NAME));
    ck_assert(!wsp_header_name_is_valid(text, WSP_MAX_HEADER_NAME + 1));
}
END_TEST

/* --- subprotocols --- */

START_TEST(lists_of_subprotocols)
{
    static const struct {
        const char *names[4];
        size_t n_names;
        int problem;
        size_t index;
    } rows[] = {
        {{NULL}, 0, 0, 99},
        {{"graphql-ws"}, 1, 0, 99},
        {{"chat", "superchat"}, 2, 0, 99},
        {{"chat", "Chat", "CHAT"}, 3, 0, 99},
        {{"chat", "superchat", "chat"}, 3, WSP_SUBPROTOCOLS_REPEATED, 2},
        {{"a", "a", "a"}, 3, WSP_SUBPROTOCOLS_REPEATED, 1},
        {{""}, 1, WSP_SUBPROTOCOLS_BAD_NAME, 0},
        {{"a", "b c"}, 2, WSP_SUBPROTOCOLS_BAD_NAME, 1},
        {{"a", "b,c"}, 2, WSP_SUBPROTOCOLS_BAD_NAME, 1},
        {{"a", "b\r\nX: y", "a"}, 3, WSP_SUBPROTOCOLS_BAD_NAME, 1},
        {{"\xC3\xA9"}, 1, WSP_SUBPROTOCOLS_BAD_NAME, 0},
    };

    for (size_t i = 0; i < N_OF(rows); i++) {
        size_t index = 99;
        int problem = wsp_subprotocols_check(rows[i].names, rows[i].n_names, &index);

        ck_assert_msg(problem == rows[i].problem, "row %zu: %d", i, problem);
        ck_assert_msg(index == rows[i].index, "row %zu: index %zu", i, index);
        ck_assert_int_eq(wsp_subprotocols_check(rows[i].names, rows[i].n_names, NULL), problem);
    }
    ck_assert_int_eq(wsp_subprotocols_check(NULL, 0, NULL), 0);
}
END_TEST

START_TEST(number_of_subprotocols)
{
    static char texts[WSP_MAX_N_SUBPROTOCOLS + 1][8];
    const char *names[WSP_MAX_N_SUBPROTOCOLS + 1];
    size_t index = 0;

    for (size_t i = 0; i <= WSP_MAX_N_SUBPROTOCOLS; i++) {
        snprintf(texts[i], sizeof(texts[i]), "p%zu", i);
        names[i] = texts[i];
    }
    ck_assert_int_eq(wsp_subprotocols_check(names, WSP_MAX_N_SUBPROTOCOLS, &index), 0);
    ck_assert_int_eq(wsp_subprotocols_check(names, WSP_MAX_N_SUBPROTOCOLS + 1, &index),
                     WSP_SUBPROTOCOLS_TOO_MANY);
    ck_assert_uint_eq(index, WSP_MAX_N_SUBPROTOCOLS);
}
END_TEST

START_TEST(every_problem_has_its_own_text)
{
    for (int i = WSP_SUBPROTOCOLS_TOO_MANY; i <= WSP_SUBPROTOCOLS_REPEATED; i++) {
        for (int j = -1; j < i; j++)
            ck_assert_str_ne(wsp_subprotocols_problem_to_string(i),
                             wsp_subprotocols_problem_to_string(j));
    }
}
END_TEST

/* --- request headers --- */

START_TEST(every_character_of_a_header_value)
{
    for (int i = 0; i < 256; i++) {
        char text[3] = {'a', (char)i, 'b'};
        bool is_visible = i > 0x20 && i != 0x7F;
        bool is_blank = i == ' ' || i == '\t';

        ck_assert_msg(wsp_header_value_is_valid(text, 3) == (is_visible || is_blank), "%d", i);
        /* At the ends, a blank is none of the value's. */
        ck_assert_msg(wsp_header_value_is_valid(text, 2) == is_visible, "%d", i);
        ck_assert_msg(wsp_header_value_is_valid(text + 1, 2) == is_visible, "%d", i);
    }
}
END_TEST

START_TEST(header_values)
{
    static char text[WSP_MAX_HEADER_VALUE + 1];

    memset(text, 'v', sizeof(text));
    ck_assert(wsp_header_value_is_valid(NULL, 0));
    ck_assert(wsp_header_value_is_valid("Bearer abc", 10));
    ck_assert(wsp_header_value_is_valid(text, WSP_MAX_HEADER_VALUE));
    ck_assert(!wsp_header_value_is_valid(text, WSP_MAX_HEADER_VALUE + 1));
    ck_assert(!wsp_header_value_is_valid("a\r\nHost: b", 10));
    ck_assert(!wsp_header_value_is_valid("a\nb", 3));
    ck_assert(!wsp_header_value_is_valid("a\rb", 3));
    ck_assert(!wsp_header_value_is_valid("a\0b", 3));
}
END_TEST

START_TEST(headers_that_are_not_the_users)
{
    static const char *const reserved[] = {
        "Host",
        "connection",
        "UPGRADE",
        "Content-Length",
        "transfer-encoding",
        "TE",
        "Trailer",
        "Keep-Alive",
        "Expect",
        "HTTP2-Settings",
        "Proxy-Authorization",
        "proxy-connection",
        "Proxy-",
        "Sec-WebSocket-Key",
        "sec-websocket-protocol",
        "SEC-WEBSOCKET-EXTENSIONS",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-",
    };
    static const char *const free_to_use[] = {
        "Authorization",
        "Cookie",
        "Origin",
        "User-Agent",
        "X-Host",
        "Hos",
        "Hosts",
        "T",
        "TEE",
        "Proxy",
        "Sec-WebSocket",
        "Sec-Fetch-Mode",
        "Upgrade-Insecure-Requests",
    };

    for (size_t i = 0; i < N_OF(reserved); i++)
        ck_assert_msg(!wsp_header_name_is_for_user(reserved[i], strlen(reserved[i])), "%s",
                      reserved[i]);
    for (size_t i = 0; i < N_OF(free_to_use); i++)
        ck_assert_msg(wsp_header_name_is_for_user(free_to_use[i], strlen(free_to_use[i])), "%s",
                      free_to_use[i]);
    ck_assert(wsp_header_name_is_for_user(NULL, 0));
}
END_TEST

/* --- endpoints --- */

START_TEST(endpoint_names)
{
    char text[WSP_MAX_ENDPOINT_NAME + 1];

    memset(text, 'e', sizeof(text));
    ck_assert(wsp_endpoint_name_is_valid(text, WSP_MAX_ENDPOINT_NAME));
    ck_assert(!wsp_endpoint_name_is_valid(text, WSP_MAX_ENDPOINT_NAME + 1));
    ck_assert(!wsp_endpoint_name_is_valid(NULL, 0));
    ck_assert(wsp_endpoint_name_is_valid("feed", 4));
    ck_assert(wsp_endpoint_name_is_valid("9.a_b-C", 7));
    ck_assert(!wsp_endpoint_name_is_valid(".hidden", 7));
    ck_assert(!wsp_endpoint_name_is_valid("-option", 7));
    ck_assert(!wsp_endpoint_name_is_valid("_x", 2));
    for (int i = 0; i < 256; i++) {
        char name[2] = {'a', (char)i};
        bool expected = i != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789._-",
                                         i) != NULL;

        ck_assert_msg(wsp_endpoint_name_is_valid(name, 2) == expected, "%d", i);
    }
}
END_TEST

/* Every rule of a text, on one that ends where the memory does. */
START_TEST(no_byte_behind_the_end_is_read)
{
    const char *texts[] = {"a", "Sec-WebSocket", "Transfer-Encodin", "abcdefgh\xC3"};

    for (size_t i = 0; i < N_OF(texts); i++) {
        for (size_t len = 0; len <= strlen(texts[i]); len++) {
            struct guard guard;
            const char *text;

            guard_init(&guard, texts[i], len);
            text = (const char *)guard.data;
            ck_assert(wsp_close_reason_is_valid(text, len) == (i != 3 || len < 9));
            ck_assert(wsp_header_name_is_valid(text, len) == (len > 0 && (i != 3 || len < 9)));
            ck_assert(wsp_subprotocol_is_valid(text, len) == (len > 0 && (i != 3 || len < 9)));
            ck_assert(wsp_endpoint_name_is_valid(text, len) == (len > 0 && (i != 3 || len < 9)));
            ck_assert(wsp_header_value_is_valid(text, len));
            ck_assert(wsp_header_name_is_for_user(text, len));
            guard_deinit(&guard);
        }
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("rules");
    TCase *tcase = unit_case(suite, "close");

    tcase_add_test(tcase, every_close_code);
    tcase_add_test(tcase, close_reasons);
    tcase = unit_case(suite, "subprotocols");
    tcase_add_test(tcase, every_character_of_a_token);
    tcase_add_test(tcase, lengths_of_tokens);
    tcase_add_test(tcase, lists_of_subprotocols);
    tcase_add_test(tcase, number_of_subprotocols);
    tcase_add_test(tcase, every_problem_has_its_own_text);
    tcase = unit_case(suite, "headers");
    tcase_add_test(tcase, every_character_of_a_header_value);
    tcase_add_test(tcase, header_values);
    tcase_add_test(tcase, headers_that_are_not_the_users);
    tcase = unit_case(suite, "endpoints");
    tcase_add_test(tcase, endpoint_names);
    tcase_add_test(tcase, no_byte_behind_the_end_is_read);
    return suite;
}

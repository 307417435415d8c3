/*
 * test_url: the contract of proto/url.h. What the standard says is in test_url_standard, and the
 * web-platform-tests' vectors are in test_url_vectors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/idna.h"
#include "proto/url.h"
#include "tests/harness/allocation.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"
#include "tests/harness/url_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse(struct wsp_url *ret, const char *input)
{
    return wsp_url_parse(ret, input, strlen(input), NULL, idna_to_ascii);
}

/* --- the object --- */

START_TEST(all_members)
{
    struct wsp_url url;

    ck_assert_int_eq(parse(&url, "WSS://us%65r:pa ss@[2001:DB8::1]:8443/a/../b?c#d"), 0);
    ck_assert_str_eq(url.href, "wss://us%65r:pa%20ss@[2001:db8::1]:8443/b?c#d");
    ck_assert_str_eq(url.username, "us%65r");
    ck_assert_str_eq(url.password, "pa%20ss");
    ck_assert_str_eq(url.host, "[2001:db8::1]");
    ck_assert_str_eq(url.hostname, "2001:db8::1");
    ck_assert_str_eq(url.host_header, "[2001:db8::1]:8443");
    ck_assert_str_eq(url.path, "/b");
    ck_assert_str_eq(url.query, "c");
    ck_assert_str_eq(url.fragment, "d");
    ck_assert_str_eq(url.resource, "/b?c");
    ck_assert_str_eq(url.origin, "wss://[2001:db8::1]:8443");
    ck_assert_int_eq(url.scheme, WSP_SCHEME_WSS);
    ck_assert_int_eq(url.host_kind, WSP_HOST_IPV6);
    ck_assert_uint_eq(url.port, 8443);
    ck_assert(!url.is_default_port);
    ck_assert(url.is_secure);
    ck_assert(url.has_query);
    ck_assert(url.has_fragment);
    wsp_url_deinit(&url);
}
END_TEST

START_TEST(members_of_the_shortest)
{
    struct wsp_url url;

    ck_assert_int_eq(parse(&url, "ws:h"), 0);
    ck_assert_str_eq(url.href, "ws://h/");
    ck_assert_str_eq(url.username, "");
    ck_assert_str_eq(url.password, "");
    ck_assert_str_eq(url.hostname, "h");
    ck_assert_str_eq(url.host_header, "h");
    ck_assert_str_eq(url.query, "");
    ck_assert_str_eq(url.fragment, "");
    ck_assert_str_eq(url.resource, "/");
    ck_assert_str_eq(url.origin, "ws://h");
    ck_assert_int_eq(url.host_kind, WSP_HOST_DOMAIN);
    ck_assert_uint_eq(url.port, 80);
    ck_assert(url.is_default_port);
    ck_assert(!url.is_secure);
    ck_assert(!url.has_query);
    ck_assert(!url.has_fragment);
    wsp_url_deinit(&url);
    ck_assert_int_eq(parse(&url, "ws://0x7f.1?"), 0);
    ck_assert_int_eq(url.host_kind, WSP_HOST_IPV4);
    ck_assert_str_eq(url.hostname, "127.0.0.1");
    ck_assert_str_eq(url.resource, "/");
    ck_assert(url.has_query);
    wsp_url_deinit(&url);
}
END_TEST

START_TEST(deinit_takes_anything)
{
    struct wsp_url url = {0};

    wsp_url_deinit(NULL);
    wsp_url_deinit(&url);
    ck_assert_int_eq(parse(&url, "ws://h"), 0);
    wsp_url_deinit(&url);
    wsp_url_deinit(&url);
    ck_assert_ptr_null(url.href);
}
END_TEST

/* --- the to-ASCII function --- */

static size_t n_calls;
static int next_result;
static const char *next_ascii;

static int scripted_to_ascii(const char *domain, size_t len, char **ret_ascii)
{
    ck_assert_ptr_nonnull(domain);
    ck_assert_uint_gt(len, 0);
    n_calls++;
    if (next_result == 0)
        *ret_ascii = strdup(next_ascii);
    return next_result;
}

START_TEST(to_ascii_is_asked_only_when_needed)
{
    static const struct {
        const char *input;
        size_t n_calls;
    } rows[] = {
        {"ws://example.com/\xC3\xA9?\xC3\xA9", 0},
        {"ws://xn--bcher-kva.example/", 0},
        {"ws://\xC3\xA9@h/", 0},
        {"ws://[::1]/", 0},
        {"ws://1.2.3.4/", 0},
        {"ws://\xC3\xA9/", 1},
        {"ws://%C3%A9/", 1},
    };

    next_result = 0;
    next_ascii = "h";
    for (size_t i = 0; i < N_OF(rows); i++) {
        const char *input = rows[i].input;
        struct wsp_url url;

        n_calls = 0;
        ck_assert_int_eq(wsp_url_parse(&url, input, strlen(input), NULL, scripted_to_ascii), 0);
        ck_assert_uint_eq(n_calls, rows[i].n_calls);
        wsp_url_deinit(&url);
        /* Without one, exactly those that need it are refused. */
        ck_assert_int_eq(wsp_url_parse(&url, input, strlen(input), NULL, NULL),
                         rows[i].n_calls == 0 ? 0 : -ENOSYS);
        if (rows[i].n_calls == 0)
            wsp_url_deinit(&url);
    }
}
END_TEST

START_TEST(to_ascii_is_not_trusted)
{
    static const struct {
        int result;
        const char *ascii;
        int expected;
        const char *host;
    } rows[] = {
        {0, "Host", 0, "host"},
        {0, "0x7f.1", 0, "127.0.0.1"},
        {0, "", WSP_URL_BAD_DOMAIN, NULL},
        {0, "a b", WSP_URL_BAD_HOST, NULL},
        {0, "a\r\nb", WSP_URL_BAD_HOST, NULL},
        {0, "[::1]", WSP_URL_BAD_HOST, NULL},
        {0, "\xC3\xA9", WSP_URL_BAD_HOST, NULL},
        {0, "1.2.3.4.5", WSP_URL_BAD_IPV4, NULL},
        {1, NULL, WSP_URL_BAD_DOMAIN, NULL},
        {1000, NULL, WSP_URL_BAD_DOMAIN, NULL},
        {-ENOSYS, NULL, -ENOSYS, NULL},
        {-ENOMEM, NULL, -ENOMEM, NULL},
    };
    const char *input = "ws://\xC3\xA9/";

    for (size_t i = 0; i < N_OF(rows); i++) {
        struct wsp_url url;
        int r;

        next_result = rows[i].result;
        next_ascii = rows[i].ascii;
        r = wsp_url_parse(&url, input, strlen(input), NULL, scripted_to_ascii);
        ck_assert_msg(r == rows[i].expected, "row %zu: %d", i, r);
        if (r == 0) {
            ck_assert_str_eq(url.host, rows[i].host);
            wsp_url_deinit(&url);
        }
    }
}
END_TEST

/* --- limits, memory --- */

/* Writes a URL of exactly len bytes, whose path ends in n_wide characters that are encoded. */
static char *long_url(size_t len, size_t n_wide)
{
    char *text = malloc(len + 1);

    ck_assert_ptr_nonnull(text);
    memset(text, 'a', len);
    memcpy(text, "ws://h/", 7);
    memset(text + len - n_wide, '"', n_wide);
    text[len] = '\0';
    return text;
}

START_TEST(length)
{
    static const struct {
        size_t len;
        size_t n_wide;
        int problem;
    } rows[] = {
        {WSP_MAX_URL, 0, 0},
        {WSP_MAX_URL + 1, 0, WSP_URL_TOO_LONG},
        {WSP_MAX_URL - 2, 1, 0},
        {WSP_MAX_URL - 1, 1, WSP_URL_TOO_LONG},
        {WSP_MAX_URL, WSP_MAX_URL - 7, WSP_URL_TOO_LONG},
    };

    for (size_t i = 0; i < N_OF(rows); i++) {
        char *text = long_url(rows[i].len, rows[i].n_wide);
        struct wsp_url url;

        ck_assert_int_eq(wsp_url_parse(&url, text, rows[i].len, NULL, NULL), rows[i].problem);
        if (rows[i].problem == 0)
            wsp_url_deinit(&url);
        free(text);
    }
}
END_TEST

START_TEST(not_utf8)
{
    static const char *const inputs[] = {"ws://h/\xFF", "ws://h/\xC3", "ws://\xED\xA0\x80/",
                                         "\xC3\nws://h"};
    struct wsp_url url;

    for (size_t i = 0; i < N_OF(inputs); i++)
        ck_assert_int_eq(parse(&url, inputs[i]), WSP_URL_NOT_UTF8);
    ck_assert_int_eq(wsp_url_parse(&url, NULL, 0, NULL, NULL), WSP_URL_RELATIVE);
}
END_TEST

START_TEST(zero_is_a_character)
{
    struct wsp_url url;

    ck_assert_int_eq(wsp_url_parse(&url, "ws://h/\0?\0", 10, NULL, NULL), 0);
    ck_assert_str_eq(url.href, "ws://h/%00?");
    wsp_url_deinit(&url);
    ck_assert_int_eq(wsp_url_parse(&url, "ws://h/\0?\0.", 11, NULL, NULL), 0);
    ck_assert_str_eq(url.href, "ws://h/%00?%00.");
    wsp_url_deinit(&url);
    ck_assert_int_eq(wsp_url_parse(&url, "ws://h\0i/", 9, NULL, NULL), WSP_URL_BAD_HOST);
    ck_assert_int_eq(wsp_url_parse(&url, "ws\0://h", 7, NULL, NULL), WSP_URL_RELATIVE);
}
END_TEST

START_TEST(every_problem_has_its_own_text)
{
    for (int i = WSP_URL_NO_PROBLEM + 1; i <= WSP_URL_LONG_SOCKET; i++) {
        for (int j = WSP_URL_NO_PROBLEM; j < i; j++)
            ck_assert_str_ne(wsp_url_problem_to_string(i), wsp_url_problem_to_string(j));
    }
    ck_assert_str_eq(wsp_url_problem_to_string(-1), wsp_url_problem_to_string(10000));
    ck_assert_ptr_nonnull(strstr(wsp_url_problem_to_string(WSP_URL_TOO_LONG), "16384"));
}
END_TEST

static const char *const samples[] = {
    "wss://user:pa ss@b\u00FCcher.example:8443/a/../b/%2e/c?d=e#f",
    "ws://[2001:db8::1.2.3.4]:81/\xE2\x82\xAC",
    "ws://0x7f.1?q",
    "ws:\\\\EXAMPLE.com\\x",
};

/* Every beginning of a URL, which ends where the memory does. */
START_TEST(no_byte_behind_the_end_is_read)
{
    for (size_t i = 0; i < N_OF(samples); i++) {
        for (size_t len = 0; len <= strlen(samples[i]); len++) {
            struct guard guard;
            struct wsp_url url;

            guard_init(&guard, samples[i], len);
            if (wsp_url_parse(&url, (const char *)guard.data, len, NULL, idna_to_ascii) == 0) {
                url_assert_consistent(&url);
                wsp_url_deinit(&url);
            }
            guard_deinit(&guard);
        }
    }
}
END_TEST

START_TEST(every_allocation_fails_in_turn)
{
    for (size_t i = 0; i < N_OF(samples); i++) {
        size_t n = 0;
        bool has_failed = true;

        for (; has_failed; n++) {
            struct wsp_url url = {.port = 4711};
            int r;

            allocation_fail_after(n);
            r = wsp_url_parse(&url, samples[i], strlen(samples[i]), NULL, idna_to_ascii);
            has_failed = allocation_disarm();
            ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
            if (has_failed)
                ck_assert_uint_eq(url.port, 4711);
            else
                wsp_url_deinit(&url);
        }
        ck_assert_uint_gt(n, 2);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("url");
    TCase *tcase = unit_case(suite, "contract");

    tcase_add_test(tcase, all_members);
    tcase_add_test(tcase, members_of_the_shortest);
    tcase_add_test(tcase, deinit_takes_anything);
    tcase_add_test(tcase, to_ascii_is_asked_only_when_needed);
    tcase_add_test(tcase, to_ascii_is_not_trusted);
    tcase_add_test(tcase, length);
    tcase_add_test(tcase, not_utf8);
    tcase_add_test(tcase, zero_is_a_character);
    tcase_add_test(tcase, every_problem_has_its_own_text);
    tcase_add_test(tcase, no_byte_behind_the_end_is_read);
    tcase_add_test(tcase, every_allocation_fails_in_turn);
    return suite;
}

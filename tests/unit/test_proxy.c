/*
 * test_proxy: proxies as they are written down, the servers that are reached without one, and which
 * place has the say.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/idna.h"
#include "daemon/no_proxy.h"
#include "daemon/proxy.h"
#include "daemon/proxy_choice.h"
#include "proto/local/errors.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- how they are written --- */

static const struct {
    const char *text, *display, *username, *password;
} good[] = {
    {"http://127.0.0.1:3128", "http://127.0.0.1:3128", NULL, NULL},
    {"127.0.0.1:3128", "http://127.0.0.1:3128", NULL, NULL},
    {"proxy.example", "http://proxy.example:80", NULL, NULL},
    {"u:p@proxy.example:8080", "http://proxy.example:8080", "u", "p"},
    {"HTTP://Proxy.Example/", "http://proxy.example:80", NULL, NULL},
    {"socks5://proxy", "socks5://proxy:1080", NULL, NULL},
    {"socks5h://[::1]:9050", "socks5h://[::1]:9050", NULL, NULL},
    {"socks5h://u@h", "socks5h://h:1080", "u", ""},
    {"socks5://:p@h", "socks5://h:1080", "", "p"},
    {"http://a%40b:c%3Ad%2F%25@h", "http://h:80", "a@b", "c:d/%"},
    {"socks5://a%3Ab:%FF%0A@h", "socks5://h:1080", "a:b", "\xff\n"},
    {"http://b\xC3\xBC"
     "cher.example:1",
     "http://xn--bcher-kva.example:1", NULL, NULL},
};

START_TEST(written_well)
{
    const char *problem = "", *username = good[_i].username;
    char text[PROXY_TEXT_LEN];
    struct proxy *proxy = NULL;

    ck_assert_int_eq(proxy_new(wsp_view_of_string(good[_i].text), idna_to_ascii, &proxy, &problem),
                     0);
    ck_assert_str_eq(proxy_display(proxy, text), good[_i].display);
    ck_assert_str_eq(proxy_format(proxy, text), strstr(good[_i].display, "://") + 3);
    ck_assert_int_eq(proxy->has_credentials, username != NULL);
    ck_assert(wsp_view_equals(proxy->username, wsp_view_of_string(username)));
    ck_assert(wsp_view_equals(proxy->password, wsp_view_of_string(good[_i].password)));
    ck_assert_ptr_null(proxy_free(proxy));
}
END_TEST

static const struct {
    const char *text, *problem;
} bad[] = {
    {"", "a proxy's host is missing"},
    {"http://", "a proxy's host is missing"},
    {"https://proxy", "itself reached over TLS is not supported"},
    {"socks4://proxy", "begin with http://"},
    {"socks://proxy", "begin with http://"},
    {"ws://proxy", "begin with http://"},
    {"ws+unix:///s", "begin with http://"},
    {"None", NULL}, /* a host of this name */
    {"proxy:port", "port is not a number"},
    {"http://proxy/path", "a proxy has no path"},
    {"http://proxy?q", "a proxy has no path"},
    {"http://proxy#", "a proxy has no path"},
    {"http://user%3Aname:p@h", "a colon in the user name"},
    {"http://u:p%0D%0A@h", "control characters"},
    {"\xff", "not valid UTF-8"},
};

START_TEST(written_badly)
{
    const char *problem = "";
    struct proxy *proxy = NULL;
    int r = proxy_new(wsp_view_of_string(bad[_i].text), idna_to_ascii, &proxy, &problem);

    if (bad[_i].problem == NULL) {
        ck_assert_int_eq(r, 0);
        ck_assert_ptr_nonnull(proxy);
        proxy_free(proxy);
        return;
    }
    ck_assert_int_eq(r, 1);
    ck_assert_ptr_null(proxy);
    ck_assert_msg(strstr(problem, bad[_i].problem) != NULL, "%s", problem);
}
END_TEST

START_TEST(none_is_none)
{
    const char *problem = "";
    struct proxy *proxy = (struct proxy *)(void *)&problem;

    ck_assert_int_eq(proxy_new(WSP_VIEW_LITERAL("none"), NULL, &proxy, &problem), 0);
    ck_assert_ptr_null(proxy);
    ck_assert_ptr_null(proxy_free(NULL));
}
END_TEST

START_TEST(credentials_fit_the_kind)
{
    char text[300];
    const char *problem = "";
    struct proxy *proxy = NULL;

    strcpy(text, "socks5://");
    memset(text + 9, 'u', 255);
    strcpy(text + 9 + 255, "@h");
    ck_assert_int_eq(proxy_new(wsp_view_of_string(text), NULL, &proxy, &problem), 0);
    proxy_free(proxy);
    strcpy(text + 9 + 255, "u@h");
    ck_assert_int_eq(proxy_new(wsp_view_of_string(text), NULL, &proxy, &problem), 1);
    ck_assert_ptr_nonnull(strstr(problem, "255 bytes"));
    memcpy(text, "http:////", 9);
    ck_assert_int_eq(proxy_new(wsp_view_of_string(text), NULL, &proxy, &problem), 0);
    proxy_free(proxy);
}
END_TEST

START_TEST(written_without_memory)
{
    bool has_failed = true;

    for (size_t n = 0; has_failed; n++) {
        const char *problem = "";
        struct proxy *proxy = NULL;
        int r;

        allocation_fail_after(n);
        r = proxy_new(WSP_VIEW_LITERAL("u:p@proxy:3128"), NULL, &proxy, &problem);
        has_failed = allocation_disarm();
        ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
        proxy_free(proxy);
    }
}
END_TEST

/* --- who is reached without --- */

static bool is_excepted(const char *list, const char *url)
{
    struct wsp_url parsed;
    bool is;

    ck_assert_int_eq(wsp_url_parse_websocket(&parsed, url, strlen(url), NULL, NULL), 0);
    is = no_proxy_has(list, &parsed);
    wsp_url_deinit(&parsed);
    return is;
}

static const struct {
    const char *list, *url;
    bool is_excepted;
} exceptions[] = {
    {"", "ws://a.example", false},
    {" , ,\t", "ws://a.example", false},
    {"*", "ws://a.example", true},
    {"x, *", "ws://[::1]", true},
    /* names, and all below them */
    {"example", "ws://a.example", true},
    {"a.example", "ws://a.example", true},
    {".a.example", "ws://a.example", true},
    {"*.a.example", "ws://a.example", true},
    {"..a.example", "ws://a.example", true},
    {".a.example", "ws://b.a.example", true},
    {"A.Example.", "ws://a.example", true},
    {"a.example", "ws://a.example.", true},
    {"a.example", "ws://ba.example", false},
    {"b.a.example", "ws://a.example", false},
    {"a.example.org", "ws://a.example", false},
    {"x y\tz\na.example,w", "ws://a.example", true},
    /* addresses */
    {"127.0.0.1", "ws://127.0.0.1", true},
    {"127.0.0.1", "ws://127.1", true},
    {"127.0.0.1", "ws://127.0.0.2", false},
    {"0.0.1", "ws://127.0.0.1", false},
    {"::1", "ws://[::1]", true},
    {"[::1]", "ws://[::1]", true},
    {"[0:0::0:1]", "ws://[::1]", true},
    {"::1", "ws://[::2]", false},
    {"127.0.0.1", "ws://localhost", false},
    {"localhost", "ws://127.0.0.1", false},
    {"::ffff:127.0.0.1", "ws://127.0.0.1", false},
    /* networks */
    {"192.0.2.0/24", "ws://192.0.2.255", true},
    {"192.0.2.0/24", "ws://192.0.3.0", false},
    {"192.0.2.77/24", "ws://192.0.2.1", true},
    {"192.0.2.128/25", "ws://192.0.2.127", false},
    {"192.0.2.128/25", "ws://192.0.2.128", true},
    {"192.0.2.0/23", "ws://192.0.3.1", true},
    {"0.0.0.0/0", "ws://192.0.2.1", true},
    {"0.0.0.0/0", "ws://[::1]", false},
    {"192.0.2.1/32", "ws://192.0.2.1", true},
    {"192.0.2.1/32", "ws://192.0.2.0", false},
    {"2001:db8::/32", "ws://[2001:db8:1::1]", true},
    {"[2001:db8::]/32", "ws://[2001:db8:1::1]", true},
    {"[2001:db8::/32]", "ws://[2001:db8:1::1]", true},
    {"2001:db8::/33", "ws://[2001:db8:8000::1]", false},
    {"::/0", "ws://[2001:db8::1]", true},
    {"10.0.0.0/8", "ws://10.example", false},
    /* ports */
    {"a.example:80", "ws://a.example", true},
    {"a.example:443", "ws://a.example", false},
    {"a.example:443", "wss://a.example", true},
    {"127.0.0.1:81", "ws://127.0.0.1:81", true},
    {"127.0.0.1:81", "ws://127.0.0.1", false},
    {"[::1]:81", "ws://[::1]:81", true},
    {"[::1]:81", "ws://[::1]", false},
    {"*:81", "ws://a.example:81", true},
    {"*:81", "ws://a.example", false},
    /* what is malformed is nobody, and the others are still somebody */
    {"a.example:0", "ws://a.example", false},
    {"a.example:x", "ws://a.example", false},
    {"127.0.0.1/33", "ws://127.0.0.1", false},
    {"127.0.0.1/33,127.0.0.1", "ws://127.0.0.1", true},
    {"127.0.0.1/", "ws://127.0.0.1", false},
    {".", "ws://a.example", false},
};

START_TEST(reached_without)
{
    ck_assert_msg(is_excepted(exceptions[_i].list, exceptions[_i].url) ==
                      exceptions[_i].is_excepted,
                  "%s: %s", exceptions[_i].list, exceptions[_i].url);
}
END_TEST

START_TEST(lists_with_flaws)
{
    static const struct {
        const char *list, *flaw;
    } rows[] = {
        {"", NULL},
        {"*, a.example .b 10.0.0.0/8,[::1]:80 ::/0", NULL},
        {"a, 10.0.0.0/33, c", "10.0.0.0/33"},
        {"2001:db8::/129", "2001:db8::/129"},
        {"a:70000", "a:70000"},
        {"http://a", "http://a"},
        {"a*.b", "a*.b"},
        {".", "."},
        {":80", ":80"},
        {"a:b:c", "a:b:c"},
        {"10.0.0.0/", "10.0.0.0/"},
    };

    for (int i = 0; i < N_OF(rows); i++) {
        struct wsp_view item = {0};
        bool has = no_proxy_has_flaw(wsp_view_of_string(rows[i].list), &item);

        ck_assert_msg(has == (rows[i].flaw != NULL), "%s", rows[i].list);
        ck_assert(wsp_view_equals(item, wsp_view_of_string(rows[i].flaw)));
    }
}
END_TEST

/* --- who has the say --- */

static const struct {
    const char *url;
    struct proxy_place places[3];
    const char *chosen; /* NULL: none */
} choices[] = {
    {"ws://h", {{0}}, NULL},
    {"ws://h", {{.proxy = "a"}, {.proxy = "b"}, {.proxy = "c"}}, "http://a:80"},
    {"ws://h", {{0}, {.proxy = "b"}, {.proxy = "c"}}, "http://b:80"},
    {"ws://h", {{0}, {0}, {.proxy = "socks5h://c"}}, "socks5h://c:1080"},
    {"ws://h", {{.proxy = "none"}, {.proxy = "b"}}, NULL},
    {"ws://h", {{0}, {.proxy = "none"}, {.proxy = "c"}}, NULL},
    /* exceptions from what the same place says, or one further out */
    {"ws://h", {{.proxy = "a", .no_proxy = "h"}}, NULL},
    {"ws://h", {{.no_proxy = "h"}, {.proxy = "b"}}, NULL},
    {"ws://h", {{.no_proxy = "x"}, {.proxy = "b"}}, "http://b:80"},
    {"ws://h", {{.proxy = "a"}, {.no_proxy = "h"}, {.no_proxy = "*"}}, "http://a:80"},
    {"ws://h", {{0}, {.proxy = "b"}, {.proxy = "c", .no_proxy = "*"}}, "http://b:80"},
    /* the nearest list is the one that counts */
    {"ws://h", {{.no_proxy = ""}, {.proxy = "b", .no_proxy = "h"}}, "http://b:80"},
    {"ws+unix:/s", {{.proxy = "a"}}, NULL},
};

START_TEST(chosen)
{
    struct failure failure;
    struct proxy *proxy = NULL;
    struct wsp_url url;
    char text[PROXY_TEXT_LEN];

    ck_assert_int_eq(
        wsp_url_parse_websocket(&url, choices[_i].url, strlen(choices[_i].url), NULL, NULL), 0);
    ck_assert_int_eq(proxy_choose(choices[_i].places, 3, &url, &proxy, &failure), 0);
    if (choices[_i].chosen == NULL)
        ck_assert_ptr_null(proxy);
    else
        ck_assert_str_eq(proxy_display(proxy, text), choices[_i].chosen);
    proxy_free(proxy);
    wsp_url_deinit(&url);
}
END_TEST

/* Whoever named it is told, and not by what was written: it may be a password. */
START_TEST(chosen_badly)
{
    const struct proxy_place places[] = {{0}, {.proxy = "socks4://u:pass@h", .name = "all_proxy"}};
    struct failure failure;
    struct proxy *proxy = NULL;
    struct wsp_url url;

    ck_assert_int_eq(wsp_url_parse_websocket(&url, "ws://h", 6, NULL, NULL), 0);
    ck_assert_int_eq(proxy_choose(places, 2, &url, &proxy, &failure), 1);
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_PROXY);
    ck_assert_ptr_eq(strstr(failure.text, "all_proxy: "), failure.text);
    ck_assert_ptr_null(strstr(failure.text, "pass"));
    wsp_url_deinit(&url);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("proxy");
    TCase *tcase = unit_case(suite, "written");

    tcase_add_loop_test(tcase, written_well, 0, N_OF(good));
    tcase_add_loop_test(tcase, written_badly, 0, N_OF(bad));
    tcase_add_test(tcase, none_is_none);
    tcase_add_test(tcase, credentials_fit_the_kind);
    tcase_add_test(tcase, written_without_memory);
    tcase = unit_case(suite, "exceptions");
    tcase_add_loop_test(tcase, reached_without, 0, N_OF(exceptions));
    tcase_add_test(tcase, lists_with_flaws);
    tcase = unit_case(suite, "choice");
    tcase_add_loop_test(tcase, chosen, 0, N_OF(choices));
    tcase_add_test(tcase, chosen_badly);
    return suite;
}

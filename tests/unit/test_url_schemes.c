/*
 * test_url_schemes: the schemes of proto/url.h that no standard knows: ws+unix and wss+unix, which are
 * the WebSocket constructor's alone, and those of proxies.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/url.h"
#include "tests/harness/allocation.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse(struct wsp_url *ret, const char *input)
{
    return wsp_url_parse_websocket(ret, input, strlen(input), NULL, NULL);
}

/* --- sockets --- */

START_TEST(all_members_of_a_socket)
{
    struct wsp_url url;

    ck_assert_int_eq(parse(&url, " WS+Unix:/run/my%20app/a b.sock:/feed/../\xE2\x82\xAC?x=1&y \n"),
                     0);
    ck_assert_str_eq(url.href, "ws+unix:/run/my%20app/a%20b.sock:/%E2%82%AC?x=1&y");
    ck_assert_str_eq(url.socket_path, "/run/my app/a b.sock");
    ck_assert_str_eq(url.resource, "/%E2%82%AC?x=1&y");
    ck_assert_str_eq(url.path, "/%E2%82%AC");
    ck_assert_str_eq(url.query, "x=1&y");
    ck_assert_str_eq(url.origin, "null");
    ck_assert_str_eq(url.host, "localhost");
    ck_assert_str_eq(url.hostname, "localhost");
    ck_assert_str_eq(url.host_header, "localhost");
    ck_assert_str_eq(url.username, "");
    ck_assert_str_eq(url.password, "");
    ck_assert_str_eq(url.fragment, "");
    ck_assert_int_eq(url.scheme, WSP_SCHEME_WS_UNIX);
    ck_assert_int_eq(url.host_kind, WSP_HOST_DOMAIN);
    ck_assert_uint_eq(url.port, 80);
    ck_assert(url.is_default_port && url.has_query && !url.is_secure && !url.has_fragment);
    wsp_url_deinit(&url);
    ck_assert_int_eq(parse(&url, "wss+unix:/s"), 0);
    ck_assert_int_eq(url.scheme, WSP_SCHEME_WSS_UNIX);
    ck_assert_uint_eq(url.port, 443);
    ck_assert(url.is_default_port && url.is_secure && !url.has_query);
    wsp_url_deinit(&url);
}
END_TEST

static const struct {
    const char *input, *href, *socket_path, *resource;
} sockets[] = {
    {"ws+unix:/s:/p?q", NULL, "/s", "/p?q"},
    {"ws+unix:///s:/p?q", NULL, "/s", "/p?q"},
    {"ws+unix:/s", NULL, "/s", "/"},
    {"ws+unix:///run/x.sock", NULL, "/run/x.sock", "/"},
    {"ws+unix:/s?q", NULL, "/s", "/?q"},
    {"ws+unix:/s?", NULL, "/s", "/"},
    {"ws+unix:/s:", "ws+unix:/s:/", "/s", "/"},
    {"ws+unix:/s:?q", "ws+unix:/s:/?q", "/s", "/?q"},
    {"ws+unix:/s:/a:b", NULL, "/s", "/a:b"},
    {"ws+unix:/s:/?/../:", NULL, "/s", "/?/../:"},
    {"ws+unix:/a%3Ab", NULL, "/a:b", "/"},
    {"ws+unix:/a%3Fb%23c%25", NULL, "/a?b#c%", "/"},
    {"ws+unix:/%", NULL, "/%", "/"},
    {"ws+unix:/a/../b/./c/:/d/../e/./f", "ws+unix:/a/../b/./c/:/e/f", "/a/../b/./c/", "/e/f"},
    {"ws+unix:/a@b\\c", NULL, "/a@b\\c", "/"},
    {"ws+unix:////s", NULL, "//s", "/"},
    {"ws+unix:/\xC3\xA4", "ws+unix:/%C3%A4", "/\xC3\xA4", "/"},
    {"ws+unix:/%FF", NULL, "/\xFF", "/"},
};

START_TEST(socket)
{
    const char *input = sockets[_i].input;
    const char *href = sockets[_i].href == NULL ? input : sockets[_i].href;
    struct wsp_url url, again;

    ck_assert_int_eq(parse(&url, input), 0);
    ck_assert_str_eq(url.href, href);
    ck_assert_str_eq(url.socket_path, sockets[_i].socket_path);
    ck_assert_str_eq(url.resource, sockets[_i].resource);
    ck_assert_int_eq(parse(&again, url.href), 0);
    ck_assert_str_eq(again.href, url.href);
    ck_assert_str_eq(again.socket_path, url.socket_path);
    wsp_url_deinit(&again);
    wsp_url_deinit(&url);
    /* The standard's own parser knows no such scheme. */
    ck_assert_int_eq(wsp_url_parse(&url, input, strlen(input), NULL, NULL), WSP_URL_BAD_SCHEME);
}
END_TEST

static const struct {
    const char *input;
    int problem;
} no_sockets[] = {
    {"ws+unix:", WSP_URL_BAD_SOCKET},
    {"ws+unix:/", WSP_URL_BAD_SOCKET},
    {"ws+unix:///", WSP_URL_BAD_SOCKET},
    {"ws+unix:///:/p", WSP_URL_BAD_SOCKET},
    {"ws+unix:run/x.sock", WSP_URL_BAD_SOCKET},
    {"ws+unix:\\run\\x.sock", WSP_URL_BAD_SOCKET},
    {"ws+unix://localhost/run/x.sock", WSP_URL_BAD_SOCKET},
    {"ws+unix://run", WSP_URL_BAD_SOCKET},
    {"ws+unix::/p", WSP_URL_BAD_SOCKET},
    {"ws+unix:@abstract", WSP_URL_BAD_SOCKET},
    {"ws+unix:/s:p", WSP_URL_BAD_SOCKET},
    {"ws+unix:/s:80/p", WSP_URL_BAD_SOCKET},
    {"ws+unix:/a%00b", WSP_URL_BAD_SOCKET},
    {"ws+unix:/s#", WSP_URL_FRAGMENT},
    {"ws+unix:/s:/p#f", WSP_URL_FRAGMENT},
    {"unix:/s", WSP_URL_BAD_SCHEME},
    {"http+unix:/s", WSP_URL_BAD_SCHEME},
    {"ws+unixx:/s", WSP_URL_BAD_SCHEME},
    {"socks5://h", WSP_URL_BAD_SCHEME},
};

START_TEST(no_socket)
{
    struct wsp_url url;

    ck_assert_int_eq(parse(&url, no_sockets[_i].input), no_sockets[_i].problem);
}
END_TEST

/* What counts is how long the decoded path is. */
START_TEST(socket_path_fits_into_an_address)
{
    char input[sizeof("ws+unix:/") + 3 * WSP_MAX_SOCKET_PATH] = "ws+unix:/";
    struct wsp_url url;

    for (size_t n = 1; n < WSP_MAX_SOCKET_PATH; n++)
        strcat(input, "%78");
    ck_assert_int_eq(parse(&url, input), 0);
    ck_assert_uint_eq(strlen(url.socket_path), WSP_MAX_SOCKET_PATH);
    wsp_url_deinit(&url);
    strcat(input, "x");
    ck_assert_int_eq(parse(&url, input), WSP_URL_LONG_SOCKET);
    ck_assert_ptr_nonnull(strstr(wsp_url_problem_to_string(WSP_URL_LONG_SOCKET), "107"));
}
END_TEST

START_TEST(socket_is_no_base)
{
    struct wsp_url base, url;

    ck_assert_int_eq(parse(&base, "ws+unix:/s:/p"), 0);
    ck_assert_int_eq(wsp_url_parse_websocket(&url, "/q", 2, &base, NULL), WSP_URL_RELATIVE);
    ck_assert_int_eq(wsp_url_parse_websocket(&url, "ws+unix:q", 9, &base, NULL),
                     WSP_URL_BAD_SOCKET);
    ck_assert_int_eq(wsp_url_parse_websocket(&url, "ws://h", 6, &base, NULL), 0);
    ck_assert_str_eq(url.href, "ws://h/");
    wsp_url_deinit(&url);
    wsp_url_deinit(&base);
}
END_TEST

START_TEST(socket_without_memory)
{
    bool has_failed = true;

    for (size_t n = 0; has_failed; n++) {
        struct wsp_url url;
        int r;

        allocation_fail_after(n);
        r = parse(&url, "ws+unix:/run/x.sock?q");
        has_failed = allocation_disarm();
        ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
        if (r == 0)
            wsp_url_deinit(&url);
    }
}
END_TEST

/* Every beginning, which ends where the memory does. */
START_TEST(no_byte_behind_the_end_is_read)
{
    static const char text[] = "wss+unix:///a%20b%:/c/../d?e";

    for (size_t len = 0; len < sizeof(text); len++) {
        struct guard guard;
        struct wsp_url url;

        guard_init(&guard, text, len);
        if (wsp_url_parse_websocket(&url, (const char *)guard.data, len, NULL, NULL) == 0)
            wsp_url_deinit(&url);
        guard_deinit(&guard);
    }
}
END_TEST

/* --- proxies --- */

static const struct {
    const char *input, *host_header, *hostname, *username, *password;
    unsigned port;
    enum wsp_scheme scheme;
    bool is_default_port;
} proxies[] = {
    {"http://proxy:3128", "proxy:3128", "proxy", "", "", 3128, WSP_SCHEME_HTTP, false},
    {"HTTP://Proxy/", "proxy", "proxy", "", "", 80, WSP_SCHEME_HTTP, true},
    {"https://proxy", "proxy", "proxy", "", "", 443, WSP_SCHEME_HTTPS, true},
    {"socks5://proxy", "proxy", "proxy", "", "", 1080, WSP_SCHEME_SOCKS5, true},
    {"socks5://u:p%40w@[::1]:80", "[::1]:80", "::1", "u", "p%40w", 80, WSP_SCHEME_SOCKS5, false},
    {"socks5h://127.1:9050", "127.0.0.1:9050", "127.0.0.1", "", "", 9050, WSP_SCHEME_SOCKS5H,
     false},
};

START_TEST(proxy)
{
    const char *input = proxies[_i].input;
    struct wsp_url url;

    ck_assert_int_eq(wsp_url_parse_proxy(&url, input, strlen(input), NULL), 0);
    ck_assert_str_eq(url.host_header, proxies[_i].host_header);
    ck_assert_str_eq(url.hostname, proxies[_i].hostname);
    ck_assert_str_eq(url.username, proxies[_i].username);
    ck_assert_str_eq(url.password, proxies[_i].password);
    ck_assert_uint_eq(url.port, proxies[_i].port);
    ck_assert_int_eq(url.scheme, proxies[_i].scheme);
    ck_assert_int_eq(url.is_default_port, proxies[_i].is_default_port);
    ck_assert_str_eq(url.socket_path, "");
    wsp_url_deinit(&url);
}
END_TEST

START_TEST(no_proxy)
{
    static const struct {
        const char *input;
        int problem;
    } rows[] = {
        {"", WSP_URL_RELATIVE},
        {"127.0.0.1:3128", WSP_URL_RELATIVE},
        {"proxy:3128", WSP_URL_BAD_SCHEME},
        {"socks4://proxy", WSP_URL_BAD_SCHEME},
        {"socks://proxy", WSP_URL_BAD_SCHEME},
        {"ws://proxy", WSP_URL_BAD_SCHEME},
        {"ws+unix:/s", WSP_URL_BAD_SCHEME},
        {"socks5://", WSP_URL_NO_HOST},
        {"socks5://h:x", WSP_URL_BAD_PORT},
        {"socks5://a b", WSP_URL_BAD_HOST},
    };
    struct wsp_url url;

    for (size_t i = 0; i < N_OF(rows); i++)
        ck_assert_int_eq(wsp_url_parse_proxy(&url, rows[i].input, strlen(rows[i].input), NULL),
                         rows[i].problem);
    ck_assert_int_eq(wsp_url_parse(&url, "socks5://h", 10, NULL, NULL), WSP_URL_BAD_SCHEME);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("url_schemes");
    TCase *tcase = unit_case(suite, "socket");

    tcase_add_test(tcase, all_members_of_a_socket);
    tcase_add_loop_test(tcase, socket, 0, (int)N_OF(sockets));
    tcase_add_loop_test(tcase, no_socket, 0, (int)N_OF(no_sockets));
    tcase_add_test(tcase, socket_path_fits_into_an_address);
    tcase_add_test(tcase, socket_is_no_base);
    tcase_add_test(tcase, socket_without_memory);
    tcase_add_test(tcase, no_byte_behind_the_end_is_read);
    tcase = unit_case(suite, "proxy");
    tcase_add_loop_test(tcase, proxy, 0, (int)N_OF(proxies));
    tcase_add_test(tcase, no_proxy);
    return suite;
}

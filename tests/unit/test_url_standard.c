/*
 * test_url_standard: the URL standard clause by clause, for special schemes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/idna.h"
#include "proto/url.h"
#include "tests/harness/unit.h"
#include "tests/harness/url_check.h"

#include <string.h>

/* An input, perhaps a base, and the href or the problem that comes of it. */
struct row {
    const char *input;
    const char *base;
    const char *href;
    int problem;
};

static int parse(struct wsp_url *ret, const char *input, const char *base_text)
{
    struct wsp_url base = {0};
    int r;

    if (base_text != NULL)
        ck_assert_int_eq(wsp_url_parse(&base, base_text, strlen(base_text), NULL, idna_to_ascii),
                         0);
    r = wsp_url_parse(ret, input, strlen(input), base_text == NULL ? NULL : &base, idna_to_ascii);
    wsp_url_deinit(&base);
    return r;
}

static void assert_rows(const struct row *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) {
        struct wsp_url url;
        int r = parse(&url, rows[i].input, rows[i].base);

        ck_assert_msg(r == rows[i].problem, "%s: %d, not %d", rows[i].input, r, rows[i].problem);
        if (r != 0)
            continue;
        ck_assert_msg(strcmp(url.href, rows[i].href) == 0, "%s: %s", rows[i].input, url.href);
        url_assert_consistent(&url);
        wsp_url_deinit(&url);
    }
}

#define GOOD(input, href)    \
    {                        \
        input, NULL, href, 0 \
    }
#define GOOD_WITH(input, base, href) \
    {                                \
        input, base, href, 0         \
    }
#define BAD(input, problem)        \
    {                              \
        input, NULL, NULL, problem \
    }
#define BAD_WITH(input, base, problem) \
    {                                  \
        input, base, NULL, problem     \
    }

/* Basic URL parser, steps 1 and 3. */
START_TEST(blanks_and_newlines)
{
    static const struct row rows[] = {
        GOOD("  \x01\x1F ws://h/ \t\r\n", "ws://h/"),
        GOOD("w\ts\n:\r//h\n/p\ta\tth", "ws://h/path"),
        GOOD("ws://h/a b", "ws://h/a%20b"),
        GOOD("ws://h/\x7F", "ws://h/%7F"),
        BAD("", WSP_URL_RELATIVE),
        BAD(" \n", WSP_URL_RELATIVE),
        GOOD_WITH("", "ws://h/a/b?q", "ws://h/a/b?q"),
        GOOD_WITH(" \t ", "ws://h/a/b?q#f", "ws://h/a/b?q"),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

START_TEST(schemes)
{
    static const struct row rows[] = {
        GOOD("ws://h", "ws://h/"),
        GOOD("WSS://h", "wss://h/"),
        GOOD("http://h", "http://h/"),
        GOOD("hTTps://h", "https://h/"),
        BAD("ftp://h", WSP_URL_BAD_SCHEME),
        BAD("file:///etc/passwd", WSP_URL_BAD_SCHEME),
        BAD("ws+unix:///run/x.sock", WSP_URL_BAD_SCHEME),
        BAD("wsss://h", WSP_URL_BAD_SCHEME),
        BAD("w://h", WSP_URL_BAD_SCHEME),
        BAD("localhost:8080/feed", WSP_URL_BAD_SCHEME),
        BAD("//h/", WSP_URL_RELATIVE),
        BAD("/path", WSP_URL_RELATIVE),
        BAD("example.com", WSP_URL_RELATIVE),
        BAD("ws", WSP_URL_RELATIVE),
        BAD("1ws://h", WSP_URL_RELATIVE),
        BAD("ws%3A//h", WSP_URL_RELATIVE),
        BAD(":ws", WSP_URL_RELATIVE),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

START_TEST(slashes_before_the_host)
{
    static const struct row rows[] = {
        GOOD("ws:h", "ws://h/"),
        GOOD("ws:/h", "ws://h/"),
        GOOD("ws:\\\\h\\p", "ws://h/p"),
        GOOD("ws:////h//p", "ws://h//p"),
        GOOD("ws:/\\/\\h", "ws://h/"),
        BAD("ws:", WSP_URL_NO_HOST),
        BAD("ws://", WSP_URL_NO_HOST),
        BAD("ws:///", WSP_URL_NO_HOST),
        BAD("ws://?q", WSP_URL_NO_HOST),
        BAD("ws://#f", WSP_URL_NO_HOST),
        BAD("ws://:80/", WSP_URL_NO_HOST),
        BAD("ws://user@", WSP_URL_NO_HOST),
        BAD("ws://user@:80", WSP_URL_NO_HOST),
        BAD("ws://@/", WSP_URL_NO_HOST),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

START_TEST(credentials)
{
    static const struct row rows[] = {
        GOOD("ws://u:p@h", "ws://u:p@h/"),
        GOOD("ws://u@h", "ws://u@h/"),
        GOOD("ws://u:@h", "ws://u@h/"),
        GOOD("ws://:p@h", "ws://:p@h/"),
        GOOD("ws://@h", "ws://h/"),
        GOOD("ws://:@h", "ws://h/"),
        GOOD("ws://a@b@h", "ws://a%40b@h/"),
        GOOD("ws://a:b@c:d@h", "ws://a:b%40c%3Ad@h/"),
        GOOD("ws://a::b@h", "ws://a:%3Ab@h/"),
        GOOD("ws://[;=|^]@h", "ws://%5B%3B%3D%7C%5E%5D@h/"),
        GOOD("ws://%zz%20:\xC3\xA9@h", "ws://%zz%20:%C3%A9@h/"),
        GOOD("ws://u/p@h", "ws://u/p@h"),
        GOOD("ws://u?p@h", "ws://u/?p@h"),
        GOOD("ws://u#p@h", "ws://u/#p@h"),
        GOOD("ws://u\\p@h", "ws://u/p@h"),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

/* Section 3.3 and the host parser. */
START_TEST(domains)
{
    static const struct row rows[] = {
        GOOD("ws://EXAMPLE.com", "ws://example.com/"),
        GOOD("ws://%65x%41mple", "ws://example/"),
        GOOD("ws://a_b~!$&'()*+,;=.c", "ws://a_b~!$&'()*+,;=.c/"),
        GOOD("ws://h.", "ws://h./"),
        GOOD("ws://a..b", "ws://a..b/"),
        GOOD("ws://.", "ws://./"),
        GOOD("ws://-a-.b--c", "ws://-a-.b--c/"),
        GOOD("ws://xn--", "ws://xn--/"),
        GOOD("ws://XN--a", "ws://xn--a/"),
        GOOD("ws://b\u00FCcher.example", "ws://xn--bcher-kva.example/"),
        GOOD("ws://b%C3%BCcher", "ws://xn--bcher-kva/"),
        GOOD("ws://fa\xC3\x9F.de", "ws://xn--fa-hia.de/"),
        GOOD("ws://\xE2\x98\x95.example", "ws://xn--53h.example/"),
        GOOD("ws://\xEF\xBC\xA1.b\u3002c", "ws://a.b.c/"),
        BAD("ws://a%b", WSP_URL_BAD_HOST),
        BAD("ws://a%00b", WSP_URL_BAD_HOST),
        BAD("ws://a b", WSP_URL_BAD_HOST),
        BAD("ws://a%20b", WSP_URL_BAD_HOST),
        BAD("ws://a%2Fb", WSP_URL_BAD_HOST),
        BAD("ws://a%7F", WSP_URL_BAD_HOST),
        BAD("ws://a<b", WSP_URL_BAD_HOST),
        BAD("ws://a^b", WSP_URL_BAD_HOST),
        BAD("ws://a|b", WSP_URL_BAD_HOST),
        BAD("ws://a]b", WSP_URL_BAD_HOST),
        BAD("ws://a[b", WSP_URL_BAD_HOST),
        BAD("ws://%C3", WSP_URL_BAD_DOMAIN),
        BAD("ws://%ED%A0%80", WSP_URL_BAD_DOMAIN),
        BAD("ws://\xEF\xBF\xBD", WSP_URL_BAD_DOMAIN),
        BAD("ws://\xC2\xAD", WSP_URL_BAD_DOMAIN),
        BAD("ws://\xC3\xA9<", WSP_URL_BAD_HOST),
        BAD("ws://\xEF\xBC\x85", WSP_URL_BAD_HOST),
        BAD("ws://\xC3\xA9%00", WSP_URL_BAD_DOMAIN),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

START_TEST(ipv4_addresses)
{
    static const struct row rows[] = {
        GOOD("ws://1.2.3.4", "ws://1.2.3.4/"),
        GOOD("ws://1.2.3.4.", "ws://1.2.3.4/"),
        GOOD("ws://0", "ws://0.0.0.0/"),
        GOOD("ws://0x", "ws://0.0.0.0/"),
        GOOD("ws://0X7f.1", "ws://127.0.0.1/"),
        GOOD("ws://017700000001", "ws://127.0.0.1/"),
        GOOD("ws://2130706433", "ws://127.0.0.1/"),
        GOOD("ws://0xffffffff", "ws://255.255.255.255/"),
        GOOD("ws://4294967295", "ws://255.255.255.255/"),
        GOOD("ws://1.16777215", "ws://1.255.255.255/"),
        GOOD("ws://1.2.65535", "ws://1.2.255.255/"),
        GOOD("ws://1.2.3.255", "ws://1.2.3.255/"),
        GOOD("ws://00.000.0.0x0", "ws://0.0.0.0/"),
        GOOD("ws://000000000000000000000000000001", "ws://0.0.0.1/"),
        GOOD("ws://%31%2e2.3.4", "ws://1.2.3.4/"),
        GOOD("ws://\xEF\xBC\x91.2", "ws://1.0.0.2/"),
        BAD("ws://4294967296", WSP_URL_BAD_IPV4),
        BAD("ws://0x100000000", WSP_URL_BAD_IPV4),
        BAD("ws://99999999999999999999999999999999999999", WSP_URL_BAD_IPV4),
        BAD("ws://1.16777216", WSP_URL_BAD_IPV4),
        BAD("ws://1.2.65536", WSP_URL_BAD_IPV4),
        BAD("ws://1.2.3.256", WSP_URL_BAD_IPV4),
        BAD("ws://256.2.3.4", WSP_URL_BAD_IPV4),
        BAD("ws://1.2.3.4.5", WSP_URL_BAD_IPV4),
        GOOD("ws://1.2.3.4..", "ws://1.2.3.4../"),
        BAD("ws://1..4", WSP_URL_BAD_IPV4),
        BAD("ws://.1", WSP_URL_BAD_IPV4),
        BAD("ws://08", WSP_URL_BAD_IPV4),
        BAD("ws://09.1", WSP_URL_BAD_IPV4),
        BAD("ws://a.1", WSP_URL_BAD_IPV4),
        BAD("ws://a.0x1", WSP_URL_BAD_IPV4),
        BAD("ws://a.1.", WSP_URL_BAD_IPV4),
        GOOD("ws://1.a", "ws://1.a/"),
        GOOD("ws://1.0xg", "ws://1.0xg/"),
        GOOD("ws://1.2.3.4a", "ws://1.2.3.4a/"),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

START_TEST(ipv6_addresses)
{
    static const struct row rows[] = {
        GOOD("ws://[::]", "ws://[::]/"),
        GOOD("ws://[::1]", "ws://[::1]/"),
        GOOD("ws://[1::]", "ws://[1::]/"),
        GOOD("ws://[2001:DB8:0:0:1:0:0:1]", "ws://[2001:db8::1:0:0:1]/"),
        GOOD("ws://[0:0:0:1:0:0:0:0]", "ws://[0:0:0:1::]/"),
        GOOD("ws://[1:0:0:0:0:0:0:0]", "ws://[1::]/"),
        GOOD("ws://[0001:02:003:0004:5:6:7:8]", "ws://[1:2:3:4:5:6:7:8]/"),
        GOOD("ws://[1:2:3:4:5:6:7::]", "ws://[1:2:3:4:5:6:7:0]/"),
        GOOD("ws://[::2:3:4:5:6:7:8]", "ws://[0:2:3:4:5:6:7:8]/"),
        GOOD("ws://[1:2:3::5:6:7:8]", "ws://[1:2:3:0:5:6:7:8]/"),
        GOOD("ws://[1:0:3:0:5:0:7:0]", "ws://[1:0:3:0:5:0:7:0]/"),
        GOOD("ws://[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
             "ws://[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]/"),
        GOOD("ws://[::127.0.0.1]", "ws://[::7f00:1]/"),
        GOOD("ws://[::ffff:1.2.3.4]:81", "ws://[::ffff:102:304]:81/"),
        GOOD("ws://[1:2:3:4:5:6:255.255.255.255]", "ws://[1:2:3:4:5:6:ffff:ffff]/"),
        GOOD("ws://[1:2:3:4:5::1.2.3.4]", "ws://[1:2:3:4:5:0:102:304]/"),
        BAD("ws://[", WSP_URL_BAD_IPV6),
        BAD("ws://[]", WSP_URL_BAD_IPV6),
        BAD("ws://[:]", WSP_URL_BAD_IPV6),
        BAD("ws://[:1]", WSP_URL_BAD_IPV6),
        BAD("ws://[1]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:]", WSP_URL_BAD_IPV6),
        BAD("ws://[:::]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:::2]", WSP_URL_BAD_IPV6),
        BAD("ws://[1::2::3]", WSP_URL_BAD_IPV6),
        BAD("ws://[::1", WSP_URL_BAD_IPV6),
        BAD("ws://[::1]x", WSP_URL_BAD_IPV6),
        BAD("ws://[::%31]", WSP_URL_BAD_IPV6),
        BAD("ws://[fe80::1%25eth0]", WSP_URL_BAD_IPV6),
        BAD("ws://[12345::]", WSP_URL_BAD_IPV6),
        BAD("ws://[g::]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:2:3:4:5:6:7]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:2:3:4:5:6:7:]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:2:3:4:5:6:7:8:9]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:2:3:4:5:6:7:8:]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:2:3:4::5:6:7:8]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:2:3:4:5:6:7::8]x", WSP_URL_BAD_IPV6),
        BAD("ws://[::1.2.3]", WSP_URL_BAD_IPV6),
        BAD("ws://[::1.2.3.]", WSP_URL_BAD_IPV6),
        BAD("ws://[::1.2.3.4.5]", WSP_URL_BAD_IPV6),
        BAD("ws://[::1.2.3.256]", WSP_URL_BAD_IPV6),
        BAD("ws://[::1.2.3.04]", WSP_URL_BAD_IPV6),
        BAD("ws://[::.1.2.3]", WSP_URL_BAD_IPV6),
        BAD("ws://[::1..2.3]", WSP_URL_BAD_IPV6),
        BAD("ws://[::a.2.3.4]", WSP_URL_BAD_IPV6),
        BAD("ws://[::1.2.3.4:5]", WSP_URL_BAD_IPV6),
        BAD("ws://[1.2.3.4]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:2:3:4:5:6:7:1.2.3.4]", WSP_URL_BAD_IPV6),
        BAD("ws://[1:2:3:4:5:6::1.2.3.4]", WSP_URL_BAD_IPV6),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

START_TEST(ports)
{
    static const struct row rows[] = {
        GOOD("ws://h:80", "ws://h/"),
        GOOD("ws://h:443", "ws://h:443/"),
        GOOD("wss://h:443", "wss://h/"),
        GOOD("wss://h:80", "wss://h:80/"),
        GOOD("http://h:80", "http://h/"),
        GOOD("https://h:443", "https://h/"),
        GOOD("ws://h:", "ws://h/"),
        GOOD("ws://h:0", "ws://h:0/"),
        GOOD("ws://h:65535", "ws://h:65535/"),
        GOOD("ws://h:00000000000000000080", "ws://h/"),
        GOOD("ws://h:00008080?q", "ws://h:8080/?q"),
        BAD("ws://h:65536", WSP_URL_BAD_PORT),
        BAD("ws://h:99999999999999999999", WSP_URL_BAD_PORT),
        BAD("ws://h:8a", WSP_URL_BAD_PORT),
        BAD("ws://h:-1", WSP_URL_BAD_PORT),
        BAD("ws://h:8:9", WSP_URL_BAD_PORT),
        BAD("ws://h: 80", WSP_URL_BAD_PORT),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

START_TEST(paths)
{
    static const struct row rows[] = {
        GOOD("ws://h/a/./b", "ws://h/a/b"),
        GOOD("ws://h/a/../b", "ws://h/b"),
        GOOD("ws://h/a/b/..", "ws://h/a/"),
        GOOD("ws://h/a/b/.", "ws://h/a/b/"),
        GOOD("ws://h/..", "ws://h/"),
        GOOD("ws://h/../../x/../..", "ws://h/"),
        GOOD("ws://h/.", "ws://h/"),
        GOOD("ws://h/%2e/a/%2E%2e/b/.%2e/%2e.", "ws://h/"),
        GOOD("ws://h/a/%2e%2", "ws://h/a/%2e%2"),
        GOOD("ws://h/...", "ws://h/..."),
        GOOD("ws://h/a//../b", "ws://h/a/b"),
        GOOD("ws://h//", "ws://h//"),
        GOOD("ws://h\\a\\..\\b", "ws://h/b"),
        GOOD("ws://h/a%2Fb%5c", "ws://h/a%2Fb%5c"),
        GOOD("ws://h/\"<>`{}^|~'", "ws://h/%22%3C%3E%60%7B%7D%5E|~'"),
        GOOD("ws://h/\xE2\x82\xAC", "ws://h/%E2%82%AC"),
        GOOD("ws://h/a:b@c;d=e", "ws://h/a:b@c;d=e"),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

START_TEST(queries_and_fragments)
{
    static const struct row rows[] = {
        GOOD("ws://h?", "ws://h/?"),
        GOOD("ws://h?a=b&c='d'", "ws://h/?a=b&c=%27d%27"),
        GOOD("ws://h/?a?b/c\\d/../e", "ws://h/?a?b/c\\d/../e"),
        GOOD("ws://h/?\"<>`{}|^ ", "ws://h/?%22%3C%3E`{}|^"),
        GOOD("ws://h/?\xE2\x82\xAC%zz", "ws://h/?%E2%82%AC%zz"),
        GOOD("ws://h/#", "ws://h/#"),
        GOOD("ws://h#a b`\"<>'#?", "ws://h/#a%20b%60%22%3C%3E'#?"),
        GOOD("ws://h/?q#f?g", "ws://h/?q#f?g"),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

/* The states "relative", "relative slash" and "special relative or authority". */
START_TEST(relative_input)
{
    static const struct row rows[] = {
        GOOD_WITH("x", "ws://u:p@h:81/a/b?q#f", "ws://u:p@h:81/a/x"),
        GOOD_WITH("x", "wss://h", "wss://h/x"),
        GOOD_WITH("x/y", "ws://h/a/", "ws://h/a/x/y"),
        GOOD_WITH("../x", "ws://h/a/b/c", "ws://h/a/x"),
        GOOD_WITH("../../../x", "ws://h/a/b/c", "ws://h/x"),
        GOOD_WITH(".", "ws://h/a/b", "ws://h/a/"),
        GOOD_WITH("/x", "ws://u@[::1]:81/a/b?q", "ws://u@[::1]:81/x"),
        GOOD_WITH("\\x", "ws://h/a/b", "ws://h/x"),
        GOOD_WITH("//i/x", "ws://u@h:81/a", "ws://i/x"),
        GOOD_WITH("/\\i", "ws://h/a", "ws://i/"),
        GOOD_WITH("?r", "ws://h/a/b?q#f", "ws://h/a/b?r"),
        GOOD_WITH("#g", "ws://h/a/b?q#f", "ws://h/a/b?q#g"),
        GOOD_WITH("#g", "ws://h/a/b?", "ws://h/a/b?#g"),
        GOOD_WITH("", "ws://h/a/b?q#f", "ws://h/a/b?q"),
        BAD_WITH("x:y", "ws://h/", WSP_URL_BAD_SCHEME),
        GOOD_WITH("./x:y", "ws://h/", "ws://h/x:y"),
        GOOD_WITH("ws:x", "ws://h/a/b", "ws://h/a/x"),
        GOOD_WITH("ws:/x", "ws://h/a/b", "ws://h/x"),
        GOOD_WITH("ws://x", "ws://h/a/b", "ws://x/"),
        GOOD_WITH("ws:", "ws://h/a/b?q", "ws://h/a/b?q"),
        GOOD_WITH("wss:x", "ws://h/a/b", "wss://x/"),
        GOOD_WITH("http:x", "ws://h/a/b", "http://x/"),
        GOOD_WITH("http:x", "http://h/a/b", "http://h/a/x"),
        BAD_WITH("//", "ws://h/", WSP_URL_NO_HOST),
        BAD_WITH("//a b", "ws://h/", WSP_URL_BAD_HOST),
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

/* --- the WebSocket constructor --- */

START_TEST(websocket_urls)
{
    static const struct row rows[] = {
        GOOD("ws://h/p?q", "ws://h/p?q"),
        GOOD("wss://h", "wss://h/"),
        GOOD("http://h:80/p", "ws://h/p"),
        GOOD("https://h:443/p", "wss://h/p"),
        GOOD("https://h:80/p", "wss://h:80/p"),
        BAD("ftp://h", WSP_URL_BAD_SCHEME),
        BAD("ws://h#f", WSP_URL_FRAGMENT),
        BAD("ws://h#", WSP_URL_FRAGMENT),
        BAD("http://h/#f", WSP_URL_FRAGMENT),
        BAD("ws://h:x#f", WSP_URL_BAD_PORT),
        BAD("feed", WSP_URL_RELATIVE),
        GOOD_WITH("feed", "https://h/app/#top", "wss://h/app/feed"),
        GOOD_WITH("/feed", "http://h:8080/app", "ws://h:8080/feed"),
        GOOD_WITH("//i", "http://h", "ws://i/"),
    };

    for (size_t i = 0; i < N_OF(rows); i++) {
        struct wsp_url base = {0};
        struct wsp_url url;
        const char *input = rows[i].input;
        const char *base_text = rows[i].base;
        int r;

        if (base_text != NULL)
            ck_assert_int_eq(parse(&base, base_text, NULL), 0);
        r = wsp_url_parse_websocket(&url, input, strlen(input), base_text == NULL ? NULL : &base,
                                    NULL);
        wsp_url_deinit(&base);
        ck_assert_msg(r == rows[i].problem, "%s: %d", input, r);
        if (r != 0)
            continue;
        ck_assert_str_eq(url.href, rows[i].href);
        ck_assert(url.scheme == (url.is_secure ? WSP_SCHEME_WSS : WSP_SCHEME_WS));
        url_assert_consistent(&url);
        wsp_url_deinit(&url);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("url_standard");
    TCase *tcase = unit_case(suite, "parser");

    tcase_add_test(tcase, blanks_and_newlines);
    tcase_add_test(tcase, schemes);
    tcase_add_test(tcase, slashes_before_the_host);
    tcase_add_test(tcase, credentials);
    tcase_add_test(tcase, domains);
    tcase_add_test(tcase, ipv4_addresses);
    tcase_add_test(tcase, ipv6_addresses);
    tcase_add_test(tcase, ports);
    tcase_add_test(tcase, paths);
    tcase_add_test(tcase, queries_and_fragments);
    tcase_add_test(tcase, relative_input);
    tcase_add_test(tcase, websocket_urls);
    return suite;
}

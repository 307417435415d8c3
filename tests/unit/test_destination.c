/*
 * test_destination: where upstreams may go: whose addresses are, what rules say, and what is no rule.
 *
 * Invariant: every row of the tables is asked for itself; no address is public because a table forgot it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/destination.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/address_area.h"
#include "daemon/network.h"
#include "proto/local/errors.h"
#include "tests/harness/allocation.h"
#include "tests/harness/strings_of.h"
#include "tests/harness/unit.h"

static struct network address_of(const char *text)
{
    struct network address;

    ck_assert_msg(network_parse(wsp_view_of_string(text), &address), "%s is no address", text);
    return address;
}

/* ---- networks ---- */

static const struct {
    const char *network, *address;
    bool has;
} networks[] = {
    {"192.0.2.0/24", "192.0.2.0", true},
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.0/25", "192.0.2.127", true},
    {"192.0.2.0/25", "192.0.2.128", false},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"0.0.0.0/0", "255.255.255.255", true},
    {"0.0.0.0/0", "::1", false},
    {"::/0", "127.0.0.1", false},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"[2001:db8::]/32", "2001:db8:1::", true},
    {"[2001:db8::/32]", "2001:db9::", false},
};

START_TEST(a_network_has_its_addresses)
{
    struct network network = address_of(networks[_i].network);
    struct network address = address_of(networks[_i].address);

    ck_assert(network_has(&network, network_address(&address)) == networks[_i].has);
}
END_TEST

static const char *const no_networks[] = {
    "",
    "1.2.3",
    "1.2.3.4/33",
    "1.2.3.4/",
    "1.2.3.4/-1",
    "/8",
    "1.2.3.4/8/8",
    "1.2.3.4/08a",
    "::/129",
    "fe80::1%eth0",
    "[::1",
    "::1]",
    "[]",
    "[1.2.3.4]/8x",
    "1.2.3.04.5",
    "example",
    "1.2.3.4 ",
    "0x7f.1",
    "127.1",
    "[[::1]]/8/",
    "1::2::3",
    "12345::",
    "1.2.3.4.5",
    "256.1.1.1",
    "::1.2.3",
    "99999/999",
    "1.2.3.4/99999",
    "1111111111111111111111111111111111111111111111111111111111111",
};

START_TEST(what_is_no_network)
{
    struct network network;

    ck_assert_msg(!network_parse(wsp_view_of_string(no_networks[_i]), &network), "%s",
                  no_networks[_i]);
}
END_TEST

/* ---- whose an address is ---- */

static const struct {
    const char *address;
    enum address_area area;
} areas[] = {
    /* the edges of each block, and what stands beside them */
    {"1.0.0.0", ADDRESS_PUBLIC},
    {"1.1.1.1", ADDRESS_PUBLIC},
    {"0.0.0.0", ADDRESS_LOOPBACK},
    {"0.0.0.1", ADDRESS_OTHER},
    {"0.255.255.255", ADDRESS_OTHER},
    {"9.255.255.255", ADDRESS_PUBLIC},
    {"10.0.0.0", ADDRESS_PRIVATE},
    {"10.255.255.255", ADDRESS_PRIVATE},
    {"11.0.0.0", ADDRESS_PUBLIC},
    {"100.63.255.255", ADDRESS_PUBLIC},
    {"100.64.0.0", ADDRESS_PRIVATE},
    {"100.127.255.255", ADDRESS_PRIVATE},
    {"100.128.0.0", ADDRESS_PUBLIC},
    {"126.255.255.255", ADDRESS_PUBLIC},
    {"127.0.0.1", ADDRESS_LOOPBACK},
    {"127.255.255.255", ADDRESS_LOOPBACK},
    {"128.0.0.0", ADDRESS_PUBLIC},
    {"169.253.255.255", ADDRESS_PUBLIC},
    {"169.254.169.254", ADDRESS_LINK_LOCAL},
    {"169.255.0.0", ADDRESS_PUBLIC},
    {"172.15.255.255", ADDRESS_PUBLIC},
    {"172.16.0.0", ADDRESS_PRIVATE},
    {"172.31.255.255", ADDRESS_PRIVATE},
    {"172.32.0.0", ADDRESS_PUBLIC},
    {"192.0.0.0", ADDRESS_OTHER},
    {"192.0.0.8", ADDRESS_OTHER},
    {"192.0.0.9", ADDRESS_PUBLIC},
    {"192.0.0.10", ADDRESS_PUBLIC},
    {"192.0.0.170", ADDRESS_OTHER},
    {"192.0.1.0", ADDRESS_PUBLIC},
    {"192.0.2.1", ADDRESS_OTHER},
    {"192.31.196.1", ADDRESS_PUBLIC},
    {"192.88.99.1", ADDRESS_OTHER},
    {"192.167.255.255", ADDRESS_PUBLIC},
    {"192.168.0.0", ADDRESS_PRIVATE},
    {"192.168.255.255", ADDRESS_PRIVATE},
    {"192.169.0.0", ADDRESS_PUBLIC},
    {"198.17.255.255", ADDRESS_PUBLIC},
    {"198.18.0.0", ADDRESS_OTHER},
    {"198.19.255.255", ADDRESS_OTHER},
    {"198.20.0.0", ADDRESS_PUBLIC},
    {"198.51.100.1", ADDRESS_OTHER},
    {"203.0.113.1", ADDRESS_OTHER},
    {"223.255.255.255", ADDRESS_PUBLIC},
    {"224.0.0.1", ADDRESS_OTHER},
    {"239.255.255.255", ADDRESS_OTHER},
    {"240.0.0.1", ADDRESS_OTHER},
    {"255.255.255.255", ADDRESS_OTHER},
    {"::", ADDRESS_LOOPBACK},
    {"::1", ADDRESS_LOOPBACK},
    {"::2", ADDRESS_OTHER},
    {"::8.8.8.8", ADDRESS_OTHER},
    {"100::1", ADDRESS_OTHER},
    {"1fff:ffff::", ADDRESS_OTHER},
    {"2000::1", ADDRESS_PUBLIC},
    {"2001::1", ADDRESS_OTHER},
    {"2001:1::1", ADDRESS_PUBLIC},
    {"2001:1::2", ADDRESS_PUBLIC},
    {"2001:1::3", ADDRESS_PUBLIC},
    {"2001:1::4", ADDRESS_OTHER},
    {"2001:2::1", ADDRESS_OTHER},
    {"2001:3::1", ADDRESS_PUBLIC},
    {"2001:4:112::1", ADDRESS_PUBLIC},
    {"2001:10::1", ADDRESS_OTHER},
    {"2001:20::1", ADDRESS_PUBLIC},
    {"2001:30::1", ADDRESS_PUBLIC},
    {"2001:200::1", ADDRESS_PUBLIC},
    {"2001:db8::1", ADDRESS_OTHER},
    {"2001:db9::1", ADDRESS_PUBLIC},
    {"2606:4700:4700::1111", ADDRESS_PUBLIC},
    {"2620:4f:8000::1", ADDRESS_PUBLIC},
    {"3fff::1", ADDRESS_OTHER},
    {"3fff:fff:ffff::1", ADDRESS_OTHER},
    {"4000::1", ADDRESS_OTHER},
    {"5f00::1", ADDRESS_OTHER},
    {"fbff::1", ADDRESS_OTHER},
    {"fc00::1", ADDRESS_PRIVATE},
    {"fdff:ffff::1", ADDRESS_PRIVATE},
    {"fe00::1", ADDRESS_OTHER},
    {"fe80::1", ADDRESS_LINK_LOCAL},
    {"febf:ffff::1", ADDRESS_LINK_LOCAL},
    {"fec0::1", ADDRESS_PRIVATE},
    {"ff02::1", ADDRESS_OTHER},
    /* an IPv4 address in another dress */
    {"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
    {"::ffff:0.0.0.0", ADDRESS_LOOPBACK},
    {"::ffff:10.0.0.1", ADDRESS_PRIVATE},
    {"::ffff:169.254.169.254", ADDRESS_LINK_LOCAL},
    {"::ffff:8.8.8.8", ADDRESS_PUBLIC},
    {"64:ff9b::8.8.8.8", ADDRESS_PUBLIC},
    {"64:ff9b::127.0.0.1", ADDRESS_LOOPBACK},
    {"64:ff9b::192.168.0.1", ADDRESS_PRIVATE},
    {"64:ff9b::192.0.2.1", ADDRESS_OTHER},
    {"64:ff9b::1:8.8.8.8", ADDRESS_OTHER},
    {"64:ff9b:1::8.8.8.8", ADDRESS_OTHER},
    {"2002:0808:0808::1", ADDRESS_OTHER},
    {"2002:7f00:0001::1", ADDRESS_OTHER},
};

START_TEST(whose_an_address_is)
{
    struct network address = address_of(areas[_i].address);

    ck_assert_msg(address_area(network_address(&address)) == areas[_i].area, "%s",
                  areas[_i].address);
}
END_TEST

/* ---- rules ---- */

static struct destination *rules_of(const char *allow, const char *deny, const char *fallback)
{
    struct strings allowed = strings_of(allow), denied = strings_of(deny);
    struct destination *destination = NULL;

    ck_assert_int_eq(destination_new(&allowed, &denied, fallback, NULL, &destination), 0);
    strings_deinit(&allowed);
    strings_deinit(&denied);
    return destination;
}

/* What is asked before anything is resolved, and then of an address; NULL: the host is one. */
static const struct {
    const char *allow, *deny, *url, *address;
    bool has_url, has_address;
} questions[] = {
    /* a machine's default */
    {"", "", "ws://feed.example/", "8.8.8.8", true, true},
    {"", "", "ws://feed.example/", "127.0.0.1", true, false},
    {"", "", "ws://feed.example/", "::ffff:127.0.0.1", true, false},
    {"", "", "ws://feed.example/", "::ffff:8.8.8.8", true, true},
    {"", "", "ws://feed.example/", "0.0.0.0", true, false},
    {"", "", "ws://feed.example/", "::", true, false},
    {"", "", "ws://feed.example/", "::1", true, false},
    {"", "", "ws://feed.example/", "169.254.169.254", true, false},
    {"", "", "ws://feed.example/", "fe80::1", true, false},
    {"", "", "ws://feed.example/", "64:ff9b::10.0.0.1", true, false},
    {"", "", "ws://localhost/", "127.0.0.1", true, false},
    {"", "", "ws://8.8.8.8/", NULL, true, true},
    {"", "", "ws://127.0.0.1/", NULL, false, false},
    {"", "", "ws://2130706433/", NULL, false, false},
    {"", "", "ws://0x7f.1/", NULL, false, false},
    {"", "", "ws://0/", NULL, false, false},
    {"", "", "ws://[::1]/", NULL, false, false},
    {"", "", "ws://[::ffff:127.0.0.1]/", NULL, false, false},
    {"", "", "ws://[::ffff:7f00:1]/", NULL, false, false},
    {"", "", "ws://[::]/", NULL, false, false},
    {"", "", "ws://[2606:4700:4700::1111]/", NULL, true, true},
    /* all, and the words */
    {"*", "", "ws://127.0.0.1/", NULL, true, true},
    {"*", "", "ws://x/", "10.0.0.1", true, true},
    {"loopback", "", "ws://x/", "127.0.0.1", true, true},
    {"loopback", "", "ws://x/", "::", true, true},
    {"loopback", "", "ws://x/", "8.8.8.8", true, false},
    {"private", "", "ws://x/", "192.168.1.1", true, true},
    {"private", "", "ws://x/", "fd00::1", true, true},
    {"private", "", "ws://x/", "127.0.0.1", true, false},
    {"link-local", "", "ws://x/", "fe80::1", true, true},
    {"public;private", "", "ws://x/", "10.1.1.1", true, true},
    /* a host, and what its name server makes of it */
    {"feed.example", "", "ws://feed.example/", "8.8.8.8", true, true},
    {"feed.example", "", "ws://feed.example./", "8.8.8.8", true, true},
    {"FEED.example.", "", "ws://Feed.Example/", "8.8.8.8", true, true},
    {"feed.example", "", "ws://feed.example/", "127.0.0.1", true, false},
    {"feed.example", "", "ws://feed.example/", "10.0.0.1", true, false},
    {"feed.example *", "", "ws://feed.example/", "10.0.0.1", true, true},
    {"feed.example 10.0.0.0/8", "", "ws://feed.example/", "10.0.0.1", true, true},
    {"10.0.0.0/8 feed.example", "", "ws://feed.example/", "10.0.0.1", true, true},
    {"feed.example 10.0.0.0/8", "", "ws://feed.example/", "11.0.0.1", true, false},
    {"feed.example 10.0.0.0/8", "", "ws://other.example/", "10.0.0.1", false, false},
    {"feed.example", "", "ws://a.feed.example/", "8.8.8.8", false, false},
    {"feed.example", "", "ws://xfeed.example/", "8.8.8.8", false, false},
    {"feed.example", "", "ws://8.8.8.8/", NULL, false, false},
    {"*.feed.example", "", "ws://a.feed.example/", "8.8.8.8", true, true},
    {"*.feed.example", "", "ws://a.b.feed.example./", "8.8.8.8", true, true},
    {"*.feed.example", "", "ws://feed.example/", "8.8.8.8", false, false},
    {"*.feed.example", "", "ws://xfeed.example/", "8.8.8.8", false, false},
    {"localhost", "", "ws://localhost/", "127.0.0.1", true, true},
    {"localhost", "", "ws://localhost/", "8.8.8.8", true, false},
    {"*.localhost", "", "ws://app.localhost/", "::1", true, true},
    /* ports */
    {"public:443", "", "wss://x/", "8.8.8.8", true, true},
    {"public:443", "", "ws://x/", "8.8.8.8", false, false},
    {"public:8000-8100", "", "ws://x:8000/", "8.8.8.8", true, true},
    {"public:8000-8100", "", "ws://x:8100/", "8.8.8.8", true, true},
    {"public:8000-8100", "", "ws://x:8101/", "8.8.8.8", false, false},
    {":443", "", "wss://x/", "8.8.8.8", true, true},
    {":443", "", "wss://x/", "10.0.0.1", true, false},
    {"feed.example 10.0.0.0/8:81", "", "ws://feed.example:81/", "10.0.0.1", true, true},
    {"feed.example 10.0.0.0/8:81", "", "ws://feed.example:82/", "10.0.0.1", false, false},
    {"[2001:db8::/32]:443", "", "wss://[2001:db8::7]/", NULL, true, true},
    {"[2001:db8::/32]:443", "", "ws://[2001:db8::7]/", NULL, false, false},
    {"[2001:db8::1]", "", "ws://[2001:db8::1]/", NULL, true, true},
    {"[2001:db8::1]", "", "ws://[2001:db8::2]/", NULL, false, false},
    /* deny goes before allow */
    {"*", "10.0.0.0/8", "ws://x/", "10.0.0.1", true, false},
    {"*", "10.0.0.0/8", "ws://x/", "::ffff:10.0.0.1", true, false},
    {"*", "10.0.0.0/8", "ws://x/", "64:ff9b::10.0.0.1", true, false},
    {"*", "10.0.0.0/8", "ws://x/", "64:ff9b:1::10.0.0.1", true, false},
    {"*", "10.0.0.0/8", "ws://x/", "2002:0a00:0001::1", true, false},
    {"*", "10.0.0.0/8", "ws://x/", "::10.0.0.1", true, false},
    {"*", "10.0.0.0/8", "ws://x/", "11.0.0.1", true, true},
    {"*", "127.0.0.0/8", "ws://x/", "0.0.0.0", true, false},
    {"*", "loopback", "ws://x/", "::", true, false},
    {"*", "loopback", "ws://x/", "::ffff:0.0.0.0", true, false},
    {"*", "loopback", "ws://x/", "2002:7f00:0001::", true, false},
    {"*", "[::1]", "ws://x/", "::", true, false},
    {"*", "public", "ws://x/", "8.8.8.8", true, false},
    {"*", "feed.example", "ws://feed.example./", "8.8.8.8", false, false},
    {"*", "*.example", "ws://a.example/", "8.8.8.8", false, false},
    {"*", "*.example 10.0.0.0/8", "ws://a.example/", "10.0.0.1", true, false},
    {"*", "*.example 10.0.0.0/8", "ws://a.example/", "8.8.8.8", true, true},
    {"*", ":25", "ws://x:25/", "8.8.8.8", false, false},
    {"*", ":25", "ws://127.0.0.1:25/", NULL, false, false},
    {"*", ":25", "ws://x:26/", "8.8.8.8", true, true},
    {"*", "*", "ws://x/", "8.8.8.8", false, false},
    {"feed.example", "public", "ws://feed.example/", "8.8.8.8", true, false},
    /* no rule of theirs */
    {"public", "*", "ws+unix:/run/x.sock", NULL, true, false},
};

START_TEST(what_rules_say)
{
    struct destination *rules =
        rules_of(questions[_i].allow, questions[_i].deny, DESTINATION_PUBLIC);
    const char *text = questions[_i].url;
    struct network address;
    struct wsp_url url;

    ck_assert_int_eq(wsp_url_parse_websocket(&url, text, strlen(text), NULL, NULL), 0);
    ck_assert_msg(destination_has_url(rules, &url) == questions[_i].has_url, "%s, %s", text,
                  questions[_i].allow);
    if (questions[_i].address || url.host_kind != WSP_HOST_DOMAIN) {
        address = address_of(questions[_i].address ? questions[_i].address : url.hostname);
        ck_assert_msg(destination_has_address(rules, &url, network_address(&address)) ==
                          questions[_i].has_address,
                      "%s at %s, %s", text, questions[_i].address, questions[_i].allow);
        ck_assert(destination_has_address(NULL, &url, network_address(&address)));
    }
    ck_assert(destination_has_url(NULL, &url));
    wsp_url_deinit(&url);
    destination_unref(rules);
}
END_TEST

/* Where the first answer is no, there is no address for which the second would be yes. */
START_TEST(what_is_refused_before_it_is_resolved_is_refused_after)
{
    static const char *const addresses[] = {"8.8.8.8", "127.0.0.1", "10.0.0.1", "::1",
                                            "fe80::1", "2000::1",   "192.0.2.1"};

    for (size_t i = 0; i < N_OF(questions); i++) {
        struct destination *rules =
            rules_of(questions[i].allow, questions[i].deny, DESTINATION_PUBLIC);
        struct wsp_url url;

        ck_assert_int_eq(
            wsp_url_parse_websocket(&url, questions[i].url, strlen(questions[i].url), NULL, NULL),
            0);
        for (size_t j = 0; j < N_OF(addresses); j++) {
            struct network address = address_of(addresses[j]);

            if (url.host_kind == WSP_HOST_DOMAIN && !destination_has_url(rules, &url))
                ck_assert_msg(!destination_has_address(rules, &url, network_address(&address)),
                              "%s at %s", questions[i].url, addresses[j]);
        }
        wsp_url_deinit(&url);
        destination_unref(rules);
    }
}
END_TEST

static const struct {
    const char *allow, *deny, *address;
    bool has;
} proxies[] = {
    {"", "", "10.0.0.1", true}, /* the administrator has named it */
    {"", "10.0.0.0/8", "10.0.0.1", false},
    {"public", "", "10.0.0.1", false},
    {"public;10.0.0.0/8:3128", "", "10.0.0.1", true},
    {"public;10.0.0.0/8:3129", "", "10.0.0.1", false},
};

START_TEST(the_address_of_a_proxy)
{
    struct destination *rules = rules_of(proxies[_i].allow, proxies[_i].deny, DESTINATION_PUBLIC);
    struct network address = address_of(proxies[_i].address);
    struct wsp_url url;

    ck_assert_int_eq(wsp_url_parse_websocket(&url, "http://proxy:3128", 17, NULL, NULL), 0);
    ck_assert(destination_has_proxy(rules, &url, network_address(&address)) == proxies[_i].has);
    ck_assert(destination_has_proxy(NULL, &url, network_address(&address)));
    wsp_url_deinit(&url);
    destination_unref(rules);
}
END_TEST

/* ---- what is no rule ---- */

static const struct {
    const char *rule, *flaw;
} flawed[] = {
    {"", "empty"},
    {"   ", "empty"},
    {"a b", "a rule is"},
    {"10.0.0.1 10.0.0.2", "a rule is"},
    {"public private", "a rule is"},
    {"a public b", "a rule is"},
    {"*.*.example", "a rule is"},
    {"*example", "a rule is"},
    {"a.*", "a rule is"},
    {"*.", "a rule is"},
    {".example", "a rule is"},
    {"a..b", "a rule is"},
    {"a/8", "a rule is"},
    {"10.0.0.0/33", "a rule is"},
    {"10.0.0", "a rule is"},
    {"host.7", "a rule is"},
    {"b\xc3\xbc"
     "cher.example",
     "a rule is"},
    {"ws://x/", "port"},
    {"fe80::1%eth0", "brackets"},
    {"::1", "brackets"},
    {"2001:db8::1:443", "brackets"},
    {"[::1", "a rule is"},
    {"[::1%lo]", "a rule is"},
    {"[x]", "a rule is"},
    {"x:", "port"},
    {"x:0", "port"},
    {"x:65536", "port"},
    {"x:http", "port"},
    {"x:2-1", "port"},
    {"x:1-", "port"},
    {"x:-1", "port"},
    {"x:1-2-3", "port"},
    {"x:443 public", "the port stands at the end"},
    {"x:443 public:444", "the port stands at the end"},
    {":443 :444", "the port stands at the end"},
};

START_TEST(what_is_no_rule)
{
    const char *flaw = destination_flaw(wsp_view_of_string(flawed[_i].rule));

    ck_assert_msg(flaw != NULL, "\"%s\" was taken for a rule", flawed[_i].rule);
    ck_assert_msg(strstr(flaw, flawed[_i].flaw) != NULL, "\"%s\": %s", flawed[_i].rule, flaw);
}
END_TEST

/* Whatever the bytes: an answer, within them. */
START_TEST(any_bytes_get_an_answer)
{
    static const char bytes[] = "ax1.:-/*[] \xff";
    uint8_t text[5];

    for (unsigned n = 0; n < 12 * 12 * 12 * 12 * 12; n++) {
        unsigned rest = n;

        for (size_t i = 0; i < sizeof(text); i++, rest /= 12)
            text[i] = (uint8_t)bytes[rest % 12];
        (void)destination_flaw((struct wsp_view){text, sizeof(text)});
    }
}
END_TEST

START_TEST(the_failure_tells_no_address)
{
    struct destination *rules = rules_of("", "", DESTINATION_PUBLIC);
    struct destination *given = rules_of("public", "", DESTINATION_PUBLIC);
    struct failure failure;
    struct wsp_url url;

    ck_assert_int_eq(wsp_url_parse_websocket(&url, "ws://h.example/a?b", 18, NULL, NULL), 0);
    destination_fail(rules, &url, &failure);
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_DESTINATION);
    ck_assert_str_eq(
        failure.text,
        "h.example, port 80: the daemon's rules let nobody connect there; by default, the "
        "URLs of programs lead to public addresses only (allow in wsplexd.conf(5))");
    destination_fail(given, &url, &failure);
    ck_assert_str_eq(failure.text,
                     "h.example, port 80: the daemon's rules let nobody connect there");
    wsp_url_deinit(&url);
    destination_unref(rules);
    destination_unref(given);
}
END_TEST

/* Who opens one does not see its URL; whose rules they are it may know, and the administrator has to. */
START_TEST(an_endpoint_is_named_and_its_url_is_not)
{
    struct strings allow = strings_of("public"), deny = {0};
    struct destination *destination;
    struct failure failure;
    struct wsp_url url;

    ck_assert_int_eq(destination_new(&allow, &deny, NULL, "feed", &destination), 0);
    ck_assert_int_eq(wsp_url_parse_websocket(&url, "ws://h.example/a?b", 18, NULL, NULL), 0);
    destination_fail(destination, &url, &failure);
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_DESTINATION);
    ck_assert_str_eq(failure.text, "the rules of the endpoint feed, its own allow and deny, do not "
                                   "let its URL lead where it leads");
    wsp_url_deinit(&url);
    destination_unref(destination);
    strings_deinit(&allow);
}
END_TEST

START_TEST(every_failing_allocation)
{
    struct strings allow = strings_of("public;*.example:443;10.0.0.0/8"),
                   deny = strings_of("a.example");
    struct destination *destination = NULL;

    bool has_failed = true;

    for (size_t n = 0; has_failed; n++) {
        int r;

        allocation_fail_after(n);
        r = destination_new(&allow, &deny, NULL, "feed", &destination);
        has_failed = allocation_disarm();
        ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
        if (r < 0)
            continue;
        ck_assert_str_eq(destination_text(destination),
                         "\nallow public\nallow *.example:443\nallow 10.0.0.0/8\ndeny a.example");
        ck_assert_ptr_eq(destination_ref(destination), destination);
        ck_assert_ptr_null(destination_unref(destination));
        ck_assert_ptr_null(destination_unref(destination));
    }
    strings_deinit(&allow);
    strings_deinit(&deny);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("destination");
    TCase *networks_case = unit_case(suite, "networks");
    TCase *rules_case = unit_case(suite, "rules");

    tcase_add_loop_test(networks_case, a_network_has_its_addresses, 0, N_OF(networks));
    tcase_add_loop_test(networks_case, what_is_no_network, 0, N_OF(no_networks));
    tcase_add_loop_test(networks_case, whose_an_address_is, 0, N_OF(areas));
    tcase_add_loop_test(rules_case, what_rules_say, 0, N_OF(questions));
    tcase_add_test(rules_case, what_is_refused_before_it_is_resolved_is_refused_after);
    tcase_add_loop_test(rules_case, the_address_of_a_proxy, 0, N_OF(proxies));
    tcase_add_loop_test(rules_case, what_is_no_rule, 0, N_OF(flawed));
    tcase_add_test(rules_case, any_bytes_get_an_answer);
    tcase_add_test(rules_case, the_failure_tells_no_address);
    tcase_add_test(rules_case, an_endpoint_is_named_and_its_url_is_not);
    tcase_add_test(rules_case, every_failing_allocation);
    return suite;
}

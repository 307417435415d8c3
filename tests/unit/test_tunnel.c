/*
 * test_tunnel: what is said to a proxy and what it answers, HTTP's CONNECT and SOCKS5, clause by
 * clause.
 *
 * A row is who asks, what comes, and what is made of it: "open" and what follows the answer, "+" for
 * "more", or "!", the status or reply code, and the problem. Every row is run whole, byte by byte and
 * cut in two at each byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/limits.h"
#include "proto/websocket/tunnel.h"
#include "tests/harness/allocation.h"
#include "tests/harness/pieces.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BYTES(literal) literal, sizeof(literal) - 1
#define VIEW(literal)  WSP_VIEW_LITERAL(literal)

static struct wsp_tunnel_asked http(bool has_credentials)
{
    return (struct wsp_tunnel_asked){
        .kind = WSP_TUNNEL_HTTP,
        .host = VIEW("feed.example"),
        .port = 443,
        .has_credentials = has_credentials,
        .username = VIEW("Aladdin"),
        .password = VIEW("open sesame"),
        .user_agent = VIEW("wsplex/1"),
    };
}

static struct wsp_tunnel_asked socks(bool has_credentials)
{
    struct wsp_tunnel_asked asked = http(has_credentials);

    asked.kind = WSP_TUNNEL_SOCKS5;
    return asked;
}

/* Writes what is due, a few bytes at a time. */
static void take_output(struct wsp_tunnel *tunnel, struct wsp_buffer *said)
{
    struct wsp_view output;

    while ((output = wsp_tunnel_output(tunnel)).len > 0) {
        size_t n = output.len > 7 ? 7 : output.len;

        ck_assert_int_eq(wsp_buffer_append(said, output.data, n), 0);
        wsp_tunnel_written(tunnel, n);
    }
}

/* What was said goes to said, what came of it to text. */
static void converse(const struct wsp_tunnel_asked *asked, const char *bytes, size_t len,
                     size_t cut, struct wsp_buffer *said, char *text)
{
    struct wsp_tunnel tunnel;
    struct pieces pieces;
    struct wsp_view piece;
    int r = WSP_MORE;

    ck_assert_int_eq(wsp_tunnel_init(&tunnel, asked), 0);
    take_output(&tunnel, said);
    pieces_init(&pieces, bytes, len, cut);
    while (r == WSP_MORE && pieces_next(&pieces, &piece)) {
        wsp_tunnel_feed(&tunnel, piece);
        r = wsp_tunnel_next(&tunnel);
        ck_assert_int_eq(wsp_tunnel_next(&tunnel), r);
        take_output(&tunnel, said);
    }
    if (r == 0) {
        strcpy(text, "open ");
        strncat(text, (const char *)wsp_tunnel_rest(&tunnel).data, wsp_tunnel_rest(&tunnel).len);
        while (pieces_next(&pieces, &piece))
            strncat(text, (const char *)piece.data, piece.len);
    } else if (r == WSP_BROKEN) {
        sprintf(text, "!%u %s%s", wsp_tunnel_answer(&tunnel), wsp_tunnel_problem(&tunnel),
                wsp_tunnel_is_about_address(&tunnel) ? " (address)" : "");
    } else {
        ck_assert_int_eq(r, WSP_MORE);
        strcpy(text, "+");
    }
    pieces_deinit(&pieces);
    wsp_tunnel_deinit(&tunnel);
}

static void assert_conversation(const struct wsp_tunnel_asked *asked, const char *bytes, size_t len,
                                const char *said, size_t said_len, const char *expected)
{
    char text[512];

    for (size_t cut = 0; cut < pieces_n_cuts(len); cut++) {
        struct wsp_buffer all;

        wsp_buffer_init(&all, SIZE_MAX);
        converse(asked, bytes, len, cut, &all, text);
        ck_assert_msg(strcmp(text, expected) == 0, "cut %zu: %s, not %s", cut, text, expected);
        if (said != NULL)
            unit_assert_bytes(wsp_buffer_peek(&all), wsp_buffer_len(&all), said, said_len);
        wsp_buffer_deinit(&all);
    }
}

/* --- HTTP --- */

static void assert_asks(const struct wsp_tunnel_asked *asked, const char *said, size_t said_len)
{
    assert_conversation(asked, BYTES("HTTP/1.1 200 OK\r\n\r\n"), said, said_len, "open ");
}

START_TEST(connect_names_host_and_port)
{
    struct wsp_tunnel_asked asked = http(false);

    assert_asks(&asked, BYTES("CONNECT feed.example:443 HTTP/1.1\r\nHost: feed.example:443\r\n"
                              "User-Agent: wsplex/1\r\n\r\n"));
    asked.user_agent.len = 0;
    asked.host = VIEW("[2001:db8::1]");
    asked.port = 65535;
    assert_asks(&asked, BYTES("CONNECT [2001:db8::1]:65535 HTTP/1.1\r\n"
                              "Host: [2001:db8::1]:65535\r\n\r\n"));
}
END_TEST

/* RFC 7617, section 2: its example, and the empty halves. */
START_TEST(connect_carries_credentials)
{
    struct wsp_tunnel_asked asked = http(true);

    asked.user_agent.len = 0;
    assert_asks(&asked, BYTES("CONNECT feed.example:443 HTTP/1.1\r\nHost: feed.example:443\r\n"
                              "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"));
    asked.password.len = 0;
    assert_asks(&asked, BYTES("CONNECT feed.example:443 HTTP/1.1\r\nHost: feed.example:443\r\n"
                              "Proxy-Authorization: Basic QWxhZGRpbjo=\r\n\r\n"));
    asked.username.len = 0;
    assert_asks(&asked, BYTES("CONNECT feed.example:443 HTTP/1.1\r\nHost: feed.example:443\r\n"
                              "Proxy-Authorization: Basic Og==\r\n\r\n"));
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
    const char *text;
} http_answers[] = {
    /* any 2xx is a tunnel (RFC 9110, section 9.3.6), and what follows its head is the tunnel's */
    {BYTES("HTTP/1.1 200 Connection established\r\n\r\n"), "open "},
    {BYTES("HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n"), "open "},
    {BYTES("HTTP/1.1 204 x\r\n\r\n"), "open "},
    {BYTES("HTTP/1.1 299\r\n\r\n"), "open "},
    {BYTES("HTTP/1.1 200 OK\r\n\r\nserver first"), "open server first"},
    {BYTES("HTTP/1.1 200 OK\r\n\r\n\r\n"), "open \r\n"},
    /* length and coding of a body that is not there */
    {BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), "open hello"},
    {BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"), "open 5\r\n"},
    /* interim answers */
    {BYTES(
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx"),
     "open x"},
    {BYTES("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 407 x\r\n\r\n"), "!407 it wants credentials"},
    {BYTES("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "!101 that is no answer to CONNECT"},
    /* refusals: the body is not waited for */
    {BYTES("HTTP/1.1 407 x\r\nContent-Length: 1000000\r\n\r\n<html>"), "!407 it wants credentials"},
    {BYTES("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"a, b\"\r\n\r\n"),
     "!407 it wants credentials"},
    {BYTES("HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate, basic\r\n\r\n"),
     "!407 it wants credentials"},
    {BYTES(
         "HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Digest realm=\"Basic\""
         "\r\n\r\n"),
     "!407 it wants credentials in another way than Basic"},
    {BYTES("HTTP/1.1 301 x\r\nLocation: http://elsewhere/\r\n\r\n"),
     "!301 that is no answer to CONNECT"},
    {BYTES("HTTP/1.1 400 x\r\n\r\n"), "!400 it found the request for a tunnel malformed"},
    {BYTES("HTTP/1.1 401 x\r\n\r\n"), "!401 it wants credentials"},
    {BYTES("HTTP/1.1 403 x\r\n\r\n"), "!403 it does not allow a tunnel there"},
    {BYTES("HTTP/1.1 404 x\r\n\r\n"), "!404 it does not know where that is, or is no proxy"},
    {BYTES("HTTP/1.1 405 x\r\n\r\n"), "!405 it makes no tunnels"},
    {BYTES("HTTP/1.1 418 x\r\n\r\n"), "!418 it refuses"},
    {BYTES("HTTP/1.1 500 x\r\n\r\n"), "!500 it is in trouble itself"},
    {BYTES("HTTP/1.1 501 x\r\n\r\n"), "!501 it makes no tunnels"},
    {BYTES("HTTP/1.1 502 x\r\n\r\n"), "!502 it could not reach the server"},
    {BYTES("HTTP/1.1 503 x\r\n\r\n"), "!503 it is not available, or could not reach the server"},
    {BYTES("HTTP/1.1 504 x\r\n\r\n"), "!504 the server did not answer it in time"},
    {BYTES("HTTP/1.1 999 x\r\n\r\n"), "!999 it refuses"},
    /* nonsense */
    {BYTES("SSH-2.0-OpenSSH_9.2\r\n"), "!0 the first line is not an HTTP status line"},
    {BYTES("\x05\xff\n"), "!0 the first line is not an HTTP status line"},
    {BYTES("HTTP/2.0 200 OK\r\n\r\n"), "!0 the HTTP version is not 1.x"},
    {BYTES("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
     "!0 a header field has no colon, or its name is not a token"},
    /* not yet */
    {BYTES(""), "+"},
    {BYTES("HTTP/1.1 200 OK\r\n"), "+"},
    {BYTES("HTTP/1.1 200 OK\r\nA: b\r\n\r"), "+"},
    {BYTES("HTTP/1.1 100 Continue\r\n\r\n"), "+"},
};

START_TEST(http_answer)
{
    struct wsp_tunnel_asked asked = http(false);

    assert_conversation(&asked, http_answers[_i].bytes, http_answers[_i].len, NULL, 0,
                        http_answers[_i].text);
}
END_TEST

START_TEST(http_does_not_take_the_credentials)
{
    struct wsp_tunnel_asked asked = http(true);

    assert_conversation(&asked, BYTES("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n"), NULL,
                        0, "!407 it does not take the credentials");
    assert_conversation(&asked, BYTES("HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n"), NULL,
                        0, "!407 it wants credentials in another way than Basic");
}
END_TEST

static const char *const bad_basic[][2] = {
    {"user:name", "x"}, {"user\n", "x"}, {"user", "pass\r\nword"}, {"\x7f", ""}, {"u", "\x01"},
};

START_TEST(http_cannot_carry_such_credentials)
{
    struct wsp_tunnel_asked asked = http(true);
    struct wsp_tunnel tunnel;

    asked.username = wsp_view_of_string(bad_basic[_i][0]);
    asked.password = wsp_view_of_string(bad_basic[_i][1]);
    ck_assert_int_eq(wsp_tunnel_init(&tunnel, &asked), WSP_BROKEN);
    ck_assert_ptr_nonnull(strstr(wsp_tunnel_problem(&tunnel), "HTTP cannot carry its credentials"));
    ck_assert_uint_eq(wsp_tunnel_output(&tunnel).len, 0);
    ck_assert_int_eq(wsp_tunnel_next(&tunnel), WSP_BROKEN);
    wsp_tunnel_deinit(&tunnel);
}
END_TEST

/* Feeds the same text again and again; true when the tunnel has had enough before so many bytes. */
static bool has_enough(const char *first, const char *more, size_t max_len, const char *problem)
{
    struct wsp_tunnel_asked asked = http(false);
    struct wsp_tunnel tunnel;
    size_t len = 0;
    int r;

    ck_assert_int_eq(wsp_tunnel_init(&tunnel, &asked), 0);
    wsp_tunnel_feed(&tunnel, wsp_view_of_string(first));
    while ((r = wsp_tunnel_next(&tunnel)) == WSP_MORE && len < max_len) {
        len += strlen(more);
        wsp_tunnel_feed(&tunnel, wsp_view_of_string(more));
    }
    if (r == WSP_BROKEN)
        ck_assert_str_eq(wsp_tunnel_problem(&tunnel), problem);
    wsp_tunnel_deinit(&tunnel);
    return r == WSP_BROKEN;
}

START_TEST(http_answer_is_bounded)
{
    ck_assert(has_enough("HTTP/1.1 200 OK\r\nA: ", "aaaaaaaaaaaaaaaa", WSP_MAX_TUNNEL_HEAD + 16,
                         "the HTTP head is larger than the limit"));
    ck_assert(
        !has_enough("HTTP/1.1 200 OK\r\nA: ", "aaaaaaaaaaaaaaaa", WSP_MAX_TUNNEL_HEAD - 100, NULL));
    ck_assert(has_enough("HTTP/1.1 200 OK\r\n", "A: b\r\n", 6 * (WSP_MAX_HTTP_N_FIELDS + 1),
                         "the HTTP head has more fields than the limit"));
    ck_assert(has_enough("", "HTTP/1.1 100 x\r\n\r\n", 18 * (WSP_MAX_N_INTERIM_ANSWERS + 1),
                         "that is no answer to CONNECT"));
    ck_assert(!has_enough("", "HTTP/1.1 100 x\r\n\r\n", 18 * WSP_MAX_N_INTERIM_ANSWERS, NULL));
}
END_TEST

/* --- SOCKS5 --- */

#define NAME_REQUEST "\5\1\0\3\14feed.example\1\xbb"
#define DONE_IPV4    "\5\0\0\1\0\0\0\0\0\0"

START_TEST(socks_passes_the_name_on)
{
    struct wsp_tunnel_asked asked = socks(false);

    assert_conversation(&asked, BYTES("\5\0" DONE_IPV4 "first"), BYTES("\5\1\0" NAME_REQUEST),
                        "open first");
}
END_TEST

START_TEST(socks_passes_an_address_on)
{
    struct wsp_tunnel_asked asked = socks(false);

    asked.address = VIEW("\300\0\2\1");
    asked.port = 0x1234;
    assert_conversation(&asked, BYTES("\5\0" DONE_IPV4), BYTES("\5\1\0\5\1\0\1\300\0\2\1\x12\x34"),
                        "open ");
    asked.address = VIEW("\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
    assert_conversation(&asked, BYTES("\5\0" DONE_IPV4),
                        BYTES("\5\1\0\5\1\0\4\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x12\x34"),
                        "open ");
}
END_TEST

/* RFC 1929: said only when the proxy has chosen that method. */
START_TEST(socks_says_credentials_when_asked)
{
    struct wsp_tunnel_asked asked = socks(true);

    assert_conversation(&asked, BYTES("\5\2\1\0" DONE_IPV4 "first"),
                        BYTES("\5\2\0\2\1\7Aladdin\13open sesame" NAME_REQUEST), "open first");
    assert_conversation(&asked, BYTES("\5\0" DONE_IPV4), BYTES("\5\2\0\2" NAME_REQUEST), "open ");
    assert_conversation(&asked, BYTES("\5\2\1\1"), BYTES("\5\2\0\2\1\7Aladdin\13open sesame"),
                        "!0 it does not take the credentials");
    asked.username.len = 0;
    asked.password.len = 0;
    assert_conversation(&asked, BYTES("\5\2\1\0" DONE_IPV4), BYTES("\5\2\0\2\1\0\0" NAME_REQUEST),
                        "open ");
}
END_TEST

static const struct {
    bool has_credentials;
    const char *bytes;
    size_t len;
    const char *text;
} socks_answers[] = {
    /* the methods, RFC 1928 section 3 */
    {false, BYTES("\5\xff"), "!0 it wants credentials"},
    {true, BYTES("\5\xff"), "!0 it wants credentials in another way than user name and password"},
    {false, BYTES("\5\2"), "!0 its answer is not SOCKS5"}, /* which was not offered */
    {true, BYTES("\5\1"), "!0 its answer is not SOCKS5"},
    {false, BYTES("\4"), "!0 its answer is not SOCKS5"},
    {false, BYTES("H"), "!0 its answer is not SOCKS5"},
    /* the credentials, RFC 1929 section 2 */
    {true, BYTES("\5\2\5"), "!0 its answer is not SOCKS5"},
    {true, BYTES("\5\2\1\xff"), "!0 it does not take the credentials"},
    /* the reply, RFC 1928 section 6: its address is skipped whatever its type, and nothing more */
    {false, BYTES("\5\0\5\0\0\1\1\2\3\4\5\6x"), "open x"},
    {false, BYTES("\5\0\5\0\7\1\1\2\3\4\5\6x"), "open x"},
    {false, BYTES("\5\0\5\0\0\4\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10\1\2x"), "open x"},
    {false, BYTES("\5\0\5\0\0\3\3abc\1\2x"), "open x"},
    {false, BYTES("\5\0\5\0\0\3\0\1\2x"), "open x"},
    {false, BYTES("\5\0\5\0\0\2abcdef"), "!0 its answer is not SOCKS5"},
    {false, BYTES("\5\0\4"), "!0 its answer is not SOCKS5"},
    {false, BYTES("\5\0\5\1"), "!1 it failed, and does not say why (address)"},
    {false, BYTES("\5\0\5\2"), "!2 its rules do not allow this connection"},
    {false, BYTES("\5\0\5\3\0\1\0\0\0\0\0\0"), "!3 it cannot reach the server's network (address)"},
    {false, BYTES("\5\0\5\4"), "!4 it cannot reach the server's host (address)"},
    {false, BYTES("\5\0\5\5"), "!5 the server refused its connection (address)"},
    {false, BYTES("\5\0\5\6"),
     "!6 the way from it to the server is too long or did not answer (address)"},
    {false, BYTES("\5\0\5\7"), "!7 it does not know the command CONNECT"},
    {false, BYTES("\5\0\5\10"), "!8 it does not know this kind of address (address)"},
    {false, BYTES("\5\0\5\11"), "!9 that is no reply code of SOCKS5"},
    {false, BYTES("\5\0\5\xff"), "!255 that is no reply code of SOCKS5"},
    /* not yet */
    {false, BYTES(""), "+"},
    {false, BYTES("\5"), "+"},
    {false, BYTES("\5\0"), "+"},
    {true, BYTES("\5\2\1"), "+"},
    {false, BYTES("\5\0\5\0\0"), "+"},
    {false, BYTES("\5\0\5\0\0\1\1\2\3\4\5"), "+"},
    {false, BYTES("\5\0\5\0\0\3\3abc\1"), "+"},
};

START_TEST(socks_answer)
{
    struct wsp_tunnel_asked asked = socks(socks_answers[_i].has_credentials);

    assert_conversation(&asked, socks_answers[_i].bytes, socks_answers[_i].len, NULL, 0,
                        socks_answers[_i].text);
}
END_TEST

/* The longest answer there is. */
START_TEST(socks_reply_with_a_long_name)
{
    struct wsp_tunnel_asked asked = socks(false);
    char bytes[2 + WSP_TUNNEL_MAX_REPLY + 1];

    memset(bytes, 'n', sizeof(bytes));
    memcpy(bytes, "\5\0\5\0\0\3\377", 7);
    bytes[sizeof(bytes) - 1] = 'x';
    assert_conversation(&asked, bytes, sizeof(bytes), NULL, 0, "open x");
    assert_conversation(&asked, bytes, sizeof(bytes) - 2, NULL, 0, "+");
}
END_TEST

/* What fits into one byte of length is asked, what does not is told. */
START_TEST(socks_has_room_for_255)
{
    char text[257];
    struct wsp_view fits = {(const uint8_t *)text, 255}, too_long = {(const uint8_t *)text, 256};
    struct wsp_tunnel_asked asked[3];
    struct wsp_tunnel tunnel;

    memset(text, 'n', sizeof(text));
    for (size_t i = 0; i < 3; i++) {
        struct wsp_view *part;

        asked[i] = socks(true);
        part = i == 0 ? &asked[i].host : i == 1 ? &asked[i].username : &asked[i].password;
        *part = fits;
        ck_assert_int_eq(wsp_tunnel_init(&tunnel, &asked[i]), 0);
        wsp_tunnel_deinit(&tunnel);
        *part = too_long;
        ck_assert_int_eq(wsp_tunnel_init(&tunnel, &asked[i]), WSP_BROKEN);
        ck_assert_ptr_nonnull(strstr(wsp_tunnel_problem(&tunnel), "255 bytes"));
        wsp_tunnel_deinit(&tunnel);
    }
    /* An address is asked for instead of the name. */
    asked[0].address = VIEW("\177\0\0\1");
    ck_assert_int_eq(wsp_tunnel_init(&tunnel, &asked[0]), 0);
    wsp_tunnel_deinit(&tunnel);
}
END_TEST

/* --- memory --- */

START_TEST(allocations_fail)
{
    static const char answer[] = "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 407 x\r\nA: b\r\n\r\n";
    bool has_failed = true;

    for (size_t n = 0; has_failed; n++) {
        struct wsp_tunnel_asked asked = _i == 0 ? http(true) : socks(true);
        struct wsp_tunnel tunnel;
        int r;

        allocation_fail_after(n);
        r = wsp_tunnel_init(&tunnel, &asked);
        if (r == 0) {
            wsp_tunnel_feed(&tunnel, _i == 0 ? wsp_view_of_string(answer) : VIEW("\5\2\1\0\5\5"));
            r = wsp_tunnel_next(&tunnel);
            if (r == -ENOMEM)
                r = wsp_tunnel_next(&tunnel);
            ck_assert_int_eq(r, WSP_BROKEN);
            ck_assert_uint_eq(wsp_tunnel_answer(&tunnel), _i == 0 ? 407 : 5);
        } else {
            ck_assert_int_eq(r, -ENOMEM);
        }
        has_failed = allocation_disarm();
        wsp_tunnel_deinit(&tunnel);
        wsp_tunnel_deinit(&tunnel);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("tunnel");
    TCase *tcase = unit_case(suite, "http");

    tcase_add_test(tcase, connect_names_host_and_port);
    tcase_add_test(tcase, connect_carries_credentials);
    tcase_add_loop_test(tcase, http_answer, 0, N_OF(http_answers));
    tcase_add_test(tcase, http_does_not_take_the_credentials);
    tcase_add_loop_test(tcase, http_cannot_carry_such_credentials, 0, N_OF(bad_basic));
    tcase_add_test(tcase, http_answer_is_bounded);
    tcase = unit_case(suite, "socks");
    tcase_add_test(tcase, socks_passes_the_name_on);
    tcase_add_test(tcase, socks_passes_an_address_on);
    tcase_add_test(tcase, socks_says_credentials_when_asked);
    tcase_add_loop_test(tcase, socks_answer, 0, N_OF(socks_answers));
    tcase_add_test(tcase, socks_reply_with_a_long_name);
    tcase_add_test(tcase, socks_has_room_for_255);
    tcase = unit_case(suite, "memory");
    tcase_add_loop_test(tcase, allocations_fail, 0, 2);
    return suite;
}

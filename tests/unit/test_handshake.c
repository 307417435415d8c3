/*
 * test_handshake: what both sides write in the opening handshake (RFC 6455, sections 1.3, 4.1, 4.2.2).
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/handshake.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V(literal) WSP_VIEW_LITERAL(literal)
/* Without the cast of WSP_VIEW_LITERAL(), for static tables. */
#define TEXT(literal)                                   \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }

static struct wsp_request plain_request(void)
{
    struct wsp_request request = {.target = V("/chat"), .host = V("server.example.com")};

    memcpy(request.nonce, "the sample nonce", sizeof(request.nonce));
    return request;
}

static void assert_written(const struct wsp_request *request, const char *expected)
{
    struct wsp_buffer out;

    wsp_buffer_init(&out, 65536);
    ck_assert_int_eq(wsp_handshake_write_request(&out, request), 0);
    unit_assert_bytes(wsp_buffer_peek(&out), wsp_buffer_len(&out), expected, strlen(expected));
    wsp_buffer_deinit(&out);
}

static void assert_refused(const struct wsp_request *request)
{
    struct wsp_buffer out;

    wsp_buffer_init(&out, 65536);
    ck_assert_int_eq(wsp_buffer_append(&out, "x", 1), 0);
    ck_assert_int_eq(wsp_handshake_write_request(&out, request), -EINVAL);
    ck_assert_uint_eq(wsp_buffer_len(&out), 1);
    wsp_buffer_deinit(&out);
}

/* -- digests: the example of section 1.3 -- */

START_TEST(key_and_accept_of_the_standard)
{
    static const uint8_t digest[WSP_HANDSHAKE_DIGEST] = {0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f,
                                                         0x16, 0x90, 0xf6, 0x46, 0x06, 0xcf, 0x38,
                                                         0x59, 0x45, 0xb2, 0xbe, 0xc4, 0xea};
    char key[WSP_HANDSHAKE_KEY];
    char input[WSP_HANDSHAKE_ACCEPT_INPUT];
    char accept[WSP_HANDSHAKE_ACCEPT];

    wsp_handshake_key((const uint8_t *)"the sample nonce", key);
    unit_assert_bytes(key, sizeof(key), "dGhlIHNhbXBsZSBub25jZQ==", 24);
    wsp_handshake_accept_input(key, input);
    unit_assert_bytes(input, sizeof(input),
                      "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 60);
    wsp_handshake_accept(digest, accept);
    unit_assert_bytes(accept, sizeof(accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28);
}
END_TEST

/* -- the request -- */

START_TEST(least_request)
{
    struct wsp_request request = plain_request();

    assert_written(&request, "GET /chat HTTP/1.1\r\n"
                             "Host: server.example.com\r\n"
                             "Upgrade: websocket\r\n"
                             "Connection: Upgrade\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                             "Sec-WebSocket-Version: 13\r\n"
                             "\r\n");
}
END_TEST

START_TEST(full_request)
{
    static const struct wsp_view protocols[] = {TEXT("chat"), TEXT("superchat")};
    static const struct wsp_field headers[] = {
        {TEXT("Cookie"), TEXT("a=b; c=d")},
        {TEXT("X-Empty"), TEXT("")},
        {TEXT("Cookie"), TEXT("e=f")},
    };
    struct wsp_request request = plain_request();

    request.target = V("/?a=b%20c");
    request.host = V("[::1]:8080");
    request.protocols = protocols;
    request.n_protocols = N_OF(protocols);
    request.extensions = V("permessage-deflate; client_max_window_bits");
    request.origin = V("https://example.com");
    request.user_agent = V("wsplex/1");
    request.has_credentials = true;
    request.username = V("Aladdin");
    request.password = V("open sesame");
    request.headers = headers;
    request.n_headers = N_OF(headers);
    assert_written(&request,
                   "GET /?a=b%20c HTTP/1.1\r\n"
                   "Host: [::1]:8080\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Protocol: chat, superchat\r\n"
                   "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                   "Origin: https://example.com\r\n"
                   "User-Agent: wsplex/1\r\n"
                   "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"
                   "Cookie: a=b; c=d\r\n"
                   "X-Empty: \r\n"
                   "Cookie: e=f\r\n"
                   "\r\n");
}
END_TEST

START_TEST(user_s_own_takes_the_place_of_ours)
{
    static const struct wsp_field headers[] = {
        {TEXT("origin"), TEXT("null")},
        {TEXT("USER-AGENT"), TEXT("mine")},
        {TEXT("Authorization"), TEXT("Bearer t")},
    };
    struct wsp_request request = plain_request();

    request.origin = V("https://example.com");
    request.user_agent = V("wsplex/1");
    request.has_credentials = true;
    request.username = V("u");
    request.headers = headers;
    request.n_headers = N_OF(headers);
    assert_written(&request, "GET /chat HTTP/1.1\r\n"
                             "Host: server.example.com\r\n"
                             "Upgrade: websocket\r\n"
                             "Connection: Upgrade\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                             "Sec-WebSocket-Version: 13\r\n"
                             "origin: null\r\n"
                             "USER-AGENT: mine\r\n"
                             "Authorization: Bearer t\r\n"
                             "\r\n");
}
END_TEST

/* RFC 4648, section 10, by way of user names and passwords that make each length. */
START_TEST(credentials_of_every_length)
{
    static const struct {
        const char *username;
        const char *password;
        const char *base64;
    } rows[] = {
        {"", "", "Og=="},        {"f", "", "Zjo="},
        {"", "f", "OmY="},       {"ab", "", "YWI6"},
        {"f", "o", "Zjpv"},      {"foo", "bar", "Zm9vOmJhcg=="},
        {"", "a:b", "OmE6Yg=="}, {"\xc3\xa4", "\xff", "w6Q6/w=="},
    };

    for (int i = 0; i < N_OF(rows); i++) {
        struct wsp_request request = plain_request();
        char expected[100];
        struct wsp_buffer out;

        request.has_credentials = true;
        request.username = wsp_view_of_string(rows[i].username);
        request.password = wsp_view_of_string(rows[i].password);
        snprintf(expected, sizeof(expected), "\r\nAuthorization: Basic %s\r\n\r\n", rows[i].base64);
        wsp_buffer_init(&out, 1000);
        ck_assert_int_eq(wsp_handshake_write_request(&out, &request), 0);
        ck_assert_int_eq(wsp_buffer_append_u8(&out, 0), 0);
        ck_assert_msg(strstr((const char *)wsp_buffer_peek(&out), expected) != NULL, "%s in %s",
                      expected, (const char *)wsp_buffer_peek(&out));
        wsp_buffer_deinit(&out);
    }
}
END_TEST

/* Nobody ends a line that we began, in any part. */
static const struct wsp_view bad_words[] = {TEXT(""),          TEXT("/a b"), TEXT("/a\r\nX: y"),
                                            TEXT("/a\n"),      TEXT("/\0"),  TEXT("/\t"),
                                            TEXT("/\xc3\xa4"), TEXT("/\x7f")};
static const struct wsp_view bad_values[] = {TEXT("a\r\nX: y"), TEXT("a\nb"), TEXT("a\rb"),
                                             TEXT("a\0b"),      TEXT("\x01"), TEXT("\x7f"),
                                             TEXT(" a"),        TEXT("a ")};
static const struct wsp_view bad_names[] = {TEXT(""),
                                            TEXT("a b"),
                                            TEXT("a:"),
                                            TEXT("a\r\n"),
                                            TEXT("\xc3\xa4"),
                                            TEXT("Host"),
                                            TEXT("upgrade"),
                                            TEXT("CONNECTION"),
                                            TEXT("Sec-WebSocket-Key"),
                                            TEXT("Sec-WebSocket-Version"),
                                            TEXT("sec-websocket-protocol"),
                                            TEXT("Sec-WebSocket-Extensions"),
                                            TEXT("Content-Length"),
                                            TEXT("Transfer-Encoding")};
static const struct wsp_view bad_protocols[] = {
    TEXT(""), TEXT("a b"), TEXT("a,b"), TEXT("a\r\nb"), TEXT("\""), TEXT("\xc3\xa4"), TEXT("chat")};
static const struct wsp_view bad_users[] = {TEXT("a:b"), TEXT("\n"), TEXT("\0"), TEXT("a\x7f")};

START_TEST(injection_is_refused)
{
    struct wsp_view protocols[2] = {TEXT("chat")};
    struct wsp_field header = {TEXT("X"), TEXT("y")};
    struct wsp_request request;

    for (int i = 0; i < N_OF(bad_words); i++) {
        request = plain_request();
        request.target = bad_words[i];
        assert_refused(&request);
        request = plain_request();
        request.host = bad_words[i];
        assert_refused(&request);
    }
    request = plain_request();
    request.target = V("chat");
    assert_refused(&request);
    for (int i = 0; i < N_OF(bad_values); i++) {
        request = plain_request();
        request.origin = bad_values[i];
        assert_refused(&request);
        request = plain_request();
        request.user_agent = bad_values[i];
        assert_refused(&request);
        request = plain_request();
        request.extensions = bad_values[i];
        assert_refused(&request);
        request = plain_request();
        header.value = bad_values[i];
        request.headers = &header;
        request.n_headers = 1;
        assert_refused(&request);
    }
    header.value = V("y");
    for (int i = 0; i < N_OF(bad_names); i++) {
        request = plain_request();
        header.name = bad_names[i];
        request.headers = &header;
        request.n_headers = 1;
        assert_refused(&request);
    }
    for (int i = 0; i < N_OF(bad_protocols); i++) {
        request = plain_request();
        protocols[1] = bad_protocols[i];
        request.protocols = protocols;
        request.n_protocols = 2;
        assert_refused(&request);
    }
    for (int i = 0; i < N_OF(bad_users); i++) {
        request = plain_request();
        request.has_credentials = true;
        request.username = bad_users[i];
        assert_refused(&request);
    }
    request = plain_request();
    request.has_credentials = true;
    request.password = V("\r\n");
    assert_refused(&request);
}
END_TEST

START_TEST(as_many_subprotocols_as_the_limit_and_no_more)
{
    static char names[WSP_MAX_N_SUBPROTOCOLS + 1][8];
    struct wsp_view protocols[WSP_MAX_N_SUBPROTOCOLS + 1];
    struct wsp_request request = plain_request();
    struct wsp_buffer out;

    for (size_t i = 0; i < WSP_MAX_N_SUBPROTOCOLS + 1; i++) {
        snprintf(names[i], sizeof(names[i]), "p%zu", i);
        protocols[i] = wsp_view_of_string(names[i]);
    }
    request.protocols = protocols;
    request.n_protocols = WSP_MAX_N_SUBPROTOCOLS;
    wsp_buffer_init(&out, 65536);
    ck_assert_int_eq(wsp_handshake_write_request(&out, &request), 0);
    wsp_buffer_deinit(&out);
    request.n_protocols++;
    assert_refused(&request);
}
END_TEST

START_TEST(request_is_written_whole_or_not_at_all)
{
    struct wsp_request request = plain_request();
    struct wsp_buffer out;
    size_t len;
    bool has_failed;
    int r;

    wsp_buffer_init(&out, 1000);
    ck_assert_int_eq(wsp_handshake_write_request(&out, &request), 0);
    len = wsp_buffer_len(&out);
    wsp_buffer_deinit(&out);
    for (size_t max = 0; max < len; max++) {
        wsp_buffer_init(&out, max);
        ck_assert_int_eq(wsp_handshake_write_request(&out, &request), -ENOBUFS);
        ck_assert_uint_eq(wsp_buffer_len(&out), 0);
        wsp_buffer_deinit(&out);
    }
    for (size_t n = 0;; n++) {
        wsp_buffer_init(&out, 1000);
        allocation_fail_after(n);
        r = wsp_handshake_write_request(&out, &request);
        has_failed = allocation_disarm();
        ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
        ck_assert_uint_eq(wsp_buffer_len(&out), has_failed ? 0 : len);
        wsp_buffer_deinit(&out);
        if (!has_failed)
            break;
    }
}
END_TEST

/* -- the answer -- */

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

START_TEST(accepting_answer)
{
    static const struct wsp_field headers[] = {{TEXT("Server"), TEXT("feed")}};
    static const char expected[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                   "Upgrade: websocket\r\n"
                                   "Connection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: " ACCEPT "\r\n"
                                   "Sec-WebSocket-Protocol: chat\r\n"
                                   "Sec-WebSocket-Extensions: foo; bar\r\n"
                                   "Server: feed\r\n"
                                   "\r\n";
    struct wsp_buffer out;

    wsp_buffer_init(&out, 1000);
    ck_assert_int_eq(wsp_handshake_write_accept(&out, ACCEPT, V("chat"), V("foo; bar"), headers, 1),
                     0);
    unit_assert_bytes(wsp_buffer_peek(&out), wsp_buffer_len(&out), expected, sizeof(expected) - 1);
    ck_assert_int_eq(wsp_handshake_write_accept(&out, ACCEPT, V("a b"), V(""), NULL, 0), -EINVAL);
    ck_assert_int_eq(wsp_handshake_write_accept(&out, ACCEPT, V(""), V("a\n"), NULL, 0), -EINVAL);
    ck_assert_uint_eq(wsp_buffer_len(&out), sizeof(expected) - 1);
    wsp_buffer_deinit(&out);
}
END_TEST

START_TEST(refusing_answers)
{
    static const struct wsp_field headers[] = {{TEXT("Retry-After"), TEXT("30")}};
    static const struct {
        unsigned status;
        const char *head;
    } rows[] = {
        {503, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"},
        {405, "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\n"},
        {426,
         "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 13\r\n"},
        {499, "HTTP/1.1 499 \r\nConnection: close\r\n"},
    };
    static const unsigned impossible[] = {0, 101, 199, 204, 304, 1000};
    struct wsp_buffer out;

    for (int i = 0; i < N_OF(rows); i++) {
        char expected[400];

        snprintf(expected, sizeof(expected),
                 "%sContent-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Retry-After: 30\r\n\r\nbody",
                 rows[i].head);
        wsp_buffer_init(&out, 1000);
        ck_assert_int_eq(wsp_handshake_write_refusal(&out, rows[i].status, V("body"), headers, 1),
                         0);
        unit_assert_bytes(wsp_buffer_peek(&out), wsp_buffer_len(&out), expected, strlen(expected));
        wsp_buffer_deinit(&out);
    }
    wsp_buffer_init(&out, 1000);
    for (int i = 0; i < N_OF(impossible); i++)
        ck_assert_int_eq(wsp_handshake_write_refusal(&out, impossible[i], V(""), NULL, 0), -EINVAL);
    ck_assert_uint_eq(wsp_buffer_len(&out), 0);
    wsp_buffer_deinit(&out);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("handshake");
    TCase *request = unit_case(suite, "request");
    TCase *answer = unit_case(suite, "answer");

    tcase_add_test(request, key_and_accept_of_the_standard);
    tcase_add_test(request, least_request);
    tcase_add_test(request, full_request);
    tcase_add_test(request, user_s_own_takes_the_place_of_ours);
    tcase_add_test(request, credentials_of_every_length);
    tcase_add_test(request, injection_is_refused);
    tcase_add_test(request, as_many_subprotocols_as_the_limit_and_no_more);
    tcase_add_test(request, request_is_written_whole_or_not_at_all);
    tcase_add_test(answer, accepting_answer);
    tcase_add_test(answer, refusing_answers);
    return suite;
}

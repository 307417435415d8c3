/*
 * test_verdict: the judgement of answers and requests (RFC 6455, sections 4.1, 4.2.1, 11.3).
 *
 * Every row is run whole, byte by byte and cut in two at each byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/handshake.h"
#include "tests/harness/allocation.h"
#include "tests/harness/pieces.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal)                                   \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }

/* -- answers -- */

static const struct wsp_view protocols[] = {TEXT("chat"), TEXT("v2.chat")};

static const struct wsp_asked nothing = {
    .accept = {'s', '3', 'p', 'P', 'L', 'M', 'B', 'i', 'T', 'x', 'a', 'Q', '9', 'k',
               'Y', 'G', 'z', 'z', 'h', 'Z', 'R', 'b', 'K', '+', 'x', 'O', 'o', '='},
    .max_head_bytes = 1000,
    .max_head_fields = 20,
    .now_s = 784111777,
};

static struct wsp_asked everything(void)
{
    struct wsp_asked asked = nothing;

    asked.protocols = protocols;
    asked.n_protocols = N_OF(protocols);
    asked.extensions = WSP_VIEW_LITERAL("permessage-deflate; client_max_window_bits, foo");
    return asked;
}

#define S          "HTTP/1.1 101 Switching Protocols\r\n"
#define U          "Upgrade: websocket\r\n"
#define C          "Connection: Upgrade\r\n"
#define A          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define P(value)   "Sec-WebSocket-Protocol: " value "\r\n"
#define E(value)   "Sec-WebSocket-Extensions: " value "\r\n"
#define GOOD(more) S U C A more "\r\n"

/* What a table checks of an answer; views are compared as text. */
struct outcome {
    enum wsp_verdict verdict;
    unsigned status;
    char protocol[50];
    char extensions[100];
    char retry_after[50];
    int64_t retry_after_s;
    char excerpt[WSP_MAX_ANSWER_EXCERPT + 1];
    char rest[50];
};

static void copy(char *to, struct wsp_view view)
{
    memcpy(to, view.data == NULL ? (const uint8_t *)"" : view.data, view.len);
    to[view.len] = '\0';
}

static struct outcome outcome_of(const struct wsp_asked *asked, const char *bytes, size_t cut)
{
    struct outcome outcome = {0};
    struct wsp_response_reader reader;
    struct wsp_response response;
    struct pieces pieces;
    struct wsp_view piece;
    int r = WSP_MORE;

    wsp_response_reader_init(&reader, asked);
    pieces_init(&pieces, bytes, strlen(bytes), cut);
    while ((r == WSP_MORE || wsp_response_reader_wants_body(&reader)) &&
           pieces_next(&pieces, &piece)) {
        wsp_response_reader_feed(&reader, piece);
        r = wsp_response_reader_next(&reader, &response);
    }
    ck_assert_msg(r != WSP_MORE, "cut %zu: no verdict", cut);
    ck_assert_int_eq(r, response.verdict <= WSP_VERDICT_REFUSED ? 0 : WSP_BROKEN);
    if (response.verdict != WSP_VERDICT_BAD_HEAD)
        ck_assert_str_eq(response.text, wsp_verdict_to_string(response.verdict));
    outcome.verdict = response.verdict;
    outcome.status = response.status;
    outcome.retry_after_s = response.retry_after_s;
    copy(outcome.protocol, response.protocol);
    copy(outcome.extensions, response.extensions);
    copy(outcome.retry_after, response.retry_after);
    copy(outcome.excerpt, response.excerpt);
    copy(outcome.rest, response.rest);
    while (response.verdict == WSP_VERDICT_ACCEPTED && pieces_next(&pieces, &piece))
        strncat(outcome.rest, (const char *)piece.data, piece.len);
    pieces_deinit(&pieces);
    wsp_response_reader_deinit(&reader);
    return outcome;
}

static const struct {
    const char *bytes;
    enum wsp_verdict verdict;
} bare[] = {
    {GOOD(""), WSP_VERDICT_ACCEPTED},
    {S A C U "\r\n", WSP_VERDICT_ACCEPTED},
    {"HTTP/1.1 101 \r\n" U C A "\r\n", WSP_VERDICT_ACCEPTED},
    {"HTTP/1.1 101 Anything\n" U C A "\n", WSP_VERDICT_ACCEPTED},
    {GOOD("Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nServer: x\r\n"), WSP_VERDICT_ACCEPTED},
    /* item 1: the status line */
    {"HTTP/1.0 101 Switching Protocols\r\n" U C A "\r\n", WSP_VERDICT_OLD_HTTP},
    {"HTTP/1.1 200 OK\r\n" U C A "\r\n", WSP_VERDICT_REFUSED},
    {"HTTP/1.1 404 Not Found\r\n\r\n", WSP_VERDICT_REFUSED},
    {"HTTP/1.0 503 Busy\r\n\r\n", WSP_VERDICT_REFUSED},
    {"HTTP/2.0 101 x\r\n\r\n", WSP_VERDICT_BAD_HEAD},
    {"SSH-2.0-OpenSSH_9.2\r\n", WSP_VERDICT_BAD_HEAD},
    {S "Upgrade : websocket\r\n" C A "\r\n", WSP_VERDICT_BAD_HEAD},
    /* item 2: Upgrade is "websocket" in any case, and only that */
    {S C A "\r\n", WSP_VERDICT_UPGRADE_MISSING},
    {S "UPGRADE: WebSocket\r\n" C A "\r\n", WSP_VERDICT_ACCEPTED},
    {S "upgrade:\r\n\twebsocket \r\n" C A "\r\n", WSP_VERDICT_ACCEPTED},
    {S "Upgrade:\r\n" C A "\r\n", WSP_VERDICT_UPGRADE_WRONG},
    {S "Upgrade: websockets\r\n" C A "\r\n", WSP_VERDICT_UPGRADE_WRONG},
    {S "Upgrade: h2c, websocket\r\n" C A "\r\n", WSP_VERDICT_UPGRADE_WRONG},
    {S U "Upgrade: h2c\r\n" C A "\r\n", WSP_VERDICT_UPGRADE_WRONG},
    {S U U C A "\r\n", WSP_VERDICT_UPGRADE_WRONG},
    {S "Upgrade: websocket,\r\n" C A "\r\n", WSP_VERDICT_UPGRADE_WRONG},
    {S "Upgrade: \"websocket\"\r\n" C A "\r\n", WSP_VERDICT_UPGRADE_WRONG},
    {S "Upgrade: websocket/13\r\n" C A "\r\n", WSP_VERDICT_UPGRADE_WRONG},
    /* item 3: Connection has the token "Upgrade" in any case */
    {S U A "\r\n", WSP_VERDICT_CONNECTION_MISSING},
    {S U "connection: upgrade\r\n" A "\r\n", WSP_VERDICT_ACCEPTED},
    {S U "Connection: keep-alive, UPGRADE\r\n" A "\r\n", WSP_VERDICT_ACCEPTED},
    {S U "Connection: keep-alive\r\n" C A "\r\n", WSP_VERDICT_ACCEPTED},
    {S U "Connection: keep-alive\r\n" A "\r\n", WSP_VERDICT_CONNECTION_WRONG},
    {S U C C A "\r\n", WSP_VERDICT_ACCEPTED},
    {S U "Connection: ,,Upgrade,\r\n" A "\r\n", WSP_VERDICT_ACCEPTED},
    {S U "Connection: keep-alive,\r\n upgrade\r\n" A "\r\n", WSP_VERDICT_ACCEPTED},
    {S U "Connection: close, Upgrade\r\n" A "\r\n", WSP_VERDICT_ACCEPTED},
    {S U "Connection:\r\n" A "\r\n", WSP_VERDICT_CONNECTION_WRONG},
    {S U "Connection: \"keep-alive, Upgrade\"\r\n" A "\r\n", WSP_VERDICT_CONNECTION_WRONG},
    {S U "Connection: Upgraded\r\n" A "\r\n", WSP_VERDICT_CONNECTION_WRONG},
    {S U "Connection: not upgrade\r\n" A "\r\n", WSP_VERDICT_CONNECTION_WRONG},
    /* item 4: Accept is what fits the key, blanks around ignored, case not */
    {S U C "\r\n", WSP_VERDICT_ACCEPT_MISSING},
    {S U C "Sec-WebSocket-Accept:   s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t\r\n\r\n", WSP_VERDICT_ACCEPTED},
    {S U C "sec-websocket-accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", WSP_VERDICT_ACCEPTED},
    {S U C "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", WSP_VERDICT_ACCEPT_WRONG},
    {S U C "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n\r\n", WSP_VERDICT_ACCEPT_WRONG},
    {S U C "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=x\r\n\r\n", WSP_VERDICT_ACCEPT_WRONG},
    {S U C "Sec-WebSocket-Accept:\r\n\r\n", WSP_VERDICT_ACCEPT_WRONG},
    {S U C A A "\r\n", WSP_VERDICT_ACCEPT_TWICE},
    {S U C A "Sec-WebSocket-Accept: x\r\n\r\n", WSP_VERDICT_ACCEPT_TWICE},
    {S U C "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYG\r\n zzhZRbK+xOo=\r\n\r\n",
     WSP_VERDICT_ACCEPT_WRONG},
    {S U C "Sec-WebSocket-Accept:\r\n s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", WSP_VERDICT_ACCEPTED},
    {S U C "Sec-WebSocket-Key: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", WSP_VERDICT_ACCEPT_MISSING},
    /* RFC 9112, section 6.3, item 1: 101 ends with its head, whatever its fields say */
    {GOOD("Content-Length: 5\r\n"), WSP_VERDICT_ACCEPTED},
    {GOOD("Content-Length: x\r\n"), WSP_VERDICT_ACCEPTED},
    {GOOD("Transfer-Encoding: chunked\r\n"), WSP_VERDICT_ACCEPTED},
    /* item 5: no extension that was not offered */
    {GOOD(E("foo")), WSP_VERDICT_EXTENSION_NOT_ASKED},
    {GOOD(E("permessage-deflate")), WSP_VERDICT_EXTENSION_NOT_ASKED},
    {GOOD(E("")), WSP_VERDICT_ACCEPTED},
    /* item 6: no subprotocol that was not asked for */
    {GOOD(P("chat")), WSP_VERDICT_PROTOCOL_NOT_ASKED},
    {GOOD(P("")), WSP_VERDICT_PROTOCOL_NOT_ASKED},
    /* 1xx before the answer */
    {"HTTP/1.1 100 Continue\r\n\r\n" GOOD(""), WSP_VERDICT_ACCEPTED},
    {"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 P\r\n" E("foo") "\r\n" GOOD(""),
     WSP_VERDICT_ACCEPTED},
    {"HTTP/1.1 103 Early Hints\r\n" U C A "\r\nHTTP/1.1 403 No\r\n\r\n", WSP_VERDICT_REFUSED},
    {"HTTP/1.1 103 Early Hints\r\n" U C A "\r\n" S "\r\n", WSP_VERDICT_UPGRADE_MISSING},
    {"HTTP/1.0 100 Continue\r\n\r\n" GOOD(""), WSP_VERDICT_ACCEPTED},
    {"HTTP/1.1 199 x\r\nContent-Length: 9\r\n\r\n" GOOD(""), WSP_VERDICT_ACCEPTED},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100\r\nA B: c\r\n\r\n" GOOD(""), WSP_VERDICT_BAD_HEAD},
    {"HTTP/1.1 100 Continue\r\n\r\n\r\n" GOOD(""), WSP_VERDICT_BAD_HEAD},
    /* every status but 101 that is final */
    {"HTTP/1.1 999 x\r\n\r\n", WSP_VERDICT_REFUSED},
    {"HTTP/1.1 204 No Content\r\n" U C A "\r\n", WSP_VERDICT_REFUSED},
};

START_TEST(answer_to_a_bare_request)
{
    for (size_t cut = 0; cut < pieces_n_cuts(strlen(bare[_i].bytes)); cut++)
        ck_assert_str_eq(wsp_verdict_to_string(outcome_of(&nothing, bare[_i].bytes, cut).verdict),
                         wsp_verdict_to_string(bare[_i].verdict));
}
END_TEST

static const struct {
    const char *bytes;
    enum wsp_verdict verdict;
    const char *protocol;
    const char *extensions;
} full[] = {
    {GOOD(""), WSP_VERDICT_ACCEPTED, "", ""},
    {GOOD(P("chat")), WSP_VERDICT_ACCEPTED, "chat", ""},
    {GOOD(P("v2.chat")), WSP_VERDICT_ACCEPTED, "v2.chat", ""},
    {GOOD(P("Chat")), WSP_VERDICT_PROTOCOL_NOT_ASKED, "", ""},
    {GOOD(P("other")), WSP_VERDICT_PROTOCOL_NOT_ASKED, "", ""},
    {GOOD(P("cha")), WSP_VERDICT_PROTOCOL_NOT_ASKED, "", ""},
    {GOOD(P("chat v2.chat")), WSP_VERDICT_PROTOCOL_NOT_ASKED, "", ""},
    {GOOD(P("")), WSP_VERDICT_PROTOCOL_NOT_ASKED, "", ""},
    {GOOD(P("chat, v2.chat")), WSP_VERDICT_PROTOCOL_TWICE, "", ""},
    {GOOD(P("chat,chat")), WSP_VERDICT_PROTOCOL_TWICE, "", ""},
    {GOOD(P("chat") P("v2.chat")), WSP_VERDICT_PROTOCOL_TWICE, "", ""},
    {GOOD(P("chat") P("chat")), WSP_VERDICT_PROTOCOL_TWICE, "", ""},
    {GOOD(E("permessage-deflate")), WSP_VERDICT_ACCEPTED, "", "permessage-deflate"},
    {GOOD(E("foo,permessage-deflate; a=\"10\"; b")), WSP_VERDICT_ACCEPTED, "",
     "foo,permessage-deflate; a=\"10\"; b"},
    {GOOD(P("chat") E("foo")), WSP_VERDICT_ACCEPTED, "chat", "foo"},
    {GOOD(E("bar")), WSP_VERDICT_EXTENSION_NOT_ASKED, "", ""},
    {GOOD(E("foo, bar")), WSP_VERDICT_EXTENSION_NOT_ASKED, "", ""},
    {GOOD(E("client_max_window_bits")), WSP_VERDICT_EXTENSION_NOT_ASKED, "", ""},
    /* a trailing comma makes a list, and an answer has a token (4.2.2) */
    {GOOD(P("chat,")), WSP_VERDICT_PROTOCOL_NOT_ASKED, "", ""},
    {GOOD(P("\"chat\"")), WSP_VERDICT_PROTOCOL_NOT_ASKED, "", ""},
    /* several fields of extensions are one list (9.1) */
    {GOOD(E("foo") E("permessage-deflate")), WSP_VERDICT_ACCEPTED, "", "foo, permessage-deflate"},
    {GOOD(E("") E("permessage-deflate; a=\"1\" , foo") P("chat") E("foo; b")), WSP_VERDICT_ACCEPTED,
     "chat", "permessage-deflate; a=\"1\", foo, foo; b"},
    {GOOD(E("") E("")), WSP_VERDICT_ACCEPTED, "", ""},
    {GOOD(E("foo") E("bar")), WSP_VERDICT_EXTENSION_NOT_ASKED, "", ""},
    {GOOD(E("foo") E("foo;")), WSP_VERDICT_EXTENSIONS_MALFORMED, "", ""},
    {GOOD(E("foo=1")), WSP_VERDICT_EXTENSIONS_MALFORMED, "", ""},
    {GOOD(E("foo bar")), WSP_VERDICT_EXTENSIONS_MALFORMED, "", ""},
    {GOOD(E("foo;")), WSP_VERDICT_EXTENSIONS_MALFORMED, "", ""},
    {GOOD(E("foo; a=")), WSP_VERDICT_EXTENSIONS_MALFORMED, "", ""},
    {GOOD(E("foo; a=\"1")), WSP_VERDICT_EXTENSIONS_MALFORMED, "", ""},
    {GOOD(E("foo; a=\"1 2\"")), WSP_VERDICT_EXTENSIONS_MALFORMED, "", ""},
    {GOOD(E("foo; a=\"\"")), WSP_VERDICT_EXTENSIONS_MALFORMED, "", ""},
};

START_TEST(answer_to_a_full_request)
{
    struct wsp_asked asked = everything();

    for (size_t cut = 0; cut < pieces_n_cuts(strlen(full[_i].bytes)); cut++) {
        struct outcome outcome = outcome_of(&asked, full[_i].bytes, cut);

        ck_assert_str_eq(wsp_verdict_to_string(outcome.verdict),
                         wsp_verdict_to_string(full[_i].verdict));
        ck_assert_str_eq(outcome.protocol, full[_i].protocol);
        ck_assert_str_eq(outcome.extensions, full[_i].extensions);
        ck_assert_uint_eq(outcome.status, 101);
    }
}
END_TEST

/* WHATWG WebSockets, "establish a WebSocket connection", step 11. */
START_TEST(subprotocol_may_be_needed)
{
    struct wsp_asked asked = everything();

    asked.is_protocol_needed = true;
    ck_assert_int_eq(outcome_of(&asked, GOOD(""), 0).verdict, WSP_VERDICT_PROTOCOL_MISSING);
    ck_assert_int_eq(outcome_of(&asked, GOOD(P("chat")), 0).verdict, WSP_VERDICT_ACCEPTED);
    asked.n_protocols = 0;
    ck_assert_int_eq(outcome_of(&asked, GOOD(""), 0).verdict, WSP_VERDICT_ACCEPTED);
}
END_TEST

/* Frames glued to the head come out as they went in, also where the head speaks of a body. */
START_TEST(what_follows_the_head_is_left)
{
    static const char *const heads[] = {
        GOOD("") "\x81\x05Hello",
        GOOD("Content-Length: 0\r\n") "\x81\x05Hello",
        GOOD("Content-Length: 2\r\n") "\x81\x05Hello",
        GOOD("Transfer-Encoding: chunked\r\n") "\x81\x05Hello",
        "HTTP/1.1 100\r\n\r\n" GOOD("") "\x81\x05Hello",
    };
    const char *bytes = heads[_i];

    for (size_t cut = 0; cut < pieces_n_cuts(strlen(bytes)); cut++) {
        struct outcome outcome = outcome_of(&nothing, bytes, cut);

        ck_assert_int_eq(outcome.verdict, WSP_VERDICT_ACCEPTED);
        ck_assert_str_eq(outcome.rest, "\x81\x05Hello");
    }
}
END_TEST

static const struct {
    const char *bytes;
    unsigned status;
    const char *retry_after;
    int64_t retry_after_s;
    const char *excerpt;
} refusals[] = {
    {"HTTP/1.1 404 Not Found\r\n\r\n", 404, "", -1, ""},
    {"HTTP/1.1 401 x\r\nContent-Length: 9\r\n\r\nno token.", 401, "", -1, "no token."},
    {"HTTP/1.1 429 x\r\nRetry-After: 30\r\n\r\nslow", 429, "30", 30, "slow"},
    /* a date: by the server's clock if it tells it, else by ours, which says 784111777 */
    {"HTTP/1.1 503 x\r\nRetry-After: Sun, 06 Nov 1994 08:51:37 GMT\r\n\r\n", 503,
     "Sun, 06 Nov 1994 08:51:37 GMT", 120, ""},
    {"HTTP/1.1 503 x\r\nRetry-After: Sun Nov  6 08:51:37 1994\r\n\r\n", 503,
     "Sun Nov  6 08:51:37 1994", 120, ""},
    {"HTTP/1.1 429 x\r\nDate: Fri, 31 Dec 1999 23:59:50 GMT\r\n"
     "Retry-After: Sat, 01 Jan 2000 00:00:20 GMT\r\n\r\n",
     429, "Sat, 01 Jan 2000 00:00:20 GMT", 30, ""},
    {"HTTP/1.1 429 x\r\nDate: yesterday\r\nRetry-After: Sunday, 06-Nov-94 08:49:38 GMT\r\n\r\n",
     429, "Sunday, 06-Nov-94 08:49:38 GMT", 1, ""},
    {"HTTP/1.1 503 x\r\nRetry-After: Sun, 06 Nov 1994 08:49:36 GMT\r\n\r\n", 503,
     "Sun, 06 Nov 1994 08:49:36 GMT", 0, ""},
    {"HTTP/1.1 503 x\r\nRetry-After: soon\r\n\r\n", 503, "soon", -1, ""},
    {"HTTP/1.1 503 x\r\nRetry-After: 1\r\nRetry-After: 2\r\n\r\n", 503, "", -1, ""},
    {"HTTP/1.1 503 x\r\nRetry-After: 0\r\n\r\n", 503, "0", 0, ""},
    {"HTTP/1.1 503 x\r\nRetry-After: -1\r\n\r\n", 503, "-1", -1, ""},
    {"HTTP/1.1 503 x\r\nRetry-After:\r\n\r\n", 503, "", -1, ""},
    {"HTTP/1.1 503 x\r\nRetry-After: 99999999999999999999999\r\n\r\n", 503,
     "99999999999999999999999", INT64_MAX, ""},
    {"HTTP/1.1 426 x\r\nSec-WebSocket-Version: 8\r\nContent-Length: 3\r\n\r\nabcdef", 426, "", -1,
     "abc"},
    {"HTTP/1.1 301 x\r\nLocation: wss://elsewhere/\r\nContent-Length: 0\r\n\r\nabc", 301, "", -1,
     ""},
    {"HTTP/1.1 204 x\r\n\r\nabc", 204, "", -1, ""},
    {"HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\nabc", 304, "", -1, ""},
    {"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nmore",
     500, "", -1, "abcde"},
    {"HTTP/1.1 103 x\r\nRetry-After: 5\r\n\r\nHTTP/1.1 403 No\r\n\r\nbody", 403, "", -1, "body"},
};

START_TEST(refusal_says_what_it_knows)
{
    for (size_t cut = 0; cut < pieces_n_cuts(strlen(refusals[_i].bytes)); cut++) {
        struct outcome outcome = outcome_of(&nothing, refusals[_i].bytes, cut);

        ck_assert_int_eq(outcome.verdict, WSP_VERDICT_REFUSED);
        ck_assert_uint_eq(outcome.status, refusals[_i].status);
        ck_assert_str_eq(outcome.retry_after, refusals[_i].retry_after);
        ck_assert_int_eq(outcome.retry_after_s, refusals[_i].retry_after_s);
        ck_assert_str_eq(outcome.excerpt, refusals[_i].excerpt);
        ck_assert_str_eq(outcome.rest, "");
    }
}
END_TEST

START_TEST(excerpt_is_bounded)
{
    static const char *const heads[] = {
        "HTTP/1.1 500 x\r\n\r\n",
        "HTTP/1.1 500 x\r\nContent-Length: 1500\r\n\r\n",
        "HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
    };
    char bytes[3000];

    for (int i = 0; i < N_OF(heads); i++) {
        size_t head_len = strlen(heads[i]);

        memcpy(bytes, heads[i], head_len);
        memset(bytes + head_len, 'x', 1500);
        bytes[head_len + 1500] = '\0';
        for (size_t cut = 0; cut < head_len + 3; cut++)
            ck_assert_uint_eq(strlen(outcome_of(&nothing, bytes, cut).excerpt),
                              WSP_MAX_ANSWER_EXCERPT);
    }
}
END_TEST

START_TEST(interim_answers_are_bounded)
{
    char bytes[1000] = "";

    for (int i = 0; i < WSP_MAX_N_INTERIM_ANSWERS; i++)
        strcat(bytes, "HTTP/1.1 103 x\r\n\r\n");
    strcat(bytes, GOOD(""));
    ck_assert_int_eq(outcome_of(&nothing, bytes, 1).verdict, WSP_VERDICT_ACCEPTED);
    strcpy(bytes, "");
    for (int i = 0; i < WSP_MAX_N_INTERIM_ANSWERS + 1; i++)
        strcat(bytes, "HTTP/1.1 103 x\r\n\r\n");
    ck_assert_int_eq(outcome_of(&nothing, bytes, 0).verdict, WSP_VERDICT_TOO_MANY_INTERIM);
    ck_assert_int_eq(outcome_of(&nothing, bytes, 1).verdict, WSP_VERDICT_TOO_MANY_INTERIM);
}
END_TEST

START_TEST(limits_hold_and_are_named)
{
    struct wsp_asked asked = nothing;
    struct wsp_response_reader reader;
    struct wsp_response response;

    asked.max_head_bytes = 100;
    wsp_response_reader_init(&reader, &asked);
    wsp_response_reader_feed(&reader, WSP_VIEW_LITERAL(GOOD("")));
    ck_assert_int_eq(wsp_response_reader_next(&reader, &response), WSP_BROKEN);
    ck_assert_int_eq(response.verdict, WSP_VERDICT_BAD_HEAD);
    ck_assert_str_eq(response.text, wsp_head_flaw_to_string(WSP_HEAD_TOO_LARGE));
    ck_assert_uint_eq(response.status, 0);
    wsp_response_reader_deinit(&reader);

    asked = nothing;
    asked.max_head_fields = 2;
    ck_assert_int_eq(outcome_of(&asked, GOOD(""), 0).verdict, WSP_VERDICT_BAD_HEAD);
}
END_TEST

/* Each allocation in turn is refused once, until none is left to be. */
START_TEST(answer_survives_refused_memory)
{
    struct wsp_asked asked = everything();
    struct wsp_response_reader reader;
    struct wsp_response response;
    size_t n_failed = 0;
    bool has_failed;

    do {
        int r;

        wsp_response_reader_init(&reader, &asked);
        wsp_response_reader_feed(
            &reader, WSP_VIEW_LITERAL(GOOD(E("foo; a; b; c; d; e; f") E("permessage-deflate"))));
        allocation_fail_after(n_failed);
        r = wsp_response_reader_next(&reader, &response);
        has_failed = allocation_disarm();
        ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
        n_failed += has_failed;
        ck_assert_int_eq(wsp_response_reader_next(&reader, &response), 0);
        ck_assert_int_eq(response.verdict, WSP_VERDICT_ACCEPTED);
        ck_assert(wsp_view_equals(response.extensions,
                                  WSP_VIEW_LITERAL("foo; a; b; c; d; e; f, permessage-deflate")));
        wsp_response_reader_deinit(&reader);
    } while (has_failed);
    ck_assert_uint_ge(n_failed, 3);
    wsp_response_reader_deinit(&reader);
    wsp_response_reader_deinit(NULL);
}
END_TEST

START_TEST(every_verdict_has_its_text)
{
    for (int i = WSP_VERDICT_ACCEPTED; i <= WSP_VERDICT_EXTENSION_NOT_ASKED; i++) {
        const char *text = wsp_verdict_to_string((enum wsp_verdict)i);

        ck_assert_uint_gt(strlen(text), 10);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(text, wsp_verdict_to_string((enum wsp_verdict)j));
    }
    ck_assert_ptr_nonnull(wsp_verdict_to_string((enum wsp_verdict)99));
}
END_TEST

/* -- requests -- */

#define G       "GET /chat HTTP/1.1\r\n"
#define H       "Host: h:80\r\n"
#define K       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V       "Sec-WebSocket-Version: 13\r\n"
#define KEY(it) G H U C V "Sec-WebSocket-Key: " it "\r\n\r\n"

static const struct {
    const char *bytes;
    unsigned status; /* 0: accepted */
} requests[] = {
    {G H U C K V "\r\n", 0},
    {G H U C K V "\r\n\x81\x80", 0},
    {"\r\n" G V K C U H "Origin: o\r\n\r\n", 0},
    {G H "Upgrade: h2c, WEBSOCKET\r\nConnection: keep-alive\r\nconnection: upgrade\r\n" K V "\r\n",
     0},
    {G H U C K V "Content-Length: 0\r\n\r\n", 0},
    {"GET http://h:80/chat HTTP/1.1\r\n" H U C K V "\r\n", 0},
    {"POST /chat HTTP/1.1\r\n" H U C K V "\r\n", 405},
    {"get /chat HTTP/1.1\r\n" H U C K V "\r\n", 405},
    {"GET /chat HTTP/1.0\r\n" H U C K V "\r\n", 505},
    {"GET /chat HTTP/2.0\r\n" H U C K V "\r\n", 505},
    {"GET /chat\r\n" H U C K V "\r\n", 400},
    {G U C K V "\r\n", 400},
    {G H H U C K V "\r\n", 400},
    {G "Host:\r\n" U C K V "\r\n", 400},
    {G H C K V "\r\n", 426},
    {G H "Upgrade: h2c\r\n" C K V "\r\n", 426},
    {G H U K V "\r\n", 426},
    {G H U "Connection: keep-alive\r\n" K V "\r\n", 426},
    {G H U C V "\r\n", 400},
    {G H U C K K V "\r\n", 400},
    {G H U C K "\r\n", 426},
    {G H U C K "Sec-WebSocket-Version: 8\r\n\r\n", 426},
    {G H U C K "Sec-WebSocket-Version: 13, 8\r\n\r\n", 426},
    {G H U C K V V "\r\n", 426},
    {G H U C K V "Content-Length: 5\r\n\r\nHello", 400},
    {G H U C K V "Transfer-Encoding: chunked\r\n\r\n", 400},
    {KEY("dGhlIHNhbXBsZSBub25jZQ="), 400},
    {KEY("dGhlIHNhbXBsZSBub25jZQ==="), 400},
    {KEY("dGhlIHNhbXBsZSBub25jZQxx"), 400},
    {KEY("dGhlIHNhbXBsZSBub25j!Q=="), 400},
    {KEY("dGhlIHNhbXBsZSBub25jZWU="), 400},
    {KEY("AAAAAAAAAAAAAAAAAAAA//=="), 0},
    {KEY("AAAAAAAAAAAAAAAAAAAA+z=="), 0},
    {KEY(""), 400},
    {G "Bad Field: x\r\n\r\n", 400},
};

static void assert_request(const char *bytes, unsigned status, size_t cut)
{
    struct wsp_request_reader reader;
    struct wsp_client_request request;
    struct pieces pieces;
    struct wsp_view piece;
    int r = WSP_MORE;

    wsp_request_reader_init(&reader, 1000, 20);
    pieces_init(&pieces, bytes, strlen(bytes), cut);
    while (r == WSP_MORE && pieces_next(&pieces, &piece)) {
        wsp_request_reader_feed(&reader, piece);
        r = wsp_request_reader_next(&reader, &request);
        ck_assert_int_eq(wsp_request_reader_next(&reader, &request), r);
    }
    ck_assert_int_eq(r, status == 0 ? 0 : WSP_BROKEN);
    ck_assert_uint_eq(wsp_request_reader_status(&reader), status);
    ck_assert_int_eq(wsp_request_reader_why(&reader) == NULL, status == 0);
    if (r == 0) {
        ck_assert(wsp_view_equals(request.host, WSP_VIEW_LITERAL("h:80")));
        ck_assert_uint_ge(request.target.len, 5);
    }
    pieces_deinit(&pieces);
    wsp_request_reader_deinit(&reader);
}

START_TEST(request_is_judged)
{
    for (size_t cut = 0; cut < pieces_n_cuts(strlen(requests[_i].bytes)); cut++)
        assert_request(requests[_i].bytes, requests[_i].status, cut);
}
END_TEST

START_TEST(request_says_what_is_wanted)
{
    struct wsp_request_reader reader;
    struct wsp_client_request request;

    wsp_request_reader_init(&reader, 1000, 20);
    wsp_request_reader_feed(&reader, WSP_VIEW_LITERAL(G H U C K V "Origin: https://o\r\n" P(
                                         "chat, other") P("v2.chat") "\r\nrest"));
    ck_assert_int_eq(wsp_request_reader_next(&reader, &request), 0);
    ck_assert(wsp_view_equals(request.target, WSP_VIEW_LITERAL("/chat")));
    ck_assert(wsp_view_equals(request.origin, WSP_VIEW_LITERAL("https://o")));
    ck_assert(wsp_view_equals(request.rest, WSP_VIEW_LITERAL("rest")));
    unit_assert_bytes(request.key, sizeof(request.key), "dGhlIHNhbXBsZSBub25jZQ==", 24);
    ck_assert(wsp_client_request_has_protocol(&request, WSP_VIEW_LITERAL("chat")));
    ck_assert(wsp_client_request_has_protocol(&request, WSP_VIEW_LITERAL("v2.chat")));
    ck_assert(!wsp_client_request_has_protocol(&request, WSP_VIEW_LITERAL("Chat")));
    wsp_request_reader_deinit(&reader);
    wsp_request_reader_deinit(NULL);
}
END_TEST

START_TEST(too_large_a_request_is_431)
{
    struct wsp_request_reader reader;
    struct wsp_client_request request;

    wsp_request_reader_init(&reader, 50, 20);
    wsp_request_reader_feed(&reader, WSP_VIEW_LITERAL(G H U C K V "\r\n"));
    ck_assert_int_eq(wsp_request_reader_next(&reader, &request), WSP_BROKEN);
    ck_assert_uint_eq(wsp_request_reader_status(&reader), 431);
    wsp_request_reader_deinit(&reader);
    wsp_request_reader_init(&reader, 1000, 2);
    wsp_request_reader_feed(&reader, WSP_VIEW_LITERAL(G H U C K V "\r\n"));
    ck_assert_int_eq(wsp_request_reader_next(&reader, &request), WSP_BROKEN);
    ck_assert_uint_eq(wsp_request_reader_status(&reader), 431);
    wsp_request_reader_deinit(&reader);
}
END_TEST

/* -- both together: what one side writes, the other accepts -- */

START_TEST(our_own_request_and_answer_are_good)
{
    struct wsp_request asked_for = {
        .target = TEXT("/"),
        .host = TEXT("h"),
        .protocols = protocols,
        .n_protocols = N_OF(protocols),
        .extensions = TEXT("permessage-deflate; client_max_window_bits, foo"),
    };
    struct wsp_asked asked = everything();
    struct wsp_request_reader server;
    struct wsp_client_request request;
    struct wsp_response_reader client;
    struct wsp_response response;
    struct wsp_buffer out;

    memcpy(asked_for.nonce, "the sample nonce", sizeof(asked_for.nonce));
    wsp_buffer_init(&out, 10000);
    ck_assert_int_eq(wsp_handshake_write_request(&out, &asked_for), 0);
    wsp_request_reader_init(&server, 1000, 20);
    wsp_request_reader_feed(&server,
                            (struct wsp_view){wsp_buffer_peek(&out), wsp_buffer_len(&out)});
    ck_assert_int_eq(wsp_request_reader_next(&server, &request), 0);
    ck_assert(wsp_client_request_has_protocol(&request, protocols[1]));
    ck_assert_uint_eq(request.rest.len, 0);
    wsp_buffer_consume(&out, wsp_buffer_len(&out));
    ck_assert_int_eq(wsp_handshake_write_accept(&out, asked.accept, protocols[1],
                                                WSP_VIEW_LITERAL("permessage-deflate"), NULL, 0),
                     0);
    wsp_response_reader_init(&client, &asked);
    wsp_response_reader_feed(&client,
                             (struct wsp_view){wsp_buffer_peek(&out), wsp_buffer_len(&out)});
    ck_assert_int_eq(wsp_response_reader_next(&client, &response), 0);
    ck_assert_int_eq(response.verdict, WSP_VERDICT_ACCEPTED);
    ck_assert(wsp_view_equals(response.protocol, protocols[1]));
    wsp_response_reader_deinit(&client);
    wsp_request_reader_deinit(&server);
    wsp_buffer_deinit(&out);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("verdict");
    TCase *answer = unit_case(suite, "answer");
    TCase *request = unit_case(suite, "request");

    tcase_set_timeout(answer, 60);
    tcase_set_timeout(request, 60);
    tcase_add_loop_test(answer, answer_to_a_bare_request, 0, N_OF(bare));
    tcase_add_loop_test(answer, answer_to_a_full_request, 0, N_OF(full));
    tcase_add_test(answer, subprotocol_may_be_needed);
    tcase_add_loop_test(answer, what_follows_the_head_is_left, 0, 5);
    tcase_add_loop_test(answer, refusal_says_what_it_knows, 0, N_OF(refusals));
    tcase_add_test(answer, excerpt_is_bounded);
    tcase_add_test(answer, interim_answers_are_bounded);
    tcase_add_test(answer, limits_hold_and_are_named);
    tcase_add_test(answer, answer_survives_refused_memory);
    tcase_add_test(answer, every_verdict_has_its_text);
    tcase_add_loop_test(request, request_is_judged, 0, N_OF(requests));
    tcase_add_test(request, request_says_what_is_wanted);
    tcase_add_test(request, too_large_a_request_is_431);
    tcase_add_test(request, our_own_request_and_answer_are_good);
    return suite;
}

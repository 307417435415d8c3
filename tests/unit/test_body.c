/*
 * test_body: bodies of answers against RFC 9112, sections 6 and 7, clause by clause.
 *
 * Every row is run whole, byte by byte and cut in two at each byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/body.h"
#include "tests/harness/pieces.h"
#include "tests/harness/unit.h"

#include <string.h>

#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct {
    const char *head; /* with no end */
    const char *bytes;
    const char *body;
    bool is_over;
} rows[] = {
    /* section 6.3, item 1: none at all */
    {"HTTP/1.1 204 x\r\n", "abc", "", true},
    {"HTTP/1.1 304 x\r\nContent-Length: 3\r\n", "abc", "", true},
    {"HTTP/1.1 204 x\r\n" CHUNKED, "3\r\nabc\r\n", "", true},
    /* item 3: a transfer coding goes before a length */
    {"HTTP/1.1 500 x\r\nContent-Length: 1\r\n" CHUNKED, "3\r\nabc\r\n0\r\n\r\n", "abc", true},
    /* item 4, and codings that are not taken off */
    {"HTTP/1.1 500 x\r\nTransfer-Encoding: gzip\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nTransfer-Encoding: gzip, chunked\r\n", "3\r\nabc\r\n", "", true},
    {"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked, gzip\r\n", "3\r\nabc\r\n", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED CHUNKED, "3\r\nabc\r\n", "", true},
    {"HTTP/1.1 500 x\r\nTransfer-Encoding:\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nTransfer-Encoding: CHUNKED\r\n", "1\r\na\r\n0\r\n", "a", true},
    {"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked;x=y\r\n", "1\r\na\r\n0\r\n", "", true},
    /* section 6.1: HTTP/1.0 has no transfer codings */
    {"HTTP/1.0 500 x\r\n" CHUNKED, "3\r\nabc\r\n", "", true},
    /* item 5: lengths that cannot be trusted */
    {"HTTP/1.1 500 x\r\nContent-Length: x\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Length: -1\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Length: +1\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Length: 1 2\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Length:\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Length: 2, 3\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Length: 2\r\nContent-Length: 3\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Length: 2, 2\r\ncontent-length: 2\r\n", "abc", "ab", true},
    /* item 6: a length */
    {"HTTP/1.1 500 x\r\nContent-Length: 0\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Length: 2\r\n", "abc", "ab", true},
    {"HTTP/1.1 500 x\r\nContent-Length: 3\r\n", "abc", "abc", true},
    {"HTTP/1.1 500 x\r\nContent-Length: 4\r\n", "abc", "abc", false},
    {"HTTP/1.0 500 x\r\nContent-Length: 2\r\n", "abc", "ab", true},
    {"HTTP/1.1 500 x\r\nContent-Length: 99999999999999999999999\r\n", "abc", "abc", false},
    /* item 8: until the connection ends */
    {"HTTP/1.1 500 x\r\n", "abc", "abc", false},
    {"HTTP/1.0 500 x\r\n", "abc", "abc", false},
    /* RFC 9110, section 8.4: a content coding is left out */
    {"HTTP/1.1 500 x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Encoding: identity, br\r\n", "abc", "", true},
    {"HTTP/1.1 500 x\r\nContent-Encoding: Identity\r\n", "abc", "abc", false},
    {"HTTP/1.1 500 x\r\nContent-Encoding:\r\n", "abc", "abc", false},
    /* section 7.1: chunks */
    {"HTTP/1.1 500 x\r\n" CHUNKED, "3\r\nabc\r\n0A\r\n0123456789\r\n000\r\nX: y\r\n\r\nz",
     "abc0123456789", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n",
     "abcdefghijklmnopqrstuvwxyz", false},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "F\r\n0123456789\r\nab", "0123456789\r\nab", false},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "0\r\n\r\nabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "3;a=\"b\"\r\nabc\r\n1 ; c\r\nd\r\n0;\r\n", "abcd", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "3\t\r\nabc", "abc", false},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "FFFFFFFFFFFFFFFF\r\nabc", "abc", false},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "00000000000000000003\r\nabc", "abc", false},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "10000000000000000\r\nabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "\r\nabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "g\r\nabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "-1\r\nabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "0x3\r\nabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, " 3\r\nabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "3\nabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "3;\nabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "3\rabc", "", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "3\r\nabcd\r\n", "abc", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "3\r\nabc\rd", "abc", true},
    {"HTTP/1.1 500 x\r\n" CHUNKED, "3\r\nabc\r\n\r\n", "abc", true},
};

static void init_body(struct wsp_body *body, const char *text)
{
    struct wsp_head head;

    wsp_head_init(&head, WSP_HEAD_RESPONSE, 1000, 10);
    wsp_head_feed(&head, wsp_view_of_string(text));
    ck_assert_int_eq(wsp_head_next(&head), WSP_MORE);
    wsp_head_feed(&head, WSP_VIEW_LITERAL("\r\n"));
    ck_assert_int_eq(wsp_head_next(&head), 0);
    wsp_body_init(body, &head);
    wsp_head_deinit(&head);
}

START_TEST(body_is_read)
{
    for (size_t cut = 0; cut < pieces_n_cuts(strlen(rows[_i].bytes)); cut++) {
        struct wsp_body body;
        struct pieces pieces;
        struct wsp_view input, piece;
        char read[100] = "";

        init_body(&body, rows[_i].head);
        pieces_init(&pieces, rows[_i].bytes, strlen(rows[_i].bytes), cut);
        while (pieces_next(&pieces, &input)) {
            while (wsp_body_next(&body, &input, &piece)) {
                ck_assert_uint_gt(piece.len, 0);
                strncat(read, (const char *)piece.data, piece.len);
            }
            ck_assert(input.len == 0 || wsp_body_is_over(&body));
        }
        ck_assert_str_eq(read, rows[_i].body);
        ck_assert_int_eq(wsp_body_is_over(&body), rows[_i].is_over);
        pieces_deinit(&pieces);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("body");
    TCase *framing = unit_case(suite, "framing");

    tcase_add_loop_test(framing, body_is_read, 0, N_OF(rows));
    return suite;
}

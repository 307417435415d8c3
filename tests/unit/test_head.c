/*
 * test_head: HTTP heads against RFC 9112, clause by clause.
 *
 * A row is what comes and what is read of it, written as a line: the start line's parts, then each
 * field as {name=value}, then what follows the head; or ! and the flaw's name; or + for "more".
 * Every row is run whole, byte by byte and cut in two at each byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/head.h"
#include "tests/harness/allocation.h"
#include "tests/harness/pieces.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) literal, sizeof(literal) - 1

#define MAX_BYTES  120
#define MAX_FIELDS 4

static const char *const flaw_names[] = {
#define WSP_HEAD_FLAW(name, text) [WSP_HEAD_##name] = #name,
    WSP_HEAD_FLAWS(WSP_HEAD_FLAW)
#undef WSP_HEAD_FLAW
};

static void append(char *text, struct wsp_view view)
{
    strncat(text, (const char *)view.data, view.len);
}

static void tell_head(const struct wsp_head *head, char *text)
{
    if (head->kind == WSP_HEAD_REQUEST) {
        append(text, wsp_head_method(head));
        strcat(text, " ");
        append(text, wsp_head_target(head));
    } else {
        sprintf(text, "%u ", wsp_head_status(head));
        append(text, wsp_head_reason(head));
    }
    sprintf(text + strlen(text), " 1.%u", wsp_head_minor(head));
    for (size_t i = 0; i < wsp_head_n_fields(head); i++) {
        strcat(text, " {");
        append(text, wsp_head_field(head, i).name);
        strcat(text, "=");
        append(text, wsp_head_field(head, i).value);
        strcat(text, "}");
    }
    strcat(text, " ");
}

static void read_head(enum wsp_head_kind kind, const char *bytes, size_t len, size_t cut,
                      char *text)
{
    struct wsp_head head;
    struct pieces pieces;
    struct wsp_view piece;
    int r = WSP_MORE;

    text[0] = '\0';
    wsp_head_init(&head, kind, MAX_BYTES, MAX_FIELDS);
    pieces_init(&pieces, bytes, len, cut);
    while (r == WSP_MORE && pieces_next(&pieces, &piece)) {
        wsp_head_feed(&head, piece);
        r = wsp_head_next(&head);
        ck_assert_int_eq(wsp_head_next(&head), r);
    }
    if (r == 0) {
        tell_head(&head, text);
        append(text, wsp_head_rest(&head));
        while (pieces_next(&pieces, &piece))
            append(text, piece);
    } else if (r == WSP_BROKEN) {
        sprintf(text, "!%s", flaw_names[wsp_head_get_flaw(&head)]);
    } else {
        ck_assert_int_eq(r, WSP_MORE);
        strcpy(text, "+");
    }
    pieces_deinit(&pieces);
    wsp_head_deinit(&head);
}

static void assert_head(enum wsp_head_kind kind, const char *bytes, size_t len,
                        const char *expected)
{
    char text[512];

    for (size_t cut = 0; cut < pieces_n_cuts(len); cut++) {
        read_head(kind, bytes, len, cut, text);
        ck_assert_msg(strcmp(text, expected) == 0, "cut %zu: %s, not %s", cut, text, expected);
    }
}

static const struct {
    const char *bytes;
    size_t len;
    const char *text;
} responses[] = {
    /* status lines, RFC 9112 section 4 */
    {BYTES("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "101 Switching Protocols 1.1 "},
    {BYTES("HTTP/1.1 101 \r\n\r\n"), "101  1.1 "},
    {BYTES("HTTP/1.1 101\r\n\r\n"), "101  1.1 "},
    {BYTES("HTTP/1.0 999 \xc3\xa4\r\n\r\n"), "999 \xc3\xa4 1.0 "},
    {BYTES("HTTP/1.7 200 OK\r\n\r\n"), "200 OK 1.7 "},
    {BYTES("HTTP/1.1 101 x\r\n\r\nframes"), "101 x 1.1 frames"},
    {BYTES("HTTP/1.1 101 x\r\n\r\n\r\n"), "101 x 1.1 \r\n"},
    {BYTES("HTTP/1.1 099 x\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("HTTP/1.1 10 x\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("HTTP/1.1 1011 x\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("HTTP/1.1 1x1 x\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("HTTP/1.1  101 x\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("HTTP/1.1\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("HTTP/1.1 101\tx\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("HTTP/1.12 101 x\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("HTTP/1. 101 x\r\n\r\n"), "!BAD_VERSION"},
    {BYTES("HTTP/2.0 101 x\r\n\r\n"), "!BAD_VERSION"},
    {BYTES("HTTP/2 101 x\r\n\r\n"), "!BAD_VERSION"},
    {BYTES("http/1.1 101 x\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("SSH-2.0-OpenSSH_9.2\r\n"), "!BAD_STATUS_LINE"},
    {BYTES("\x15\x03\x01\x00\x02\x02\x16\n"), "!BAD_BYTE"},
    {BYTES("\r\nHTTP/1.1 101 x\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES(" HTTP/1.1 101 x\r\n\r\n"), "!BAD_STATUS_LINE"},
    {BYTES(""), "+"},
    {BYTES("HTTP/1.1 101 x\r\n"), "+"},
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\n"), "+"},
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\n\r"), "+"},
    {BYTES("never a line"), "+"},

    /* fields, section 5 */
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\nC:d\r\n\r\n"), "101 x 1.1 {A=b} {C=d} "},
    {BYTES("HTTP/1.1 101 x\r\nA: \t b c \t\r\n\r\n"), "101 x 1.1 {A=b c} "},
    {BYTES("HTTP/1.1 101 x\r\nA:\r\nB: \r\n\r\n"), "101 x 1.1 {A=} {B=} "},
    {BYTES("HTTP/1.1 101 x\r\nA: b:c: d\r\n\r\n"), "101 x 1.1 {A=b:c: d} "},
    {BYTES("HTTP/1.1 101 x\r\nA: \xff\x01\x7f\r\n\r\n"), "101 x 1.1 {A=\xff\x01\x7f} "},
    {BYTES("HTTP/1.1 101 x\r\n!#$%&'*+-.^_`|~09azAZ: y\r\n\r\n"),
     "101 x 1.1 {!#$%&'*+-.^_`|~09azAZ=y} "},
    {BYTES("HTTP/1.1 101 x\r\nA : b\r\n\r\n"), "!BAD_FIELD"},
    {BYTES("HTTP/1.1 101 x\r\nA\t: b\r\n\r\n"), "!BAD_FIELD"},
    {BYTES("HTTP/1.1 101 x\r\nA b: c\r\n\r\n"), "!BAD_FIELD"},
    {BYTES("HTTP/1.1 101 x\r\n: b\r\n\r\n"), "!BAD_FIELD"},
    {BYTES("HTTP/1.1 101 x\r\nA\r\n\r\n"), "!BAD_FIELD"},
    {BYTES("HTTP/1.1 101 x\r\n\xc3\xa4: b\r\n\r\n"), "!BAD_FIELD"},
    {BYTES("HTTP/1.1 101 x\r\nA: b\0c\r\n\r\n"), "!BAD_BYTE"},
    {BYTES("HTTP/1.1 101 x\r\n\0: b\r\n\r\n"), "!BAD_BYTE"},
    {BYTES("HTTP/1.1 101 x\r\nA: b\rc\r\n\r\n"), "!BAD_BYTE"},
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\r\n\r\n"), "!BAD_BYTE"},
    {BYTES("HTTP/1.1 101 \rx\r\n\r\n"), "!BAD_BYTE"},

    /* a lone LF ends a line, section 2.2 */
    {BYTES("HTTP/1.1 101 x\nA: b\n\nframes"), "101 x 1.1 {A=b} frames"},
    {BYTES("HTTP/1.1 101 x\nA: b\r\n\n"), "101 x 1.1 {A=b} "},
    {BYTES("HTTP/1.1 101 x\r\nA: b\n\r\nframes"), "101 x 1.1 {A=b} frames"},
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\n\r\r\n"), "!BAD_BYTE"},
    {BYTES("HTTP/1.1 101 x\r\r\nA: b\r\n\r\n"), "!BAD_BYTE"},

    /* folded lines, section 5.2: each CR, LF and blank of the fold is a space */
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\n c\r\nD: e\r\n\r\n"), "101 x 1.1 {A=b   c} {D=e} "},
    {BYTES("HTTP/1.1 101 x\r\nA: b\n\tc\r\n\r\n"), "101 x 1.1 {A=b \tc} "},
    {BYTES("HTTP/1.1 101 x\r\nA:\r\n b\r\n\r\n"), "101 x 1.1 {A=b} "},
    {BYTES("HTTP/1.1 101 x\r\nA: b \t\r\n \r\n c \r\n\r\n"), "101 x 1.1 {A=b        c} "},
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\n \r\n\r\n"), "101 x 1.1 {A=b} "},
    {BYTES("HTTP/1.1 101 x\r\nA:\r\n \r\n\r\n"), "101 x 1.1 {A=} "},
    {BYTES("HTTP/1.1 101 x\r\n A: b\r\n\r\n"), "!BAD_FOLD"},
    {BYTES("HTTP/1.1 101 x\r\n\t\r\n\r\n"), "!BAD_FOLD"},
    {BYTES("HTTP/1.1 101\r\n x\r\nA: b\r\n\r\n"), "!BAD_FOLD"},
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\n c\0d\r\n\r\n"), "!BAD_BYTE"},
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\n c\rd\r\n\r\n"), "!BAD_BYTE"},
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\n c: d\r\n\r\n"), "101 x 1.1 {A=b   c: d} "},
    /* what follows the head continues no field */
    {BYTES("HTTP/1.1 101 x\r\nA: b\r\n\r\n c\r\n"), "101 x 1.1 {A=b}  c\r\n"},

    /* fields of one name stay apart and in order, sections 5.2 and 5.3 of RFC 9110 */
    {BYTES("HTTP/1.1 101 x\r\na: 1\r\nB: 2\r\nA: 3\r\na: 1\r\n\r\n"),
     "101 x 1.1 {a=1} {B=2} {A=3} {a=1} "},

    /* limits: 4 fields, 120 bytes with the last LF */
    {BYTES("HTTP/1.1 101 x\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\n\r\n"),
     "101 x 1.1 {A=1} {B=2} {C=3} {D=4} "},
    {BYTES("HTTP/1.1 101 x\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\n 5\r\n\r\n"),
     "101 x 1.1 {A=1} {B=2} {C=3} {D=4   5} "},
    {BYTES("HTTP/1.1 101 x\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\nE:5\r\n\r\n"), "!TOO_MANY_FIELDS"},
    {BYTES("HTTP/1.1 101 x\r\nA: "
           "0123456789012345678901234567890123456789012345678901234567890123456789"
           "012345678901234567890123456\r\n\r\n"),
     "101 x 1.1 {A=0123456789012345678901234567890123456789012345678901234567890123456789"
     "012345678901234567890123456} "},
    {BYTES("HTTP/1.1 101 x\r\nA: "
           "0123456789012345678901234567890123456789012345678901234567890123456789"
           "0123456789012345678901234567\r\n\r\n"),
     "!TOO_LARGE"},
    {BYTES("0123456789012345678901234567890123456789012345678901234567890123456789"
           "01234567890123456789012345678901234567890123456789"),
     "+"},
    {BYTES("0123456789012345678901234567890123456789012345678901234567890123456789"
           "012345678901234567890123456789012345678901234567890"),
     "!TOO_LARGE"},
};

START_TEST(response_is_read)
{
    assert_head(WSP_HEAD_RESPONSE, responses[_i].bytes, responses[_i].len, responses[_i].text);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
    const char *text;
} requests[] = {
    /* request lines, RFC 9112 section 3 */
    {BYTES("GET / HTTP/1.1\r\n\r\n"), "GET / 1.1 "},
    {BYTES("GET /chat?x=%20 HTTP/1.1\r\nHost: h\r\n\r\nrest"), "GET /chat?x=%20 1.1 {Host=h} rest"},
    {BYTES("OPTIONS * HTTP/1.0\n\n"), "OPTIONS * 1.0 "},
    {BYTES("M-SEARCH http://h/ HTTP/1.1\r\n\r\n"), "M-SEARCH http://h/ 1.1 "},
    {BYTES("\r\n\r\n\nGET / HTTP/1.1\r\n\r\n"), "GET / 1.1 "},
    {BYTES("GET  / HTTP/1.1\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("GET /  HTTP/1.1\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("GET / HTTP/1.1 \r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES(" GET / HTTP/1.1\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("GET /a b HTTP/1.1\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("GET /\t HTTP/1.1\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("GET /\xc3\xa4 HTTP/1.1\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("G(T / HTTP/1.1\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("GET /\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("GET\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("GET / HTCPCP/1.0\r\n\r\n"), "!BAD_REQUEST_LINE"},
    {BYTES("PRI * HTTP/2.0\r\n\r\n"), "!BAD_VERSION"},
    {BYTES("GET / HTTP/1.1\r\n A: b\r\n\r\n"), "!BAD_FOLD"},
    {BYTES("\r\n\r\n"), "+"},
};

START_TEST(request_is_read)
{
    assert_head(WSP_HEAD_REQUEST, requests[_i].bytes, requests[_i].len, requests[_i].text);
}
END_TEST

/* -- finding -- */

static void init_whole(struct wsp_head *head, const char *bytes)
{
    wsp_head_init(head, WSP_HEAD_RESPONSE, 1000, 100);
    wsp_head_feed(head, wsp_view_of_string(bytes));
    ck_assert_int_eq(wsp_head_next(head), 0);
}

START_TEST(fields_are_found_in_any_case_and_in_order)
{
    struct wsp_head head;
    struct wsp_view value;
    size_t index = 0;

    init_whole(&head, "HTTP/1.1 200 x\r\nA: 1\r\nab: 2\r\na: 3\r\nB: 4\r\nA: 5\r\n\r\n");
    ck_assert_uint_eq(wsp_head_count(&head, "a"), 3);
    ck_assert_uint_eq(wsp_head_count(&head, "AB"), 1);
    ck_assert_uint_eq(wsp_head_count(&head, "c"), 0);
    ck_assert(wsp_head_find(&head, "A", NULL, &value));
    ck_assert(wsp_view_equals(value, WSP_VIEW_LITERAL("1")));
    ck_assert(wsp_head_find(&head, "A", &index, &value) && index == 1);
    ck_assert(wsp_head_find(&head, "A", &index, &value) && index == 3);
    ck_assert(wsp_view_equals(value, WSP_VIEW_LITERAL("3")));
    ck_assert(wsp_head_find(&head, "A", &index, &value) && index == 5);
    value = WSP_VIEW_LITERAL("untouched");
    ck_assert(!wsp_head_find(&head, "A", &index, &value) && index == 5);
    ck_assert(!wsp_head_find(&head, "c", NULL, &value));
    ck_assert(wsp_view_equals(value, WSP_VIEW_LITERAL("untouched")));
    wsp_head_deinit(&head);
}
END_TEST

START_TEST(list_goes_over_all_fields_of_its_name)
{
    static const char *const expected[] = {"keep-alive", "Upgrade", "x=\"a,b\"", "y"};
    struct wsp_head head;
    struct wsp_head_list list;
    struct wsp_view element;

    init_whole(&head, "HTTP/1.1 200 x\r\nConnection: keep-alive, Upgrade\r\nOther: no\r\n"
                      "connection:\r\nCONNECTION: ,x=\"a,b\",\r\n y\r\n\r\n");
    list = wsp_head_list(&head, "Connection");
    for (int i = 0; i < N_OF(expected); i++) {
        ck_assert(wsp_head_list_next(&list, &element));
        unit_assert_bytes(element.data, element.len, expected[i], strlen(expected[i]));
    }
    ck_assert(!wsp_head_list_next(&list, &element));
    ck_assert(wsp_head_list_has(&head, "connection", "upgrade"));
    ck_assert(wsp_head_list_has(&head, "connection", "Y"));
    ck_assert(!wsp_head_list_has(&head, "connection", "keep"));
    ck_assert(!wsp_head_list_has(&head, "absent", "keep"));
    wsp_head_deinit(&head);
}
END_TEST

/* -- life -- */

START_TEST(next_head_on_the_same_connection)
{
    struct wsp_head head;

    init_whole(&head,
               "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 101 x\r\nB: c\r\n\r\nrest");
    ck_assert_uint_eq(wsp_head_status(&head), 103);
    wsp_head_restart(&head);
    ck_assert_int_eq(wsp_head_next(&head), 0);
    ck_assert_uint_eq(wsp_head_status(&head), 101);
    ck_assert_uint_eq(wsp_head_n_fields(&head), 1);
    ck_assert_uint_eq(wsp_head_count(&head, "Link"), 0);
    ck_assert(wsp_view_equals(wsp_head_rest(&head), WSP_VIEW_LITERAL("rest")));
    wsp_head_deinit(&head);
    wsp_head_deinit(&head);
    wsp_head_deinit(NULL);
}
END_TEST

/* More fields than the first room: each allocation is refused once, and nothing is lost. */
START_TEST(refused_memory_loses_nothing)
{
    char bytes[2000] = "HTTP/1.1 200 x\r\n";
    struct wsp_head head;
    size_t n_failed = 0;
    bool has_failed;
    int r;

    for (int i = 0; i < 50; i++)
        sprintf(bytes + strlen(bytes), "N%d: a value of some length %d\r\n", i, i);
    strcat(bytes, "\r\n");
    wsp_head_init(&head, WSP_HEAD_RESPONSE, sizeof(bytes), 50);
    for (size_t i = 0; i < strlen(bytes); i++) {
        wsp_head_feed(&head, (struct wsp_view){(const uint8_t *)bytes + i, 1});
        do {
            allocation_fail_after(0);
            r = wsp_head_next(&head);
            has_failed = allocation_disarm();
            ck_assert_int_eq(r == -ENOMEM, has_failed);
            n_failed += has_failed;
            if (has_failed)
                r = wsp_head_next(&head);
        } while (r < 0);
    }
    ck_assert_int_eq(r, 0);
    ck_assert_uint_ge(n_failed, 6);
    ck_assert_uint_eq(wsp_head_n_fields(&head), 50);
    for (size_t i = 0; i < 50; i++) {
        char value[50];

        sprintf(value, "a value of some length %zu", i);
        ck_assert(wsp_view_equals(wsp_head_field(&head, i).value, wsp_view_of_string(value)));
    }
    wsp_head_deinit(&head);
}
END_TEST

START_TEST(every_flaw_has_its_text)
{
    for (int i = 0; i < N_OF(flaw_names); i++) {
        const char *text = wsp_head_flaw_to_string((enum wsp_head_flaw)i);

        ck_assert_uint_gt(strlen(text), 10);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(text, wsp_head_flaw_to_string((enum wsp_head_flaw)j));
    }
    ck_assert_ptr_nonnull(wsp_head_flaw_to_string((enum wsp_head_flaw)99));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("head");
    TCase *lines = unit_case(suite, "lines");
    TCase *fields = unit_case(suite, "fields");

    tcase_set_timeout(lines, 60);
    tcase_add_loop_test(lines, response_is_read, 0, N_OF(responses));
    tcase_add_loop_test(lines, request_is_read, 0, N_OF(requests));
    tcase_add_test(fields, fields_are_found_in_any_case_and_in_order);
    tcase_add_test(fields, list_goes_over_all_fields_of_its_name);
    tcase_add_test(fields, next_head_on_the_same_connection);
    tcase_add_test(fields, refused_memory_loses_nothing);
    tcase_add_test(fields, every_flaw_has_its_text);
    return suite;
}

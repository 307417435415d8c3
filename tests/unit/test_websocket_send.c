/*
 * test_websocket_send: send() and bufferedAmount, pieces and credit, and who goes first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"

static uint8_t big[300000];

static void fill_big(void)
{
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 7 + i / 251);
}

static void assert_piece(struct client_fixture *f, uint32_t channel, const void *data, size_t len,
                         bool has_more)
{
    struct wsp_message message = client_fixture_expect(f, WSP_LOCAL_BINARY);

    ck_assert_uint_eq(message.channel, channel);
    unit_assert_bytes(message.binary.payload.data, message.binary.payload.len, data, len);
    ck_assert_uint_eq(message.flags, has_more ? WSP_WIRE_MORE : 0);
}

START_TEST(in_connecting_it_is_an_invalid_state_error)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "x", 1), WSPLEX_ERROR_INVALID_STATE);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, "x", 1), WSPLEX_ERROR_INVALID_STATE);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(text_and_binary_go_as_they_are)
{
    struct client_fixture f;
    struct wsp_message message;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "a\0\xe2\x82\xac", 5), 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, "\xff\0", 2), 0);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, NULL, 0), 0);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 7);
    message = client_fixture_expect(&f, WSP_LOCAL_TEXT);
    unit_assert_bytes(message.text.payload.data, message.text.payload.len, "a\0\xe2\x82\xac", 5);
    assert_piece(&f, 1, "\xff\0", 2, false);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_TEXT).text.payload.len, 0);
    client_fixture_deinit(&f);
}
END_TEST

static const struct {
    const char *text;
    size_t len;
    const char *where;
} bad_texts[] = {
    {"ab\xff", 3, "byte 2"},
    {"\xc0\x80", 2, "byte 0"},
    {"ab\xe2\x82", 4, "after 4 bytes"},
    {"\xed\xa0\x80", 3, "byte 1"},
};

START_TEST(text_that_is_not_utf8_is_refused_and_says_where)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, bad_texts[_i].text, bad_texts[_i].len),
                     WSPLEX_ERROR_NOT_UTF8);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), bad_texts[_i].where));
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_message_above_the_limit_is_refused)
{
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &f.websocket), 0);
    client_fixture_expect(&f, WSP_LOCAL_HELLO);
    fake_daemon_send_hello(&f.daemon, 16);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    f.daemon.max_message = 100;
    fake_daemon_send_opened(&f.daemon, 1, "", "");
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 101), WSPLEX_ERROR_TOO_LARGE);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 100), 0);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 100);
    client_fixture_deinit(&f);
}
END_TEST

/* Falls by SENT alone, wherever the bytes wait, and never after the end. */
START_TEST(buffered_amount_is_what_is_not_yet_on_the_network)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 100), 0);
    assert_piece(&f, 1, big, 100, false);
    client_fixture_settle(&f);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 100);
    fake_daemon_send_sent(&f.daemon, 1, 30);
    client_fixture_settle(&f);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 70);
    fake_daemon_send_sent(&f.daemon, 1, 90);
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 10);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "abc", 3), 0);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "\xff", 1), WSPLEX_ERROR_NOT_UTF8);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 13);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(in_closing_it_is_counted_and_not_sent)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, NULL), 0);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "abc", 3), 0);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 3);
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

static const size_t lengths[] = {0, 1, 65535, 65536};

START_TEST(a_message_of_one_frame)
{
    struct client_fixture f;

    fill_big();
    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, lengths[_i]), 0);
    assert_piece(&f, 1, big, lengths[_i], false);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/* The example of PROTOCOL.md, section 6. */
START_TEST(credit_is_spent_to_the_last_byte)
{
    struct client_fixture f;

    fill_big();
    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 20), 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 100000), 0);
    assert_piece(&f, 1, big, 20, false);
    assert_piece(&f, 1, big, 65504, true);
    client_fixture_settle(&f);
    fake_daemon_send_credit(&f.daemon, 1, 65548 + 12);
    client_fixture_settle(&f); /* a header and no byte: not worth a frame */
    fake_daemon_send_credit(&f.daemon, 1, 131096);
    assert_piece(&f, 1, big + 65504, 34496, false);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/* However the credit comes, the pieces are the message. */
START_TEST(credit_in_drops)
{
    struct client_fixture f;
    uint64_t total = WSP_INITIAL_CREDIT;
    size_t at = 0;

    fill_big();
    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 70000), 0);
    while (at < 70000) {
        struct wsp_message message = client_fixture_expect(&f, WSP_LOCAL_BINARY);

        ck_assert_uint_le(message.binary.payload.len, 70000 - at);
        unit_assert_bytes(message.binary.payload.data, message.binary.payload.len, big + at,
                          message.binary.payload.len);
        at += message.binary.payload.len;
        ck_assert_uint_eq(message.flags, at < 70000 ? WSP_WIRE_MORE : 0);
        total += 13 + at % 100;
        fake_daemon_send_credit(&f.daemon, 1, total);
    }
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/* Piece by piece in turn; a small message of the second does not wait for the first's last piece. */
START_TEST(no_websocket_starves_another)
{
    struct wsplex_websocket *second;
    struct client_fixture f;

    fill_big();
    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &second), 0);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    fake_daemon_send_opened(&f.daemon, 2, "", "");
    fake_daemon_send_credit(&f.daemon, 1, 1000000);
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 200000), 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(second, "a", 1), 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(second, "b", 1), 0);
    assert_piece(&f, 1, big, 65536, true);
    assert_piece(&f, 2, "a", 1, false);
    assert_piece(&f, 1, big + 65536, 65536, true);
    assert_piece(&f, 2, "b", 1, false);
    assert_piece(&f, 1, big + 2 * 65536, 65536, true);
    assert_piece(&f, 1, big + 3 * 65536, 200000 - 3 * 65536, false);
    client_fixture_deinit(&f);
}
END_TEST

/* One without credit does not hold up the others. */
START_TEST(one_that_waits_for_credit_lets_others_go)
{
    struct wsplex_websocket *second;
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &second), 0);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    fake_daemon_send_opened(&f.daemon, 2, "", "");
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 65536), 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 10), 0);
    assert_piece(&f, 1, big, 65536, false);
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_get_events(f.client) & POLLOUT, 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(second, "x", 1), 0);
    assert_piece(&f, 2, "x", 1, false);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/* A thousand messages in a socket that takes a part at a time: whole, in order, and all. */
START_TEST(short_writes_lose_nothing)
{
    struct client_fixture f;
    char text[32];

    client_fixture_init_open(&f);
    fake_daemon_send_credit(&f.daemon, 1, 100000000);
    client_fixture_settle(&f);
    fill_big();
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, (size_t)(i * 3)), 0);
        ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, text,
                                                    (size_t)snprintf(text, sizeof(text), "%d", i)),
                         0);
    }
    /* Nobody reads: the socket fills up, and the library still never waits. */
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    ck_assert_int_eq(wsplex_get_events(f.client) & POLLOUT, POLLOUT);
    for (int i = 0; i < 1000; i++) {
        struct wsp_message message;

        assert_piece(&f, 1, big, (size_t)(i * 3), false);
        message = client_fixture_expect(&f, WSP_LOCAL_TEXT);
        snprintf(text, sizeof(text), "%d", i);
        unit_assert_bytes(message.text.payload.data, message.text.payload.len, text, strlen(text));
    }
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("websocket_send");
    TCase *tcase = unit_case(suite, "send");

    tcase_add_test(tcase, in_connecting_it_is_an_invalid_state_error);
    tcase_add_test(tcase, text_and_binary_go_as_they_are);
    tcase_add_loop_test(tcase, text_that_is_not_utf8_is_refused_and_says_where, 0, N_OF(bad_texts));
    tcase_add_test(tcase, a_message_above_the_limit_is_refused);
    tcase_add_test(tcase, buffered_amount_is_what_is_not_yet_on_the_network);
    tcase_add_test(tcase, in_closing_it_is_counted_and_not_sent);
    tcase = unit_case(suite, "pieces");
    tcase_add_loop_test(tcase, a_message_of_one_frame, 0, N_OF(lengths));
    tcase_add_test(tcase, credit_is_spent_to_the_last_byte);
    tcase_add_test(tcase, credit_in_drops);
    tcase_add_test(tcase, no_websocket_starves_another);
    tcase_add_test(tcase, one_that_waits_for_credit_lets_others_go);
    tcase_add_test(tcase, short_writes_lose_nothing);
    return suite;
}

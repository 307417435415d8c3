/*
 * test_client_reconnect_sends: a client that comes back, and what its WebSockets had still to say: what is sent again, and
 * what is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/reconnect_story.h"
#include "tests/harness/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "proto/limits.h"

START_TEST(nothing_is_sent_twice_and_nothing_disappears)
{
    struct client_fixture f;

    init(&f);
    send_text(&f, "one");
    expect_text(&f, "one");
    send_text(&f, "two");
    expect_text(&f, "two");
    send_text(&f, "");
    expect_text(&f, "");
    say_sent(&f, 3, 1);
    client_fixture_settle(&f);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 3);
    die(&f);
    client_fixture_assert_events(&f, "interrupted -104\nunsent 2 3 in doubt\n");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    send_text(&f, "four");
    send_text(&f, "five");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 8);
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_a, 6);
    expect_text(&f, "four");
    expect_text(&f, "five");
    say_sent(&f, 8, 2);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "resumed x\n");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(what_may_wait_is_bounded)
{
    char big[MAX_QUEUED + 1];
    struct client_fixture f;

    memset(big, 'b', sizeof(big));
    init(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, big, sizeof(big)), 0);
    die(&f);
    recorder_take(&f.recorder);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), sizeof(big));
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "x", 1), WSPLEX_ERROR_AWAY);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), "1000"));
    come_back(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "x", 1), WSPLEX_ERROR_AWAY);
    say_opened(&f, 1, "p", &epoch_a, 6);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_TEXT).text.payload.len, sizeof(big));
    send_text(&f, "x");
    expect_text(&f, "x");
    say_sent(&f, sizeof(big), 1);
    client_fixture_settle(&f);
    die(&f);
    client_fixture_assert_events(&f, "resumed x\ninterrupted -104\nunsent 1 1 in doubt\n");
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, MAX_QUEUED), 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 1), WSPLEX_ERROR_AWAY);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 0), 0);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), MAX_QUEUED);
    ck_assert_int_eq(wsplex_set_reconnect(f.client, -1, 0), 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, 0), WSPLEX_ERROR_AWAY);
    client_fixture_deinit(&f);
}
END_TEST

/* There is credit for its first piece only, so the daemon never had it whole. */
START_TEST(a_message_that_had_begun_is_sent_from_its_beginning)
{
    static uint8_t big[100000];
    struct wsp_message piece;
    struct client_fixture f;

    init(&f);
    memset(big, 7, sizeof(big));
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, sizeof(big)), 0);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_BINARY).flags, WSP_WIRE_MORE);
    die(&f);
    client_fixture_assert_events(&f, "interrupted -104\n");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), sizeof(big));
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_a, 6);
    piece = client_fixture_expect(&f, WSP_LOCAL_BINARY);
    ck_assert_uint_eq(piece.binary.payload.len, WSP_MAX_LOCAL_PAYLOAD);
    fake_daemon_send_credit(&f.daemon, 1, 1 << 20);
    piece = client_fixture_expect(&f, WSP_LOCAL_BINARY);
    ck_assert_uint_eq(piece.binary.payload.len, sizeof(big) - WSP_MAX_LOCAL_PAYLOAD);
    ck_assert_uint_eq(piece.flags, 0);
    say_sent(&f, sizeof(big), 1);
    client_fixture_settle(&f);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    client_fixture_assert_events(&f, "resumed x\n");
    client_fixture_deinit(&f);
}
END_TEST

/*
 * More is taken for the socket than it holds. What the socket took whole is in doubt, all else is sent
 * by the next daemon, each message once.
 */
START_TEST(what_the_socket_did_not_take_is_sent)
{
    enum {
        N_MESSAGES = 40,
        LEN = 50000,
    };
    static uint8_t data[LEN];
    bool was_seen[N_MESSAGES] = {false};
    int n_in_doubt = -1, n_sent = 0;
    const char *story;
    struct client_fixture f;

    init(&f);
    fake_daemon_send_credit(&f.daemon, 1, UINT64_MAX);
    client_fixture_settle(&f);
    for (int i = 0; i < N_MESSAGES; i++) {
        data[0] = (uint8_t)i;
        ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, data, LEN), 0);
    }
    for (int i = 0; i < 10; i++)
        wsplex_dispatch(f.client);
    die(&f);
    story = recorder_take(&f.recorder);
    ck_assert_int_eq(sscanf(story, "interrupted -104\nunsent %d", &n_in_doubt), 1);
    ck_assert_int_gt(n_in_doubt, 0);
    ck_assert_int_lt(n_in_doubt, N_MESSAGES);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket),
                      (uint64_t)(N_MESSAGES - n_in_doubt) * LEN);
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_a, 6);
    fake_daemon_send_credit(&f.daemon, 1, UINT64_MAX);
    while (n_sent < N_MESSAGES - n_in_doubt) {
        struct wsp_message message = client_fixture_expect(&f, WSP_LOCAL_BINARY);
        int number = message.binary.payload.data[0];

        ck_assert_int_eq(number, n_in_doubt + n_sent);
        ck_assert(!was_seen[number]);
        was_seen[number] = true;
        n_sent++;
    }
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/*
 * The same with a message in pieces behind those that are taken back whole: what was taken of it counts as
 * waiting, like all else that is sent by the next daemon.
 */
START_TEST(what_was_begun_behind_what_the_socket_did_not_take_is_sent)
{
    enum {
        SMALL_LEN = 10,
        N_PAIRS = 40,
    };
    static uint8_t big[WSP_MAX_LOCAL_PAYLOAD + SMALL_LEN];
    unsigned n_in_doubt = 0;
    uint64_t given = 0, in_doubt = 0, waiting, come = 0, n_come = 0;
    const struct wsp_output *output;
    const int room =
        1; /* the kernel makes the least of it that it allows, which is less than a piece */
    struct client_fixture f;

    init(&f);
    fake_daemon_send_credit(&f.daemon, 1, UINT64_MAX);
    client_fixture_settle(&f);
    for (int i = 0; i < N_PAIRS; i++) {
        ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, SMALL_LEN), 0);
        ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, sizeof(big)), 0);
        given += SMALL_LEN + sizeof(big);
    }
    ck_assert_int_eq(
        setsockopt(wsplex_get_fd(f.client), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
    for (int i = 0; i < 10; i++)
        wsplex_dispatch(f.client);
    /* The socket is full, and the last piece that was taken for it is not the last of its message. */
    output = &f.client->connection.output;
    ck_assert_uint_gt(output->n_pieces, output->first + 1);
    ck_assert(output->pieces[output->n_pieces - 1].has_more);
    die(&f);
    ck_assert_int_eq(sscanf(recorder_take(&f.recorder), "interrupted -104\nunsent %u %" SCNu64,
                            &n_in_doubt, &in_doubt),
                     2);
    waiting = wsplex_websocket_buffered_amount(f.websocket);
    ck_assert_uint_eq(waiting, given - in_doubt);
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_a, 6);
    fake_daemon_send_credit(&f.daemon, 1, UINT64_MAX);
    while (n_come < 2 * N_PAIRS - n_in_doubt) {
        struct wsp_message message = client_fixture_expect(&f, WSP_LOCAL_BINARY);

        come += message.binary.payload.len;
        n_come += !(message.flags & WSP_WIRE_MORE);
    }
    ck_assert_uint_eq(come, waiting);
    say_sent(&f, come, n_come);
    client_fixture_settle(&f);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(subscriptions_are_sent_again_before_what_waits)
{
    struct wsp_message message;
    struct client_fixture f;

    init_connecting(&f, -1);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub 1", "unsub 1"), 0);
    client_fixture_settle(&f);
    say_opened(&f, 1, "p", &epoch_a, 1);
    client_fixture_expect(&f, WSP_LOCAL_SUBSCRIBE);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub 2", NULL), 0);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub 3", ""), 0);
    client_fixture_expect(&f, WSP_LOCAL_SUBSCRIBE);
    client_fixture_expect(&f, WSP_LOCAL_SUBSCRIBE);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "sub 2"), 0);
    client_fixture_expect(&f, WSP_LOCAL_UNSUBSCRIBE);
    die(&f);
    client_fixture_assert_events(&f, "open p\ninterrupted -104\n");
    send_text(&f, "waits");
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub 4", "unsub 4"), 0);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "sub 3"), 0);
    come_back(&f);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub 5", NULL), 0);
    say_opened(&f, 1, "p", &epoch_a, 1);
    for (int i = 0; i < 3; i++) {
        static const char *const texts[] = {"sub 1", "sub 4", "sub 5"};

        message = client_fixture_expect(&f, WSP_LOCAL_SUBSCRIBE);
        ck_assert(wsp_view_equals(message.subscribe.on_connect, wsp_view_of_string(texts[i])));
    }
    expect_text(&f, "waits");
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("client_reconnect_sends");
    TCase *sent = unit_case(suite, "sent");

    tcase_add_test(sent, nothing_is_sent_twice_and_nothing_disappears);
    tcase_add_test(sent, what_may_wait_is_bounded);
    tcase_add_test(sent, a_message_that_had_begun_is_sent_from_its_beginning);
    tcase_add_test(sent, what_the_socket_did_not_take_is_sent);
    tcase_add_test(sent, what_was_begun_behind_what_the_socket_did_not_take_is_sent);
    tcase_add_test(sent, subscriptions_are_sent_again_before_what_waits);
    return suite;
}

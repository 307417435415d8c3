/*
 * test_client_reconnect: a client that comes back when the daemon has gone: what its WebSockets are told,
 * when it tries and when it gives up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/reconnect_story.h"
#include "tests/harness/unit.h"

#include <poll.h>

/* -- what the objects are told -- */

START_TEST(an_open_one_is_interrupted_and_goes_on_where_it_was)
{
    struct wsp_message open;
    struct client_fixture f;

    init(&f);
    die(&f);
    client_fixture_assert_events(&f, "interrupted -104\n");
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_OPEN);
    ck_assert_int_eq(wsplex_get_fd(f.client), -1);
    ck_assert_int_ge(wsplex_get_timeout_ms(f.client), 0);
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 1);
    open = come_back(&f);
    ck_assert_mem_eq(open.open.resume_epoch.bytes, epoch_a.bytes, 16);
    ck_assert_uint_eq(open.open.resume_after, 5);
    say_opened(&f, 1, "p", &epoch_a, 6);
    fake_daemon_send_text(&f.daemon, 1, "6");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "resumed x\ntext 6\n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(what_it_was_opened_with_is_asked_for_again)
{
    struct wsplex_position position = {.epoch = {'z'}, .number = 3};
    struct wsplex_options *options;
    struct wsp_message first, second;
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_set_reconnect(f.client, -1, 0), 0);
    ck_assert_int_eq(wsplex_options_new(&options), 0);
    ck_assert_int_eq(wsplex_options_set_sharing(options, WSPLEX_SHARING_SHARED), 0);
    ck_assert_int_eq(wsplex_options_add_header(options, "Accept", "*/*"), 0);
    ck_assert_int_eq(wsplex_options_set(options, "linger", "5s"), 0);
    wsplex_options_set_resume(options, &position);
    open_one(&f, options);
    wsplex_options_free(options);
    fake_daemon_greet(&f.daemon, f.client);
    for (int i = 0; i < 2; i++) {
        static uint8_t lists[3][100];

        first = client_fixture_expect(&f, WSP_LOCAL_OPEN);
        ck_assert_uint_eq(first.open.sharing, WSP_SHARING_SHARED);
        ck_assert(wsp_view_equals(first.open.url, WSP_VIEW_LITERAL(FIXTURE_URL)));
        memcpy(lists[0], first.open.protocols.data, first.open.protocols.len);
        memcpy(lists[1], first.open.headers.data, first.open.headers.len);
        memcpy(lists[2], first.open.options.data, first.open.options.len);
        /* As long as it was never open, it resumes after what it was given. */
        ck_assert_uint_eq(first.open.resume_epoch.bytes[0], 'z');
        ck_assert_uint_eq(first.open.resume_after, 3);
        die(&f);
        client_fixture_assert_events(&f, "");
        hurry(&f);
        fake_daemon_greet(&f.daemon, f.client);
        second = client_fixture_expect(&f, WSP_LOCAL_OPEN);
        ck_assert_mem_eq(second.open.protocols.data, lists[0], second.open.protocols.len);
        ck_assert_mem_eq(second.open.headers.data, lists[1], second.open.headers.len);
        ck_assert_mem_eq(second.open.options.data, lists[2], second.open.options.len);
        ck_assert_uint_eq(second.open.protocols.len, first.open.protocols.len);
        ck_assert_uint_eq(second.open.headers.len, first.open.headers.len);
        ck_assert_uint_eq(second.open.options.len, first.open.options.len);
        die(&f);
        hurry(&f);
        fake_daemon_greet(&f.daemon, f.client);
    }
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CONNECTING);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_connecting_one_stays_so_and_is_opened)
{
    struct client_fixture f;

    init_connecting(&f, -1);
    die(&f);
    client_fixture_assert_events(&f, "");
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CONNECTING);
    come_back(&f);
    say_opened(&f, 1, "q", &epoch_a, 1);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "open q\n");
    client_fixture_deinit(&f);
}
END_TEST

/* The gap stands before `resumed`, also when it comes by itself. */
START_TEST(another_epoch_is_a_gap)
{
    struct wsplex_position position;
    struct client_fixture f;

    init(&f);
    die(&f);
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_b, 1);
    if (_i == 1)
        client_fixture_settle(&f);
    say_gap(&f, WSP_GAP_UNKNOWN_EPOCH, &epoch_b, 1);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "interrupted -104\ngap 4 unknown\nresumed x\n");
    ck_assert_int_eq(wsplex_websocket_get_position(f.websocket, &position), 0);
    ck_assert_mem_eq(position.epoch, epoch_b.bytes, 16);
    ck_assert_uint_eq(position.number, 0);
    client_fixture_deinit(&f);
}
END_TEST

/* The daemon reads while it writes: what it says of sending may come before the gap. */
START_TEST(what_is_said_of_sending_comes_before_the_gap)
{
    struct client_fixture f;

    init(&f);
    die(&f);
    send_text(&f, "waits");
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_b, 1);
    expect_text(&f, "waits");
    fake_daemon_send_credit(&f.daemon, 1, 1 << 20);
    say_sent(&f, 5, 1);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "interrupted -104\n");
    say_gap(&f, WSP_GAP_UNKNOWN_EPOCH, &epoch_b, 1);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "gap 4 unknown\nresumed x\n");
    client_fixture_deinit(&f);
}
END_TEST

/* A daemon that says nothing of it: nobody knows what is missing, and that is said. */
START_TEST(a_loss_that_the_daemon_does_not_tell_is_a_gap)
{
    struct client_fixture f;

    init(&f);
    die(&f);
    come_back(&f);
    say_opened(&f, 1, "p", _i == 0 ? &epoch_b : &epoch_a, 9);
    fake_daemon_send_text(&f.daemon, 1, "9");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "interrupted -104\ngap 4 unknown\nresumed x\ntext 9\n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(an_interrupted_one_is_not_interrupted_twice)
{
    struct wsp_message interrupted = {.type = WSP_LOCAL_INTERRUPTED, .channel = 1};
    struct client_fixture f;

    init(&f);
    interrupted.interrupted.cause = WSP_CAUSE_LOST;
    fake_daemon_send(&f.daemon, &interrupted);
    client_fixture_settle(&f);
    for (int i = 0; i < 3; i++) {
        die(&f);
        come_back(&f);
    }
    client_fixture_assert_events(&f, "interrupted 33\n");
    say_opened(&f, 1, "p", &epoch_a, 6);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "resumed x\n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(another_subprotocol_fails_it)
{
    struct client_fixture f;

    init(&f);
    die(&f);
    come_back(&f);
    say_opened(&f, 1, "q", &epoch_a, 6);
    fake_daemon_turn(&f.daemon);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.discard, 1);
    client_fixture_assert_events(&f, "interrupted -104\nerror 2\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_server_that_is_not_there_any_more_fails_it)
{
    struct client_fixture f;

    init(&f);
    die(&f);
    come_back(&f);
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_CONNECT, 0, "nobody");
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "interrupted -104\nerror 17\nclose unclean 1006 \n");
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(one_that_was_opened_before_is_not_kept)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_set_reconnect(f.client, -1, 0), 0);
    die(&f);
    client_fixture_assert_events(&f, "error -104\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- when it tries, and when no longer -- */

START_TEST(the_delay_grows_and_has_an_end)
{
    static const int64_t max_ms[] = {50, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000};
    struct client_fixture f;

    init(&f);
    fake_daemon_stop_listening(&f.daemon);
    fake_daemon_hang_up(&f.daemon);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    for (int i = 0; i < N_OF(max_ms); i++) {
        int64_t left_ms = f.client->reconnect.retry_ms - wsp_clock_ms();

        ck_assert_int_le(left_ms, max_ms[i]);
        ck_assert_int_ge(wsplex_get_timeout_ms(f.client), 0);
        ck_assert_int_le(wsplex_get_timeout_ms(f.client), max_ms[i]);
        hurry(&f);
        ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    }
    client_fixture_assert_events(&f, "interrupted -104\n");
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_OPEN);
    client_fixture_deinit(&f);
}
END_TEST

/* What each try says is there to be read. */
START_TEST(after_so_long_it_gives_up)
{
    struct client_fixture f;

    init_connecting(&f, 60000);
    say_opened(&f, 1, "p", &epoch_a, 1);
    client_fixture_settle(&f);
    fake_daemon_stop_listening(&f.daemon);
    die(&f);
    ck_assert_int_gt(f.client->reconnect.give_up_ms, 0);
    hurry(&f);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), f.daemon.path));
    client_fixture_assert_events(&f, "open p\ninterrupted -104\n");
    f.client->reconnect.give_up_ms = 1;
    ck_assert_int_eq(wsplex_get_timeout_ms(f.client), 0);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "error -104\nclose unclean 1006 \n");
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(turning_it_off_gives_up)
{
    struct client_fixture f;

    init(&f);
    die(&f);
    ck_assert_int_eq(wsplex_set_reconnect(f.client, 0, 0), 0);
    ck_assert_int_eq(wsplex_get_timeout_ms(f.client), 0);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "interrupted -104\nerror -104\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

/* A daemon that opens a channel is good for something: the time begins anew with the next loss. */
START_TEST(the_time_begins_anew_with_each_loss)
{
    struct client_fixture f;

    init_connecting(&f, 60000);
    die(&f);
    ck_assert_int_gt(f.client->reconnect.give_up_ms, 0);
    come_back(&f);
    ck_assert_int_gt(f.client->reconnect.give_up_ms, 0);
    say_opened(&f, 1, "p", &epoch_a, 1);
    client_fixture_settle(&f);
    ck_assert_int_eq(f.client->reconnect.give_up_ms, 0);
    client_fixture_deinit(&f);
}
END_TEST

static const uint16_t final_errors[] = {WSP_FATAL_OUT_OF_TURN, WSP_FATAL_BAD_PAYLOAD,
                                        WSP_FATAL_ACCESS};
static const uint16_t passing_errors[] = {WSP_FATAL_KICKED, WSP_FATAL_SHUTDOWN, WSP_FATAL_QUOTA,
                                          WSP_FATAL_TOO_SLOW};

START_TEST(who_is_not_wanted_does_not_come_back)
{
    struct client_fixture f;

    init(&f);
    say_error(&f, final_errors[_i]);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "error -104\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(who_is_sent_away_comes_back)
{
    struct client_fixture f;

    init(&f);
    say_error(&f, passing_errors[_i]);
    fake_daemon_turn(&f.daemon);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    fake_daemon_hang_up(&f.daemon);
    client_fixture_assert_events(&f, "interrupted -104\n");
    come_back(&f);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_daemon_that_breaks_the_protocol_is_left)
{
    struct client_fixture f;

    init(&f);
    fake_daemon_send_bytes(&f.daemon, "\0\0\0\0\x10\0\0\0\1\0\0\0", 12);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "error -71\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

static void on_reply(struct wsplex *client, int status, const char *json, size_t json_length,
                     void *userdata)
{
    (void)client;
    (void)json;
    (void)json_length;
    recorder_note(userdata, "reply %d", status);
}

START_TEST(requests_fail_as_ever)
{
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(wsplex_request(f.client, "status", NULL, 0, on_reply, &f.recorder), 0);
    client_fixture_expect(&f, WSP_LOCAL_REQUEST);
    die(&f);
    client_fixture_assert_events(&f, "interrupted -104\nreply -104\n");
    client_fixture_deinit(&f);
}
END_TEST

/* A function that needs a daemon finds one before the delay is over: all come back then. */
START_TEST(connecting_by_hand_brings_all_back)
{
    struct client_fixture f;

    init(&f);
    die(&f);
    f.client->reconnect.retry_ms = wsp_clock_ms() + 1000000;
    ck_assert_int_eq(wsplex_connect(f.client), 0);
    fake_daemon_greet(&f.daemon, f.client);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_OPEN).open.resume_after, 5);
    say_opened(&f, 1, "p", &epoch_a, 6);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "interrupted -104\nresumed x\n");
    client_fixture_deinit(&f);
}
END_TEST

/* Found by a function and not by the loop: `interrupted` still comes before `resumed`. */
START_TEST(a_loss_found_in_a_call_is_told_first)
{
    struct client_fixture f;

    init(&f);
    f.client->connection.state = WSP_CONNECTION_LOST;
    f.client->connection.loss = -ECONNRESET;
    fake_daemon_hang_up(&f.daemon);
    ck_assert_int_eq(wsplex_connect(f.client), 0);
    client_fixture_assert_events(&f, "");
    ck_assert_int_eq(wsplex_get_timeout_ms(f.client), 0);
    fake_daemon_greet(&f.daemon, f.client);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    say_opened(&f, 1, "p", &epoch_a, 6);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "interrupted -104\nresumed x\n");
    client_fixture_deinit(&f);
}
END_TEST

static void count_changes(struct wsplex *client, void *userdata)
{
    (void)client;
    ++*(int *)userdata;
}

START_TEST(a_loop_is_told_when_to_come)
{
    struct client_fixture f;
    int n_changes = 0;

    init(&f);
    wsplex_set_on_wait_change(f.client, count_changes, &n_changes);
    fake_daemon_hang_up(&f.daemon);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    ck_assert_int_gt(n_changes, 0);
    ck_assert_int_eq(wsplex_get_fd(f.client), -1);
    ck_assert_int_ge(wsplex_get_timeout_ms(f.client), 0);
    client_fixture_deinit(&f);
}
END_TEST

/* By the client's own clock, and by nothing but the answers that a loop gets. */
START_TEST(a_loop_that_waits_as_it_is_told_comes_back)
{
    struct wsp_message message = {0};
    struct client_fixture f;

    init(&f);
    fake_daemon_hang_up(&f.daemon);
    while (f.daemon.n_connections < 2) {
        struct pollfd pollfd = {.fd = wsplex_get_fd(f.client), .events = POLLIN};

        ck_assert_int_ge(poll(&pollfd, 1, wsplex_get_timeout_ms(f.client)), 0);
        ck_assert_int_eq(wsplex_dispatch(f.client), 0);
        fake_daemon_turn(&f.daemon);
    }
    fake_daemon_greet(&f.daemon, f.client);
    message = client_fixture_expect(&f, WSP_LOCAL_OPEN);
    ck_assert_uint_eq(message.open.resume_after, 5);
    client_fixture_deinit(&f);
}
END_TEST

/* -- many -- */

START_TEST(more_than_may_open_before_hello_come_back)
{
    struct wsplex_websocket *websockets[40];
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_set_reconnect(f.client, -1, 0), 0);
    for (int i = 0; i < N_OF(websockets); i++)
        ck_assert_int_eq(wsplex_websocket_new(f.client, i % 2 ? FIXTURE_URL : "wsplex-endpoint:e",
                                              NULL, 0, NULL, &websockets[i]),
                         0);
    for (int round = 0; round < 3; round++) {
        hurry(&f);
        fake_daemon_expect(&f.daemon, f.client, WSP_LOCAL_HELLO);
        for (int i = 0; i < WSP_INITIAL_CHANNELS; i++)
            client_fixture_expect(&f, WSP_LOCAL_OPEN);
        client_fixture_settle(&f);
        fake_daemon_send_hello(&f.daemon, 64);
        for (int i = WSP_INITIAL_CHANNELS; i < N_OF(websockets); i++)
            client_fixture_expect(&f, WSP_LOCAL_OPEN);
        for (uint32_t i = 0; i < (uint32_t)N_OF(websockets); i++)
            say_opened(&f, i + 1, "p", &epoch_a, 1);
        client_fixture_settle(&f);
        for (int i = 0; i < N_OF(websockets); i++)
            ck_assert_int_eq(wsplex_websocket_ready_state(websockets[i]), WSPLEX_OPEN);
        die(&f);
    }
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_daemon_that_allows_fewer)
{
    struct wsplex_websocket *websockets[20];
    int n_closed = 0;
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_set_reconnect(f.client, -1, 0), 0);
    for (int i = 0; i < N_OF(websockets); i++)
        ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &websockets[i]),
                         0);
    fake_daemon_greet(&f.daemon, f.client);
    for (int i = 0; i < N_OF(websockets); i++)
        client_fixture_expect(&f, WSP_LOCAL_OPEN);
    die(&f);
    hurry(&f);
    fake_daemon_expect(&f.daemon, f.client, WSP_LOCAL_HELLO);
    fake_daemon_send_hello(&f.daemon, WSP_INITIAL_CHANNELS);
    for (int i = 0; i < WSP_INITIAL_CHANNELS; i++)
        client_fixture_expect(&f, WSP_LOCAL_OPEN);
    client_fixture_settle(&f);
    for (int i = 0; i < N_OF(websockets); i++)
        n_closed += wsplex_websocket_ready_state(websockets[i]) == WSPLEX_CLOSED;
    ck_assert_int_eq(n_closed, N_OF(websockets) - WSP_INITIAL_CHANNELS);
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("client_reconnect");
    TCase *told = unit_case(suite, "told");
    TCase *when = unit_case(suite, "when");
    TCase *many = unit_case(suite, "many");

    tcase_add_test(told, an_open_one_is_interrupted_and_goes_on_where_it_was);
    tcase_add_test(told, what_it_was_opened_with_is_asked_for_again);
    tcase_add_test(told, a_connecting_one_stays_so_and_is_opened);
    tcase_add_loop_test(told, another_epoch_is_a_gap, 0, 2);
    tcase_add_test(told, what_is_said_of_sending_comes_before_the_gap);
    tcase_add_loop_test(told, a_loss_that_the_daemon_does_not_tell_is_a_gap, 0, 2);
    tcase_add_test(told, an_interrupted_one_is_not_interrupted_twice);
    tcase_add_test(told, another_subprotocol_fails_it);
    tcase_add_test(told, a_server_that_is_not_there_any_more_fails_it);
    tcase_add_test(told, one_that_was_opened_before_is_not_kept);
    tcase_add_test(when, the_delay_grows_and_has_an_end);
    tcase_add_test(when, after_so_long_it_gives_up);
    tcase_add_test(when, turning_it_off_gives_up);
    tcase_add_test(when, the_time_begins_anew_with_each_loss);
    tcase_add_loop_test(when, who_is_not_wanted_does_not_come_back, 0, N_OF(final_errors));
    tcase_add_loop_test(when, who_is_sent_away_comes_back, 0, N_OF(passing_errors));
    tcase_add_test(when, a_daemon_that_breaks_the_protocol_is_left);
    tcase_add_test(when, requests_fail_as_ever);
    tcase_add_test(when, connecting_by_hand_brings_all_back);
    tcase_add_test(when, a_loss_found_in_a_call_is_told_first);
    tcase_add_test(when, a_loop_is_told_when_to_come);
    tcase_add_test(when, a_loop_that_waits_as_it_is_told_comes_back);
    tcase_add_test(many, more_than_may_open_before_hello_come_back);
    tcase_add_test(many, a_daemon_that_allows_fewer);
    return suite;
}

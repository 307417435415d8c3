/*
 * test_client_subscription: what a WebSocket has the daemon say for it: when SUBSCRIBE and UNSUBSCRIBE go, in
 * which place among the messages, and what is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/allocation.h"
#include "tests/harness/reconnect_story.h"
#include "tests/harness/unit.h"

#include "proto/limits.h"

/* OPEN on channel 1, as the protocol's first channel. */
static void open_it(struct client_fixture *f)
{
    client_fixture_init_open(f);
}

static void expect_subscribe(struct client_fixture *f, const char *on_connect, const char *on_leave)
{
    struct wsp_message message = client_fixture_expect(f, WSP_LOCAL_SUBSCRIBE);

    ck_assert_uint_eq(message.channel, 1);
    ck_assert(wsp_view_equals(message.subscribe.on_connect, wsp_view_of_string(on_connect)));
    ck_assert(wsp_view_equals(message.subscribe.on_leave, wsp_view_of_string(on_leave)));
}

static void expect_unsubscribe(struct client_fixture *f, const char *on_connect)
{
    struct wsp_message message = client_fixture_expect(f, WSP_LOCAL_UNSUBSCRIBE);

    ck_assert(wsp_view_equals(message.unsubscribe.on_connect, wsp_view_of_string(on_connect)));
}

START_TEST(it_goes_once_and_is_taken_back)
{
    struct client_fixture f;

    open_it(&f);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub", "unsub"), 0);
    expect_subscribe(&f, "sub", "unsub");
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub", "unsub"), 0);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub2", NULL), 0);
    expect_subscribe(&f, "sub2", "");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "none"), 0);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "sub"), 0);
    expect_unsubscribe(&f, "sub");
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "sub"), 0);
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub", "other"), 0);
    expect_subscribe(&f, "sub", "other");
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/* There is credit for one large message; what is behind it waits, and the subscription with it. */
START_TEST(it_keeps_its_place_among_the_messages)
{
    static uint8_t big[70000];
    struct client_fixture f;

    open_it(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, sizeof(big)), 0);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub", NULL), 0);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "behind", 6), 0);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "sub"), 0);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    client_fixture_settle(&f);
    fake_daemon_send_credit(&f.daemon, 1, 1 << 20);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    expect_subscribe(&f, "sub", "");
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    expect_unsubscribe(&f, "sub");
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/* It costs no credit: it goes where a message could not. */
START_TEST(it_needs_no_credit)
{
    static uint8_t big[WSP_MAX_LOCAL_PAYLOAD];
    struct client_fixture f;

    open_it(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, sizeof(big)), 0);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "sub", "unsub"), 0);
    expect_subscribe(&f, "sub", "unsub");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(while_connecting_it_waits_for_open)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "a", NULL), 0);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "b", NULL), 0);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "c", NULL), 0);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "b"), 0);
    client_fixture_settle(&f);
    fake_daemon_send_opened(&f.daemon, 1, "p", "x");
    expect_subscribe(&f, "a", "");
    expect_subscribe(&f, "c", "");
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(closing_takes_all_back)
{
    struct client_fixture f;

    open_it(&f);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "a", NULL), 0);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, NULL), 0);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "a"), 0);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "b", NULL),
                     WSPLEX_ERROR_INVALID_STATE);
    expect_subscribe(&f, "a", "");
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    client_fixture_settle(&f);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "b", NULL),
                     WSPLEX_ERROR_INVALID_STATE);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "a"), 0);
    client_fixture_deinit(&f);
}
END_TEST

/* What waits behind a message when the daemon goes is said to the next one as it is then, and once. */
START_TEST(what_waits_when_the_daemon_goes_is_said_anew)
{
    static uint8_t big[70000];
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(wsplex_set_reconnect(f.client, -1, sizeof(big)), 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, sizeof(big)), 0);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "a", "b"), 0);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "c", NULL), 0);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "c"), 0);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    client_fixture_settle(&f);
    die(&f);
    client_fixture_assert_events(&f, "interrupted -104\n");
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_a, 6);
    expect_subscribe(&f, "a", "b");
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    client_fixture_settle(&f);
    fake_daemon_send_credit(&f.daemon, 1, 1 << 20);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "resumed x\n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    static char big[WSP_MAX_LOCAL_PAYLOAD + 1];
    struct client_fixture f;

    open_it(&f);
    memset(big, 'x', WSP_MAX_LOCAL_PAYLOAD);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "", "x"), WSPLEX_ERROR_SYNTAX);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "a\xff", "x"), WSPLEX_ERROR_NOT_UTF8);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "a", "\xc3"), WSPLEX_ERROR_NOT_UTF8);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, big, NULL), -E2BIG);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "a", big), -E2BIG);
    client_fixture_settle(&f);
    big[WSP_MAX_LOCAL_PAYLOAD - 5] = '\0'; /* with two lengths and "a", a frame is full */
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "a", big), 0);
    expect_subscribe(&f, "a", big);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "a", "b"), -EEXIST);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), "another on_leave"));
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(no_memory_changes_nothing)
{
    struct client_fixture f;
    size_t n = 0;
    int r;

    open_it(&f);
    do {
        allocation_fail_after(n++);
        r = wsplex_websocket_subscribe(f.websocket, "a", "b");
        ck_assert(allocation_disarm() == (r == -ENOMEM));
        ck_assert_int_eq(r, r == 0 ? 0 : -ENOMEM);
    } while (r < 0);
    ck_assert_uint_eq(n, 3);
    expect_subscribe(&f, "a", "b");
    allocation_fail_after(0);
    r = wsplex_websocket_unsubscribe(f.websocket, "a");
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_websocket_unsubscribe(f.websocket, "a"), 0);
    expect_unsubscribe(&f, "a");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(no_memory_as_it_opens_fails_the_object)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "a", "b"), 0);
    fake_daemon_send_opened(&f.daemon, 1, "p", "x");
    fake_daemon_turn(&f.daemon);
    allocation_fail_after(0);
    wsplex_dispatch(f.client);
    ck_assert(allocation_disarm());
    client_fixture_assert_events(&f, "error -12\nclose unclean 1006 \n");
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("client_subscription");
    TCase *going = unit_case(suite, "going");
    TCase *refused = unit_case(suite, "refused");

    tcase_add_test(going, it_goes_once_and_is_taken_back);
    tcase_add_test(going, it_keeps_its_place_among_the_messages);
    tcase_add_test(going, it_needs_no_credit);
    tcase_add_test(going, while_connecting_it_waits_for_open);
    tcase_add_test(going, closing_takes_all_back);
    tcase_add_test(going, what_waits_when_the_daemon_goes_is_said_anew);
    tcase_add_test(refused, what_cannot_be_is_refused);
    tcase_add_test(refused, no_memory_changes_nothing);
    tcase_add_test(refused, no_memory_as_it_opens_fails_the_object);
    return suite;
}

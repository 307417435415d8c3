/*
 * test_client_reconnect_ends: a client that comes back, and what ends meanwhile: an object that is closed or
 * freed, a daemon that stops in order, one that dies again and again, a machine without memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/allocation.h"
#include "tests/harness/reconnect_story.h"
#include "tests/harness/unit.h"

/* -- closing -- */

START_TEST(a_closing_one_fails_if_nothing_waits)
{
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, NULL), 0);
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    die(&f);
    client_fixture_assert_events(&f, "error -104\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

/* The same whether close() comes before the daemon goes, or after. */
START_TEST(a_closing_one_comes_back_for_what_waits)
{
    static uint8_t big[70000];
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, sizeof(big)), 0);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    if (_i == 0)
        ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, "done"), 0);
    die(&f);
    if (_i == 1)
        ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, "done"), 0);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CLOSING);
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_a, 6);
    fake_daemon_send_credit(&f.daemon, 1, 1 << 20);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.code, 1000);
    say_sent(&f, sizeof(big), 1);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "done");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "interrupted -104\nresumed x\nclose clean 1000 done\n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(closing_while_away_ends_it_if_nothing_waits)
{
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "x", NULL), 0);
    client_fixture_expect(&f, WSP_LOCAL_SUBSCRIBE);
    die(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, NULL), 0);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CLOSING);
    ck_assert_int_eq(wsplex_get_timeout_ms(f.client), 0);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "interrupted -104\nerror -104\nclose unclean 1006 \n");
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    ck_assert_int_eq(wsplex_get_timeout_ms(f.client), -1);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(giving_up_connecting_while_away_fails_it)
{
    struct client_fixture f;

    init_connecting(&f, -1);
    die(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, NULL), 0);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "error -104\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- a daemon that stops in order -- */

static void stop_in_order(struct client_fixture *f)
{
    say_shutdown(f, WSP_LOCAL_CLOSING);
    client_fixture_expect(f, WSP_LOCAL_CLOSE);
    say_shutdown(f, WSP_LOCAL_CLOSED);
    client_fixture_expect(f, WSP_LOCAL_RELEASE);
}

START_TEST(a_daemon_that_stops_interrupts)
{
    struct client_fixture f;

    init(&f);
    send_text(&f, "one");
    expect_text(&f, "one");
    send_text(&f, "two");
    expect_text(&f, "two");
    say_sent(&f, 3, 1);
    stop_in_order(&f);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_OPEN);
    hold(&f);
    client_fixture_assert_events(&f, "interrupted 36\nunsent 1 3\n");
    send_text(&f, "three");
    say_error(&f, WSP_FATAL_SHUTDOWN);
    client_fixture_settle(&f);
    die(&f);
    client_fixture_assert_events(&f, "");
    ck_assert_uint_eq(come_back(&f).open.resume_after, 5);
    say_opened(&f, 1, "p", &epoch_b, 1);
    say_gap(&f, WSP_GAP_UNKNOWN_EPOCH, &epoch_b, 1);
    expect_text(&f, "three");
    client_fixture_assert_events(&f, "gap 4 unknown\nresumed x\n");
    client_fixture_deinit(&f);
}
END_TEST

/* Within a message: the daemon forgets what it has of it, and the next one gets it whole. */
START_TEST(a_daemon_that_stops_within_a_message)
{
    static uint8_t big[70000];
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, big, sizeof(big)), 0);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    say_shutdown(&f, WSP_LOCAL_CLOSING);
    client_fixture_expect(&f, WSP_LOCAL_ABORT);
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    fake_daemon_send_credit(&f.daemon, 1, 1 << 20);
    send_text(&f, "more");
    client_fixture_settle(&f);
    say_shutdown(&f, WSP_LOCAL_CLOSED);
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "interrupted 36\n");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), sizeof(big) + 4);
    die(&f);
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_a, 6);
    fake_daemon_send_credit(&f.daemon, 1, 1 << 20);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    expect_text(&f, "more");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_daemon_that_stops_while_it_connects)
{
    struct client_fixture f;

    init_connecting(&f, -1);
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_SHUTDOWN, 0, "the daemon stops");
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "");
    /* It may try again before the daemon hangs up. */
    hurry(&f);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_SHUTDOWN, 0, "the daemon stops");
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    die(&f);
    come_back(&f);
    say_opened(&f, 1, "p", &epoch_a, 1);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "open p\n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(without_reconnect_a_daemon_that_stops_closes)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    stop_in_order(&f);
    client_fixture_assert_events(&f, "close clean 1001 \n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_server_that_closes_is_no_daemon_that_stops)
{
    struct client_fixture f;

    init(&f);
    fake_daemon_send_simple(&f.daemon, 1, WSP_LOCAL_CLOSING);
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    die(&f);
    client_fixture_assert_events(&f, "error -104\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- freed -- */

START_TEST(freed_while_away)
{
    struct client_fixture f;

    init(&f);
    send_text(&f, "x");
    expect_text(&f, "x");
    fake_daemon_hang_up(&f.daemon);
    if (_i > 0)
        wsplex_dispatch(f.client);
    if (_i > 1)
        send_text(&f, "waits");
    wsplex_websocket_free(f.websocket);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    ck_assert_int_eq(wsplex_get_timeout_ms(f.client), -1);
    client_fixture_assert_events(&f, _i == 0 ? "" : "interrupted -104\nunsent 1 1 in doubt\n");
    client_fixture_deinit(&f);
}
END_TEST

static void close_websocket(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    ck_assert_int_eq(wsplex_websocket_close(event->target, 3000, "enough"), 0);
}

static const char *const freeing[] = {"interrupted", "unsent", "gap", "resumed"};

static const char *const freed[] = {
    "interrupted -104\nfreed in interrupted\n",
    "interrupted -104\nunsent 1 1 in doubt\nfreed in unsent\n",
    "interrupted -104\nunsent 1 1 in doubt\ngap 4 unknown\nfreed in gap\n",
    "interrupted -104\nunsent 1 1 in doubt\ngap 4 unknown\nresumed x\nfreed in resumed\n",
};

START_TEST(a_handler_frees_its_object)
{
    struct client_fixture f;

    init(&f);
    send_text(&f, "x");
    expect_text(&f, "x");
    ck_assert_int_eq(wsplex_websocket_add_event_listener(
                         f.websocket, freeing[_i], client_fixture_free_websocket, &f.recorder, 0),
                     0);
    die(&f);
    if (_i >= 2) {
        come_back(&f);
        say_opened(&f, 1, "p", &epoch_b, 1);
        fake_daemon_send_text(&f.daemon, 1, "not heard");
        ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.discard, 1);
    } else {
        ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    }
    client_fixture_assert_events(&f, freed[_i]);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_handler_frees_its_client)
{
    struct client_fixture f;

    init(&f);
    send_text(&f, "x");
    expect_text(&f, "x");
    ck_assert_int_eq(wsplex_websocket_add_event_listener(f.websocket, freeing[_i],
                                                         client_fixture_free_client, &f, 0),
                     0);
    if (_i < 2) {
        fake_daemon_hang_up(&f.daemon);
    } else {
        die(&f);
        come_back(&f);
        say_opened(&f, 1, "p", &epoch_b, 1);
        fake_daemon_send_text(&f.daemon, 1, "not heard");
    }
    while (f.client) {
        fake_daemon_turn(&f.daemon);
        wsplex_dispatch(f.client);
    }
    client_fixture_assert_events(&f, freed[_i]);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_handler_of_interrupted_closes)
{
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(
        wsplex_websocket_add_event_listener(f.websocket, "interrupted", close_websocket, NULL, 0),
        0);
    die(&f);
    client_fixture_assert_events(&f, "interrupted -104\nerror -104\nclose unclean 1006 \n");
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    client_fixture_deinit(&f);
}
END_TEST

/* -- trouble -- */

static struct {
    struct client_fixture f;
    unsigned int n_echoes, n_in_doubt, n_given, n_closes;
} life;

static void count_event(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    if (strcmp(event->type, "message") == 0)
        life.n_echoes++;
    else if (strcmp(event->type, "unsent") == 0)
        life.n_in_doubt += (unsigned int)event->count;
    else
        life.n_closes++;
}

/* Sends some messages to a daemon that echoes, and dies each time it has written so many bytes. */
static void live(size_t die_after)
{
    static const char *const types[] = {"message", "unsent", "close"};
    struct client_fixture *f = &life.f;

    if (wsplex_new(f->daemon.path, &f->client) < 0)
        return;
    f->daemon.die_after = die_after;
    wsplex_set_reconnect(f->client, -1, 1000);
    if (wsplex_websocket_new(f->client, FIXTURE_URL, NULL, 0, NULL, &f->websocket) < 0)
        return;
    for (int i = 0; i < N_OF(types); i++)
        wsplex_websocket_add_event_listener(f->websocket, types[i], count_event, NULL, 0);
    wsplex_websocket_subscribe(f->websocket, "sub", NULL);
    for (int i = 0; i < 140 && wsplex_websocket_ready_state(f->websocket) != WSPLEX_CLOSED; i++) {
        f->client->reconnect.retry_ms = 0;
        fake_daemon_serve(&f->daemon);
        wsplex_dispatch(f->client);
        if (i % 5 == 0 && life.n_given < 20 &&
            wsplex_websocket_send_text(f->websocket, "hello", 5) == 0)
            life.n_given++;
        if (i == 90)
            f->daemon.die_after = SIZE_MAX;
    }
}

/* The fake daemon says SENT without messages, so what was echoed may be counted as in doubt too. */
START_TEST(a_daemon_that_dies_again_and_again)
{
    for (size_t n = 0; n < 300; n += 3) {
        memset(&life, 0, sizeof(life));
        fake_daemon_init(&life.f.daemon);
        live(n);
        ck_assert_uint_gt(life.n_given, 0);
        ck_assert_uint_eq(life.n_closes, 0);
        ck_assert_int_eq(wsplex_websocket_ready_state(life.f.websocket), WSPLEX_OPEN);
        ck_assert_uint_eq(wsplex_websocket_buffered_amount(life.f.websocket), 0);
        ck_assert_uint_le(life.n_echoes, life.n_given);
        ck_assert_uint_ge(life.n_echoes + life.n_in_doubt, life.n_given);
        client_fixture_deinit(&life.f);
    }
}
END_TEST

START_TEST(every_allocation_that_fails)
{
    bool has_failed = true;
    size_t n;

    for (n = 0; has_failed; n++) {
        memset(&life, 0, sizeof(life));
        fake_daemon_init(&life.f.daemon);
        allocation_fail_after(n);
        live(250);
        has_failed = allocation_disarm();
        ck_assert_uint_le(life.n_closes, 1);
        ck_assert_uint_le(life.n_echoes, life.n_given);
        client_fixture_deinit(&life.f);
    }
    ck_assert_uint_ge(n, 30);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("client_reconnect_ends");
    TCase *closing = unit_case(suite, "closing");
    TCase *shutdown = unit_case(suite, "shutdown");
    TCase *gone = unit_case(suite, "freed");
    TCase *trouble = unit_case(suite, "trouble");

    tcase_set_timeout(trouble, 60);

    tcase_add_test(closing, a_closing_one_fails_if_nothing_waits);
    tcase_add_loop_test(closing, a_closing_one_comes_back_for_what_waits, 0, 2);
    tcase_add_test(closing, closing_while_away_ends_it_if_nothing_waits);
    tcase_add_test(closing, giving_up_connecting_while_away_fails_it);
    tcase_add_test(shutdown, a_daemon_that_stops_interrupts);
    tcase_add_test(shutdown, a_daemon_that_stops_within_a_message);
    tcase_add_test(shutdown, a_daemon_that_stops_while_it_connects);
    tcase_add_test(shutdown, without_reconnect_a_daemon_that_stops_closes);
    tcase_add_test(shutdown, a_server_that_closes_is_no_daemon_that_stops);
    tcase_add_loop_test(gone, freed_while_away, 0, 3);
    tcase_add_loop_test(gone, a_handler_frees_its_object, 0, N_OF(freeing));
    tcase_add_loop_test(gone, a_handler_frees_its_client, 0, N_OF(freeing));
    tcase_add_test(gone, a_handler_of_interrupted_closes);
    tcase_add_test(trouble, a_daemon_that_dies_again_and_again);
    tcase_add_test(trouble, every_allocation_that_fails);
    return suite;
}

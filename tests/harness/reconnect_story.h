/*
 * reconnect_story: what tests of a client that comes back have in common: a daemon that says things, dies,
 * and is there again.
 *
 * Between client_fixture and a test. The delay before a client tries again is random; where a test does
 * not look at it, hold() and hurry() decide.  Invariant: nothing here waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_RECONNECT_STORY_H
#define WSPLEX_TESTS_HARNESS_RECONNECT_STORY_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "client-lib/client.h"
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

enum {
    MAX_QUEUED = 1000,
};

static const struct wsp_epoch epoch_a = {{'a'}}, epoch_b = {{'b'}};

/* -- the daemon's side -- */

static inline void say_opened(struct client_fixture *f, uint32_t channel, const char *protocol,
                              const struct wsp_epoch *epoch, uint64_t next_number)
{
    struct wsp_message message = {.type = WSP_LOCAL_OPENED, .channel = channel};

    message.opened.protocol = wsp_view_of_string(protocol);
    message.opened.extensions = WSP_VIEW_LITERAL("x");
    message.opened.max_message = 1 << 20;
    message.opened.epoch = *epoch;
    message.opened.next_number = next_number;
    message.opened.live_number = next_number;
    fake_daemon_send(&f->daemon, &message);
}

static inline void say_gap(struct client_fixture *f, uint8_t reason, const struct wsp_epoch *epoch,
                           uint64_t next_number)
{
    struct wsp_message message = {.type = WSP_LOCAL_GAP, .channel = 1};

    message.gap.reason = reason;
    message.gap.epoch = *epoch;
    message.gap.next_number = next_number;
    fake_daemon_send(&f->daemon, &message);
}

static inline void say_sent(struct client_fixture *f, uint64_t total, uint64_t messages)
{
    struct wsp_message message = {.type = WSP_LOCAL_SENT, .channel = 1};

    message.sent.total = total;
    message.sent.messages = messages;
    fake_daemon_send(&f->daemon, &message);
}

static inline void say_shutdown(struct client_fixture *f, uint8_t type)
{
    struct wsp_message message = {.type = type, .channel = 1};

    if (type == WSP_LOCAL_CLOSING) {
        message.closing.is_shutdown = 1;
    } else {
        message.closed.was_clean = 1;
        message.closed.code = 1001;
        message.closed.is_shutdown = 1;
    }
    fake_daemon_send(&f->daemon, &message);
}

static inline void say_error(struct client_fixture *f, uint16_t code)
{
    struct wsp_message message = {.type = WSP_LOCAL_ERROR};

    message.error.code = code;
    message.error.text = WSP_VIEW_LITERAL("so it is");
    fake_daemon_send(&f->daemon, &message);
}

/* -- the story -- */

static inline void open_one(struct client_fixture *f, const struct wsplex_options *options)
{
    static const char *const protocols[] = {"p", "q"};

    ck_assert_int_eq(
        wsplex_websocket_new(f->client, FIXTURE_URL, protocols, 2, options, &f->websocket), 0);
    ck_assert_int_eq(recorder_attach(&f->recorder, f->websocket), 0);
    ck_assert_int_eq(recorder_attach_extensions(&f->recorder, f->websocket), 0);
}

/* CONNECTING, and OPEN has been read. */
static inline void init_connecting(struct client_fixture *f, int max_away_ms)
{
    client_fixture_init(f);
    ck_assert_int_eq(wsplex_set_reconnect(f->client, max_away_ms, MAX_QUEUED), 0);
    open_one(f, NULL);
    fake_daemon_greet(&f->daemon, f->client);
    client_fixture_expect(f, WSP_LOCAL_OPEN);
}

/* OPEN at epoch a, and has had one message, number 5. */
static inline void init(struct client_fixture *f)
{
    init_connecting(f, -1);
    say_opened(f, 1, "p", &epoch_a, 5);
    fake_daemon_send_text(&f->daemon, 1, "5");
    client_fixture_settle(f);
    client_fixture_assert_events(f, "open p\ntext 5\n");
}

/* The client does not come back before hurry(). */
static inline void hold(struct client_fixture *f)
{
    f->client->reconnect.retry_ms = wsp_clock_ms() + 1000000;
}

/* The daemon is gone, and the client has noticed, and waits. */
static inline void die(struct client_fixture *f)
{
    fake_daemon_hang_up(&f->daemon);
    ck_assert_int_eq(wsplex_dispatch(f->client), 0);
    hold(f);
    ck_assert_int_eq(wsplex_dispatch(f->client), 0);
}

static inline void hurry(struct client_fixture *f)
{
    f->client->reconnect.retry_ms = 0;
}

/* The client comes back; its OPEN. */
static inline struct wsp_message come_back(struct client_fixture *f)
{
    hurry(f);
    fake_daemon_greet(&f->daemon, f->client);
    return client_fixture_expect(f, WSP_LOCAL_OPEN);
}

static inline void expect_text(struct client_fixture *f, const char *text)
{
    struct wsp_message message = client_fixture_expect(f, WSP_LOCAL_TEXT);

    unit_assert_bytes(message.text.payload.data, message.text.payload.len, text, strlen(text));
}

static inline void send_text(struct client_fixture *f, const char *text)
{
    ck_assert_int_eq(wsplex_websocket_send_text(f->websocket, text, strlen(text)), 0);
}

#endif

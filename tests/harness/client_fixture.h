/*
 * client_fixture: what most tests of client-lib begin with: a fake daemon, a client that talks to it,
 * and a WebSocket whose events are recorded.
 *
 * Between fake_daemon, recorder and a test. Invariant: client_fixture_deinit() leaves nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_CLIENT_FIXTURE_H
#define WSPLEX_TESTS_HARNESS_CLIENT_FIXTURE_H

#include "client-lib/wsplex.h"
#include "tests/harness/fake_daemon.h"
#include "tests/harness/recorder.h"

#define FIXTURE_URL "wss://example.org/feed"

struct client_fixture {
    struct fake_daemon daemon;
    struct wsplex *client;
    struct wsplex_websocket *websocket; /* on channel 1 */
    struct recorder recorder;
};

/* Daemon and client; no connection yet. */
void client_fixture_init(struct client_fixture *fixture);

/* Besides a WebSocket, greeted, in CONNECTING. */
void client_fixture_init_connecting(struct client_fixture *fixture);

/* Besides it is OPEN, with the protocol "p" and the extensions "x", and `open` is taken. */
void client_fixture_init_open(struct client_fixture *fixture);

void client_fixture_deinit(struct client_fixture *fixture);

/* Turns until nothing moves; no frame may come from the client. */
void client_fixture_settle(struct client_fixture *fixture);

/* The next frame of the client, of this type. */
struct wsp_message client_fixture_expect(struct client_fixture *fixture, uint8_t type);

/* Handlers that free what the event is for, or its client, and note it; userdata is the recorder, or the fixture. */
void client_fixture_free_websocket(const struct wsplex_event *event, void *userdata);
void client_fixture_free_client(const struct wsplex_event *event, void *userdata);

/* The recorded events are these; compared and forgotten. */
void client_fixture_assert_events(struct client_fixture *fixture, const char *expected);

#endif

/*
 * client_fixture: see client_fixture.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/client_fixture.h"

#include <check.h>
#include <string.h>

void client_fixture_init(struct client_fixture *fixture)
{
    memset(&fixture->recorder, 0, sizeof(fixture->recorder));
    fixture->websocket = NULL;
    fake_daemon_init(&fixture->daemon);
    ck_assert_int_eq(wsplex_new(fixture->daemon.path, &fixture->client), 0);
}

void client_fixture_init_connecting(struct client_fixture *fixture)
{
    client_fixture_init(fixture);
    ck_assert_int_eq(
        wsplex_websocket_new(fixture->client, FIXTURE_URL, NULL, 0, NULL, &fixture->websocket), 0);
    ck_assert_int_eq(recorder_attach(&fixture->recorder, fixture->websocket), 0);
    fake_daemon_greet(&fixture->daemon, fixture->client);
    ck_assert_uint_eq(client_fixture_expect(fixture, WSP_LOCAL_OPEN).channel, 1);
}

void client_fixture_init_open(struct client_fixture *fixture)
{
    client_fixture_init_connecting(fixture);
    fake_daemon_send_opened(&fixture->daemon, 1, "p", "x");
    client_fixture_settle(fixture);
    client_fixture_assert_events(fixture, "open p\n");
}

void client_fixture_deinit(struct client_fixture *fixture)
{
    fixture->client = wsplex_free(fixture->client);
    fake_daemon_deinit(&fixture->daemon);
}

void client_fixture_settle(struct client_fixture *fixture)
{
    fake_daemon_settle(&fixture->daemon, fixture->client);
}

struct wsp_message client_fixture_expect(struct client_fixture *fixture, uint8_t type)
{
    return fake_daemon_expect(&fixture->daemon, fixture->client, type);
}

void client_fixture_assert_events(struct client_fixture *fixture, const char *expected)
{
    ck_assert_str_eq(recorder_take(&fixture->recorder), expected);
}

void client_fixture_free_websocket(const struct wsplex_event *event, void *userdata)
{
    wsplex_websocket_free(event->target);
    recorder_note(userdata, "freed in %s", event->type);
}

void client_fixture_free_client(const struct wsplex_event *event, void *userdata)
{
    struct client_fixture *f = userdata;

    f->client = wsplex_free(wsplex_websocket_client(event->target));
    recorder_note(&f->recorder, "freed in %s", event->type);
}

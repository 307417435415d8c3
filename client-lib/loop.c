/*
 * loop: how a program's loop drives a client, and the loop of its own for programs without one.
 *
 * Its neighbours are the program on one side, connection and websocket on the other. Invariant:
 * nothing here waits but wsplex_run(), and one turn does a bounded amount of work.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "client-lib/client.h"
#include "client-lib/request.h"
#include "client-lib/websocket.h"

int wsplex_get_fd(const struct wsplex *client)
{
    struct wsp_wait wait;

    wsp_client_get_wait(client, &wait);
    return wait.fd;
}

short wsplex_get_events(const struct wsplex *client)
{
    struct wsp_wait wait;

    wsp_client_get_wait(client, &wait);
    return wait.events;
}

int wsplex_get_timeout_ms(const struct wsplex *client)
{
    struct wsp_wait wait;
    int64_t left_ms;

    wsp_client_get_wait(client, &wait);
    if (wait.deadline_ms <= 0)
        return (int)wait.deadline_ms;
    left_ms = wait.deadline_ms - wsp_clock_ms();
    if (left_ms < 0)
        return 0;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

size_t wsplex_get_n_pending(const struct wsplex *client)
{
    if (wsp_client_is_over(client))
        return 0;
    return client->n_open + client->n_requests +
           (wsp_connection_is_pending(&client->connection) ? 1 : 0);
}

int wsplex_connect(struct wsplex *client)
{
    int r = wsp_client_enter(client);

    if (r < 0)
        return r;
    return wsp_client_leave(client, wsp_connection_ensure(client));
}

/*
 * The events and replies of a connection that was lost. Those that a handler adds wait for the next
 * turn: it may open a WebSocket for each that fails.
 */
static void client_fire_losses(struct wsplex *client)
{
    struct wsp_chain failing, unanswered;

    if (client->connection.state == WSP_CONNECTION_LOST)
        wsp_connection_bury(client);
    wsp_chain_init(&failing);
    wsp_chain_init(&unanswered);
    wsp_chain_move(&failing, &client->failing);
    wsp_chain_move(&unanswered, &client->unanswered);
    while (!wsp_chain_is_empty(&failing) && !wsp_client_is_over(client)) {
        struct wsplex_websocket *websocket =
            WSP_CHAIN_ENTRY(failing.next, struct wsplex_websocket, failing_link);

        wsp_chain_remove(&websocket->failing_link);
        if (websocket->channel)
            wsp_websocket_tell_away(websocket);
        else
            wsp_websocket_closed(websocket, false, 1006, (struct wsp_view){0});
    }
    while (!wsp_chain_is_empty(&unanswered) && !wsp_client_is_over(client)) {
        struct wsp_request *request = WSP_CHAIN_ENTRY(unanswered.next, struct wsp_request, link);

        wsp_request_finish(client, request, request->status);
    }
    wsp_chain_move(&client->failing, &failing);
    wsp_chain_move(&client->unanswered, &unanswered);
}

/* Who is told of a loss is told before anything comes of the next connection. */
static void client_turn(struct wsplex *client)
{
    client_fire_losses(client);
    if (!wsp_client_is_over(client))
        wsp_reconnect_turn(client);
    wsp_connection_read(client);
    client_fire_losses(client);
    wsp_connection_write(client);
}

int wsplex_dispatch(struct wsplex *client)
{
    int r = wsp_client_enter(client);

    if (r < 0)
        return r;
    if (client->depth > 1)
        return wsp_client_leave(
            client, wsp_client_error(client, WSPLEX_ERROR_NESTED, "dispatching within a handler"));
    client_turn(client);
    return wsp_client_leave(client, 0);
}

static int client_wait(struct wsplex *client)
{
    struct pollfd pollfd = {.fd = wsplex_get_fd(client), .events = wsplex_get_events(client)};

    if (poll(&pollfd, 1, wsplex_get_timeout_ms(client)) < 0 && errno != EINTR)
        return wsp_client_error(client, -errno, "poll: %m");
    return 0;
}

int wsplex_run(struct wsplex *client)
{
    int r = wsp_client_enter(client);

    if (r < 0)
        return r;
    if (client->depth > 1)
        return wsp_client_leave(
            client, wsp_client_error(client, WSPLEX_ERROR_NESTED, "running within a handler"));
    client->depth--;
    client->is_running = true;
    client->is_stopped = false;
    while (r == 0 && !client->is_freed && !client->is_stopped && wsplex_get_n_pending(client) > 0) {
        r = client_wait(client);
        if (r == 0)
            r = wsplex_dispatch(client);
    }
    client->is_running = false;
    client->depth++;
    return wsp_client_leave(client, r);
}

void wsplex_stop(struct wsplex *client)
{
    client->is_stopped = true;
}

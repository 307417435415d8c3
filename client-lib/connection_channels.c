/*
 * connection_channels: the channel numbers of a connection, and the frames that begin and end their
 * use; see connection.h.
 *
 * Between client-lib/websocket, which opens and closes, and the connection's control frames.
 * Invariant: a number is in use from OPEN until RELEASE was written.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/client.h"
#include "client-lib/connection.h"
#include "client-lib/reconnect.h"
#include "client-lib/websocket.h"
#include "proto/limits.h"

struct wsp_channel *wsp_connection_find(const struct wsp_connection *connection, uint32_t number)
{
    if (number == 0 || number > connection->n_slots)
        return NULL;
    return connection->channels[number - 1];
}

static int connection_take_number(struct wsp_connection *connection, uint32_t *ret_number)
{
    uint32_t i = connection->lowest_free;

    while (i < connection->n_slots && connection->channels[i])
        i++;
    if (i == connection->n_slots) {
        uint32_t n_slots = connection->n_slots > 0 ? connection->n_slots * 2 : 4;
        struct wsp_channel **channels;

        if (n_slots <= connection->n_slots)
            return -ENOMEM;
        channels = reallocarray(connection->channels, n_slots, sizeof(struct wsp_channel *));
        if (!channels)
            return -ENOMEM;
        memset(channels + connection->n_slots, 0,
               (n_slots - connection->n_slots) * sizeof(struct wsp_channel *));
        connection->channels = channels;
        connection->n_slots = n_slots;
    }
    connection->lowest_free = i;
    *ret_number = i + 1;
    return 0;
}

/*
 * Sends OPEN as it was first made, with the number that the channel has now, and with the position
 * that its object has come to. 0, -ENOMEM.
 */
static int connection_send_open(struct wsplex *client, struct wsp_channel *channel)
{
    struct wsp_view frame = {wsp_buffer_peek(&channel->open), wsp_buffer_len(&channel->open)};
    struct wsp_view payload = {frame.data + WSP_WIRE_HEADER_LEN, frame.len - WSP_WIRE_HEADER_LEN};
    struct wsp_message message = {0};
    int r;

    wsp_message_decode(
        &(struct wsp_wire_frame){.type = WSP_LOCAL_OPEN, .channel = 1, .payload = payload},
        WSP_SIDE_CLIENT, &message);
    message.channel = channel->number;
    if (channel->websocket && channel->websocket->has_position)
        wsp_websocket_set_resume(channel->websocket, &message.open);
    r = wsp_message_encode(&client->connection.output.control, &message);
    if (r < 0)
        return r;
    channel->state = WSP_CHANNEL_OPENING;
    if (!wsp_reconnect_is_on(&client->reconnect))
        wsp_buffer_deinit(&channel->open);
    return 0;
}

int wsp_connection_open_take(struct wsplex *client, struct wsp_channel *channel)
{
    struct wsp_connection *connection = &client->connection;
    bool must_wait =
        connection->state != WSP_CONNECTION_READY && connection->n_channels >= WSP_INITIAL_CHANNELS;
    int r;

    if (connection->state == WSP_CONNECTION_READY &&
        connection->n_channels >= connection->max_channels)
        return -EMFILE;
    r = connection_take_number(connection, &channel->number);
    if (r < 0)
        return r;
    channel->state = WSP_CHANNEL_WAITING;
    r = must_wait ? 0 : connection_send_open(client, channel);
    if (r < 0)
        return r;
    connection->channels[channel->number - 1] = channel;
    connection->lowest_free = channel->number;
    connection->n_channels++;
    return 0;
}

/* The object, if there is still one, gets its `error` and `close` in the next turn. */
void wsp_connection_disown(struct wsplex *client, struct wsp_channel *channel, int cause,
                           const char *text)
{
    struct wsplex_websocket *websocket = channel->websocket;
    struct wsp_local_failed failed = {.text = wsp_view_of_string(text)};

    if (!websocket)
        return;
    wsp_websocket_failed(websocket, cause, &failed);
    websocket->channel = NULL;
    wsp_chain_append(&client->failing, &websocket->failing_link);
}

void wsp_connection_disown_all(struct wsplex *client, int cause, const char *text)
{
    struct wsp_connection *connection = &client->connection;
    uint32_t i;

    wsp_output_take_back(&connection->output);
    for (i = 0; i < connection->n_slots; i++) {
        struct wsp_channel *channel = connection->channels[i];

        if (!channel)
            continue;
        if (wsp_reconnect_can_keep(client, channel)) {
            wsp_connection_remove(connection, channel);
            wsp_reconnect_take(client, channel, true, cause, text);
        } else {
            wsp_connection_disown(client, channel, cause, text);
        }
    }
}

/* The latest ones fail when there are too many. */
static void connection_drop_excess(struct wsplex *client)
{
    struct wsp_connection *connection = &client->connection;
    uint32_t i;

    for (i = connection->n_slots; i > 0 && connection->n_channels > connection->max_channels; i--) {
        struct wsp_channel *channel = connection->channels[i - 1];

        if (!channel || channel->state != WSP_CHANNEL_WAITING)
            continue;
        wsp_connection_disown(client, channel, -EMFILE, NULL);
        wsp_connection_free_channel(connection, channel);
    }
}

int wsp_connection_open_waiting(struct wsplex *client)
{
    struct wsp_connection *connection = &client->connection;
    uint32_t i;

    connection_drop_excess(client);
    for (i = 0; i < connection->n_slots; i++) {
        struct wsp_channel *channel = connection->channels[i];

        if (!channel || channel->state != WSP_CHANNEL_WAITING)
            continue;
        if (connection_send_open(client, channel) < 0)
            return wsp_connection_lose_memory(client);
        if (wsp_connection_flush_close(client, channel) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int connection_send_close(struct wsplex *client, struct wsp_channel *channel)
{
    struct wsp_message message = {.type = WSP_LOCAL_CLOSE, .channel = channel->number};

    message.close.code = channel->close_code;
    message.close.discard = channel->is_discarding;
    message.close.reason =
        (struct wsp_view){(const uint8_t *)channel->close_reason, channel->close_reason_len};
    return wsp_message_encode(&client->connection.output.control, &message);
}

int wsp_connection_flush_close(struct wsplex *client, struct wsp_channel *channel)
{
    int r;

    if (!channel->is_close_due || channel->is_close_sent || !wsp_chain_is_empty(&channel->queue) ||
        channel->state == WSP_CHANNEL_WAITING || channel->state == WSP_CHANNEL_AWAY)
        return 0;
    r = connection_send_close(client, channel);
    if (r < 0)
        return r;
    channel->is_close_sent = true;
    if (!channel->websocket)
        client->connection.n_leaving--;
    return 0;
}

/*
 * The daemon stops, and this channel comes back with the next one: what has not gone up stays, and
 * what the protocol asks of who is told of a closing is done.
 */
int wsp_connection_leave_shutdown(struct wsplex *client, struct wsp_channel *channel)
{
    struct wsp_message abort = {.type = WSP_LOCAL_ABORT, .channel = channel->number};
    struct wsp_message close = {.type = WSP_LOCAL_CLOSE, .channel = channel->number};
    int r = wsp_channel_is_amid(channel) ? wsp_connection_control(client, &abort) : 0;

    channel->is_shutdown = true;
    channel->is_close_sent = true;
    wsp_output_update(&client->connection.output, channel);
    return r < 0 ? r : wsp_connection_control(client, &close);
}

void wsp_connection_remove(struct wsp_connection *connection, struct wsp_channel *channel)
{
    uint32_t i = channel->number - 1;

    wsp_output_forget(&connection->output, channel);
    connection->channels[i] = NULL;
    connection->n_channels--;
    if (!channel->websocket && !channel->is_close_sent)
        connection->n_leaving--;
    if (i < connection->lowest_free)
        connection->lowest_free = i;
}

struct wsp_channel *wsp_connection_free_channel(struct wsp_connection *connection,
                                                struct wsp_channel *channel)
{
    wsp_connection_remove(connection, channel);
    return wsp_channel_free(channel);
}

void wsp_connection_orphan(struct wsplex *client, struct wsp_channel *channel)
{
    int r = 0;

    if (channel->state == WSP_CHANNEL_AWAY) {
        wsp_channel_free(channel);
        return;
    }
    channel->websocket = NULL;
    if (channel->is_close_sent) {
        /* A further CLOSE tells that nobody is left to get messages. */
        if (!channel->is_discarding) {
            channel->is_discarding = true;
            r = connection_send_close(client, channel);
        }
    } else {
        channel->is_close_due = true;
        channel->is_discarding = true;
        client->connection.n_leaving++;
        r = wsp_connection_flush_close(client, channel);
    }
    if (r < 0)
        wsp_connection_lose_memory(client);
}

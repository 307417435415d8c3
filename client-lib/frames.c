/*
 * frames: see frames.h.
 *
 * What may come when; anything else is OUT_OF_TURN:
 *
 *   frame         channel OPENING   channel OPEN                      effect
 *   OPENED        once              -                                 -> OPEN; `resumed` if it came back
 *   TEXT, BINARY  -                 yes, pieces of one type in a row  the message grows, or is whole
 *   ABORT         -                 within a message                  the message is forgotten
 *   CREDIT        yes               yes                               pieces may go
 *   SENT          -                 yes, up to what was written       bufferedAmount falls
 *   UNSENT        -                 the same                          the same, `unsent`
 *   GAP           -                 not within a message              `gap`
 *   POSITION      -                 not within a message              the numbers go on elsewhere
 *   INTERRUPTED   -                 the same; then no message until   `interrupted`
 *   RESUMED       -                 INTERRUPTED has come              `resumed`
 *   CLOSING       -                 once                              readyState CLOSING, CLOSE
 *   FAILED        once              once                              `error` is due
 *   CLOSED        yes               yes                               `error` if due, `close`, RELEASE
 *
 * Between FAILED and CLOSED nothing else comes. Where CLOSING, FAILED or CLOSED say that the daemon
 * stops, an object that may wait for the next one keeps its state, and is `interrupted`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/frames.h"

#include <errno.h>

#include "client-lib/client.h"
#include "client-lib/connection.h"
#include "client-lib/reconnect.h"
#include "client-lib/request.h"
#include "client-lib/subscription.h"
#include "client-lib/websocket.h"
#include "proto/limits.h"
#include "proto/local/errors.h"
#include "proto/local/message.h"

/*
 * There was no memory for what arrived, or it cannot be: the object fails by itself, and the daemon
 * is told to close the channel and keep its messages.
 */
static int frame_fail(struct wsplex *client, struct wsp_channel *channel, int cause,
                      const char *text)
{
    struct wsplex_websocket *websocket = channel->websocket;
    struct wsp_local_failed failed = {.text = wsp_view_of_string(text)};

    wsp_connection_orphan(client, channel);
    websocket->channel = NULL;
    wsp_websocket_failed(websocket, cause, &failed);
    wsp_websocket_closed(websocket, false, 1006, (struct wsp_view){0});
    return 0;
}

static int frame_out_of_memory(struct wsplex *client, struct wsp_channel *channel)
{
    return frame_fail(client, channel, -ENOMEM, NULL);
}

/* --- the connection --- */

static int frame_hello(struct wsplex *client, const struct wsp_message *message)
{
    struct wsp_connection *connection = &client->connection;

    if (message->hello.max_channels < WSP_INITIAL_CHANNELS)
        return WSP_FATAL_BAD_PAYLOAD;
    connection->max_channels = message->hello.max_channels;
    connection->state = WSP_CONNECTION_READY;
    connection->ready_ms = wsp_clock_ms();
    return wsp_connection_open_waiting(client);
}

static int frame_error(struct wsplex *client, const struct wsp_message *message)
{
    struct wsp_view text = message->error.text;

    if (text.len == 0)
        text = wsp_view_of_string(wsp_fatal_to_string(message->error.code));
    /* What we have done wrong we would do again; and who is not let in, is not let in later. */
    client->connection.is_loss_final = message->error.code <= WSP_FATAL_ACCESS;
    wsp_connection_lose(client, -ECONNRESET, "wsplexd ended the connection: %.*s",
                        text.len < 400 ? (int)text.len : 400, (const char *)text.data);
    return 0;
}

static int frame_reply(struct wsplex *client, const struct wsp_message *message)
{
    struct wsp_chain *requests = &client->connection.requests;
    struct wsp_request *request = NULL;
    struct wsp_chain *link;

    for (link = requests->next; link != requests && !request; link = link->next) {
        request = WSP_CHAIN_ENTRY(link, struct wsp_request, link);
        if (request->id != message->reply.id)
            request = NULL;
    }
    if (!request)
        return WSP_FATAL_OUT_OF_TURN;
    /* Without memory the rest is still awaited, and thrown away. */
    if (request->status == 0)
        request->status = wsp_request_append(request, message->reply.json);
    if (request->status == -ENOBUFS)
        return WSP_FATAL_BAD_PAYLOAD;
    if (!(message->flags & WSP_WIRE_MORE))
        wsp_request_finish(client, request,
                           request->status < 0 ? request->status : message->reply.status);
    return 0;
}

/* --- the life of a channel --- */

static int frame_opened(struct wsplex *client, struct wsp_channel *channel,
                        const struct wsp_message *message)
{
    struct wsplex_websocket *websocket = channel->websocket;
    int r = 0;

    if (channel->state != WSP_CHANNEL_OPENING)
        return WSP_FATAL_OUT_OF_TURN;
    channel->state = WSP_CHANNEL_OPEN;
    channel->denied = message->opened.denied;
    channel->max_message = message->opened.max_message;
    if (channel->max_message > WSP_MAX_MAX_MESSAGE)
        channel->max_message = WSP_MAX_MAX_MESSAGE;
    wsp_reconnect_succeed(client);
    if (websocket)
        r = wsp_subscriptions_send(websocket);
    wsp_output_update(&client->connection.output, channel);
    if (websocket && r == 0)
        r = wsp_websocket_opened(websocket, &message->opened);
    if (r == -EPROTO)
        return frame_fail(client, channel, WSP_CAUSE_SUBPROTOCOL,
                          "wsplexd is back, and the subprotocol is another than before");
    return r == -ENOMEM ? frame_out_of_memory(client, channel) : r;
}

/* The handlers have had every message before it, and what they sent stands before the CLOSE that answers. */
static int frame_closing(struct wsplex *client, struct wsp_channel *channel,
                         const struct wsp_message *message)
{
    if (channel->state != WSP_CHANNEL_OPEN || channel->is_closing)
        return WSP_FATAL_OUT_OF_TURN;
    if (message->closing.is_shutdown && wsp_reconnect_can_keep(client, channel)) {
        channel->is_closing = true;
        return wsp_connection_leave_shutdown(client, channel);
    }
    channel->is_closing = true;
    if (channel->websocket)
        wsp_websocket_closing(channel->websocket);
    if (channel->is_close_due)
        return 0;
    channel->is_close_due = true;
    return wsp_connection_flush_close(client, channel);
}

static int frame_failed(struct wsplex *client, struct wsp_channel *channel,
                        const struct wsp_message *message)
{
    if (message->failed.cause == WSP_CAUSE_SHUTDOWN && wsp_reconnect_can_keep(client, channel))
        channel->is_shutdown = true;
    channel->has_failed = true;
    if (channel->websocket && !channel->is_shutdown)
        wsp_websocket_failed(channel->websocket, message->failed.cause, &message->failed);
    return 0;
}

static int frame_closed(struct wsplex *client, struct wsp_channel *channel,
                        const struct wsp_message *message)
{
    struct wsp_message release = {.type = WSP_LOCAL_RELEASE, .channel = message->channel};
    struct wsplex_websocket *websocket = channel->websocket;
    int r;

    r = wsp_connection_control(client, &release);
    if (r < 0)
        return r;
    if ((channel->is_shutdown || message->closed.is_shutdown) &&
        wsp_reconnect_can_keep(client, channel)) {
        wsp_connection_remove(&client->connection, channel);
        wsp_reconnect_take(client, channel, false, WSP_CAUSE_SHUTDOWN, NULL);
        return 0;
    }
    wsp_connection_free_channel(&client->connection, channel);
    if (websocket) {
        websocket->channel = NULL;
        wsp_websocket_closed(websocket, message->closed.was_clean, message->closed.code,
                             message->closed.reason);
    }
    return 0;
}

/* --- what flows through it --- */

static int frame_data(struct wsplex *client, struct wsp_channel *channel,
                      const struct wsp_message *message)
{
    bool has_more = (message->flags & WSP_WIRE_MORE) != 0;
    bool is_binary = message->type == WSP_LOCAL_BINARY;
    int r = 0;

    if (channel->state != WSP_CHANNEL_OPEN || channel->is_interrupted ||
        (channel->incoming_type != 0 && channel->incoming_type != message->type))
        return WSP_FATAL_OUT_OF_TURN;
    channel->incoming_type = has_more ? message->type : 0;
    if (channel->websocket)
        r = wsp_websocket_received(channel->websocket, is_binary, has_more,
                                   is_binary ? message->binary.payload : message->text.payload,
                                   channel->max_message);
    if (r == -ENOBUFS)
        return WSP_FATAL_BAD_PAYLOAD;
    return r == -ENOMEM ? frame_out_of_memory(client, channel) : r;
}

static int frame_abort(struct wsp_channel *channel)
{
    if (channel->incoming_type == 0)
        return WSP_FATAL_OUT_OF_TURN;
    channel->incoming_type = 0;
    if (channel->websocket)
        wsp_websocket_aborted(channel->websocket);
    return 0;
}

static int frame_credit(struct wsplex *client, struct wsp_channel *channel,
                        const struct wsp_message *message)
{
    if (message->credit.total < channel->cost_granted)
        return WSP_FATAL_BAD_PAYLOAD;
    channel->cost_granted = message->credit.total;
    wsp_output_update(&client->connection.output, channel);
    return 0;
}

static int frame_sent(struct wsp_channel *channel, const struct wsp_message *message)
{
    uint64_t total = message->sent.total;
    uint64_t n_before = channel->n_sent;

    if (channel->state != WSP_CHANNEL_OPEN)
        return WSP_FATAL_OUT_OF_TURN;
    if (total < n_before || total > channel->n_taken - channel->n_unsent ||
        message->sent.messages < channel->n_messages_sent ||
        message->sent.messages > channel->n_messages_done - channel->n_messages_unsent)
        return WSP_FATAL_BAD_PAYLOAD;
    channel->n_sent = total;
    channel->n_messages_sent = message->sent.messages;
    if (channel->websocket)
        wsp_websocket_sent(channel->websocket, total - n_before);
    return 0;
}

static int frame_unsent(struct wsp_channel *channel, const struct wsp_message *message)
{
    const struct wsp_local_unsent *total = &message->unsent;
    struct wsp_unsent more = {.n_messages = total->messages - channel->n_messages_unsent,
                              .n_bytes = total->bytes - channel->n_unsent};

    if (channel->state != WSP_CHANNEL_OPEN)
        return WSP_FATAL_OUT_OF_TURN;
    if (total->messages < channel->n_messages_unsent || total->bytes < channel->n_unsent ||
        total->messages > channel->n_messages_done - channel->n_messages_sent ||
        total->bytes > channel->n_taken - channel->n_sent)
        return WSP_FATAL_BAD_PAYLOAD;
    channel->n_messages_unsent = total->messages;
    channel->n_unsent = total->bytes;
    if (channel->websocket)
        wsp_websocket_unsent(channel->websocket, &more);
    return 0;
}

/* --- what becomes of it --- */

static bool channel_is_between_messages(const struct wsp_channel *channel)
{
    return channel->state == WSP_CHANNEL_OPEN && channel->incoming_type == 0;
}

static int frame_gap(struct wsp_channel *channel, const struct wsp_message *message)
{
    if (!channel_is_between_messages(channel))
        return WSP_FATAL_OUT_OF_TURN;
    if (channel->websocket)
        wsp_websocket_gap(channel->websocket, &message->gap);
    return 0;
}

static int frame_position(struct wsp_channel *channel, const struct wsp_message *message)
{
    if (!channel_is_between_messages(channel))
        return WSP_FATAL_OUT_OF_TURN;
    if (channel->websocket)
        channel->websocket->next_number = message->position.next_number;
    return 0;
}

static int frame_interrupted(struct wsp_channel *channel, const struct wsp_message *message)
{
    if (!channel_is_between_messages(channel) || channel->is_interrupted || channel->is_closing)
        return WSP_FATAL_OUT_OF_TURN;
    channel->is_interrupted = true;
    if (channel->websocket)
        wsp_websocket_interrupted(channel->websocket, &message->interrupted);
    return 0;
}

static int frame_resumed(struct wsplex *client, struct wsp_channel *channel,
                         const struct wsp_message *message)
{
    int r = 0;

    if (!channel->is_interrupted || channel->is_closing)
        return WSP_FATAL_OUT_OF_TURN;
    channel->is_interrupted = false;
    if (channel->websocket)
        r = wsp_websocket_resumed(channel->websocket, message->resumed.extensions);
    return r == -ENOMEM ? frame_out_of_memory(client, channel) : r;
}

/* The public enums are those of the protocol. */
#define WSP_CAUSE(number, NAME, name, meaning) \
    _Static_assert((int)WSPLEX_CAUSE_##NAME == number, "cause " name);
#define WSP_STATUS(number, NAME, name, meaning) \
    _Static_assert((int)WSPLEX_STATUS_##NAME == number, "status " name);
#define WSP_GAP(number, NAME, name, meaning) \
    _Static_assert((int)WSPLEX_GAP_##NAME == number, "gap " name);
#include "proto/local/errors.def"

/*
 * Types that only we send, and unknown ones, do not pass wsp_message_decode(), nor do those that
 * belong to a channel without its number or the others with one.
 */
static int frame_handle_connection(struct wsplex *client, const struct wsp_message *message)
{
    switch (message->type) {
    case WSP_LOCAL_HELLO: return frame_hello(client, message);
    case WSP_LOCAL_ERROR: return frame_error(client, message);
    case WSP_LOCAL_REPLY: return frame_reply(client, message);
    default: return WSP_FATAL_WRONG_DIRECTION;
    }
}

static int frame_handle_channel(struct wsplex *client, struct wsp_channel *channel,
                                const struct wsp_message *message)
{
    switch (message->type) {
    case WSP_LOCAL_OPENED: return frame_opened(client, channel, message);
    case WSP_LOCAL_CLOSING: return frame_closing(client, channel, message);
    case WSP_LOCAL_FAILED: return frame_failed(client, channel, message);
    case WSP_LOCAL_CLOSED: return frame_closed(client, channel, message);
    case WSP_LOCAL_TEXT:
    case WSP_LOCAL_BINARY: return frame_data(client, channel, message);
    case WSP_LOCAL_ABORT: return frame_abort(channel);
    case WSP_LOCAL_CREDIT: return frame_credit(client, channel, message);
    case WSP_LOCAL_SENT: return frame_sent(channel, message);
    case WSP_LOCAL_GAP: return frame_gap(channel, message);
    case WSP_LOCAL_INTERRUPTED: return frame_interrupted(channel, message);
    case WSP_LOCAL_RESUMED: return frame_resumed(client, channel, message);
    case WSP_LOCAL_UNSENT: return frame_unsent(channel, message);
    case WSP_LOCAL_POSITION: return frame_position(channel, message);
    default: return WSP_FATAL_WRONG_DIRECTION;
    }
}

/* The gap stands before all but what tells of sending, which knows no place among what comes. */
static bool frame_may_precede_gap(uint8_t type)
{
    return type == WSP_LOCAL_GAP || type == WSP_LOCAL_CREDIT || type == WSP_LOCAL_SENT ||
           type == WSP_LOCAL_UNSENT;
}

int wsp_frame_handle(struct wsplex *client, const struct wsp_wire_frame *frame)
{
    struct wsp_channel *channel;
    struct wsp_message message;
    int r = wsp_message_decode(frame, WSP_SIDE_DAEMON, &message);

    if (r == WSP_SKIP)
        return 0;
    if (r != 0)
        return r;
    if (message.channel == 0)
        return frame_handle_connection(client, &message);
    channel = wsp_connection_find(&client->connection, message.channel);
    if (!channel || channel->state == WSP_CHANNEL_WAITING)
        return WSP_FATAL_UNKNOWN_CHANNEL;
    if (channel->has_failed && message.type != WSP_LOCAL_CLOSED)
        return WSP_FATAL_OUT_OF_TURN;
    if (channel->websocket && channel->websocket->is_gap_awaited &&
        !frame_may_precede_gap(message.type))
        wsp_websocket_gap_missing(channel->websocket);
    if (wsp_client_is_over(client))
        return 0;
    return frame_handle_channel(client, channel, &message);
}

/* SPDX-License-Identifier: MIT
 *
 * client_requests: acts on the frames of clients.
 * Between client, who finds frames, and the objects that they are about. Invariant: see the table of section 4 of
 * proto/PROTOCOL.md, which the handlers follow row by row:
 *
 *  number   | OPEN           | data, ABORT,   | CREDIT  | CLOSE        | RELEASE
 *           |                | subscriptions  |         |              |
 *  free     | now in use     | unknown        | unknown | unknown      | unknown
 *  in use   | channel-in-use | taken          | taken   | now closing  | out-of-turn
 *  closing  | channel-in-use | out-of-turn    | taken   | for discard  | out-of-turn
 *  ended    | channel-in-use | ignored        | ignored | ignored      | now free
 */
#include "daemon/client_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client.h"
#include "daemon/client_channel.h"
#include "daemon/control.h"
#include "daemon/limits.h"
#include "daemon/open_request.h"
#include "daemon/server.h"
#include "proto/local/errors.h"
#include "proto/local/message.h"

/* ---- OPEN ---- */

/* A program's own URL may not have what no endpoint has. */
static int max_message_check(const struct server *server, const struct target *target,
                             struct failure *ret_failure)
{
    uint64_t max = server_max_message(server);

    if (target->max_message <= max)
        return 0;
    failure_set(ret_failure, WSP_CAUSE_OPTION, 0,
                "max-message: %llu bytes are more than the %llu of the most generous endpoint",
                (unsigned long long)target->max_message, (unsigned long long)max);
    return WSP_CAUSE_OPTION;
}

/* An epoch of zeros is no position. */
static struct position position_of(const struct wsp_local_open *open)
{
    static const uint8_t none[LOG_EPOCH_LEN];
    struct position position = {.number = open->resume_after};

    _Static_assert(sizeof(open->resume_epoch.bytes) == LOG_EPOCH_LEN, "an epoch");
    memcpy(position.epoch, open->resume_epoch.bytes, LOG_EPOCH_LEN);
    position.is_given = memcmp(position.epoch, none, LOG_EPOCH_LEN) != 0;
    return position;
}

/* Attaches a new channel to an upstream. 0; -ENOMEM; positive: *ret_failure says why not. */
static int channel_open(struct client *client, struct client_channel *channel,
                        const struct wsp_local_open *open, struct failure *ret_failure)
{
    struct server *server = client->server;
    char display[TARGET_DISPLAY_LEN];
    struct target *target;
    int r = open_request_resolve(server, &client->peer, open, &target, &channel->is_shared,
                                 ret_failure);

    if (r != 0)
        return r;
    channel->display = strdup(target_display(target, display));
    r = channel->display ? max_message_check(server, target, ret_failure) : -ENOMEM;
    if (r != 0) {
        target_free(target);
        return r;
    }
    client_channel_accept_sends(channel, target->max_message);
    channel->channel.resume = position_of(open);
    journal_log(&server->journal, JOURNAL_CHANNEL_OPENING, channel->channel.id,
                "of client %llu: %s, %s", (unsigned long long)client->id, channel->display,
                channel->is_shared ? "shared" : "private");
    return shares_open(&server->shares, target, channel->is_shared, &channel->channel, ret_failure);
}

static int open_handle(struct client *client, struct client_channel *channel,
                       const struct wsp_message *message)
{
    struct failure failure;
    int r;

    if (channel) {
        client_fail(client, WSP_FATAL_CHANNEL_IN_USE, message->type, message->channel, NULL);
        return 0;
    }
    if (client->n_channels >= client->max_channels ||
        client->n_uncharged >= MAX_UNCHARGED_CHANNELS) {
        client_fail(client, WSP_FATAL_TOO_MANY_CHANNELS, message->type, message->channel, NULL);
        return 0;
    }
    r = client_channel_new(client, message->channel, &channel);
    if (r < 0)
        return r;
    if (r == QUOTA_EXCEEDED)
        failure_set(&failure, WSP_CAUSE_QUOTA, 0,
                    "this user has %llu channels, as many as the daemon allows",
                    (unsigned long long)client->server->quota.limits[QUOTA_CHANNELS]);
    else
        r = channel_open(client, channel, &message->open, &failure);
    if (r == -ENOMEM)
        failure_set(&failure, WSP_CAUSE_INTERNAL, 0, "the daemon is out of memory");
    if (r != 0) {
        journal_log(&client->server->journal, JOURNAL_CHANNEL_REFUSED, channel->channel.id,
                    "of client %llu: %s", (unsigned long long)client->id, failure.text);
        channel->is_refused = true;
        channel_fail(&channel->channel, &failure);
    }
    return 0;
}

/* ---- data ---- */

/* What assembly says of the piece, in the words of the protocol. */
static void assembly_judge(struct client *client, struct client_channel *channel,
                           const struct wsp_message *message, int result)
{
    struct failure failure;
    unsigned fatal = 0;

    switch (result) {
    case ASSEMBLY_OVER_CREDIT: fatal = WSP_FATAL_OVER_CREDIT; break;
    case ASSEMBLY_OUT_OF_TURN: fatal = WSP_FATAL_OUT_OF_TURN; break;
    case ASSEMBLY_NOT_UTF8: fatal = WSP_FATAL_BAD_PAYLOAD; break;
    case ASSEMBLY_TOO_BIG:
        failure_set(&failure, WSP_CAUSE_TOO_BIG, 0,
                    "a message to be sent is longer than %llu bytes (max-message)",
                    (unsigned long long)channel->assembly.max_message);
        break;
    case ASSEMBLY_OVER_QUOTA:
        failure_set(&failure, WSP_CAUSE_QUOTA, 0,
                    "messages of this user that wait to be sent are more than the daemon allows "
                    "(max-sending)");
        break;
    default: failure_set(&failure, WSP_CAUSE_INTERNAL, 0, "the daemon is out of memory"); break;
    }
    if (fatal != 0)
        client_fail(client, fatal, message->type, message->channel,
                    fatal == WSP_FATAL_BAD_PAYLOAD ? "a text message is not UTF-8" : NULL);
    else
        channel_fail(&channel->channel, &failure);
}

/* OPENED has said that the channel may not send. The library heeds that; whoever does not has no use of it. True: it may
 * not, and has ended. */
static bool send_is_refused(struct client_channel *channel)
{
    struct failure failure;

    if (!(channel->channel.denied & WSP_DENIED_SEND))
        return false;
    failure_set(&failure, WSP_CAUSE_RECEIVE_ONLY, 0,
                "this user may receive from %.200s, and not send to it", channel->display);
    channel_fail(&channel->channel, &failure);
    return true;
}

static int data_handle(struct client *client, struct client_channel *channel,
                       const struct wsp_message *message)
{
    bool is_binary = message->type == WSP_LOCAL_BINARY;
    struct assembly *assembly = &channel->assembly;
    int r;

    if (channel->channel.state == CHANNEL_ENDED || send_is_refused(channel))
        return 0;
    r = assembly_feed(assembly, is_binary, !(message->flags & WSP_WIRE_MORE),
                      is_binary ? message->binary.payload : message->text.payload);
    if (r == 0)
        r = channel_send_take(&channel->channel, is_binary, &assembly->payload, assembly->cost,
                              &assembly->charge);
    if (r != 0 && r != ASSEMBLY_MORE)
        assembly_judge(client, channel, message, r);
    return 0;
}

static int abort_handle(struct client *client, struct client_channel *channel,
                        const struct wsp_message *message)
{
    int r;

    if (channel->channel.state == CHANNEL_ENDED)
        return 0;
    r = assembly_abort(&channel->assembly);
    if (r != 0)
        assembly_judge(client, channel, message, r);
    return 0;
}

static int credit_handle(struct client *client, struct client_channel *channel,
                         const struct wsp_message *message)
{
    if (channel->has_credit && message->credit.total < channel->credit) {
        client_fail(client, WSP_FATAL_BAD_PAYLOAD, message->type, message->channel,
                    "the total never falls");
        return 0;
    }
    channel->has_credit = true;
    channel->credit = message->credit.total;
    client_output_wake(channel);
    return 0;
}

/* ---- subscriptions ---- */

static int subscribe_handle(struct client *client, struct client_channel *channel,
                            const struct wsp_message *message)
{
    const struct wsp_local_subscribe *subscribe = &message->subscribe;

    (void)client;
    if (channel->channel.state == CHANNEL_ENDED || send_is_refused(channel))
        return 0;
    return channel_subscribe(&channel->channel, subscribe->on_connect, subscribe->on_leave);
}

static int unsubscribe_handle(struct client *client, struct client_channel *channel,
                              const struct wsp_message *message)
{
    (void)client;
    channel_unsubscribe(&channel->channel, message->unsubscribe.on_connect);
    return 0;
}

/* ---- the end of a channel ---- */

static int close_handle(struct client *client, struct client_channel *channel,
                        const struct wsp_message *message)
{
    const struct wsp_local_close *close = &message->close;

    if (channel->assembly.is_begun && channel->channel.state != CHANNEL_ENDED) {
        client_fail(client, WSP_FATAL_OUT_OF_TURN, message->type, message->channel,
                    "a message has begun; finish or abort it first");
        return 0;
    }
    channel->is_close_asked = true;
    channel_close(&channel->channel, close->code, close->reason, close->discard != 0);
    return 0;
}

static int release_handle(struct client *client, struct client_channel *channel,
                          const struct wsp_message *message)
{
    if (!channel->is_end_told)
        client_fail(client, WSP_FATAL_OUT_OF_TURN, message->type, message->channel,
                    "the channel has not been CLOSED yet");
    else
        client_channel_release(channel);
    return 0;
}

/* ---- the connection ---- */

static int request_handle(struct client *client, struct client_channel *channel,
                          const struct wsp_message *message)
{
    (void)channel;
    return control_request(client, &message->request);
}

/* Its minor version and extensions matter as soon as there is a second of either; wire has seen that it is one. */
static int hello_handle(struct client *client, struct client_channel *channel,
                        const struct wsp_message *message)
{
    (void)client;
    (void)channel;
    (void)message;
    return 0;
}

/* ---- the table ---- */

enum request_rule {
    RULE_CONNECTION = 1,  /* is not about a channel */
    RULE_MAY_BE_NEW = 2,  /* the channel need not be there */
    RULE_AFTER_END = 4,   /* is acted on when CLOSED has been sent, and not ignored */
    RULE_AFTER_CLOSE = 8, /* may come after the client's CLOSE */
};

struct request_row {
    uint8_t type; /* enum wsp_local_type */
    unsigned rules;
    /* channel: NULL where there is none. 0, -ENOMEM, -ENOBUFS. */
    int (*handle)(struct client *client, struct client_channel *channel,
                  const struct wsp_message *message);
};

static const struct request_row rows[] = {
    {WSP_LOCAL_HELLO, RULE_CONNECTION, hello_handle},
    {WSP_LOCAL_OPEN, RULE_MAY_BE_NEW | RULE_AFTER_END | RULE_AFTER_CLOSE, open_handle},
    {WSP_LOCAL_CLOSE, RULE_AFTER_CLOSE, close_handle},
    {WSP_LOCAL_RELEASE, RULE_AFTER_END | RULE_AFTER_CLOSE, release_handle},
    {WSP_LOCAL_TEXT, 0, data_handle},
    {WSP_LOCAL_BINARY, 0, data_handle},
    {WSP_LOCAL_ABORT, 0, abort_handle},
    {WSP_LOCAL_CREDIT, RULE_AFTER_CLOSE, credit_handle},
    {WSP_LOCAL_SUBSCRIBE, 0, subscribe_handle},
    {WSP_LOCAL_UNSUBSCRIBE, 0, unsubscribe_handle},
    {WSP_LOCAL_REQUEST, RULE_CONNECTION, request_handle},
};

static const struct request_row *row_find(uint8_t type)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

int client_request(struct client *client, const struct wsp_wire_frame *frame)
{
    struct wsp_message message;
    const struct request_row *row;
    struct client_channel *channel = NULL;
    int r = wsp_message_decode(frame, WSP_SIDE_CLIENT, &message);

    if (r == WSP_SKIP)
        return 0;
    if (r != 0) {
        client_fail(client, (unsigned)r, frame->type, frame->channel, NULL);
        return 0;
    }
    row = row_find(message.type);
    if (!row)
        return 0; /* decode lets none pass that is not in the table */
    if (!(row->rules & RULE_CONNECTION)) {
        channel = client_channel_find(client, message.channel);
        if (!channel && !(row->rules & RULE_MAY_BE_NEW)) {
            client_fail(client, WSP_FATAL_UNKNOWN_CHANNEL, frame->type, frame->channel, NULL);
            return 0;
        }
    }
    if (channel && channel->is_end_told && !(row->rules & RULE_AFTER_END))
        return 0;
    if (channel && channel->is_close_asked && !channel->is_end_told &&
        !(row->rules & RULE_AFTER_CLOSE)) {
        client_fail(client, WSP_FATAL_OUT_OF_TURN, frame->type, frame->channel,
                    "the channel is closing");
        return 0;
    }
    return row->handle(client, channel, &message);
}

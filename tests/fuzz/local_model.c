/*
 * local_model: what a client may see, checked; see local_model.h.
 *
 * Between a pipe and a feed.
 *
 * Invariant: a frame of the daemon belongs to the oldest of the number's channels that has not been CLOSED, one of
 * the client to the newest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/local_model.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/chunks.h"

/* A whole message of the client on its way to a server. */
struct local_sent {
    struct list link;
    bool is_binary;
    struct wsp_buffer payload;
};

/* --- channels --- */

static struct local_channel *channel_new(struct local_model *model, uint32_t number)
{
    struct local_channel *channel = calloc(1, sizeof(*channel));

    require(channel != NULL);
    channel->number = number;
    channel->credit_total = WSP_INITIAL_CREDIT;
    list_init(&channel->link);
    list_init(&channel->sent);
    wsp_buffer_init(&channel->given, SIZE_MAX);
    list_append(&model->channels, &channel->link);
    return channel;
}

static void sent_free(struct local_sent *sent)
{
    list_remove(&sent->link);
    wsp_buffer_deinit(&sent->payload);
    free(sent);
}

static void channel_free(struct local_channel *channel)
{
    LIST_FOR_EACH (node, &channel->sent)
        sent_free(LIST_ENTRY(node, struct local_sent, link));
    wsp_buffer_deinit(&channel->given);
    list_remove(&channel->link);
    free(channel);
}

struct local_channel *local_model_find(const struct local_model *model, uint32_t number)
{
    struct local_channel *newest = NULL;

    LIST_FOR_EACH (node, &model->channels) {
        struct local_channel *channel = LIST_ENTRY(node, struct local_channel, link);

        if (channel->number == number)
            newest = channel;
    }
    return newest;
}

static struct local_channel *oldest(const struct local_model *model, uint32_t number)
{
    LIST_FOR_EACH (node, &model->channels) {
        struct local_channel *channel = LIST_ENTRY(node, struct local_channel, link);

        if (channel->number == number && !channel->is_closed)
            return channel;
    }
    return NULL;
}

/* --- what the client says --- */

static void given_data(struct local_channel *channel, const struct wsp_message *message)
{
    struct wsp_view payload = message->binary.payload;
    struct local_sent *sent;

    channel->cost_given += wsp_wire_cost(payload.len);
    require(wsp_buffer_append(&channel->given, payload.data, payload.len) == 0);
    channel->is_amid_given = (message->flags & WSP_WIRE_MORE) != 0;
    if (channel->is_amid_given)
        return;
    sent = calloc(1, sizeof(*sent));
    require(sent != NULL);
    list_init(&sent->link);
    sent->is_binary = message->type == WSP_LOCAL_BINARY;
    sent->payload = channel->given;
    channel->whole_bytes += wsp_buffer_len(&sent->payload);
    list_append(&channel->sent, &sent->link);
    wsp_buffer_init(&channel->given, SIZE_MAX);
}

static void given_credit(struct local_model *model, struct local_channel *channel, uint64_t total)
{
    if (!channel->has_credit)
        channel->credit_from = model->n_bytes;
    channel->has_credit = true;
    channel->credit = total > channel->credit ? total : channel->credit;
}

static void given_position(struct local_channel *channel, const struct wsp_local_open *open)
{
    static const struct wsp_epoch none;

    channel->is_resuming = memcmp(&open->resume_epoch, &none, sizeof(none)) != 0;
    channel->resume_epoch = open->resume_epoch;
    channel->resume_after = open->resume_after;
}

static void given_frame(struct local_model *model, const struct wsp_message *message)
{
    struct local_channel *channel = local_model_find(model, message->channel);

    if (message->type == WSP_LOCAL_OPEN && message->channel != 0)
        given_position(channel_new(model, message->channel), &message->open);
    if (!channel || channel->is_released)
        return;
    switch (message->type) {
    case WSP_LOCAL_TEXT:
    case WSP_LOCAL_BINARY: given_data(channel, message); break;
    case WSP_LOCAL_ABORT:
        wsp_buffer_truncate(&channel->given, 0);
        channel->is_amid_given = false;
        break;
    case WSP_LOCAL_CREDIT: given_credit(model, channel, message->credit.total); break;
    case WSP_LOCAL_CLOSE:
        channel->is_close_sent = true;
        channel->is_discard_sent |= message->close.discard != 0;
        break;
    case WSP_LOCAL_RELEASE: channel->is_released = true; break;
    default: break;
    }
}

void local_model_given(struct local_model *model, struct wsp_view bytes)
{
    struct wsp_message message;
    struct wsp_wire_frame frame;
    int r = 0;

    if (model->is_client_broken)
        return;
    wsp_wire_reader_feed(&model->from_client, bytes);
    while ((r = wsp_wire_reader_next(&model->from_client, &frame)) == 0) {
        r = wsp_message_decode(&frame, WSP_SIDE_CLIENT, &message);
        if (r == 0)
            given_frame(model, &message);
        else if (r != WSP_SKIP)
            break;
    }
    model->is_client_broken = r != WSP_MORE;
}

void local_channel_taken(struct local_channel *channel, bool is_binary, struct wsp_view payload)
{
    struct local_sent *sent;

    require(!list_is_empty(&channel->sent));
    sent = LIST_ENTRY(list_first(&channel->sent), struct local_sent, link);
    require(sent->is_binary == is_binary);
    require(wsp_view_equals(payload, (struct wsp_view){wsp_buffer_peek(&sent->payload),
                                                       wsp_buffer_len(&sent->payload)}));
    sent_free(sent);
}

/* --- what the daemon says --- */

/* What the program must be told to be missing, given where it begins and where it wanted to. */
static void expect_gap(struct local_channel *channel, const struct wsp_local_opened *opened)
{
    uint64_t after = channel->resume_after;

    if (memcmp(&channel->resume_epoch, &opened->epoch, sizeof(opened->epoch)) != 0 ||
        after >= opened->live_number) {
        channel->gap_due = WSP_GAP_UNKNOWN_EPOCH;
        return;
    }
    require(after + 1 <= opened->next_number);
    channel->gap_count = opened->next_number - after - 1;
    if (channel->gap_count > 0)
        channel->gap_due = WSP_GAP_NOT_KEPT;
}

static void got_opened(const struct local_model *model, struct local_channel *channel,
                       const struct wsp_local_opened *opened)
{
    require(!channel->is_opened && !channel->has_failed);
    channel->is_opened = true;
    channel->run = feed_find(model->feed, opened->epoch.bytes);
    channel->next_number = opened->next_number;
    require(channel->run != NULL);
    require(opened->max_message > 0 && opened->max_message <= WSP_MAX_MAX_MESSAGE);
    require(opened->next_number >= 1 && opened->next_number <= opened->live_number);
    require(opened->live_number <= channel->run->n_messages + 1);
    if (channel->is_resuming)
        expect_gap(channel, opened);
}

/* Where the messages would have stood, and as many as they were. */
static void got_gap(struct local_channel *channel, const struct wsp_local_gap *gap)
{
    require(channel->is_opened && !channel->has_failed && !channel->is_amid);
    require(memcmp(gap->epoch.bytes, channel->run->epoch, sizeof(gap->epoch.bytes)) == 0);
    if (channel->gap_due != 0) {
        require(gap->reason == channel->gap_due);
        require(gap->is_counted == (gap->reason == WSP_GAP_NOT_KEPT));
        require(gap->count == channel->gap_count);
        require(gap->next_number == channel->next_number);
        channel->gap_due = 0;
        return;
    }
    require(gap->reason == WSP_GAP_SLOW_CONSUMER && gap->is_counted && gap->count > 0);
    channel->next_number += gap->count;
    require(gap->next_number == channel->next_number);
    require(channel->next_number <= channel->run->n_messages + 1);
}

/* The frame's first byte came when all but the frame had. */
static void got_data(const struct local_model *model, struct local_channel *channel,
                     const struct wsp_message *message)
{
    struct wsp_view payload = message->binary.payload, whole;
    bool is_binary = message->type == WSP_LOCAL_BINARY;
    bool is_last = (message->flags & WSP_WIRE_MORE) == 0;
    uint64_t begin = model->n_bytes - payload.len - WSP_WIRE_HEADER_LEN;

    require(channel->is_opened && !channel->has_failed && channel->gap_due == 0);
    require(!channel->is_amid || channel->is_binary == is_binary);
    require(channel->next_number <= channel->run->n_messages);
    require(channel->run->messages[channel->next_number - 1].is_binary == is_binary);
    whole = feed_message(channel->run, channel->next_number);
    require(payload.len <= whole.len - channel->offset);
    require(wsp_view_equals(payload, (struct wsp_view){whole.data + channel->offset, payload.len}));
    channel->offset += payload.len;
    require(is_last == (channel->offset == whole.len));
    channel->cost += wsp_wire_cost(payload.len);
    require(!channel->has_credit || begin < channel->credit_from ||
            channel->cost <= channel->credit);
    channel->is_amid = !is_last;
    channel->is_binary = is_binary;
    if (is_last) {
        channel->next_number++;
        channel->offset = 0;
    }
}

static void got_credit(struct local_channel *channel, uint64_t total)
{
    require(!channel->has_failed);
    require(total > channel->credit_total);
    require(total <= channel->cost_given + WSP_INITIAL_CREDIT);
    channel->credit_total = total;
}

static void got_sent(struct local_channel *channel, uint64_t total)
{
    require(channel->is_opened && !channel->has_failed);
    require(total >= channel->sent_total);
    require(total <= channel->n_written);
    channel->sent_total = total;
}

/* These name an end of the channel alone, which may leave out messages that had come. */
static bool is_own_end(const struct local_channel *channel)
{
    switch (channel->cause) {
    case WSP_CAUSE_SLOW_CONSUMER:
    case WSP_CAUSE_TOO_BIG:
    case WSP_CAUSE_QUOTA:
    case WSP_CAUSE_CONFLICT: /* of subscriptions */
    case WSP_CAUSE_CANCELLED:
    case WSP_CAUSE_INTERNAL: return true;
    case WSP_CAUSE_TIMEOUT: return channel->is_close_sent;
    default: return channel->is_close_sent && (!channel->run || channel->run->is_shared);
    }
}

static void got_closed(struct local_channel *channel, const struct wsp_local_closed *closed)
{
    require(!channel->is_amid);
    require(channel->has_failed || channel->is_opened);
    require(closed->code >= 1000 && closed->code <= 4999);
    require(closed->reason.len <= WSP_MAX_CLOSE_REASON);
    require(!channel->has_failed || (!closed->was_clean && closed->code == 1006));
    if (channel->is_opened && !channel->is_discard_sent && !is_own_end(channel)) {
        require(channel->run->is_ended);
        require(channel->next_number == channel->run->n_messages + 1);
    }
    channel->is_closed = true;
}

static void got_channel_frame(const struct local_model *model, const struct wsp_message *message)
{
    struct local_channel *channel = oldest(model, message->channel);

    require(channel != NULL);
    switch (message->type) {
    case WSP_LOCAL_OPENED: got_opened(model, channel, &message->opened); break;
    case WSP_LOCAL_TEXT:
    case WSP_LOCAL_BINARY: got_data(model, channel, message); break;
    case WSP_LOCAL_ABORT:
        require(channel->is_amid && !channel->has_failed);
        channel->is_amid = false;
        channel->offset = 0;
        channel->next_number++;
        break;
    case WSP_LOCAL_GAP: got_gap(channel, &message->gap); break;
    case WSP_LOCAL_CREDIT: got_credit(channel, message->credit.total); break;
    case WSP_LOCAL_SENT: got_sent(channel, message->sent.total); break;
    case WSP_LOCAL_CLOSING:
        require(channel->is_opened && !channel->is_closing && !channel->has_failed);
        channel->is_closing = true;
        break;
    case WSP_LOCAL_FAILED:
        require(!channel->has_failed && !channel->is_amid);
        require(message->failed.cause != 0);
        channel->has_failed = true;
        channel->cause = message->failed.cause;
        break;
    case WSP_LOCAL_CLOSED: got_closed(channel, &message->closed); break;
    default: require(false);
    }
}

/* Answers come one after the other, so pieces of two never mix; a refusal is whole. */
static void got_reply(struct local_model *model, const struct wsp_message *message)
{
    struct wsp_view piece = message->reply.json;
    bool is_refusal = message->reply.status != 0;
    json_t *json;

    require(!is_refusal || (message->flags & WSP_WIRE_MORE) == 0);
    if (!is_refusal) {
        require(wsp_buffer_append(&model->json, piece.data, piece.len) == 0);
        if (message->flags & WSP_WIRE_MORE)
            return;
        piece = (struct wsp_view){wsp_buffer_peek(&model->json), wsp_buffer_len(&model->json)};
    }
    json = json_loadb((const char *)piece.data, piece.len, 0, NULL);
    require(json != NULL);
    require(!is_refusal || json_is_string(json_object_get(json, "error")));
    json_decref(json);
    if (!is_refusal)
        wsp_buffer_truncate(&model->json, 0);
}

static void got_frame(struct local_model *model, const struct wsp_message *message)
{
    require(!model->has_error);
    switch (message->type) {
    case WSP_LOCAL_HELLO: require(message->hello.max_channels >= WSP_INITIAL_CHANNELS); break;
    case WSP_LOCAL_ERROR:
        require(message->error.code != 0 && message->error.code != WSP_FATAL_INTERNAL);
        model->has_error = true;
        break;
    case WSP_LOCAL_REPLY: got_reply(model, message); break;
    default: got_channel_frame(model, message);
    }
}

void local_model_got(struct local_model *model, struct wsp_view bytes)
{
    struct wsp_wire_reader *reader = &model->from_daemon;
    uint64_t n_before = model->n_bytes;
    struct wsp_message message;
    struct wsp_wire_frame frame;
    int r;

    wsp_wire_reader_feed(reader, bytes);
    while ((r = wsp_wire_reader_next(reader, &frame)) == 0) {
        require(wsp_message_decode(&frame, WSP_SIDE_DAEMON, &message) == 0);
        model->n_bytes = n_before + bytes.len - reader->window.len;
        got_frame(model, &message);
    }
    require(r == WSP_MORE);
    model->n_bytes = n_before + bytes.len;
}

/* --- all that could come has come --- */

static void check_settled(const struct local_channel *channel)
{
    const struct feed_run *run = channel->run;

    if (channel->is_closed || channel->has_credit)
        return;
    require(!channel->is_amid && !channel->has_failed);
    if (!channel->is_opened)
        return;
    require(channel->sent_total == channel->n_written && channel->gap_due == 0);
    if (channel->is_discard_sent)
        return;
    require(!run->is_ended);
    require(channel->next_number == run->n_messages + 1);
}

void local_model_check_settled(const struct local_model *model)
{
    require(wsp_wire_reader_is_at_boundary(&model->from_daemon) || model->n_bytes == 0);
    if (model->has_error)
        return;
    LIST_FOR_EACH (node, &model->channels)
        check_settled(LIST_ENTRY(node, struct local_channel, link));
}

/* --- the model --- */

struct local_model *local_model_new(const struct feed *feed)
{
    struct local_model *model = calloc(1, sizeof(*model));

    require(model != NULL);
    model->feed = feed;
    list_init(&model->link);
    list_init(&model->channels);
    wsp_wire_reader_init(&model->from_client);
    wsp_wire_reader_init(&model->from_daemon);
    wsp_buffer_init(&model->json, SIZE_MAX);
    return model;
}

struct local_model *local_model_free(struct local_model *model)
{
    LIST_FOR_EACH (node, &model->channels)
        channel_free(LIST_ENTRY(node, struct local_channel, link));
    wsp_wire_reader_deinit(&model->from_client);
    wsp_wire_reader_deinit(&model->from_daemon);
    wsp_buffer_deinit(&model->json);
    list_remove(&model->link);
    free(model);
    return NULL;
}

/*
 * channel: see channel.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/channel.h"

#include <stdlib.h>
#include <string.h>

#include "proto/local/wire.h"

struct wsp_outgoing *wsp_outgoing_new(enum wsp_local_type type, const void *data, size_t length)
{
    struct wsp_outgoing *outgoing;

    if (length > SIZE_MAX - sizeof(*outgoing))
        return NULL;
    outgoing = malloc(sizeof(*outgoing) + length);
    if (!outgoing)
        return NULL;
    wsp_chain_init(&outgoing->link);
    outgoing->n_uses = 1;
    outgoing->length = length;
    outgoing->offset = 0;
    outgoing->type = (uint8_t)type;
    if (length > 0)
        memcpy(outgoing->data, data, length);
    return outgoing;
}

struct wsp_outgoing *wsp_outgoing_unuse(struct wsp_outgoing *outgoing)
{
    if (--outgoing->n_uses == 0)
        free(outgoing);
    return NULL;
}

static bool outgoing_is_message(const struct wsp_outgoing *outgoing)
{
    return outgoing->type == WSP_LOCAL_TEXT || outgoing->type == WSP_LOCAL_BINARY;
}

struct wsp_channel *wsp_channel_new(struct wsplex_websocket *websocket)
{
    struct wsp_channel *channel = calloc(1, sizeof(*channel));

    if (!channel)
        return NULL;
    channel->websocket = websocket;
    channel->state = WSP_CHANNEL_WAITING;
    wsp_buffer_init(&channel->open, WSP_WIRE_MAX_FRAME);
    wsp_chain_init(&channel->ready_link);
    wsp_chain_init(&channel->away_link);
    wsp_chain_init(&channel->queue);
    channel->cost_granted = WSP_INITIAL_CREDIT;
    return channel;
}

static struct wsp_outgoing *channel_first(const struct wsp_channel *channel)
{
    if (wsp_chain_is_empty(&channel->queue))
        return NULL;
    return WSP_CHAIN_ENTRY(channel->queue.next, struct wsp_outgoing, link);
}

struct wsp_channel *wsp_channel_free(struct wsp_channel *channel)
{
    struct wsp_chain *link;

    if (!channel)
        return NULL;
    while ((link = wsp_chain_take_first(&channel->queue)))
        wsp_outgoing_unuse(WSP_CHAIN_ENTRY(link, struct wsp_outgoing, link));
    wsp_chain_remove(&channel->ready_link);
    wsp_chain_remove(&channel->away_link);
    wsp_buffer_deinit(&channel->open);
    free(channel);
    return NULL;
}

void wsp_channel_send_take(struct wsp_channel *channel, struct wsp_outgoing *outgoing)
{
    wsp_chain_append(&channel->queue, &outgoing->link);
}

void wsp_channel_take_back(struct wsp_channel *channel, struct wsp_outgoing *outgoing)
{
    if (outgoing_is_message(outgoing)) {
        channel->n_taken -= outgoing->offset;
        channel->n_messages_done--;
    }
    outgoing->offset = 0;
    wsp_chain_append(channel->queue.next, &outgoing->link);
}

/* A frame costs its header too; an empty message needs no more than that. */
static bool channel_has_credit(const struct wsp_channel *channel, size_t left)
{
    uint64_t credit = channel->cost_granted - channel->cost_used;

    return credit >= wsp_wire_cost(left > 0 ? 1 : 0);
}

bool wsp_channel_is_ready(const struct wsp_channel *channel)
{
    const struct wsp_outgoing *first = channel_first(channel);

    return channel->state == WSP_CHANNEL_OPEN && !channel->is_shutdown && first &&
           (!outgoing_is_message(first) ||
            channel_has_credit(channel, first->length - first->offset));
}

bool wsp_channel_take_piece(struct wsp_channel *channel, struct wsp_piece *ret_piece)
{
    struct wsp_outgoing *first = channel_first(channel);
    uint64_t credit;
    size_t len;

    if (!wsp_channel_is_ready(channel))
        return false;
    credit = channel->cost_granted - channel->cost_used - WSP_WIRE_HEADER_LEN;
    len = first->length - first->offset;
    if (len > WSP_MAX_LOCAL_PAYLOAD)
        len = WSP_MAX_LOCAL_PAYLOAD;
    if (len > credit && outgoing_is_message(first))
        len = (size_t)credit;
    ret_piece->channel = channel;
    ret_piece->outgoing = first;
    ret_piece->payload = (struct wsp_view){first->data + first->offset, len};
    ret_piece->has_more = first->offset + len < first->length;
    first->n_uses++;
    first->offset += len;
    if (outgoing_is_message(first)) {
        channel->cost_used += wsp_wire_cost(len);
        channel->n_taken += len;
        channel->n_messages_done += !ret_piece->has_more;
    }
    if (!ret_piece->has_more) {
        wsp_chain_remove(&first->link);
        wsp_outgoing_unuse(first);
    }
    return true;
}

void wsp_channel_count_unknown(const struct wsp_channel *channel, uint64_t *ret_n_messages,
                               uint64_t *ret_n_bytes)
{
    uint64_t n_bytes = channel->n_taken;
    uint64_t n_known = channel->n_sent + channel->n_unsent;
    const struct wsp_chain *link;

    /*
     * Of a message that the daemon did not have whole, nothing can be on the network. It need not be the
     * first: others may have been taken back before it.
     */
    for (link = channel->queue.next; link != &channel->queue; link = link->next) {
        const struct wsp_outgoing *outgoing =
            WSP_CHAIN_ENTRY(link, const struct wsp_outgoing, link);

        if (outgoing_is_message(outgoing))
            n_bytes -= outgoing->offset;
    }
    *ret_n_messages =
        channel->n_messages_done - channel->n_messages_sent - channel->n_messages_unsent;
    *ret_n_bytes = n_bytes > n_known ? n_bytes - n_known : 0;
}

void wsp_channel_go_away(struct wsp_channel *channel)
{
    struct wsp_chain *link = channel->queue.next;

    while (link != &channel->queue) {
        struct wsp_outgoing *outgoing = WSP_CHAIN_ENTRY(link, struct wsp_outgoing, link);

        link = link->next;
        outgoing->offset = 0;
        if (!outgoing_is_message(outgoing)) {
            wsp_chain_remove(&outgoing->link);
            wsp_outgoing_unuse(outgoing);
        }
    }
    wsp_chain_remove(&channel->ready_link);
    channel->state = WSP_CHANNEL_AWAY;
    channel->cost_granted = WSP_INITIAL_CREDIT;
    channel->cost_used = channel->n_taken = channel->n_sent = channel->n_unsent = 0;
    channel->n_messages_done = channel->n_messages_sent = channel->n_messages_unsent = 0;
    channel->incoming_type = 0;
    channel->is_close_sent = channel->is_closing = channel->has_failed = false;
    channel->is_interrupted = channel->is_shutdown = false;
}

bool wsp_channel_has_messages(const struct wsp_channel *channel)
{
    const struct wsp_chain *link;

    for (link = channel->queue.next; link != &channel->queue; link = link->next)
        if (outgoing_is_message(WSP_CHAIN_ENTRY(link, const struct wsp_outgoing, link)))
            return true;
    return false;
}

bool wsp_channel_is_amid(const struct wsp_channel *channel)
{
    const struct wsp_outgoing *first = channel_first(channel);

    return first && first->offset > 0;
}

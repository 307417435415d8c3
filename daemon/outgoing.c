/* SPDX-License-Identifier: MIT
 *
 * outgoing: messages on their way up; see outgoing.h.
 * Between channel, in whose outbox they wait, and upstream, which writes them.
 * Invariant: a message is in its channel's outbox or in flight, and is counted as sent to the byte that got furthest.
 */
#include "daemon/outgoing.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/share.h"

/* A block of the payload is counted by whoever fills it; this is the struct's, and what malloc adds
 * to both. */
enum { OUTGOING_OVERHEAD = sizeof(struct outgoing) + 2 * BLOCK_OVERHEAD };

uint64_t outgoing_overhead(void)
{
    return OUTGOING_OVERHEAD;
}

static void outgoing_free(struct outgoing *outgoing)
{
    list_remove(&outgoing->link);
    if (outgoing->route != NULL)
        routing_unsent(outgoing);
    wsp_buffer_deinit(&outgoing->payload);
    charge_release(&outgoing->charge);
    free(outgoing);
}

static void count_unsent(struct channel *channel, uint64_t len, uint64_t cost)
{
    channel->n_unsent++;
    channel->n_unsent_bytes += len;
    channel->cost_done += cost;
    channel->share->n_unsent++;
    channel->share->n_unsent_bytes += len;
    channel->notices |= CHANNEL_NOTICE_UNSENT;
}

int channel_send_take(struct channel *channel, bool is_binary, struct wsp_buffer *payload,
                      uint64_t cost, struct charge *charge)
{
    size_t max = payload->max;
    struct outgoing *outgoing = NULL;
    int r = 0;

    if (channel->state != CHANNEL_OPEN &&
        (channel->state != CHANNEL_CONNECTING || channel->share == NULL))
        goto finish;
    if (channel->state == CHANNEL_OPEN && share_refuses_sends(channel->share)) {
        count_unsent(channel, wsp_buffer_len(payload), cost);
        channel_wake(channel);
        goto finish;
    }
    outgoing = malloc(sizeof(*outgoing));
    if (outgoing == NULL) {
        r = -ENOMEM;
        goto finish;
    }
    *outgoing = (struct outgoing){
        .channel = channel,
        .payload = *payload,
        .cost = cost,
        .number = ++channel->n_given,
        .given_len = wsp_buffer_len(payload),
        .is_binary = is_binary,
    };
    *payload = (struct wsp_buffer){0};
    charge_move(&outgoing->charge, charge);
    list_init(&outgoing->link);
    list_append(&channel->outbox, &outgoing->link);
    channel->outbox_bytes += outgoing->given_len;
    share_has_outgoing(channel->share, channel);
finish:
    charge_release(charge);
    wsp_buffer_deinit(payload);
    wsp_buffer_init(payload, max);
    return r;
}

int outgoing_new(struct share *share, struct wsp_buffer *payload, struct outgoing **ret_outgoing)
{
    struct outgoing *outgoing = malloc(sizeof(*outgoing));

    if (outgoing == NULL) {
        wsp_buffer_deinit(payload);
        return -ENOMEM;
    }
    *outgoing = (struct outgoing){
        .share = share,
        .payload = *payload,
        .given_len = wsp_buffer_len(payload),
    };
    *payload = (struct wsp_buffer){0};
    list_init(&outgoing->link);
    charge_force(&outgoing->charge, share->owner, QUOTA_SENDING_BYTES,
                 outgoing->payload.capacity + OUTGOING_OVERHEAD);
    *ret_outgoing = outgoing;
    return 0;
}

bool channel_has_sends(const struct channel *channel)
{
    return !list_is_empty(&channel->outbox) || !list_is_empty(&channel->in_flight);
}

void channel_drop_outbox(struct channel *channel)
{
    struct list *node;

    while ((node = list_take_first(&channel->outbox)) != NULL)
        outgoing_free(LIST_ENTRY(node, struct outgoing, link));
    list_remove(&channel->sender_link);
    if (channel->share != NULL)
        sending_dropped(channel->share, channel);
}

void channel_orphan_sends(struct channel *channel)
{
    struct list *node;

    while ((node = list_take_first(&channel->in_flight)) != NULL)
        LIST_ENTRY(node, struct outgoing, link)->channel = NULL;
}

void outgoing_written(struct outgoing *outgoing, size_t len)
{
    struct channel *channel = outgoing->channel;

    outgoing->share->n_out_bytes += len;
    outgoing->n_written += len;
    if (outgoing->n_written <= outgoing->n_told)
        return;
    len = (size_t)(outgoing->n_written - outgoing->n_told);
    outgoing->n_told = outgoing->n_written;
    if (channel == NULL)
        return;
    channel->outbox_bytes -= len;
    channel->n_sent_bytes += len;
    channel->notices |= CHANNEL_NOTICE_SENT;
    channel_wake(channel);
}

void outgoing_done(struct outgoing *outgoing)
{
    struct channel *channel = outgoing->channel;
    uint64_t cost = outgoing->cost;

    outgoing->share->n_out++;
    if (outgoing->route != NULL)
        routing_written(outgoing);
    if (outgoing->is_heartbeat)
        heartbeat_written(&outgoing->share->sending.heartbeat);
    outgoing_free(outgoing);
    if (channel == NULL)
        return;
    channel->n_sent++;
    channel->cost_done += cost;
    channel->notices |= CHANNEL_NOTICE_SENT;
    if (channel->state == CHANNEL_LEAVING && !channel_has_sends(channel))
        share_sends_gone(channel->share, channel);
    else
        channel_wake(channel);
}

void outgoing_drop(struct outgoing *outgoing)
{
    outgoing->n_written = 0;
    if (outgoing->channel == NULL)
        outgoing_free(outgoing);
}

/* Of one that was written in part the rest counts: the part has been told as sent. */
static void refuse_outbox(struct channel *channel)
{
    LIST_FOR_EACH (node, &channel->outbox) {
        const struct outgoing *outgoing = LIST_ENTRY(node, struct outgoing, link);
        uint64_t left = outgoing->given_len - outgoing->n_told;

        channel->outbox_bytes -= left;
        count_unsent(channel, left, outgoing->cost);
    }
    channel_drop_outbox(channel);
}

void channel_refuse_sends(struct channel *channel)
{
    if (channel->state == CHANNEL_CONNECTING || list_is_empty(&channel->outbox))
        return;
    refuse_outbox(channel);
    if (channel->state == CHANNEL_LEAVING)
        share_sends_gone(channel->share, channel);
    else
        channel_wake(channel);
}

/* Without a holder nobody sends them any more. */
void channel_take_sends_back(struct channel *channel)
{
    if (list_is_empty(&channel->in_flight))
        return;
    list_splice(&channel->in_flight, &channel->outbox);
    list_splice(&channel->outbox, &channel->in_flight);
    if (channel->is_holding)
        share_has_outgoing(channel->share, channel);
    else
        channel_drop_outbox(channel);
}

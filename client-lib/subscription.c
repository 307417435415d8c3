/*
 * subscription: see subscription.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/subscription.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/client.h"
#include "client-lib/websocket.h"
#include "proto/limits.h"

/* The payload of SUBSCRIBE; that of UNSUBSCRIBE is how it begins. */
struct wsp_subscription {
    struct wsp_chain link;
    size_t on_connect_size; /* with the length before it */
    size_t size;
    uint8_t payload[];
};

static struct wsp_subscription *subscription_of(struct wsp_chain *link)
{
    return WSP_CHAIN_ENTRY(link, struct wsp_subscription, link);
}

void wsp_subscriptions_clear(struct wsplex_websocket *websocket)
{
    struct wsp_chain *link;

    while ((link = wsp_chain_take_first(&websocket->subscriptions)))
        free(subscription_of(link));
}

int wsp_subscriptions_send(struct wsplex_websocket *websocket)
{
    struct wsp_chain *before = websocket->channel->queue.next;
    struct wsp_chain *link;

    for (link = websocket->subscriptions.next; link != &websocket->subscriptions;
         link = link->next) {
        const struct wsp_subscription *subscription = subscription_of(link);
        struct wsp_outgoing *outgoing =
            wsp_outgoing_new(WSP_LOCAL_SUBSCRIBE, subscription->payload, subscription->size);

        if (!outgoing)
            return -ENOMEM;
        wsp_chain_append(before, &outgoing->link);
    }
    return 0;
}

/* str, as the protocol has it. Returns where it ends. */
static uint8_t *put_str(uint8_t *to, const char *text, size_t len)
{
    *to++ = (uint8_t)len;
    *to++ = (uint8_t)(len >> 8);
    memcpy(to, text, len);
    return to + len;
}

/* NULL: -E2BIG or -ENOMEM in *ret_error. */
static struct wsp_subscription *subscription_new(const char *on_connect, const char *on_leave,
                                                 int *ret_error)
{
    size_t connect_len = strlen(on_connect), leave_len = strlen(on_leave);
    struct wsp_subscription *subscription;
    size_t size = 2 * sizeof(uint16_t) + connect_len + leave_len;

    *ret_error = size > WSP_MAX_LOCAL_PAYLOAD ? -E2BIG : -ENOMEM;
    subscription = *ret_error == -E2BIG ? NULL : malloc(sizeof(*subscription) + size);
    if (!subscription)
        return NULL;
    wsp_chain_init(&subscription->link);
    subscription->on_connect_size = sizeof(uint16_t) + connect_len;
    subscription->size = size;
    put_str(put_str(subscription->payload, on_connect, connect_len), on_leave, leave_len);
    return subscription;
}

/* The one with the same on_connect, or NULL. */
static struct wsp_subscription *subscription_find(struct wsplex_websocket *websocket,
                                                  const char *on_connect)
{
    size_t len = strlen(on_connect);
    struct wsp_chain *link;

    for (link = websocket->subscriptions.next; link != &websocket->subscriptions;
         link = link->next) {
        struct wsp_subscription *subscription = subscription_of(link);

        if (subscription->on_connect_size == sizeof(uint16_t) + len &&
            memcmp(subscription->payload + sizeof(uint16_t), on_connect, len) == 0)
            return subscription;
    }
    return NULL;
}

/* Puts it behind the messages. A channel that is not open will say it all when it opens, and one that
 * closes takes all back. */
static int subscription_send(struct wsplex_websocket *websocket, enum wsp_local_type type,
                             const struct wsp_subscription *subscription, size_t size)
{
    struct wsp_channel *channel = websocket->channel;
    struct wsp_outgoing *outgoing;

    if (!channel || channel->state != WSP_CHANNEL_OPEN || channel->is_close_due)
        return 0;
    outgoing = wsp_outgoing_new(type, subscription->payload, size);
    if (!outgoing)
        return -ENOMEM;
    wsp_channel_send_take(channel, outgoing);
    wsp_output_update(&websocket->client->connection.output, channel);
    return 0;
}

static int subscription_add(struct wsplex_websocket *websocket, const char *on_connect,
                            const char *on_leave)
{
    const struct wsp_subscription *old = subscription_find(websocket, on_connect);
    int r;
    struct wsp_subscription *subscription = subscription_new(on_connect, on_leave, &r);

    if (!subscription)
        return r;
    if (old) {
        bool is_same = old->size == subscription->size &&
                       memcmp(old->payload, subscription->payload, old->size) == 0;

        free(subscription);
        return is_same ? 0 : -EEXIST;
    }
    r = subscription_send(websocket, WSP_LOCAL_SUBSCRIBE, subscription, subscription->size);
    if (r < 0)
        free(subscription);
    else
        wsp_chain_append(&websocket->subscriptions, &subscription->link);
    return r;
}

static int websocket_subscribe(struct wsplex_websocket *websocket, const char *on_connect,
                               const char *on_leave)
{
    struct wsplex *client = websocket->client;
    int r = wsp_websocket_check_utf8(websocket, "text", on_connect, strlen(on_connect));

    if (r == 0)
        r = wsp_websocket_check_utf8(websocket, "text", on_leave, strlen(on_leave));
    if (r < 0)
        return r;
    if (on_connect[0] == '\0')
        return wsp_client_error(client, WSPLEX_ERROR_SYNTAX, "there is nothing to subscribe with");
    if (websocket->ready_state >= WSPLEX_CLOSING ||
        (websocket->channel && websocket->channel->denied & WSP_DENIED_SEND))
        return wsp_client_error(client, WSPLEX_ERROR_INVALID_STATE,
                                "this WebSocket is closing, or may receive and not send");
    r = subscription_add(websocket, on_connect, on_leave);
    if (r == -EEXIST)
        return wsp_client_error(client, r, "there is such a subscription with another on_leave");
    return r < 0 ? wsp_client_error(client, r, "a subscription: %s", wsplex_strerror(r)) : 0;
}

int wsplex_websocket_subscribe(struct wsplex_websocket *websocket, const char *on_connect,
                               const char *on_leave)
{
    int r = wsp_client_enter(websocket->client);

    if (r < 0)
        return r;
    return wsp_client_leave(websocket->client,
                            websocket_subscribe(websocket, on_connect, on_leave ? on_leave : ""));
}

int wsplex_websocket_unsubscribe(struct wsplex_websocket *websocket, const char *on_connect)
{
    struct wsp_subscription *subscription;
    int r = wsp_client_enter(websocket->client);

    if (r < 0)
        return r;
    subscription = subscription_find(websocket, on_connect);
    if (subscription) {
        r = subscription_send(websocket, WSP_LOCAL_UNSUBSCRIBE, subscription,
                              subscription->on_connect_size);
        if (r < 0) {
            wsp_client_error(websocket->client, r, "there is no memory for the message");
        } else {
            wsp_chain_remove(&subscription->link);
            free(subscription);
        }
    }
    return wsp_client_leave(websocket->client, r);
}

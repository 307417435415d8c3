/*
 * peers: servers that do what a target says; see peers.h.
 *
 * Between a target's script and daemon/share.
 *
 * Invariant: the contract of struct upstream_ops holds in both directions, or the target aborts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/peers.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/upstream.h"
#include "proto/local/errors.h"
#include "tests/fuzz/chunks.h"
#include "tests/fuzz/local_frames.h"

/* More than what the daemon counts beside the bytes of a message. */
enum { PER_MESSAGE = 256 };

/* A message that a peer has taken. */
struct peer_hold {
    struct list link;
    struct outgoing *outgoing;
    uint64_t channel_id;
    size_t n_written;
};

static int peer_start(void *context, struct share *share, struct upstream **ret_upstream)
{
    struct peers *peers = context;
    struct upstream *peer = calloc(1, sizeof(*peer));

    require(peer != NULL);
    peer->peers = peers;
    peer->share = share;
    peer->run = feed_begin(peers->feed, share->log.epoch->id, share->is_shared);
    list_init(&peer->in_flight);
    list_init(&peer->link);
    list_append(&peers->all, &peer->link);
    *ret_upstream = peer;
    return 0;
}

static void peer_wake(struct upstream *peer)
{
    require(peer->is_opened && !peer->is_ended);
}

static void peer_pause(struct upstream *peer, bool is_paused)
{
    require(peer->peers->n_calls == 0 && !peer->is_ended);
    require(peer->is_paused != is_paused);
    peer->is_paused = is_paused;
}

static void peer_tune(struct upstream *peer)
{
    require(peer->peers->n_calls == 0);
}

static void peer_close(struct upstream *peer, uint16_t code, struct wsp_view reason)
{
    require(peer->peers->n_calls == 0 && !peer->is_ended);
    require(!peer->is_close_asked);
    require(code == 0 || (code >= 1000 && code <= 4999));
    require(reason.len <= WSP_MAX_CLOSE_REASON);
    peer->is_close_asked = true;
}

/* No message of a peer comes in parts, so none keeps room for long. */
static void peer_break_off(struct upstream *peer, const struct failure *failure)
{
    (void)peer;
    (void)failure;
    require(false);
}

static void peer_free(struct upstream *peer)
{
    if (peer == NULL)
        return;
    require(peer->peers->n_calls == 0);
    LIST_FOR_EACH (node, &peer->in_flight) {
        struct peer_hold *hold = LIST_ENTRY(node, struct peer_hold, link);

        outgoing_drop(hold->outgoing);
        free(hold);
    }
    list_remove(&peer->link);
    free(peer);
}

const struct upstream_ops *upstream_remote_ops(void)
{
    static const struct upstream_ops ops = {
        .start = peer_start,
        .wake = peer_wake,
        .pause = peer_pause,
        .tune = peer_tune,
        .close = peer_close,
        .break_off = peer_break_off,
        .free = peer_free,
    };

    return &ops;
}

const struct opening *upstream_opening(const struct upstream *upstream)
{
    static const struct opening none, opened = {.address = "192.0.2.1:443"};

    return upstream->is_opened ? &opened : &none;
}

bool upstream_round_trip(const struct upstream *upstream, uint64_t *ret_ms)
{
    (void)upstream;
    *ret_ms = 1;
    return true;
}

void peers_init(struct peers *peers, struct feed *feed, void *owner)
{
    *peers = (struct peers){.feed = feed, .owner = owner};
    list_init(&peers->all);
}

struct upstream *peers_pick(const struct peers *peers, unsigned index)
{
    unsigned n = 0;

    LIST_FOR_EACH (node, &peers->all)
        n += !LIST_ENTRY(node, struct upstream, link)->is_ended;
    if (n == 0)
        return NULL;
    index %= n;
    LIST_FOR_EACH (node, &peers->all) {
        struct upstream *peer = LIST_ENTRY(node, struct upstream, link);

        if (!peer->is_ended && index-- == 0)
            return peer;
    }
    return NULL;
}

void peer_opens(struct upstream *peer, struct wsp_view protocol)
{
    if (peer->is_opened || peer->is_close_asked)
        return;
    peer->is_opened = true;
    peer->peers->n_calls++;
    require(share_opened(peer->share, protocol, (struct wsp_view){0}) == 0);
    peer->peers->n_calls--;
}

void peer_says(struct upstream *peer, bool is_binary, size_t len)
{
    struct wsp_view payload;
    struct wsp_buffer buffer;

    if (!peer->is_opened || peer->is_paused)
        return;
    payload = feed_say(peer->run, is_binary, len);
    peer->has_said = true;
    peer->peers->n_said += len + PER_MESSAGE;
    peer->peers->n_calls++;
    if (len < 1024) {
        require(share_received(peer->share, is_binary, payload) == 0);
    } else {
        wsp_buffer_init(&buffer, SIZE_MAX);
        require(wsp_buffer_append(&buffer, payload.data, payload.len) == 0);
        require(share_received_take(peer->share, is_binary, &buffer) == 0);
        require(buffer.data == NULL && wsp_buffer_len(&buffer) == 0);
    }
    peer->peers->n_calls--;
}

void peer_starts_closing(struct upstream *peer)
{
    if (!peer->is_opened)
        return;
    peer->is_closing = true;
    peer->peers->n_calls++;
    share_closing(peer->share);
    peer->peers->n_calls--;
}

static void peer_is_over(struct upstream *peer, const struct ending *ending)
{
    LIST_FOR_EACH (node, &peer->in_flight) {
        struct peer_hold *hold = LIST_ENTRY(node, struct peer_hold, link);

        list_remove(node);
        outgoing_drop(hold->outgoing);
        free(hold);
    }
    peer->run->is_ended = true;
    peer->is_ended = true;
    peer->peers->n_calls++;
    share_ended(peer->share, ending);
    peer->peers->n_calls--;
}

void peer_ends(struct upstream *peer, uint16_t code, struct wsp_view reason)
{
    struct ending ending = {.was_clean = true, .code = code, .reason = close_reason_of(reason)};

    if (peer->is_opened)
        peer_is_over(peer, &ending);
    else
        peer_fails(peer, WSP_CAUSE_HANDSHAKE);
}

void peer_fails(struct upstream *peer, uint16_t cause)
{
    struct ending ending = {.code = 1006};

    failure_set(&ending.failure, cause, cause == WSP_CAUSE_HANDSHAKE ? 404 : 0, "scripted");
    peer_is_over(peer, &ending);
}

/* Of a subscription; it is told none twice, and untold none that it was not told. */
static void peer_is_told(struct upstream *peer, struct wsp_view text)
{
    const size_t prefix_len = strlen(LOCAL_FRAMES_TOPIC);
    unsigned topic;
    bool has;

    if (text.len < prefix_len + 2 || memcmp(text.data, LOCAL_FRAMES_TOPIC, prefix_len) != 0)
        return;
    topic = 1u << (text.data[prefix_len + 1] & 7);
    has = (peer->topics & topic) != 0;
    require(has == (text.data[prefix_len] == '-'));
    peer->topics = (uint8_t)(peer->topics ^ topic);
}

static struct wsp_view payload_of(const struct outgoing *outgoing)
{
    return (struct wsp_view){wsp_buffer_peek(&outgoing->payload),
                             wsp_buffer_len(&outgoing->payload)};
}

void peer_takes(struct upstream *peer, unsigned n_messages)
{
    struct peers *peers = peer->peers;

    while (n_messages-- > 0 && peer->is_opened) {
        struct outgoing *outgoing = share_next_outgoing(peer->share);
        struct peer_hold *hold;

        if (outgoing == NULL)
            return;
        require(outgoing->share == peer->share);
        hold = calloc(1, sizeof(*hold));
        require(hold != NULL);
        hold->outgoing = outgoing;
        list_init(&hold->link);
        list_append(&peer->in_flight, &hold->link);
        if (outgoing->channel == NULL) {
            peer_is_told(peer, payload_of(outgoing));
            continue;
        }
        hold->channel_id = outgoing->channel->id;
        peers->taken(peers->owner, hold->channel_id, outgoing->is_binary, payload_of(outgoing));
    }
}

void peer_writes(struct upstream *peer, size_t len)
{
    struct peers *peers = peer->peers;
    struct list *first;

    while ((first = list_first(&peer->in_flight)) != NULL) {
        struct peer_hold *hold = LIST_ENTRY(first, struct peer_hold, link);
        size_t left = hold->outgoing->given_len - hold->n_written;
        size_t n = left < len ? left : len;

        if (hold->outgoing->channel != NULL)
            peers->written(peers->owner, hold->channel_id, n);
        peers->n_calls++;
        outgoing_written(hold->outgoing, n);
        peers->n_calls--;
        hold->n_written += n;
        len -= n;
        if (n < left)
            return;
        list_remove(&hold->link);
        peers->n_calls++;
        outgoing_done(hold->outgoing);
        peers->n_calls--;
        free(hold);
    }
}

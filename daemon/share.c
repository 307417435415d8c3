/* SPDX-License-Identifier: MIT
 *
 * share: the upstream's life as its channels make it, and theirs as it makes them.
 * Between upstream, which is driven through upstream_ops, and channel.
 * Invariant: what is told while an upstream ends, or opens, finds the share in the state that holds from then on.
 *
 * What the upstream tells is passed on at once; what follows from it for the upstream is decided once, in share_review at
 * the end of the turn, when everybody has said what they wanted: so the last leave and a join that race are no race.
 * Telling a channel may make its client do anything, to other channels too: whoever tells all of them walks a list of
 * its own and puts each back before it is told. States and events: share.h.
 */
#include "daemon/share.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flow.h"
#include "daemon/parting.h"
#include "daemon/shares.h"
#include "proto/local/errors.h"

const char *share_state_to_string(enum share_state state)
{
    switch (state) {
    case SHARE_CONNECTING: return "connecting";
    case SHARE_OPEN: return "open";
    case SHARE_RECONNECTING: return "reconnecting";
    case SHARE_CLOSING: return "closing";
    case SHARE_ENDED: return "ended";
    }
    return "unknown";
}

/* The end of the turn looks at what has changed. */
void share_review_later(struct share *share)
{
    turn_schedule(share->shares->turn, TURN_CHECK, &share->check);
}

/* --- state --- */

static void stop_lingering(struct share *share)
{
    share->is_lingering = false;
    timer_stop(&share->linger);
}

/* What belongs to the upstream that there was. */
static void upstream_gone(struct share *share)
{
    timer_stop(&share->parting);
    share->is_parting = false;
    if (share->is_paused)
        sending_rest(share, false);
    share->is_paused = false;
    reception_end(share);
    routing_interrupted(share);
}

void share_set_state(struct share *share, enum share_state state)
{
    share->state = state;
    if (state == SHARE_OPEN)
        sending_begin(share);
    else
        sending_end(share);
    if (state == SHARE_OPEN)
        share->opened_ms = clock_now_ms(share->shares->clock);
    if (state != SHARE_CONNECTING && state != SHARE_OPEN)
        reconnect_stop(share);
    if (state == SHARE_CLOSING || state == SHARE_ENDED)
        stop_lingering(share);
    if (state == SHARE_ENDED) {
        timer_stop(&share->block);
        timer_stop(&share->leaving);
        log_retain_nothing(&share->log);
        shares_give_place_back(share);
        charge_release(&share->charge);
        share->shares->n_upstreams--;
    }
    if (share->shares->on_change != NULL)
        share->shares->on_change(share->shares, share);
}

/* --- telling the channels --- */

static void tell_opened(struct channel *channel, struct share *share)
{
    if (channel->state == CHANNEL_CONNECTING)
        channel_opened(channel, &share->log);
    else
        channel_resumed(channel);
}

static void tell_closing(struct channel *channel, struct share *share)
{
    channel_closing(channel, &share->log);
}

static void tell_ended(struct channel *channel, struct share *share)
{
    channel_end(channel, &share->ending);
}

void share_tell_all(struct share *share, void (*tell)(struct channel *channel, struct share *share))
{
    struct list untold;
    struct list *node;

    list_init(&untold);
    list_splice(&untold, &share->channels);
    while ((node = list_first(&untold)) != NULL) {
        list_append(&share->channels, node);
        tell(LIST_ENTRY(node, struct channel, share_link), share);
    }
}

struct channel *share_only_channel(const struct share *share)
{
    struct list *first = share->is_shared ? NULL : list_first(&share->channels);

    return first == NULL ? NULL : LIST_ENTRY(first, struct channel, share_link);
}

static void tell_anchor(struct share *share)
{
    struct anchor *anchor = share->anchor;

    share->anchor = NULL;
    anchor->share = NULL;
    anchor->ended(anchor, &share->ending);
}

/* --- closing from our side; never from within a call of the upstream --- */

/* Nothing of it is left, and nothing comes back. */
static void finish(struct share *share)
{
    share_set_state(share, SHARE_ENDED);
    share_tell_all(share, tell_ended);
    if (share->anchor != NULL)
        tell_anchor(share);
    turn_schedule(share->shares->turn, TURN_BURY, &share->burial);
}

void share_close_upstream(struct share *share, uint16_t code, struct wsp_view reason)
{
    switch (share->remote) {
    case REMOTE_NONE:
    case REMOTE_OVER: finish(share); break;
    case REMOTE_CONNECTING:
    case REMOTE_OPEN:
        share->remote = REMOTE_CLOSING;
        share->shares->ops->close(share->upstream, code, reason);
        break;
    case REMOTE_CLOSING: break;
    }
}

static void close_open(struct share *share, uint16_t code, struct wsp_view reason)
{
    share_set_state(share, SHARE_CLOSING);
    share_tell_all(share, tell_closing);
    share_close_upstream(share, code, reason);
}

/* Everybody is told why it is not, or not again, open. */
static void give_up(struct share *share, uint16_t cause, const char *text)
{
    share_set_state(share, SHARE_CLOSING);
    share->is_given_up = true;
    share->ending = (struct ending){.code = 1006};
    failure_set(&share->ending.failure, cause, 0, "%s", text);
    share_tell_all(share, tell_ended);
    share_close_upstream(share, 0, (struct wsp_view){0});
}

static bool is_not_open(const struct share *share)
{
    return share->state == SHARE_CONNECTING || share->state == SHARE_RECONNECTING;
}

void share_close(struct share *share, uint16_t code, struct wsp_view reason)
{
    if (is_not_open(share))
        give_up(share, WSP_CAUSE_CANCELLED, "closed by request while it was not open");
    else if (share->state == SHARE_OPEN)
        close_open(share, code, reason);
}

void share_drain(struct share *share)
{
    if (is_not_open(share)) {
        give_up(share, WSP_CAUSE_SHUTDOWN, "the daemon stops");
    } else if (share->state == SHARE_OPEN) {
        share->is_drained = true;
        close_open(share, 1001, (struct wsp_view){0});
    }
}

void share_outdate(struct share *share)
{
    share->is_outdated = true;
    if (is_not_open(share) && (share->state == SHARE_RECONNECTING || share->reconnect.n_failed > 0))
        give_up(share, WSP_CAUSE_CANCELLED,
                "the configuration of its endpoint has changed while it was away");
}

/* Nobody wants it any more. */
static void let_go(struct share *share, uint16_t code)
{
    if (is_not_open(share))
        give_up(share, WSP_CAUSE_CANCELLED, "nobody waits for it any more");
    else
        close_open(share, code, (struct wsp_view){0});
}

void share_linger_over(void *owner)
{
    struct share *share = owner;

    share->is_lingering = false;
    if (share->n_holders == 0)
        let_go(share, 1000);
}

/* The last holder has left. */
static void forsaken(struct share *share)
{
    if (!share->is_shared) {
        let_go(share, 1001);
    } else if (share->linger_ms == 0 || share->state == SHARE_CONNECTING) {
        let_go(share, 1000);
    } else if (!share->is_lingering) {
        share->is_lingering = true;
        timer_start(&share->linger, share->linger_ms);
    }
}

/* WHATWG WebSockets, close(), once everything given to send() has gone; 1001 if the program went without a word. */
static void close_private(struct share *share)
{
    const struct channel *channel = share_only_channel(share);
    struct close_reason reason;
    uint16_t code;

    if (channel == NULL || channel->state != CHANNEL_LEAVING || channel_has_sends(channel))
        return;
    if (share->state == SHARE_RECONNECTING) {
        give_up(share, WSP_CAUSE_CANCELLED, "closed while the connection to the server was away");
        return;
    }
    code = channel->is_close_asked ? channel->close_code : 1001;
    reason = channel->close_reason;
    close_open(share, code, close_reason_view(&reason));
}

/* It has waited for the end of its predecessor, and that has come. */
static bool is_to_begin(const struct share *share)
{
    return share->state == SHARE_CONNECTING && share->remote == REMOTE_NONE &&
           share->predecessor == NULL && !share->reconnect.is_waiting;
}

void share_review(void *owner)
{
    struct share *share = owner;

    if (share->state == SHARE_ENDED)
        return;
    flow_review(share);
    if (share->state == SHARE_OPEN || share->state == SHARE_RECONNECTING)
        close_private(share);
    if (share->is_parting)
        parting_review(share);
    if (share_is_joinable(share) && share->n_holders == 0)
        forsaken(share);
    if (share->state == SHARE_OPEN)
        sending_review(share);
    if (is_to_begin(share))
        reconnect_fire(share);
    if (share->state == SHARE_CLOSING && share->remote == REMOTE_OPEN)
        share_close_upstream(share, 1000, (struct wsp_view){0}); /* see fail_for_protocol */
}

/* --- birth and death --- */

void share_free(struct share *share)
{
    reception_deinit(share);
    sending_deinit(share);
    task_cancel(&share->check);
    task_cancel(&share->burial);
    timer_deinit(&share->linger);
    timer_deinit(&share->block);
    timer_deinit(&share->leaving);
    timer_deinit(&share->parting);
    reconnect_deinit(share);
    share->shares->ops->free(share->upstream);
    routing_deinit(share);
    log_deinit(&share->log);
    shares_give_place_back(share);
    target_free(share->target);
    target_free(share->renewed);
    free(share->protocol);
    free(share->extensions);
    free(share->excerpt);
    charge_release(&share->charge);
    user_unref(share->owner);
    list_remove(&share->link);
    free(share);
}

void share_free_upstream(struct share *share)
{
    share->shares->ops->free(share->upstream);
    share->upstream = NULL;
    share->remote = REMOTE_NONE;
}

void share_bury(void *owner)
{
    struct share *share = owner;

    if (share->remote == REMOTE_OVER)
        share_free_upstream(share);
    if (share->state == SHARE_ENDED && share->n_channels == 0)
        share_free(share);
}

void share_attach(struct share *share, struct channel *channel, const struct target *target)
{
    channel->share = share;
    channel->denied = target->denied;
    channel->queue_bytes = target->queue_bytes;
    channel->queue_messages = target->queue_messages;
    channel->slow_consumer = target->slow_consumer;
    if (channel->slow_consumer == SLOW_DEFAULT)
        channel->slow_consumer = share->is_shared ? SLOW_DISCONNECT : SLOW_BLOCK;
    channel->replay = target->replay;
    if (share->is_shared)
        log_retain(&share->log, &target->retention);
    list_append(&share->channels, &channel->share_link);
    share->n_channels++;
    if (share->linger_ms < target->linger_ms)
        share->linger_ms = target->linger_ms;
    channel->is_holding = true;
    share->n_holders++;
    stop_lingering(share);
    if (share->state == SHARE_OPEN)
        channel_opened(channel, &share->log);
}

void share_attach_anchor(struct share *share, struct anchor *anchor, const struct target *target)
{
    log_retain(&share->log, &target->retention);
    share->anchor = anchor;
    anchor->share = share;
    share->n_holders++;
    stop_lingering(share);
}

void anchor_let_go(struct anchor *anchor)
{
    struct share *share = anchor->share;

    if (share == NULL)
        return;
    anchor->share = NULL;
    share->anchor = NULL;
    share->n_holders--;
    if (share->n_holders == 0)
        share_review_later(share);
}

bool share_is_joinable(const struct share *share)
{
    return share->state == SHARE_OPEN || is_not_open(share);
}

/* --- for the upstream --- */

static int set_string(char **string, struct wsp_view text)
{
    char *copy = wsp_view_to_string(text);

    if (copy == NULL)
        return -ENOMEM;
    free(*string);
    *string = copy;
    return 0;
}

static int begin_epoch(struct share *share)
{
    uint8_t epoch[LOG_EPOCH_LEN];

    share->shares->random(epoch, sizeof(epoch));
    return log_begin_epoch(&share->log, epoch);
}

static bool has_another_protocol(const struct share *share, struct wsp_view protocol)
{
    return share->protocol != NULL &&
           !wsp_view_equals(protocol, wsp_view_of_string(share->protocol));
}

/* Channels have been told another subprotocol: what they say and hear by its rules would be misunderstood. */
static void fail_for_protocol(struct share *share, struct wsp_view protocol)
{
    char shown[64];

    snprintf(shown, sizeof(shown), "%.*s", (int)protocol.len, (const char *)protocol.data);
    share_set_state(share, SHARE_CLOSING);
    share->is_given_up = true;
    share->ending = (struct ending){.code = 1006};
    failure_set(&share->ending.failure, WSP_CAUSE_HANDSHAKE, 0,
                "the server has come back with the subprotocol \"%s\" instead of \"%.64s\"", shown,
                share->protocol);
    share_tell_all(share, tell_ended);
    share_review_later(share);
}

int share_opened(struct share *share, struct wsp_view protocol, struct wsp_view extensions)
{
    if (!is_not_open(share))
        return 0;
    if (has_another_protocol(share, protocol)) {
        share->remote = REMOTE_OPEN;
        fail_for_protocol(share, protocol);
        return 0;
    }
    if (set_string(&share->protocol, protocol) < 0 ||
        set_string(&share->extensions, extensions) < 0)
        return -ENOMEM;
    if (share->log.is_interrupted && begin_epoch(share) < 0)
        return -ENOMEM;
    share->remote = REMOTE_OPEN;
    share->ending = (struct ending){.code = 0}; /* of the connection before */
    share_set_state(share, SHARE_OPEN);
    reconnect_opened(share);
    share_tell_all(share, tell_opened);
    share_review_later(share); /* it may have to pause */
    if (!list_is_empty(&share->senders))
        share->shares->ops->wake(share->upstream);
    return 0;
}

/* What both forms of share_received have in common. */
static int received(struct share *share, size_t len, int r)
{
    if (r < 0)
        return r;
    reception_whole(share);
    share->n_in++;
    share->n_in_bytes += len;
    if (!list_is_empty(&share->log.lagging))
        share_review_later(share);
    return 0;
}

int share_received(struct share *share, bool is_binary, struct wsp_view payload)
{
    int r = sending_heard(share, is_binary, payload);

    assert(share->remote == REMOTE_OPEN || share->remote == REMOTE_CLOSING);
    if (r == 0)
        r = routing_answer(share, is_binary, payload);
    if (r == 0)
        r = log_append(&share->log, is_binary, payload);
    return received(share, payload.len, r);
}

int share_received_take(struct share *share, bool is_binary, struct wsp_buffer *payload)
{
    struct wsp_view view = {wsp_buffer_peek(payload), wsp_buffer_len(payload)};
    size_t len = view.len;
    int r = sending_heard(share, is_binary, view);

    assert(share->remote == REMOTE_OPEN || share->remote == REMOTE_CLOSING);
    if (r == 0)
        r = routing_answer(share, is_binary, view);
    if (r == 0)
        r = log_append_take(&share->log, is_binary, payload);
    wsp_buffer_consume(payload, wsp_buffer_len(payload));
    wsp_buffer_trim(payload);
    return received(share, len, r);
}

bool share_closing(struct share *share)
{
    share->remote = REMOTE_CLOSING;
    if (share->state != SHARE_OPEN)
        return false;
    if (reconnect_is_wanted(share)) {
        share_set_state(share, SHARE_RECONNECTING);
        return false;
    }
    share_set_state(share, SHARE_CLOSING);
    if (parting_begin(share))
        return true;
    share_tell_all(share, tell_closing);
    return false;
}

/* What was not written whole is the channels' again. */
static void take_sends_back(struct share *share)
{
    LIST_FOR_EACH (node, &share->channels)
        channel_take_sends_back(LIST_ENTRY(node, struct channel, share_link));
}

void share_ended(struct share *share, const struct ending *ending)
{
    bool was_open = share->remote != REMOTE_CONNECTING, is_renewed = share->reconnect.is_renewing;

    share->remote = REMOTE_OVER;
    turn_schedule(share->shares->turn, TURN_BURY, &share->burial);
    upstream_gone(share);
    take_sends_back(share);
    if (!share->is_given_up)
        share->ending = *ending;
    share->ending.is_shutdown = share->is_drained;
    if (reconnect_is_wanted(share) && (is_renewed || reconnect_heals(share->target, ending)))
        reconnect_interrupt(share, was_open);
    else
        finish(share);
}

void share_excerpt_take(struct share *share, char *excerpt)
{
    free(share->excerpt);
    share->excerpt = excerpt;
}

const char *share_excerpt(const struct share *share, const struct ending *ending)
{
    if (share == NULL || share->excerpt == NULL || ending->failure.http_status == 0)
        return "";
    return share->excerpt;
}

/* --- for channel --- */

bool share_refuses_sends(const struct share *share)
{
    return share->state == SHARE_RECONNECTING && share->target->offline == OFFLINE_REFUSE;
}

void share_let_go(struct share *share, struct channel *channel)
{
    channel_drop_outbox(channel);
    sending_leave(share, channel);
    if (!channel->is_holding)
        return;
    channel->is_holding = false;
    share->n_holders--;
    if (share->n_holders == 0)
        share_review_later(share);
}

void share_leave(struct share *share, struct channel *channel)
{
    share_let_go(share, channel);
    channel_orphan_sends(channel);
    routing_leave(share, channel);
    share->n_dropped += channel->backlog.n_dropped;
    channel_leave_log(channel);
    flow_moved(share, channel);
    list_remove(&channel->share_link);
    share->n_channels--;
    channel->share = NULL;
    if (share->state == SHARE_ENDED && share->n_channels == 0)
        turn_schedule(share->shares->turn, TURN_BURY, &share->burial);
}

void share_sends_gone(struct share *share, struct channel *channel)
{
    struct ending ending = {.was_clean = true};

    if (!share->is_shared) {
        share_review_later(share);
        return;
    }
    ending.code = channel->close_code != 0 ? channel->close_code : 1005;
    ending.reason = channel->close_reason;
    channel_end(channel, &ending);
}

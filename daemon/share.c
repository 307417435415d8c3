/* SPDX-License-Identifier: MIT
 *
 * share: the upstream's life as its channels make it, and theirs as it makes them.
 * Between upstream, which is driven through upstream_ops, and channel.
 * Invariant: a share is in the tree of joinable shares exactly while it is shared and CONNECTING or OPEN.
 *
 * What the upstream tells is passed on at once; what follows from it for the upstream is decided once, in share_review at
 * the end of the turn, when everybody has said what they wanted: so the last leave and a join that race are no race.
 * Telling a channel may make its client do anything, to other channels too: whoever tells all of them walks a list of
 * its own and puts each back before it is told. States and events: share.h.
 */
#include "daemon/share.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flow.h"
#include "daemon/parting.h"
#include "daemon/share_key.h"
#include "daemon/shares.h"
#include "proto/local/errors.h"

const char *share_state_to_string(enum share_state state)
{
    switch (state) {
    case SHARE_CONNECTING: return "connecting";
    case SHARE_OPEN: return "open";
    case SHARE_CLOSING: return "closing";
    case SHARE_ENDED: return "ended";
    }
    return "unknown";
}

/* The end of the turn looks at what has changed. */
static void review_later(struct share *share)
{
    turn_schedule(share->shares->turn, TURN_CHECK, &share->check);
}

/* --- state --- */

static void stop_lingering(struct share *share)
{
    share->is_lingering = false;
    timer_stop(&share->linger);
}

static void stop_being_joinable(struct share *share)
{
    if (share->key == NULL)
        return;
    share_key_remove(&share->shares->joinable, share->key);
    share->key = share_key_free(share->key);
}

static void set_state(struct share *share, enum share_state state)
{
    share->state = state;
    if (state == SHARE_OPEN)
        sending_begin(share);
    else
        sending_end(share);
    if (state == SHARE_OPEN)
        share->opened_ms = clock_now_ms(share->shares->clock);
    if (state == SHARE_CLOSING || state == SHARE_ENDED) {
        stop_lingering(share);
        stop_being_joinable(share);
    }
    if (state == SHARE_ENDED) {
        timer_stop(&share->block);
        timer_stop(&share->leaving);
        timer_stop(&share->parting);
        share->is_parting = false;
        reception_end(share);
        log_retain_nothing(&share->log);
        charge_release(&share->charge);
        share->shares->n_upstreams--;
    }
    if (share->shares->on_change != NULL)
        share->shares->on_change(share->shares, share);
}

/* --- telling the channels --- */

static void tell_opened(struct channel *channel, struct share *share)
{
    channel_opened(channel, &share->log);
}

static void tell_closing(struct channel *channel, struct share *share)
{
    channel_closing(channel, &share->log);
}

static void tell_ended(struct channel *channel, struct share *share)
{
    channel_end(channel, &share->ending);
}

static void tell_all(struct share *share,
                     void (*tell)(struct channel *channel, struct share *share))
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

/* --- closing from our side; never from within a call of the upstream --- */

static void close_open(struct share *share, uint16_t code, struct wsp_view reason)
{
    set_state(share, SHARE_CLOSING);
    tell_all(share, tell_closing);
    share->shares->ops->close(share->upstream, code, reason);
}

/* Who still waits for it to open is told why it does not. */
static void give_up(struct share *share, uint16_t cause, const char *text)
{
    set_state(share, SHARE_CLOSING);
    share->ending = (struct ending){.code = 1006};
    failure_set(&share->ending.failure, cause, 0, "%s", text);
    tell_all(share, tell_ended);
    share->shares->ops->close(share->upstream, 0, (struct wsp_view){0});
}

void share_close(struct share *share, uint16_t code, struct wsp_view reason)
{
    if (share->state == SHARE_CONNECTING)
        give_up(share, WSP_CAUSE_CANCELLED, "closed by request before the connection was open");
    else if (share->state == SHARE_OPEN)
        close_open(share, code, reason);
}

void share_drain(struct share *share)
{
    if (share->state == SHARE_CONNECTING)
        give_up(share, WSP_CAUSE_SHUTDOWN, "the daemon stops");
    else if (share->state == SHARE_OPEN) {
        share->is_drained = true;
        close_open(share, 1001, (struct wsp_view){0});
    }
}

static void linger_over(void *owner)
{
    struct share *share = owner;

    share->is_lingering = false;
    if (share->state == SHARE_OPEN && share->n_holders == 0)
        close_open(share, 1000, (struct wsp_view){0});
}

/* The last holder has left. */
static void forsaken(struct share *share)
{
    if (share->state == SHARE_CONNECTING) {
        give_up(share, WSP_CAUSE_CANCELLED, "nobody waits for it any more");
    } else if (!share->is_shared) {
        close_open(share, 1001, (struct wsp_view){0});
    } else if (share->linger_ms == 0) {
        close_open(share, 1000, (struct wsp_view){0});
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
    code = channel->is_close_asked ? channel->close_code : 1001;
    reason = channel->close_reason;
    close_open(share, code, close_reason_view(&reason));
}

static void share_review(void *owner)
{
    struct share *share = owner;

    if (share->state == SHARE_ENDED)
        return;
    flow_review(share);
    if (share->state == SHARE_OPEN)
        close_private(share);
    if (share->is_parting)
        parting_review(share);
    if ((share->state == SHARE_OPEN || share->state == SHARE_CONNECTING) && share->n_holders == 0)
        forsaken(share);
    if (share->state == SHARE_OPEN)
        sending_review(share);
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
    share->shares->ops->free(share->upstream);
    log_deinit(&share->log);
    stop_being_joinable(share);
    target_free(share->target);
    free(share->protocol);
    free(share->extensions);
    free(share->excerpt);
    charge_release(&share->charge);
    user_unref(share->owner);
    list_remove(&share->link);
    free(share);
}

static void share_bury(void *owner)
{
    struct share *share = owner;

    share->shares->ops->free(share->upstream);
    share->upstream = NULL;
    if (share->n_channels == 0)
        share_free(share);
}

/* Everything that cannot fail: share_free takes it from here. */
static struct share *share_alloc(struct shares *shares, struct target *target, bool is_shared,
                                 struct user *owner)
{
    struct share *share = malloc(sizeof(*share));

    if (share == NULL)
        return NULL;
    *share = (struct share){
        .shares = shares,
        .is_shared = is_shared,
        .target = target,
        .owner = user_ref(owner),
        .created_ms = clock_now_ms(shares->clock),
    };
    list_init(&share->link);
    list_init(&share->channels);
    list_init(&share->senders);
    list_init(&share->blocking);
    task_init(&share->check, share_review, share);
    task_init(&share->burial, share_bury, share);
    reception_init(share);
    return share;
}

static int refuse_quota(const struct user *user, struct failure *ret_failure)
{
    failure_set(ret_failure, WSP_CAUSE_QUOTA, 0,
                "user %ju has %" PRIu64 " upstreams, and may have no more than %" PRIu64,
                (uintmax_t)user->uid, user->used[QUOTA_UPSTREAMS],
                user->quota->limits[QUOTA_UPSTREAMS]);
    return WSP_CAUSE_QUOTA;
}

static int become_joinable(struct share *share, struct share_key *key)
{
    share->key = key;
    key->owner = share;
    return share_key_add(&share->shares->joinable, key);
}

int share_new(struct shares *shares, struct target *target, struct share_key *key,
              struct user *owner, struct share **ret_share, struct failure *ret_failure)
{
    struct share *share = share_alloc(shares, target, key != NULL, owner);
    uint8_t epoch[LOG_EPOCH_LEN];
    int r = -ENOMEM;

    if (share == NULL) {
        share_key_free(key);
        target_free(target);
        return r;
    }
    if (key != NULL && become_joinable(share, key) < 0)
        goto fail;
    shares->random(epoch, sizeof(epoch));
    r = log_init(&share->log, epoch, owner);
    if (r < 0)
        goto fail;
    if (charge_take(&share->charge, owner, QUOTA_UPSTREAMS, 1) != 0) {
        r = refuse_quota(owner, ret_failure);
        goto fail;
    }
    r = sending_init(share);
    if (r < 0)
        goto fail;
    r = timer_init(&share->linger, shares->clock, linger_over, share);
    if (r < 0)
        goto fail;
    r = timer_init(&share->block, shares->clock, flow_block_over, share);
    if (r < 0)
        goto fail;
    r = timer_init(&share->leaving, shares->clock, flow_leaving_over, share);
    if (r < 0)
        goto fail;
    r = timer_init(&share->parting, shares->clock, parting_over, share);
    if (r < 0)
        goto fail;
    r = timer_init(&share->reception.deadline, shares->clock, reception_overdue, share);
    if (r < 0)
        goto fail;
    r = shares->ops->start(shares->ops_context, share, &share->upstream);
    if (r < 0)
        goto fail;
    share->id = ++*shares->last_id;
    list_append(&shares->all, &share->link);
    shares->n_upstreams++;
    set_state(share, SHARE_CONNECTING);
    *ret_share = share;
    return 0;
fail:
    share_free(share);
    return r;
}

void share_attach(struct share *share, struct channel *channel, const struct target *target)
{
    channel->share = share;
    channel->queue_bytes = target->queue_bytes;
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

/* --- for the upstream --- */

int share_opened(struct share *share, struct wsp_view protocol, struct wsp_view extensions)
{
    if (share->state != SHARE_CONNECTING)
        return 0;
    share->protocol = wsp_view_to_string(protocol);
    share->extensions = wsp_view_to_string(extensions);
    if (share->protocol == NULL || share->extensions == NULL)
        return -ENOMEM;
    set_state(share, SHARE_OPEN);
    tell_all(share, tell_opened);
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
        review_later(share);
    return 0;
}

int share_received(struct share *share, bool is_binary, struct wsp_view payload)
{
    int r = sending_heard(share, is_binary, payload);

    assert(share->state == SHARE_OPEN || share->state == SHARE_CLOSING);
    if (r == 0)
        r = log_append(&share->log, is_binary, payload);
    return received(share, payload.len, r);
}

int share_received_take(struct share *share, bool is_binary, struct wsp_buffer *payload)
{
    size_t len = wsp_buffer_len(payload);
    int r = sending_heard(share, is_binary, (struct wsp_view){wsp_buffer_peek(payload), len});

    assert(share->state == SHARE_OPEN || share->state == SHARE_CLOSING);
    if (r == 0)
        r = log_append_take(&share->log, is_binary, payload);
    wsp_buffer_consume(payload, wsp_buffer_len(payload));
    wsp_buffer_trim(payload);
    return received(share, len, r);
}

bool share_closing(struct share *share)
{
    if (share->state != SHARE_OPEN)
        return false;
    set_state(share, SHARE_CLOSING);
    if (parting_begin(share))
        return true;
    tell_all(share, tell_closing);
    return false;
}

void share_ended(struct share *share, const struct ending *ending)
{
    if (share->state == SHARE_ENDED)
        return;
    share->ending = *ending;
    share->ending.is_shutdown = share->is_drained;
    set_state(share, SHARE_ENDED);
    tell_all(share, tell_ended);
    turn_schedule(share->shares->turn, TURN_BURY, &share->burial);
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

void share_let_go(struct share *share, struct channel *channel)
{
    channel_drop_outbox(channel);
    sending_leave(share, channel);
    if (!channel->is_holding)
        return;
    channel->is_holding = false;
    share->n_holders--;
    if (share->n_holders == 0)
        review_later(share);
}

void share_leave(struct share *share, struct channel *channel)
{
    share_let_go(share, channel);
    channel_orphan_sends(channel);
    cursor_leave(&channel->cursor);
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
        review_later(share);
        return;
    }
    ending.code = channel->close_code != 0 ? channel->close_code : 1005;
    ending.reason = channel->close_reason;
    channel_end(channel, &ending);
}

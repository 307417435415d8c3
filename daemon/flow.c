/* SPDX-License-Identifier: MIT
 *
 * flow: backpressure, from cursors that lag to the upstream's reading.
 * Between log, where lag is arithmetic, and upstream_ops. Invariant: share->blocking holds the channels that keep
 * SHARE_PAUSE_LAG up, in the order in which they went over their bound. The rules stand in flow.h.
 */
#include "daemon/flow.h"

#include <inttypes.h>

#include "daemon/shares.h"
#include "daemon/shedding.h"
#include "proto/local/errors.h"

/* --- the end of a slow channel --- */

static void cut_off_for_lag(struct channel *channel)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_SLOW_CONSUMER, 0,
                "%" PRIu64 " bytes in %" PRIu64 " messages behind; its bound is %" PRIu64
                " bytes or %" PRIu64 " messages",
                channel_lag_cost(channel), channel_lag_messages(channel), channel->queue_bytes,
                channel->queue_messages);
    channel_cut_off(channel, &failure);
}

/* The newest of each key must not be dropped. */
static void cut_off_for_keys(struct channel *channel)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_SLOW_CONSUMER, 0,
                "the newest of its keys are %" PRIu64 " bytes in %" PRIu64
                " messages; its bound is %" PRIu64 " bytes or %" PRIu64 " messages",
                channel_lag_cost(channel), channel_lag_messages(channel), channel->queue_bytes,
                channel->queue_messages);
    channel_cut_off(channel, &failure);
}

static void cut_off_for_memory(struct channel *channel)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_INTERNAL, 0,
                "the daemon has no memory for what a slow channel keeps");
    channel_cut_off(channel, &failure);
}

static void cut_off_for_blocking(struct channel *channel, uint64_t since_ms)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_SLOW_CONSUMER, 0,
                "%" PRIu64 " bytes in %" PRIu64 " messages behind; its bound is %" PRIu64
                " bytes or %" PRIu64 " messages, and it blocked its upstream for %" PRIu64 " ms",
                channel_lag_cost(channel), channel_lag_messages(channel), channel->queue_bytes,
                channel->queue_messages, since_ms);
    channel_cut_off(channel, &failure);
}

static void cut_off_for_quota(struct channel *channel, const struct user *user)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_SLOW_CONSUMER, 0,
                "%" PRIu64 " bytes in %" PRIu64 " messages behind, when user %ju had %" PRIu64
                " bytes queued, more than the %" PRIu64 " allowed",
                channel_lag_cost(channel), channel_lag_messages(channel), (uintmax_t)user->uid,
                user->used[QUOTA_QUEUED_BYTES], user->quota->limits[QUOTA_QUEUED_BYTES]);
    channel_cut_off(channel, &failure);
}

/* --- blocking --- */

static void restart_block_timer(struct share *share)
{
    struct list *first = list_first(&share->blocking);
    uint64_t now_ms = clock_now_ms(share->shares->clock);
    uint64_t over_ms;

    timer_stop(&share->block);
    if (first == NULL || !share->is_shared || share->state == SHARE_ENDED)
        return;
    over_ms = LIST_ENTRY(first, struct channel, block_link)->over_since_ms +
              share->target->block_timeout_ms;
    timer_start(&share->block, over_ms > now_ms ? over_ms - now_ms : 0);
}

static void block(struct share *share, struct channel *channel)
{
    channel->over_since_ms = clock_now_ms(share->shares->clock);
    list_append(&share->blocking, &channel->block_link);
    share->pauses |= SHARE_PAUSE_LAG;
    if (list_first(&share->blocking) == &channel->block_link)
        restart_block_timer(share);
}

static void unblock(struct share *share, struct channel *channel)
{
    bool is_first = list_first(&share->blocking) == &channel->block_link;

    list_remove(&channel->block_link);
    if (list_is_empty(&share->blocking))
        share->pauses &= ~(unsigned)SHARE_PAUSE_LAG;
    if (is_first)
        restart_block_timer(share);
}

void flow_block_over(void *owner)
{
    struct share *share = owner;
    uint64_t now_ms = clock_now_ms(share->shares->clock);
    struct list *first;

    while ((first = list_first(&share->blocking)) != NULL) {
        struct channel *channel = LIST_ENTRY(first, struct channel, block_link);
        uint64_t since_ms = now_ms - channel->over_since_ms;

        if (since_ms < share->target->block_timeout_ms)
            break;
        cut_off_for_blocking(channel, since_ms);
    }
}

/* --- quota --- */

static bool is_over_quota(const struct user *user)
{
    return user_is_over(user, QUOTA_QUEUED_BYTES);
}

/* It waits for more than the message that it is reading, and that is charged to the user: as the log's owner, or as its
 * own. */
static bool is_weighing(const struct channel *channel, const struct user *user)
{
    return (channel->user == user || channel->share->owner == user) &&
           channel_lag_messages(channel) > 1;
}

/* The number of the first message of those channels that lag most; UINT64_MAX: there are none. */
static uint64_t find_slowest(const struct share *share, const struct user *user)
{
    uint64_t slowest = UINT64_MAX;

    LIST_FOR_EACH (node, &share->channels) {
        const struct channel *channel = LIST_ENTRY(node, struct channel, share_link);

        if (is_weighing(channel, user) && channel_place(channel) < slowest)
            slowest = channel_place(channel);
    }
    return slowest;
}

/* Nothing of the log is let go before the last of those that stand at the same message has left, so they lose what they
 * wait for together. False if there is nobody who waits for more than the message that he is reading. */
static bool unload_slowest(struct share *share, struct user *user)
{
    uint64_t slowest = find_slowest(share, user);
    struct list examined;
    struct list *node;

    if (slowest == UINT64_MAX)
        return false;
    user_ref(user);
    list_init(&examined);
    list_splice(&examined, &share->channels);
    while ((node = list_first(&examined)) != NULL) {
        struct channel *channel = LIST_ENTRY(node, struct channel, share_link);

        list_append(&share->channels, node);
        if (!is_weighing(channel, user) || channel_place(channel) != slowest)
            continue;
        if (shedding_all(channel))
            shedding_recharge(channel);
        else
            cut_off_for_quota(channel, user);
    }
    user_unref(user);
    return true;
}

/* A user who reads the log that another owns, and has too much queued; he could lose some of it here. NULL: none. */
static struct user *find_heavy_reader(const struct share *share)
{
    LIST_FOR_EACH (node, &share->channels) {
        const struct channel *channel = LIST_ENTRY(node, struct channel, share_link);

        if (channel->user != share->owner && is_over_quota(channel->user) &&
            is_weighing(channel, channel->user))
            return channel->user;
    }
    return NULL;
}

static void heed_readers(struct share *share)
{
    struct user *user;

    while ((user = find_heavy_reader(share)) != NULL) {
        user_give_way(user);
        if (is_over_quota(user))
            unload_slowest(share, user);
    }
}

/* What is only kept for who may come goes first. */
static void heed_quota(struct share *share)
{
    user_give_way(share->owner);
    if (share->is_shared)
        while (is_over_quota(share->owner) && unload_slowest(share, share->owner))
            ;
    else if (is_over_quota(share->owner) && share->log.charge.amount > 0)
        share->pauses |= SHARE_PAUSE_QUOTA;
}

/* --- lag --- */

/* Ends in an op where the channel cannot stay. Its user, who is not the log's owner, has too much queued: true. */
static bool look_at(struct share *share, struct channel *channel)
{
    bool is_over = shedding_is_over(channel);
    int r = shedding_review(channel);

    if (r < 0) {
        cut_off_for_memory(channel);
        return false;
    }
    if (r > 0) {
        cut_off_for_keys(channel);
        return false;
    }
    if (is_over && channel->slow_consumer == SLOW_DISCONNECT) {
        cut_off_for_lag(channel);
        return false;
    }
    if (is_over && channel->slow_consumer == SLOW_BLOCK && !list_is_linked(&channel->block_link))
        block(share, channel);
    shedding_recharge(channel);
    return channel->user != share->owner && is_over_quota(channel->user);
}

/* A channel that ends may take others with it, or bring new ones: each is back in its list before it is looked at. */
static void look_at_laggards(struct share *share)
{
    bool has_heavy_reader = false;
    struct list examined;
    struct list *node;

    list_init(&examined);
    list_splice(&examined, &share->log.lagging);
    while ((node = list_first(&examined)) != NULL) {
        list_append(&share->log.lagging, node);
        if (look_at(share, LIST_ENTRY(node, struct channel, cursor.link)))
            has_heavy_reader = true;
    }
    if (has_heavy_reader)
        heed_readers(share);
}

void flow_review(struct share *share)
{
    bool is_to_pause;

    look_at_laggards(share);
    heed_quota(share);
    reception_review(share);
    if (share->remote != REMOTE_OPEN && share->remote != REMOTE_CLOSING)
        return;
    is_to_pause = share->pauses != 0 && !reception_has_turn(share);
    if (share->is_paused != is_to_pause) {
        share->is_paused = is_to_pause;
        share->shares->ops->pause(share->upstream, is_to_pause);
        sending_rest(share, is_to_pause);
    }
}

void flow_moved(struct share *share, struct channel *channel)
{
    unsigned pauses;

    if (share == NULL)
        return;
    if (channel->lag.amount > 0)
        shedding_recharge(channel);
    if (share->pauses == 0)
        return;
    pauses = share->pauses;
    if (list_is_linked(&channel->block_link) && shedding_is_half(channel))
        unblock(share, channel);
    if (share->log.charge.amount == 0 || !is_over_quota(share->owner))
        share->pauses &= ~(unsigned)SHARE_PAUSE_QUOTA;
    if (share->pauses != pauses && (share->pauses & ~(unsigned)SHARE_PAUSE_TURN) == 0)
        turn_schedule(share->shares->turn, TURN_CHECK, &share->check);
}

/* --- who leaves waits for the server to take what was sent, but not for ever --- */

static void end_for_silence(struct share *share, struct channel *channel)
{
    struct ending ending = {.code = 1006};

    failure_set(&ending.failure, WSP_CAUSE_TIMEOUT, 0,
                "the server has taken nothing for %" PRIu64 " ms; %" PRIu64
                " bytes were still to be sent before the close",
                share->target->close_timeout_ms, channel->outbox_bytes);
    channel_end(channel, &ending);
}

void flow_leaving(struct share *share)
{
    if (share->is_leaving_watched)
        return;
    share->is_leaving_watched = true;
    share->was_held_back = false;
    share->leaving_mark = share->n_out_bytes;
    timer_start(&share->leaving, share->target->close_timeout_ms);
}

void flow_leaving_over(void *owner)
{
    struct share *share = owner;
    bool may_wait = share->n_out_bytes != share->leaving_mark || share->was_held_back ||
                    sending_holds_back(share);
    struct list examined;
    struct list *node;

    share->is_leaving_watched = false;
    list_init(&examined);
    list_splice(&examined, &share->channels);
    while ((node = list_first(&examined)) != NULL) {
        struct channel *channel = LIST_ENTRY(node, struct channel, share_link);

        list_append(&share->channels, node);
        if (channel->state != CHANNEL_LEAVING)
            continue;
        if (may_wait)
            flow_leaving(share);
        else
            end_for_silence(share, channel);
    }
}

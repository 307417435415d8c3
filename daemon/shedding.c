/* SPDX-License-Identifier: MIT
 *
 * shedding: a channel that lags too far, made lighter.
 * Between flow and backlog. Invariant: see shedding.h.
 */
#include "daemon/shedding.h"

#include <errno.h>

#include "daemon/share.h"

/* --- bounds --- */

static uint64_t cost_beyond(const struct channel *channel)
{
    const struct backlog_item *item = backlog_first(&channel->backlog);

    if (item == NULL)
        return cursor_lag_beyond(&channel->cursor);
    return channel->backlog.cost - entry_cost(item->entry) + cursor_lag_live(&channel->cursor);
}

static uint64_t messages_beyond(const struct channel *channel)
{
    const struct cursor *cursor = &channel->cursor;
    uint64_t n = channel->backlog.n_items, from;

    if (cursor->at != NULL) {
        from = cursor->at->number + (n == 0);
        if (from < channel->live_number)
            from = channel->live_number;
        n += cursor->log->next_number - from;
        if (channel->backlog.n_items == 0)
            return n;
    }
    return n == 0 ? 0 : n - 1;
}

bool shedding_is_over(const struct channel *channel)
{
    return cost_beyond(channel) > channel->queue_bytes ||
           messages_beyond(channel) > channel->queue_messages;
}

bool shedding_is_half(const struct channel *channel)
{
    return cost_beyond(channel) <= channel->queue_bytes / 2 &&
           messages_beyond(channel) <= channel->queue_messages / 2;
}

/* --- one message --- */

/* The one at the cursor is kept. 0, -ENOMEM. */
static int keep_next(struct channel *channel)
{
    struct cursor *cursor = &channel->cursor;
    int r = backlog_add(&channel->backlog, cursor->log, cursor->at);

    if (r == 0)
        cursor_advance(cursor);
    return r;
}

static void drop_next(struct channel *channel)
{
    backlog_miss(&channel->backlog, channel->cursor.at);
    cursor_advance(&channel->cursor);
}

/* It is read first, and has begun. */
static bool is_next_begun(const struct channel *channel)
{
    return channel->backlog.is_begun && backlog_is_empty(&channel->backlog);
}

/* --- policies: the cursor is at a message --- */

static int drop_oldest(struct channel *channel)
{
    int r = 0;

    if (!shedding_is_over(channel))
        return 0;
    if (is_next_begun(channel))
        r = keep_next(channel);
    while (r == 0 && shedding_is_over(channel) && channel->cursor.at != NULL)
        drop_next(channel);
    return r;
}

/* The bounds hold with one more. */
static bool has_room(const struct channel *channel, const struct entry *entry)
{
    const struct backlog *backlog = &channel->backlog;
    const struct backlog_item *item = backlog_first(backlog);

    return item == NULL ||
           (backlog->cost - entry_cost(item->entry) + entry_cost(entry) <= channel->queue_bytes &&
            backlog->n_items <= channel->queue_messages);
}

static int drop_newest(struct channel *channel)
{
    int r = 0;

    if (!channel->is_shedding && !shedding_is_over(channel))
        return 0;
    if (!channel->is_shedding)
        while (r == 0 && channel->cursor.at != NULL && has_room(channel, channel->cursor.at))
            r = keep_next(channel);
    channel->is_shedding = true;
    while (r == 0 && channel->cursor.at != NULL)
        drop_next(channel);
    return r;
}

static int conflate(struct channel *channel)
{
    const struct conflate_key *key = &channel->share->target->conflate_key;
    struct cursor *cursor = &channel->cursor;
    int r = 0;

    if (!channel->is_shedding && !shedding_is_over(channel))
        return 0;
    channel->is_shedding = true;
    if (is_next_begun(channel))
        r = keep_next(channel);
    while (r == 0 && cursor->at != NULL) {
        r = backlog_conflate(&channel->backlog, cursor->log, cursor->at, key);
        if (r == 0)
            cursor_advance(cursor);
    }
    while (r == 0 && shedding_is_over(channel))
        if (!backlog_drop_unkeyed(&channel->backlog))
            r = SHEDDING_FAILED;
    return r;
}

/* What stands before its end is all that it will get. */
static int keep_to_end(struct channel *channel)
{
    int r = 0;

    if (!channel->is_shedding && !shedding_is_over(channel))
        return 0;
    while (r == 0 && channel->cursor.at != NULL && channel->cursor.at->number < channel->end_number)
        r = keep_next(channel);
    return r;
}

/* --- when --- */

/* Since when it was over its bound it has read enough to get everything again. */
static bool has_caught_up(const struct channel *channel)
{
    const struct backlog *backlog = &channel->backlog;
    const struct backlog_item *item = backlog_first(backlog);

    if (item == NULL || channel->slow_consumer == SLOW_CONFLATE)
        return item == NULL;
    return backlog->cost - entry_cost(item->entry) <= channel->queue_bytes / 2 &&
           backlog->n_items - 1 <= channel->queue_messages / 2;
}

int shedding_review(struct channel *channel)
{
    int r = 0;

    if (channel->is_shedding && has_caught_up(channel))
        channel->is_shedding = false;
    if (channel->state == CHANNEL_ENDED)
        r = keep_to_end(channel);
    else if (channel->slow_consumer == SLOW_DROP_OLDEST)
        r = drop_oldest(channel);
    else if (channel->slow_consumer == SLOW_DROP_NEWEST)
        r = drop_newest(channel);
    else if (channel->slow_consumer == SLOW_CONFLATE)
        r = conflate(channel);
    if (r == 0)
        channel_moved(channel);
    return r;
}

bool shedding_all(struct channel *channel)
{
    uint64_t n_dropped = channel->backlog.n_dropped;

    if (channel->state == CHANNEL_ENDED ||
        (channel->slow_consumer != SLOW_DROP_OLDEST && channel->slow_consumer != SLOW_DROP_NEWEST))
        return false;
    if (channel->cursor.at != NULL && is_next_begun(channel) && keep_next(channel) < 0)
        return false;
    while (backlog_drop_last(&channel->backlog))
        ;
    while (channel->cursor.at != NULL)
        drop_next(channel);
    return channel->backlog.n_dropped > n_dropped;
}

void shedding_recharge(struct channel *channel)
{
    uint64_t amount = channel->backlog.n_items * backlog_item_overhead();

    if (channel->user != channel->share->owner)
        amount += cost_beyond(channel);
    if (amount > channel->lag.amount)
        charge_force(&channel->lag, channel->user, QUOTA_QUEUED_BYTES,
                     amount - channel->lag.amount);
    else
        charge_shrink(&channel->lag, channel->lag.amount - amount);
}

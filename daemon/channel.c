/* SPDX-License-Identifier: MIT
 *
 * channel: a WebSocket object's place between its client and its share.
 * Between client, which pulls messages and notices and pushes sends, and share, which decides.
 * Invariant: after CHANNEL_NOTICE_END has been told, nothing more is told; messages come before the
 * notices that follow them.
 *
 * An op of the client may do anything to the channel, free it included: every function here calls
 * one last. States and events: channel.h.
 */
#include "daemon/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flow.h"
#include "daemon/share.h"
#include "proto/local/errors.h"
#include "proto/local/message.h"

const char *channel_state_to_string(enum channel_state state)
{
    switch (state) {
    case CHANNEL_CONNECTING: return "connecting";
    case CHANNEL_OPEN: return "open";
    case CHANNEL_LEAVING: return "leaving";
    case CHANNEL_CLOSING: return "closing";
    case CHANNEL_ENDED: return "ended";
    }
    return "unknown";
}

void channel_wake(struct channel *channel)
{
    if (!channel->is_abandoned)
        channel->ops->wake(channel);
}

/* Who may not receive stays at the end of the log, whatever comes. */
static void cursor_woken(struct cursor *cursor)
{
    struct channel *channel = LIST_ENTRY(cursor, struct channel, cursor);

    if (channel->denied & WSP_DENIED_RECEIVE)
        cursor_move(cursor, NULL);
    else
        channel_wake(channel);
}

/* What its next message had to wait for has been said. */
static void subscriber_released(struct subscriber *subscriber)
{
    struct channel *channel = LIST_ENTRY(subscriber, struct channel, subscriber);

    if (!list_is_empty(&channel->outbox))
        share_has_outgoing(channel->share, channel);
}

int channel_init(struct channel *channel, const struct channel_ops *ops, struct user *user,
                 uint64_t id, uint64_t now_ms)
{
    *channel = (struct channel){
        .ops = ops,
        .id = id,
        .user = user_ref(user),
        .created_ms = now_ms,
    };
    list_init(&channel->share_link);
    list_init(&channel->outbox);
    list_init(&channel->in_flight);
    list_init(&channel->sender_link);
    list_init(&channel->block_link);
    subscriber_init(&channel->subscriber, subscriber_released);
    backlog_init(&channel->backlog);
    asker_init(&channel->asker);
    cursor_init(&channel->cursor, id, cursor_woken);
    return charge_take(&channel->charge, user, QUOTA_CHANNELS, 1);
}

void channel_deinit(struct channel *channel)
{
    if (channel->user == NULL)
        return;
    if (channel->share != NULL)
        share_leave(channel->share, channel);
    channel->epoch = epoch_unref(channel->epoch);
    charge_release(&channel->charge);
    channel->user = user_unref(channel->user);
}

/* --- subscriptions --- */

static bool takes_from_program(const struct channel *channel)
{
    return channel->share != NULL &&
           (channel->state == CHANNEL_OPEN || channel->state == CHANNEL_CONNECTING);
}

int channel_subscribe(struct channel *channel, struct wsp_view on_connect, struct wsp_view on_leave)
{
    struct failure failure;
    int r = 0;

    if (takes_from_program(channel))
        r = sending_subscribe(channel->share, channel, on_connect, on_leave, &failure);
    if (r > 0)
        channel_fail(channel, &failure);
    return r < 0 ? r : 0;
}

void channel_unsubscribe(struct channel *channel, struct wsp_view on_connect)
{
    if (takes_from_program(channel))
        sending_unsubscribe(channel->share, channel, on_connect);
}

/* --- the end --- */

struct close_reason close_reason_of(struct wsp_view text)
{
    struct close_reason reason = {.len = text.len < WSP_MAX_CLOSE_REASON ? text.len
                                                                         : WSP_MAX_CLOSE_REASON};

    if (reason.len > 0)
        memcpy(reason.bytes, text.data, reason.len);
    return reason;
}

struct wsp_view close_reason_view(const struct close_reason *reason)
{
    return (struct wsp_view){reason->bytes, reason->len};
}

void channel_leave_log(struct channel *channel)
{
    backlog_clear(&channel->backlog);
    cursor_leave(&channel->cursor);
    charge_release(&channel->lag);
    channel->offset = 0;
    channel->is_shedding = false;
}

/* In the middle of a message perhaps. */
static void leave_log(struct channel *channel)
{
    if (channel->cursor.log == NULL && backlog_is_empty(&channel->backlog))
        return;
    if (channel_front(channel) != NULL && !channel->is_abandoned)
        channel->ops->cut(channel);
    channel_leave_log(channel);
    flow_moved(channel->share, channel);
}

static bool cursor_has_reached(const struct channel *channel, uint64_t number)
{
    return channel->cursor.log == NULL || cursor_number(&channel->cursor) >= number;
}

static bool has_reached(const struct channel *channel, uint64_t number)
{
    const struct backlog_item *item = backlog_first(&channel->backlog);

    return item != NULL ? item->entry->number >= number : cursor_has_reached(channel, number);
}

/* What is left to fetch is known. A cursor that has nothing before the end must not be woken for
 * what comes after. */
static void leave_log_at_end(struct channel *channel)
{
    if (channel->cursor.log == NULL || !cursor_has_reached(channel, channel->end_number))
        return;
    cursor_leave(&channel->cursor);
    flow_moved(channel->share, channel);
}

void channel_moved(struct channel *channel)
{
    if (channel->state == CHANNEL_ENDED)
        leave_log_at_end(channel);
}

static void go(struct channel *channel)
{
    if (channel->share != NULL)
        share_leave(channel->share, channel);
    channel->state = CHANNEL_ENDED;
    channel->ops->gone(channel);
}

/* No more sends are taken; when those that were are gone, the share goes on. */
static void leave_after_sends(struct channel *channel)
{
    channel->state = CHANNEL_LEAVING;
    if (channel_has_sends(channel))
        flow_leaving(channel->share);
    else
        share_sends_gone(channel->share, channel);
}

/* Where it asked to begin, without a hole to what comes. */
static void join_log(struct channel *channel, struct log *log)
{
    const struct position *resume = &channel->resume;
    struct cursor *cursor = &channel->cursor;
    struct epoch *epoch;

    channel->live_number = log->next_number;
    if (channel->denied & WSP_DENIED_RECEIVE) {
        cursor_join(cursor, log);
        epoch = cursor_epoch(cursor);
    } else if (resume->is_given) {
        cursor_join_after(cursor, log, resume->epoch, resume->number, &channel->replay,
                          &channel->gap, &epoch);
    } else {
        cursor_join_replay(cursor, log, &channel->replay);
        epoch = cursor_epoch(cursor);
    }
    if (channel->gap.reason != 0)
        channel->notices |= CHANNEL_NOTICE_GAP;
    channel->epoch = epoch_ref(epoch);
    channel->first_number = cursor_number(cursor);
    channel->next_number = channel->first_number;
}

void channel_opened(struct channel *channel, struct log *log)
{
    if (channel->state != CHANNEL_CONNECTING)
        return;
    if (channel->is_abandoned) {
        leave_after_sends(channel);
        return;
    }
    channel->state = CHANNEL_OPEN;
    join_log(channel, log);
    channel->notices |= CHANNEL_NOTICE_OPENED;
    channel_wake(channel);
}

static void wake_at_end(struct channel *channel)
{
    if (channel->cursor.log != NULL && channel->cursor.at == NULL)
        channel_wake(channel);
}

void channel_interrupted(struct channel *channel)
{
    wake_at_end(channel);
}

void channel_resumed(struct channel *channel)
{
    wake_at_end(channel);
}

static void closing_is_due(struct channel *channel, const struct log *log)
{
    if (channel->is_close_asked || channel->is_closing_known)
        return;
    channel->is_closing_known = true;
    channel->notices |= CHANNEL_NOTICE_CLOSING;
    channel->closing_number = log->next_number;
}

bool channel_parting(struct channel *channel, const struct log *log)
{
    if (channel->state != CHANNEL_OPEN)
        return false;
    closing_is_due(channel, log);
    channel_wake(channel);
    return true;
}

void channel_closing(struct channel *channel, const struct log *log)
{
    if (channel->state != CHANNEL_OPEN && channel->state != CHANNEL_LEAVING)
        return;
    channel_drop_outbox(channel);
    if (channel->is_abandoned) {
        go(channel);
        return;
    }
    closing_is_due(channel, log);
    channel->state = CHANNEL_CLOSING;
    channel_wake(channel);
}

void channel_end(struct channel *channel, const struct ending *ending)
{
    if (channel->is_abandoned) {
        go(channel);
        return;
    }
    if (channel->state == CHANNEL_ENDED)
        return;
    channel->state = CHANNEL_ENDED;
    channel->ending = *ending;
    channel->notices |= CHANNEL_NOTICE_END;
    if (channel->cursor.log != NULL)
        channel->end_number = channel->cursor.log->next_number;
    leave_log_at_end(channel);
    if (channel->share != NULL)
        share_let_go(channel->share, channel);
    channel_wake(channel);
}

void channel_cut_off(struct channel *channel, const struct failure *failure)
{
    struct ending ending = {.failure = *failure, .code = 1006};

    leave_log(channel);
    if (channel->state == CHANNEL_ENDED) {
        channel->ending = ending;
        channel_wake(channel);
    } else {
        channel_end(channel, &ending);
    }
}

void channel_fail(struct channel *channel, const struct failure *failure)
{
    if (channel->state != CHANNEL_ENDED)
        channel_cut_off(channel, failure);
}

/* WHATWG WebSockets, close(): before the connection is established, it fails. */
static void cancel(struct channel *channel)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_CANCELLED, 0, "closed before the connection was open");
    channel->notices &= ~(unsigned)(CHANNEL_NOTICE_OPENED | CHANNEL_NOTICE_GAP);
    channel_cut_off(channel, &failure);
}

void channel_close(struct channel *channel, uint16_t code, struct wsp_view reason, bool discard)
{
    if (discard)
        leave_log(channel);
    if (channel->state != CHANNEL_CONNECTING && channel->state != CHANNEL_OPEN) {
        if (discard)
            channel_wake(channel);
        return;
    }
    channel->is_close_asked = true;
    channel->close_code = code;
    channel->close_reason = close_reason_of(reason);
    if (channel->state == CHANNEL_CONNECTING || channel->notices & CHANNEL_NOTICE_OPENED)
        cancel(channel);
    else
        leave_after_sends(channel);
}

void channel_abandon(struct channel *channel)
{
    if (channel->is_abandoned)
        return;
    channel->is_abandoned = true;
    leave_log(channel);
    switch (channel->state) {
    case CHANNEL_CONNECTING:
        if (!channel_has_sends(channel))
            go(channel);
        break;
    case CHANNEL_OPEN: leave_after_sends(channel); break;
    case CHANNEL_LEAVING: break;
    case CHANNEL_CLOSING:
    case CHANNEL_ENDED: go(channel); break;
    }
}

/* --- down --- */

const struct entry *channel_front(const struct channel *channel)
{
    const struct backlog_item *item = backlog_first(&channel->backlog);

    return item != NULL ? item->entry : channel->cursor.at;
}

uint64_t channel_place(const struct channel *channel)
{
    const struct entry *front = channel_front(channel);

    if (front != NULL)
        return front->number;
    if (channel->cursor.log != NULL)
        return cursor_number(&channel->cursor);
    return backlog_has_drops(&channel->backlog) ? channel->end_number : channel->next_number;
}

const struct epoch *channel_place_epoch(const struct channel *channel)
{
    const struct entry *front = channel_front(channel);

    if (front != NULL)
        return front->epoch;
    return channel->cursor.log != NULL ? channel->cursor.log->epoch : channel->epoch;
}

/* It has read everything, and the upstream has no connection. */
static bool is_away(const struct channel *channel)
{
    return channel_front(channel) == NULL && channel->cursor.log != NULL &&
           channel->cursor.log->is_interrupted;
}

/* Of what comes next; NULL: that is not known yet. */
static const struct epoch *epoch_to_come(const struct channel *channel)
{
    return is_away(channel) ? NULL : channel_place_epoch(channel);
}

uint64_t channel_drops_before(const struct channel *channel)
{
    uint64_t before, behind;

    backlog_count(&channel->backlog, channel->epoch, epoch_to_come(channel), &before, &behind);
    return before;
}

uint64_t channel_drops(const struct channel *channel)
{
    uint64_t before, behind;

    backlog_count(&channel->backlog, channel->epoch, epoch_to_come(channel), &before, &behind);
    return behind;
}

uint64_t channel_drops_end(const struct channel *channel)
{
    const struct epoch *epoch = epoch_to_come(channel);

    return epoch == NULL || epoch == channel->epoch ? channel_place(channel) : epoch->first_number;
}

/* However often the upstream came and went while the channel was behind: it is told of one interruption where it goes
 * on with a message of another epoch, and at the end of the log. */
static unsigned interruption_due(const struct channel *channel)
{
    unsigned due = channel->is_interruption_told ? 0 : CHANNEL_NOTICE_INTERRUPTED;

    if (is_away(channel))
        return due;
    return channel_place_epoch(channel) == channel->epoch ? 0 : due | CHANNEL_NOTICE_RESUMED;
}

static unsigned drops_due(const struct channel *channel)
{
    return (channel_drops_before(channel) > 0 ? CHANNEL_NOTICE_DROPS_BEFORE : 0) |
           (channel_drops(channel) > 0 ? CHANNEL_NOTICE_DROPS : 0);
}

/* What follows from where it reads on. */
static unsigned place_due(const struct channel *channel)
{
    const unsigned counts_anew = CHANNEL_NOTICE_GAP | CHANNEL_NOTICE_RESUMED | CHANNEL_NOTICE_DROPS;
    const struct entry *front = channel_front(channel);
    unsigned due = channel->notices & CHANNEL_NOTICE_GAP;

    due |= interruption_due(channel);
    if (!backlog_is_empty(&channel->backlog) || backlog_has_drops(&channel->backlog))
        due |= drops_due(channel);
    if (front != NULL && front->number != channel->next_number && !(due & counts_anew))
        due |= CHANNEL_NOTICE_POSITION;
    return due;
}

unsigned channel_due(const struct channel *channel)
{
    unsigned due = channel->notices;

    if (due & CHANNEL_NOTICE_OPENED)
        return CHANNEL_NOTICE_OPENED;
    if (!channel->is_open_told)
        return due & CHANNEL_NOTICE_END;
    if (channel->epoch != NULL)
        due |= place_due(channel);
    if (!has_reached(channel, channel->closing_number))
        due &= ~(unsigned)CHANNEL_NOTICE_CLOSING;
    if (!has_reached(channel, channel->end_number))
        due &= ~(unsigned)CHANNEL_NOTICE_END;
    return due;
}

void channel_told(struct channel *channel, enum channel_notice notice)
{
    const unsigned counts = CHANNEL_NOTICE_GAP | CHANNEL_NOTICE_RESUMED | CHANNEL_NOTICE_POSITION |
                            CHANNEL_NOTICE_DROPS_BEFORE | CHANNEL_NOTICE_DROPS;

    channel->notices &= ~(unsigned)notice;
    if (notice & counts)
        channel->next_number = channel_place(channel);
    if (notice == CHANNEL_NOTICE_DROPS_BEFORE)
        backlog_told_before(&channel->backlog, epoch_to_come(channel));
    if (notice == CHANNEL_NOTICE_DROPS)
        backlog_told_behind(&channel->backlog);
    if (notice == CHANNEL_NOTICE_OPENED)
        channel->is_open_told = true;
    if (notice == CHANNEL_NOTICE_INTERRUPTED)
        channel->is_interruption_told = true;
    if (notice == CHANNEL_NOTICE_RESUMED) {
        struct epoch *epoch = (struct epoch *)(uintptr_t)channel_place_epoch(channel);

        epoch_ref(epoch);
        epoch_unref(channel->epoch);
        channel->epoch = epoch;
        channel->is_interruption_told = false;
    }
    if (notice == CHANNEL_NOTICE_END && channel->share != NULL)
        share_leave(channel->share, channel);
}

const struct entry *channel_peek(const struct channel *channel)
{
    if (channel_due(channel) & (CHANNEL_NOTICE_OPENED | CHANNEL_NOTICE_CLOSING))
        return NULL;
    return channel_front(channel);
}

void channel_began(struct channel *channel, size_t offset)
{
    channel->offset = offset;
    channel->backlog.is_begun = true;
}

/* It reads on at its front. */
static void has_fetched(struct channel *channel, size_t payload_len)
{
    channel->n_received_bytes += payload_len;
    channel->offset = 0;
    channel->backlog.is_begun = false;
    flow_moved(channel->share, channel);
    if (channel->state == CHANNEL_ENDED)
        leave_log_at_end(channel);
}

void channel_fetched(struct channel *channel)
{
    const struct entry *front = channel_front(channel);
    size_t len = front->len;

    channel->n_received++;
    channel->next_number = front->number + 1;
    if (backlog_is_empty(&channel->backlog))
        cursor_advance(&channel->cursor);
    else
        backlog_shift(&channel->backlog);
    has_fetched(channel, len);
}

void channel_fetched_run(struct channel *channel, const struct entry *next, size_t payload_len)
{
    const struct cursor *cursor = &channel->cursor;
    uint64_t number = cursor->at->number;

    channel->next_number = next == NULL ? cursor->log->next_number : next->number;
    cursor_move(&channel->cursor, next);
    channel->n_received += channel->next_number - number;
    has_fetched(channel, payload_len);
}

/* --- how far behind --- */

uint64_t channel_lag_messages(const struct channel *channel)
{
    return channel->backlog.n_items + cursor_lag_messages(&channel->cursor);
}

uint64_t channel_lag_cost(const struct channel *channel)
{
    return channel->backlog.cost + cursor_lag_cost(&channel->cursor);
}

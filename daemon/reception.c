/* SPDX-License-Identifier: MIT
 *
 * reception: room for messages that arrive, and the turns of the long ones.
 * Between inflow, which holds the bytes, and quota, where long messages stand in line.
 * Invariant: SHARE_PAUSE_TURN is set exactly while a message needs a turn and has none. The rules stand in reception.h.
 */
#include "daemon/reception.h"

#include <inttypes.h>

#include "daemon/limits.h"
#include "daemon/shares.h"
#include "proto/local/errors.h"

static void review_later(struct share *share)
{
    turn_schedule(share->shares->turn, TURN_CHECK, &share->check);
}

/* --- the charge of what is held --- */

static void hold(struct share *share, uint64_t len)
{
    struct reception *reception = &share->reception;
    uint64_t covered = reception->reserved.amount;
    uint64_t amount = len > covered ? len - covered : 0;

    if (amount > reception->held.amount)
        charge_force(&reception->held, share->owner, QUOTA_RECEIVING_BYTES,
                     amount - reception->held.amount);
    else
        charge_shrink(&reception->held, reception->held.amount - amount);
}

/* --- turns --- */

bool reception_has_turn(const struct share *share)
{
    return share->reception.waiter.has_turn;
}

static uint64_t time_for(uint64_t amount)
{
    return RESERVED_GRACE_MS + amount * 1000 / MIN_RESERVED_RATE;
}

/* May come from whoever gives something back: the upstream hears of it in TURN_CHECK. */
static void admitted(struct waiter *waiter)
{
    struct reception *reception = LIST_ENTRY(waiter, struct reception, waiter);
    struct share *share = LIST_ENTRY(reception, struct share, reception);

    share->pauses &= ~(unsigned)SHARE_PAUSE_TURN;
    hold(share, reception->held.amount);
    timer_start(&reception->deadline, time_for(waiter->amount));
    review_later(share);
}

static void end_turn(struct share *share)
{
    struct reception *reception = &share->reception;

    timer_stop(&reception->deadline);
    waiter_leave(&reception->waiter);
    charge_release(&reception->reserved);
    if (share->pauses != 0)
        review_later(share);
    share->pauses &= ~(unsigned)SHARE_PAUSE_TURN;
}

void reception_overdue(void *owner)
{
    struct share *share = owner;
    uint64_t time_ms = time_for(share->reception.waiter.amount);
    struct waiter *first = waiter_first(share->owner, QUOTA_RESERVED_BYTES);
    struct failure failure;
    uint64_t waited_ms = 0;

    if (first != NULL)
        waited_ms = clock_now_ms(share->shares->clock) -
                    LIST_ENTRY(first, struct reception, waiter)->since_ms;
    if (waited_ms < time_ms) {
        timer_start(&share->reception.deadline, time_ms - waited_ms);
        return;
    }
    failure_set(&failure, WSP_CAUSE_TIMEOUT, 0,
                "the server has not ended a message of up to %" PRIu64
                " bytes, while another one waited for its room for %" PRIu64 " ms",
                share->reception.waiter.amount, waited_ms);
    share->shares->ops->break_off(share->upstream, &failure);
}

/* --- what share tells --- */

void reception_init(struct share *share)
{
    waiter_init(&share->reception.waiter, &share->reception.reserved, QUOTA_RESERVED_BYTES, 0,
                admitted);
}

void reception_end(struct share *share)
{
    end_turn(share);
    charge_release(&share->reception.held);
}

void reception_deinit(struct share *share)
{
    reception_end(share);
    timer_deinit(&share->reception.deadline);
}

void reception_whole(struct share *share)
{
    if (reception_has_turn(share))
        end_turn(share);
}

void reception_review(struct share *share)
{
    struct reception *reception = &share->reception;

    if (share->pauses != SHARE_PAUSE_TURN || list_is_linked(&reception->waiter.link))
        return;
    reception->since_ms = clock_now_ms(share->shares->clock);
    waiter_wait(&reception->waiter, share->owner);
}

/* --- what the upstream tells and asks --- */

static bool is_crowded(const struct user *user)
{
    return user_is_over(user, QUOTA_QUEUED_BYTES) ||
           user->used[QUOTA_RECEIVING_BYTES] + user->used[QUOTA_RESERVED_BYTES] >
               user->quota->limits[QUOTA_RECEIVING_BYTES] / 2;
}

size_t reception_read_len(const struct share *share, size_t max)
{
    if (max <= MAX_READ_CROWDED || reception_has_turn(share) || !is_crowded(share->owner))
        return max;
    return MAX_READ_CROWDED;
}

void reception_holds(struct share *share, size_t message_len, size_t message_max, size_t unread_len)
{
    struct reception *reception = &share->reception;

    if (share->state == SHARE_ENDED)
        return;
    reception->message_len = message_len > MAX_UNRESERVED_LEN ? message_len : 0;
    if (message_len <= MAX_UNRESERVED_LEN) {
        if (reception_has_turn(share) || share->pauses & SHARE_PAUSE_TURN)
            end_turn(share);
    } else if (!reception_has_turn(share) && !list_is_linked(&reception->waiter.link)) {
        reception->waiter.amount = message_max;
        share->pauses |= SHARE_PAUSE_TURN;
        review_later(share);
    }
    hold(share, (uint64_t)message_len + unread_len);
}

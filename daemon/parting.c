/* SPDX-License-Identifier: MIT
 *
 * parting: what the Close waits for.
 * Between share, which begins it, and channel. Invariant: a parting has an end, as its timer runs. The rules stand in
 * parting.h.
 */
#include "daemon/parting.h"

#include "daemon/limits.h"
#include "daemon/shares.h"

static void wait_a_while(struct share *share)
{
    share->parting_mark = share->n_out_bytes;
    timer_start(&share->parting, PARTING_MS);
}

bool parting_begin(struct share *share)
{
    struct channel *channel = share_only_channel(share);

    share->is_parting = channel != NULL && channel_parting(channel, &share->log);
    share->parting_since_ms = clock_now_ms(share->shares->clock);
    if (share->is_parting)
        wait_a_while(share);
    return share->is_parting;
}

static void end(struct share *share)
{
    struct channel *channel = share_only_channel(share);

    share->is_parting = false;
    timer_stop(&share->parting);
    if (channel != NULL)
        channel_closing(channel, &share->log);
    share->shares->ops->close(share->upstream, 0, (struct wsp_view){0});
}

void parting_review(struct share *share)
{
    const struct channel *channel = share_only_channel(share);

    if (channel == NULL || channel->state > CHANNEL_LEAVING ||
        (channel->state == CHANNEL_LEAVING && !channel_has_sends(channel)))
        end(share);
}

/* A channel that is OPEN could go on for ever. */
static bool may_go_on(const struct share *share)
{
    const struct channel *channel = share_only_channel(share);
    uint64_t passed_ms = clock_now_ms(share->shares->clock) - share->parting_since_ms;

    return share->n_out_bytes != share->parting_mark &&
           ((channel != NULL && channel->state == CHANNEL_LEAVING) ||
            passed_ms < share->target->close_timeout_ms);
}

void parting_over(void *owner)
{
    struct share *share = owner;

    if (may_go_on(share))
        wait_a_while(share);
    else
        end(share);
}

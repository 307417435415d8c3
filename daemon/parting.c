/* SPDX-License-Identifier: MIT
 *
 * parting: what the Close waits for.
 * Between share, which begins it, and channel. Invariant: a parting has an end, as its timer runs. The rules stand in
 * parting.h.
 */
#include "daemon/parting.h"

#include "daemon/limits.h"
#include "daemon/share.h"

bool parting_begin(struct share *share)
{
    struct channel *channel = share_only_channel(share);

    share->is_parting = channel != NULL && channel_parting(channel, &share->log);
    if (share->is_parting)
        timer_start(&share->parting, PARTING_MS);
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

void parting_over(void *owner)
{
    end(owner);
}

/* SPDX-License-Identifier: MIT
 *
 * renewal: policy that changes under way; see renewal.h.
 * Between reload and the rooms of a share that keep something of its target. Invariant: see renewal.h.
 */
#include "daemon/renewal.h"

#include <stddef.h>

#include "daemon/share.h"
#include "daemon/shares.h"

static void tell_refuse(struct channel *channel, struct share *share)
{
    (void)share;
    channel_refuse_sends(channel);
}

static bool is_away(const struct share *share)
{
    return share->state == SHARE_RECONNECTING ||
           (share->state == SHARE_CONNECTING && share->reconnect.n_failed > 0);
}

void renewal_apply(struct share *share, struct target *target, bool is_for_next)
{
    bool was_refusing = share_refuses_sends(share), was_persistent = share->target->is_persistent;

    target_renew(share->target, target);
    is_for_next = is_for_next || share->renewed != NULL;
    target_free(share->renewed);
    share->renewed = is_for_next ? target : target_free(target);
    if (share->is_shared)
        log_retain_exactly(&share->log, &share->target->retention);
    reconnect_tune(share);
    if (share->upstream != NULL && share->remote != REMOTE_OVER)
        share->shares->ops->tune(share->upstream);
    share_review_later(share);
    if (was_persistent && !share->target->is_persistent && is_away(share))
        share_outdate(share);
    else if (!was_refusing && share_refuses_sends(share))
        share_tell_all(share, tell_refuse);
}

int renewal_take_over(struct share *share)
{
    struct target *renewed = share->renewed;

    if (renewed == NULL || share->is_outdated)
        return 0;
    share->renewed = NULL;
    target_renew_connection(share->target, renewed);
    target_free(renewed);
    return sending_tune(share);
}

/* SPDX-License-Identifier: MIT
 *
 * shares: all shares of the daemon; see shares.h.
 * Neighbours: client_requests and server, who ask; share, which it makes and frees.
 * Invariant: at most one joinable share stands for a share key.
 */
#include "daemon/shares.h"

#include <errno.h>

#include "daemon/share_key.h"
#include "proto/local/errors.h"

void shares_init(struct shares *shares, struct clock *clock, struct turn *turn,
                 const struct upstream_ops *ops, void *ops_context,
                 void (*random)(void *to, size_t len), uint64_t *last_id)
{
    *shares = (struct shares){
        .clock = clock,
        .turn = turn,
        .ops = ops,
        .ops_context = ops_context,
        .random = random,
        .last_id = last_id,
    };
    list_init(&shares->all);
}

void shares_deinit(struct shares *shares)
{
    struct list *node;

    while ((node = list_take_first(&shares->all)) != NULL) {
        struct share *share = LIST_ENTRY(node, struct share, link);
        struct list *first;

        while ((first = list_first(&share->channels)) != NULL) {
            struct channel *channel = LIST_ENTRY(first, struct channel, share_link);

            share_leave(share, channel);
            channel->state = CHANNEL_ENDED;
        }
        share_free(share);
    }
    shares->n_upstreams = 0;
}

static struct share *find_joinable(struct shares *shares, const struct share_key *key)
{
    const struct share_key *found = share_key_find(&shares->joinable, key);

    return found == NULL ? NULL : found->owner;
}

int shares_open(struct shares *shares, struct target *target, bool is_shared,
                struct channel *channel, struct failure *ret_failure)
{
    struct share_key *key = NULL;
    struct share *share = NULL;
    int r;

    if (shares->is_draining) {
        failure_set(ret_failure, WSP_CAUSE_SHUTDOWN, 0, "the daemon stops");
        target_free(target);
        return WSP_CAUSE_SHUTDOWN;
    }
    if (is_shared) {
        key = share_key_new(target);
        if (key == NULL) {
            target_free(target);
            return -ENOMEM;
        }
        share = find_joinable(shares, key);
    }
    if (share != NULL) {
        share_attach(share, channel, target);
        share_key_free(key);
        target_free(target);
        return 0;
    }
    r = share_new(shares, target, key, channel->user, &share, ret_failure);
    if (r == 0)
        share_attach(share, channel, target);
    return r;
}

void shares_drain(struct shares *shares)
{
    shares->is_draining = true;
    LIST_FOR_EACH (node, &shares->all)
        share_drain(LIST_ENTRY(node, struct share, link));
}

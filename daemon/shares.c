/* SPDX-License-Identifier: MIT
 *
 * shares: all shares of the daemon; see shares.h.
 * Neighbours: client_requests and server, who ask; share, which it makes and frees.
 * Invariant: at most one joinable share stands for a share key.
 */
#include "daemon/shares.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/flow.h"
#include "daemon/parting.h"
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
        if (share->anchor != NULL)
            anchor_let_go(share->anchor);
        share_free(share);
    }
    shares->n_upstreams = 0;
}

/* --- places in the tree --- */

/* Out of the tree. Whoever waited for its end begins; whom it waited for stands in its place again. */
void shares_give_place_back(struct share *share)
{
    struct share *successor = share->successor, *predecessor = share->predecessor;

    if (successor != NULL) {
        successor->predecessor = NULL;
        share_review_later(successor);
    } else if (share->key != NULL && predecessor != NULL) {
        share_key_replace(&share->shares->keys, share->key, predecessor->key);
    } else if (share->key != NULL) {
        share_key_remove(&share->shares->keys, share->key);
    }
    if (predecessor != NULL)
        predecessor->successor = NULL;
    share->successor = share->predecessor = NULL;
    share->key = share_key_free(share->key);
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
    budget_claim_init(&share->reconnect.attempt, reconnect_allowed, share);
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

/* The key is taken in every case. */
static int take_place(struct share *share, struct share_key *key, struct share *predecessor)
{
    key->owner = share;
    if (predecessor != NULL) {
        share_key_replace(&share->shares->keys, predecessor->key, key);
        share->predecessor = predecessor;
        predecessor->successor = share;
    } else if (share_key_add(&share->shares->keys, key) < 0) {
        share_key_free(key);
        return -ENOMEM;
    }
    share->key = key;
    return 0;
}

/* A new share, which begins to connect as soon as predecessor has ended (NULL: at once). Takes target and key (NULL:
 * nobody can join) in every case. 0; -ENOMEM; WSP_CAUSE_QUOTA with failure filled in. */
static int share_new(struct shares *shares, struct target *target, struct share_key *key,
                     struct share *predecessor, struct user *owner, struct share **ret_share,
                     struct failure *ret_failure)
{
    struct share *share = share_alloc(shares, target, key != NULL, owner);
    uint8_t epoch[LOG_EPOCH_LEN];
    int r = -ENOMEM;

    if (share == NULL) {
        share_key_free(key);
        target_free(target);
        return r;
    }
    if (key != NULL && take_place(share, key, predecessor) < 0)
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
    r = routing_init(share);
    if (r < 0)
        goto fail;
    r = timer_init(&share->linger, shares->clock, share_linger_over, share);
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
    r = timer_init(&share->reconnect.timer, shares->clock, reconnect_fire, share);
    if (r < 0)
        goto fail;
    if (predecessor == NULL)
        r = reconnect_begin(share);
    if (r < 0)
        goto fail;
    share->id = ++*shares->last_id;
    list_append(&shares->all, &share->link);
    shares->n_upstreams++;
    share_set_state(share, SHARE_CONNECTING);
    *ret_share = share;
    return 0;
fail:
    share_free(share);
    return r;
}

/* --- who asks --- */

/* The share for the target: the one that stands, or a new one, which then has the target. Results as shares_open; on
 * failure the target is freed. */
static int find_or_make(struct shares *shares, struct target *target, bool is_shared,
                        struct user *owner, struct share **ret_share, struct failure *ret_failure)
{
    struct share *predecessor = NULL;
    struct share_key *key = NULL;

    if (shares->is_draining) {
        failure_set(ret_failure, WSP_CAUSE_SHUTDOWN, 0, "the daemon stops");
        target_free(target);
        return WSP_CAUSE_SHUTDOWN;
    }
    if (is_shared) {
        const struct share_key *found;

        key = share_key_new(target);
        if (key == NULL) {
            target_free(target);
            return -ENOMEM;
        }
        found = share_key_find(&shares->keys, key);
        predecessor = found == NULL ? NULL : found->owner;
    }
    if (predecessor != NULL && share_is_joinable(predecessor)) {
        share_key_free(key);
        *ret_share = predecessor;
        return 0;
    }
    if (!target->may_open) {
        failure_set(ret_failure, WSP_CAUSE_ACCESS, 0,
                    "nobody has this endpoint open, and this user may only join");
        share_key_free(key);
        target_free(target);
        return WSP_CAUSE_ACCESS;
    }
    return share_new(shares, target, key, predecessor, owner, ret_share, ret_failure);
}

/* What is wide is nobody's in particular, as whoever opened it may leave it to others: it counts for the daemon's own
 * user. 0, -ENOMEM. */
static int owner_ref(const struct target *target, struct user *user, struct user **ret_owner)
{
    if (target->is_wide)
        return quota_user_ref(user->quota, target->scope, ret_owner);
    *ret_owner = user_ref(user);
    return 0;
}

int shares_open(struct shares *shares, struct target *target, bool is_shared,
                struct channel *channel, struct failure *ret_failure)
{
    struct user *owner = NULL;
    struct share *share;
    bool is_new;
    int r = owner_ref(target, channel->user, &owner);

    if (r < 0) {
        target_free(target);
        return r;
    }
    r = find_or_make(shares, target, is_shared, owner, &share, ret_failure);
    user_unref(owner);
    if (r != 0)
        return r;
    is_new = share->target == target;
    share_attach(share, channel, target);
    if (!is_new)
        target_free(target);
    return 0;
}

int shares_anchor(struct shares *shares, struct target *target, struct user *owner,
                  struct anchor *anchor, struct failure *ret_failure)
{
    struct share *share;
    int r = find_or_make(shares, target, true, owner, &share, ret_failure);

    if (r != 0)
        return r;
    share_attach_anchor(share, anchor, target);
    if (share->target != target)
        target_free(target);
    return 0;
}

void shares_drain(struct shares *shares)
{
    shares->is_draining = true;
    LIST_FOR_EACH (node, &shares->all)
        share_drain(LIST_ENTRY(node, struct share, link));
}

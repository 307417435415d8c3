/* SPDX-License-Identifier: MIT
 *
 * quota: users, their charges, and who waits for room.
 * Between everything that holds something for a uid and control, which shows the users.
 * Invariant: a user's counters are the sum of the charges that live on it; a user without any goes away.
 */
#include "daemon/quota.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>

const char *quota_resource_to_string(enum quota_resource resource)
{
    switch (resource) {
#define QUOTA_CASE(NAME, name, limit, text) \
    case QUOTA_##NAME: return #name;
        QUOTA_RESOURCES(QUOTA_CASE)
#undef QUOTA_CASE
    case QUOTA_N_RESOURCES: break;
    }
    return "unknown";
}

void quota_init(struct quota *quota)
{
    *quota = (struct quota){
        .limits =
            {
#define QUOTA_LIMIT(NAME, name, limit, text) [QUOTA_##NAME] = (limit),
                QUOTA_RESOURCES(QUOTA_LIMIT)
#undef QUOTA_LIMIT
            },
    };
}

void quota_deinit(struct quota *quota)
{
    assert(quota->users == NULL);
}

/* --- users --- */

static int compare_users(const void *a, const void *b)
{
    uid_t x = ((const struct user *)a)->uid;
    uid_t y = ((const struct user *)b)->uid;

    return x < y ? -1 : x > y;
}

int quota_user_ref(struct quota *quota, uid_t uid, struct user **ret_user)
{
    struct user probe = {.uid = uid};
    struct user **found = tfind(&probe, &quota->users, compare_users);
    struct user *user;

    if (found != NULL) {
        *ret_user = user_ref(*found);
        return 0;
    }
    user = malloc(sizeof(*user));
    if (user == NULL)
        return -ENOMEM;
    *user = (struct user){.quota = quota, .uid = uid, .n_refs = 1};
    list_init(&user->waiting);
    if (tsearch(user, &quota->users, compare_users) == NULL) {
        free(user);
        return -ENOMEM;
    }
    *ret_user = user;
    return 0;
}

struct user *user_ref(struct user *user)
{
    user->n_refs++;
    return user;
}

struct user *user_unref(struct user *user)
{
    if (user == NULL || --user->n_refs > 0)
        return NULL;
    assert(list_is_empty(&user->waiting));
    tdelete(user, &user->quota->users, compare_users);
    free(user);
    return NULL;
}

bool user_is_over(const struct user *user, enum quota_resource resource)
{
    return user->used[resource] > user->quota->limits[resource];
}

uint64_t user_room(const struct user *user, enum quota_resource resource)
{
    uint64_t limit = user->quota->limits[resource];
    uint64_t used = user->used[resource];

    return used < limit ? limit - used : 0;
}

/* --- charges --- */

int charge_take(struct charge *charge, struct user *user, enum quota_resource resource,
                uint64_t amount)
{
    if (amount > user_room(user, resource))
        return QUOTA_EXCEEDED;
    charge_force(charge, user, resource, amount);
    return 0;
}

void charge_force(struct charge *charge, struct user *user, enum quota_resource resource,
                  uint64_t amount)
{
    if (amount == 0)
        return;
    assert(charge->amount == 0 || (charge->user == user && charge->resource == resource));
    if (charge->amount == 0) {
        charge->user = user_ref(user);
        charge->resource = resource;
    }
    charge->amount += amount;
    user->used[resource] += amount;
}

static void admit_waiters(struct user *user);

void charge_shrink(struct charge *charge, uint64_t amount)
{
    struct user *user = charge->user;
    bool is_empty = charge->amount == amount;

    if (amount == 0)
        return;
    assert(amount <= charge->amount);
    charge->amount -= amount;
    user->used[charge->resource] -= amount;
    if (is_empty)
        charge->user = NULL;
    if (charge->resource == QUOTA_SENDING_BYTES)
        admit_waiters(user);
    if (is_empty)
        user_unref(user);
}

void charge_release(struct charge *charge)
{
    charge_shrink(charge, charge->amount);
}

void charge_move(struct charge *to, struct charge *from)
{
    assert(to->amount == 0);
    *to = *from;
    *from = (struct charge){0};
}

/* --- waiters --- */

/* What one that is admitted may reserve. */
static uint64_t half_of_limit(const struct user *user)
{
    return user->quota->limits[QUOTA_SENDING_BYTES] / 2;
}

static bool has_room_for(const struct user *user, const struct waiter *waiter)
{
    uint64_t half = half_of_limit(user);
    uint64_t others = user->used[QUOTA_SENDING_BYTES] - user->waiting_bytes;

    if (others > half)
        return false;
    return waiter->amount > half ? user->n_turns == 0 : waiter->amount <= half - others;
}

static void waiter_stop_waiting(struct waiter *waiter)
{
    list_remove(&waiter->link);
    waiter->user->waiting_bytes -= waiter->counted;
    waiter->counted = 0;
}

static void waiter_admit(struct waiter *waiter)
{
    struct user *user = waiter->user;
    uint64_t half = half_of_limit(user);
    uint64_t amount = waiter->amount < half ? waiter->amount : half;

    waiter_stop_waiting(waiter);
    waiter->has_turn = true;
    user->n_turns++;
    if (amount > waiter->charge->amount)
        charge_force(waiter->charge, user, QUOTA_SENDING_BYTES, amount - waiter->charge->amount);
    waiter->admitted(waiter);
}

static void admit_waiters(struct user *user)
{
    struct list *first;

    while ((first = list_first(&user->waiting)) != NULL) {
        struct waiter *waiter = LIST_ENTRY(first, struct waiter, link);

        if (!has_room_for(user, waiter))
            return;
        waiter_admit(waiter);
    }
}

void waiter_init(struct waiter *waiter, struct charge *charge, uint64_t amount,
                 void (*admitted)(struct waiter *waiter))
{
    *waiter = (struct waiter){.charge = charge, .amount = amount, .admitted = admitted};
    list_init(&waiter->link);
}

void waiter_wait(struct waiter *waiter, struct user *user)
{
    if (list_is_linked(&waiter->link) || waiter->has_turn)
        return;
    waiter->user = user;
    list_append(&user->waiting, &waiter->link);
    waiter_recount(waiter);
    admit_waiters(user);
}

void waiter_recount(struct waiter *waiter)
{
    if (!list_is_linked(&waiter->link))
        return;
    waiter->user->waiting_bytes += waiter->charge->amount - waiter->counted;
    waiter->counted = waiter->charge->amount;
}

void waiter_leave(struct waiter *waiter)
{
    if (list_is_linked(&waiter->link)) {
        waiter_stop_waiting(waiter);
    } else if (waiter->has_turn) {
        waiter->has_turn = false;
        waiter->user->n_turns--;
    } else {
        return;
    }
    admit_waiters(waiter->user);
}

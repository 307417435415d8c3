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
    for (int i = 0; i < QUOTA_N_RESOURCES; i++)
        list_init(&user->lines[i].waiting);
    list_init(&user->keepers);
    slice_init(&user->slice);
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
    for (int i = 0; i < QUOTA_N_RESOURCES; i++)
        assert(list_is_empty(&user->lines[i].waiting));
    assert(list_is_empty(&user->keepers));
    slice_deinit(&user->slice);
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

void user_give_way(struct user *user)
{
    while (user_is_over(user, QUOTA_QUEUED_BYTES) && !list_is_empty(&user->keepers)) {
        struct keeper *keeper = LIST_ENTRY(list_first(&user->keepers), struct keeper, link);

        keeper->give_way(keeper);
        assert(!user_is_over(user, QUOTA_QUEUED_BYTES) || !list_is_linked(&keeper->link));
    }
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

static void admit_waiters(struct user *user, enum quota_resource resource);

void charge_shrink(struct charge *charge, uint64_t amount)
{
    struct user *user = charge->user;
    enum quota_resource resource = charge->resource;
    bool is_empty = charge->amount == amount;

    if (amount == 0)
        return;
    assert(amount <= charge->amount);
    charge->amount -= amount;
    user->used[resource] -= amount;
    if (is_empty)
        charge->user = NULL;
    admit_waiters(user, resource);
    if (resource == QUOTA_QUEUED_BYTES)
        admit_waiters(user, QUOTA_RESERVED_BYTES);
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
static uint64_t half_of_limit(const struct user *user, enum quota_resource resource)
{
    return user->quota->limits[resource] / 2;
}

/* What is received next would only add to what waits to be read. */
static bool is_held_up(const struct user *user, enum quota_resource resource)
{
    return resource == QUOTA_RESERVED_BYTES && user_is_over(user, QUOTA_QUEUED_BYTES);
}

static struct line *line_of(const struct waiter *waiter)
{
    return &waiter->user->lines[waiter->resource];
}

static bool has_room_for(const struct user *user, const struct waiter *waiter)
{
    uint64_t half = half_of_limit(user, waiter->resource);
    uint64_t others = user->used[waiter->resource] - line_of(waiter)->waiting_bytes;

    if (others > half || is_held_up(user, waiter->resource))
        return false;
    return waiter->amount > half ? line_of(waiter)->n_turns == 0 : waiter->amount <= half - others;
}

static void waiter_stop_waiting(struct waiter *waiter)
{
    list_remove(&waiter->link);
    line_of(waiter)->waiting_bytes -= waiter->counted;
    waiter->counted = 0;
}

static void waiter_admit(struct waiter *waiter)
{
    struct user *user = waiter->user;
    uint64_t half = half_of_limit(user, waiter->resource);
    uint64_t amount = waiter->amount < half ? waiter->amount : half;

    waiter_stop_waiting(waiter);
    waiter->has_turn = true;
    line_of(waiter)->n_turns++;
    if (amount > waiter->charge->amount)
        charge_force(waiter->charge, user, waiter->resource, amount - waiter->charge->amount);
    waiter->admitted(waiter);
}

static void admit_waiters(struct user *user, enum quota_resource resource)
{
    struct list *first;

    while ((first = list_first(&user->lines[resource].waiting)) != NULL) {
        struct waiter *waiter = LIST_ENTRY(first, struct waiter, link);

        if (!has_room_for(user, waiter))
            return;
        waiter_admit(waiter);
    }
}

void waiter_init(struct waiter *waiter, struct charge *charge, enum quota_resource resource,
                 uint64_t amount, void (*admitted)(struct waiter *waiter))
{
    *waiter = (struct waiter){
        .charge = charge, .resource = resource, .amount = amount, .admitted = admitted};
    list_init(&waiter->link);
}

void waiter_wait(struct waiter *waiter, struct user *user)
{
    if (list_is_linked(&waiter->link) || waiter->has_turn)
        return;
    waiter->user = user;
    list_append(&line_of(waiter)->waiting, &waiter->link);
    waiter_recount(waiter);
    admit_waiters(user, waiter->resource);
}

void waiter_recount(struct waiter *waiter)
{
    if (!list_is_linked(&waiter->link))
        return;
    line_of(waiter)->waiting_bytes += waiter->charge->amount - waiter->counted;
    waiter->counted = waiter->charge->amount;
}

void waiter_leave(struct waiter *waiter)
{
    if (list_is_linked(&waiter->link)) {
        waiter_stop_waiting(waiter);
    } else if (waiter->has_turn) {
        waiter->has_turn = false;
        line_of(waiter)->n_turns--;
    } else {
        return;
    }
    admit_waiters(waiter->user, waiter->resource);
}

struct waiter *waiter_first(const struct user *user, enum quota_resource resource)
{
    struct list *first = list_first(&user->lines[resource].waiting);

    return first == NULL || is_held_up(user, resource) ? NULL
                                                       : LIST_ENTRY(first, struct waiter, link);
}

static void admit_all(const void *node, VISIT visit, int depth)
{
    struct user *user = *(struct user *const *)node;

    (void)depth;
    if (visit != postorder && visit != leaf)
        return;
    for (int i = 0; i < QUOTA_N_RESOURCES; i++)
        admit_waiters(user, (enum quota_resource)i);
}

void quota_limits_changed(struct quota *quota)
{
    twalk(quota->users, admit_all);
}

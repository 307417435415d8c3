/* SPDX-License-Identifier: MIT
 *
 * slice: work counted per user and turn, and a line; see slice.h.
 * Between connections and turn. Invariant: next is scheduled exactly while somebody waits.
 */
#include "daemon/slice.h"

#include <assert.h>

#include "daemon/limits.h"

static void slice_run(void *owner)
{
    struct slice *slice = owner;
    struct list *first;

    while (!slice_is_spent(slice, slice->turn) &&
           (first = list_take_first(&slice->waiting)) != NULL) {
        struct slice_waiter *waiter = LIST_ENTRY(first, struct slice_waiter, link);

        waiter->go(waiter->owner);
    }
    if (!list_is_empty(&slice->waiting))
        turn_schedule(slice->turn, TURN_NEXT, &slice->next);
}

void slice_init(struct slice *slice)
{
    *slice = (struct slice){.turn = NULL};
    list_init(&slice->waiting);
    task_init(&slice->next, slice_run, slice);
}

void slice_deinit(struct slice *slice)
{
    assert(list_is_empty(&slice->waiting));
    task_cancel(&slice->next);
}

void slice_waiter_init(struct slice_waiter *waiter, void (*go)(void *owner), void *owner)
{
    *waiter = (struct slice_waiter){.go = go, .owner = owner};
    list_init(&waiter->link);
}

void slice_waiter_leave(struct slice_waiter *waiter)
{
    list_remove(&waiter->link);
}

/* What was done in earlier turns counts no more. */
static void slice_renew(struct slice *slice, struct turn *turn)
{
    if (slice->turn == turn && slice->turn_number == turn->number)
        return;
    slice->turn = turn;
    slice->turn_number = turn->number;
    slice->work = 0;
}

void slice_spend(struct slice *slice, struct turn *turn, uint64_t work)
{
    slice_renew(slice, turn);
    slice->work += work;
}

bool slice_is_spent(const struct slice *slice, const struct turn *turn)
{
    return slice->turn == turn && slice->turn_number == turn->number &&
           slice->work >= MAX_WORK_PER_TURN;
}

bool slice_enter(struct slice *slice, struct turn *turn, struct slice_waiter *waiter)
{
    if (list_is_linked(&waiter->link))
        return false;
    if (list_is_empty(&slice->waiting) && !slice_is_spent(slice, turn))
        return true;
    slice_renew(slice, turn);
    list_append(&slice->waiting, &waiter->link);
    turn_schedule(turn, TURN_NEXT, &slice->next);
    return false;
}

void slice_wait_first(struct slice *slice, struct turn *turn, struct slice_waiter *waiter)
{
    slice_renew(slice, turn);
    list_prepend(&slice->waiting, &waiter->link);
    turn_schedule(turn, TURN_NEXT, &slice->next);
}

/* SPDX-License-Identifier: MIT
 *
 * turn: the tasks of a turn, phase by phase.
 * Between the loop, which begins and ends turns, and everybody who has something to do at their end.
 * Invariant: a task is out of its phase before it runs, so it may schedule itself again, or be freed by what it runs.
 */
#include "daemon/turn.h"

#include <stddef.h>

void task_init(struct task *task, void (*run)(void *owner), void *owner)
{
    list_init(&task->link);
    task->run = run;
    task->owner = owner;
}

void task_cancel(struct task *task)
{
    list_remove(&task->link);
}

void turn_init(struct turn *turn)
{
    for (int phase = 0; phase < TURN_N_PHASES; phase++)
        list_init(&turn->phases[phase]);
    turn->number = 0;
}

void turn_schedule(struct turn *turn, enum turn_phase phase, struct task *task)
{
    list_append(&turn->phases[phase], &task->link);
}

bool turn_has_next(const struct turn *turn)
{
    return !list_is_empty(&turn->phases[TURN_NEXT]);
}

/* False: there is none. */
static bool run_first(struct list *tasks)
{
    struct list *first = list_take_first(tasks);
    struct task *task;

    if (first == NULL)
        return false;
    task = LIST_ENTRY(first, struct task, link);
    task->run(task->owner);
    return true;
}

void turn_begin(struct turn *turn)
{
    struct list tasks;

    list_init(&tasks);
    list_splice(&tasks, &turn->phases[TURN_NEXT]);
    while (run_first(&tasks))
        ;
}

/* The earliest phase of this turn that has a task, or NULL. */
static struct list *earliest(struct turn *turn)
{
    for (int phase = TURN_WRITE; phase <= TURN_BURY; phase++) {
        if (!list_is_empty(&turn->phases[phase]))
            return &turn->phases[phase];
    }
    return NULL;
}

void turn_end(struct turn *turn)
{
    struct list *tasks;

    while ((tasks = earliest(turn)) != NULL)
        run_first(tasks);
    turn->number++;
}

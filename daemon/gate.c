/* SPDX-License-Identifier: MIT
 *
 * gate: a user opens one connection at a time to a place; see the table in gate.h.
 * Neighbours: connect, dial and upstream above; nobody below.
 * Invariant: grant is scheduled exactly while somebody is in the line and nobody has the place.
 */
#include "daemon/gate.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct gate {
    struct gates *gates;
    struct pass *holder; /* of the place; NULL until grant has run */
    struct list line;    /* passes that wait, the oldest first */
    struct task grant;   /* TURN_NEXT */
    uint64_t moved_ms;   /* when a server has answered last */
    uid_t uid;
    const char *place; /* copy, or the text that is looked for */
    char copy[];
};

struct pass {
    struct list link; /* in gate->line while it waits */
    struct gate *gate;
    uint64_t entered_ms;
    void (*granted)(void *owner);
    void *owner;
};

/* --- gates --- */

static int compare_gates(const void *a, const void *b)
{
    const struct gate *x = a, *y = b;

    return x->uid != y->uid ? (x->uid > y->uid ? 1 : -1) : strcmp(x->place, y->place);
}

static void gate_free(struct gate *gate)
{
    task_cancel(&gate->grant);
    tdelete(gate, &gate->gates->tree, compare_gates);
    free(gate);
}

static void gate_grant(void *owner);

static struct gate *gate_new(struct gates *gates, const char *place, uid_t uid)
{
    size_t len = strlen(place) + 1;
    struct gate *gate = calloc(1, sizeof(*gate) + len);

    if (gate == NULL)
        return NULL;
    gate->gates = gates;
    gate->uid = uid;
    memcpy(gate->copy, place, len);
    gate->place = gate->copy;
    list_init(&gate->line);
    task_init(&gate->grant, gate_grant, gate);
    if (tsearch(gate, &gates->tree, compare_gates) == NULL) {
        free(gate);
        return NULL;
    }
    return gate;
}

static struct gate *gate_find(const struct gates *gates, const char *place, uid_t uid)
{
    struct gate wanted = {.place = place, .uid = uid};
    struct gate *const *found = tfind(&wanted, &gates->tree, compare_gates);

    return found == NULL ? NULL : *found;
}

/* After anything that may leave it empty or without a holder. */
static void gate_settle(struct gate *gate)
{
    if (gate->holder != NULL)
        return;
    if (list_is_empty(&gate->line))
        gate_free(gate);
    else
        turn_schedule(gate->gates->turn, TURN_NEXT, &gate->grant);
}

static void gate_grant(void *owner)
{
    struct gate *gate = owner;
    struct pass *pass = LIST_ENTRY(gate->line.next, struct pass, link);

    list_remove(&pass->link);
    gate->holder = pass;
    pass->granted(pass->owner);
}

/* --- the interface --- */

void gates_init(struct gates *gates, struct clock *clock, struct turn *turn)
{
    *gates = (struct gates){.clock = clock, .turn = turn};
}

void gates_deinit(struct gates *gates)
{
    gates->tree = NULL;
}

int gate_enter(struct gates *gates, const char *place, uid_t uid, void (*granted)(void *owner),
               void *owner, struct pass **ret_pass)
{
    struct pass *pass = calloc(1, sizeof(*pass));
    struct gate *gate;

    if (pass == NULL)
        return -ENOMEM;
    gate = gate_find(gates, place, uid);
    if (gate == NULL)
        gate = gate_new(gates, place, uid);
    if (gate == NULL) {
        free(pass);
        return -ENOMEM;
    }
    list_init(&pass->link);
    pass->entered_ms = clock_now_ms(gates->clock);
    pass->granted = granted;
    pass->owner = owner;
    pass->gate = gate;
    if (gate->holder == NULL && list_is_empty(&gate->line))
        gate->holder = pass;
    else
        list_append(&gate->line, &pass->link);
    *ret_pass = pass;
    return 0;
}

struct pass *pass_free(struct pass *pass)
{
    struct gate *gate;

    if (pass == NULL)
        return NULL;
    gate = pass->gate;
    if (gate->holder == pass)
        gate->holder = NULL;
    else
        list_remove(&pass->link);
    gate_settle(gate);
    free(pass);
    return NULL;
}

bool pass_is_granted(const struct pass *pass)
{
    return pass->gate->holder == pass;
}

const char *pass_place(const struct pass *pass)
{
    return pass->gate->place;
}

void pass_answered(struct pass *pass)
{
    if (pass != NULL)
        pass->gate->moved_ms = clock_now_ms(pass->gate->gates->clock);
}

uint64_t pass_waits_since_ms(const struct pass *pass)
{
    return pass->entered_ms > pass->gate->moved_ms ? pass->entered_ms : pass->gate->moved_ms;
}

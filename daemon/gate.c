/* SPDX-License-Identifier: MIT
 *
 * gate: one connection at a time is being opened to a place; see the table in gate.h.
 * Neighbours: connect, dial and upstream above; nobody below.
 * Invariant: a line has waiting passes, and grant is scheduled exactly while there are lines and nobody has the place.
 */
#include "daemon/gate.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* The passes of one user that wait at one gate. */
struct gate_line {
    struct list link;   /* in gate->lines */
    struct list passes; /* the oldest first */
    uid_t uid;
};

struct gate {
    struct gates *gates;
    struct pass *holder; /* of the place; NULL until grant has run */
    struct list lines;   /* the one whose turn is next first */
    void *line_tree;     /* the same, tsearch(3) by uid */
    struct task grant;   /* TURN_NEXT */
    uint64_t moved_ms;   /* when a server has answered last */
    const char *place;   /* copy, or the text that is looked for */
    char copy[];
};

struct pass {
    struct list link; /* in line->passes */
    struct gate *gate;
    struct gate_line *line; /* NULL once granted */
    uint64_t entered_ms;
    void (*granted)(void *owner);
    void *owner;
};

/* --- gates --- */

static int compare_gates(const void *a, const void *b)
{
    return strcmp(((const struct gate *)a)->place, ((const struct gate *)b)->place);
}

static void gate_free(struct gate *gate)
{
    task_cancel(&gate->grant);
    tdelete(gate, &gate->gates->tree, compare_gates);
    free(gate);
}

static void gate_grant(void *owner);

static struct gate *gate_new(struct gates *gates, const char *place)
{
    size_t len = strlen(place) + 1;
    struct gate *gate = calloc(1, sizeof(*gate) + len);

    if (gate == NULL)
        return NULL;
    gate->gates = gates;
    memcpy(gate->copy, place, len);
    gate->place = gate->copy;
    list_init(&gate->lines);
    task_init(&gate->grant, gate_grant, gate);
    if (tsearch(gate, &gates->tree, compare_gates) == NULL) {
        free(gate);
        return NULL;
    }
    return gate;
}

static struct gate *gate_find(const struct gates *gates, const char *place)
{
    struct gate wanted = {.place = place};
    struct gate *const *found = tfind(&wanted, &gates->tree, compare_gates);

    return found == NULL ? NULL : *found;
}

/* After anything that may leave it empty or without a holder. */
static void gate_settle(struct gate *gate)
{
    if (gate->holder != NULL)
        return;
    if (list_is_empty(&gate->lines))
        gate_free(gate);
    else
        turn_schedule(gate->gates->turn, TURN_NEXT, &gate->grant);
}

/* --- lines --- */

static int compare_lines(const void *a, const void *b)
{
    uid_t x = ((const struct gate_line *)a)->uid, y = ((const struct gate_line *)b)->uid;

    return (x > y) - (x < y);
}

static struct gate_line *line_find(struct gate *gate, uid_t uid)
{
    struct gate_line wanted = {.uid = uid};
    struct gate_line *const *found = tfind(&wanted, &gate->line_tree, compare_lines);

    return found == NULL ? NULL : *found;
}

static struct gate_line *line_new(struct gate *gate, uid_t uid)
{
    struct gate_line *line = malloc(sizeof(*line));

    if (line == NULL)
        return NULL;
    line->uid = uid;
    list_init(&line->link);
    list_init(&line->passes);
    if (tsearch(line, &gate->line_tree, compare_lines) == NULL) {
        free(line);
        return NULL;
    }
    list_append(&gate->lines, &line->link);
    return line;
}

static void line_leave(struct pass *pass)
{
    struct gate_line *line = pass->line;

    list_remove(&pass->link);
    pass->line = NULL;
    if (!list_is_empty(&line->passes))
        return;
    list_remove(&line->link);
    tdelete(line, &pass->gate->line_tree, compare_lines);
    free(line);
}

static void gate_grant(void *owner)
{
    struct gate *gate = owner;
    struct gate_line *line = LIST_ENTRY(gate->lines.next, struct gate_line, link);
    struct pass *pass = LIST_ENTRY(line->passes.next, struct pass, link);

    list_append(&gate->lines, &line->link);
    line_leave(pass);
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

static int pass_join(struct pass *pass, uid_t uid)
{
    struct gate *gate = pass->gate;

    if (gate->holder == NULL && list_is_empty(&gate->lines)) {
        gate->holder = pass;
        return 0;
    }
    pass->line = line_find(gate, uid);
    if (pass->line == NULL)
        pass->line = line_new(gate, uid);
    if (pass->line == NULL)
        return -ENOMEM;
    list_append(&pass->line->passes, &pass->link);
    return 0;
}

int gate_enter(struct gates *gates, const char *place, uid_t uid, void (*granted)(void *owner),
               void *owner, struct pass **ret_pass)
{
    struct pass *pass = calloc(1, sizeof(*pass));
    int r;

    if (pass == NULL)
        return -ENOMEM;
    list_init(&pass->link);
    pass->entered_ms = clock_now_ms(gates->clock);
    pass->granted = granted;
    pass->owner = owner;
    pass->gate = gate_find(gates, place);
    if (pass->gate == NULL)
        pass->gate = gate_new(gates, place);
    r = pass->gate == NULL ? -ENOMEM : pass_join(pass, uid);
    if (r < 0) {
        free(pass);
        return r;
    }
    *ret_pass = pass;
    return 0;
}

struct pass *pass_free(struct pass *pass)
{
    struct gate *gate;

    if (pass == NULL)
        return NULL;
    gate = pass->gate;
    if (pass->line != NULL)
        line_leave(pass);
    else
        gate->holder = NULL;
    gate_settle(gate);
    free(pass);
    return NULL;
}

bool pass_is_granted(const struct pass *pass)
{
    return pass->line == NULL;
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

/* SPDX-License-Identifier: MIT
 *
 * budget: who may spend, and when; see budget.h.
 * Between share, which claims, and budgets, where it is written down. Invariant: see budget.h.
 *
 *  claim      | event                     | next       | what happens
 *  IDLE       | asked, one is there       | IDLE       | spent
 *             | asked, to be synced       | COMMITTING | written down
 *             | asked, none is there,     | WAITING    | last in the line
 *             | others wait, or stuck     |            |
 *  WAITING    | its turn                  | CALLED     | ready
 *  CALLED     | asked                     | as IDLE    | but first in the line if it must wait
 *  COMMITTING | synced                    | GRANTED    | ready
 *             | that failed               | WAITING    | spent, and first in the line
 *  GRANTED    | asked                     | IDLE       | spent
 *  any        | rest                      | IDLE       | COMMITTING, GRANTED: spent
 *
 * Who is called has nothing for certain: one that cannot come now shall not hold up others.
 */
#include "daemon/budget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/budgets.h"

/* A block is at most one part in so many of what a rate allows, and holds for such a part of its period. */
enum { BLOCK_PART = 32, MAX_BLOCK_MS = 1000 };

/* ---- rates ---- */

/* How long a token that was taken stays away. */
static uint64_t span_of(const struct rate *rate)
{
    uint64_t margin = rate->period_ms / 20;

    return rate->period_ms + (margin < BUDGET_MAX_MARGIN_MS ? margin : BUDGET_MAX_MARGIN_MS);
}

/* Of an endpoint that has no rates a later configuration may have some. */
uint64_t budget_keep_ms(const struct budget *budget)
{
    uint64_t keep = 0;

    if (budget->rates.n_items == 0)
        return budget->crowd == NULL ? RATE_MAX_PERIOD_MS + BUDGET_MAX_MARGIN_MS : 0;
    for (unsigned i = 0; i < budget->rates.n_items; i++)
        if (span_of(&budget->rates.items[i]) > keep)
            keep = span_of(&budget->rates.items[i]);
    return keep;
}

/* When so many more, after those that are granted, are within one rate; in the past: now. */
static uint64_t rate_when(const struct budget *budget, const struct rate *rate, uint64_t n,
                          uint64_t now_ms)
{
    const struct budgets *budgets = budget->budgets;
    uint64_t span = span_of(rate), when;

    n += budget->n_granted;
    if (n > rate->count)
        return now_ms + span;
    when = spending_when(&budget->spending, rate->count - n);
    if (budgets->is_unknown && when < budgets->unknown_ms)
        when = budgets->unknown_ms;
    return when == 0 ? 0 : when + span;
}

static uint64_t budget_when(const struct budget *budget, uint64_t n, uint64_t now_ms)
{
    uint64_t latest = 0;

    for (unsigned i = 0; i < budget->rates.n_items; i++) {
        uint64_t when = rate_when(budget, &budget->rates.items[i], n, now_ms);

        if (when > latest)
            latest = when;
    }
    return latest;
}

static void spend(struct budget *budget, uint64_t n, uint64_t now_ms)
{
    spending_add(&budget->spending, now_ms, n, budget_keep_ms(budget));
}

/* ---- writing down ---- */

/* No machine is up again within a shorter period. */
static bool outlives_power(const struct budget *budget)
{
    return budget_keep_ms(budget) >= MIN_SYNCED_PERIOD_MS;
}

static uint64_t max_block(const struct budget *budget)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < budget->rates.n_items; i++)
        if (budget->rates.items[i].count < least)
            least = budget->rates.items[i].count;
    return least < BLOCK_PART ? 1 : least / BLOCK_PART;
}

/* A block may be used so long: it is written down as if all of it were spent at the end of that. */
static uint64_t block_ms(const struct budget *budget)
{
    uint64_t least = MAX_BLOCK_MS;

    for (unsigned i = 0; i < budget->rates.n_items; i++)
        if (span_of(&budget->rates.items[i]) / BLOCK_PART < least)
            least = span_of(&budget->rates.items[i]) / BLOCK_PART;
    return least;
}

/* So many messages more are written down, in a block where one was used up soon. */
static int reserve(struct budget *budget, uint64_t n, uint64_t now_ms)
{
    bool is_busy = now_ms <= budget->reserved_until_ms;
    uint64_t block = is_busy ? 2 * budget->block : 1;
    int r;

    if (is_busy && budget->n_reserved >= n) {
        budget->n_reserved -= n;
        return 0;
    }
    if (block > max_block(budget))
        block = max_block(budget);
    if (block < n)
        block = n;
    r = budgets_write(budget->budgets, budget, now_ms + block_ms(budget), block);
    if (r < 0)
        return r;
    budget->block = block;
    budget->n_reserved = block - n;
    budget->reserved_until_ms = now_ms + block_ms(budget);
    if (outlives_power(budget))
        budgets_commit_lazily(budget->budgets);
    return 0;
}

static bool is_written(const struct budget *budget)
{
    return budget->budgets->directory != NULL;
}

/* An attempt has to wait until that is on the disk, which may take a moment. */
static bool is_committed(const struct budget *budget)
{
    return is_written(budget) && budget->kind == BUDGET_CONNECT && outlives_power(budget);
}

static int write_down(struct budget *budget, uint64_t n, uint64_t now_ms)
{
    if (!is_written(budget))
        return 0;
    if (budget->kind == BUDGET_SEND)
        return reserve(budget, n, now_ms);
    return budgets_write(budget->budgets, budget,
                         is_committed(budget) ? now_ms + block_ms(budget) : now_ms, n);
}

/* ---- the line ---- */

/* Wakes the line when its first one has its turn. */
static void arm(struct budget *budget)
{
    const struct budgets *budgets = budget->budgets;
    uint64_t now_ms = budgets_now(budgets);
    uint64_t when = budget_when(budget, 1, now_ms);

    if (list_is_empty(&budget->waiting)) {
        timer_stop(&budget->timer);
        return;
    }
    if (budgets->is_stuck && when < budgets->retry_ms)
        when = budgets->retry_ms;
    timer_start(&budget->timer, when > now_ms ? when - now_ms : 1);
}

static void wait(struct budget_claim *claim)
{
    struct budget *budget = claim->budget;

    if (claim->state == CLAIM_IDLE)
        list_append(&budget->waiting, &claim->link);
    else
        list_prepend(&budget->waiting, &claim->link);
    claim->state = CLAIM_WAITING;
    arm(budget);
}

static struct budget_claim *claim_of(struct list *node)
{
    return LIST_ENTRY(node, struct budget_claim, link);
}

/* As many as there is something for have their turn; if they do not come, those behind them have it next. */
static void budget_fire(void *owner)
{
    struct budget *budget = owner;
    uint64_t now_ms = budgets_now(budget->budgets), n = 0;
    struct list called, *node;

    list_init(&called);
    while (budget_when(budget, n + 1, now_ms) <= now_ms &&
           (node = list_first(&budget->waiting)) != NULL) {
        claim_of(node)->state = CLAIM_CALLED;
        list_append(&called, node);
        n++;
    }
    budget->n_users++;
    while ((node = list_take_first(&called)) != NULL)
        claim_of(node)->ready(claim_of(node)->owner);
    budget->n_users--;
    arm(budget);
}

/* What it was granted is used now, or never. If it has taken longer than was written down, that is written anew: a
 * crash then counts it twice. */
static void settle(struct budget_claim *claim)
{
    struct budget *budget = claim->budget;
    uint64_t now_ms = budgets_now(budget->budgets);

    claim->state = CLAIM_IDLE;
    budget->n_granted--;
    if (is_written(budget) && now_ms > claim->granted_until_ms)
        (void)budgets_write(budget->budgets, budget, now_ms, 1);
    spend(budget, 1, now_ms);
}

/* One is there: it is written down. True: and may be used. */
static bool take(struct budget_claim *claim, uint64_t now_ms)
{
    struct budget *budget = claim->budget;

    if (write_down(budget, 1, now_ms) < 0) {
        wait(claim);
        return false;
    }
    claim->state = CLAIM_IDLE;
    if (is_committed(budget)) {
        claim->state = CLAIM_COMMITTING;
        claim->granted_until_ms = now_ms + block_ms(budget);
        budget->n_granted++;
        budgets_commit(budget->budgets, claim);
        return false;
    }
    spend(budget, 1, now_ms);
    return true;
}

bool budget_take(struct budget_claim *claim)
{
    struct budget *budget = claim->budget;
    uint64_t now_ms;

    if (budget == NULL)
        return true;
    switch (claim->state) {
    case CLAIM_GRANTED: settle(claim); return true;
    case CLAIM_WAITING:
    case CLAIM_COMMITTING: return false;
    case CLAIM_IDLE:
    case CLAIM_CALLED: break;
    }
    if (budget->rates.n_items == 0) {
        claim->state = CLAIM_IDLE;
        return true;
    }
    now_ms = budgets_now(budget->budgets);
    if (claim->state == CLAIM_IDLE && !list_is_empty(&budget->waiting)) {
        wait(claim);
        return false;
    }
    if (budget_when(budget, 1, now_ms) > now_ms) {
        wait(claim);
        return false;
    }
    return take(claim, now_ms);
}

void budget_committed(struct budget_claim *claim, int error)
{
    if (error < 0) {
        settle(claim);
        claim->state = CLAIM_CALLED;
        wait(claim);
        return;
    }
    claim->state = CLAIM_GRANTED;
    claim->ready(claim->owner);
}

void budget_rest(struct budget_claim *claim)
{
    if (claim->budget == NULL)
        return;
    list_remove(&claim->link);
    if (claim->state == CLAIM_COMMITTING || claim->state == CLAIM_GRANTED)
        settle(claim);
    claim->state = CLAIM_IDLE;
    arm(claim->budget);
}

void budget_charge(struct budget_claim *claim, unsigned n)
{
    struct budget *budget = claim->budget;
    uint64_t now_ms;

    if (budget == NULL || budget->rates.n_items == 0)
        return;
    now_ms = budgets_now(budget->budgets);
    (void)write_down(budget, n, now_ms);
    spend(budget, n, now_ms);
}

/* ---- claims ---- */

void budget_claim_init(struct budget_claim *claim, void (*ready)(void *owner), void *owner)
{
    *claim = (struct budget_claim){.ready = ready, .owner = owner};
    list_init(&claim->link);
}

void budget_claim_deinit(struct budget_claim *claim)
{
    if (claim->budget == NULL)
        return;
    budget_rest(claim);
    claim->budget->n_users--;
    claim->budget = NULL;
}

int budget_claim_on(struct budget_claim *claim, struct budgets *budgets, enum budget_kind kind,
                    const struct target *target)
{
    struct budget *budget = NULL;
    int r = budgets == NULL ? 0 : budgets_find(budgets, kind, target, &budget);

    if (r < 0 || budget == claim->budget)
        return r;
    budget_claim_deinit(claim);
    claim->budget = budget;
    if (budget != NULL)
        budget->n_users++;
    return 0;
}

/* ---- for people ---- */

/* Behind so many others in the line. */
static uint64_t wait_behind_ms(const struct budget *budget, uint64_t n)
{
    const struct budgets *budgets = budget->budgets;
    uint64_t now_ms = budgets_now(budgets), when = 0;

    for (unsigned i = 0; i < budget->rates.n_items; i++) {
        const struct rate *rate = &budget->rates.items[i];
        uint64_t turn =
            rate_when(budget, rate, n % rate->count + 1, now_ms) + n / rate->count * span_of(rate);

        if (turn > when)
            when = turn;
    }
    if (budgets->is_stuck && when < budgets->retry_ms)
        when = budgets->retry_ms;
    return when > now_ms ? when - now_ms : 0;
}

uint64_t budget_wait_ms(const struct budget_claim *claim)
{
    uint64_t wait_ms, n = 0;

    if (claim->budget == NULL || claim->state == CLAIM_IDLE)
        return 0;
    if (claim->state != CLAIM_WAITING)
        return 1;
    for (struct list *node = claim->link.prev; node != &claim->budget->waiting; node = node->prev)
        n++;
    wait_ms = wait_behind_ms(claim->budget, n);
    return wait_ms > 0 ? wait_ms : 1;
}

uint64_t budget_would_wait_ms(const struct budget_claim *claim)
{
    const struct budget *budget = claim->budget;
    uint64_t n = 0;

    if (budget == NULL || budget->rates.n_items == 0)
        return 0;
    LIST_FOR_EACH (node, &budget->waiting)
        n++;
    return wait_behind_ms(budget, n);
}

uint64_t budget_used(const struct budget *budget, unsigned rate)
{
    const struct rate *of = &budget->rates.items[rate];
    const struct budgets *budgets = budget->budgets;
    uint64_t now_ms = budgets_now(budgets), span = span_of(of);

    if (budgets->is_unknown && now_ms < budgets->unknown_ms + span)
        return of->count;
    return spending_after(&budget->spending, now_ms - span) + budget->n_granted;
}

uint64_t budget_next_ms(const struct budget *budget)
{
    uint64_t now_ms = budgets_now(budget->budgets);
    uint64_t when = budget_when(budget, 1, now_ms);

    return when > now_ms ? when - now_ms : 0;
}

/* ---- for budgets ---- */

int budget_init(struct budget *budget, struct budgets *budgets, enum budget_kind kind)
{
    int r;

    *budget = (struct budget){.budgets = budgets, .kind = kind};
    list_init(&budget->link);
    list_init(&budget->waiting);
    r = spending_init(&budget->spending);
    return r < 0 ? r : timer_init(&budget->timer, budgets->clock, budget_fire, budget);
}

void budget_deinit(struct budget *budget)
{
    timer_deinit(&budget->timer);
    spending_deinit(&budget->spending);
    free(budget->owner);
}

void budget_changed(struct budget *budget)
{
    arm(budget);
}

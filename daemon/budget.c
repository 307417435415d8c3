/* SPDX-License-Identifier: MIT
 *
 * budget: who may spend, and when; see budget.h.
 * Between share, which claims, and budgets, where it is written down. Invariant: see budget.h.
 *
 *  claim   | event                               | next    | what happens
 *  IDLE    | asked, one is there, and written    | IDLE    | spent
 *          | down; and nobody is in the line     |         |
 *          | asked, otherwise                    | WAITING | last in the line
 *  WAITING | one is there, and written down      | CALLED  | ready
 *  CALLED  | asked                               | as IDLE | but first in the line if it must wait
 *  any     | rest                                | IDLE    |
 *
 * Who is called has nothing for certain: one that cannot come now shall not hold up others.
 */
#include "daemon/budget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/budgets.h"

/* Two blocks are at most one part in so many of what a rate allows, and each holds for such a part of its period. */
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

/* When so many more are within one rate; in the past: now. */
static uint64_t rate_when(const struct budget *budget, const struct rate *rate, uint64_t n,
                          uint64_t now_ms)
{
    const struct budgets *budgets = budget->budgets;
    uint64_t span = span_of(rate), when;

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

/* ---- what is reserved ---- */

/* No machine is up again within a shorter period. */
static bool outlives_power(const struct budget *budget)
{
    return budget_keep_ms(budget) >= MIN_SYNCED_PERIOD_MS;
}

static bool is_written(const struct budget *budget)
{
    return budget->budgets->directory != NULL && budget->rates.n_items > 0;
}

static uint64_t usable(const struct reservation *reservation, uint64_t now_ms)
{
    return now_ms <= reservation->until_ms ? reservation->n : 0;
}

static uint64_t n_reserved(const struct budget *budget, uint64_t now_ms)
{
    if (!is_written(budget))
        return UINT64_MAX;
    return usable(&budget->ready, now_ms) + usable(&budget->next, now_ms);
}

static void want(struct budget *budget)
{
    bookkeeper_want(&budget->budgets->keeper, &budget->book_link);
}

static bool is_busy(const struct budget *budget, uint64_t now_ms)
{
    return now_ms <= budget->busy_until_ms;
}

static bool wants_ahead(const struct budget *budget, uint64_t now_ms)
{
    return budget->kind == BUDGET_SEND && budget->block > 1 && is_busy(budget, now_ms) &&
           n_reserved(budget, now_ms) <= budget->block / 2;
}

/* False: so many are not reserved together. */
static bool use_reserved(struct budget *budget, uint64_t n, uint64_t now_ms)
{
    if (!is_written(budget))
        return true;
    if (usable(&budget->ready, now_ms) < n) {
        budget->ready = budget->next;
        budget->next = (struct reservation){0};
    }
    if (usable(&budget->ready, now_ms) < n)
        return false;
    budget->ready.n -= n;
    if (wants_ahead(budget, now_ms))
        want(budget);
    return true;
}

/* A part of what each rate allows; where the disk is slow, as much as it allows until two jobs are done. */
static uint64_t max_block(const struct budget *budget, uint64_t took_ms)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < budget->rates.n_items; i++) {
        const struct rate *rate = &budget->rates.items[i];
        uint64_t span = span_of(rate);
        uint64_t block = rate->count / (uint64_t)(2 * BLOCK_PART);
        uint64_t meanwhile = 2 * took_ms < span ? rate->count * 2 * took_ms / span : rate->count;

        if (block < meanwhile)
            block = meanwhile;
        if (block < least)
            least = block;
    }
    return least > 0 ? least : 1;
}

/* How long a reservation may be used, so that something of that is left when it is on the disk. */
static uint64_t hold_ms(const struct budget *budget, uint64_t took_ms)
{
    uint64_t hold = MAX_BLOCK_MS;

    for (unsigned i = 0; i < budget->rates.n_items; i++)
        if (span_of(&budget->rates.items[i]) / BLOCK_PART < hold)
            hold = span_of(&budget->rates.items[i]) / BLOCK_PART;
    return hold > 2 * took_ms ? hold : 2 * took_ms;
}

/* How many the rates allow now. */
static uint64_t n_allowed(const struct budget *budget)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < budget->rates.n_items; i++) {
        uint64_t n = budget->rates.items[i].count, n_used = budget_used(budget, i);

        n -= n_used < n ? n_used : n;
        if (n < least)
            least = n;
    }
    return least;
}

/* Of those in the line, how many have their turn and nothing that is reserved; and for how many they wait. */
static uint64_t n_missing(const struct budget *budget, uint64_t now_ms, uint64_t *ret_n_wanted)
{
    uint64_t n = 0, n_wanted = 0, n_there = n_reserved(budget, now_ms);
    uint64_t max = n_allowed(budget);

    LIST_FOR_EACH (node, &budget->waiting) {
        n++;
        n_wanted += LIST_ENTRY(node, struct budget_claim, link)->n_wanted;
    }
    n = n < max ? n : max;
    n_wanted = n_wanted < max ? n_wanted : max;
    *ret_n_wanted = n_wanted > n_there ? n_wanted - n_there : 0;
    return n > n_there ? n - n_there : 0;
}

static uint64_t n_to_reserve(const struct budget *budget, uint64_t took_ms, uint64_t now_ms)
{
    uint64_t n_wanted, n = n_missing(budget, now_ms, &n_wanted), block = 1, max;

    if (budget->kind != BUDGET_SEND || (n == 0 && !wants_ahead(budget, now_ms)))
        return n;
    if (is_busy(budget, now_ms)) {
        max = max_block(budget, took_ms);
        block = 2 * budget->block < max ? 2 * budget->block : max;
        max = n_wanted < 4 * budget->block ? n_wanted : 4 * budget->block;
        block = block < max ? max : block;
    }
    return block > n ? block : n;
}

/* ---- writing down ---- */

static void arm(struct budget *budget);

static void write_at(struct budget *budget, uint64_t at_ms, uint64_t n, struct ledger_job *job)
{
    if (n > 0)
        ledger_sheet_spent(&job->sheet, budget->kind, budget->owner, budgets_elapsed(at_ms), n);
}

/* What it owes is part of all that it has spent. */
bool budget_post(struct budget *budget, uint64_t took_ms, struct ledger_job *job)
{
    uint64_t now_ms = budgets_now(budget->budgets);
    uint64_t n = is_written(budget) ? n_to_reserve(budget, took_ms, now_ms) : 0;

    if (n + budget->n_owed == 0) {
        arm(budget);
        return false;
    }
    budget->posted = (struct reservation){n, now_ms + hold_ms(budget, took_ms)};
    budget->n_owed_posted = budget->n_owed;
    if (!job->is_all)
        write_at(budget, now_ms, budget->n_owed, job);
    write_at(budget, budget->posted.until_ms, n, job);
    job->is_synced |= outlives_power(budget);
    if (n > budget->block || !is_busy(budget, now_ms))
        budget->block = n;
    if (n > 0)
        budget->busy_until_ms = budget->posted.until_ms;
    return true;
}

void budget_write_all(struct budget *budget, struct ledger_job *job)
{
    struct spending *spending = &budget->spending;
    uint64_t now_ms = budgets_now(budget->budgets), total;

    spending_thin(spending, now_ms, budget_keep_ms(budget), SPENDING_GRAIN);
    total = spending->base;
    for (size_t i = 0; i < spending->n_steps; i++) {
        write_at(budget, spending->steps[i].at_ms, spending->steps[i].total - total, job);
        total = spending->steps[i].total;
    }
    write_at(budget, budget->ready.until_ms, usable(&budget->ready, now_ms), job);
    write_at(budget, budget->next.until_ms, usable(&budget->next, now_ms), job);
}

void budget_give_back(struct budget *budget)
{
    budget->ready = budget->next = (struct reservation){0};
}

/* ---- the line ---- */

/* Wakes the line when its first one has its turn. Who has used up all that the rates allow is busy until then. */
static void arm(struct budget *budget)
{
    uint64_t now_ms = budgets_now(budget->budgets);
    uint64_t when = budget_when(budget, 1, now_ms);

    timer_stop(&budget->timer);
    if (list_is_empty(&budget->waiting))
        return;
    if (when <= now_ms && n_reserved(budget, now_ms) == 0) {
        want(budget);
        return;
    }
    if (when > now_ms && is_busy(budget, now_ms))
        budget->busy_until_ms = when + MAX_BLOCK_MS;
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
    claim->n_wanted = 1;
    arm(budget);
}

void budget_expect(struct budget_claim *claim, uint64_t n)
{
    if (claim->state == CLAIM_WAITING && n > 0)
        claim->n_wanted = n;
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
    uint64_t n_there = n_reserved(budget, now_ms);
    struct list called, *node;

    list_init(&called);
    while (n < n_there && budget_when(budget, n + 1, now_ms) <= now_ms &&
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

bool budget_take(struct budget_claim *claim)
{
    struct budget *budget = claim->budget;
    uint64_t now_ms;

    if (budget == NULL)
        return true;
    if (claim->state == CLAIM_WAITING)
        return false;
    if (budget->rates.n_items == 0) {
        claim->state = CLAIM_IDLE;
        return true;
    }
    now_ms = budgets_now(budget->budgets);
    if ((claim->state == CLAIM_IDLE && !list_is_empty(&budget->waiting)) ||
        budget_when(budget, 1, now_ms) > now_ms || !use_reserved(budget, 1, now_ms)) {
        wait(claim);
        return false;
    }
    claim->state = CLAIM_IDLE;
    spend(budget, 1, now_ms);
    if (!list_is_empty(&budget->waiting))
        arm(budget);
    return true;
}

/* A disk that took longer than it was expected to has written down what is too old now. */
void budget_written(struct budget *budget)
{
    uint64_t now_ms = budgets_now(budget->budgets);

    budget->n_owed -= budget->n_owed_posted;
    if (budget->n_owed > 0)
        want(budget);
    if (usable(&budget->posted, now_ms) > 0)
        *(usable(&budget->ready, now_ms) == 0 ? &budget->ready : &budget->next) = budget->posted;
    budget->posted = (struct reservation){0};
    budget_fire(budget);
}

void budget_rest(struct budget_claim *claim)
{
    if (claim->budget == NULL)
        return;
    list_remove(&claim->link);
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
    if (!use_reserved(budget, n, now_ms)) {
        budget->n_owed += n;
        want(budget);
    }
    if (budgets_are_known(budget->budgets))
        spend(budget, n, now_ms);
}

void budget_found(struct budget *budget)
{
    if (budget->n_owed > 0)
        spend(budget, budget->n_owed, budgets_now(budget->budgets));
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
    if (when < now_ms + bookkeeper_wait_ms(&budgets->keeper))
        when = now_ms + bookkeeper_wait_ms(&budgets->keeper);
    return when > now_ms ? when - now_ms : 0;
}

uint64_t budget_wait_ms(const struct budget_claim *claim)
{
    uint64_t wait_ms, n = 0;

    if (claim->budget == NULL || claim->state != CLAIM_WAITING)
        return 0;
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
    return spending_after(&budget->spending, now_ms - span);
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
    list_init(&budget->book_link);
    list_init(&budget->waiting);
    r = spending_init(&budget->spending);
    return r < 0 ? r : timer_init(&budget->timer, budgets->clock, budget_fire, budget);
}

void budget_deinit(struct budget *budget)
{
    list_remove(&budget->book_link);
    timer_deinit(&budget->timer);
    spending_deinit(&budget->spending);
    free(budget->owner);
}

void budget_changed(struct budget *budget)
{
    arm(budget);
}

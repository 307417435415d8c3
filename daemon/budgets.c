/* SPDX-License-Identifier: MIT
 *
 * budgets: which budgets there are; see budgets.h.
 * Between server and share, who set and find them, and bookkeeper. Invariant: see budgets.h.
 */
#include "daemon/budgets.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/target.h"

/* What was spent as long before the boot as any rate looks back has a time that is no less than 0. */
#define BEFORE_BOOT_MS (2 * RATE_MAX_PERIOD_MS)

#define ENDPOINT_WORD "endpoint "
#define USER_WORD     "uid "

/* The longest name in the DNS; and how many budgets there are before any is looked at for being over. */
enum { MAX_HOST_LEN = 253, MIN_SWEEP = 64 };

int budgets_init(struct budgets *budgets, struct clock *clock)
{
    *budgets = (struct budgets){.clock = clock, .sweep_at = MIN_SWEEP};
    list_init(&budgets->all);
    return bookkeeper_init(&budgets->keeper, budgets);
}

uint64_t budgets_now(const struct budgets *budgets)
{
    if (budgets->time == NULL)
        return clock_now_ms(budgets->clock) + BEFORE_BOOT_MS;
    return (uint64_t)budgets->time->elapsed_ms(budgets->time->context) + BEFORE_BOOT_MS;
}

int64_t budgets_elapsed(uint64_t at_ms)
{
    return (int64_t)at_ms - (int64_t)BEFORE_BOOT_MS;
}

/* ---- which there are ---- */

static struct budget *budget_of(struct list *node)
{
    return LIST_ENTRY(node, struct budget, link);
}

static int compare_budgets(const void *a, const void *b)
{
    const struct budget *left = a, *right = b;

    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return strcmp(left->owner, right->owner);
}

static struct budget *look_up(const struct budgets *budgets, enum budget_kind kind,
                              const char *owner)
{
    struct budget key = {.kind = kind, .owner = (char *)(uintptr_t)owner};
    struct budget **found = tfind(&key, &budgets->tree, compare_budgets);

    return found == NULL ? NULL : *found;
}

/* Nobody finds it (any more). */
static void budget_free(struct budget *budget)
{
    if (budget->crowd != NULL) {
        budget->crowd->n_users--;
        budget->crowd->n_hosts--;
    }
    budget_deinit(budget);
    free(budget);
}

static void budget_forget(struct budgets *budgets, struct budget *budget)
{
    list_remove(&budget->link);
    tdelete(budget, &budgets->tree, compare_budgets);
    budgets->n_budgets--;
    budget_free(budget);
}

/* Nobody has it, all that it has spent is back, and nothing of it is being written down. */
static bool is_over(const struct budget *budget, uint64_t now_ms)
{
    uint64_t last_ms = spending_last(&budget->spending);

    return !budget->is_kept && budget->n_users == 0 && !list_is_linked(&budget->book_link) &&
           (last_ms == 0 || last_ms + budget_keep_ms(budget) <= now_ms);
}

static void sweep(struct budgets *budgets)
{
    uint64_t now_ms = budgets_now(budgets);
    struct list all, *node;

    list_init(&all);
    list_splice(&all, &budgets->all);
    while ((node = list_take_first(&all)) != NULL)
        if (is_over(budget_of(node), now_ms))
            budget_forget(budgets, budget_of(node));
        else
            list_append(&budgets->all, node);
    budgets->sweep_at = 2 * budgets->n_budgets > MIN_SWEEP ? 2 * budgets->n_budgets : MIN_SWEEP;
}

static int budget_new(struct budgets *budgets, enum budget_kind kind, const char *owner,
                      struct budget **ret_budget)
{
    struct budget *budget = malloc(sizeof(*budget));
    int r = budget == NULL ? -ENOMEM : budget_init(budget, budgets, kind);

    if (r < 0)
        goto fail;
    budget->owner = strdup(owner);
    if (budget->owner == NULL || tsearch(budget, &budgets->tree, compare_budgets) == NULL) {
        r = -ENOMEM;
        goto fail;
    }
    /* The last ones are the first to be swept, so that a host goes before its crowd. */
    list_prepend(&budgets->all, &budget->link);
    budgets->n_budgets++;
    *ret_budget = budget;
    return 0;
fail:
    if (budget != NULL)
        budget_free(budget);
    return r;
}

static int endpoint_find(struct budgets *budgets, enum budget_kind kind, const char *name,
                         struct budget **ret_budget)
{
    char owner[LEDGER_OWNER_LEN];

    snprintf(owner, sizeof(owner), ENDPOINT_WORD "%s", name);
    *ret_budget = look_up(budgets, kind, owner);
    return *ret_budget != NULL ? 0 : budget_new(budgets, kind, owner, ret_budget);
}

static int host_new(struct budgets *budgets, enum budget_kind kind, const char *owner,
                    struct budget *crowd, struct budget **ret_budget)
{
    int r = budget_new(budgets, kind, owner, ret_budget);

    if (r < 0)
        return r;
    (*ret_budget)->rates = budgets->free[kind];
    (*ret_budget)->crowd = crowd;
    crowd->n_users++;
    crowd->n_hosts++;
    return 0;
}

static int host_find(struct budgets *budgets, enum budget_kind kind, unsigned long long uid,
                     const char *host, struct budget **ret_budget)
{
    char owner[LEDGER_OWNER_LEN], crowd_owner[LEDGER_OWNER_LEN];
    struct budget *crowd;
    int r = 0;

    snprintf(owner, sizeof(owner), USER_WORD "%llu %.*s", uid, MAX_HOST_LEN, host);
    *ret_budget = look_up(budgets, kind, owner);
    if (*ret_budget != NULL)
        return 0;
    snprintf(crowd_owner, sizeof(crowd_owner), USER_WORD "%llu *", uid);
    crowd = look_up(budgets, kind, crowd_owner);
    if (crowd == NULL)
        r = budget_new(budgets, kind, crowd_owner, &crowd);
    if (r < 0)
        return r;
    crowd->rates = budgets->free[kind];
    if (strcmp(owner, crowd_owner) != 0 && strlen(host) <= MAX_HOST_LEN &&
        crowd->n_hosts < MAX_FREE_BUDGETS)
        return host_new(budgets, kind, owner, crowd, ret_budget);
    *ret_budget = crowd;
    return 0;
}

int budgets_find(struct budgets *budgets, enum budget_kind kind, const struct target *target,
                 struct budget **ret_budget)
{
    if (budgets->n_budgets >= budgets->sweep_at)
        sweep(budgets);
    if (target->endpoint != NULL)
        return endpoint_find(budgets, kind, target->endpoint, ret_budget);
    *ret_budget = NULL;
    if (budgets->free[kind].n_items == 0)
        return 0;
    return host_find(budgets, kind, target->scope,
                     target->url.hostname[0] != '\0' ? target->url.hostname : "-", ret_budget);
}

const struct budget *budgets_of_endpoint(const struct budgets *budgets, enum budget_kind kind,
                                         const char *name)
{
    char owner[LEDGER_OWNER_LEN];

    snprintf(owner, sizeof(owner), ENDPOINT_WORD "%s", name);
    return look_up(budgets, kind, owner);
}

/* ---- what the configuration says ---- */

static void rates_read(const struct strings *texts, struct rates *ret_rates)
{
    *ret_rates = (struct rates){0};
    for (size_t i = 0; i < texts->n_items && ret_rates->n_items < MAX_RATES; i++)
        if (rate_parse(wsp_view_of_string(texts->items[i]), "",
                       &ret_rates->items[ret_rates->n_items]) == 0)
            ret_rates->n_items++;
}

static bool is_endpoints(const struct budget *budget)
{
    return strncmp(budget->owner, ENDPOINT_WORD, strlen(ENDPOINT_WORD)) == 0;
}

void budgets_set_begin(struct budgets *budgets)
{
    LIST_FOR_EACH (node, &budgets->all)
        budget_of(node)->is_kept = false;
}

void budgets_set_free(struct budgets *budgets, enum budget_kind kind, const struct strings *rates)
{
    rates_read(rates, &budgets->free[kind]);
    LIST_FOR_EACH (node, &budgets->all) {
        struct budget *budget = budget_of(node);

        if (budget->kind != kind || is_endpoints(budget))
            continue;
        budget->rates = budgets->free[kind];
        budget_changed(budget);
    }
}

int budgets_set_endpoint(struct budgets *budgets, enum budget_kind kind, const char *name,
                         const struct strings *rates)
{
    struct budget *budget = (struct budget *)(uintptr_t)budgets_of_endpoint(budgets, kind, name);
    int r = 0;

    if (budget == NULL && rates->n_items == 0)
        return 0;
    if (budget == NULL)
        r = endpoint_find(budgets, kind, name, &budget);
    if (r < 0)
        return r;
    budget->is_kept = true;
    rates_read(rates, &budget->rates);
    budget_changed(budget);
    return 0;
}

static bool has_rates(const struct budgets *budgets)
{
    for (unsigned i = 0; i < BUDGET_N_KINDS; i++)
        if (budgets->free[i].n_items > 0)
            return true;
    LIST_FOR_EACH (node, &budgets->all)
        if (budget_of(node)->rates.n_items > 0)
            return true;
    return false;
}

/* What is wrong with the state directory is told now, and not when somebody connects. */
void budgets_set_end(struct budgets *budgets)
{
    if (has_rates(budgets))
        bookkeeper_open(&budgets->keeper);
}

/* ---- what is remembered ---- */

int budgets_remember(struct budgets *budgets, const char *directory,
                     const struct ledger_clock *time, struct ledger_runner *runner)
{
    int r = bookkeeper_begin(&budgets->keeper, directory, time, runner);

    if (r < 0)
        return r;
    budgets->time = time;
    budgets->directory = strdup(directory);
    return budgets->directory == NULL ? -ENOMEM : 0;
}

bool budgets_are_known(const struct budgets *budgets)
{
    return budgets->directory == NULL || budgets->keeper.is_read;
}

static bool matters(const struct budgets *budgets, int64_t elapsed_ms)
{
    int64_t since_ms = budgets_elapsed(budgets_now(budgets)) -
                       (int64_t)(RATE_MAX_PERIOD_MS + BUDGET_MAX_MARGIN_MS);

    return elapsed_ms >= since_ms;
}

/* What is not known until then counts as spent. */
static void forget(struct budgets *budgets, int64_t elapsed_ms, const char *problem)
{
    uint64_t at_ms = (uint64_t)(elapsed_ms + (int64_t)BEFORE_BOOT_MS);

    if (!budgets->is_unknown || budgets->unknown_ms < at_ms)
        budgets->unknown_ms = at_ms;
    budgets->is_unknown = true;
    if (problem[0] != '\0' && budgets->report != NULL)
        budgets->report(budgets, BUDGET_UNKNOWN, problem);
}

/* The owner as the ledger has it: "endpoint NAME" or "uid NUMBER HOST". */
static int owner_find(struct budgets *budgets, enum budget_kind kind, const char *owner,
                      struct budget **ret_budget)
{
    unsigned long long uid;
    char *host;

    if (strncmp(owner, ENDPOINT_WORD, strlen(ENDPOINT_WORD)) == 0)
        return endpoint_find(budgets, kind, owner + strlen(ENDPOINT_WORD), ret_budget);
    if (strncmp(owner, USER_WORD, strlen(USER_WORD)) != 0)
        return -EINVAL;
    uid = strtoull(owner + strlen(USER_WORD), &host, 10);
    if (*host != ' ')
        return -EINVAL;
    return host_find(budgets, kind, uid, host + 1, ret_budget);
}

/* More than any rate allows is as good as that, and does not overflow. */
static void found_spent(struct budgets *budgets, const struct ledger_item *item, const char *owner)
{
    uint64_t count = item->count < RATE_MAX_COUNT ? item->count : RATE_MAX_COUNT;
    struct budget *budget;

    if (!matters(budgets, item->elapsed_ms))
        return;
    if (owner_find(budgets, item->kind, owner, &budget) < 0)
        forget(budgets, item->elapsed_ms, "what it says cannot be remembered");
    else
        spending_add(&budget->spending, (uint64_t)(item->elapsed_ms + (int64_t)BEFORE_BOOT_MS),
                     count, budget_keep_ms(budget));
}

void budgets_found(struct budgets *budgets, const struct ledger_sheet *found, const char *problem)
{
    for (size_t i = 0; i < found->n_items; i++)
        found_spent(budgets, &found->items[i], ledger_sheet_owner(found, &found->items[i]));
    if (found->is_unknown && matters(budgets, found->unknown_ms))
        forget(budgets, found->unknown_ms, problem);
    LIST_FOR_EACH (node, &budgets->all)
        budget_found(budget_of(node));
}

void budgets_write_all(struct budgets *budgets, struct ledger_job *job)
{
    uint64_t now_ms = budgets_now(budgets);

    sweep(budgets);
    if (budgets->is_unknown && now_ms > budgets->unknown_ms + RATE_MAX_PERIOD_MS)
        budgets->is_unknown = false;
    if (budgets->is_unknown)
        ledger_sheet_unknown(&job->sheet, budgets_elapsed(budgets->unknown_ms));
    LIST_FOR_EACH (node, &budgets->all)
        budget_write_all(budget_of(node), job);
}

/* ---- the end ---- */

void budgets_deinit(struct budgets *budgets)
{
    struct list *node;

    if (budgets->clock == NULL)
        return;
    LIST_FOR_EACH (give, &budgets->all)
        budget_give_back(budget_of(give));
    bookkeeper_deinit(&budgets->keeper);
    while ((node = list_take_first(&budgets->all)) != NULL)
        budget_forget(budgets, budget_of(node));
    free(budgets->directory);
    *budgets = (struct budgets){0};
}

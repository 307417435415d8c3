/* SPDX-License-Identifier: MIT
 *
 * budgets: all budgets of the daemon: which there are, what rates they have, and how they are remembered.
 * Neighbours: server, which tells what the configuration says; budget, for each of them; bookkeeper, who
 * has them written down.
 * Invariant: there is one budget for each kind and owner, however often its endpoint is opened.
 */
#ifndef WSPLEX_DAEMON_BUDGETS_H
#define WSPLEX_DAEMON_BUDGETS_H

#include "daemon/bookkeeper.h"
#include "daemon/budget.h"
#include "daemon/ledger.h"

struct strings;

enum budget_news {
    BUDGET_UNKNOWN, /* what was spent before is not known: all counts as spent */
    BUDGET_STUCK,   /* nothing can be written down */
    BUDGET_WORKS,   /* it can again */
};

struct budgets {
    struct clock *clock;
    /* For people; may be NULL. */
    void (*report)(struct budgets *budgets, enum budget_news news, const char *text);
    const struct ledger_clock *time; /* NULL: the clock's, and nothing is written down */
    char *directory;                 /* where; NULL: nowhere */
    void *tree;                      /* tsearch(3), by kind and owner */
    struct list all;
    unsigned n_budgets, sweep_at;
    struct rates free[BUDGET_N_KINDS];
    bool is_unknown;
    uint64_t unknown_ms; /* what was spent until then is not known */
    struct bookkeeper keeper;
};

/* 0, -ENOMEM. */
int budgets_init(struct budgets *budgets, struct clock *clock);
/* Writes down what was spent, and no more than that, if the disk lets it within twice LEDGER_END_MS. No claim may be
 * left. Takes a zeroed one. */
void budgets_deinit(struct budgets *budgets);

/* From now on what is spent is written down there; to be called before the first claim. The text is
 * copied, time and runner are borrowed; the directory is made when there is something to write or to
 * read. 0, -ENOMEM. */
int budgets_remember(struct budgets *budgets, const char *directory,
                     const struct ledger_clock *time, struct ledger_runner *runner);

/* The rates of a configuration, in texts that rate_format wrote. An endpoint that is not set between
 * begin and end keeps its budgets while it is in use. 0, -ENOMEM. */
void budgets_set_begin(struct budgets *budgets);
void budgets_set_free(struct budgets *budgets, enum budget_kind kind, const struct strings *rates);
int budgets_set_endpoint(struct budgets *budgets, enum budget_kind kind, const char *name,
                         const struct strings *rates);
void budgets_set_end(struct budgets *budgets);

/* NULL: nothing limits it, and nothing has. */
const struct budget *budgets_of_endpoint(const struct budgets *budgets, enum budget_kind kind,
                                         const char *name);

/* --- for budget --- */
/* The budget of a target, made when it is not there. 0; *ret_budget is NULL where there is no limit; -ENOMEM. */
int budgets_find(struct budgets *budgets, enum budget_kind kind, const struct target *target,
                 struct budget **ret_budget);

/* Now, as budgets count time: that began long before the boot of the machine, as what was spent then counts too. */
uint64_t budgets_now(const struct budgets *budgets);

/* The same as a ledger_clock tells it. */
int64_t budgets_elapsed(uint64_t at_ms);

/* Nothing is remembered, or what was spent before has been found. */
bool budgets_are_known(const struct budgets *budgets);

/* --- for bookkeeper --- */
/* All that was spent or is reserved goes into the job. */
void budgets_write_all(struct budgets *budgets, struct ledger_job *job);

/* What former lives have spent; problem: why that is not known; or empty. */
void budgets_found(struct budgets *budgets, const struct ledger_sheet *found, const char *problem);

#endif

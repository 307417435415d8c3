/*
 * spenders: some askers with claims on budgets, on a machine whose time is the test's own: one clock that only goes on,
 * what really happened when, from which the machine's are made, the one on the wall with whatever somebody has set it to.
 * A naive observer has a list of all that was ever spent, and looks at every window of it, as a server does.
 *
 * Between a test and daemon/budget.
 *
 * Invariant: what is spent is on the observer's list, whichever life of the daemon spent it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_SPENDERS_H
#define WSP_TESTS_HARNESS_SPENDERS_H

#include "daemon/budgets.h"
#include "daemon/target.h"
#include "tests/harness/fake_clock.h"
#include "tests/harness/fake_disk.h"

enum { N_SPENDERS = 4, MAX_SPENT = 100000, MINUTE_MS = 60000, DAY_MS = 86400000 };

struct spender {
    struct budget_claim claim;
    bool is_ready; /* it was told so since it asked last */
    unsigned n_ready;
};

struct spenders {
    struct turn turn;
    struct fake_clock clock;
    struct ledger_clock machine;
    uint64_t booted_ms; /* by the clock */
    int64_t wall_offset_ms;
    unsigned n_boots;
    struct fake_disk disk; /* of each life a new one, which takes no time */
    struct budgets budgets;
    char directory[64], file[80];
    char endpoint[16];    /* "quotes" */
    struct target target; /* of whatever claims from now on */
    struct spender all[N_SPENDERS];
    uint64_t spent[MAX_SPENT]; /* when, each */
    size_t n_spent;
    unsigned n_news[3]; /* by enum budget_news; and the text of the last */
    char news[3][LEDGER_PROBLEM_LEN];
};

void spenders_init(struct spenders *s);
void spenders_deinit(struct spenders *s); /* fails the test if a timer is left */

/* Lives of the daemon: one that remembers in the directory, or not; its end in order, and one as by kill -9, after which
 * nothing more is written: what was under way may have been, by chance. */
void spenders_begin(struct spenders *s, bool remembers);
void spenders_let_go(struct spenders *s); /* no claim is left */
void spenders_end(struct spenders *s);
void spenders_kill(struct spenders *s);
void spenders_reboot(struct spenders *s); /* the machine, in between */
void spenders_hide_boot(struct spenders *s);

/* The configuration: these rates, separated by commas, and no others. endpoint NULL: those of free URLs. */
void spenders_rates(struct spenders *s, const char *endpoint, enum budget_kind kind,
                    const char *texts);
/* The same for the endpoint, on whose budget all claim. */
void spenders_have(struct spenders *s, enum budget_kind kind, const char *texts);
void spenders_claim(struct spenders *s, unsigned i, enum budget_kind kind);
void spenders_claim_free(struct spenders *s, unsigned i, uid_t uid, const char *host);

/* True: it has spent one, at once or when a disk that takes no time has written it down. */
bool spender_asks(struct spenders *s, unsigned i);
unsigned spender_asks_for(struct spenders *s, unsigned i, unsigned n); /* how many */

void spenders_pass(struct spenders *s, uint64_t ms);
uint64_t spender_waits(struct spenders *s, unsigned i); /* until it is ready; how long that was */
void spenders_some_time(struct spenders *s, uint64_t step_ms, unsigned greed); /* by chance */
uint64_t spenders_random(uint64_t below);

/* Fails the test if some window has seen more than one of the rates, separated by commas. */
void spenders_observe(const struct spenders *s, const char *texts);

#endif

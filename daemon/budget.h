/* SPDX-License-Identifier: MIT
 *
 * budget: what an endpoint, or a user with a host, may still spend: attempts to connect, and messages.
 * Neighbours: share claims before it connects and before it gives a message to its upstream; spending
 * counts; bookkeeper has it written down.
 * Invariant: in no period of a rate more is spent than it allows, over all lives of the daemon; and
 * what is spent was written down before.
 *
 * A server that publishes "300 connections per 5 minutes" looks back over five minutes at any moment.
 * A bucket that holds 300 and is refilled at one a second would let almost 600 through in five minutes, and
 * one small enough not to would never let 300 through at once. So each token that was taken comes back
 * by itself, one period after it was taken, and a little later, because what leaves evenly does not
 * arrive evenly: a twentieth of the period, at most BUDGET_MAX_MARGIN_MS.
 *
 * A budget belongs to an endpoint, whoever opens it, or to a user and a host of free URLs. All that
 * want something of it stand in one line: first come, first served. Shares find it again when they
 * connect; a changed rate holds at once, and for what was spent before.
 *
 * On disk: so many are reserved, as if all of them were spent at the end of a moment in which they may be
 * used. Who finds nothing reserved waits in the line until it is. Of attempts as many are as wait, so that
 * a crash loop burns no more than are made. Messages are reserved in blocks: a first one alone, and more
 * with each block that is used up within its moment, up to four times as many where so many wait; so a
 * daemon which keeps crashing burns one at a time, and a busy one does not write for each. The next block is
 * asked for when half of one is used, so that who sends steadily does not wait. The moment is longer, and
 * a block larger, where the disk is slow. What cannot be written down is not spent: it waits. Only what
 * never waits (see budget_charge) is spent all the same, and written down when that can be.
 */
#ifndef WSPLEX_DAEMON_BUDGET_H
#define WSPLEX_DAEMON_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/clock.h"
#include "daemon/ledger_line.h"
#include "daemon/limits.h"
#include "daemon/list.h"
#include "daemon/rate.h"
#include "daemon/spending.h"

struct budgets;
struct ledger_job;
struct target;

/* So much must be more than what the way of one packet differs from that of the next. */
#define BUDGET_MAX_MARGIN_MS 1000

struct rates {
    struct rate items[MAX_RATES];
    unsigned n_items;
};

/* Written down, and not spent: to be used until then. */
struct reservation {
    uint64_t n, until_ms;
};

struct budget {
    struct list link;      /* in budgets->all */
    struct list book_link; /* in one of the bookkeeper's lists: there is something to write down */
    struct budgets *budgets;
    enum budget_kind kind;
    char *owner; /* as in the ledger */
    /* Of a free URL's host: what all of the user's hosts beyond MAX_FREE_BUDGETS have together. */
    struct budget *crowd;
    unsigned n_hosts; /* of a crowd */
    unsigned n_users; /* claims; of a crowd also hosts */
    bool is_kept;     /* an endpoint of the configuration has it */
    struct rates rates;
    struct spending spending;
    struct reservation ready, next; /* which are used one after the other */
    struct reservation posted;      /* in the job that is under way */
    uint64_t n_owed;                /* spent, and not written down */
    uint64_t n_owed_posted;         /* of these, in the job that is under way */
    uint64_t block; /* the size of the last reservation, of which there may be more soon: */
    uint64_t busy_until_ms;
    struct list waiting; /* claims, the first one first */
    struct timer timer;  /* while there are any: the first one's turn */
};

enum claim_state { CLAIM_IDLE, CLAIM_WAITING, CLAIM_CALLED };

/* Who wants something of a budget; embedded in its owner. */
struct budget_claim {
    struct list link;      /* WAITING: in budget->waiting */
    struct budget *budget; /* NULL: nothing is limited */
    enum claim_state state;
    uint64_t n_wanted; /* while it waits: for so many, as far as its owner knows */
    void (*ready)(void *owner);
    void *owner;
};

void budget_claim_init(struct budget_claim *claim, void (*ready)(void *owner), void *owner);
/* Waits no more, and has no budget. Takes a zeroed one. */
void budget_claim_deinit(struct budget_claim *claim);

/* From now on the claim is on the budget of that target; budgets may be NULL. 0, -ENOMEM. */
int budget_claim_on(struct budget_claim *claim, struct budgets *budgets, enum budget_kind kind,
                    const struct target *target);

/* True: one is spent, and the attempt or the message is to be made now. False: the claim waits, and
 * ready is called, from the loop, when it may be asked again; it can also be asked any time before. */
bool budget_take(struct budget_claim *claim);

/* It has been told to wait, and will ask for so many when it need not: which are then written down
 * together. */
void budget_expect(struct budget_claim *claim, uint64_t n);

/* Waits no more, and gives up its place in the line. */
void budget_rest(struct budget_claim *claim);

/* n more are spent, whether they are there or not: by what must not wait. */
void budget_charge(struct budget_claim *claim, unsigned n);

/* About how long it waits still, at least 1; 0: it does not wait, or it has its turn. */
uint64_t budget_wait_ms(const struct budget_claim *claim);

/* About how long it would wait if it asked now; 0: not at all. */
uint64_t budget_would_wait_ms(const struct budget_claim *claim);

/* --- for people --- */
/* What was spent of one of its rates in the last period. */
uint64_t budget_used(const struct budget *budget, unsigned rate);
/* In how many ms the next one may be spent; 0: now. */
uint64_t budget_next_ms(const struct budget *budget);

/* --- for budgets --- */
/* 0 with an empty budget, but for its owner and links; -ENOMEM. */
int budget_init(struct budget *budget, struct budgets *budgets, enum budget_kind kind);
void budget_deinit(struct budget *budget);
/* How long what was spent matters. */
uint64_t budget_keep_ms(const struct budget *budget);
/* Its rates have changed. */
void budget_changed(struct budget *budget);
/* What is to be written down of it goes into the job, whose disk took so long for the last one. False:
 * nothing is. */
bool budget_post(struct budget *budget, uint64_t took_ms, struct ledger_job *job);
/* That is written down. */
void budget_written(struct budget *budget);
/* What former lives have spent is known: what was spent since counts after that. */
void budget_found(struct budget *budget);
/* All that it has spent, or reserved, goes into the job. */
void budget_write_all(struct budget *budget, struct ledger_job *job);
/* What is reserved and not spent will not be. */
void budget_give_back(struct budget *budget);

#endif

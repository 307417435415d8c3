/*
 * spenders: askers, machine, lives and observer; see spenders.h.
 *
 * Between a test and daemon/budget.
 *
 * Invariant: see spenders.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/spenders.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the machine --- */

static int64_t elapsed_ms(void *context)
{
    const struct spenders *s = context;

    return (int64_t)(s->clock.now_ms - s->booted_ms) + 5000;
}

static int64_t wall_ms(void *context)
{
    const struct spenders *s = context;

    return (int64_t)s->clock.now_ms + s->wall_offset_ms;
}

static void boot(void *context, char ret_boot[LEDGER_BOOT_LEN])
{
    snprintf(ret_boot, LEDGER_BOOT_LEN, "b007-%u", ((struct spenders *)context)->n_boots);
}

static void no_boot(void *context, char ret_boot[LEDGER_BOOT_LEN])
{
    (void)context;
    strcpy(ret_boot, LEDGER_NO_BOOT);
}

void spenders_reboot(struct spenders *s)
{
    s->booted_ms = s->clock.now_ms;
    s->n_boots++;
}

void spenders_hide_boot(struct spenders *s)
{
    s->machine.boot = no_boot;
}

void spenders_init(struct spenders *s)
{
    memset(s, 0, sizeof(*s));
    turn_init(&s->turn);
    fake_clock_init(&s->clock, &s->turn);
    fake_clock_advance(&s->clock, 10 * (uint64_t)DAY_MS);
    s->booted_ms = s->clock.now_ms;
    s->wall_offset_ms = INT64_C(1700000000000);
    s->machine = (struct ledger_clock){elapsed_ms, wall_ms, boot, s};
    strcpy(s->endpoint, "quotes");
    s->target = (struct target){.endpoint = s->endpoint, .scope = 1000};
    /* Where nobody waits for a disk, if there is such a place. */
    snprintf(s->directory, sizeof(s->directory), "%s/spenders.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(s->directory));
    snprintf(s->file, sizeof(s->file), "%s/budgets", s->directory);
}

void spenders_deinit(struct spenders *s)
{
    char command[100];

    ck_assert_uint_eq(fake_clock_next_ms(&s->clock), UINT64_MAX);
    snprintf(command, sizeof(command), "rm -rf %s", s->directory);
    ck_assert_int_eq(system(command), 0);
}

/* --- lives of the daemon --- */

static void got_news(struct budgets *budgets, enum budget_news what, const char *text)
{
    struct spenders *s = LIST_ENTRY(budgets, struct spenders, budgets);

    s->n_news[what]++;
    snprintf(s->news[what], sizeof(s->news[what]), "%s", text);
}

static void ready(void *owner)
{
    struct spender *spender = owner;

    spender->is_ready = true;
    spender->n_ready++;
}

void spenders_begin(struct spenders *s, bool remembers)
{
    ck_assert_int_eq(budgets_init(&s->budgets, &s->clock.clock), 0);
    s->budgets.report = got_news;
    fake_disk_init(&s->disk, &s->clock.clock);
    if (remembers)
        ck_assert_int_eq(budgets_remember(&s->budgets, s->directory, &s->machine, &s->disk.runner),
                         0);
    for (int i = 0; i < N_SPENDERS; i++)
        budget_claim_init(&s->all[i].claim, ready, &s->all[i]);
}

void spenders_let_go(struct spenders *s)
{
    for (int i = 0; i < N_SPENDERS; i++) {
        budget_claim_deinit(&s->all[i].claim);
        budget_claim_init(&s->all[i].claim, ready, &s->all[i]);
        s->all[i].is_ready = false;
    }
}

void spenders_end(struct spenders *s)
{
    spenders_let_go(s);
    budgets_deinit(&s->budgets);
    fake_disk_deinit(&s->disk);
}

void spenders_kill(struct spenders *s)
{
    if (s->disk.job != NULL && spenders_random(2) == 0)
        fake_disk_runs(&s->disk);
    s->disk.is_dead = true;
    spenders_end(s);
}

/* --- the configuration --- */

void spenders_rates(struct spenders *s, const char *endpoint, enum budget_kind kind,
                    const char *texts)
{
    struct strings list = {0};
    char copy[200], *rest = copy, *text;

    snprintf(copy, sizeof(copy), "%s", texts);
    while ((text = strsep(&rest, ",")) != NULL)
        if (*text != '\0')
            ck_assert_int_eq(strings_add(&list, text, strlen(text)), 0);
    budgets_set_begin(&s->budgets);
    if (endpoint != NULL)
        ck_assert_int_eq(budgets_set_endpoint(&s->budgets, kind, endpoint, &list), 0);
    else
        budgets_set_free(&s->budgets, kind, &list);
    budgets_set_end(&s->budgets);
    strings_deinit(&list);
    spenders_pass(s, 0);
}

void spenders_claim(struct spenders *s, unsigned i, enum budget_kind kind)
{
    ck_assert_int_eq(budget_claim_on(&s->all[i].claim, &s->budgets, kind, &s->target), 0);
}

void spenders_have(struct spenders *s, enum budget_kind kind, const char *texts)
{
    spenders_rates(s, s->endpoint, kind, texts);
    for (unsigned i = 0; i < N_SPENDERS; i++)
        spenders_claim(s, i, kind);
}

void spenders_claim_free(struct spenders *s, unsigned i, uid_t uid, const char *host)
{
    s->target = (struct target){.scope = uid};
    s->target.url.hostname = (char *)(uintptr_t)host;
    spenders_claim(s, i, BUDGET_SEND);
}

/* --- asking --- */

bool spender_asks(struct spenders *s, unsigned i)
{
    s->all[i].is_ready = false;
    if (!budget_take(&s->all[i].claim)) {
        spenders_pass(s, 0);
        if (!s->all[i].is_ready || !budget_take(&s->all[i].claim))
            return false;
        s->all[i].is_ready = false;
    }
    ck_assert_uint_lt(s->n_spent, MAX_SPENT);
    s->spent[s->n_spent++] = s->clock.now_ms;
    return true;
}

unsigned spender_asks_for(struct spenders *s, unsigned i, unsigned n)
{
    unsigned n_taken = 0;

    while (n_taken < n && spender_asks(s, i))
        n_taken++;
    return n_taken;
}

void spenders_pass(struct spenders *s, uint64_t ms)
{
    fake_clock_advance(&s->clock, ms);
}

uint64_t spender_waits(struct spenders *s, unsigned i)
{
    uint64_t began_ms = s->clock.now_ms;

    while (!s->all[i].is_ready) {
        ck_assert_uint_ne(fake_clock_next_ms(&s->clock), UINT64_MAX);
        spenders_pass(s, fake_clock_next_ms(&s->clock));
    }
    return s->clock.now_ms - began_ms;
}

uint64_t spenders_random(uint64_t below)
{
    return (uint64_t)random() % below;
}

void spenders_some_time(struct spenders *s, uint64_t step_ms, unsigned greed)
{
    for (unsigned i = 0; i < N_SPENDERS; i++)
        if (s->all[i].is_ready || spenders_random(100) < greed)
            spender_asks_for(s, i, 1 + (unsigned)spenders_random(greed));
    spenders_pass(s, spenders_random(step_ms + 1));
}

/* --- the observer --- */

static void observe(const struct spenders *s, const char *text)
{
    struct rate rate;

    ck_assert_int_eq(rate_parse(wsp_view_of_string(text), "", &rate), 0);
    for (size_t i = rate.count; i < s->n_spent; i++)
        if (s->spent[i] - s->spent[i - rate.count] < rate.period_ms)
            ck_abort_msg("more than %s: %ju within %ju ms", text, (uintmax_t)rate.count + 1,
                         (uintmax_t)(s->spent[i] - s->spent[i - rate.count]));
}

void spenders_observe(const struct spenders *s, const char *texts)
{
    char copy[200], *rest = copy, *text;

    snprintf(copy, sizeof(copy), "%s", texts);
    while ((text = strsep(&rest, ",")) != NULL)
        observe(s, text);
}

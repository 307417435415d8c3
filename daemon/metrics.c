/* SPDX-License-Identifier: MIT
 *
 * metrics: measures shares, and writes what comes of it; see metrics.h.
 * Between server, whose objects it looks at, and control. Invariant: see metrics.h.
 */
#include "daemon/metrics.h"

#include <config.h> /* not the daemon's own */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/server.h"
#include "daemon/share_journal.h"

/* Not the name of an endpoint, which begins with a letter or a digit. */
static const char free_name[] = "-";

enum type { GAUGE, COUNTER };

enum endpoint_metric {
#define ENDPOINT_METRIC(ID, name, type, unit, help) METRIC_##ID,
#include "daemon/metrics.def"
    N_ENDPOINT_METRICS
};

enum daemon_metric {
#define DAEMON_METRIC(ID, name, type, unit, help) METRIC_##ID,
#include "daemon/metrics.def"
    N_DAEMON_METRICS
};

struct row {
    const char *name, *unit, *help;
    enum type type;
};

static const struct row endpoint_rows[] = {
#define ENDPOINT_METRIC(ID, name, type, unit, help) {name, unit, help, type},
#include "daemon/metrics.def"
};

static const struct row daemon_rows[] = {
#define DAEMON_METRIC(ID, name, type, unit, help) {name, unit, help, type},
#include "daemon/metrics.def"
};

/* What was counted of one endpoint; its gauges are made anew for each text. */
struct tally {
    struct list link;
    uint64_t ended[N_ENDPOINT_METRICS];
    uint64_t now[N_ENDPOINT_METRICS];
    char name[];
};

void metrics_init(struct metrics *metrics)
{
    list_init(&metrics->tallies);
}

void metrics_deinit(struct metrics *metrics)
{
    struct list *node;

    while ((node = list_take_first(&metrics->tallies)) != NULL)
        free(LIST_ENTRY(node, struct tally, link));
}

/* NULL: no memory. */
static struct tally *tally_of(struct metrics *metrics, const char *endpoint)
{
    const char *name = endpoint != NULL ? endpoint : free_name;
    struct tally *tally;

    LIST_FOR_EACH (node, &metrics->tallies) {
        tally = LIST_ENTRY(node, struct tally, link);
        if (strcmp(tally->name, name) == 0)
            return tally;
    }
    tally = calloc(1, sizeof(*tally) + strlen(name) + 1);
    if (tally == NULL)
        return NULL;
    memcpy(tally->name, name, strlen(name) + 1);
    list_init(&tally->link);
    list_append(&metrics->tallies, &tally->link);
    return tally;
}

/* ---- measuring ---- */

static void measure_channel(const struct channel *channel, uint64_t *values)
{
    uint64_t lag = channel_lag_cost(channel);

    values[METRIC_DROPPED] += channel->backlog.n_dropped;
    values[METRIC_LAG_MESSAGES] += channel_lag_messages(channel);
    values[METRIC_LAG_BYTES] += lag;
    if (lag > values[METRIC_MAX_LAG])
        values[METRIC_MAX_LAG] = lag;
    values[METRIC_OUTBOX] += channel->outbox_bytes;
}

static void measure_state(const struct share *share, uint64_t *values)
{
    switch (share->state) {
    case SHARE_CONNECTING: values[METRIC_CONNECTING]++; break;
    case SHARE_OPEN: values[METRIC_OPEN]++; break;
    case SHARE_RECONNECTING: values[METRIC_RECONNECTING]++; break;
    case SHARE_CLOSING: values[METRIC_CLOSING]++; break;
    case SHARE_ENDED: break;
    }
}

/* Adds all that is known of it. */
static void measure(const struct share *share, uint64_t *values)
{
    measure_state(share, values);
    values[METRIC_FAILED] += share_has_failed(share);
    values[METRIC_INTERRUPTIONS] += share->reconnect.n_interruptions;
    values[METRIC_JOINED] += share->n_channels;
    values[METRIC_MESSAGES_IN] += share->n_in;
    values[METRIC_BYTES_IN] += share->n_in_bytes;
    values[METRIC_MESSAGES_OUT] += share->n_out;
    values[METRIC_BYTES_OUT] += share->n_out_bytes;
    values[METRIC_UNSENT] += share->n_unsent;
    values[METRIC_DROPPED] += share->n_dropped;
    values[METRIC_HELD] += share->log.charge.amount;
    values[METRIC_WAIT_CONNECT] += budget_wait_ms(&share->reconnect.attempt) > 0;
    values[METRIC_WAIT_SEND] += budget_wait_ms(&share->sending.claim) > 0;
    LIST_FOR_EACH (node, &share->channels)
        measure_channel(LIST_ENTRY(node, struct channel, share_link), values);
}

void metrics_share_ended(struct metrics *metrics, const struct share *share)
{
    struct tally *tally = tally_of(metrics, share->target->endpoint);

    if (tally != NULL)
        measure(share, tally->ended);
}

/* Those that have ended are in the tallies already. */
static int measure_all(struct server *server)
{
    struct metrics *metrics = &server->metrics;
    struct tally *tally = tally_of(metrics, NULL);

    for (size_t i = 0; tally != NULL && i < server->config->n_endpoints; i++)
        tally = tally_of(metrics, server->config->endpoints[i].name);
    LIST_FOR_EACH (node, &metrics->tallies) {
        tally = LIST_ENTRY(node, struct tally, link);
        for (size_t i = 0; i < N_ENDPOINT_METRICS; i++)
            tally->now[i] = endpoint_rows[i].type == COUNTER ? tally->ended[i] : 0;
    }
    LIST_FOR_EACH (node, &server->shares.all) {
        const struct share *share = LIST_ENTRY(node, struct share, link);

        if (share->state == SHARE_ENDED)
            continue;
        tally = tally_of(metrics, share->target->endpoint);
        if (tally == NULL)
            return -ENOMEM;
        measure(share, tally->now);
    }
    return tally == NULL ? -ENOMEM : 0;
}

static void measure_daemon(const struct server *server, uint64_t values[N_DAEMON_METRICS])
{
    values[METRIC_UPTIME] = (clock_now_ms(server->clock) - server->started_ms) / 1000;
    values[METRIC_CLIENTS] = server->n_clients;
    values[METRIC_CHANNELS] = server->n_channels;
}

/* ---- writing ---- */

/* The first error stays. */
struct writing {
    struct wsp_buffer *text;
    int error;
};

static void put(struct writing *writing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct writing *writing, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int len;

    if (writing->error < 0)
        return;
    va_start(arguments, format);
    len = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (len > 0)
        writing->error = wsp_buffer_append(
            writing->text, line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
}

static void put_head(struct writing *writing, const struct row *row)
{
    put(writing, "# TYPE %s %s\n", row->name, row->type == COUNTER ? "counter" : "gauge");
    if (row->unit[0] != '\0')
        put(writing, "# UNIT %s %s\n", row->name, row->unit);
    put(writing, "# HELP %s %s\n", row->name, row->help);
}

static const char *ending_of(const struct row *row)
{
    return row->type == COUNTER ? "_total" : "";
}

static void put_endpoints(struct writing *writing, const struct metrics *metrics, size_t i)
{
    const struct row *row = &endpoint_rows[i];

    put_head(writing, row);
    LIST_FOR_EACH (node, &metrics->tallies) {
        const struct tally *tally = LIST_ENTRY(node, struct tally, link);

        put(writing, "%s%s{endpoint=\"%s\"} %" PRIu64 "\n", row->name, ending_of(row), tally->name,
            tally->now[i]);
    }
}

/* Of each rate of an endpoint, what is spent and what may be. */
static void put_budgets(struct writing *writing, const struct budgets *budgets, bool is_limit)
{
    static const char *const kinds[] = {[BUDGET_CONNECT] = "connect", [BUDGET_SEND] = "send"};
    static const struct row rows[] = {
        {"wsplex_budget_spent", "", "what was spent of a rate in its last period", GAUGE},
        {"wsplex_budget_limit", "", "what the rate allows", GAUGE},
    };

    put_head(writing, &rows[is_limit]);
    LIST_FOR_EACH (node, &budgets->all) {
        const struct budget *budget = LIST_ENTRY(node, struct budget, link);
        char rate[RATE_TEXT_LEN];

        for (unsigned i = 0; budget->is_kept && i < budget->rates.n_items; i++) {
            rate_format(budget->rates.items[i], rate);
            put(writing, "%s{endpoint=\"%s\",kind=\"%s\",rate=\"%s\"} %" PRIu64 "\n",
                rows[is_limit].name, strchr(budget->owner, ' ') + 1, kinds[budget->kind], rate,
                is_limit ? budget->rates.items[i].count : budget_used(budget, i));
        }
    }
}

int metrics_write(struct server *server, struct wsp_buffer *text)
{
    struct writing writing = {text, measure_all(server)};
    uint64_t values[N_DAEMON_METRICS];

    measure_daemon(server, values);
    put(&writing, "# TYPE wsplex_build info\n# HELP wsplex_build what is running\n");
    put(&writing, "wsplex_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
    for (size_t i = 0; i < N_DAEMON_METRICS; i++) {
        put_head(&writing, &daemon_rows[i]);
        put(&writing, "%s%s %" PRIu64 "\n", daemon_rows[i].name, ending_of(&daemon_rows[i]),
            values[i]);
    }
    for (size_t i = 0; i < N_ENDPOINT_METRICS; i++)
        put_endpoints(&writing, &server->metrics, i);
    put_budgets(&writing, &server->budgets, false);
    put_budgets(&writing, &server->budgets, true);
    put(&writing, "# EOF\n");
    return writing.error;
}

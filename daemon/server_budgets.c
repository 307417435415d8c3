/* SPDX-License-Identifier: MIT
 *
 * server_budgets: budgets by configuration; see server_budgets.h.
 * Between server and budgets. Invariant: see server_budgets.h.
 */
#include "daemon/server_budgets.h"

#include <errno.h>
#include <string.h>

#include "daemon/ledger_thread.h"
#include "daemon/server.h"

static void budgets_report(struct budgets *budgets, enum budget_news news, const char *text)
{
    struct journal *journal = &LIST_ENTRY(budgets, struct server, budgets)->journal;

    switch (news) {
    case BUDGET_UNKNOWN:
        journal_log(journal, JOURNAL_BUDGET_UNKNOWN, 0,
                    "%s; all that any budget allows counts as spent", text);
        break;
    case BUDGET_STUCK:
        journal_log(journal, JOURNAL_BUDGET_STUCK, 0,
                    "%s; whatever has a budget waits until what it spends can be written down",
                    text);
        break;
    case BUDGET_WORKS:
        journal_log(journal, JOURNAL_BUDGET_WORKS, 0, "what budgets spend is written down in %s",
                    text);
        break;
    }
}

int server_budgets_init(struct server *server)
{
    const char *directory = server->config->daemon.state_dir ? server->config->daemon.state_dir
                                                             : server->paths.state_dir;
    int r = budgets_init(&server->budgets, server->clock);

    if (r < 0)
        return r;
    server->budgets.report = budgets_report;
    r = ledger_thread_new(server->loop, &server->ledger_thread);
    if (r < 0)
        return r;
    r = budgets_remember(&server->budgets, directory, ledger_system_clock(),
                         ledger_thread_runner(server->ledger_thread));
    if (r == 0)
        server_budgets_configure(server);
    return r;
}

void server_budgets_deinit(struct server *server)
{
    budgets_deinit(&server->budgets);
    server->ledger_thread = ledger_thread_free(server->ledger_thread);
}

static int endpoint_configure(struct budgets *budgets, const struct endpoint *endpoint)
{
    const struct endpoint_options *options = &endpoint->options;
    int r = budgets_set_endpoint(budgets, BUDGET_CONNECT, endpoint->name, &options->connect_rate);

    return r < 0 ? r
                 : budgets_set_endpoint(budgets, BUDGET_SEND, endpoint->name, &options->send_rate);
}

void server_budgets_configure(struct server *server)
{
    const struct config *config = server->config;
    int r = 0;

    budgets_set_begin(&server->budgets);
    budgets_set_free(&server->budgets, BUDGET_CONNECT, &config->daemon.free_connect_rate);
    budgets_set_free(&server->budgets, BUDGET_SEND, &config->daemon.free_send_rate);
    for (size_t i = 0; r == 0 && i < config->n_endpoints; i++)
        r = endpoint_configure(&server->budgets, &config->endpoints[i]);
    if (r < 0)
        journal_log(&server->journal, JOURNAL_OUT_OF_MEMORY, 0, "budgets are as they were: %s",
                    strerror(-r));
    budgets_set_end(&server->budgets);
}

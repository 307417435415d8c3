/* SPDX-License-Identifier: MIT
 *
 * server: the daemon as one object that owns all others: what it listens on, whom it serves, what
 * it holds.
 * Neighbours: main makes it; listener, client, shares, control and notify find each other through
 * it.
 * Invariant: once stopping has begun nothing new is let in, and the loop ends within stop-timeout.
 */
#ifndef WSPLEX_DAEMON_SERVER_H
#define WSPLEX_DAEMON_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/autostart.h"
#include "daemon/budgets.h"
#include "daemon/config.h"
#include "daemon/config_paths.h"
#include "daemon/dial.h"
#include "daemon/history.h"
#include "daemon/journal.h"
#include "daemon/listener.h"
#include "daemon/loop.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/quota.h"
#include "daemon/shares.h"
#include "daemon/upstream.h"

struct ledger_thread;
struct output;

/* What the command line says; it goes before the files, also after a reload. NULL or false: nothing
 * was said. */
struct server_options {
    const char *config_file, *socket, *ca_file;
    bool has_log_level;
    enum journal_level log_level;
};

struct server {
    struct server_options options;
    struct config_paths paths;
    struct config *config;
    struct journal journal;
    struct loop *loop;
    struct clock *clock;
    struct turn *turn;
    struct dialer *dialer;
    struct quota quota;
    struct upstream_context upstream_context;
    struct budgets budgets;
    struct ledger_thread *ledger_thread;
    struct shares shares;
    struct history history;
    struct metrics metrics;
    struct output *output; /* where clients plan their writes */
    struct autostart autostart;
    struct listener listener;
    struct notify notify;
    struct list clients;  /* struct client, in the order of their ids */
    struct list channels; /* struct client_channel, likewise */
    unsigned n_clients, n_channels;
    unsigned n_refused; /* of the clients, those that are being told that their user has too many */
    uint64_t last_id;   /* of clients, channels and upstreams alike: a number names one thing */
    uint64_t started_ms;
    struct timer stop;   /* the bound on stopping */
    struct task emptied; /* TURN_CHECK: the last upstream has ended while stopping */
    bool is_running;     /* the loop has begun */
    bool is_stopping;    /* shares drain */
    bool is_emptied;     /* no upstream is left: clients are sent away as they have been told all */
};

/* Reads the configuration that a daemon with these options would use, and nothing more. Errors as
 * config_load; *ret_config is the caller's. */
int server_load_config(const struct server_options *options, const struct config_paths *paths,
                       struct config_reporter *reporter, struct config **ret_config);

/* Everything up to listening. options stays the caller's and must live as long. 0; any other value:
 * the journal says why, and server_deinit is still due. */
int server_init(struct server *server, const struct server_options *options);

/* Serves until it is told to stop. 0, or a negative errno of the loop. */
int server_run(struct server *server);

void server_deinit(struct server *server);

/* What to trust where an endpoint says nothing; NULL: the system's. */
const char *server_ca_file(const struct server *server);
const char *server_ca_path(const struct server *server);

/* Where the files of credentials are; never NULL. */
const char *server_credentials_dir(const struct server *server);

/* The longest message that the configuration lets any channel carry: 16 MiB, or an endpoint's. */
uint64_t server_max_message(const struct server *server);

/* A number for a new client or channel. */
uint64_t server_new_id(struct server *server);

/* A client or a channel has come or gone. */
void server_changed(struct server *server);

#endif

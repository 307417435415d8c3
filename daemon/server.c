/* SPDX-License-Identifier: MIT
 *
 * server: puts the daemon together, reloads it, stops it.
 * Between main and all that serves. Invariant: see server.h.
 *
 *  stopping  | what happens                                      | goes on when
 *  told      | no more clients, every upstream closes with 1001  | no upstream is left, or stop-timeout
 *  emptied   | clients are told the rest and ERROR shutdown      | no client is left, or a little later
 *  ended     | the loop stops; whatever is left is cut
 */
#include "daemon/server.h"

#include <config.h> /* not the daemon's own */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/client.h"
#include "daemon/client_channel.h"
#include "daemon/client_output.h"
#include "daemon/credential_places.h"
#include "daemon/crypto.h"
#include "daemon/limits.h"
#include "daemon/server_budgets.h"
#include "daemon/share_journal.h"
#include "daemon/tls.h"
#include "daemon/tls_places.h"
#include "proto/local/errors.h"

/* ---- configuration ---- */

int server_load_config(const struct server_options *options, const struct config_paths *paths,
                       struct config_reporter *reporter, struct config **ret_config)
{
    bool is_named = options->config_file != NULL;
    const char *file = is_named ? options->config_file : paths->config;
    struct config *config;
    int r = config_load(file, is_named, paths->is_machine ? CONFIG_MACHINE : CONFIG_USER, reporter,
                        &config);

    if (r == 0) {
        r = tls_places_check(config, options->ca_file, reporter);
        if (r == 0)
            *ret_config = config;
        else
            config_free(config);
    }
    return r;
}

struct journal_reporter {
    struct config_reporter base;
    struct journal *journal;
    enum journal_line line;
};

static void journal_report(struct config_reporter *base, const char *file, int line,
                           const char *text)
{
    struct journal_reporter *reporter = (struct journal_reporter *)(void *)base;

    if (line > 0)
        journal_log(reporter->journal, reporter->line, 0, "%s:%d: %s", file, line, text);
    else
        journal_log(reporter->journal, reporter->line, 0, "%s: %s", file, text);
}

/* Only a warning: files of secrets come and go, and each is read when it is needed. 0, or -ENOMEM. */
static int credentials_check(struct server *server)
{
    struct journal_reporter reporter = {{journal_report}, &server->journal, JOURNAL_CREDENTIAL};
    int r = credential_places_check(server->config, server_credentials_dir(server), &reporter.base);

    return r < 0 ? r : 0;
}

/* From now on this one holds. */
static void config_adopt(struct server *server, struct config *config)
{
    const struct daemon_options *options = &config->daemon;

    server->config = config;
    server->journal.level = server->options.has_log_level ? server->options.log_level
                                                          : (enum journal_level)options->log_level;
    server->quota.limits[QUOTA_CLIENTS] = options->max_clients;
    server->quota.limits[QUOTA_CHANNELS] = options->max_channels;
    server->quota.limits[QUOTA_UPSTREAMS] = options->max_upstreams;
    server->quota.limits[QUOTA_QUEUED_BYTES] = options->max_queued_bytes;
    server->quota.limits[QUOTA_RECEIVING_BYTES] = options->max_queued_bytes;
    server->quota.limits[QUOTA_RESERVED_BYTES] = options->max_queued_bytes;
    server->quota.limits[QUOTA_SENDING_BYTES] = options->max_sending_bytes;
    server->quota.limits[QUOTA_SUBSCRIPTION_BYTES] = options->max_subscription_bytes;
    quota_limits_changed(&server->quota);
    for (size_t i = 0; i < config->n_endpoints; i++)
        if (config->endpoints[i].options.insecure_tls)
            journal_log(&server->journal, JOURNAL_INSECURE_TLS, 0,
                        "%s:%d: endpoint \"%s\" does not verify whom it talks to%s",
                        config->endpoints[i].file, config->endpoints[i].line,
                        config->endpoints[i].name,
                        config->endpoints[i].options.pins.n_items > 0 ? " but by its pins" : "");
}

static int config_read(struct server *server)
{
    struct journal_reporter reporter = {{journal_report}, &server->journal, JOURNAL_CONFIGURATION};
    struct config *config;
    int r = server_load_config(&server->options, &server->paths, &reporter.base, &config);

    if (r == 0) {
        config_adopt(server, config);
        r = credentials_check(server);
    }
    return r;
}

const char *server_ca_file(const struct server *server)
{
    return server->options.ca_file ? server->options.ca_file : server->config->daemon.ca_file;
}

/* What the command line says goes before all that the files say of it. */
const char *server_ca_path(const struct server *server)
{
    return server->options.ca_file ? NULL : server->config->daemon.ca_path;
}

const char *server_credentials_dir(const struct server *server)
{
    const char *directory = server->config->daemon.credentials_dir;

    return directory ? directory : server->paths.credentials;
}

uint64_t server_max_message(const struct server *server)
{
    uint64_t max = WSP_DEFAULT_MAX_MESSAGE;

    for (size_t i = 0; i < server->config->n_endpoints; i++)
        if (server->config->endpoints[i].options.max_message > max)
            max = server->config->endpoints[i].options.max_message;
    return max;
}

static void server_reload(struct server *server)
{
    struct config *before = server->config;

    notify_reloading(&server->notify);
    if (config_read(server) == 0) {
        dialer_forget(server->dialer);
        server_budgets_configure(server);
        autostart_apply(server, before);
        config_free(before);
        journal_log(&server->journal, JOURNAL_RELOADED, 0,
                    "%zu endpoints; what is open stays as it is, and so does the socket",
                    server->config->n_endpoints);
    } else {
        journal_log(&server->journal, JOURNAL_NOT_RELOADED, 0,
                    "the configuration before it goes on");
    }
    notify_ready(&server->notify);
}

/* ---- what it holds ---- */

uint64_t server_new_id(struct server *server)
{
    return ++server->last_id;
}

static void status_format(void *owner, char *ret_text, size_t len)
{
    const struct server *server = owner;

    snprintf(ret_text, len, "%u upstreams, %u channels, %u clients%s", server->shares.n_upstreams,
             server->n_channels, server->n_clients, server->is_stopping ? "; stopping" : "");
}

void server_changed(struct server *server)
{
    notify_changed(&server->notify);
    if (server->is_emptied && server->n_clients == 0)
        loop_stop(server->loop);
}

static struct server *server_of(struct shares *shares)
{
    return LIST_ENTRY(shares, struct server, shares);
}

static void share_changed(struct shares *shares, struct share *share)
{
    struct server *server = server_of(shares);

    share_journal_changed(&server->journal, share);
    if (share_has_failed(share))
        history_add(&server->history, share, clock_now_ms(server->clock));
    if (share->state == SHARE_ENDED)
        metrics_share_ended(&server->metrics, share);
    server_changed(server);
    if (server->is_stopping && shares->n_upstreams == 0)
        turn_schedule(server->turn, TURN_CHECK, &server->emptied);
}

static void share_trouble(struct shares *shares, struct share *share)
{
    share_journal_trouble(&server_of(shares)->journal, share);
}

/* ---- stopping ---- */

static void emptied_run(void *owner)
{
    struct server *server = owner;

    if (server->is_emptied)
        return;
    server->is_emptied = true;
    LIST_FOR_EACH (node, &server->clients)
        client_send_away(LIST_ENTRY(node, struct client, link));
    timer_start(&server->stop, CLIENT_PARTING_MS);
    server_changed(server);
}

/* Servers that do not answer the close get no more time: their channels fail, so that every program is told. */
static void stop_fire(void *owner)
{
    struct server *server = owner;
    struct failure failure;

    if (server->is_emptied) {
        loop_stop(server->loop);
        return;
    }
    failure_set(&failure, WSP_CAUSE_SHUTDOWN, 0,
                "the daemon stops, and the server did not answer the close in time");
    LIST_FOR_EACH (node, &server->channels) {
        struct client_channel *channel = LIST_ENTRY(node, struct client_channel, all_link);

        if (channel->client)
            channel_fail(&channel->channel, &failure);
    }
    emptied_run(server);
}

static void server_stop(struct server *server, const char *why)
{
    if (server->is_stopping) {
        journal_log(&server->journal, JOURNAL_STOPPING, 0, "%s again: at once", why);
        loop_stop(server->loop);
        return;
    }
    server->is_stopping = true;
    journal_log(&server->journal, JOURNAL_STOPPING, 0, "%s: closing %u upstreams of %u clients",
                why, server->shares.n_upstreams, server->n_clients);
    notify_stopping(&server->notify);
    listener_deinit(&server->listener);
    timer_start(&server->stop, server->config->daemon.stop_timeout_ms);
    shares_drain(&server->shares);
    if (server->shares.n_upstreams == 0)
        turn_schedule(server->turn, TURN_CHECK, &server->emptied);
}

static void signal_fire(void *owner, int signal_number)
{
    struct server *server = owner;

    if (signal_number == SIGHUP)
        server_reload(server);
    else
        server_stop(server, signal_number == SIGTERM ? "SIGTERM" : "SIGINT");
}

/* ---- starting ---- */

static void accepted(void *owner, int fd)
{
    client_accept(owner, fd);
}

static void trouble(void *owner, const char *text)
{
    struct server *server = owner;

    journal_log(&server->journal, JOURNAL_LISTENING, 0,
                "accepting rests: %s; %u clients and %u upstreams are open", text,
                server->n_clients, server->shares.n_upstreams);
}

/* Each client and each upstream is a descriptor: what the system allows is asked for. */
static void descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int cannot_start(struct server *server, const char *what, int r)
{
    journal_log(&server->journal, JOURNAL_CANNOT_START, 0, "%s: %s", what, strerror(-r));
    return r;
}

static int loop_prepare(struct server *server)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    int r = loop_new(&server->loop);

    if (r < 0)
        return r;
    server->clock = loop_clock(server->loop);
    server->turn = loop_turn(server->loop);
    server->upstream_context.scratch =
        loop_scratch(server->loop, &server->upstream_context.scratch_len);
    server->started_ms = clock_now_ms(server->clock);
    task_init(&server->emptied, emptied_run, server);
    for (size_t i = 0; r == 0 && i < sizeof(signals) / sizeof(signals[0]); i++)
        r = loop_on_signal(server->loop, signals[i], signal_fire, server);
    if (r == 0)
        r = timer_init(&server->stop, server->clock, stop_fire, server);
    if (r == 0)
        r = output_new(server->upstream_context.scratch, server->upstream_context.scratch_len,
                       &server->output);
    if (r == 0)
        r = notify_init(&server->notify, server->clock, status_format, server);
    return r;
}

static int remote_prepare(struct server *server)
{
    struct upstream_context *context = &server->upstream_context;
    int r = dialer_new(server->loop, &server->dialer);

    if (r < 0)
        return r;
    context->clock = server->clock;
    context->turn = server->turn;
    context->dialer = server->dialer;
    context->random = crypto_random;
    context->sha1 = crypto_sha1;
    shares_init(&server->shares, server->clock, server->turn, upstream_remote_ops(), context,
                crypto_random, &server->last_id);
    server->shares.on_change = share_changed;
    server->shares.on_trouble = share_trouble;
    server->shares.budgets = &server->budgets;
    return server_budgets_init(server);
}

static int socket_prepare(struct server *server)
{
    const struct daemon_options *options = &server->config->daemon;
    const struct config_paths *paths = &server->paths;
    const char *path = server->options.socket ? server->options.socket
                       : options->socket      ? options->socket
                                              : paths->socket;
    mode_t mode = paths->is_machine ? 0660 : 0600;
    struct listener_options listener = {
        .path = path,
        .directory = strcmp(path, paths->socket) == 0 ? paths->socket_dir : NULL,
        .directory_mode = paths->is_machine ? 0755 : 0700,
        .mode = option_is_given(options->given, DAEMON_OPTION_socket_mode)
                    ? (mode_t)options->socket_mode
                    : mode,
        .group =
            options->socket_group == OPTION_NO_GROUP ? (gid_t)-1 : (gid_t)options->socket_group,
    };
    char problem[LISTENER_PROBLEM_LEN];
    int r = listener_init(&server->listener, server->loop, &listener, accepted, trouble, server,
                          problem);

    if (r < 0)
        journal_log(&server->journal, JOURNAL_CANNOT_START, 0, "%s", problem);
    else
        journal_log(&server->journal, JOURNAL_STARTED, 0,
                    "wsplexd " PACKAGE_VERSION " listens on %s",
                    server->listener.path ? server->listener.path : "the socket that it was given");
    return r;
}

int server_init(struct server *server, const struct server_options *options)
{
    int r;

    *server = (struct server){.options = *options};
    list_init(&server->clients);
    list_init(&server->channels);
    list_init(&server->shares.all);
    autostart_init(&server->autostart, server);
    history_init(&server->history);
    metrics_init(&server->metrics);
    quota_init(&server->quota);
    journal_init(&server->journal,
                 options->has_log_level ? options->log_level : JOURNAL_LEVEL_NOTICE);
    r = config_paths_init(&server->paths);
    if (r < 0)
        return cannot_start(server, "paths", r);
    r = config_read(server);
    if (r != 0)
        return r < 0 ? cannot_start(server, "configuration", r) : r;
    descriptors_raise();
    r = loop_prepare(server);
    if (r < 0)
        return cannot_start(server, "event loop", r);
    r = remote_prepare(server);
    if (r < 0)
        return cannot_start(server, "resolver and TLS", r);
    r = socket_prepare(server);
    if (r == 0)
        autostart_apply(server, NULL);
    return r;
}

int server_run(struct server *server)
{
    int r;

    server->is_running = true;
    notify_ready(&server->notify);
    r = loop_run(server->loop);
    if (r < 0)
        journal_log(&server->journal, JOURNAL_STOPPING, 0, "the event loop failed: %s",
                    strerror(-r));
    return r;
}

void server_deinit(struct server *server)
{
    bool was_running = server->is_running;

    if (server->loop) {
        listener_deinit(&server->listener);
        LIST_FOR_EACH (node, &server->clients)
            client_drop(LIST_ENTRY(node, struct client, link));
        if (server->shares.clock)
            shares_deinit(&server->shares);
        autostart_deinit(&server->autostart);
        /* Buries clients, and lets abandoned channels go that waited for their upstreams. */
        LIST_FOR_EACH (node, &server->channels)
            client_channel_discard(LIST_ENTRY(node, struct client_channel, all_link));
        turn_end(server->turn);
        server_budgets_deinit(server);
        notify_deinit(&server->notify);
        timer_deinit(&server->stop);
    }
    dialer_free(server->dialer);
    output_free(server->output);
    loop_free(server->loop);
    config_free(server->config);
    config_paths_deinit(&server->paths);
    quota_deinit(&server->quota);
    history_deinit(&server->history);
    metrics_deinit(&server->metrics);
    journal_flush(&server->journal);
    if (was_running)
        journal_log(&server->journal, JOURNAL_STOPPED, 0, "wsplexd " PACKAGE_VERSION);
}

/* SPDX-License-Identifier: MIT
 *
 * control_rows: JSON of upstreams, clients, channels, endpoints and the daemon itself.
 * Between control and the objects that it shows. Invariant: see control_rows.h.
 */
#include "daemon/control_rows.h"

#include <config.h> /* not the daemon's own */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/budget_rows.h"
#include "daemon/client.h"
#include "daemon/client_channel.h"
#include "daemon/history.h"
#include "daemon/options.h"
#include "daemon/sending_rows.h"
#include "daemon/server.h"
#include "daemon/share.h"
#include "daemon/upstream.h"
#include "proto/local/errors.h"

/* Numbers of objects are never 0 and never beyond what JSON's readers hold exactly. */
static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* NULL when any of it is NULL. */
static json_t *merge(json_t *row, json_t *more)
{
    if (!row || !more || json_object_update(row, more) < 0) {
        json_decref(row);
        row = NULL;
    }
    json_decref(more);
    return row;
}

static json_t *strings_array(const struct strings *strings, size_t first, size_t step)
{
    json_t *array = json_array();

    for (size_t i = first; array && i < strings->n_items; i += step)
        if (json_array_append_new(array, json_string(strings->items[i])) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static struct share *share_of(struct list *node)
{
    return LIST_ENTRY(node, struct share, link);
}

static struct client *client_of(struct list *node)
{
    return LIST_ENTRY(node, struct client, link);
}

static struct client_channel *channel_of(struct list *node)
{
    return LIST_ENTRY(node, struct client_channel, all_link);
}

static struct history_record *failed_of(struct list *node)
{
    return LIST_ENTRY(node, struct history_record, link);
}

/* ---- the lists ---- */

struct list *upstreams_head(struct server *server)
{
    return &server->shares.all;
}

struct list *clients_head(struct server *server)
{
    return &server->clients;
}

struct list *channels_head(struct server *server)
{
    return &server->channels;
}

struct list *failed_head(struct server *server)
{
    return &server->history.records;
}

uint64_t upstream_number(struct list *node)
{
    return share_of(node)->id;
}

uint64_t client_number(struct list *node)
{
    return client_of(node)->id;
}

uint64_t channel_number(struct list *node)
{
    return channel_of(node)->channel.id;
}

uint64_t failed_number(struct list *node)
{
    return failed_of(node)->number;
}

uid_t upstream_uid(struct list *node)
{
    return share_of(node)->owner->uid;
}

struct share *upstream_share(struct list *node)
{
    return share_of(node);
}

const struct target *upstream_target(struct list *node)
{
    return share_of(node)->target;
}

const struct target *channel_target(struct list *node)
{
    const struct share *share = channel_of(node)->channel.share;

    return share ? share->target : NULL;
}

uid_t client_uid(struct list *node)
{
    return client_of(node)->peer.uid;
}

uid_t channel_uid(struct list *node)
{
    return channel_of(node)->channel.user->uid;
}

uid_t failed_uid(struct list *node)
{
    return failed_of(node)->uid;
}

/* ---- ends ---- */

static json_t *number_or_null(uint64_t value)
{
    return value > 0 ? number(value) : json_null();
}

/* excerpt: NULL where it is not to be shown. */
static json_t *ending_members(const struct ending *ending, const char *excerpt)
{
    const struct failure *failure = &ending->failure;
    json_t *members =
        json_pack("{s:o, s:s, s:s, s:o, s:o}", "close_code", number_or_null(ending->code), "cause",
                  failure->cause ? wsp_cause_to_string(failure->cause) : "", "failure",
                  failure->text, "http_status", number_or_null(failure->http_status),
                  "retry_after_ms", number_or_null(UINT64_C(1000) * failure->retry_after));

    return excerpt ? merge(members, json_pack("{s:s}", "excerpt", excerpt)) : members;
}

json_t *failed_row(struct list *node, uint64_t now_ms)
{
    const struct history_record *record = failed_of(node);

    return merge(json_pack("{s:o, s:s, s:s, s:b, s:I, s:o, s:o}", "id", number(record->id), "state",
                           share_state_to_string(SHARE_ENDED), "url", record->display, "shared",
                           record->is_shared, "uid", (json_int_t)record->uid, "ended_ms",
                           number(now_ms - record->ended_ms), "lasted_ms",
                           number(record->lasted_ms)),
                 ending_members(&record->ending, NULL));
}

json_t *failed_details(struct list *node, bool is_owner)
{
    const struct history_record *record = failed_of(node);

    if (!is_owner)
        return json_object();
    return json_pack("{s:s}", "excerpt", record->excerpt ? record->excerpt : "");
}

/* ---- upstreams ---- */

/* Of one that is tried again: how often that has failed, and when it goes on. */
static json_t *reconnect_members(const struct share *share)
{
    uint64_t wait_ms = reconnect_wait_ms(share);

    return json_pack("{s:b, s:o, s:o, s:o, s:s}", "persistent", share->target->is_persistent,
                     "interruptions", number(share->reconnect.n_interruptions), "attempts_failed",
                     number(share->reconnect.n_failed), "next_attempt_ms",
                     wait_ms == UINT64_MAX ? json_null() : number(wait_ms), "failure",
                     share->ending.failure.text);
}

json_t *upstream_row(struct list *node, uint64_t now_ms)
{
    const struct share *share = share_of(node);
    const struct opening *opening = share->upstream ? upstream_opening(share->upstream) : NULL;
    char display[TARGET_DISPLAY_LEN];

    return merge(
        json_pack(
            "{s:o, s:s, s:s, s:b, s:I, s:i, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
            "id", number(share->id), "state", share_state_to_string(share->state), "url",
            target_display(share->target, display), "shared", share->is_shared, "uid",
            (json_int_t)share->owner->uid, "channels", (int)share->n_channels, "protocol",
            share->protocol ? share->protocol : "", "address", opening ? opening->address : "",
            "tls", opening ? opening->tls : "", "insecure_tls", share->target->tls.is_insecure,
            "age_ms", number(now_ms - share->created_ms), "messages_in", number(share->n_in),
            "bytes_in", number(share->n_in_bytes), "messages_out", number(share->n_out),
            "bytes_out", number(share->n_out_bytes), "held_bytes",
            number(share->log.charge.amount)),
        merge(reconnect_members(share), budget_wait_members(share)));
}

/* Without its credentials. */
static json_t *proxy_string(const struct proxy *proxy)
{
    char text[PROXY_TEXT_LEN];

    return json_string(proxy ? proxy_display(proxy, text) : "");
}

/* Of the last ping that was answered; null where there was none. */
static json_t *round_trip(const struct upstream *upstream)
{
    uint64_t ms;

    return upstream && upstream_round_trip(upstream, &ms) ? number(ms) : json_null();
}

/* As proto/PROTOCOL.md writes them; people only ever compare two. */
static json_t *epoch_string(const struct epoch *epoch)
{
    char text[2 * LOG_EPOCH_LEN + 1];

    for (size_t i = 0; i < LOG_EPOCH_LEN; i++)
        snprintf(text + 2 * i, 3, "%02x", epoch->id[i]);
    return json_string(text);
}

/* What was asked and is not answered, and what became of the rest. */
static json_t *routing_members(const struct share *share)
{
    const struct routing *routing = &share->routing;

    return json_pack("{s:o, s:o, s:o, s:o}", "pending_requests", number(routing->n_routes),
                     "routed_replies", number(routing->n_routed), "dropped_replies",
                     number(routing->n_dropped), "unanswered_requests",
                     number(routing->n_timed_out));
}

/* What is there for who joins or comes back. */
static json_t *log_members(const struct share *share)
{
    const struct log *log = &share->log;
    uint64_t oldest = log->first ? log->first->number : log->next_number;

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "epoch", epoch_string(log->epoch), "next_number",
                     number(log->next_number), "held_messages", number(log->next_number - oldest),
                     "replay", number(log->retention.messages), "replay_bytes",
                     number(log->retention.bytes));
}

json_t *upstream_details(struct list *node, bool is_owner)
{
    const struct share *share = share_of(node);
    char progress[sizeof(share->ending.failure.text)] = "";
    const struct tls_settings *tls = &share->target->tls;
    json_t *channels = json_array();

    LIST_FOR_EACH (link, &share->channels) {
        const struct channel *channel = LIST_ENTRY(link, struct channel, share_link);

        if (!channels || json_array_append_new(channels, number(channel->id)) < 0) {
            json_decref(channels);
            return NULL;
        }
    }
    if (share->upstream)
        opening_describe(upstream_opening(share->upstream), progress, sizeof(progress));
    else
        budget_wait_describe(share, progress, sizeof(progress));
    return merge(
        merge(
            json_pack("{s:s, s:o, s:s, s:o, s:o, s:b, s:b, s:b, s:b, s:o, s:o, s:o, s:s, s:s, s:o}",
                      "progress", progress, "round_trip_ms", round_trip(share->upstream),
                      "extensions", share->extensions ? share->extensions : "", "channel_ids",
                      channels, "protocols", strings_array(&share->target->protocols, 0, 1),
                      "lingering", share->is_lingering, "paused_for_lag",
                      (share->pauses & SHARE_PAUSE_LAG) != 0, "paused_for_quota",
                      (share->pauses & SHARE_PAUSE_QUOTA) != 0, "paused_for_turn",
                      (share->pauses & SHARE_PAUSE_TURN) != 0, "max_message",
                      number(share->target->max_message), "linger_ms",
                      number(share->target->linger_ms), "proxy", proxy_string(share->target->proxy),
                      "ca_file", tls->ca_file ? tls->ca_file : "", "ca_path",
                      tls->ca_path ? tls->ca_path : "", "pins", strings_array(&tls->pins, 0, 1)),
            ending_members(&share->ending, is_owner ? share_excerpt(share, &share->ending) : NULL)),
        merge(log_members(share), merge(routing_members(share), sending_members(share, is_owner))));
}

/* ---- clients ---- */

json_t *client_row(struct list *node, uint64_t now_ms)
{
    const struct client *client = client_of(node);

    return json_pack("{s:o, s:s, s:I, s:I, s:I, s:i, s:o, s:o, s:o, s:o, s:o}", "id",
                     number(client->id), "state", client_state_to_string(client->state), "uid",
                     (json_int_t)client->peer.uid, "gid", (json_int_t)client->peer.gid, "pid",
                     (json_int_t)client->peer.pid, "channels", (int)client->n_channels, "age_ms",
                     number(now_ms - client->created_ms), "frames_in", number(client->n_frames_in),
                     "bytes_in", number(client->n_bytes_in), "frames_out",
                     number(client->output.n_frames), "bytes_out", number(client->output.n_bytes));
}

json_t *client_details(struct list *node, bool is_owner)
{
    const struct client *client = client_of(node);
    json_t *channels = json_array();

    (void)is_owner;
    LIST_FOR_EACH (link, &client->channels) {
        const struct client_channel *channel = LIST_ENTRY(link, struct client_channel, link);

        if (!channels || json_array_append_new(channels, number(channel->channel.id)) < 0) {
            json_decref(channels);
            return NULL;
        }
    }
    return json_pack("{s:o, s:o, s:b}", "channel_ids", channels, "writes",
                     number(client->output.n_writes), "blocked", client->output.is_blocked);
}

/* ---- channels ---- */

json_t *channel_row(struct list *node, uint64_t now_ms)
{
    const struct client_channel *channel = channel_of(node);
    const struct channel *base = &channel->channel;
    const struct client *client = channel->client;

    return json_pack(
        "{s:o, s:s, s:s, s:b, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
        number(base->id), "state", channel_state_to_string(base->state), "url",
        channel->display ? channel->display : "", "shared", channel->is_shared, "client",
        client ? number(client->id) : json_null(), "upstream",
        base->share ? number(base->share->id) : json_null(), "uid", (json_int_t)base->user->uid,
        "pid", (json_int_t)(client ? client->peer.pid : 0), "age_ms",
        number(now_ms - base->created_ms), "messages_received", number(base->n_received),
        "bytes_received", number(base->n_received_bytes), "messages_sent", number(base->n_sent),
        "bytes_sent", number(base->n_sent_bytes), "lag_bytes", number(channel_lag_cost(base)),
        "unsent_bytes", number(base->outbox_bytes), "messages_dropped",
        number(base->backlog.n_dropped));
}

/* What its program has been told last; nothing before it is open. */
static json_t *position_members(const struct channel *channel)
{
    return json_pack("{s:o, s:o}", "epoch",
                     channel->epoch ? epoch_string(channel->epoch) : json_null(), "position",
                     channel->epoch ? number(channel->next_number - 1) : json_null());
}

json_t *channel_details(struct list *node, bool is_owner)
{
    const struct client_channel *channel = channel_of(node);
    const struct channel *base = &channel->channel;

    return merge(merge(json_pack("{s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:i}", "number",
                                 (json_int_t)channel->number, "lag_messages",
                                 number(channel_lag_messages(base)), "queue_bytes",
                                 number(base->queue_bytes), "slow_consumer",
                                 slow_consumer_to_string(base->slow_consumer), "queue_messages",
                                 number(base->queue_messages), "kept_messages",
                                 number(base->backlog.n_items), "bytes_dropped",
                                 number(base->backlog.n_dropped_bytes), "n_subscriptions",
                                 (int)base->subscriber.n_holds),
                       ending_members(&base->ending,
                                      is_owner ? share_excerpt(base->share, &base->ending) : NULL)),
                 position_members(base));
}

/* ---- endpoints and status ---- */

static json_t *option_json(const struct option_row *row, uint64_t value)
{
    char text[OPTION_TEXT_LEN];

    option_format(row, value, text);
    return json_string(text);
}

/* NULL: it is not to be shown; a list that is shown to everybody says what a program may choose. */
static const struct strings *shown_list(const struct option_row *row,
                                        const struct endpoint_options *options, bool is_admin)
{
    switch (row->type) {
    case OPTION_WORDS:
    case OPTION_RATES: return option_list(row, options);
    case OPTION_RULES:
    case OPTION_USERS:
    case OPTION_GROUPS: return is_admin ? option_list(row, options) : NULL;
    default: return NULL;
    }
}

/* Numbers and words as texts, and lists, by their names in the configuration; nothing that may hold a credential. */
static json_t *options_object(const struct endpoint_options *options, bool is_admin)
{
    const struct option_table *table = endpoint_options_table();
    json_t *object = json_object();

    for (size_t i = 0; object && i < table->n_rows; i++) {
        const struct option_row *row = &table->rows[i];
        const struct strings *list = shown_list(row, options, is_admin);
        uint64_t value;
        json_t *shown = NULL;

        if (option_number(row, options, &value))
            shown = option_json(row, value);
        else if (list)
            shown = strings_array(list, 0, 1);
        else if (i == ENDPOINT_OPTION_conflate_key && options->conflate_key)
            shown = json_string(options->conflate_key);
        else
            continue;
        if (json_object_set_new(object, row->name, shown) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* The server, without the path that a request goes to. */
static json_t *origin_string(const struct wsp_url *url)
{
    char text[TARGET_DISPLAY_LEN];

    if (url->socket_path[0] == '\0')
        return json_string(url->origin);
    target_socket_format(url, text, sizeof(text));
    return json_string(text);
}

/* What the one who asks may do with it. */
static json_t *rights_array(unsigned rights)
{
    json_t *array = json_array();

    for (unsigned right = 1; array && access_right_to_string(right); right <<= 1)
        if (rights & right &&
            json_array_append_new(array, json_string(access_right_to_string(right))) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* Of headers only the names, and of the greeting and the heartbeat only that there are some: a value may be a
 * credential. */
json_t *endpoint_row(const struct endpoint *endpoint, const struct budgets *budgets,
                     const char *ended, unsigned rights, bool is_admin)
{
    const struct endpoint_options *options = &endpoint->options;
    json_t *row = json_pack(
        "{s:s, s:o, s:o, s:b, s:i, s:b, s:b, s:o}", "name", endpoint->name, "rights",
        rights_array(rights), "protocols", strings_array(&options->protocols, 0, 1), "insecure_tls",
        options->insecure_tls != NULL, "greeting_messages", (int)options->greeting.n_items,
        "heartbeat", options->heartbeat != NULL, "answers_heartbeat",
        options->heartbeat_request != NULL, "options", options_object(options, is_admin));

    if (!row || !is_admin)
        return row;
    return merge(row, json_pack("{s:s*, s:o, s:o, s:o, s:s, s:i}", "ended", ended, "origin",
                                origin_string(&endpoint->url), "headers",
                                strings_array(&endpoint->options.headers, 0, 2), "budgets",
                                budget_array(budgets, endpoint->name), "file", endpoint->file,
                                "line", endpoint->line));
}

static json_t *user_object(const struct user *user)
{
    json_t *object = json_pack("{s:I}", "uid", (json_int_t)user->uid);

    for (int i = 0; object && i < QUOTA_N_RESOURCES; i++) {
        json_t *pair = json_pack("{s:o, s:o}", "used", number(user->used[i]), "limit",
                                 number(user->quota->limits[i]));

        if (!pair || json_object_set_new(object, quota_resource_to_string((enum quota_resource)i),
                                         pair) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *status_row(struct server *server, const struct client *client, bool is_admin)
{
    uint64_t now_ms = clock_now_ms(server->clock);
    json_t *row =
        json_pack("{s:s, s:I, s:o, s:b, s:o}", "software", "wsplexd " PACKAGE_VERSION, "pid",
                  (json_int_t)getpid(), "age_ms", number(now_ms - server->started_ms), "stopping",
                  server->is_stopping, "you", user_object(client->user));

    if (!is_admin)
        return row;
    return merge(row,
                 json_pack("{s:i, s:i, s:i, s:i}", "upstreams", (int)server->shares.n_upstreams,
                           "channels", (int)server->n_channels, "clients", (int)server->n_clients,
                           "endpoints", (int)server->config->n_endpoints));
}

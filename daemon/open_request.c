/* SPDX-License-Identifier: MIT
 *
 * open_request: OPEN and configuration to target.
 * Between client_requests and share. Invariant: see open_request.h; what is refused is told with the name of the
 * option concerned in front.
 */
#include "daemon/open_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/destination.h"
#include "daemon/endpoint_choice.h"
#include "daemon/idna.h"
#include "daemon/option_rules.h"
#include "daemon/option_text.h"
#include "daemon/options.h"
#include "daemon/proxy_choice.h"
#include "daemon/reconnect_options.h"
#include "daemon/sending_options.h"
#include "daemon/server.h"
#include "daemon/tls_options.h"
#include "proto/local/errors.h"
#include "proto/rules.h"

/* What is being resolved. */
struct request {
    const struct server *server;
    const struct client_peer *peer; /* NULL: the daemon asks for itself */
    uid_t uid;
    const struct wsp_local_open *open;
    const struct endpoint *endpoint; /* NULL: a free URL */
    struct endpoint_options options; /* what the program gave */
    struct target *target;
    bool is_shared;
    struct failure *failure;
};

static int refuse(struct request *request, enum wsp_cause cause, const char *text)
{
    failure_set(request->failure, (uint16_t)cause, 0, "%s", text);
    return 1;
}

/* What the daemon may do, the program may as well: it is the daemon's own, or the daemon itself. */
static bool is_of_daemon(const struct request *request)
{
    return !request->peer ||
           (request->uid == geteuid() && !peer_is_unknown(request->peer, request->server->config));
}

/* ---- one option ---- */

/* What would make the daemon do for a program what the program itself may not: read a file, or reach
 * what a proxy or a Unix socket leads to. It is refused before anything is looked at, so that the
 * answer does not tell what is there. */
static int check_own(struct request *request, const struct option_row *row)
{
    bool is_file = row->type == OPTION_FILE || row->type == OPTION_DIRECTORY;
    bool is_way = row->type == OPTION_PROXY || row->type == OPTION_HOSTS;

    if (is_of_daemon(request) || (!is_file && !is_way))
        return 0;
    failure_set(request->failure, WSP_CAUSE_OPTION, 0,
                "%s: this daemon runs as another user and %s for a program; its administrator can "
                "give an endpoint one",
                row->name, is_file ? "reads no file" : "takes no other way");
    return 1;
}

static int read_option(struct request *request, const struct option_row *row, struct wsp_view value)
{
    const struct option_table *table = endpoint_options_table();
    char problem[OPTION_TEXT_LEN];
    int r;

    if (option_is_given(request->options.given, (unsigned)(row - table->rows))) {
        failure_set(request->failure, WSP_CAUSE_OPTION, 0, "%s: it is given twice", row->name);
        return 1;
    }
    r = check_own(request, row);
    if (r == 0) {
        r = option_set(table, row, value, &request->options, problem);
        if (r > 0)
            refuse(request, WSP_CAUSE_OPTION, problem);
    }
    return r;
}

static int refuse_unknown(struct request *request, struct wsp_view name)
{
    const char *nearest = option_nearest(endpoint_options_table(), name);

    failure_set(request->failure, WSP_CAUSE_OPTION, 0, "%.*s: there is no such option%s%s%s",
                name.len > 60 ? 60 : (int)name.len, (const char *)name.data,
                nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return 1;
}

/* ---- what an endpoint decides ---- */

static int refuse_choice(struct request *request, const char *option)
{
    failure_set(request->failure, WSP_CAUSE_CONFLICT, 0,
                "%s: the endpoint %s decides it, not who opens it", option,
                request->endpoint->name);
    return 1;
}

static int read_choice(struct request *request, struct wsp_view name, struct wsp_view value)
{
    const struct option_row *row = option_find(endpoint_options_table(), name);
    int r;

    if (!row)
        return refuse_unknown(request, name);
    if (!endpoint_choice_is_open(row))
        return refuse_choice(request, row->name);
    r = read_option(request, row, value);
    return r == 0
               ? endpoint_choice_check(request->endpoint, row, &request->options, request->failure)
               : r;
}

/* Of an endpoint a program chooses among its subprotocols, and less than it grants of what is each channel's own. */
static int check_choices(struct request *request)
{
    const struct strings *chosen = &request->options.protocols;
    const struct endpoint_options *options = &request->endpoint->options;
    enum wsp_sharing opposite = options->is_shared ? WSP_SHARING_PRIVATE : WSP_SHARING_SHARED;
    struct wsp_view rest = request->open->options, name, value;
    int r = 0;

    if (request->open->headers.len > 0)
        return refuse_choice(request, "headers");
    if (request->open->sharing == opposite)
        return refuse_choice(request, "share");
    for (size_t i = 0; i < chosen->n_items; i++)
        if (!strings_have(&options->protocols, chosen->items[i])) {
            failure_set(request->failure, WSP_CAUSE_CONFLICT, 0,
                        "protocols: %.60s is not one of those that the endpoint %s lists",
                        chosen->items[i], request->endpoint->name);
            return 1;
        }
    while (r == 0 && wsp_local_list_next(&rest, &name) && wsp_local_list_next(&rest, &value))
        r = read_choice(request, name, value);
    return r;
}

/* ---- what a program may give with a free URL ---- */

/* The same for the socket of a free URL. */
static int check_socket(struct request *request)
{
    if (is_of_daemon(request) || request->endpoint || request->target->url.socket_path[0] == '\0')
        return 0;
    return refuse(request, WSP_CAUSE_ACCESS,
                  "this daemon runs as another user and opens no Unix socket for a program; its "
                  "administrator can make an endpoint of it");
}

/* What the rules forbid whatever the host's name resolves to; the rest is connect's to find out. */
static int check_destination(struct request *request)
{
    const struct destination *rules = request->target->destination;

    if (destination_has_url(rules, &request->target->url))
        return 0;
    destination_fail(rules, &request->target->url, request->failure);
    return 1;
}

static int read_free_option(struct request *request, struct wsp_view name, struct wsp_view value)
{
    const struct option_table *table = endpoint_options_table();
    const struct option_row *row = option_find(table, name);

    if (!row)
        return refuse_unknown(request, name);
    if (row->place == OPTION_ENDPOINT || row->type == OPTION_LIST || row->type == OPTION_HEADERS ||
        row == &table->rows[ENDPOINT_OPTION_url]) {
        failure_set(request->failure, WSP_CAUSE_OPTION, 0, "%s: %s", row->name,
                    row->place == OPTION_ENDPOINT
                        ? "only the configuration of an endpoint can set it"
                        : "it is no option of its own here but a part of opening");
        return 1;
    }
    return read_option(request, row, value);
}

static int check_key_file(struct request *request)
{
    const struct option_subject subject = {.options = &request->options};
    const char *flaw = option_is_given(request->options.given, ENDPOINT_OPTION_key_file)
                           ? endpoint_rules_flaw(&subject, ENDPOINT_OPTION_key_file)
                           : NULL;

    if (!flaw)
        return 0;
    failure_set(request->failure, WSP_CAUSE_OPTION, 0, "key-file: %s", flaw);
    return 1;
}

static int read_options(struct request *request)
{
    struct wsp_view rest = request->open->options, name, value;
    int r = 0;

    while (r == 0 && wsp_local_list_next(&rest, &name) && wsp_local_list_next(&rest, &value))
        r = read_free_option(request, name, value);
    if (r == 0)
        r = check_key_file(request);
    if (r == 0 && request->is_shared && request->options.slow_consumer == SLOW_BLOCK)
        r = refuse(request, WSP_CAUSE_OPTION,
                   "slow-consumer: block would let one program hold up the others of a shared "
                   "connection; only the "
                   "configuration of an endpoint can allow it");
    return r;
}

/* ---- what both may give ---- */

static int read_protocols(struct request *request)
{
    const struct option_table *table = endpoint_options_table();
    struct wsp_view rest = request->open->protocols, item;
    char problem[OPTION_TEXT_LEN];
    int r = 0;

    while (r == 0 && wsp_local_list_next(&rest, &item))
        r = option_set(table, &table->rows[ENDPOINT_OPTION_protocols], item, &request->options,
                       problem);
    if (r > 0)
        refuse(request, WSP_CAUSE_SUBPROTOCOL, problem);
    return r;
}

static int read_headers(struct request *request)
{
    struct wsp_view rest = request->open->headers, name, value;
    char problem[OPTION_TEXT_LEN];
    int r = 0;

    while (r == 0 && wsp_local_list_next(&rest, &name) && wsp_local_list_next(&rest, &value))
        r = headers_add(&request->options.headers, name, value, problem);
    if (r > 0)
        refuse(request, WSP_CAUSE_HEADER, problem);
    return r;
}

/* ---- the target ---- */

static int strings_copy(struct strings *to, const struct strings *from)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < from->n_items; i++)
        r = strings_add(to, from->items[i], strlen(from->items[i]));
    return r;
}

static int fill_url(struct request *request)
{
    struct wsp_view url = request->open->url;
    const char *text = (const char *)url.data;
    int r;

    if (request->endpoint) {
        text = request->endpoint->url.href;
        url.len = strlen(text);
    }
    r = wsp_url_parse_websocket(&request->target->url, text, url.len, NULL, idna_to_ascii);
    if (r > 0)
        refuse(request, WSP_CAUSE_URL, wsp_url_problem_to_string(r));
    if (r == 0)
        r = check_socket(request);
    request->target->destination = destination_ref(
        request->endpoint ? request->endpoint->destination : request->server->config->destination);
    return r == 0 ? check_destination(request) : r;
}

/* The endpoint or program, then the daemon's settings, then its environment. */
static int fill_proxy(struct request *request, const struct endpoint_options *options)
{
    const struct daemon_options *daemon = &request->server->config->daemon;
    const struct wsp_url *url = &request->target->url;
    const char *credentials_dir = server_credentials_dir(request->server);
    const struct proxy_place places[] = {
        {options->proxy, options->no_proxy, "proxy", request->endpoint ? credentials_dir : NULL},
        {daemon->proxy, daemon->no_proxy, "proxy", credentials_dir},
        proxy_environment(url),
    };

    return proxy_choose(places, sizeof(places) / sizeof(places[0]), url, &request->target->proxy,
                        request->failure);
}

static struct retention retention_of(const struct endpoint_options *options)
{
    return (struct retention){.messages = options->replay, .bytes = options->replay_bytes};
}

/* Everything but the URL, from the options that hold: the endpoint's, or what the program gave over the defaults. */
static int fill_options(struct request *request, const struct endpoint_options *options)
{
    struct target *target = request->target;
    const struct strings *protocols = &request->options.protocols;
    const struct endpoint_options *granted =
        request->endpoint ? &request->endpoint->options : options;
    int r = tls_options_fill(&target->tls, options, server_ca_file(request->server),
                             server_ca_path(request->server));

    if (r < 0)
        return r;

    target->max_message = options->max_message;
    target->is_deflated = options->is_deflated != 0;
    target->is_taking_over = options->is_taking_over != 0;
    target->window_bits = (uint8_t)options->window_bits;
    target->queue_bytes = options->queue_bytes;
    target->queue_messages = options->queue_messages;
    target->replay = retention_of(options);
    target->retention = retention_of(granted);
    target->slow_consumer = (enum slow_consumer)options->slow_consumer;
    target->linger_ms = options->linger_ms;
    target->block_timeout_ms = options->block_timeout_ms;
    target->connect_timeout_ms = options->connect_timeout_ms;
    target->close_timeout_ms = options->close_timeout_ms;
    target->ping_ms = options->ping_ms;
    target->pong_timeout_ms = options->pong_timeout_ms;
    target->tcp_keepalive_ms = options->tcp_keepalive_ms;
    target->tcp_user_timeout_ms = options->tcp_user_timeout_ms;
    target->routing.is_on = options->is_routing != 0;
    target->routing.timeout_ms = options->route_timeout_ms;
    target->routing.max_pending = options->route_pending;
    if (options->route_member) {
        target->routing.member = strdup(options->route_member);
        if (!target->routing.member)
            return -ENOMEM;
    }
    if (request->endpoint) {
        target->endpoint = strdup(request->endpoint->name);
        target->credentials_dir = strdup(server_credentials_dir(request->server));
        if (!target->endpoint || !target->credentials_dir)
            return -ENOMEM;
    }
    r = strings_copy(&target->headers, &options->headers);
    if (r == 0 && options->conflate_key)
        r = target_set_conflate_key(target, options->conflate_key);
    if (r == 0)
        r = strings_copy(&target->protocols,
                         protocols->n_items > 0 ? protocols : &options->protocols);
    if (r == 0)
        r = sending_options_fill(target, options);
    if (r == 0)
        r = reconnect_options_fill(target, options);
    return r;
}

/* Who may what, and with whom: with an endpoint, whoever may join meets all who may, on an upstream that is the
 * daemon's own; everybody else meets their own uid alone. Nothing here looks at what stands already. */
static int check_access(struct request *request)
{
    const struct config *config = request->server->config;
    struct target *target = request->target;
    unsigned rights;

    if (!request->peer) {
        target->is_wide = access_lets_join(&request->endpoint->access);
        target->scope = request->uid;
        return 0;
    }
    rights = peer_rights(request->peer, config, request->endpoint);
    target->is_wide = request->is_shared && (rights & ACCESS_JOIN) != 0;
    target->may_open = (rights & ACCESS_OPEN) != 0;
    target->scope = target->is_wide ? geteuid() : request->uid;
    target->denied = (uint8_t)((rights & ACCESS_SEND ? 0 : WSP_DENIED_SEND) |
                               (rights & ACCESS_RECEIVE ? 0 : WSP_DENIED_RECEIVE));
    if (peer_is_unknown(request->peer, config) && request->is_shared)
        return refuse(request, WSP_CAUSE_ACCESS,
                      "the uid of this program stands for all users that this system does not "
                      "know, so it never shares");
    if (!access_is_enough(rights))
        return refuse(request, WSP_CAUSE_ACCESS,
                      request->endpoint ? "this user may not open this endpoint"
                                        : "this user may open endpoints, but no URLs");
    return 0;
}

/* Who may only join has nobody to join where everybody is alone. */
static int check_opening(struct request *request)
{
    if (request->target->may_open || request->target->is_wide)
        return 0;
    return refuse(request, WSP_CAUSE_ACCESS,
                  "this user may join others, but the endpoint is not shared");
}

static int resolve(struct request *request)
{
    const struct endpoint_options *options = &request->options;
    struct endpoint_options chosen;
    int r = check_access(request);

    if (r == 0)
        r = read_protocols(request);
    if (r == 0 && request->endpoint)
        r = check_choices(request);
    else if (r == 0)
        r = read_headers(request);
    if (r == 0 && !request->endpoint)
        r = read_options(request);
    if (r == 0)
        r = check_opening(request);
    if (r == 0)
        r = fill_url(request);
    if (r != 0)
        return r;
    if (request->endpoint) {
        endpoint_choice_apply(request->endpoint, &request->options, &chosen);
        options = &chosen;
    }
    r = fill_options(request, options);
    return r == 0 ? fill_proxy(request, options) : r;
}

/* `wsplex-endpoint:NAME`. True if it is of this form; *ret_endpoint is NULL when there is none of that name. */
static bool names_endpoint(const struct server *server, struct wsp_view url,
                           const struct endpoint **ret_endpoint)
{
    const size_t prefix_len = strlen(WSP_ENDPOINT_SCHEME);

    if (url.len < prefix_len || memcmp(url.data, WSP_ENDPOINT_SCHEME, prefix_len) != 0)
        return false;
    *ret_endpoint = config_find_endpoint(
        server->config, (struct wsp_view){url.data + prefix_len, url.len - prefix_len});
    return true;
}

/* Makes request->target. Results as open_request_resolve. */
static int request_resolve(struct request *request)
{
    int r;

    request->target = target_new();
    if (!request->target)
        return -ENOMEM;
    options_init(endpoint_options_table(), &request->options);
    r = resolve(request);
    options_deinit(endpoint_options_table(), &request->options);
    if (r != 0)
        request->target = target_free(request->target);
    return r;
}

int open_request_resolve(const struct server *server, const struct client_peer *peer,
                         const struct wsp_local_open *open, struct target **ret_target,
                         bool *ret_is_shared, struct failure *ret_failure)
{
    struct request request = {
        .server = server, .peer = peer, .uid = peer->uid, .open = open, .failure = ret_failure};
    int r;

    if (names_endpoint(server, open->url, &request.endpoint) && !request.endpoint)
        return refuse(&request, WSP_CAUSE_NO_ENDPOINT,
                      "the configuration has no endpoint of this name");
    request.is_shared = open->sharing == WSP_SHARING_SHARED;
    if (request.endpoint && open->sharing == WSP_SHARING_DEFAULT)
        request.is_shared = request.endpoint->options.is_shared != 0;
    r = request_resolve(&request);
    if (r != 0)
        return r;
    *ret_target = request.target;
    *ret_is_shared = request.is_shared;
    return 0;
}

int open_request_resolve_own(const struct server *server, const struct endpoint *endpoint,
                             struct target **ret_target, struct failure *ret_failure)
{
    static const struct wsp_local_open nothing_more;
    struct request request = {.server = server,
                              .uid = geteuid(),
                              .open = &nothing_more,
                              .endpoint = endpoint,
                              .is_shared = true,
                              .failure = ret_failure};
    int r = request_resolve(&request);

    if (r == 0)
        *ret_target = request.target;
    return r;
}

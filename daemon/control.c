/* SPDX-License-Identifier: MIT
 *
 * control: requests and their answers.
 * Between a client's lane and whatever is asked about. Invariant: an answer that is cut into pieces goes on by the
 * number of what it showed last, so nothing is held that may be freed meanwhile.
 */
#include "daemon/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/client.h"
#include "daemon/control_rows.h"
#include "daemon/limits.h"
#include "daemon/server.h"
#include "proto/local/errors.h"

/* What one frame takes besides id and status. */
enum { MAX_JSON_PER_FRAME = WSP_MAX_LOCAL_PAYLOAD - 6 };

/* Not the number of any status. */
enum { ANSWER_MORE = 0x10000 };

struct verb;

struct request {
    struct list link; /* in client->requests */
    struct client *client;
    const struct verb *verb;
    uint32_t id;
    bool is_begun; /* a piece of it has been made */
    bool is_made;  /* the last one has, and text is what is left of it */
    bool has_rows;
    uint64_t next;          /* where the next piece of a list begins */
    char *argument;         /* of a verb that takes one */
    struct wsp_buffer text; /* what has been made and not sent */
};

struct verb {
    const char *name;
    unsigned n_arguments;
    /* Makes the next piece: 0: it was the last one; ANSWER_MORE; an enum wsp_status, with nothing made; -ENOMEM. Changes
     * nothing, as it is called in the middle of a write. */
    int (*answer)(struct request *request);
    /* What is done when the request comes; NULL: nothing. 0; an enum wsp_status, and there is no answer. */
    int (*act)(struct client *client, const char *argument);
};

/* ---- replies ---- */

/* At most MAX_JSON_PER_FRAME of text. */
static int reply_send(struct client *client, uint32_t id, unsigned status, struct wsp_view text,
                      bool is_last)
{
    struct wsp_message message = {
        .type = WSP_LOCAL_REPLY,
        .flags = is_last ? 0 : WSP_WIRE_MORE,
        .reply = {.id = id, .status = (uint16_t)status, .json = text},
    };

    return client_output_send(client, &message);
}

static int reply_refuse(struct client *client, uint32_t id, unsigned status, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));

static int reply_refuse(struct client *client, uint32_t id, unsigned status, const char *format,
                        ...)
{
    char reason[256];
    char *text;
    json_t *object;
    va_list arguments;
    int r;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    /* It may quote the client, cut in the middle of a character. */
    for (char *c = reason; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '?';
    object = json_pack("{s:s}", "error", reason);
    text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    r = text ? reply_send(client, id, status, wsp_view_of_string(text), true) : -ENOMEM;
    free(text);
    return r;
}

/* Takes the row, which may be NULL: no memory. */
static int text_append_row(struct wsp_buffer *text, const char *before, json_t *row)
{
    char *dump = row ? json_dumps(row, JSON_COMPACT) : NULL;
    int r = dump ? wsp_buffer_append(text, before, strlen(before)) : -ENOMEM;

    if (r == 0)
        r = wsp_buffer_append(text, dump, strlen(dump));
    free(dump);
    json_decref(row);
    return r;
}

/* ---- lists ---- */

/* A list of the server whose nodes stand in the order of their numbers. */
struct listing {
    struct list *(*head)(struct server *server);
    uint64_t (*number)(struct list *node);
    uid_t (*uid)(struct list *node);
    json_t *(*row)(struct list *node, uint64_t now_ms);
    const struct target *(*target)(struct list *node); /* NULL: it has none */
};

/* What is of that uid is the client's own, unless the uid may be anybody's. */
static bool is_own(const struct client *client, uid_t uid)
{
    return client->peer.uid == uid && !peer_is_unknown(&client->peer, client->server->config);
}

/* Whether it is what users share, and the client has one of these rights to it. */
static bool has_right(const struct client *client, const struct target *target, unsigned rights)
{
    const struct config *config = client->server->config;
    const struct endpoint *endpoint;

    if (!target || !target->is_wide)
        return false;
    endpoint = config_find_endpoint(config, wsp_view_of_string(target->endpoint));
    return endpoint && (peer_rights(&client->peer, config, endpoint) & rights) != 0;
}

static bool may_see(const struct client *client, const struct listing *listing, struct list *node)
{
    return is_own(client, listing->uid(node)) || client_is_admin(client) ||
           (listing->target &&
            has_right(client, listing->target(node), ACCESS_MONITOR | ACCESS_CONTROL));
}

static void spend(const struct client *client, uint64_t work)
{
    slice_spend(&client->user->slice, client->server->turn, work);
}

/* Goes behind what the last piece showed. */
static struct list *listing_resume(const struct client *client, struct list *head,
                                   const struct listing *listing, uint64_t next)
{
    struct list *node = head->next;
    uint64_t n_passed = 0;

    for (; node != head && listing->number(node) < next; node = node->next)
        n_passed++;
    spend(client, n_passed * WORK_PER_PASSED);
    return node;
}

static int answer_list(struct request *request, const struct listing *listing)
{
    struct server *server = request->client->server;
    struct list *head = listing->head(server);
    struct list *node = listing_resume(request->client, head, listing, request->next);
    bool is_admin = client_is_admin(request->client);
    int r = 0;

    if (!request->is_begun)
        r = wsp_buffer_append(&request->text, "[", 1);
    for (unsigned i = 0; r == 0 && node != head; node = node->next, i++) {
        if (i == MAX_ROWS_PER_PIECE || wsp_buffer_len(&request->text) >= REPLY_PIECE_LEN) {
            request->next = listing->number(node);
            return ANSWER_MORE;
        }
        if (!is_admin && !may_see(request->client, listing, node))
            continue;
        r = text_append_row(&request->text, request->has_rows ? "," : "",
                            listing->row(node, clock_now_ms(server->clock)));
        request->has_rows = true;
    }
    return r < 0 ? r : wsp_buffer_append(&request->text, "]", 1);
}

static const struct listing upstreams_listing = {upstreams_head, upstream_number, upstream_uid,
                                                 upstream_row, upstream_target};
static const struct listing clients_listing = {clients_head, client_number, client_uid, client_row,
                                               NULL};
static const struct listing channels_listing = {channels_head, channel_number, channel_uid,
                                                channel_row, channel_target};

static const struct listing history_listing = {failed_head, failed_number, failed_uid, failed_row,
                                               NULL};

static int answer_upstreams(struct request *request)
{
    return answer_list(request, &upstreams_listing);
}

static int answer_clients(struct request *request)
{
    return answer_list(request, &clients_listing);
}

static int answer_channels(struct request *request)
{
    return answer_list(request, &channels_listing);
}

static int answer_history(struct request *request)
{
    return answer_list(request, &history_listing);
}

/* The configuration may have been read again between two pieces, so this one is whole. */
static int answer_endpoints(struct request *request)
{
    const struct config *config = request->client->server->config;
    const struct client_peer *peer = &request->client->peer;
    bool is_admin = client_is_admin(request->client);
    int r = wsp_buffer_append(&request->text, "[", 1);

    for (size_t i = 0; r == 0 && i < config->n_endpoints; i++) {
        const struct endpoint *endpoint = &config->endpoints[i];
        unsigned rights = peer_rights(peer, config, endpoint);

        if (!is_admin && rights == 0)
            continue;
        r = text_append_row(
            &request->text, request->has_rows ? "," : "",
            endpoint_row(endpoint, &request->client->server->budgets,
                         autostart_ended(&request->client->server->autostart, endpoint->name),
                         rights, is_admin));
        request->has_rows = true;
    }
    return r < 0 ? r : wsp_buffer_append(&request->text, "]", 1);
}

/* ---- one object ---- */

static int answer_status(struct request *request)
{
    struct client *client = request->client;

    return text_append_row(&request->text, "",
                           status_row(client->server, client, client_is_admin(client)));
}

static const struct {
    const char *kind;
    const struct listing *listing;
    json_t *(*details)(struct list *node, bool is_owner);
} kinds[] = {
    {"upstream", &upstreams_listing, upstream_details},
    {"client", &clients_listing, client_details},
    {"channel", &channels_listing, channel_details},
};

/* Takes both, which may be NULL. */
static int show_append(struct request *request, const char *kind, json_t *row, json_t *details)
{
    json_t *object = json_pack("{s:s}", "kind", kind);
    int r = -ENOMEM;

    if (object && row && details && json_object_update(object, row) == 0 &&
        json_object_update(object, details) == 0)
        r = text_append_row(&request->text, "", json_incref(object));
    json_decref(object);
    json_decref(row);
    json_decref(details);
    return r;
}

/* The object with this number, which the client may see. */
static struct list *show_find(const struct client *client, const struct listing *listing,
                              uint64_t number)
{
    struct list *head = listing->head(client->server);
    struct list *node = listing_resume(client, head, listing, number);

    return node != head && listing->number(node) == number && may_see(client, listing, node) ? node
                                                                                             : NULL;
}

/* An upstream that is gone is known by the number that it had. */
static struct list *show_find_failed(const struct client *client, uint64_t number)
{
    struct history_record *record = history_find(&client->server->history, number);

    return record && (is_own(client, record->uid) || client_is_admin(client)) ? &record->link
                                                                              : NULL;
}

static int show_node(struct request *request, const char *kind, const struct listing *listing,
                     json_t *(*details)(struct list *node, bool is_owner), struct list *node)
{
    struct client *client = request->client;
    bool is_owner = is_own(client, listing->uid(node));

    return show_append(request, kind, listing->row(node, clock_now_ms(client->server->clock)),
                       details(node, is_owner));
}

/* 0, or an enum wsp_status. */
static int read_number(const char *text, uint64_t *ret_number)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9')
        return WSP_STATUS_BAD_ARGUMENT;
    *ret_number = number;
    return 0;
}

static int answer_show(struct request *request)
{
    const struct client *client = request->client;
    struct list *node;
    uint64_t number;
    int r = read_number(request->argument, &number);

    if (r != 0)
        return r;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        node = show_find(client, kinds[i].listing, number);
        if (node)
            return show_node(request, kinds[i].kind, kinds[i].listing, kinds[i].details, node);
    }
    node = show_find_failed(client, number);
    if (node)
        return show_node(request, "upstream", &history_listing, failed_details, node);
    return WSP_STATUS_NOT_FOUND;
}

/* ---- orders ---- */

/* The answer then is what show says of it. */
static int act_close(struct client *client, const char *argument)
{
    struct list *node;
    uint64_t number;
    int r = read_number(argument, &number);

    if (r != 0)
        return r;
    node = show_find(client, &upstreams_listing, number);
    if (!node)
        return WSP_STATUS_NOT_FOUND;
    if (!is_own(client, upstream_uid(node)) && !client_is_admin(client) &&
        !has_right(client, upstream_target(node), ACCESS_CONTROL))
        return WSP_STATUS_ACCESS;
    share_close(upstream_share(node), 1000, WSP_VIEW_LITERAL("closed by request"));
    return 0;
}

/* ---- the table ---- */

static int act_metrics(struct client *client, const char *argument)
{
    (void)argument;
    return client_is_admin(client) ? 0 : WSP_STATUS_ACCESS;
}

/* All of it at once: it is of one moment, and its length is the configuration's. */
static int answer_metrics(struct request *request)
{
    struct wsp_buffer text;
    json_t *reply = NULL;
    int r;

    wsp_buffer_init(&text, SIZE_MAX);
    r = metrics_write(request->client->server, &text);
    if (r == 0)
        reply = json_pack("{s:s%}", "openmetrics", (const char *)wsp_buffer_peek(&text),
                          wsp_buffer_len(&text));
    wsp_buffer_deinit(&text);
    return r == 0 ? text_append_row(&request->text, "", reply) : r;
}

static const struct verb verbs[] = {
    {"status", 0, answer_status, NULL},          {"upstreams", 0, answer_upstreams, NULL},
    {"clients", 0, answer_clients, NULL},        {"channels", 0, answer_channels, NULL},
    {"endpoints", 0, answer_endpoints, NULL},    {"show", 1, answer_show, NULL},
    {"history", 0, answer_history, NULL},        {"close", 1, answer_show, act_close},
    {"metrics", 0, answer_metrics, act_metrics},
};

static const struct verb *verb_find(struct wsp_view name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (wsp_view_equals(wsp_view_of_string(verbs[i].name), name))
            return &verbs[i];
    return NULL;
}

/* ---- requests ---- */

static struct request *request_free(struct request *request)
{
    if (!request)
        return NULL;
    if (list_is_linked(&request->link)) {
        list_remove(&request->link);
        request->client->n_requests--;
    }
    free(request->argument);
    wsp_buffer_deinit(&request->text);
    free(request);
    return NULL;
}

/* What is refused, and why, for the argument of the verb that was. */
static int request_refuse(struct client *client, uint32_t id, unsigned status, const char *argument)
{
    switch (status) {
    case WSP_STATUS_NOT_FOUND:
        return reply_refuse(client, id, status,
                            "nothing has the number %.60s, or it is another user's", argument);
    case WSP_STATUS_ACCESS:
        if (!argument)
            return reply_refuse(client, id, status, "only an administrator may ask for that");
        return reply_refuse(client, id, status, "this user may see %.60s, and not close it",
                            argument);
    default:
        return reply_refuse(client, id, status,
                            "'%.60s' is not a number as the lists show them, such as 7", argument);
    }
}

static int request_new(struct client *client, const struct verb *verb, uint32_t id,
                       struct wsp_view arguments)
{
    struct request *request = calloc(1, sizeof(*request));
    struct wsp_view argument;
    int r = 0;

    if (!request)
        return -ENOMEM;
    request->client = client;
    request->verb = verb;
    request->id = id;
    list_init(&request->link);
    wsp_buffer_init(&request->text, SIZE_MAX);
    if (wsp_local_list_next(&arguments, &argument)) {
        request->argument = wsp_view_to_string(argument);
        if (!request->argument) {
            request_free(request);
            return -ENOMEM;
        }
    }
    if (verb->act)
        r = verb->act(client, request->argument);
    if (r != 0) {
        r = request_refuse(client, id, (unsigned)r, request->argument);
        request_free(request);
        return r;
    }
    list_append(&client->requests, &request->link);
    client->n_requests++;
    client_output_schedule(client);
    return 0;
}

int control_request(struct client *client, const struct wsp_local_request *message)
{
    const struct verb *verb = verb_find(message->verb);
    size_t n_arguments = wsp_local_list_count(message->arguments);
    int shown = message->verb.len > 60 ? 60 : (int)message->verb.len;

    if (!verb)
        return reply_refuse(client, message->id, WSP_STATUS_UNKNOWN_VERB, "there is no verb %.*s",
                            shown, (const char *)message->verb.data);
    if (n_arguments != verb->n_arguments)
        return reply_refuse(client, message->id, WSP_STATUS_BAD_ARGUMENT,
                            "%s takes %u arguments, not %zu", verb->name, verb->n_arguments,
                            n_arguments);
    if (client->n_requests >= MAX_REQUESTS_PER_CLIENT)
        return reply_refuse(client, message->id, WSP_STATUS_BUSY,
                            "%d requests wait for their answers already", MAX_REQUESTS_PER_CLIENT);
    return request_new(client, verb, message->id, message->arguments);
}

/* A frame's worth of what has been made. */
static int request_send(struct request *request)
{
    struct wsp_view piece = {wsp_buffer_peek(&request->text), wsp_buffer_len(&request->text)};
    bool is_last = request->is_made && piece.len <= MAX_JSON_PER_FRAME;
    int r;

    if (piece.len > MAX_JSON_PER_FRAME)
        piece.len = MAX_JSON_PER_FRAME;
    r = reply_send(request->client, request->id, WSP_STATUS_OK, piece, is_last);
    wsp_buffer_consume(&request->text, piece.len);
    if (is_last || r < 0)
        request_free(request);
    return r;
}

int control_answer(struct client *client)
{
    struct request *request = LIST_ENTRY(client->requests.next, struct request, link);
    int r = 0;

    if (!request->is_made && wsp_buffer_len(&request->text) == 0) {
        r = request->verb->answer(request);
        spend(client, WORK_PER_PIECE + wsp_buffer_len(&request->text) * WORK_PER_MADE);
        request->is_begun = true;
        request->is_made = r == 0;
    }
    if (r == ANSWER_MORE && wsp_buffer_len(&request->text) == 0)
        return 0; /* nothing of what it has looked at is to be seen */
    if (r == 0 || r == ANSWER_MORE)
        return request_send(request);
    if (r > 0)
        r = request_refuse(client, request->id, (unsigned)r, request->argument);
    request_free(request);
    return r;
}

void control_forget(struct client *client)
{
    LIST_FOR_EACH (node, &client->requests)
        request_free(LIST_ENTRY(node, struct request, link));
}

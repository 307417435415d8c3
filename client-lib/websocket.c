/*
 * websocket: see websocket.h.
 *
 * "Standard" is https://websockets.spec.whatwg.org/. What happens in each state:
 *
 *             CONNECTING           OPEN                 CLOSING               CLOSED
 *   send()    InvalidStateError    queued, counted      counted               counted
 *   close()   CLOSING, given up    CLOSING              nothing               nothing
 *   OPENED    OPEN, `open`         came back:           came back: the same   -
 *                                  `resumed`            given up: ignored
 *   message   -                    `message`            `message` (not if     -
 *                                                       given up)
 *   INTERRUPTED, RESUMED, GAP,     the events of        the same              -
 *   UNSENT                         those names
 *   SENT      -                    bufferedAmount       bufferedAmount        -
 *   CLOSING   -                    CLOSING              nothing               -
 *   CLOSED    CLOSED, `error`,     CLOSED, `error` if   the same; given up:   -
 *             `close`              due, `close`         always failed
 *   loss      as CLOSED, not clean, 1006, after a failure; with reconnect:
 *             nothing              `interrupted`        the same, if messages -
 *                                                       wait; else as CLOSED
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/websocket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/client.h"
#include "client-lib/options.h"
#include "client-lib/subscription.h"
#include "client-lib/to_ascii.h"
#include "proto/limits.h"
#include "proto/rules.h"
#include "proto/url.h"
#include "proto/utf8.h"

/* --- what failed --- */

void wsp_failure_deinit(struct wsp_failure *failure)
{
    free(failure->text);
    free(failure->excerpt);
}

void wsp_websocket_failed(struct wsplex_websocket *websocket, int cause,
                          const struct wsp_local_failed *failed)
{
    struct wsp_failure *failure = &websocket->failure;

    if (failure->cause != 0)
        return;
    failure->cause = cause;
    if (!failed)
        return;
    failure->http_status = failed->http_status;
    failure->retry_after = failed->retry_after;
    if (failed->text.len > 0)
        failure->text = wsp_view_to_string(failed->text);
    if (failed->excerpt.len > 0)
        failure->excerpt = wsp_view_to_string(failed->excerpt);
    if (failure->excerpt)
        failure->excerpt_len = failed->excerpt.len;
}

/* --- the constructor --- */

struct wsplex_websocket *wsp_websocket_destroy(struct wsplex_websocket *websocket)
{
    if (!websocket)
        return NULL;
    wsp_chain_remove(&websocket->link);
    wsp_chain_remove(&websocket->failing_link);
    wsp_event_target_deinit(&websocket->events);
    wsp_subscriptions_clear(websocket);
    wsp_buffer_deinit(&websocket->incoming);
    free(websocket->url);
    free(websocket->origin);
    free(websocket->protocol);
    free(websocket->extensions);
    wsp_failure_deinit(&websocket->failure);
    free(websocket);
    return NULL;
}

static int syntax_error(struct wsplex *client, const char *text)
{
    return wsp_client_error(client, WSPLEX_ERROR_SYNTAX, "%s", text);
}

static int out_of_memory(struct wsplex *client)
{
    return wsp_client_error(client, -ENOMEM, "there is no memory for a WebSocket");
}

/* Standard, "The WebSocket interface", constructor, the steps about the URL. */
static int websocket_set_url(struct wsplex_websocket *websocket, const char *text)
{
    struct wsp_url url;
    int r;

    r = wsp_url_parse_websocket(&url, text, strlen(text), NULL, wsp_to_ascii);
    if (r == -ENOSYS)
        return syntax_error(websocket->client,
                            "the URL's host is not ASCII, and libidn2, which is needed to "
                            "translate it, is not installed");
    if (r > 0)
        return syntax_error(websocket->client, wsp_url_problem_to_string(r));
    if (r < 0)
        return out_of_memory(websocket->client);
    websocket->url = strdup(url.href);
    websocket->origin = strdup(url.origin);
    wsp_url_deinit(&url);
    if (!websocket->url || !websocket->origin)
        return out_of_memory(websocket->client);
    return 0;
}

static int websocket_set_endpoint(struct wsplex_websocket *websocket, const char *text)
{
    const char *name = text + strlen(WSP_ENDPOINT_SCHEME);

    if (!wsp_endpoint_name_is_valid(name, strlen(name)))
        return syntax_error(websocket->client,
                            "the endpoint's name must be letters, digits, dots, dashes and "
                            "underscores, at most 64 of them");
    websocket->url = strdup(text);
    websocket->origin = strdup("null");
    if (!websocket->url || !websocket->origin)
        return out_of_memory(websocket->client);
    return 0;
}

/* The same, the step about the protocols. */
static int protocols_check(struct wsplex *client, const char *const *protocols, size_t n_protocols)
{
    size_t index = 0;
    int problem = wsp_subprotocols_check(protocols, n_protocols, &index);

    if (problem == 0)
        return 0;
    return wsp_client_error(client, WSPLEX_ERROR_SYNTAX, "subprotocol %zu: %s", index + 1,
                            wsp_subprotocols_problem_to_string(problem));
}

static int websocket_open(struct wsplex_websocket *websocket, const char *const *protocols,
                          size_t n_protocols, const struct wsplex_options *options)
{
    struct wsplex *client = websocket->client;
    struct wsp_message message = {.type = WSP_LOCAL_OPEN};
    struct wsp_channel *channel = wsp_channel_new(websocket);
    struct wsp_buffer list;
    int r;

    if (!channel)
        return out_of_memory(client);
    wsp_buffer_init(&list, WSP_MAX_LOCAL_PAYLOAD);
    r = wsp_local_list_append_strings(&list, protocols, n_protocols);
    if (r == 0) {
        message.open.url = wsp_view_of_string(websocket->url);
        message.open.protocols = (struct wsp_view){wsp_buffer_peek(&list), wsp_buffer_len(&list)};
        if (options)
            wsp_options_apply(options, &message.open);
        r = wsp_message_encode(&channel->open, &message);
    }
    if (r == 0)
        r = wsp_connection_open_take(client, channel);
    wsp_buffer_deinit(&list);
    if (r == 0) {
        websocket->channel = channel;
        return 0;
    }
    wsp_channel_free(channel);
    if (r == -EMFILE)
        return wsp_client_error(client, r, "wsplexd allows %u WebSockets for each client",
                                (unsigned int)client->connection.max_channels);
    if (r == -EMSGSIZE || r == -ENOBUFS)
        return wsp_client_error(client, -E2BIG,
                                "URL, subprotocols and options together exceed 64 KiB");
    return out_of_memory(client);
}

static struct wsplex_websocket *websocket_alloc(struct wsplex *client)
{
    struct wsplex_websocket *websocket = calloc(1, sizeof(*websocket));

    if (!websocket)
        return NULL;
    websocket->client = client;
    wsp_chain_init(&websocket->link);
    wsp_chain_init(&websocket->failing_link);
    wsp_event_target_init(&websocket->events);
    wsp_chain_init(&websocket->subscriptions);
    wsp_buffer_init(&websocket->incoming, WSP_MAX_MAX_MESSAGE + 1);
    return websocket;
}

static int websocket_new(struct wsplex *client, const char *url, const char *const *protocols,
                         size_t n_protocols, const struct wsplex_options *options,
                         struct wsplex_websocket **ret_websocket)
{
    bool is_endpoint = strncmp(url, WSP_ENDPOINT_SCHEME, strlen(WSP_ENDPOINT_SCHEME)) == 0;
    struct wsplex_websocket *websocket = websocket_alloc(client);
    int r;

    if (!websocket)
        return out_of_memory(client);
    r = is_endpoint ? websocket_set_endpoint(websocket, url) : websocket_set_url(websocket, url);
    if (r == 0)
        r = protocols_check(client, protocols, n_protocols);
    if (r == 0)
        r = wsp_connection_ensure(client);
    if (r == 0)
        r = websocket_open(websocket, protocols, n_protocols, options);
    if (r < 0) {
        wsp_websocket_destroy(websocket);
        return r;
    }
    wsp_chain_append(&client->websockets, &websocket->link);
    client->n_open++;
    *ret_websocket = websocket;
    return 0;
}

int wsplex_websocket_new(struct wsplex *client, const char *url, const char *const *protocols,
                         size_t n_protocols, const struct wsplex_options *options,
                         struct wsplex_websocket **ret_websocket)
{
    int r = wsp_client_enter(client);

    if (r < 0)
        return r;
    r = websocket_new(client, url, protocols, n_protocols, options, ret_websocket);
    return wsp_client_leave(client, r);
}

void wsp_websocket_detach(struct wsplex_websocket *websocket)
{
    struct wsplex *client = websocket->client;

    if (websocket->is_freed)
        return;
    websocket->is_freed = true;
    if (websocket->ready_state != WSPLEX_CLOSED)
        client->n_open--;
    wsp_event_target_clear(&websocket->events);
    wsp_chain_remove(&websocket->failing_link);
    wsp_chain_append(&client->graveyard, &websocket->link);
}

/* Standard, "Garbage collection". */
struct wsplex_websocket *wsplex_websocket_free(struct wsplex_websocket *websocket)
{
    struct wsplex *client;

    if (!websocket || websocket->is_freed)
        return NULL;
    client = websocket->client;
    client->depth++;
    if (websocket->channel)
        wsp_connection_orphan(client, websocket->channel);
    websocket->channel = NULL;
    wsp_websocket_detach(websocket);
    wsp_client_leave(client, 0);
    return NULL;
}

/* --- attributes --- */

struct wsplex *wsplex_websocket_client(const struct wsplex_websocket *websocket)
{
    return websocket->client;
}

const char *wsplex_websocket_url(const struct wsplex_websocket *websocket)
{
    return websocket->url;
}

const char *wsplex_websocket_origin(const struct wsplex_websocket *websocket)
{
    return websocket->origin;
}

const char *wsplex_websocket_protocol(const struct wsplex_websocket *websocket)
{
    return websocket->protocol ? websocket->protocol : "";
}

const char *wsplex_websocket_extensions(const struct wsplex_websocket *websocket)
{
    return websocket->extensions ? websocket->extensions : "";
}

enum wsplex_ready_state wsplex_websocket_ready_state(const struct wsplex_websocket *websocket)
{
    return wsp_client_is_forked(websocket->client) ? WSPLEX_CLOSED : websocket->ready_state;
}

uint64_t wsplex_websocket_buffered_amount(const struct wsplex_websocket *websocket)
{
    return websocket->buffered_amount;
}

enum wsplex_binary_type wsplex_websocket_binary_type(const struct wsplex_websocket *websocket)
{
    return websocket->binary_type;
}

int wsplex_websocket_set_binary_type(struct wsplex_websocket *websocket,
                                     enum wsplex_binary_type binary_type)
{
    if (binary_type != WSPLEX_BINARY_TYPE_BLOB && binary_type != WSPLEX_BINARY_TYPE_ARRAYBUFFER)
        return -EINVAL;
    websocket->binary_type = binary_type;
    return 0;
}

/* --- send() --- */

int wsp_websocket_check_utf8(struct wsplex_websocket *websocket, const char *what, const void *text,
                             size_t len)
{
    struct wsp_utf8 utf8;
    size_t n_good;

    wsp_utf8_init(&utf8);
    n_good = wsp_utf8_feed(&utf8, text, len);
    if (n_good == len && wsp_utf8_is_complete(&utf8))
        return 0;
    if (n_good == len)
        return wsp_client_error(websocket->client, WSPLEX_ERROR_NOT_UTF8,
                                "the %s ends within a UTF-8 character, after %zu bytes", what, len);
    return wsp_client_error(websocket->client, WSPLEX_ERROR_NOT_UTF8,
                            "the %s is not UTF-8 at byte %zu, counted from 0", what, n_good);
}

/* What the channel says to a message of this length. */
static int websocket_check_room(struct wsplex_websocket *websocket, size_t length)
{
    const struct wsp_channel *channel = websocket->channel;
    size_t max_queued = websocket->client->reconnect.max_queued;

    if (channel->denied & WSP_DENIED_SEND)
        return wsp_client_error(websocket->client, WSPLEX_ERROR_INVALID_STATE,
                                "this WebSocket may receive and not send");
    if (length > channel->max_message)
        return wsp_client_error(websocket->client, WSPLEX_ERROR_TOO_LARGE,
                                "a message of %zu bytes; max-message is %llu here", length,
                                (unsigned long long)channel->max_message);
    if (channel->state != WSP_CHANNEL_OPEN &&
        (max_queued < length || websocket->buffered_amount > max_queued - length ||
         max_queued == 0))
        return wsp_client_error(websocket->client, WSPLEX_ERROR_AWAY,
                                "wsplexd is away, and no more than %zu bytes may wait for it",
                                max_queued);
    return 0;
}

/* Standard, send(). */
static int websocket_send(struct wsplex_websocket *websocket, bool is_binary, const void *data,
                          size_t length)
{
    struct wsplex *client = websocket->client;
    struct wsp_outgoing *outgoing;
    int r;

    if (websocket->ready_state == WSPLEX_CONNECTING)
        return wsp_client_error(client, WSPLEX_ERROR_INVALID_STATE,
                                "send before the connection is open");
    r = is_binary ? 0 : wsp_websocket_check_utf8(websocket, "text", data, length);
    if (r < 0)
        return r;
    if (websocket->ready_state == WSPLEX_OPEN && websocket->channel) {
        r = websocket_check_room(websocket, length);
        if (r < 0)
            return r;
        outgoing = wsp_outgoing_new(is_binary ? WSP_LOCAL_BINARY : WSP_LOCAL_TEXT, data, length);
        if (!outgoing)
            return wsp_client_error(client, -ENOMEM, "there is no memory for the message");
        wsp_channel_send_take(websocket->channel, outgoing);
        wsp_output_update(&client->connection.output, websocket->channel);
    }
    websocket->buffered_amount += length;
    return 0;
}

int wsplex_websocket_send_text(struct wsplex_websocket *websocket, const char *text, size_t length)
{
    int r = wsp_client_enter(websocket->client);

    if (r < 0)
        return r;
    return wsp_client_leave(websocket->client, websocket_send(websocket, false, text, length));
}

int wsplex_websocket_send_binary(struct wsplex_websocket *websocket, const void *data,
                                 size_t length)
{
    int r = wsp_client_enter(websocket->client);

    if (r < 0)
        return r;
    return wsp_client_leave(websocket->client, websocket_send(websocket, true, data, length));
}

/* --- close() --- */

/* Standard, close(), the steps about code and reason. */
static int websocket_check_close(struct wsplex_websocket *websocket, int code, const char *reason,
                                 size_t reason_len)
{
    if (code != WSPLEX_NO_CODE && (code < 0 || !wsp_close_code_is_for_api((unsigned int)code)))
        return wsp_client_error(websocket->client, WSPLEX_ERROR_INVALID_ACCESS,
                                "the close code %d is neither 1000 nor from 3000 to 4999", code);
    if (reason_len > WSP_MAX_CLOSE_REASON)
        return wsp_client_error(websocket->client, WSPLEX_ERROR_SYNTAX,
                                "the close reason has %zu bytes; at most %d are allowed",
                                reason_len, WSP_MAX_CLOSE_REASON);
    return wsp_websocket_check_utf8(websocket, "close reason", reason, reason_len);
}

/* Standard, close(), "Run the first matching steps". A loss that is not yet told tells the rest. */
static int websocket_close(struct wsplex_websocket *websocket, int code, const char *reason)
{
    struct wsp_channel *channel = websocket->channel;
    size_t reason_len = reason ? strlen(reason) : 0;
    int r = websocket_check_close(websocket, code, reason, reason_len);

    if (r < 0 || websocket->ready_state >= WSPLEX_CLOSING)
        return r;
    if (code == WSPLEX_NO_CODE)
        code = reason_len > 0 ? 1000 : 0;
    if (channel && channel->state == WSP_CHANNEL_AWAY && !wsp_channel_has_messages(channel)) {
        /* There is nothing to close, and nothing to come back for. */
        wsp_connection_disown(websocket->client, channel, -ECONNRESET, NULL);
        channel = wsp_channel_free(channel);
    }
    if (channel) {
        channel->is_discarding = websocket->ready_state == WSPLEX_CONNECTING;
        channel->close_code = (uint16_t)code;
        channel->close_reason_len = reason_len;
        if (reason_len > 0)
            memcpy(channel->close_reason, reason, reason_len);
        channel->is_close_due = true;
        r = wsp_connection_flush_close(websocket->client, channel);
        channel->is_close_due = r == 0;
    }
    if (r < 0)
        return wsp_client_error(websocket->client, r, "there is no memory for closing");
    websocket->is_given_up = websocket->ready_state == WSPLEX_CONNECTING;
    websocket->ready_state = WSPLEX_CLOSING;
    return 0;
}

int wsplex_websocket_close(struct wsplex_websocket *websocket, int code, const char *reason)
{
    int r = wsp_client_enter(websocket->client);

    if (r < 0)
        return r;
    return wsp_client_leave(websocket->client, websocket_close(websocket, code, reason));
}

/*
 * websocket_events: what a WebSocket object makes of what comes from the daemon, and the events it
 * fires for that; see websocket.h, and the table in websocket.c.
 *
 * On the way of a message it stands between frames and events. Invariant: ready_state changes before
 * the event that tells of it, as the standard has it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/websocket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/client.h"
#include "proto/limits.h"
#include "proto/local/errors.h"

/* --- feedback from the protocol --- */

/* An event whose members are all there; what its interface does not have stays empty. */
static struct wsplex_event event_new(struct wsplex_websocket *websocket, const char *type)
{
    return (struct wsplex_event){
        .size = sizeof(struct wsplex_event),
        .type = type,
        .target = websocket,
        .is_trusted = true,
        .origin = "",
        .last_event_id = "",
        .reason = "",
        .cause_text = "",
        .excerpt = "",
    };
}

static void websocket_fire(struct wsplex_websocket *websocket, const char *type)
{
    struct wsplex_event event = event_new(websocket, type);

    wsp_event_target_dispatch(&websocket->events, &event);
}

/* Handlers may be called: none of them has freed the object, or the client. */
static bool websocket_is_alive(const struct wsplex_websocket *websocket)
{
    return !websocket->is_freed && !wsp_client_is_over(websocket->client);
}

static int websocket_set_extensions(struct wsplex_websocket *websocket, struct wsp_view extensions)
{
    char *text = wsp_view_to_string(extensions);

    if (!text)
        return -ENOMEM;
    free(websocket->extensions);
    websocket->extensions = text;
    return 0;
}

static void websocket_go_on(struct wsplex_websocket *websocket, const struct wsp_epoch *epoch,
                            uint64_t next_number)
{
    websocket->has_position = true;
    websocket->epoch = *epoch;
    websocket->next_number = next_number;
}

static void websocket_fire_resumed(struct wsplex_websocket *websocket)
{
    websocket->is_gap_awaited = false;
    websocket->is_interrupted = false;
    websocket_fire(websocket, "resumed");
}

/* The daemon is back. Where it goes on elsewhere than behind the last message, GAP follows at once. */
static int websocket_came_back(struct wsplex_websocket *websocket,
                               const struct wsp_local_opened *opened)
{
    if (!wsp_view_equals(opened->protocol, wsp_view_of_string(websocket->protocol)))
        return -EPROTO;
    if (websocket_set_extensions(websocket, opened->extensions) < 0)
        return -ENOMEM;
    websocket->is_gap_awaited =
        opened->next_number != websocket->next_number ||
        memcmp(&opened->epoch, &websocket->epoch, sizeof(websocket->epoch)) != 0;
    websocket->live_number = opened->live_number;
    websocket_go_on(websocket, &opened->epoch, opened->next_number);
    if (!websocket->is_gap_awaited)
        websocket_fire_resumed(websocket);
    return 0;
}

/* Standard, "Feedback from the protocol", established. */
int wsp_websocket_opened(struct wsplex_websocket *websocket, const struct wsp_local_opened *opened)
{
    char *protocol;

    if (websocket->is_interrupted)
        return websocket_came_back(websocket, opened);
    if (websocket->ready_state != WSPLEX_CONNECTING)
        return 0;
    protocol = wsp_view_to_string(opened->protocol);
    if (!protocol || websocket_set_extensions(websocket, opened->extensions) < 0) {
        free(protocol);
        return -ENOMEM;
    }
    websocket->protocol = protocol;
    websocket->live_number = opened->live_number;
    websocket_go_on(websocket, &opened->epoch, opened->next_number);
    websocket->ready_state = WSPLEX_OPEN;
    websocket_fire(websocket, "open");
    return 0;
}

void wsp_websocket_set_resume(const struct wsplex_websocket *websocket, struct wsp_local_open *open)
{
    open->resume_epoch = websocket->epoch;
    open->resume_after = websocket->next_number - 1;
}

/* The same, message received; but see wsplex_websocket_close() about CLOSING. */
static void websocket_fire_message(struct wsplex_websocket *websocket, bool is_binary)
{
    struct wsplex_event event = event_new(websocket, "message");

    event.is_binary = is_binary;
    event.data = wsp_buffer_peek(&websocket->incoming);
    event.length = wsp_buffer_len(&websocket->incoming) - 1;
    event.origin = websocket->origin;
    event.is_replayed = websocket->next_number < websocket->live_number;
    websocket->next_number++;
    wsplex_websocket_get_position(websocket, &event.position);
    wsp_event_target_dispatch(&websocket->events, &event);
}

static void websocket_clear_incoming(struct wsplex_websocket *websocket)
{
    size_t len = wsp_buffer_len(&websocket->incoming);

    wsp_buffer_consume(&websocket->incoming, len);
    if (len > WSP_MAX_LOCAL_PAYLOAD)
        wsp_buffer_trim(&websocket->incoming);
}

int wsp_websocket_received(struct wsplex_websocket *websocket, bool is_binary, bool has_more,
                           struct wsp_view piece, uint64_t max_message)
{
    size_t len = wsp_buffer_len(&websocket->incoming);
    int r;

    if (websocket->is_given_up)
        return 0;
    if (piece.len > max_message || len > max_message - piece.len)
        return -ENOBUFS;
    r = wsp_buffer_append(&websocket->incoming, piece.data, piece.len);
    if (r == 0 && !has_more)
        r = wsp_buffer_append_u8(&websocket->incoming, '\0');
    if (r < 0 || has_more)
        return r;
    websocket_fire_message(websocket, is_binary);
    websocket_clear_incoming(websocket);
    return 0;
}

void wsp_websocket_aborted(struct wsplex_websocket *websocket)
{
    websocket_clear_incoming(websocket);
}

void wsp_websocket_sent(struct wsplex_websocket *websocket, uint64_t n_bytes)
{
    websocket->buffered_amount -= n_bytes;
}

/* The same, closing handshake started. */
void wsp_websocket_closing(struct wsplex_websocket *websocket)
{
    if (websocket->ready_state < WSPLEX_CLOSING)
        websocket->ready_state = WSPLEX_CLOSING;
}

/* Fires what is known of a failure, as `error` or `interrupted`; then it is no more. */
static void websocket_fire_failure(struct wsplex_websocket *websocket, const char *type)
{
    struct wsp_failure fired = websocket->failure;
    const struct wsp_failure *failure = &fired;
    struct wsplex_event event = event_new(websocket, type);

    websocket->failure = (struct wsp_failure){0};
    event.cause = failure->cause;
    event.http_status = failure->http_status;
    event.retry_after = failure->retry_after;
    if (failure->excerpt)
        event.excerpt = failure->excerpt;
    event.excerpt_length = failure->excerpt_len;
    if (failure->text)
        event.cause_text = failure->text;
    else if (failure->cause > 0)
        event.cause_text = wsp_cause_meaning((unsigned int)failure->cause);
    else
        event.cause_text = wsplex_strerror(failure->cause);
    wsp_event_target_dispatch(&websocket->events, &event);
    wsp_failure_deinit(&fired);
}

/* --- interruptions --- */

static void websocket_fire_unsent(struct wsplex_websocket *websocket)
{
    struct wsplex_event event = event_new(websocket, "unsent");

    event.is_counted = true;
    event.count = websocket->unsent.n_messages;
    event.bytes = websocket->unsent.n_bytes;
    event.is_in_doubt = websocket->unsent.is_in_doubt;
    websocket->unsent = (struct wsp_unsent){0};
    if (event.count > 0 || event.bytes > 0)
        wsp_event_target_dispatch(&websocket->events, &event);
}

void wsp_websocket_unsent(struct wsplex_websocket *websocket, const struct wsp_unsent *unsent)
{
    websocket->buffered_amount -= unsent->n_bytes;
    websocket->unsent = *unsent;
    websocket_fire_unsent(websocket);
}

void wsp_websocket_away(struct wsplex_websocket *websocket, const struct wsp_unsent *unsent,
                        int cause, const char *text)
{
    struct wsp_local_failed failed = {.text = wsp_view_of_string(text)};

    websocket_clear_incoming(websocket);
    websocket->is_gap_awaited = false;
    websocket->buffered_amount -= unsent->n_bytes;
    websocket->unsent = *unsent;
    if (websocket->ready_state == WSPLEX_CONNECTING || websocket->is_interrupted)
        return;
    websocket->is_interrupted = true;
    wsp_websocket_failed(websocket, cause, &failed);
}

void wsp_websocket_tell_away(struct wsplex_websocket *websocket)
{
    if (websocket->failure.cause != 0)
        websocket_fire_failure(websocket, "interrupted");
    if (websocket_is_alive(websocket))
        websocket_fire_unsent(websocket);
}

void wsp_websocket_interrupted(struct wsplex_websocket *websocket,
                               const struct wsp_local_interrupted *interrupted)
{
    struct wsp_local_failed failed = {
        .http_status = interrupted->http_status,
        .text = interrupted->text,
        .retry_after = interrupted->retry_after,
    };

    websocket->is_interrupted = true;
    wsp_websocket_failed(websocket, interrupted->cause, &failed);
    websocket_fire_failure(websocket, "interrupted");
}

int wsp_websocket_resumed(struct wsplex_websocket *websocket, struct wsp_view extensions)
{
    if (websocket_set_extensions(websocket, extensions) < 0)
        return -ENOMEM;
    websocket_fire_resumed(websocket);
    return 0;
}

void wsp_websocket_gap(struct wsplex_websocket *websocket, const struct wsp_local_gap *gap)
{
    struct wsplex_event event = event_new(websocket, "gap");
    bool was_awaited = websocket->is_gap_awaited;

    event.gap = gap->reason;
    event.cause_text = wsp_gap_meaning(gap->reason);
    event.is_counted = gap->is_counted != 0;
    event.count = gap->count;
    websocket_go_on(websocket, &gap->epoch, gap->next_number);
    wsplex_websocket_get_position(websocket, &event.position);
    wsp_event_target_dispatch(&websocket->events, &event);
    if (was_awaited && websocket_is_alive(websocket))
        websocket_fire_resumed(websocket);
}

void wsp_websocket_gap_missing(struct wsplex_websocket *websocket)
{
    struct wsp_local_gap gap = {
        .reason = WSP_GAP_UNKNOWN_EPOCH,
        .epoch = websocket->epoch,
        .next_number = websocket->next_number,
    };

    wsp_websocket_gap(websocket, &gap);
}

static void websocket_fire_close(struct wsplex_websocket *websocket, bool was_clean, uint16_t code,
                                 const char *reason, size_t reason_len)
{
    struct wsplex_event event = event_new(websocket, "close");

    event.was_clean = was_clean;
    event.code = code;
    event.reason = reason;
    event.reason_length = reason_len;
    wsp_event_target_dispatch(&websocket->events, &event);
}

/* The same, connection closed: the state first, then `error` if it was failed, then `close`. */
void wsp_websocket_closed(struct wsplex_websocket *websocket, bool was_clean, uint16_t code,
                          struct wsp_view reason)
{
    char text[WSP_MAX_CLOSE_REASON + 1] = "";

    if (websocket->is_given_up) {
        wsp_websocket_failed(websocket, WSPLEX_CAUSE_CANCELLED, NULL);
        was_clean = false;
        code = 1006;
        reason.len = 0;
    }
    /* The view need not outlive the handlers of `error`. */
    if (reason.len > 0)
        memcpy(text, reason.data, reason.len);
    websocket->ready_state = WSPLEX_CLOSED;
    websocket->client->n_open--;
    websocket_clear_incoming(websocket);
    if (websocket->failure.cause != 0)
        websocket_fire_failure(websocket, "error");
    if (!wsp_client_is_over(websocket->client))
        websocket_fire_close(websocket, was_clean, code, text, reason.len);
}

/* --- EventTarget --- */

static int websocket_set_handler(struct wsplex_websocket *websocket, enum wsp_attribute attribute,
                                 wsplex_event_handler handler, void *userdata)
{
    int r = wsp_client_enter(websocket->client);

    if (r < 0)
        return r;
    r = wsp_event_target_set_handler(&websocket->events, attribute, handler, userdata);
    if (r < 0)
        wsp_client_error(websocket->client, r, "there is no memory for a handler");
    return wsp_client_leave(websocket->client, r);
}

int wsplex_websocket_set_on_open(struct wsplex_websocket *websocket, wsplex_event_handler handler,
                                 void *userdata)
{
    return websocket_set_handler(websocket, WSP_ATTRIBUTE_ON_OPEN, handler, userdata);
}

int wsplex_websocket_set_on_message(struct wsplex_websocket *websocket,
                                    wsplex_event_handler handler, void *userdata)
{
    return websocket_set_handler(websocket, WSP_ATTRIBUTE_ON_MESSAGE, handler, userdata);
}

int wsplex_websocket_set_on_error(struct wsplex_websocket *websocket, wsplex_event_handler handler,
                                  void *userdata)
{
    return websocket_set_handler(websocket, WSP_ATTRIBUTE_ON_ERROR, handler, userdata);
}

int wsplex_websocket_set_on_close(struct wsplex_websocket *websocket, wsplex_event_handler handler,
                                  void *userdata)
{
    return websocket_set_handler(websocket, WSP_ATTRIBUTE_ON_CLOSE, handler, userdata);
}

int wsplex_websocket_add_event_listener(struct wsplex_websocket *websocket, const char *type,
                                        wsplex_event_handler handler, void *userdata,
                                        unsigned int flags)
{
    struct wsplex *client = websocket->client;
    int r = wsp_client_enter(client);

    if (r < 0)
        return r;
    if (flags & ~(unsigned int)WSPLEX_LISTENER_ONCE)
        return wsp_client_leave(
            client, wsp_client_error(client, -EINVAL, "unknown listener flags %#x", flags));
    r = wsp_event_target_add(&websocket->events, type, handler, userdata,
                             (flags & WSPLEX_LISTENER_ONCE) != 0);
    if (r < 0)
        wsp_client_error(client, r, "there is no memory for a listener");
    return wsp_client_leave(client, r);
}

void wsplex_websocket_remove_event_listener(struct wsplex_websocket *websocket, const char *type,
                                            wsplex_event_handler handler, void *userdata)
{
    wsp_event_target_remove(&websocket->events, type, handler, userdata);
}

/* DOM, dispatchEvent(). */
static int websocket_dispatch_event(struct wsplex_websocket *websocket,
                                    const struct wsplex_event *event)
{
    /* What the first version has; a program built against a later one gives more. */
    const size_t min_size =
        offsetof(struct wsplex_event, cause_text) + sizeof(((struct wsplex_event *)0)->cause_text);
    struct wsplex_event copy = event_new(websocket, "");

    if (wsp_event_target_is_dispatching(&websocket->events, event))
        return wsp_client_error(websocket->client, WSPLEX_ERROR_INVALID_STATE,
                                "the event is being dispatched already");
    if (event->size < min_size || !event->type || event->type[0] == '\0')
        return wsp_client_error(websocket->client, -EINVAL,
                                "the event has no type, or its size is not set");
    memcpy(&copy, event, event->size < sizeof(copy) ? event->size : sizeof(copy));
    copy.size = sizeof(copy);
    copy.target = websocket;
    copy.is_trusted = false;
    copy.origin = copy.origin ? copy.origin : "";
    copy.last_event_id = copy.last_event_id ? copy.last_event_id : "";
    copy.reason = copy.reason ? copy.reason : "";
    copy.cause_text = copy.cause_text ? copy.cause_text : "";
    copy.excerpt = copy.excerpt ? copy.excerpt : "";
    wsp_event_target_dispatch(&websocket->events, &copy);
    return 0;
}

int wsplex_websocket_dispatch_event(struct wsplex_websocket *websocket,
                                    const struct wsplex_event *event)
{
    struct wsplex *client = websocket->client;
    int r = wsp_client_enter(client);

    if (r < 0)
        return r;
    return wsp_client_leave(client, websocket_dispatch_event(websocket, event));
}

void wsplex_event_stop_immediate_propagation(const struct wsplex_event *event)
{
    wsp_event_target_stop(&event->target->events, event);
}

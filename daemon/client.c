/* SPDX-License-Identifier: MIT
 *
 * client: accepts a program, reads its frames, and ends with it.
 * Between the transport and client_requests, who acts on the frames; what goes back is client_output's.
 * Invariant: see client.h. The state changes in client_set_state alone.
 */
#include "daemon/client.h"

#include <config.h> /* not the daemon's own */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/client_channel.h"
#include "daemon/client_requests.h"
#include "daemon/control.h"
#include "daemon/limits.h"
#include "daemon/loop.h"
#include "daemon/server.h"
#include "daemon/transport_socket.h"
#include "proto/local/errors.h"

const char *client_state_to_string(enum client_state state)
{
    switch (state) {
    case CLIENT_GREETING: return "greeting";
    case CLIENT_TALKING: return "talking";
    case CLIENT_PARTING: return "parting";
    case CLIENT_GONE: return "gone";
    }
    return "unknown";
}

/* ---- the end ---- */

static void client_bury(void *owner)
{
    struct client *client = owner;

    client_output_deinit(client);
    wsp_wire_reader_deinit(&client->reader);
    wsp_buffer_deinit(&client->unread);
    charge_release(&client->charge);
    user_unref(client->user);
    free(client);
}

static void client_let_channels_go(struct client *client)
{
    LIST_FOR_EACH (node, &client->channels)
        client_channel_abandon(LIST_ENTRY(node, struct client_channel, link));
    control_forget(client);
}

static void client_set_state(struct client *client, enum client_state state)
{
    struct server *server = client->server;

    client->state = state;
    switch (state) {
    case CLIENT_GREETING: timer_start(&client->deadline, CLIENT_GREETING_MS); break;
    case CLIENT_TALKING: timer_stop(&client->deadline); break;
    case CLIENT_PARTING:
        client_let_channels_go(client);
        timer_start(&client->deadline, CLIENT_PARTING_MS);
        break;
    case CLIENT_GONE:
        client_let_channels_go(client);
        timer_deinit(&client->deadline);
        slice_waiter_leave(&client->its_turn);
        client->transport = transport_free(client->transport);
        list_remove(&client->link);
        server->n_clients--;
        if (client->is_refused)
            server->n_refused--;
        turn_schedule(server->turn, TURN_BURY, &client->burial);
        listener_resume(&server->listener);
        server_changed(server);
        journal_log(&server->journal, JOURNAL_CLIENT_GONE, client->id, "has gone");
        break;
    }
}

void client_drop(struct client *client)
{
    if (client->state != CLIENT_GONE)
        client_set_state(client, CLIENT_GONE);
}

/* ---- its first and its last frame ---- */

/* Magic and HELLO, once. 0, -ENOMEM. */
static int client_greet(struct client *client)
{
    struct wsp_message hello = {
        .type = WSP_LOCAL_HELLO,
        .hello = {.minor = WSP_LOCAL_MINOR,
                  .max_channels = client->max_channels,
                  .software = WSP_VIEW_LITERAL("wsplexd " PACKAGE_VERSION)},
    };
    int r;

    if (client->is_greeted)
        return 0;
    client->is_greeted = true;
    r = client_output_send_bytes(client, WSP_VIEW_LITERAL(WSP_WIRE_MAGIC));
    return r < 0 ? r : client_output_send(client, &hello);
}

static void client_part(struct client *client, unsigned code, uint8_t frame_type,
                        uint32_t frame_channel, const char *text)
{
    struct wsp_message error = {
        .type = WSP_LOCAL_ERROR,
        .error = {.code = (uint16_t)code,
                  .frame_type = frame_type,
                  .frame_channel = frame_channel,
                  .text = wsp_view_of_string(text)},
    };

    if (client_greet(client) < 0) {
        client_drop(client);
        return;
    }
    client_set_state(client, CLIENT_PARTING);
    /* A full lane has room for this one. */
    client->output.lane.max += WSP_WIRE_MAX_FRAME;
    if (client_output_send(client, &error) < 0)
        client_drop(client);
}

void client_fail(struct client *client, unsigned code, uint8_t frame_type, uint32_t frame_channel,
                 const char *text)
{
    char line[256];

    if (client->state == CLIENT_PARTING || client->state == CLIENT_GONE)
        return;
    if (frame_type != 0)
        snprintf(line, sizeof(line), "%s on channel %" PRIu32 ": %s%s%s",
                 wsp_message_type_to_string(frame_type), frame_channel, wsp_fatal_meaning(code),
                 text ? "; " : "", text ? text : "");
    else
        snprintf(line, sizeof(line), "%s%s%s", wsp_fatal_meaning(code), text ? "; " : "",
                 text ? text : "");
    journal_log(&client->server->journal, JOURNAL_CLIENT_BROKEN, client->id, "%s: %s",
                wsp_fatal_to_string(code), line);
    client_part(client, code, frame_type, frame_channel, line);
}

void client_send_away(struct client *client)
{
    client_output_schedule(client);
}

void client_drained(struct client *client)
{
    bool is_emptied = client->server->is_emptied;

    if (client->state == CLIENT_PARTING && !is_emptied)
        transport_shutdown(client->transport);
    else if (client->state == CLIENT_PARTING || (client->state == CLIENT_GREETING && is_emptied))
        client_drop(client);
    else if (is_emptied)
        client_part(client, WSP_FATAL_SHUTDOWN, 0, 0, wsp_fatal_meaning(WSP_FATAL_SHUTDOWN));
}

static void deadline_fire(void *owner)
{
    struct client *client = owner;

    if (client->state == CLIENT_GREETING)
        client_fail(client, WSP_FATAL_TIMEOUT, 0, 0, NULL);
    else
        client_drop(client);
}

/* ---- input ---- */

static bool client_is_spent(const struct client *client)
{
    return slice_is_spent(&client->user->slice, client->server->turn);
}

static void client_spend(struct client *client, uint64_t work)
{
    slice_spend(&client->user->slice, client->server->turn, work);
}

/* What of the window was not taken stays for a later turn, the rest goes. 0, -ENOMEM. */
static int client_keep(struct client *client, size_t len)
{
    struct wsp_view rest = wsp_wire_reader_rest(&client->reader);
    size_t kept_len = wsp_buffer_len(&client->unread);
    int r = 0;

    if (kept_len > 0)
        wsp_buffer_consume(&client->unread, kept_len - len);
    else
        r = wsp_buffer_append(&client->unread, rest.data, len);
    wsp_buffer_trim(&client->unread);
    return r;
}

/* Every frame of the window, as far as the user's slice of this turn goes. */
static void client_take(struct client *client, struct wsp_view window)
{
    struct wsp_wire_frame frame;
    size_t rest_len = 0;
    int r = 0;

    wsp_wire_reader_feed(&client->reader, window);
    while (client->state == CLIENT_GREETING || client->state == CLIENT_TALKING) {
        rest_len = client_is_spent(client) ? wsp_wire_reader_rest(&client->reader).len : 0;
        if (rest_len > 0) {
            slice_wait_first(&client->user->slice, client->server->turn, &client->its_turn);
            break;
        }
        r = wsp_wire_reader_next(&client->reader, &frame);
        if (r == 0 && client->state == CLIENT_GREETING)
            client_set_state(client, CLIENT_TALKING);
        if (wsp_wire_reader_has_magic(&client->reader) && client_greet(client) < 0)
            r = -ENOMEM;
        if (r != 0)
            break;
        client->n_frames_in++;
        client_spend(client, WORK_PER_FRAME + (frame.type == WSP_LOCAL_OPEN ? WORK_PER_OPEN : 0));
        r = client_request(client, &frame);
        if (r < 0)
            break;
    }
    if (client_keep(client, rest_len) < 0)
        r = -ENOMEM;
    if (r == WSP_BROKEN)
        client_fail(client, client->reader.error.code, client->reader.error.type,
                    client->reader.error.channel, NULL);
    else if (r == -ENOBUFS)
        client_fail(client, WSP_FATAL_TOO_SLOW, 0, 0, NULL);
    else if (r < 0) {
        journal_log(&client->server->journal, JOURNAL_OUT_OF_MEMORY, 0, "client %llu is dropped",
                    (unsigned long long)client->id);
        client_drop(client);
    }
}

static void client_read(struct client *client)
{
    size_t scratch_len = client->server->upstream_context.scratch_len;
    uint8_t *scratch = client->server->upstream_context.scratch;
    ssize_t len;

    if (scratch_len > MAX_READ_PER_TURN)
        scratch_len = MAX_READ_PER_TURN;
    len = transport_read(client->transport, scratch, scratch_len);
    if (len == -EAGAIN)
        return;
    if (len <= 0) {
        client_drop(client);
        return;
    }
    client->n_bytes_in += (uint64_t)len;
    client_spend(client, (uint64_t)len);
    if (client->state != CLIENT_PARTING)
        client_take(client, (struct wsp_view){scratch, (size_t)len});
}

static void client_go_on(void *owner)
{
    struct client *client = owner;
    struct wsp_view unread = {wsp_buffer_peek(&client->unread), wsp_buffer_len(&client->unread)};

    if (unread.len > 0)
        client_take(client, unread);
    else
        client_read(client);
}

static void client_ready(void *owner, unsigned events)
{
    struct client *client = owner;

    if (events & TRANSPORT_WRITABLE)
        client_output_unblock(client);
    if (events & TRANSPORT_READABLE && client->state != CLIENT_GONE &&
        slice_enter(&client->user->slice, client->server->turn, &client->its_turn))
        client_read(client);
}

/* ---- the beginning ---- */

static unsigned max_channels(const struct server *server)
{
    uint64_t max = server->quota.limits[QUOTA_CHANNELS];

    if (max < WSP_INITIAL_CHANNELS)
        return WSP_INITIAL_CHANNELS;
    return max < MAX_CHANNELS_PER_CLIENT ? (unsigned)max : MAX_CHANNELS_PER_CLIENT;
}

static int client_new(struct server *server, const struct client_peer *peer,
                      struct client **ret_client)
{
    struct client *client = calloc(1, sizeof(*client));
    int r;

    if (!client)
        return -ENOMEM;
    client->server = server;
    client->peer = *peer;
    client->created_ms = clock_now_ms(server->clock);
    client->max_channels = max_channels(server);
    list_init(&client->link);
    list_init(&client->channels);
    list_init(&client->requests);
    client_output_init(client);
    wsp_wire_reader_init(&client->reader);
    wsp_buffer_init(&client->unread, MAX_READ_PER_TURN);
    slice_waiter_init(&client->its_turn, client_go_on, client);
    task_init(&client->burial, client_bury, client);
    r = timer_init(&client->deadline, server->clock, deadline_fire, client);
    if (r == 0)
        r = quota_user_ref(&server->quota, peer->uid, &client->user);
    if (r < 0) {
        timer_deinit(&client->deadline);
        client_bury(client);
        return r;
    }
    *ret_client = client;
    return 0;
}

/* Nobody is charged for it, so there are only so many that are told why. */
static void client_refuse(struct client *client)
{
    struct server *server = client->server;

    if (server->n_refused >= MAX_REFUSED_CLIENTS) {
        client_drop(client);
        return;
    }
    client->is_refused = true;
    server->n_refused++;
    client_part(client, WSP_FATAL_QUOTA, 0, 0, wsp_fatal_meaning(WSP_FATAL_QUOTA));
}

int client_serve(struct server *server, struct transport *transport, const struct client_peer *peer)
{
    struct client *client = NULL;
    int r = client_new(server, peer, &client);

    if (r < 0)
        return r;
    client->transport = transport;
    transport->ready = client_ready;
    transport->owner = client;
    client->id = server_new_id(server);
    list_append(&server->clients, &client->link);
    server->n_clients++;
    server_changed(server);
    client_set_state(client, CLIENT_GREETING);
    transport_want(transport, TRANSPORT_READABLE);
    if (charge_take(&client->charge, client->user, QUOTA_CLIENTS, 1) == QUOTA_EXCEEDED) {
        journal_log(&server->journal, JOURNAL_CLIENT_REFUSED, client->id,
                    "uid %u, pid %d: this user has %" PRIu64 " connections already", peer->uid,
                    peer->pid, server->quota.limits[QUOTA_CLIENTS]);
        client_refuse(client);
        return 0;
    }
    journal_log(&server->journal, JOURNAL_CLIENT_ACCEPTED, client->id, "uid %u, gid %u, pid %d",
                peer->uid, peer->gid, peer->pid);
    return 0;
}

void client_accept(struct server *server, int fd)
{
    struct ucred credentials;
    socklen_t len = sizeof(credentials);
    struct transport *transport = NULL;
    int r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0 ? -errno : 0;

    if (r == 0)
        r = transport_socket_new(server->loop, fd, &transport);
    if (r == 0) {
        struct client_peer peer = {
            .uid = credentials.uid, .gid = credentials.gid, .pid = credentials.pid, .fd = fd};

        r = client_serve(server, transport, &peer);
    }
    if (r == 0)
        return;
    journal_log(&server->journal, JOURNAL_LISTENING, 0, "a program could not be served: %s",
                strerror(-r));
    if (transport)
        transport_free(transport);
    else
        close(fd);
}

/* ---- who may see all ---- */

bool client_is_admin(const struct client *client)
{
    return peer_is_admin(&client->peer, client->server->config);
}

/*
 * request: see request.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/request.h"

#include <errno.h>
#include <stdlib.h>

#include "client-lib/client.h"
#include "proto/limits.h"
#include "proto/local/message.h"

struct wsp_request *wsp_request_free(struct wsp_request *request)
{
    wsp_chain_remove(&request->link);
    wsp_buffer_deinit(&request->json);
    free(request);
    return NULL;
}

int wsp_request_append(struct wsp_request *request, struct wsp_view piece)
{
    return wsp_buffer_append(&request->json, piece.data, piece.len);
}

void wsp_request_finish(struct wsplex *client, struct wsp_request *request, int status)
{
    wsp_chain_remove(&request->link);
    client->n_requests--;
    if (status >= 0 && wsp_buffer_append_u8(&request->json, '\0') < 0)
        status = -ENOMEM;
    if (status >= 0)
        request->handler(client, status, (const char *)wsp_buffer_peek(&request->json),
                         wsp_buffer_len(&request->json) - 1, request->userdata);
    else
        request->handler(client, status, "", 0, request->userdata);
    wsp_request_free(request);
}

static int request_send(struct wsplex *client, const char *verb, const char *const *arguments,
                        size_t n_arguments, uint32_t id)
{
    struct wsp_message message = {.type = WSP_LOCAL_REQUEST};
    struct wsp_buffer list;
    int r;

    wsp_buffer_init(&list, WSP_MAX_LOCAL_PAYLOAD);
    r = wsp_local_list_append_strings(&list, arguments, n_arguments);
    if (r == 0) {
        message.request.id = id;
        message.request.verb = wsp_view_of_string(verb);
        message.request.arguments =
            (struct wsp_view){wsp_buffer_peek(&list), wsp_buffer_len(&list)};
        r = wsp_message_encode(&client->connection.output.control, &message);
    }
    wsp_buffer_deinit(&list);
    if (r == -EMSGSIZE || r == -ENOBUFS)
        return wsp_client_error(client, -E2BIG, "the request \"%.40s\" does not fit into a frame",
                                verb);
    if (r < 0)
        return wsp_client_error(client, r, "there is no memory for a request");
    return 0;
}

static int request_new(struct wsplex *client, const char *verb, const char *const *arguments,
                       size_t n_arguments, wsplex_reply_handler handler, void *userdata)
{
    struct wsp_request *request;
    int r;

    r = wsp_connection_ensure(client);
    if (r < 0)
        return r;
    request = calloc(1, sizeof(*request));
    if (!request)
        return wsp_client_error(client, -ENOMEM, "there is no memory for a request");
    wsp_chain_init(&request->link);
    wsp_buffer_init(&request->json, WSP_MAX_REPLY + 1);
    request->handler = handler;
    request->userdata = userdata;
    request->id = ++client->connection.last_request_id;
    r = request_send(client, verb, arguments, n_arguments, request->id);
    if (r < 0) {
        wsp_request_free(request);
        return r;
    }
    wsp_chain_append(&client->connection.requests, &request->link);
    client->n_requests++;
    return 0;
}

int wsplex_request(struct wsplex *client, const char *verb, const char *const *arguments,
                   size_t n_arguments, wsplex_reply_handler handler, void *userdata)
{
    int r = wsp_client_enter(client);

    if (r < 0)
        return r;
    r = request_new(client, verb, arguments, n_arguments, handler, userdata);
    return wsp_client_leave(client, r);
}

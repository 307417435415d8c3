/*
 * request: one question to the daemon while its reply is awaited.
 *
 * Made by wsplex_request(); frames gives it the pieces of the reply, connection fails it when the
 * daemon goes away. Invariant: its handler is called once, or never if the client is freed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_REQUEST_H
#define WSP_CLIENT_LIB_REQUEST_H

#include <stdint.h>

#include "client-lib/chain.h"
#include "client-lib/wsplex.h"
#include "proto/buffer.h"

struct wsp_request {
    struct wsp_chain link; /* in the connection's requests, or the client's unanswered */
    uint32_t id;
    int status; /* a negative errno once its answer is lost */
    struct wsp_buffer json;
    wsplex_reply_handler handler;
    void *userdata;
};

/* Frees it without a call. Returns NULL. */
struct wsp_request *wsp_request_free(struct wsp_request *request);

/* The next piece of the reply. 0; -ENOBUFS when it is longer than WSP_MAX_REPLY; -ENOMEM. */
int wsp_request_append(struct wsp_request *request, struct wsp_view piece);

/*
 * Takes the request out of its list, calls its handler with the status and, if that is not
 * negative, the JSON, and frees it.
 */
void wsp_request_finish(struct wsplex *client, struct wsp_request *request, int status);

#endif

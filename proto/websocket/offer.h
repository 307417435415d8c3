/*
 * offer: which permessage-deflate two ends agree on (RFC 7692, section 7.1): the offer of a client,
 * the answer of a server, and what follows from both.
 *
 * On the way of a connection it stands beside handshake.h, which carries both as values of
 * Sec-WebSocket-Extensions, and gives message.h and deflate.h their parameters.
 *
 * Invariant: an agreement is made only of an answer that the offer allows, word for word.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_OFFER_H
#define WSPLEX_PROTO_WEBSOCKET_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/pull.h"
#include "proto/websocket/deflate.h"

/* The four parameters of section 7.1, as an offer or an answer has them. */
struct wsp_deflate_params {
    bool server_no_context_takeover;
    bool client_no_context_takeover;
    uint8_t server_max_window_bits; /* 8 to 15; 0: not there */
    uint8_t client_max_window_bits; /* the same, or WSP_DEFLATE_BITS_ANY */
};

/* client_max_window_bits without a value, in an offer: the server may choose. */
enum { WSP_DEFLATE_BITS_ANY = 255 };

/* The longest value that wsp_deflate_params_write() writes, with its terminating zero. */
enum { WSP_DEFLATE_TEXT_LEN = 160 };

/* Writes "permessage-deflate; ..." as a string; returns its length. */
size_t wsp_deflate_params_write(const struct wsp_deflate_params *params,
                                char to[WSP_DEFLATE_TEXT_LEN]);

/* What is in force, for each direction; nothing when is_on is false. */
struct wsp_deflate_agreement {
    bool is_on;
    struct wsp_deflate_mode from_server;
    struct wsp_deflate_mode from_client;
};

/*
 * Client: judges the value of Sec-WebSocket-Extensions in an answer, empty when there is none.
 * offered is what was sent, NULL for nothing.
 *
 * 0           *ret_agreement.
 * WSP_BROKEN  the answer may not be: the connection is to be failed (section 7.1). *ret_why is the
 *             broken rule in one line, a constant.
 */
int wsp_deflate_judge(struct wsp_view answer, const struct wsp_deflate_params *offered,
                      struct wsp_deflate_agreement *ret_agreement, const char **ret_why);

/*
 * Server: finds among offers, the value of Sec-WebSocket-Extensions in a request, the first that is
 * valid and fits wanted, which has what the server itself asks for: its own limits, and those that
 * it would set for the client (a client_max_window_bits only holds for a client that offers it).
 * True: *ret_answer goes into the answer, and *ret_agreement is in force.
 */
bool wsp_deflate_choose(struct wsp_view offers, const struct wsp_deflate_params *wanted,
                        struct wsp_deflate_params *ret_answer,
                        struct wsp_deflate_agreement *ret_agreement);

#endif

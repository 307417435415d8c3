/*
 * channel: one channel number while it is in use: what waits to go up, and the credit that lets it.
 *
 * On the way of a message it stands between the object (client-lib/websocket), which gives it whole
 * messages, and output, which takes pieces of them round robin. It outlives a freed object until
 * all that was sent has gone and the daemon has let the number go. Invariants: cost_used <=
 * cost_granted; it is in output's list of ready channels exactly when a piece can be taken.
 *
 *   state      what holds                            leaves it by
 *   WAITING    OPEN waits for a free number limit     HELLO -> OPENING
 *   OPENING    OPEN was sent                          OPENED -> OPEN, CLOSED -> gone
 *   OPEN       data both ways                         CLOSED -> gone
 *   AWAY       it has no number: the daemon went      reconnect -> WAITING or OPENING
 *              away, and the object waits
 *
 * CLOSE may be asked for in each of them, and goes behind everything that was sent before. Whoever
 * is to outlive the daemon goes from WAITING, OPENING or OPEN to AWAY when the connection is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_CHANNEL_H
#define WSP_CLIENT_LIB_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/chain.h"
#include "proto/buffer.h"
#include "proto/limits.h"
#include "proto/local/message.h"

struct wsplex_websocket;

enum wsp_channel_state {
    WSP_CHANNEL_WAITING,
    WSP_CHANNEL_OPENING,
    WSP_CHANNEL_OPEN,
    WSP_CHANNEL_AWAY,
};

/* A whole message on its way up; or the payload of a SUBSCRIBE or UNSUBSCRIBE, which keeps its place
 * among the messages, costs nothing and is not counted. */
struct wsp_outgoing {
    struct wsp_chain link;
    size_t n_uses; /* 1 for the queue, 1 for each of its pieces that is being written */
    size_t length;
    size_t offset; /* so much was taken in pieces */
    uint8_t type;  /* enum wsp_local_type */
    uint8_t data[];
};

/* Makes one of a copy of the data. NULL if there is no memory. */
struct wsp_outgoing *wsp_outgoing_new(enum wsp_local_type type, const void *data, size_t length);

/* Ends one use of it. Returns NULL. */
struct wsp_outgoing *wsp_outgoing_unuse(struct wsp_outgoing *outgoing);

/* One data frame, ready to be written. */
struct wsp_piece {
    struct wsp_channel *channel; /* NULL once that has let its number go */
    struct wsp_outgoing *outgoing;
    struct wsp_view payload; /* within outgoing */
    bool has_more;
};

struct wsp_channel {
    struct wsplex_websocket *websocket; /* NULL once that is freed or has failed by itself */
    uint32_t number;
    enum wsp_channel_state state;
    struct wsp_buffer open;     /* OPEN as it was first made: while WAITING, or to be sent again */
    struct wsp_chain away_link; /* in the client's away while AWAY */
    uint64_t max_message;       /* in either direction, by OPENED */
    uint8_t denied;             /* enum wsp_denied, by OPENED */

    struct wsp_chain ready_link; /* in output's ready */
    struct wsp_chain queue;      /* of struct wsp_outgoing */
    uint64_t cost_granted;       /* cumulative, by CREDIT */
    uint64_t cost_used;
    uint64_t n_taken;         /* payload bytes taken in pieces */
    uint64_t n_sent;          /* payload bytes on the network, by SENT */
    uint64_t n_unsent;        /* payload bytes that will not go, by UNSENT */
    uint64_t n_messages_done; /* messages of which the last piece was taken */
    uint64_t n_messages_sent; /* by SENT */
    uint64_t n_messages_unsent;

    bool is_close_due; /* CLOSE is to follow the last message */
    bool is_close_sent;
    bool is_discarding;  /* as CLOSE says: no messages wanted any more */
    bool is_closing;     /* CLOSING has come */
    bool has_failed;     /* FAILED has come */
    bool is_interrupted; /* INTERRUPTED has come, RESUMED not yet */
    bool is_shutdown;    /* the daemon stops; the object waits for the next one, nothing goes up */
    uint16_t close_code;
    size_t close_reason_len;
    char close_reason[WSP_MAX_CLOSE_REASON];

    uint8_t incoming_type; /* of the message that is arriving; 0: none */
};

/* A channel in WAITING with the initial credit; the number is the caller's to give. NULL: no
 * memory. */
struct wsp_channel *wsp_channel_new(struct wsplex_websocket *websocket);

/* Frees it with what it still had to send; pieces under way stay. NULL is allowed. Returns NULL. */
struct wsp_channel *wsp_channel_free(struct wsp_channel *channel);

/* Puts a whole message behind the others. Takes it. */
void wsp_channel_send_take(struct wsp_channel *channel, struct wsp_outgoing *outgoing);

/*
 * Takes the next piece of the first message, as large as frame and credit allow. False if there is
 * none that may go.
 */
bool wsp_channel_take_piece(struct wsp_channel *channel, struct wsp_piece *ret_piece);

/* Puts a message of which all was taken, and not all written, before the others. Takes it. */
void wsp_channel_take_back(struct wsp_channel *channel, struct wsp_outgoing *outgoing);

/* A piece could be taken now. */
bool wsp_channel_is_ready(const struct wsp_channel *channel);

/*
 * The daemon will never say more of it: *ret_n_messages whole ones of *ret_n_bytes were taken, and
 * neither SENT nor UNSENT counts them.
 */
void wsp_channel_count_unknown(const struct wsp_channel *channel, uint64_t *ret_n_messages,
                               uint64_t *ret_n_bytes);

/* Makes it AWAY: what waits stays, and begins anew with the next daemon. Subscriptions go. */
void wsp_channel_go_away(struct wsp_channel *channel);

/* A message was begun, and not all of it was taken. */
bool wsp_channel_is_amid(const struct wsp_channel *channel);

/* A message waits to go up. */
bool wsp_channel_has_messages(const struct wsp_channel *channel);

#endif

/*
 * websocket: the WebSocket object.
 *
 * On the way of a message it stands between frames, which tells it what came from the daemon, and
 * events, which calls the program's handlers; send() and close() put into its channel what goes up.
 * Invariant: `close` is fired once, when ready_state becomes CLOSED, and nothing is fired after it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_WEBSOCKET_H
#define WSP_CLIENT_LIB_WEBSOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/chain.h"
#include "client-lib/channel.h"
#include "client-lib/events.h"
#include "client-lib/wsplex.h"
#include "proto/buffer.h"
#include "proto/local/message.h"

/* Why `error` is due. */
struct wsp_failure {
    int cause; /* as in struct wsplex_event; 0: no `error` is due */
    int http_status;
    uint32_t retry_after;
    char *text;    /* owned; NULL: the cause's own sentence */
    char *excerpt; /* owned; NULL: none */
    size_t excerpt_len;
};

void wsp_failure_deinit(struct wsp_failure *failure);

/* Messages of which `unsent` is due. */
struct wsp_unsent {
    uint64_t n_messages;
    uint64_t n_bytes;
    bool is_in_doubt;
};

struct wsplex_websocket {
    struct wsplex *client;
    struct wsp_chain link;         /* in the client's websockets or graveyard */
    struct wsp_chain failing_link; /* in the client's failing */
    /* NULL once the number is let go, or the object failed by itself. */
    struct wsp_channel *channel;
    enum wsplex_ready_state ready_state;
    bool is_given_up;    /* close() was called while CONNECTING */
    bool is_interrupted; /* `interrupted` was fired or is due, `resumed` not yet */
    bool is_gap_awaited; /* the daemon is back, and goes on elsewhere: GAP says what that means */
    bool has_position;   /* the following three are set */
    struct wsp_epoch epoch;
    uint64_t next_number; /* of the next message */
    uint64_t live_number; /* lower ones are replayed */
    struct wsp_unsent unsent;
    bool is_freed;
    enum wsplex_binary_type binary_type;
    uint64_t buffered_amount;
    char *url;
    char *origin;
    char *protocol;
    char *extensions;
    struct wsp_failure failure;
    struct wsp_chain subscriptions;
    struct wsp_buffer incoming; /* the message that is arriving, or is being shown to handlers */
    struct wsp_event_target events;
};

/* Frees the memory of an object that was freed or never given out. Returns NULL. */
struct wsplex_websocket *wsp_websocket_destroy(struct wsplex_websocket *websocket);

/* 0, or WSPLEX_ERROR_NOT_UTF8 with a text that says where. */
int wsp_websocket_check_utf8(struct wsplex_websocket *websocket, const char *what, const void *text,
                             size_t len);

/* What wsplex_websocket_free() does before the burial; the daemon is told nothing. */
void wsp_websocket_detach(struct wsplex_websocket *websocket);

/* --- what frames and connection tell it; each may call handlers, which may free the object --- */

/*
 * OPENED, the first or that of a daemon which is back. 0; -ENOMEM and nothing has changed; -EPROTO:
 * the subprotocol is another than it was.
 */
int wsp_websocket_opened(struct wsplex_websocket *websocket, const struct wsp_local_opened *opened);

/* The daemon is away, and the object has a channel that waits for it; `interrupted` and `unsent`
 * become due. */
void wsp_websocket_away(struct wsplex_websocket *websocket, const struct wsp_unsent *unsent,
                        int cause, const char *text);

/* Fires what wsp_websocket_away() has made due. */
void wsp_websocket_tell_away(struct wsplex_websocket *websocket);

/* INTERRUPTED. */
void wsp_websocket_interrupted(struct wsplex_websocket *websocket,
                               const struct wsp_local_interrupted *interrupted);

/* RESUMED. 0, or -ENOMEM and nothing has changed. */
int wsp_websocket_resumed(struct wsplex_websocket *websocket, struct wsp_view extensions);

/* GAP. */
void wsp_websocket_gap(struct wsplex_websocket *websocket, const struct wsp_local_gap *gap);

/* A GAP is awaited, and another frame has come: all that is known is that something is missing. */
void wsp_websocket_gap_missing(struct wsplex_websocket *websocket);

/* UNSENT, what is new in it. */
void wsp_websocket_unsent(struct wsplex_websocket *websocket, const struct wsp_unsent *unsent);

/* Where to go on, for an OPEN; only with a position. */
void wsp_websocket_set_resume(const struct wsplex_websocket *websocket,
                              struct wsp_local_open *open);

/*
 * A piece of a message, the last one if not has_more. 0; -ENOMEM; -ENOBUFS when the message is
 * longer than max_message.
 */
int wsp_websocket_received(struct wsplex_websocket *websocket, bool is_binary, bool has_more,
                           struct wsp_view piece, uint64_t max_message);

/* ABORT: the rest of the message will not come. */
void wsp_websocket_aborted(struct wsplex_websocket *websocket);

/* SENT: so many more bytes are on the network. */
void wsp_websocket_sent(struct wsplex_websocket *websocket, uint64_t n_bytes);

/* CLOSING. */
void wsp_websocket_closing(struct wsplex_websocket *websocket);

/*
 * FAILED, or a failure found here: an `error` becomes due. The first one stays. The cause stands in
 * the place of the frame's; failed may be NULL: nothing more is known.
 */
void wsp_websocket_failed(struct wsplex_websocket *websocket, int cause,
                          const struct wsp_local_failed *failed);

/* CLOSED: fires `error` if it is due, and `close`. */
void wsp_websocket_closed(struct wsplex_websocket *websocket, bool was_clean, uint16_t code,
                          struct wsp_view reason);

#endif

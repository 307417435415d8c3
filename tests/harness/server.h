/*
 * server: a WebSocket server in memory, scripted by a test, and the dialer and transport through which the daemon's
 * real upstream reaches it. Speaks by proto/websocket in the server's role.
 *
 * Between a scenario test and daemon/upstream, on the stage of tests/harness/stage.
 *
 * Invariant: the transport keeps the contract of daemon/transport.h, level-triggered readiness above all; one upstream
 * at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_SERVER_H
#define WSP_TESTS_HARNESS_SERVER_H

#include "daemon/dial.h"
#include "daemon/transport.h"
#include "daemon/upstream.h"
#include "proto/websocket/handshake.h"
#include "proto/websocket/message.h"
#include "proto/websocket/offer.h"
#include "tests/harness/stage.h"

enum { SERVER_SCRATCH = 256 * 1024 };

struct server {
    struct stage *stage;
    struct dialer dialer;
    struct upstream_context context;
    uint8_t scratch[SERVER_SCRATCH];
    struct gates gates; /* each dial that succeeds has a pass of "192.0.2.1:443" */

    /* the dial under way */
    dial_done_fn done;
    dial_rests_fn rests;
    void *done_owner;
    uint64_t waits_since_ms; /* what it says while it rests */
    struct dial *dial;
    unsigned n_dials, n_cancels;

    /* the transport that was given out */
    struct transport transport;
    bool is_connected; /* given out and not freed */
    bool is_shut;      /* by the daemon */
    unsigned wanted;
    struct task ready;
    struct wsp_buffer to_daemon;
    int end;           /* of to_daemon: 0 not yet, 1 in order, or a negative errno */
    int refusal;       /* negative errno that writes meet, or 0 */
    size_t window;     /* bytes that writes may still take */
    unsigned n_writes; /* that took something */

    /* what it understands */
    struct wsp_request_reader request;
    struct wsp_client_request asked;
    bool is_upgraded;
    const char *extensions; /* that it answers; NULL: none */
    struct wsp_ws_reader reader;
    struct wsp_buffer head; /* of the request, as it came */
    char heard[STAGE_MAX_TRANSCRIPT];
    size_t heard_len;
};

/* Every upstream of the stage reaches this server from now on. */
void server_init(struct server *server, struct stage *stage);
void server_deinit(struct server *server); /* after stage_deinit */

/* Turns until nobody has anything left to do. */
void server_run(struct server *server);

/* The dial succeeds or fails; then server_run. */
void server_is_reached(struct server *server);
void server_is_not_reached(struct server *server, uint16_t cause, const char *text);

/* The dial waits for others, or no longer. */
void server_rests(struct server *server, bool is_resting);

/* Bytes as they are; none of the functions that send runs a turn. */
void server_says(struct server *server, const void *bytes, size_t len);
void server_accepts(struct server *server, const char *protocol); /* 101 */
void server_sends(struct server *server, const char *text);
void server_sends_bytes(struct server *server, size_t len); /* a binary message */
void server_sends_frame(struct server *server, bool is_final, enum wsp_opcode opcode,
                        const void *payload, size_t len);
void server_closes(struct server *server, uint16_t code, const char *reason); /* a Close frame */
void server_hangs_up(struct server *server); /* end of the stream, in order */
void server_breaks(struct server *server,
                   int error); /* errno, for reads (after what was said) and writes */

/* The next writes take so many bytes and no more. */
void server_takes(struct server *server, size_t len);

/* Reached, upgraded, run. */
void server_opens(struct server *server, const char *protocol);

/*
 * What it has heard since the last call: "request", texts as they are, "[n]" for n bytes of a binary message,
 * "ping(payload)", "pong(payload)", "close(code reason)", "fin" when the daemon shut its side, "gone" when it let go.
 */
const char *server_heard(struct server *server);

#endif

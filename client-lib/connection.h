/*
 * connection: the line to the daemon: its socket, the greeting, the channel numbers and the
 * requests on it.
 *
 * On the way of a message it stands between local/wire and the objects (client-lib/websocket), to
 * which frames.c gives what came; output is its way up. Invariant: whatever is wrong with the
 * connection only marks it LOST; the objects on it learn of that from wsp_connection_bury() and,
 * from wsplex_dispatch(), by their events.
 *
 *   state        what holds                                  leaves it by
 *   ABSENT       no socket                                   ensure -> GREETING or CONNECTING
 *   CONNECTING   the daemon's queue is full: try again       accepted -> GREETING, deadline -> LOST
 *   GREETING     our HELLO is on its way, the daemon's not   HELLO -> READY, deadline -> LOST
 *   READY        everything goes                             end, ERROR, broken protocol -> LOST
 *   LOST         loss says why; nothing is read or written   bury -> ABSENT
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_CONNECTION_H
#define WSP_CLIENT_LIB_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "client-lib/chain.h"
#include "client-lib/channel.h"
#include "client-lib/output.h"
#include "proto/local/message.h"
#include "proto/local/wire.h"

struct wsplex;
struct wsp_wait;

enum wsp_connection_state {
    WSP_CONNECTION_ABSENT,
    WSP_CONNECTION_CONNECTING,
    WSP_CONNECTION_GREETING,
    WSP_CONNECTION_READY,
    WSP_CONNECTION_LOST,
};

struct wsp_connection {
    enum wsp_connection_state state;
    int fd;              /* -1 in ABSENT */
    int loss;            /* LOST: the negative errno that events and replies give */
    bool is_loss_final;  /* LOST: no use to come back */
    int64_t ready_ms;    /* READY: since when */
    int64_t retry_ms;    /* CONNECTING: when to try again */
    int64_t deadline_ms; /* CONNECTING and GREETING: until when */
    struct sockaddr_un address;
    struct wsp_wire_reader reader;
    uint8_t *scratch;     /* what was read last, and the reader's window */
    bool has_window;      /* the reader may have another frame without more bytes */
    bool is_read_out;     /* the last read was short: no use to read again in this turn */
    bool is_write_closed; /* the daemon reads no more; what it wrote is still read */
    struct wsp_output output;
    struct wsp_channel **channels; /* by number - 1; NULL where the number is free */
    uint32_t n_slots;
    uint32_t lowest_free; /* no slot before it is free */
    uint32_t n_channels;
    uint32_t n_leaving;        /* channels without an object whose CLOSE still waits */
    uint32_t max_channels;     /* by the daemon's HELLO; before it, the protocol's constant */
    struct wsp_chain requests; /* sent and not yet answered, in their order */
    uint32_t last_request_id;
};

void wsp_connection_init(struct wsp_connection *connection);

/* Closes the socket and frees everything; no event, no reply. May be called again. */
void wsp_connection_deinit(struct wsp_connection *connection);

/*
 * Makes sure that there is a connection, or one that is being made. Errors and their text as
 * wsplex_connect().
 */
int wsp_connection_ensure(struct wsplex *client);

/* Reads and handles frames, as much as one turn may; tries to connect again when it is time. */
void wsp_connection_read(struct wsplex *client);

/* Writes what waits, as much as one turn may. */
void wsp_connection_write(struct wsplex *client);

/* Sets what a loop should wait for, in a wait that says nothing yet. */
void wsp_connection_get_wait(const struct wsp_connection *connection, struct wsp_wait *wait);

/* Marks the connection LOST with a reason and the text of wsplex_error_text(). Returns error. */
int wsp_connection_lose(struct wsplex *client, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for -ENOMEM. */
int wsp_connection_lose_memory(struct wsplex *client);

/*
 * From LOST to ABSENT: closes the socket, lets all numbers go, and puts the objects into the
 * client's failing and the requests into its unanswered. Calls no handler but the loop's.
 */
void wsp_connection_bury(struct wsplex *client);

/* Appends a control frame. 0 or -ENOMEM, and the connection is LOST then; -EMSGSIZE. */
int wsp_connection_control(struct wsplex *client, const struct wsp_message *message);

/*
 * Gives the channel a number and sends the OPEN that it holds, at once or when HELLO allows. Takes
 * the channel on success. -EMFILE when all numbers are in use, -ENOMEM.
 */
int wsp_connection_open_take(struct wsplex *client, struct wsp_channel *channel);

/* Sends the OPENs that waited for HELLO; fails those that the daemon does not allow. 0 or
 * -ENOMEM. */
int wsp_connection_open_waiting(struct wsplex *client);

/* Sends CLOSE if it is due and its turn has come. 0; -ENOMEM, and nothing has changed. */
int wsp_connection_flush_close(struct wsplex *client, struct wsp_channel *channel);

/*
 * The channel's object goes, and the rest happens without it: what was sent goes, then CLOSE, and
 * what still comes is not looked at.
 */
void wsp_connection_orphan(struct wsplex *client, struct wsp_channel *channel);

/* The object, if there is still one, gets its `error` and `close` in the next turn. text may be
 * NULL. */
void wsp_connection_disown(struct wsplex *client, struct wsp_channel *channel, int cause,
                           const char *text);

/* All objects are told why in the next turn, and have no channel any more; or they wait for the next
 * daemon, if they may. */
void wsp_connection_disown_all(struct wsplex *client, int cause, const char *text);

/* The daemon stops: nothing goes up on this channel any more, and it will be CLOSED. 0, -ENOMEM. */
int wsp_connection_leave_shutdown(struct wsplex *client, struct wsp_channel *channel);

/* Lets the channel's number go. */
void wsp_connection_remove(struct wsp_connection *connection, struct wsp_channel *channel);

/* The channel of the number, or NULL. */
struct wsp_channel *wsp_connection_find(const struct wsp_connection *connection, uint32_t number);

/* Lets the number go and frees the channel. Returns NULL. */
struct wsp_channel *wsp_connection_free_channel(struct wsp_connection *connection,
                                                struct wsp_channel *channel);

/* Something waits to be written for which no object is there to wait. */
bool wsp_connection_is_pending(const struct wsp_connection *connection);

#endif

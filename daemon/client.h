/* SPDX-License-Identifier: MIT
 *
 * client: one local process's connection on the Unix socket: who it is, what it sent, and when it
 * is over.
 * Neighbours: listener and the transport on one side; client_requests (what its frames ask for),
 * client_channel (what it has open) and client_output (what it is told) on the other.
 * Invariant: whatever a client sends or leaves unread, only that client is worse off.
 */
#ifndef WSPLEX_DAEMON_CLIENT_H
#define WSPLEX_DAEMON_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/client_output.h"
#include "daemon/clock.h"
#include "daemon/list.h"
#include "daemon/peer.h"
#include "daemon/quota.h"
#include "daemon/transport.h"
#include "daemon/turn.h"
#include "proto/local/message.h"
#include "proto/local/wire.h"

struct server;

/*  state    | what holds                                       | leaves it by
 *  GREETING | ours is sent; its magic and HELLO have not come  | HELLO, deadline, fault
 *  TALKING  | frames both ways                                 | fault, end of the stream, server stops
 *  PARTING  | an ERROR is on its way; what comes is discarded  | the other end's end, deadline
 *  GONE     | nothing is left but memory, freed in TURN_BURY
 */
enum client_state { CLIENT_GREETING, CLIENT_TALKING, CLIENT_PARTING, CLIENT_GONE };
const char *client_state_to_string(enum client_state state);

struct client {
    struct server *server;
    struct list link; /* in server->clients */
    uint64_t id;      /* unique in this daemon's life, for logs and ctl */
    struct client_peer peer;
    struct user *user;    /* a reference */
    struct charge charge; /* one CLIENTS */
    struct transport *transport;
    enum client_state state;
    struct wsp_wire_reader reader;
    struct wsp_buffer unread;     /* the reader's window, when it is not in the scratch */
    struct slice_waiter its_turn; /* to read, or to go on with what was read */
    struct timer deadline;        /* of GREETING and of PARTING */
    struct task burial;
    uint64_t created_ms;
    /* its channels */
    void *numbers; /* tree of the numbers of struct client_channel */
    struct list channels;
    unsigned n_channels, max_channels;
    unsigned n_uncharged; /* refused ones that count against nobody's quota */
    bool is_greeted;
    bool is_refused; /* one of server->n_refused */
    /* its requests of control that are not answered yet */
    struct list requests;
    unsigned n_requests;
    struct client_output output;
    /* counters */
    uint64_t n_frames_in, n_bytes_in;
};

/* Serves the program behind fd, which is taken in every case. */
void client_accept(struct server *server, int fd);

/* The same for any transport, which is taken unless it fails. 0, -ENOMEM. */
int client_serve(struct server *server, struct transport *transport,
                 const struct client_peer *peer);

/* The client broke the protocol, or must go for another reason of enum wsp_fatal: one ERROR frame
 * that names the frame concerned (0, 0: none), and it is over. text: what is to be said beyond the
 * code's meaning, or NULL. */
void client_fail(struct client *client, unsigned code, uint8_t frame_type, uint32_t frame_channel,
                 const char *text);

/* Over at once, without a word. Its channels' whole messages still go. */
void client_drop(struct client *client);

/* The server stops and no upstream is left: as soon as it has been told everything it gets ERROR,
 * code SHUTDOWN. */
void client_send_away(struct client *client);

/* For output: everything has been written. */
void client_drained(struct client *client);

/* A member of the admin group, root, or the daemon's own user. */
bool client_is_admin(const struct client *client);

#endif

/* SPDX-License-Identifier: MIT
 *
 * client_channel: a channel as its client knows it: by a number, with a message that is being
 * assembled, and with what its client still has to be told.
 * Neighbours: client_requests opens it and feeds it; channel below it; client_output takes from it.
 * Invariant: a number is in use from OPEN until RELEASE, and RELEASE comes after CLOSED was told.
 */
#ifndef WSPLEX_DAEMON_CLIENT_CHANNEL_H
#define WSPLEX_DAEMON_CLIENT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/assembly.h"
#include "daemon/channel.h"
#include "daemon/list.h"

struct client;
struct server;

struct client_channel {
    struct channel channel;
    struct server *server;
    struct client *client;  /* NULL: it has gone, and what it had sent still goes */
    struct list link;       /* in client->channels */
    struct list all_link;   /* in server->channels */
    struct list ready_link; /* in client->output.ready while it has something to tell */
    struct assembly assembly;
    uint32_t number;
    bool is_charged;
    bool is_close_asked; /* CLOSE has come */
    bool is_end_told;
    bool is_end_noticed;
    bool is_refused; /* its OPEN was; that has been logged */
    /* what output tells before the channel's own notices */
    bool is_abort_due, is_credit_due;
    /* credit that the client gave, once it has given any */
    bool has_credit;
    uint64_t credit, credit_used; /* cumulative */
    char *display;                /* of its target, for ctl: what it asked for */
    bool is_shared;
};

/* A new channel of that number, not in any share yet. 0; QUOTA_EXCEEDED: it stands, only to be
 * failed; -ENOMEM. */
int client_channel_new(struct client *client, uint32_t number, struct client_channel **ret_channel);

/* What is sent on it from now on is put together, messages of at most so many bytes. Once. */
void client_channel_accept_sends(struct client_channel *channel, uint64_t max_message);

/* NULL: the number is not in use. */
struct client_channel *client_channel_find(const struct client *client, uint32_t number);

/* The client lets the number go: the channel is freed. */
void client_channel_release(struct client_channel *channel);

/* The client has gone: the channel goes when what it was given to send has gone. */
void client_channel_abandon(struct client_channel *channel);

/* At the daemon's end: freed, whatever it waits for. */
void client_channel_discard(struct client_channel *channel);

#endif

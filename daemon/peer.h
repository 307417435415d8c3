/* SPDX-License-Identifier: MIT
 *
 * peer: who is at the other end of the local socket, as the kernel says.
 * Neighbours: client has one; open_request and control ask what it may.
 * Invariant: nothing that the program says counts, nor what has changed since it connected.
 */
#ifndef WSPLEX_DAEMON_PEER_H
#define WSPLEX_DAEMON_PEER_H

#include <stdbool.h>
#include <sys/types.h>

struct client_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    int fd; /* the transport's, to ask for further groups; -1: there is none */
};

struct config;
struct endpoint;

/* Bits of enum access_right, for an endpoint or, NULL, for URLs of its own. Who may be anybody has none where anything is
 * shared, whatever the lists say. */
unsigned peer_rights(const struct client_peer *peer, const struct config *config,
                     const struct endpoint *endpoint);

/* Its uid stands for whoever this system does not know, so it may be anybody's: it shares with nobody and nothing is its
 * own. */
bool peer_is_unknown(const struct client_peer *peer, const struct config *config);

/* A member of the admin group, root, or the daemon's own user. */
bool peer_is_admin(const struct client_peer *peer, const struct config *config);

#endif

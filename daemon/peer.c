/* SPDX-License-Identifier: MIT
 *
 * peer: who is at the other end of the local socket; see peer.h.
 * Neighbours: the kernel, client, open_request and control.
 * Invariant: what the kernel does not confirm is not so.
 */
#include "daemon/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/access.h"
#include "daemon/config.h"

/* The groups that it had when it connected. */
static bool peer_has_group(const struct client_peer *peer, gid_t group)
{
    gid_t some[64];
    gid_t *groups = some;
    socklen_t len = sizeof(some);
    bool found = peer->gid == group;

    if (found)
        return true;
    if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0) {
        if (errno != ERANGE)
            return false;
        groups = malloc(len);
        if (!groups || getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
            len = 0;
    }
    for (size_t i = 0; !found && i < len / sizeof(*groups); i++)
        found = groups[i] == group;
    if (groups != some)
        free(groups);
    return found;
}

/* What a peer's groups are asked of. */
struct membership {
    const struct client_peer *peer;
    const struct config *config;
};

/* What stands for groups that this system does not know is none that anybody could be given a right by. */
static bool has_group(const void *context, gid_t group)
{
    const struct membership *membership = context;

    return group != membership->config->overflow_gid && peer_has_group(membership->peer, group);
}

unsigned peer_rights(const struct client_peer *peer, const struct config *config,
                     const struct endpoint *endpoint)
{
    const struct access *access = endpoint ? &endpoint->access : &config->free_access;
    const struct membership membership = {peer, config};
    unsigned rights = access_rights(
        access,
        &(struct access_peer){.uid = peer->uid, .has_group = has_group, .context = &membership});

    if (!endpoint || !peer_is_unknown(peer, config))
        return rights;
    return endpoint->options.is_shared ? 0 : rights & ACCESS_DEFAULT;
}

bool peer_is_unknown(const struct client_peer *peer, const struct config *config)
{
    return peer->uid == config->overflow_uid;
}

bool peer_is_admin(const struct client_peer *peer, const struct config *config)
{
    const struct membership membership = {peer, config};
    uint64_t group = config->daemon.admin_group;

    return peer->uid == 0 || (peer->uid == geteuid() && !peer_is_unknown(peer, config)) ||
           (group != OPTION_NO_GROUP && has_group(&membership, (gid_t)group));
}

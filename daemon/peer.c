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

bool peer_has_group(const struct client_peer *peer, gid_t group)
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

static bool has_group(const void *context, gid_t group)
{
    return peer_has_group(context, group);
}

unsigned peer_rights(const struct client_peer *peer, const struct config *config,
                     const struct endpoint *endpoint)
{
    const struct access *access = endpoint ? &endpoint->access : &config->free_access;

    return access_rights(
        access, &(struct access_peer){.uid = peer->uid, .has_group = has_group, .context = peer});
}

bool peer_is_unknown(const struct client_peer *peer, const struct config *config)
{
    return peer->uid == config->overflow_uid;
}

bool peer_is_admin(const struct client_peer *peer, const struct config *config)
{
    uint64_t group = config->daemon.admin_group;

    return peer->uid == 0 || (peer->uid == geteuid() && !peer_is_unknown(peer, config)) ||
           (group != OPTION_NO_GROUP && peer_has_group(peer, (gid_t)group));
}
